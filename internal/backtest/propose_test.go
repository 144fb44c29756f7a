package backtest

import (
	"math/rand/v2"
	"testing"
	"time"

	"nightlatch/internal/settings"
)

// A threshold is the lowest from which on no threshold fires more often: tried out one by one.
func TestTheLowestThresholdAsTriedOut(t *testing.T) {
	dice := rand.New(rand.NewPCG(5, 6))
	high := 0
	for n := range 300 {
		minutes := pattern(dice)
		since := noon.Add(time.Duration(dice.IntN(3000)) * time.Minute)
		allowed := dice.IntN(4)
		for _, period := range []time.Duration{settings.Minute, settings.Day} {
			fires := func(bytes int64) (count int) {
				for _, f := range Fire(minutes, settings.Threshold{Bytes: bytes, Period: period}) {
					if !f.At.Before(since) {
						count++
					}
				}
				return count
			}
			want := int64(0)
			for bytes := int64(0); bytes <= 600; bytes++ {
				if fires(bytes) > allowed {
					want = bytes + 1
				}
			}
			if got := lowest(minutes, settings.Threshold{Period: period}, since, allowed); got != want {
				t.Fatalf("pattern %d, at most %d since %v in %v: got %d, want %d: %v", n, allowed, since, period, got, want, minutes)
			}
			if want > 0 {
				high++
			}
		}
	}
	if high < 100 {
		t.Errorf("only %d thresholds had to be found", high)
	}
}

func TestProposedThresholdsAreEasilyWritten(t *testing.T) {
	for bytes, want := range map[int64]string{
		1 << 20: "1MiB/1m", 1<<20 + 1: "1100KiB/1m", 1 << 30: "1GiB/1m", 2_500_000_000: "2400MiB/1m", 13_500_000_000: "13GiB/1m", 161_000_000_000: "150GiB/1m",
		1_700_000_000_000: "1600GiB/1m", 12<<30 + 1: "13GiB/1m", 999 << 20: "999MiB/1m", 9_999 << 20: "10000MiB/1m",
	} {
		up := roundUp(bytes)
		if got := (settings.Threshold{Bytes: up, Period: settings.Minute}).String(); got != want || up < bytes || float64(up) > 1.12*float64(bytes) {
			t.Errorf("%d: got %s (%d), want %s", bytes, got, up, want)
		}
	}
}

func TestHoles(t *testing.T) {
	hour := func(days, hours int) time.Time {
		return noon.Truncate(24*time.Hour).AddDate(0, 0, days).Add(time.Duration(hours) * time.Hour)
	}
	var busy, quiet []time.Time
	for d := range 10 {
		for h := range 24 {
			switch at := hour(d, h); {
			case d == 4 || d == 5 && h < 7: // a day and seven hours
			case d == 8 && h == 13: // an hour
				quiet = append(quiet, at)
			default:
				busy = append(busy, at)
				if h == 9 {
					quiet = append(quiet, at)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		seen []time.Time
		want []Hole
	}{
		"none":  {nil, nil},
		"one":   {busy[:1], nil},
		"whole": {busy[:90], nil},
		"busy":  {busy, []Hole{{hour(4, 0), hour(5, 7)}, {hour(8, 13), hour(8, 14)}}},
		"quiet": {quiet, []Hole{{hour(3, 10), hour(5, 9)}}},
	} {
		got := Holes(c.seen)
		if len(got) != len(c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
			continue
		}
		for i := range got {
			if !got[i].From.Equal(c.want[i].From) || !got[i].To.Equal(c.want[i].To) {
				t.Errorf("%s: got %v, want %v", name, got, c.want)
			}
		}
	}
}
