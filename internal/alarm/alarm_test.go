package alarm

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// midnight is the first minute of the window of the alarm that fired.
var midnight = at("2026-03-04T00:01:00Z")

// points are one datapoint a minute from a minute before or after midnight on; a negative one is missing.
func points(minute int, bytes ...int64) []Point {
	var out []Point
	for i, b := range bytes {
		if b >= 0 {
			out = append(out, Point{midnight.Add(time.Duration(minute+i) * time.Minute), b})
		}
	}
	return out
}

// fired is an alarm over two minutes, above 100 bytes a minute, that claims 500.
func fired() Alarm {
	return Alarm{Source: Fired, Name: "a", Since: midnight.Add(2 * time.Minute), Buckets: []string{"customer-exports"}, From: midnight,
		To: midnight.Add(2 * time.Minute), Period: time.Minute, Bytes: new(int64(500)), Claimed: new(int64(500)), Threshold: new(100.0)}
}

func TestReadConfirmsOrSaysWhyNot(t *testing.T) {
	for name, c := range map[string]struct {
		alarm   Alarm
		reading Reading
		bytes   *int64
		doubt   string // "" is confirmed
	}{
		"the metric shows what is claimed":     {fired(), Reading{Points: points(0, 200, 300)}, new(int64(500)), ""},
		"a tenth is missing":                   {fired(), Reading{Points: points(0, 200, 250)}, new(int64(450)), ""},
		"the metric shows more":                {fired(), Reading{Points: points(0, 200, 900)}, new(int64(1100)), ""},
		"the claim is larger than the metric":  {fired(), Reading{Points: points(0, 200, 249)}, new(int64(449)), "CloudWatch shows 449 bytes in the window, the event claims 500"},
		"no datapoints":                        {fired(), Reading{}, new(int64(500)), "CloudWatch shows no BytesDownloaded in the window"},
		"datapoints at another time":           {fired(), Reading{Points: points(60, 500, 500)}, new(int64(500)), "CloudWatch shows no BytesDownloaded in the window"},
		"below the threshold":                  {fired(), Reading{Points: points(0, 100, 100)}, new(int64(200)), "no datapoint that CloudWatch shows in the window is above the threshold"},
		"below the threshold as it stands now": {fired(), Reading{Points: points(0, 200, 300), Threshold: 301}, new(int64(500)), "no datapoint that CloudWatch shows in the window is above the threshold"},
		"the reading doubts":                   {fired(), Reading{Points: points(0, 200, 300), Doubt: "there is no such alarm"}, new(int64(500)), "there is no such alarm"},
		"the reading doubts and has no points": {fired(), Reading{Doubt: "there is no such alarm"}, new(int64(500)), "there is no such alarm"},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.alarm.Read(c.reading)
			if got.Confirmed != (c.doubt == "") || got.Doubt != c.doubt {
				t.Errorf("confirmed %t, doubt %q, want doubt %q", got.Confirmed, got.Doubt, c.doubt)
			}
			if diff := cmp.Diff(c.bytes, got.Bytes); diff != "" {
				t.Errorf("bytes (-want +got):\n%s", diff)
			}
			if *got.Claimed != 500 {
				t.Errorf("the claim became %d", *got.Claimed)
			}
		})
	}
}

