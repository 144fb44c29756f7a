package incident

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// said is the last line of a record's log.
func said(r Record) string { return r.Log[len(r.Log)-1].What }

func TestAReadingConfirmsOrSaysWhyNot(t *testing.T) {
	r := opened()
	r.MetricRead, r.Alarm.Confirmed, r.Alarm.Bytes = 0, false, new(int64(100))
	r.Alarm.Since = firedAt
	r.TookReading(after(0), alarm.Reading{}, errors.New("no\nanswer"))
	if r.MetricRead != 1 || r.MetricError == "" || r.Alarm.Confirmed || said(r) != `the metric could not be read: no\nanswer` {
		t.Errorf("got %d readings, error %q, %q", r.MetricRead, r.MetricError, said(r))
	}
	r.TookReading(after(time.Minute), alarm.Reading{Doubt: "no such alarm"}, nil)
	if r.MetricRead != 2 || r.MetricError != "" || r.Alarm.Confirmed || said(r) != "the alarm is not confirmed: no such alarm" {
		t.Errorf("got %d readings, error %q, %q", r.MetricRead, r.MetricError, said(r))
	}
	lines := len(r.Log)
	r.TookReading(after(2*time.Minute), alarm.Reading{Doubt: "no such alarm"}, nil)
	if len(r.Log) != lines {
		t.Errorf("the same doubt is said again: %q", said(r))
	}
	reading := alarm.Reading{Threshold: 10, Period: time.Minute, Points: []alarm.Point{{Start: r.Alarm.From, Bytes: 60}, {Start: r.Alarm.From.Add(time.Minute), Bytes: 40}}}
	r.TookReading(after(3*time.Minute), reading, nil)
	if !r.Alarm.Confirmed || !strings.HasPrefix(said(r), "CloudWatch confirms 100 bytes in ") {
		t.Errorf("got confirmed %t with doubt %q, %q", r.Alarm.Confirmed, r.Alarm.Doubt, said(r))
	}
}

// What CloudWatch has confirmed did happen: a reading that fails, or an alarm that is gone since, takes nothing back.
func TestAConfirmedMetricStays(t *testing.T) {
	r := opened()
	r.MetricSame, r.Alarm.Bytes, r.Alarm.Since = 0, nil, firedAt
	reading := func(bytes int64) alarm.Reading {
		return alarm.Reading{Threshold: 10, Period: 2 * time.Minute, Points: []alarm.Point{{Start: r.Alarm.From, Bytes: bytes}}}
	}
	for i, c := range []struct {
		reading alarm.Reading
		err     error
		same    int
		bytes   int64
	}{
		{reading(100), nil, 1, 100}, {reading(100), nil, 2, 100}, {alarm.Reading{}, errors.New("throttled"), 2, 100}, {alarm.Reading{Doubt: "no such alarm"}, nil, 2, 100},
		{reading(100), nil, 3, 100}, {reading(130), nil, 1, 130}, {reading(130), nil, 2, 130},
	} {
		at := after(time.Duration(i) * time.Minute)
		r.TookReading(at, c.reading, c.err)
		if !r.Alarm.Confirmed || r.Alarm.Doubt != "" || r.MetricSame != c.same || *r.Alarm.Bytes != c.bytes || (c.err != nil) != (r.MetricError != "") {
			t.Errorf("reading %d: confirmed %t, doubt %q, %d bytes %d times", i, r.Alarm.Confirmed, r.Alarm.Doubt, *r.Alarm.Bytes, r.MetricSame)
		}
		if took := c.err == nil && c.reading.Doubt == ""; took != r.MetricAt.Equal(at) {
			t.Errorf("reading %d: taken at %v", i, r.MetricAt)
		}
	}
}

// found is a query round that was answered by an engine with so many bytes of nobody's.
func found(engine, digest string, bytes int64) evidence.Round {
	return evidence.Round{Bytes: evidence.Answered{Answer: evidence.Answer{Engine: engine, Scanned: 5}, Tally: evidence.Tally{Bytes: bytes, Digest: digest}, Asked: true}}
}

