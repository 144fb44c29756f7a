package hub

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/report"
)

// The attacker of these tests has the role of one account's responder. He may make noise, and hides nothing of another account.

// eventAt is an event of an account that says what an attacker likes.
func eventAt(account, region string, at time.Time, incidents ...string) event {
	detail := fmt.Sprintf(`{"schema":%q,"time":%q,"account_id":%q,"region":%q,"subject":"s","incidents":[%s]}`, report.HubSchema, at.Format(time.RFC3339Nano), account, region, strings.Join(incidents, ","))
	return read(enveloped(account, json.RawMessage(detail)), []string{prod, test, data})
}

// written is an incident as an attacker writes it.
func written(id, key string, bytes int64) string {
	return fmt.Sprintf(`{"id":%q,"state":"open","judged":true,"waits_for_human":true,"alarm":{"buckets":["b"],"bytes":%d,"confirmed":true},"actors":[{"kind":"iam-user-key","access_key_id":%q,"suspected":true,"networks":[]}]}`, id, bytes, key)
}

// neighbour is an event of another account.
func neighbour() event {
	return eventAt(test, "eu-west-1", midnight, written("neighbour", stolen, 1<<40))
}

// A time that no clock shows is none: the record is stored after any event, and nothing of the neighbour is lost.
func TestAnyTimeIsStored(t *testing.T) {
	for _, at := range []string{"0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"} {
		n := newNight(t)
		body := enveloped(prod, json.RawMessage(fmt.Sprintf(`{"schema":%q,"time":%q,"incidents":[%s]}`, report.HubSchema, at, written("a", other, 1))))
		n.hears(0, body, says{account: test, id: "b", key: stolen, step: "asked"}.body())
		if len(n.rec.Threads) != 2 {
			t.Errorf("%s: %d threads are stored", at, len(n.rec.Threads))
		}
		for i := range 50 {
			n.hears(time.Duration(i+1)*time.Second, body)
		}
		if len(n.team.sent) != 1 {
			t.Errorf("%s: the team got %d messages", at, len(n.team.sent))
		}
	}
}

// After any events the record is stored and comes back, no incident is in it twice, and its message is short.
func TestAnyEventsAreStored(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		pick := func(of ...string) string { return of[rng.IntN(len(of))] }
		id := func() string { return fmt.Sprint("i", rng.IntN(12)) }
		number := func() string { return pick("0", "1", "-1", "9223372036854775807", "-9223372036854775808") }
		r, now := Record{}, midnight
		for range 40 {
			now = now.Add(time.Duration(rng.IntN(3600)) * time.Second)
			var events []event
			for range rng.IntN(6) {
				var incidents []string
				for range rng.IntN(4) {
					incidents = append(incidents, fmt.Sprintf(`{"id":%q,"state":%q,"judged":%v,"waits_for_human":%v,"merged":[%q,%q,%q],"merged_more":%s,"steps":[{}],"steps_more":%s,"alarm":{"buckets":["x"],"buckets_more":%s,"bytes":%s,"confirmed":%v},"actors":[{"kind":"iam-user-key","access_key_id":"AKIAFAKE0000000%d","suspected":%v,"networks":[{"network":"198.51.%d.0/24"}]}]}`,
						id(), pick("open", "closed", "escalated"), rng.IntN(2) == 0, rng.IntN(2) == 0, id(), id(), id(), number(), number(), number(), number(), rng.IntN(2) == 0, rng.IntN(6), rng.IntN(3) > 0, rng.IntN(4)))
				}
				at := pick(now.Add(time.Duration(rng.IntN(7200)-3600)*time.Second).Format(time.RFC3339), "0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59")
				events = append(events, read(enveloped(pick(prod, test, data, stranger), json.RawMessage(fmt.Sprintf(`{"schema":%q,"time":%q,"region":%q,"account_id":%q,"incidents":[%s]}`,
					report.HubSchema, at, pick("eu-west-1", "us-east-1", "x"), pick("", prod, test), strings.Join(incidents, ",")))), []string{prod, test, data}))
			}
			r = r.next(events, now)
			if c := r.claimed(r.Version); !c.empty() {
				if m := message(c, newNight(t).Here); strings.Contains(m.Body+m.Subject, "-9") || strings.Contains(m.Body, "-3.50") {
					t.Fatalf("seed %d: a sum is too large:\n%s", seed, m)
				}
				if rng.IntN(4) > 0 {
					r = r.sent(r.Version, now)
				}
			}
			if rng.IntN(10) == 0 {
				r = r.Smaller()
			}
			r = stored(t, r)
			seen := map[string]bool{}
			for _, th := range r.Threads {
				for _, p := range th.Places {
					for _, in := range p.Incidents {
						if k := p.Account + p.Region + in.ID; seen[k] {
							t.Fatalf("seed %d: %s is there twice", seed, k)
						} else {
							seen[k] = true
						}
					}
				}
			}
		}
	}
}

// An event of more incidents than a deployment lists is not read, and a run with as many as fit ends in time.
func TestManyIncidentsAreTakenInTime(t *testing.T) {
	var small []string
	for i := range 8000 {
		small = append(small, fmt.Sprintf(`{"id":"%d","judged":true}`, i))
	}
	if e := eventAt(prod, "eu-west-1", midnight, small...); !e.unread || e.wrong.What != unreadable || len(e.about) > 0 {
		t.Errorf("an event of 8,000 incidents is read: %+v", e.wrong)
	}
	var events []event
	for i := range 60 {
		var incidents []string
		for j := range report.MaxHub {
			incidents = append(incidents, written(fmt.Sprint(i, "-", j), fmt.Sprintf("AKIAFAKE%04d%04d", i, j), 1<<60))
		}
		events = append(events, eventAt(prod, "eu-west-1", midnight, incidents...))
	}
	r, begin := Record{}, time.Now()
	for range 3 {
		r = r.next(append(events, neighbour()), midnight)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("three runs took %v", took)
	}
	t.Log(time.Since(begin), len(r.Threads))
	r = Record{}.next(events, midnight)
	m := message(r.claimed(r.Version), newNight(t).Here)
	if !strings.Contains(m.Body, "TOO MANY INCIDENTS OF ACCOUNT "+prod) {
		t.Errorf("it is not said what is not kept:\n%.2000s", m.Body)
	}
}

// The hub fails over an event: it is told as one that cannot be read, and the others of its batch are heard.
func TestAnEventOverWhichTheHubFails(t *testing.T) {
	r := Record{} // nothing is tied outside of a run, so to tie fails
	r.believe(neighbour(), map[string]int{}, midnight)
	if len(r.Threads) != 0 || len(r.Heard) != 0 || len(r.Wrongs) != 1 || r.Wrongs[0].What != unreadable || r.Wrongs[0].Account != test {
		t.Errorf("got %+v", r)
	}
}

// Sums end where their numbers end.
func TestSumsAreNeverNegative(t *testing.T) {
	var incidents []string
	for i := range report.MaxHub {
		incidents = append(incidents, strings.Replace(written(fmt.Sprint("f", i), stolen, 1<<63-1), `"judged"`, `"merged_more":9223372036854775807,"judged"`, 1))
	}
	r := Record{}.next([]event{eventAt(prod, "eu-west-1", midnight, incidents...)}, midnight)
	if m := message(r.claimed(r.Version), newNight(t).Here); !strings.Contains(m.Subject, "200 TO DECIDE, 5.00 EiB") || !strings.Contains(m.Body, "with 200,000,000 alarms more") {
		t.Errorf("got %.2000s", m)
	}
}