func TestReadStretchesTheWindow(t *testing.T) {
	hours := func(n int) []int64 { return slices.Repeat([]int64{200}, n*60) }
	for name, c := range map[string]struct {
		points   []Point
		from, to int // minutes from midnight
	}{
		"not at all":                       {points(-2, 5, 5, 200, 300, 5, 5), 0, 2},
		"over what breaches after it":      {points(0, 200, 300, 200, 101, 100, 100, 200), 0, 4},
		"over what breaches before it":     {points(-4, 200, 5, 200, 200, 200, 300), -4, 2},
		"over one gap after it":            {points(0, 200, 300, -1, 200, -1, 200), 0, 6},
		"over one gap before it":           {points(-4, 200, -1, 200, -1, 200, 300), -4, 2},
		"not over two gaps after it":       {points(0, 200, 300, -1, -1, 200), 0, 2},
		"not over two gaps before it":      {points(-3, 200, -1, -1, 200, 300), 0, 2},
		"over a quiet minute, which is 1":  {points(0, 200, 300, 5, 200), 0, 4},
		"not over two quiet minutes":       {points(0, 200, 300, 5, 5, 200), 0, 2},
		"three hours after it and no more": {points(0, hours(10)...), 0, 2 + 180},
		"three hours before it at most":    {points(-600, append(hours(10), 200, 300)...), -182, 2},
	} {
		t.Run(name, func(t *testing.T) {
			got := fired().Read(Reading{Points: c.points})
			from, to := midnight.Add(time.Duration(c.from)*time.Minute), midnight.Add(time.Duration(c.to)*time.Minute)
			if !got.From.Equal(from) || !got.To.Equal(to) {
				t.Errorf("window [%v, %v), want [%v, %v)", got.From, got.To, from, to)
			}
			var sum int64
			for _, p := range got.Points {
				if p.Start.Before(from) || !p.Start.Before(to) {
					t.Errorf("the point of %v lies outside of the window", p.Start)
				}
				sum += p.Bytes
			}
			if *got.Bytes != sum || !got.Confirmed {
				t.Errorf("%d bytes, confirmed %t, want %d of the points in the window", *got.Bytes, got.Confirmed, sum)
			}
		})
	}
}

func TestReadTwiceIsReadOnce(t *testing.T) {
	reading := Reading{Points: points(-3, 5, 200, -1, 200, 300, 200, 5), Threshold: 100, Period: time.Minute}
	once := fired().Read(reading)
	if diff := cmp.Diff(once, once.Read(reading)); diff != "" {
		t.Errorf("the same reading twice (-once +twice):\n%s", diff)
	}
}

func TestReadOfAnAlarmThatClaimsNothing(t *testing.T) {
	a := fired()
	a.Bytes, a.Claimed, a.Threshold = nil, nil, nil
	first := a.Read(Reading{Points: points(0, 50, 50), Threshold: 100})
	if first.Confirmed || first.Claimed != nil || *first.Bytes != 100 {
		t.Errorf("confirmed %t, claimed %v, bytes %d, want 100 bytes and no claim", first.Confirmed, first.Claimed, *first.Bytes)
	}
	// What the metric showed before is no claim of the event's.
	second := first.Read(Reading{Points: points(0, 150, 50), Threshold: 100})
	if !second.Confirmed || second.Claimed != nil || *second.Bytes != 200 || *second.Threshold != 100 {
		t.Errorf("confirmed %t, claimed %v, bytes %d, want it confirmed with 200 and no claim", second.Confirmed, second.Claimed, *second.Bytes)
	}
	// Without any threshold nothing can be said to have fired.
	if got := a.Read(Reading{Points: points(0, 150, 50)}); got.Confirmed || got.Doubt == "" {
		t.Errorf("without a threshold: confirmed %t, doubt %q", got.Confirmed, got.Doubt)
	}
}

func TestReadOfAContributor(t *testing.T) {
	e, err := Parse(sample(t, "alarms/sns-contributor.json"))
	if err != nil {
		t.Fatal(err)
	}
	got := e.Alarm.Read(Reading{Buckets: []string{"customer-exports"}, Threshold: 1073741824, Period: time.Minute,
		Points: points(-1, 17, 2254857830, 3113851289, 12)})
	if !got.Confirmed || !got.From.Equal(midnight) || !got.To.Equal(midnight.Add(2*time.Minute)) || *got.Bytes != 5368709119 || *got.Claimed != 3113851289 {
		t.Errorf("window [%v, %v), %d bytes, doubt %q, want both minutes of it", got.From, got.To, *got.Bytes, got.Doubt)
	}
}

