package settings

import (
	"testing"
)

// What a threshold is printed as is read as the same threshold again.
func TestThresholdsAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]Threshold{
		"1KiB/1m": {1 << 10, Minute}, "1536MiB/1m": {3 << 29, Minute}, "50GiB/24h": {50 << 30, Day}, "2TiB/1m": {2 << 40, Minute},
	} {
		all, err := ParseBuckets("a-bucket=" + text)
		if err != nil || len(all) != 1 || len(all[0].Thresholds) != 1 || all[0].Thresholds[0] != want || want.String() != text {
			t.Errorf("%s: got %+v, %v, written %s", text, all, err, want)
		}
	}
	if got := (Threshold{1025, Minute}).String(); got != "2KiB/1m" {
		t.Errorf("1025 bytes are written %s, and must not be less than they are", got)
	}
	if minute, day := (Threshold{1, Minute}).Evaluated(), (Threshold{1, Day}).Evaluated(); minute != 5 || day != 1 {
		t.Errorf("evaluated on %d and %d datapoints", minute, day)
	}
}