func TestAQueryRoundIsTakenIn(t *testing.T) {
	r := opened()
	r.Alarm.Bytes = new(int64(100))
	if !r.Took(after(time.Minute), found("cloudtrail-lake", "x", 60)) || r.Evidence.Bytes != 60 || r.Rounds[0].Digest != "x" || r.Evidence.Complete ||
		said(r) != "CloudTrail shows 60 bytes by 0 actors, 60.0 % of the alarmed bytes" {
		t.Errorf("the first: got %+v, %q", r.Evidence, said(r))
	}
	// What fails leaves the evidence as it was, and its cost is counted.
	failed := evidence.Round{Bytes: evidence.Answered{Answer: evidence.Answer{Scanned: 7}, Err: fmt.Errorf("lake: %w", evidence.ErrBusy), Asked: true}}
	if r.Took(after(2*time.Minute), failed) || r.Evidence.Bytes != 60 || r.Evidence.BytesScanned != 12 || r.Rounds[1].Error == "" ||
		!strings.Contains(said(r), "all query slots were taken") {
		t.Errorf("one that fails: got %+v, %q", r.Evidence, said(r))
	}
	instead := found("athena", "y", 90)
	instead.Bytes.Instead, instead.Bytes.Lost = "the first engine did not answer", []string{"a file is cut"}
	if !r.Took(after(5*time.Minute), instead) || r.Evidence.Engine != "athena" || len(r.Evidence.Lost) != 1 ||
		r.Log[len(r.Log)-2].What != "athena was asked: the first engine did not answer" {
		t.Errorf("another engine: got %+v, %q", r.Evidence, r.Log)
	}
	if !r.Took(after(6*time.Minute), found("athena", "y", 90)) || !r.Evidence.Complete || !strings.HasSuffix(said(r), "; complete") {
		t.Errorf("the same again: got %+v, %q", r.Evidence, said(r))
	}
	few := opened()
	few.Alarm.Bytes = new(int64(1000))
	few.Took(after(5*time.Minute), found("athena", "y", 90))
	if few.Took(after(6*time.Minute), found("athena", "y", 90)); !strings.HasSuffix(said(few), "; nothing new since the query round before") {
		t.Errorf("little, and the same again: got %q", said(few))
	}
}

func TestWhatIsUsualIsAskedAgainWhereItMayHelp(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		asked int
		due   bool
	}{
		"answered":    {nil, 0, false},
		"busy":        {evidence.ErrBusy, 0, true},
		"over budget": {evidence.ErrBudget, MaxHistory, false},
		"failed":      {errors.New("broken"), 1, true},
	} {
		r := opened()
		round := found("athena", "x", 1)
		round.Usage = evidence.Answered{Answer: evidence.Answer{Scanned: 3}, Err: c.err, Asked: true}
		r.Took(after(time.Minute), round)
		if r.HistoryAsked != c.asked || r.HistoryDue() != c.due || (r.Rounds[0].HistoryError != "") != (c.err != nil) || r.Evidence.BytesScanned != 8 {
			t.Errorf("%s: asked %d times, due %t, %q, %d bytes scanned", name, r.HistoryAsked, r.HistoryDue(), r.Rounds[0].HistoryError, r.Evidence.BytesScanned)
		}
	}
}

