package alarm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// withPoints is the direct alarm with other evaluated datapoints.
func withPoints(t *testing.T, points ...string) []byte {
	return edit(t, "alarms/direct-metric.json", func(e map[string]any) {
		in(e, "alarmData", "state")["reasonData"] = fmt.Sprintf(`{"period":60,"threshold":400,"evaluatedDatapoints":[%s]}`, strings.Join(points, ","))
	})
}

func point(time string, value any) string {
	return fmt.Sprintf(`{"timestamp":%q,"value":%v}`, time, value)
}

func TestParseWindow(t *testing.T) {
	for name, c := range map[string]struct {
		points   []string
		from, to string
		bytes    int64
	}{
		"the window begins with the first breach": {[]string{point("2026-03-04T00:00:00.000+0000", 1), point("2026-03-04T00:01:00.000+0000", 500),
			point("2026-03-04T00:02:00.000+0000", 3)}, "2026-03-04T00:01:00Z", "2026-03-04T00:03:00Z", 503},
		"missing and doubled datapoints": {[]string{`{"timestamp":"2026-03-04T00:00:00.000+0000"}`, point("2026-03-04T00:01:00.000+0000", 500),
			point("2026-03-04T00:01:00.000+0000", 500), `{"timestamp":"2026-03-04T00:02:00.000+0000","value":null}`},
			"2026-03-04T00:01:00Z", "2026-03-04T00:02:00Z", 500},
		"seven days": {[]string{point("2026-02-25T00:00:00.000+0000", 500), point("2026-03-04T00:00:00.000+0000", 500)},
			"2026-02-25T00:00:00Z", "2026-03-04T00:01:00Z", 1000},
		"parts of a byte": {[]string{point("2026-03-04T00:01:00.000+0000", "4.2949672965E9")}, "2026-03-04T00:01:00Z", "2026-03-04T00:02:00Z", 4294967297},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(withPoints(t, c.points...))
			if err != nil {
				t.Fatal(err)
			}
			if a := got.Alarm; !a.From.Equal(at(c.from)) || !a.To.Equal(at(c.to)) || *a.Bytes != c.bytes || *a.Claimed != c.bytes {
				t.Errorf("window [%v, %v), %d bytes, want [%s, %s), %d", a.From, a.To, *a.Bytes, c.from, c.to, c.bytes)
			}
		})
	}
}

// An alarm that fires at its threshold says so in its reason, or by its operator.
func TestParseAtTheThreshold(t *testing.T) {
	atLeast := "Threshold Crossed: 1 datapoint [2000000.0 (04/03/26 00:01:00)] was greater than or equal to the threshold (2000000.0)."
	for name, c := range map[string]struct {
		event   []byte
		minutes int // of the window; 5 where nothing crossed
	}{
		"with data": {edit(t, "alarms/direct-metric.json", func(e map[string]any) {
			in(e, "alarmData", "state")["reason"] = atLeast
			in(e, "alarmData", "state")["reasonData"] = `{"period":60,"threshold":2000000,"evaluatedDatapoints":[` + point("2026-03-04T00:01:00Z", 2000000) + `]}`
		}), 1},
		"without data": {edit(t, "alarms/direct-metric.json", func(e map[string]any) {
			in(e, "alarmData", "state")["reason"] = atLeast
			delete(in(e, "alarmData", "state"), "reasonData")
		}), 1},
		"by its operator": {[]byte(`{"AlarmName":"a","AWSAccountId":"111122223333","NewStateValue":"ALARM","NewStateReason":"[2000000.0 (04/03/26 00:01:00)]","StateChangeTime":"2026-03-04T00:03:41Z",
			"Trigger":{"MetricName":"BytesDownloaded","Namespace":"AWS/S3","Statistic":"SUM","Dimensions":[{"name":"BucketName","value":"exports"}],"Period":60,
			"ComparisonOperator":"GreaterThanOrEqualToThreshold","Threshold":2000000}}`), 1},
		"only above it": {edit(t, "alarms/direct-metric.json", func(e map[string]any) {
			in(e, "alarmData", "state")["reason"] = strings.Replace(atLeast, " or equal to", "", 1)
			delete(in(e, "alarmData", "state"), "reasonData")
		}), 5},
	} {
		got, err := Parse(c.event)
		if err != nil || got.Alarm == nil || got.Alarm.To.Sub(got.Alarm.From) != time.Duration(c.minutes)*time.Minute {
			t.Errorf("%s: Parse = %+v, %v, want a window of %d minutes", name, got.Alarm, err, c.minutes)
			continue
		}
		if read := got.Alarm.Read(Reading{Points: got.Alarm.Points, AtLeast: got.Alarm.AtLeast}); read.Confirmed != (c.minutes == 1) {
			t.Errorf("%s: confirmed %t, %s", name, read.Confirmed, read.Doubt)
		}
	}
}

