package responder_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
)

// looking is a meter that knows which buckets an alarm watches, as CloudWatch does.
type looking struct {
	*meter
	watches map[string][]string
}

func (m looking) Read(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	if len(a.Buckets) == 0 {
		a.Buckets = m.watches[a.Name]
	}
	return m.meter.Read(ctx, a)
}

// composite is the event of a composite alarm, because of the alarms below it.
func composite(children ...string) []byte {
	var all []string
	for _, c := range children {
		all = append(all, fmt.Sprintf(`{\"arn\":\"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:%s\",\"state\":{\"value\":\"ALARM\",\"timestamp\":\"2026-03-04T00:11:00.000+0000\"}}`, c))
	}
	return fmt.Appendf(nil, `{"source":"aws.cloudwatch","alarmArn":"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:exfil","accountId":"111122223333","region":"eu-west-1",
"alarmData":{"alarmName":"exfil","state":{"value":"ALARM","timestamp":"2026-03-04T00:11:01.000+0000","reasonData":"{\"triggeringAlarms\":[%s]}"},
"configuration":{"alarmRule":"ALARM(a) OR ALARM(b)"}}}`, strings.Join(all, ","))
}

// The alarm below a composite one is answered as if it had fired by itself; where it does too, that is the same incident.
func TestAnAlarmBelowACompositeIsAnswered(t *testing.T) {
	w := newWorld()
	w.Meter = looking{w.meter, map[string][]string{"nightlatch-exports": {"exports"}}}
	r := w.deliver(t, composite("nightlatch-exports"))
	if got := state(t, r); got != containment.Done || !r.Alarm.Confirmed {
		t.Errorf("got %s, confirmed %t (%s), want the key turned off", got, r.Alarm.Confirmed, r.Alarm.Doubt)
	}
	w.keys(t, "Inactive")
	w.headline(t, "CONTAINED")
	if m := w.message(t); !strings.Contains(m.Body, "composite alarm exfil") {
		t.Errorf("the message does not say through what it rang:\n%s", m.Body)
	}
	if again := w.handle(t); again.ID != r.ID || len(w.channel.Sent()) != 1 {
		t.Errorf("the alarm's own event gave incident %s and %d messages, want %s and 1", again.ID, len(w.channel.Sent()), r.ID)
	}
}

func TestEachAlarmBelowACompositeIsAnIncident(t *testing.T) {
	w := newWorld()
	w.Meter = looking{w.meter, map[string][]string{"nightlatch-exports": {"exports"}}}
	w.deliver(t, composite("nightlatch-exports", "cpu"))
	w.keys(t, "Inactive")
	recent, err := w.Store.Recent(t.Context(), 9)
	if err != nil || len(recent) != 2 {
		t.Fatalf("got %+v, %v, want two incidents", recent, err)
	}
	for _, b := range recent {
		if r, err := w.Store.Load(t.Context(), b.ID); err != nil || r.Closed.IsZero() {
			t.Errorf("incident %s is open: %v", b.ID, err)
		}
	}
}

// Of an alarm that can never be answered the team is told once, however often it rings. Nothing is asked of anybody.
func TestAnAlarmThatCannotBeAnsweredIsSaidOnce(t *testing.T) {
	for name, w := range map[string]*world{"once": newWorld(), "with follow-ups": watched()} {
		t.Run(name, func(t *testing.T) { w.refuses(t) })
	}
}

func (w *world) refuses(t *testing.T) {
	t.Helper()
	lens := []byte(strings.Replace(string(event(1_000_000)), "AWS/S3", "AWS/S3/Storage-Lens", 1))
	for range 2 {
		r := w.deliver(t, lens)
		if r.Closed.IsZero() || len(r.Outcomes) > 0 {
			t.Errorf("got %+v, want it closed without a step", r)
		}
		w.clock.Wait(t.Context(), w.clock.Now().Add(24*time.Hour))
		lens = []byte(strings.Replace(string(lens), "2026-03-04T00:11:00.000+0000", "2026-03-05T00:11:00.000+0000", 1))
	}
	w.headline(t, "NOT ANSWERED")
	if m := w.message(t); !strings.Contains(strings.Join(strings.Fields(m.Body), " "), "Alarm nightlatch-exports is wired to Nightlatch and fired, and cannot be answered: S3 Storage Lens counts by the day") {
		t.Errorf("got:\n%s", m.Body)
	}
	if w.meter.read > 0 || len(w.trail.asked) > 0 || len(w.account.Calls()) > 0 {
		t.Errorf("the metric was read %d times, the trail asked %v, the account %v", w.meter.read, w.trail.asked, w.account.Calls())
	}
}

// A bucket of which the metric counts a part: more in CloudTrail is no contradiction, and who reads the rest as always is not asked about.
func TestAMetricThatCountsAPart(t *testing.T) {
	part := []byte(strings.Replace(string(event(1_000_000)), "EntireBucket", "finance-prefix", 1))
	w := newWorld()
	w.trail.takers = append(w.trail.takers, job(4_000))
	r := w.deliver(t, part)
	if got := state(t, r); got != containment.Asked || r.Outcomes[0].AccessKeyID != stolen || r.Aside != 1 {
		t.Errorf("got %+v and %d aside, want a question about the stolen key alone", r.Outcomes, r.Aside)
	}
	w.keys(t, "Active")
	if m := w.message(t); !strings.Contains(strings.Join(strings.Fields(m.Body), " "), "this metric counts a part of the bucket") || strings.Contains(m.Body, "contradict") {
		t.Errorf("got:\n%s", m.Body)
	}
	w.took(t, time.Minute, 3*time.Minute) // it does not wait until the deadline for what can never be known
}
