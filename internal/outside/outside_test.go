package outside

import (
	"net/netip"
	"testing"
)

func TestWhatIsPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "192.0.0.8": false, "::1": false, "::": false, "fe80::1": false, "fd00:ec2::254": false,
		"64:ff9b::a9fe:a9fe": false, "::ffff:10.0.0.1": false, "::ffff:100.64.0.1": false, "2002:a9fe:a9fe::": false, "ff02::1": false, "fe80::1%eth0": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}