func TestADaysSumEndsWithItsTransition(t *testing.T) {
	event := edit(t, "alarms/direct-metric.json", func(e map[string]any) {
		in(e, "alarmData", "state")["reasonData"] = `{"period":86400,"threshold":400,"evaluatedDatapoints":[` + point("2026-03-04T00:00:00.000+0000", 500) + `]}`
	})
	got, err := Parse(event)
	if err != nil {
		t.Fatal(err)
	}
	if a := got.Alarm; !a.From.Equal(at("2026-03-04T00:00:00Z")) || !a.To.Equal(at("2026-03-04T00:03:00Z")) || a.Period != 24*time.Hour {
		t.Errorf("window [%v, %v) of %v, want the day up to the transition at 00:03:41", a.From, a.To, a.Period)
	}
	// The metric, read again, is the day's sum; the window stays what has been.
	read := got.Alarm.Read(Reading{Points: []Point{{Start: at("2026-03-04T00:00:00Z"), Bytes: 600}}, Threshold: 400, Period: 24 * time.Hour})
	if !read.Confirmed || *read.Bytes != 600 || !read.To.Equal(got.Alarm.To) {
		t.Errorf("confirmed %t, %d bytes up to %v, want 600 bytes up to %v", read.Confirmed, *read.Bytes, read.To, got.Alarm.To)
	}
}

func TestParseWithoutDatapointsReadsBeforeTheTransition(t *testing.T) {
	for period, want := range map[string]time.Duration{"60": 5 * time.Minute, "300": 25 * time.Minute, "604800": maxClaimedWindow, "1e300": 5 * time.Minute,
		"-60": 5 * time.Minute, "0.5": 5 * time.Minute} {
		event := edit(t, "alarms/direct-metric.json", func(e map[string]any) {
			state := in(e, "alarmData", "state")
			state["reason"], state["reasonData"] = "it is so", `{"period":`+period+`}`
		})
		got, err := Parse(event)
		if err != nil {
			t.Fatal(err)
		}
		a := got.Alarm
		if a.To.Sub(a.From) != want || a.To.After(a.Since) || a.Bytes != nil || a.Claimed != nil || a.Points != nil || a.Threshold != nil {
			t.Errorf("period %s: window [%v, %v), want %v long, nothing known", period, a.From, a.To, want)
		}
	}
}

func TestParseTakesPointsFromText(t *testing.T) {
	for reason, want := range map[string]struct {
		bytes     []int64
		threshold float64
	}{
		"2 out of the last 2 datapoints [3113851289.0 (04/03/26 00:02:00), 2254857830.0 (04/03/26 00:01:00)] were greater than the threshold (1073741824.0)": {
			[]int64{2254857830, 3113851289}, 1073741824},
		"greater than or equal to the threshold (4.0). [3.113851289E9 (04/03/26 00:02:00)]": {[]int64{3113851289}, 4},
		"the threshold (1E400) [1E300 (04/03/26 00:02:00), 5.0 (04/03/26 00:01:00)]":        {[]int64{5}, 0},
		"the threshold (4.0) [5.0 (32/13/26 00:02:00), 6.0 (04/03/70 00:02:00)]":            {nil, 4},
		"the threshold (4.0.0) [1.2.3 (04/03/26 00:02:00)]":                                 {nil, 0},
	} {
		got, err := Parse(edit(t, "alarms/direct-metric.json", func(e map[string]any) {
			state := in(e, "alarmData", "state")
			state["reason"] = reason
			delete(state, "reasonData")
		}))
		if err != nil {
			t.Errorf("Parse(the reason %q) = %v", reason, err)
			continue
		}
		var bytes []int64
		for _, p := range got.Alarm.Points {
			bytes = append(bytes, p.Bytes)
		}
		threshold := 0.0
		if got.Alarm.Threshold != nil {
			threshold = *got.Alarm.Threshold
		}
		if !slices.Equal(bytes, want.bytes) || threshold != want.threshold {
			t.Errorf("Parse(the reason %q): points %v, threshold %v, want %v, %v", reason, bytes, threshold, want.bytes, want.threshold)
		}
	}
}

// The window that comes next keeps to itself. What flowed before it was asked about already, and a second thief would be small in both.
func TestAWindowThatFollowsIsNotStretchedOverTheOneBefore(t *testing.T) {
	start := time.Date(2026, 3, 4, 0, 7, 0, 0, time.UTC)
	first := Alarm{Source: Fired, Since: start.Add(4 * time.Minute), Buckets: []string{"exports"}, From: start, To: start.Add(time.Minute),
		Period: time.Minute, Threshold: new(float64(10))}
	r := Reading{Threshold: 10, Period: time.Minute, Points: []Point{{start, 100}, {start.Add(time.Minute), 100}, {start.Add(2 * time.Minute), 100}}}
	next, flows := first.Onward(r)
	if next = next.Read(r); !flows || !next.Confirmed || !next.From.Equal(first.To) || *next.Bytes != 200 {
		t.Errorf("flows %t, confirmed %t, from %v, %d bytes; want confirmed, 200 bytes from %v on", flows, next.Confirmed, next.From, *next.Bytes, first.To)
	}
}
