package responder_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// errorsOf is a metric of refusals: so many a minute on the week before, and so many a minute since the alarm fired.
func errorsOf(before, since int64) map[string][]alarm.Point {
	var points []alarm.Point
	for day := range 8 {
		for minute := range 120 {
			p := alarm.Point{Start: from.Add(time.Duration(minute)*time.Minute - time.Duration(day)*24*time.Hour), Bytes: before}
			if day == 0 {
				p.Bytes = since
			}
			points = append(points, p)
		}
	}
	return map[string][]alarm.Point{"exports": points}
}

// unread is a meter whose refusals cannot be read.
type unread struct{ alarm.Meter }

func (unread) Refused(context.Context, alarm.Alarm, time.Time, time.Time) (alarm.Refusals, error) {
	return alarm.Refusals{}, errors.New("cloudwatch:GetMetricData was refused\nDONE")
}

// A key that is off leaves no record of who tries it. What S3's metric of refusals shows is told without a name, and once; where there is no such
// metric nothing is claimed. None of it is a theft that goes on.
func TestWorkThatAKeyStops(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*world)
		subject []string
		says    string
	}{
		"more than usual": {func(w *world) { w.meter.Errors = errorsOf(1, 40) }, []string{"FIRED", "CONTAINED", "WORK STOPPED?, CONTAINED", "QUIET, WORK STOPPED?, CONTAINED"},
			"S3 REFUSED 880 requests (4xx) to exports 2026-03-04 00:16 to 00:38 UTC, on 7 days before at most 22 in these minutes: somebody's work may have stopped. The metric has no names"},
		"usual": {func(w *world) { w.meter.Errors = errorsOf(20, 30) }, []string{"FIRED", "CONTAINED", "QUIET, CONTAINED"},
			"which is usual. The metric has no names; and whether it counts what is sent with a key that is off, AWS does not say"},
		"no such metric":     {func(*world) {}, []string{"FIRED", "CONTAINED", "QUIET, CONTAINED"}, "whether others' work has stopped is NOT KNOWN: S3 records nothing of a key that is off, and no bucket has the metric"},
		"too young":          {func(w *world) { w.meter.Errors = map[string][]alarm.Point{"exports": {{Start: from, Bytes: 400}}} }, []string{"FIRED", "CONTAINED", "QUIET, CONTAINED"}, "too young to know what is usual"},
		"it cannot be read":  {func(w *world) { w.Meter = unread{w.meter} }, []string{"FIRED", "CONTAINED", "QUIET, CONTAINED"}, `could not be read: cloudwatch:GetMetricData was refused\nDONE`},
		"a human has to act": {func(w *world) { w.Mode, w.meter.Errors = containment.ModeAsk, errorsOf(1, 40) }, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := watched()
			c.change(w)
			r := w.handle(t)
			last := r.FollowUps[len(r.FollowUps)-1]
			if c.subject == nil { // nothing is off
				if len(last.Broken) > 0 || last.Refused != "" || w.said("WORK STOPPED?") {
					t.Errorf("nothing was contained, and it says %+v", last)
				}
				return
			}
			if w.notified(t, c.subject...); !last.Quiet() || !r.Escalated.IsZero() || state(t, r) != containment.Done {
				t.Errorf("%s, escalated %v, follow-up %+v: want done and quiet", state(t, r), r.Escalated, last)
			}
			if all := strings.Join(append(last.Broken, last.Refused), " "); !strings.Contains(all, c.says) {
				t.Errorf("want %q in %q", c.says, all)
			}
			sent := w.channel.Sent()
			if body := strings.Join(strings.Fields(sent[len(sent)-1].Body), " "); !strings.Contains(body, c.says) {
				t.Errorf("want %q in the last message\n%s", c.says, sent[len(sent)-1].Body)
			}
			if strings.Contains(fmt.Sprint(sent), "NOT STOPPED") {
				t.Error("what stops honest work is called a theft that goes on")
			}
		})
	}
}

// After a deny the trail names whose calls were refused. Those of the owner's places are told; the thief's are not, and what cannot be told apart is
// said to be so.
func TestWorkThatADenyStops(t *testing.T) {
	refused := func(ip, key string, calls int) evidence.Row {
		return evidence.Row{"credential": key, "vpc_endpoint": "", "vpc_endpoint_account": "", "source_ip": ip, "calls": fmt.Sprint(calls), "first_seen": fmt.Sprint(from.Add(20 * time.Minute).Unix()),
			"last_seen": fmt.Sprint(from.Add(30 * time.Minute).Unix()), "names": "2", "name": "GetObject", "other_name": "ListObjects", "programs": "1", "program": "aws-cli", "other_program": "aws-cli"}
	}
	honest := "34 calls of " + stolen + " from 203.0.113.0/24 by aws-cli REFUSED since, last at 00:37:00 (GetObject and ListObjects): a place that it uses on other days too"
	for name, c := range map[string]struct {
		rows    []evidence.Row
		usage   bool
		fail    string
		broken  []string
		unknown string
	}{
		"the owner's, and the thief's":  {[]evidence.Row{refused(elsewhere, stolen, 900), refused(office, stolen, 34)}, true, "", []string{honest}, ""},
		"the thief's alone":             {[]evidence.Row{refused(elsewhere, stolen, 900)}, true, "", nil, ""},
		"nobody's":                      {nil, true, "", nil, ""},
		"what is usual is not known":    {[]evidence.Row{refused(office, stolen, 34)}, false, "", nil, "whether 34 calls that were refused since are the owner's: what is usual for him is not known"},
		"the trail does not answer":     {nil, true, "refused", nil, "whose work was refused since: no query slot was free"},
		"an answer without its columns": {[]evidence.Row{{"credential": stolen}}, true, "", nil, "whose work was refused since: a row of the answer has no column"},
		"a neighbour of the session":    {[]evidence.Row{refused(office, "AROAEXAMPLEweb:neighbour", 34)}, true, "", nil, ""},
		"by session of no name":         {[]evidence.Row{refused(office, "", 1)}, true, "", []string{strings.Replace(strings.Replace(honest, stolen, "a credential that the record does not show", 1), "34 calls", "1 call", 1)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := watched()
			w.trail.refused, w.trail.failing = c.rows, c.fail
			r := w.handOver(t, func(r incident.Record) { // the step was a deny
				if name == "a neighbour of the session" {
					r.Outcomes[0].Action = policy.DenyRoleSession
				}
				r.Outcomes[0].Step.Ref = containment.Ref{Type: "user-policy", Owner: "mara", Name: "nightlatch"}
				if !c.usage {
					r.Evidence.Actors[0].HistoryDays, r.Evidence.HistoryDays, w.trail.failing = nil, nil, "usage"
				}
				r.Writer = "test"
				if _, err := w.Store.Put(context.Background(), r); err != nil {
					t.Fatal(err)
				}
			})
			last := r.FollowUps[len(r.FollowUps)-1]
			if fmt.Sprint(last.Broken) != fmt.Sprint(c.broken) || last.Refused != "" {
				t.Errorf("it says %q and %q, want %q", last.Broken, last.Refused, c.broken)
			}
			if all := strings.Join(last.Unknown, " "); !strings.Contains(all, c.unknown) || c.unknown == "" && strings.Contains(all, "refused since") {
				t.Errorf("not known is %q, want %q", all, c.unknown)
			}
			if w.said("WORK STOPPED?") != (c.broken != nil) {
				t.Errorf("messages %q", w.subjects())
			}
		})
	}
}
