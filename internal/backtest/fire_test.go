package backtest

import (
	"math/rand/v2"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/settings"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// brute reckons which minutes fire as CloudWatch's pages put it: at the end of each minute it looks at the newest datapoints, anew.
func brute(minutes []alarm.Point, t settings.Threshold) (fired []time.Time, ended []time.Time) {
	if len(minutes) == 0 {
		return nil, nil
	}
	at := map[int64]int64{}
	for _, m := range minutes {
		at[m.Start.Unix()] = m.Bytes
	}
	inAlarm := false
	last := minutes[len(minutes)-1].Start.Add(t.Period + 10*time.Minute)
	for now := minutes[0].Start; !now.After(last); now = now.Add(time.Minute) {
		breaches := false
		for n := range t.Evaluated() {
			to := now.Add(-time.Duration(n) * time.Minute)
			sum := at[to.Add(-t.Period).Unix()] // a minute's datapoint
			if t.Period > settings.Minute {
				sum = 0
				for _, m := range minutes {
					if !m.Start.Before(to.Add(-t.Period)) && m.Start.Before(to) {
						sum += m.Bytes
					}
				}
			}
			breaches = breaches || sum > t.Bytes
		}
		switch {
		case breaches && !inAlarm:
			fired = append(fired, now)
		case !breaches && inAlarm:
			ended = append(ended, now)
		}
		inAlarm = breaches
	}
	return fired, ended
}

// pattern is some minutes of a bucket, of the shapes in which alarms run together or do not.
func pattern(dice *rand.Rand) []alarm.Point {
	var all []alarm.Point
	at := noon
	for range 1 + dice.IntN(60) {
		at = at.Add(time.Duration(1+dice.IntN([]int{1, 3, 7, 900}[dice.IntN(4)])) * time.Minute)
		all = append(all, alarm.Point{Start: at, Bytes: dice.Int64N(10)})
	}
	return all
}

func TestWhichMinutesFireAsReckonedByHand(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	fired := 0
	for n := range 100 {
		minutes := pattern(dice)
		for _, threshold := range []settings.Threshold{{Bytes: dice.Int64N(10), Period: settings.Minute}, {Bytes: dice.Int64N(60), Period: settings.Day}} {
			got := Fire(minutes, threshold)
			want, ended := brute(minutes, threshold)
			fired += len(want)
			if len(got) != len(want) || len(got) != len(ended) {
				t.Fatalf("pattern %d, above %d in %v: fired %d times, want %d: %v", n, threshold.Bytes, threshold.Period, len(got), len(want), minutes)
			}
			for i, f := range got {
				if !f.At.Equal(want[i]) || !f.Until.Equal(ended[i]) || f.Most <= threshold.Bytes || f.First.Bytes <= threshold.Bytes || f.Above < 1 ||
					!f.First.Start.Equal(f.At.Add(-threshold.Period)) {
					t.Fatalf("pattern %d, above %d in %v: got %+v, want from %v to %v: %v", n, threshold.Bytes, threshold.Period, f, want[i], ended[i], minutes)
				}
			}
		}
	}
	if fired < 250 {
		t.Errorf("only %d alarms: the patterns show little", fired)
	}
}

func TestAnAlarmThatStaysInAlarmFiresOnce(t *testing.T) {
	at := func(minutes ...int) (all []alarm.Point) {
		for _, m := range minutes {
			all = append(all, alarm.Point{Start: noon.Add(time.Duration(m) * time.Minute), Bytes: 11})
		}
		return all
	}
	minute, day := settings.Threshold{Bytes: 10, Period: settings.Minute}, settings.Threshold{Bytes: 30, Period: settings.Day}
	for name, c := range map[string]struct {
		minutes   []alarm.Point
		threshold settings.Threshold
		want      int
	}{
		"nothing":                    {nil, minute, 0},
		"at the threshold":           {[]alarm.Point{{Start: noon, Bytes: 10}}, minute, 0},
		"minute after minute":        {at(0, 1, 2, 3), minute, 1},
		"four minutes between":       {at(0, 5), minute, 1},
		"five minutes between":       {at(0, 6), minute, 2},
		"a day's sum once a minute":  {at(0, 1, 2, 3), day, 1},
		"a day's sum over midnight":  {at(0, 11*60, 23*60), day, 1},
		"more than a day apart":      {at(0, 1441, 2*1441), day, 0},
		"above again a day later":    {at(0, 1, 2, 2000, 2001, 2002), day, 2},
		"above for more than a day":  {at(0, 1, 2, 700, 701, 702, 1440, 1441, 1442), day, 1},
		"below for a single minute":  {at(0, 1, 2, 1441), day, 1},
		"below for a minute and two": {at(0, 1, 2, 1443, 1444, 1445), day, 2},
	} {
		if got := Fire(c.minutes, c.threshold); len(got) != c.want {
			t.Errorf("%s: fired %d times, want %d: %+v", name, len(got), c.want, got)
		}
	}
}