// What is usual is asked again where the past has grown meanwhile, and that counts against how often it may be.
func TestAHistoryGoesWithItsPast(t *testing.T) {
	r := opened()
	round := func(calls int64, usage bool) {
		found := found("athena", "x", 1)
		found.Bytes.Tally.Past.Calls = calls
		if usage {
			found.Usage = evidence.Answered{Asked: true}
		}
		r.Took(after(time.Duration(1+len(r.Rounds))*time.Minute), found)
	}
	for i, c := range []struct {
		calls, usage int64
		known, due   bool
		asked        int
	}{
		{5, 1, false, false, 0}, {5, 0, true, false, 0}, {6, 0, false, true, 0}, {6, 1, true, false, 1}, {6, 0, true, false, 1},
	} {
		round(c.calls, c.usage == 1)
		if r.PastKnown() != c.known || r.HistoryDue() != c.due || r.HistoryAsked != c.asked {
			t.Errorf("round %d: known %t, due %t, asked %d times", i, r.PastKnown(), r.HistoryDue(), r.HistoryAsked)
		}
	}
	r.History = nil // another worker takes the incident up
	if round(6, true); !r.PastKnown() || r.HistoryAsked != 1 {
		t.Errorf("another worker: known %t, asked %d times", r.PastKnown(), r.HistoryAsked)
	}
}

func TestTheHourIsCounted(t *testing.T) {
	var b Brakes
	for i := range 3 {
		counted, why, changed := b.Count(after(time.Duration(i)*time.Minute), 3)
		if why != "" || !changed || len(counted.Contained) != i+1 {
			t.Fatalf("number %d: got %v, %q, %t", i, counted.Contained, why, changed)
		}
		b = counted
	}
	if again, why, changed := b.Count(after(time.Minute), 3); why != "" || changed || len(again.Contained) != 3 {
		t.Errorf("one that is counted already: got %v, %q, %t", again.Contained, why, changed)
	}
	if _, why, changed := b.Count(after(30*time.Minute), 3); !strings.HasPrefix(why, "3 were contained in the last hour already") || changed {
		t.Errorf("one too many: got %q, %t", why, changed)
	}
	if later, why, _ := b.Count(after(61*time.Minute+time.Second), 3); why != "" || len(later.Contained) != 2 {
		t.Errorf("an hour later: got %v, %q", later.Contained, why)
	}
}

func TestAHoldCoversEveryUseOfItsKey(t *testing.T) {
	b := Brakes{Mode: containment.ModeAsk, Generation: "g", Holds: []Hold{{AccessKeyID: "AKIAX", Incident: "i", By: "olga\n", Until: after(time.Hour), Origins: []string{"192.0.2.0/24"}}}}
	use := func(network string) evidence.Actor {
		return evidence.Actor{AccessKeyID: "AKIAX", Origins: []evidence.Origin{{Network: network}}}
	}
	of := func(key string) containment.Outcome {
		return containment.Outcome{Action: policy.DeactivateKey, Target: key, AccessKeyID: key}
	}
	r := opened()
	r.Evidence.Actors = []evidence.Actor{use("192.0.2.0/24"), {AccessKeyID: "AKIAY"}}
	if h, held := b.HoldingAll(r, of("AKIAX"), after(0)); !held || h.Why() != `olga\n restored this key after incident i and cleared these origins until 2026-03-04 01:03` {
		t.Errorf("got %t, %q", held, h.Why())
	}
	r.Evidence.Actors = append(r.Evidence.Actors, use("198.51.100.0/24"))
	for name, held := range map[string]func() (Hold, bool){
		"a place that was not cleared": func() (Hold, bool) { return b.HoldingAll(r, of("AKIAX"), after(0)) },
		"another key":                  func() (Hold, bool) { return b.HoldingAll(r, of("AKIAY"), after(0)) },
		"no key":                       func() (Hold, bool) { return b.HoldingAll(r, of(""), after(0)) },
	} {
		if _, is := held(); is {
			t.Errorf("%s is held", name)
		}
	}
	if b.Left("g", containment.ModeAct, after(0)) != containment.ModeAsk || b.Left("h", containment.ModeAct, after(0)) != containment.ModeAct {
		t.Error("a mode is lowered in its own generation, and in no other")
	}
	b.Until = after(time.Hour)
	if b.Left("g", containment.ModeAct, after(time.Hour-1)) != containment.ModeAsk || b.Left("g", containment.ModeAct, after(time.Hour)) != containment.ModeAct {
		t.Error("a mode that is lowered until a time is lowered until then, and no longer")
	}
}
