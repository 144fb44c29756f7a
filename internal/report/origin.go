package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// from says where an actor's calls came from, and whether that is usual for it.
func from(r incident.Record, a evidence.Actor) string {
	if len(a.Origins) == 0 {
		return "from an origin that is not recorded"
	}
	var places []string
	for i, o := range a.Origins {
		if i == 2 {
			places = append(places, fmt.Sprintf("%d more", len(a.Origins)-i))
			break
		}
		places = append(places, place(o))
	}
	return "from " + strings.Join(places, ", ") + ": " + inPast(r, usual(a)) + neighbours(a)
}

func place(o evidence.Origin) string {
	p := prose.Safe(o.Network)
	if o.VPCEndpoint != "" {
		p = "VPC endpoint " + prose.Safe(o.VPCEndpoint)
		if o.VPCEndpointAccount != "" {
			p += " of account " + prose.Safe(o.VPCEndpointAccount)
		}
	}
	if p == "" {
		p = "an origin that is not recorded"
	}
	if o.Presigned {
		p += " by presigned URL"
	}
	return p
}

// inPast is what is said of the 14 days that are asked about, where the trail goes less far back.
func inPast(r incident.Record, text string) string {
	if r.Evidence.Past() < time.Minute {
		text = strings.ReplaceAll(text, "it did not read these buckets in the 14 days before", "what is usual for it is NOT KNOWN, as the trail holds nothing from before the window")
	}
	return strings.ReplaceAll(text, "14 days", past(r.Evidence))
}

// past is how far back it is known what is usual.
func past(e evidence.Evidence) string {
	const day = 24 * time.Hour
	switch p := e.Past(); {
	case p >= 2*day:
		return prose.Plural(int64(p/day), "day")
	case p >= 2*time.Hour:
		return prose.Plural(int64(p/time.Hour), "hour")
	default:
		return prose.Plural(int64(p/time.Minute), "minute")
	}
}

// usualService says it of a service, whose network is AWS's own and says nothing: by what it took on earlier days.
func usualService(a evidence.Actor) string {
	most := a.MostBytesInADay
	switch {
	case most == nil:
		return "whether that is usual for it is NOT KNOWN"
	case *most == 0:
		return "it took NOTHING on earlier days"
	case a.Bytes <= *most:
		return "no more than its most in a day on earlier days, " + prose.Bytes(*most)
	}
	return fmt.Sprintf("%s times its most in a day on earlier days, %s", strings.TrimSuffix(fmt.Sprintf("%.1f", float64(a.Bytes)/float64(*most)), ".0"), prose.Bytes(*most))
}

// neighbours says whose network it is, where it is known from others of the same role or broker.
func neighbours(a evidence.Actor) string {
	if len(a.Neighbours) == 0 {
		return ""
	}
	return "; that is where " + prose.List(a.Neighbours) + " of the same " + cmp.Or(map[bool]string{true: "broker"}[a.Kind == actor.FederatedUser], "role") + " came from"
}
