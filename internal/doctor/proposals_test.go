package doctor

import (
	"strings"
	"testing"
	"time"

	"nightlatch/internal/settings"
)

func TestProposals(t *testing.T) {
	minute := func(bytes int64) map[time.Duration]map[string]int64 {
		return map[time.Duration]map[string]int64{settings.Minute: {"exports": bytes}}
	}
	for name, c := range map[string]struct {
		buckets string
		size    int64
		busiest map[time.Duration]map[string]int64
		want    string
	}{
		"fits":          {"exports=1GiB/1m", 80 << 30, minute(300 << 20), ""},
		"just too high": {"exports=1GiB/1m", 80 << 30, minute(127 << 20), "bucket exports: in one period of 1m it sent 127 MiB at most, far below 1.00 GiB. Consider exports=254MiB/1m"},
		"quiet":         {"exports=1GiB/1m", 80 << 30, minute(0), "bucket exports: in one period of 1m it sent 0 bytes at most, far below 1.00 GiB. Consider exports=10MiB/1m"},
		"it would fire": {"exports=1GiB/1m", 80 << 30, minute(1 << 30), "bucket exports: in one period of 1m it sent 1.00 GiB at most, at which its alarm fires. Consider exports=2GiB/1m"},
		"two periods, one too low": {"exports=1GiB/1m+50GiB/24h", 80 << 30, map[time.Duration]map[string]int64{settings.Minute: {"exports": 400 << 20}, settings.Day: {"exports": 60 << 30}},
			"bucket exports: in one period of 24h it sent 60.0 GiB at most, at which its alarm fires. Consider exports=1GiB/1m+120GiB/24h"},
		"small": {"exports=1GiB/1m+50GiB/24h", 400 << 20, minute(100 << 20),
			"bucket exports: in one period of 1m it sent 100 MiB at most, far below 1.00 GiB; it holds 400 MiB, and no alarm on it fires below 1.00 GiB: it can be emptied without one. Consider exports=200MiB/1m+50GiB/24h"},
		"small and busy": {"exports=1GiB/1m", 400 << 20, minute(2 << 30),
			"bucket exports: in one period of 1m it sent 2.00 GiB at most, at which its alarm fires; it holds 400 MiB, and no alarm on it fires below 1.00 GiB: it can be emptied without one. Consider exports=200MiB/1m"},
		"not measured": {"exports,logs", 400 << 20, map[time.Duration]map[string]int64{},
			"bucket exports: it holds 400 MiB, and no alarm on it fires below 1.00 GiB: it can be emptied without one. Consider exports=200MiB/1m+50GiB/24h\n" +
				"of 2 buckets nothing was measured in the last 14 days: the metrics count from when they were switched on; deploy again later, or ask nightlatch backtest"},
		"every bucket has no threshold of its own": {"*", 1, nil, ""},
	} {
		watched, err := settings.ParseBuckets(c.buckets)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(Proposals(watched, map[string]int64{"exports": c.size}, c.busiest), "\n"); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}