func TestReadTakesBucketsFromTheMetricWhereTheEventNamesNone(t *testing.T) {
	a := fired()
	a.Buckets = nil
	got := a.Read(Reading{Buckets: []string{"b-two", "a-one", "x' OR 1=1 --"}, Points: points(0, 200, 300)})
	if diff := cmp.Diff([]string{"a-one", "b-two"}, got.Buckets); diff != "" || !got.Confirmed {
		t.Errorf("confirmed %t; buckets (-want +got):\n%s", got.Confirmed, diff)
	}
	got = a.Read(Reading{Points: points(0, 200, 300)})
	if got.Confirmed || got.Doubt != "the alarm names no bucket" {
		t.Errorf("without buckets: confirmed %t, doubt %q", got.Confirmed, got.Doubt)
	}
	if got := fired().Read(Reading{Buckets: []string{"another"}, Points: points(0, 200, 300)}); !slices.Equal(got.Buckets, []string{"customer-exports"}) {
		t.Errorf("the buckets became %q", got.Buckets)
	}
}

func TestReadOfAManualEvent(t *testing.T) {
	a := fired()
	a.Source, a.Threshold, a.Bytes, a.Claimed = Manual, nil, nil, nil
	got := a.Read(Reading{Points: points(-3, 200, 200, 200, 200, 1, 200, 200)})
	if !got.Confirmed || !got.From.Equal(a.From) || !got.To.Equal(a.To) || *got.Bytes != 201 || got.Threshold != nil {
		t.Errorf("window [%v, %v), %d bytes, doubt %q, want the window as it was asked for", got.From, got.To, *got.Bytes, got.Doubt)
	}
	a.Bytes, a.Claimed = new(int64(500)), new(int64(500))
	if got := a.Read(Reading{Points: points(0, 1, 1), Threshold: 5}); got.Confirmed || got.Threshold != nil {
		t.Errorf("confirmed %t, threshold %v, want neither", got.Confirmed, got.Threshold)
	}
}

func TestReadDoesNotChangeTheOriginal(t *testing.T) {
	a, want := fired(), fired()
	a.Read(Reading{Points: points(0, 200, 300, 400), Threshold: 7, Period: time.Minute})
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("the alarm changed (-want +got):\n%s", diff)
	}
}

func TestIDTellsTransitionsApart(t *testing.T) {
	manual := Alarm{Source: Manual, Buckets: []string{"abc"}, From: midnight, To: midnight.Add(time.Hour), Since: midnight.Add(time.Hour)}
	ids := map[string]string{}
	for name, change := range map[string]func(*Alarm){
		"state":       func(*Alarm) {},
		"arn":         func(a *Alarm) { a.ARN = "arn" },
		"name":        func(a *Alarm) { a.Name = "b" },
		"contributor": func(a *Alarm) { a.Contributor = "1" },
		"split":       func(a *Alarm) { a.Name, a.Contributor = "a\n1", "" },
		"since":       func(a *Alarm) { a.Since = a.Since.Add(time.Millisecond) },
		"manual":      func(a *Alarm) { *a = manual },
		"bucket":      func(a *Alarm) { *a = manual; a.Buckets = []string{"abd"} },
		"from":        func(a *Alarm) { *a = manual; a.From = a.From.Add(time.Minute) },
		"key":         func(a *Alarm) { *a = manual; a.AccessKeyID = "AKIAIOSFODNN7EXAMPLE" },
	} {
		a := fired()
		change(&a)
		id := a.ID()
		if !idForm.MatchString(id) || !strings.HasPrefix(id, a.Since.Format("20060102-150405-")) {
			t.Errorf("%s: the id is %q", name, id)
		}
		if other, taken := ids[id]; taken {
			t.Errorf("%s and %s have the one id %q", name, other, id)
		}
		ids[id] = name
	}
	local := fired()
	local.Since = local.Since.In(time.FixedZone("", 3600))
	if got, want := local.ID(), fired().ID(); got != want {
		t.Errorf("in another zone the id is %q, want %q", got, want)
	}
}
