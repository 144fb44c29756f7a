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

// flood are events of one account, each of as many incidents as an event lists.
func flood(events int, key func(i, j int) string, id string) (all []event) {
	for i := range events {
		var incidents []string
		for j := range report.MaxHub {
			incidents = append(incidents, written(fmt.Sprint(id, i, "-", j), key(i, j), 1<<60))
		}
		all = append(all, eventAt(prod, "eu-west-1", midnight, incidents...))
	}
	return all
}

// region is one that an attacker invents.
func region(i int) string { return fmt.Sprintf("eu-%c%c-1", 'a'+i/26, 'a'+i%26) }

// told is the message of a record that names the neighbour.
func told(t *testing.T, name string, r Record, parts ...string) report.Message {
	t.Helper()
	m := message(r.claimed(r.Version), newNight(t).Here)
	for _, p := range append(parts, test) {
		if !strings.Contains(m.Body, p) {
			t.Errorf("%s: it does not say %q:\n%.3000s", name, p, m)
		}
	}
	if len(m.Body) > maxBody {
		t.Errorf("%s: a message of %d bytes", name, len(m.Body))
	}
	return m
}

// However many threads or incidents an account has, a neighbour's is told with them, and the message says what is not kept.
func TestAFloodOfOneAccountDropsNoNeighbour(t *testing.T) {
	many := func(i, j int) string { return fmt.Sprintf("AKIAFAKE%04d%04d", i, j) }
	for name, f := range map[string][]event{"threads": flood(10, many, "f"), "one thread": flood(14, func(int, int) string { return other }, "f"), "the neighbour's thread": flood(14, func(int, int) string { return stolen }, "f")} {
		r := Record{}.next(append([]event{neighbour()}, f...), midnight)
		told(t, name, r, "TOO MANY INCIDENTS OF ACCOUNT "+prod)
		if len(r.Threads) > maxThreads {
			t.Errorf("%s: %d threads", name, len(r.Threads))
		}
		for range 30 {
			r = r.Smaller()
		}
		if text, _ := json.Marshal(r); !strings.Contains(string(text), `"neighbour"`) || len(text) > 4000 {
			t.Errorf("%s: made smaller, it has %d bytes, and the neighbour is not in it", name, len(text))
		}
	}
	// He has the hub pause, and then floods it.
	r, now, heard := Record{}, midnight, false
	tell := func() {
		if c := r.claimed(r.Version); !c.empty() {
			heard = heard || strings.Contains(message(c, newNight(t).Here).Body, test)
			r = r.sent(r.Version, now)
		}
	}
	for i := range 22 {
		r = r.next([]event{eventAt(prod, "eu-west-1", now, written(fmt.Sprint("p", i), fmt.Sprintf("AKIAPAUSE%011d", i), 1))}, now)
		tell()
		now = now.Add(61 * time.Second)
	}
	r = r.next([]event{neighbour()}, now)
	tell()
	for _, e := range flood(10, many, "g") {
		r = r.next([]event{e}, now)
		tell()
	}
	for range 15 {
		now = now.Add(time.Minute)
		r = r.next(nil, now)
		tell()
	}
	if !heard {
		t.Error("the neighbour was dropped before he was told")
	}
}

// Regions that an attacker invents put no neighbour out of a message, and keep none from being missed.
func TestInventedRegionsHideNoNeighbour(t *testing.T) {
	apart, tied := []event{}, []event{}
	for i := range 600 {
		apart = append(apart, eventAt(prod, region(i), midnight, written(fmt.Sprint("a", i), fmt.Sprintf("AKIAFAKE%08d", i), 1<<60), written(fmt.Sprint("b", i), fmt.Sprintf("AKIAFAKB%08d", i), 1<<60)))
		tied = append(tied, eventAt(prod, region(i), midnight, written(fmt.Sprint("a", i), stolen, 1<<60)))
	}
	told(t, "apart", Record{}.next(append(apart, neighbour()), midnight))
	m := told(t, "tied", Record{}.next(append(tied, neighbour()), midnight), "\n"+test+" eu-west-1: 1 TO DECIDE")
	if !strings.Contains(m.Body, "ONE THIEF IN 2 ACCOUNTS") {
		t.Errorf("got %.2000s", m)
	}
	r := Record{}.next(append(apart, neighbour()), midnight)
	if len(r.Heard) != maxRegions+2 {
		t.Errorf("%d deployments are heard", len(r.Heard))
	}
	r = r.sent(r.Version, midnight)
	now := midnight.Add(Silence + time.Minute)
	r = r.next(nil, now)
	told(t, "silence", r, "- "+test+" eu-west-1, last at", "NOT HEARD")
	r = r.sent(r.Version, now)
	if r = r.next(nil, now.Add(Keep)); len(r.Heard) != 0 {
		t.Errorf("%d deployments are waited for that were told silent long ago", len(r.Heard))
	}
}

