package alarm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A composite alarm has no metric: what fired is the alarm below it, at its own time.
func TestParseLooksBelowAComposite(t *testing.T) {
	child := func(name, state, time string) string {
		return fmt.Sprintf(`{"arn":"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:%s","state":{"value":%q,"timestamp":%q}}`, name, state, time)
	}
	const own = "2026-03-04T00:03:40.000+0000"
	direct := func(children ...string) []byte {
		return edit(t, "alarms/direct-composite.json", func(e map[string]any) {
			in(e, "alarmData", "state")["reason"] = "x"
			in(e, "alarmData", "state")["reasonData"] = `{"triggeringAlarms":[` + strings.Join(children, ",") + `]}`
		})
	}
	reason := edit(t, "alarms/direct-composite.json", func(e map[string]any) { delete(in(e, "alarmData", "state"), "reasonData") })
	sns := fmt.Appendf(nil, `{"AlarmName":"nightlatch-composite","NewStateValue":"ALARM","NewStateReason":"x","StateChangeTime":"2026-03-04T00:03:41.431+0000",
		"AlarmArn":"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:nightlatch-composite","AlarmRule":"ALARM(a)",
		"TriggeringChildren":[{"Arn":"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:a","State":{"Value":"ALARM","Timestamp":"%s"}}]}`, own)
	for name, c := range map[string]struct {
		event []byte
		want  map[string]string // the children by their names, and when they fired
	}{
		"as it is sent":            {sample(t, "alarms/direct-composite.json"), map[string]string{"nightlatch-customer-exports": "2026-03-04T00:03:41.431Z"}},
		"one child":                {direct(child("a", "ALARM", own)), map[string]string{"a": "2026-03-04T00:03:40Z"}},
		"two children":             {direct(child("a", "ALARM", own), child("b", "ALARM", own)), map[string]string{"a": "2026-03-04T00:03:40Z", "b": "2026-03-04T00:03:40Z"}},
		"one of them is not in it": {direct(child("a", "OK", own), child("b c:d", "ALARM", own)), map[string]string{"b c:d": "2026-03-04T00:03:40Z"}},
		"the same twice":           {direct(child("a", "ALARM", own), child("a", "ALARM", own)), map[string]string{"a": "2026-03-04T00:03:40Z"}},
		"by SNS":                   {sns, map[string]string{"a": "2026-03-04T00:03:40Z"}},
		"in the reason's text":     {reason, map[string]string{"nightlatch-customer-exports": "2026-03-04T00:03:41.431Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := Parse(c.event)
			check(t, e, err)
			if err != nil || e.Alarm == nil {
				t.Fatalf("Parse = %+v, %v", e, err)
			}
			got := map[string]string{}
			for _, a := range append(e.Also, *e.Alarm) {
				got[a.Name] = a.Since.Format("2006-01-02T15:04:05.999Z07:00")
				if a.Composite != "nightlatch-composite" || !strings.HasSuffix(a.ARN, ":alarm:"+a.Name) || a.AccountID != "111122223333" || a.Region != "eu-west-1" ||
					a.Buckets != nil || a.Bytes != nil || !a.To.Equal(at("2026-03-04T00:03:00Z")) || a.Part != 0 {
					t.Errorf("got %+v", a)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("the children (-want +got):\n%s", diff)
			}
		})
	}
	var many []string
	for i := range maxBuckets + 1 {
		many = append(many, child(fmt.Sprint(i), "ALARM", own))
	}
	for name, c := range map[string]struct {
		event []byte
		want  string
	}{
		"none is named":    {direct(), "names no alarm below it that fired"},
		"none fired":       {direct(child("a", "OK", own)), "names no alarm below it that fired"},
		"something else":   {direct(`{"arn":"arn:aws:s3:::x"}`), "names no alarm below it that fired"},
		"more than can be": {direct(many...), "11 alarms below it fired at once"},
	} {
		e, err := Parse(c.event)
		check(t, e, err)
		if err != nil || e.Alarm == nil || !strings.Contains(e.Alarm.Refused, c.want) {
			t.Errorf("%s: Parse = %+v, %v, want it refused with %q", name, e.Alarm, err, c.want)
		}
	}
}

// An alarm that also fired by itself is the same incident.
func TestAChildThatRangTwiceIsOneIncident(t *testing.T) {
	below, err := Parse(sample(t, "alarms/direct-composite.json"))
	if err != nil {
		t.Fatal(err)
	}
	itself, err := Parse(sample(t, "alarms/direct-metric.json"))
	if err != nil || below.Alarm.ID() != itself.Alarm.ID() {
		t.Errorf("the ids are %q and %q, %v, want one", below.Alarm.ID(), itself.Alarm.ID(), err)
	}
}
