package evidence

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Origin is where calls come from, and how they are signed.
type Origin struct {
	// Network is the caller's IPv4 /24 or IPv6 /48, or the name of the service that called. It is "" behind a VPC endpoint, where the
	// address is a private one that proves nothing.
	Network string `json:"network"`
	// VPCEndpoint and VPCEndpointAccount name the endpoint that the call came through.
	VPCEndpoint        string `json:"vpc_endpoint"`
	VPCEndpointAccount string `json:"vpc_endpoint_account,omitempty"`
	// Presigned: the request was signed in its query string; anybody who has the URL can send it.
	Presigned bool `json:"presigned"`
	// SigningUnknown: the record does not say how the request was signed.
	SigningUnknown bool  `json:"signing_unknown,omitempty"`
	Bytes          int64 `json:"bytes"`
	// ObjectBytes are those of contents; 0 in a record of an earlier build.
	ObjectBytes int64 `json:"object_bytes,omitempty"`
	Calls       int64 `json:"calls"`
	// Familiar: the same principal worked at this place, signed in the header, at least a day before the window, on enough days or with enough
	// bytes for what left now. Nil is unknown.
	Familiar *bool `json:"familiar"`
	// Days are the earlier days on which it worked there, in any bucket and service, and MostBytes the contents of these buckets that it took
	// there in a day at most. Nil is unknown.
	Days      *int64 `json:"days_seen,omitempty"`
	MostBytes *int64 `json:"most_bytes_in_a_day,omitempty"`
}

// place is an origin without its signing: what history is compared by.
type place struct{ network, endpoint, account string }

// signing is how the calls were signed, as a query calls it.
func (o Origin) signing() string {
	switch {
	case o.Presigned:
		return "presigned"
	case o.SigningUnknown:
		return "unknown"
	}
	return "header"
}

// Place names the origin, whatever way its calls are signed: the VPC endpoint, or the network.
func (o Origin) Place() string {
	if o.VPCEndpoint != "" {
		return o.VPCEndpoint
	}
	return o.Network
}

func (o Origin) place() place { return place{o.Network, o.VPCEndpoint, o.VPCEndpointAccount} }

// Network is the network of an address as CloudTrail writes it: 203.0.113.0/24, 2001:db8:1::/48. What is no address (the name
// of a service, "AWS Internal") is returned as it is.
func Network(sourceIP string) string {
	addr, err := netip.ParseAddr(sourceIP)
	if err != nil {
		return clip(sourceIP)
	}
	addr = addr.Unmap().WithZone("")
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return clip(sourceIP)
	}
	return prefix.String()
}

// maxText is the most bytes that an incident keeps of one string.
const maxText = 256

// clip cuts s to maxText bytes, between two characters, and makes it valid UTF-8.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
