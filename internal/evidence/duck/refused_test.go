package duck_test

import (
	"fmt"
	"testing"
	"time"

	"nightlatch/internal/evidence"
)

// Whose calls were not allowed, and from where: what is missing, what was allowed, and what others asked for is none of it.
func TestRefused(t *testing.T) {
	q := evidence.Refused{KeyIDs: []string{key}, PrincipalIDs: []string{"AROAEXAMPLEWEB"}, From: noon, To: end}
	no := failed("AccessDenied")
	web := func(changes ...change) record {
		return call(append([]change{session("i-1", "ASIAEXAMPLEROLE00001"), from("10.0.3.7"), no}, changes...)...)
	}
	for what, c := range map[string]struct {
		q       evidence.Refused
		records []record
		want    []string // credential, place, calls, names, programs
	}{
		"a call, and the same delivered twice": {q, calls(call(no, id("a")), call(no, id("a"))), []string{key + " 198.51.100.0/24 1 1 [GetObject] [aws-cli]"}},
		"an organization's two records":        {q, calls(call(no, id("a"), set("sharedEventID", "s")), call(no, id("b"), set("sharedEventID", "s"))), []string{key + " 198.51.100.0/24 1 1 [GetObject] [aws-cli]"}},
		"many calls at one place":              {q, calls(web(), web(name("HeadObject")), web(name("ListObjects")), call(no)), []string{"AROAEXAMPLEWEB:i-1 10.0.3.0/24 3 3 [GetObject ListObjects] [aws-cli]", key + " 198.51.100.0/24 1 1 [GetObject] [aws-cli]"}},
		"of another service, in its own words": {q, calls(api("ec2", "RunInstances", failed("Client.UnauthorizedOperation")), api("kms", "Decrypt", failed("AccessDeniedException"))), []string{key + " 198.51.100.0/24 2 2 [Decrypt RunInstances] [aws-cli]"}},
		"an endpoint":                          {q, calls(web(set("vpcEndpointId", "vpce-1")), web(set("vpcEndpointId", "vpce-1"), from("10.9.9.9"))), []string{"AROAEXAMPLEWEB:i-1 vpce-1 2 1 [GetObject] [aws-cli]"}},
		"what is missing":                      {q, calls(call(failed("NoSuchKey")), call(failed("InvalidRange"))), nil},
		"what was allowed":                     {q, calls(call()), nil},
		"another's":                            {q, calls(call(no, keyID("AKIAEXAMPLEOTHER0001"))), nil},
		"before, and after":                    {q, calls(call(no, at(noon.Add(-time.Second))), call(no, at(end))), nil},
		"nobody is asked about":                {evidence.Refused{From: noon, To: end}, calls(call(no), call(no, keyID(""), principalID(""))), nil},
		"an agent that is none":                {q, calls(call(no, agent("\x1b[2J"))), []string{key + " 198.51.100.0/24 1 1 [GetObject] []"}},
	} {
		t.Run(what, func(t *testing.T) {
			r, err := evidence.ReadRefused(rows(t, trail(t, c.records), c.q))
			if err != nil || r.Partial {
				t.Fatal(err, r.Partial)
			}
			var got []string
			for _, x := range r.Listed {
				got = append(got, fmt.Sprint(x.Credential, " ", x.From, " ", x.Calls, " ", x.Names.Count, " ", x.Names.Names, " ", x.Programs.Names))
			}
			equal(t, got, c.want)
		})
	}
}

// A place is the principal's where it works on other days too, and not because the theft was there.
func TestWhosePlaceItIs(t *testing.T) {
	records := []record{call(size(1_000_000), from("198.51.100.7"), id("theft"))}
	for d := 2; d < 8; d++ {
		records = append(records, call(at(noon.AddDate(0, 0, -d)), from("10.0.3.7"), size(500_000), id(fmt.Sprint("day-", d))))
	}
	a := weigh(t, records).Actors[0]
	for network, want := range map[string]bool{"10.0.3.0/24": true, "198.51.100.0/24": false, "203.0.113.0/24": false} {
		if got := a.Knows(evidence.Place{Network: network}); got == nil || *got != want {
			t.Errorf("%s is known: %v, want %t", network, got, want)
		}
	}
	a.PlacesPartial = true
	if a.Knows(evidence.Place{Network: "203.0.113.0/24"}) != nil || a.Knows(evidence.Place{Network: "10.0.3.0/24"}) == nil || (evidence.Actor{}).Knows(evidence.Place{}) != nil {
		t.Error("what is not listed is taken for known")
	}
}