// A message is short however long what an attacker writes is: what may keep the hub from hearing stands first, and all accounts are named.
func TestALongMessageLeavesOutNoAccount(t *testing.T) {
	long := strings.Repeat(`\u202e`, 66)
	var events []event
	for k := range 8 {
		for i := range 20 {
			var incidents []string
			for j := range 3 {
				steps := strings.Repeat(fmt.Sprintf(`{"action":"%s","target":"%s","state":"%s"},`, long, long, long), 5)
				incidents = append(incidents, strings.Replace(strings.Replace(written(fmt.Sprintf("a-%d-%d-%d", k, i, j), fmt.Sprintf("AKIAFAKE%08d", k), 5), `["b"]`, `["`+long+`","`+long+`"]`, 1), `"judged"`, `"steps":[`+strings.TrimSuffix(steps, ",")+`],"judged"`, 1))
			}
			events = append(events, eventAt(prod, region(i), midnight, incidents...))
		}
	}
	events = append(events, neighbour(), read(enveloped(data, json.RawMessage(`{"schema":"nightlatch.hub/1","account_id":"999999999999","incidents":[]}`)), []string{prod, test, data}))
	m := told(t, "long", Record{}.next(events, midnight), "Left out for room: ", "- ALARM in "+test)
	if !strings.HasPrefix(m.Body, "- FORGED EVENT OF ACCOUNT "+data) || strings.Index(m.Body, "Means: whoever") > strings.Index(m.Body, "\nThread ") {
		t.Errorf("it does not begin with what may keep the hub from hearing:\n%.1000s", m)
	}
	// All accounts that a hub has.
	r := Record{}
	for i := range 150 {
		e := eventAt(prod, "eu-west-1", midnight, written("a", fmt.Sprintf("AKIAFAKE%08d", i/2), 5))
		e.account = fmt.Sprintf("%012d", 7000+i)
		for _, in := range []string{"eu-west-1", "eu-west-2", "eu-west-3"} {
			e.region = in
			r = r.next([]event{e}, midnight)
		}
	}
	for i := range r.Threads {
		r.Threads[i].claim(r.Version, midnight)
	}
	m = message(r.claimed(r.Version), newNight(t).Here)
	for i := range 150 {
		if !strings.Contains(m.Body, fmt.Sprintf("%012d", 7000+i)) {
			t.Errorf("account %d is not named", i)
		}
	}
}

// Somebody's test is told as one, once an hour of a deployment; the hourly one of a deployment itself is not.
func TestATestIsToldAsOne(t *testing.T) {
	n := newNight(t)
	body := func(subject string) string {
		return enveloped(prod, report.HubEvent{Schema: report.HubSchema, Kind: report.Test, Subject: subject, Account: prod, Region: "eu-west-1"})
	}
	n.none(n.hears(0, body(report.HubTest)))
	n.one(n.hears(time.Second, body("[nightlatch] TEST: x")), "[nightlatch hub] TEST of 1 deployment", "- "+prod+" eu-west-1\n", "Nothing has happened")
	n.none(n.hears(time.Minute, body("[nightlatch] TEST: x")))
	n.none(n.hears(59*time.Minute, body("[nightlatch] TEST: x")))
	n.one(n.hears(time.Hour+time.Second, body("[nightlatch] TEST: x")), "TEST of 1 deployment")
}

// What each account may have adds up, and nothing is dropped where all fits.
func TestTheShareOfAnAccount(t *testing.T) {
	for _, c := range []struct {
		have map[string]int
		want int
	}{
		{map[string]int{"a": 10, "b": 1900}, 2000},
		{map[string]int{"a": 2000}, 2000},
		{map[string]int{"a": 10, "b": 5000}, 1990},
		{map[string]int{"a": 10, "b": 5000, "c": 1500}, 995},
		{map[string]int{}, 2000},
	} {
		if got := share(c.have, 2000); got != c.want {
			t.Errorf("%v: each may have %d, want %d", c.have, got, c.want)
		}
	}
	r := Record{}.next(append(flood(9, func(int, int) string { return other }, "f"), neighbour()), midnight)
	all := 0
	for _, th := range r.Threads {
		all += th.sums().incidents
	}
	if all != 9*report.MaxHub+1 || len(r.Wrongs) != 0 {
		t.Errorf("%d incidents are kept, and %+v is told", all, r.Wrongs)
	}
}
