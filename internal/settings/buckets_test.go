package settings

import (
	"slices"
	"strings"
	"testing"
)

// What a threshold is printed as is read as the same threshold again.
func TestThresholdsAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]Threshold{
		"1KiB/1m": {1 << 10, Minute}, "1536MiB/1m": {3 << 29, Minute}, "50GiB/24h": {50 << 30, Day}, "2TiB/1m": {2 << 40, Minute}, "10GiB/1h": {10 << 30, Hour},
	} {
		all, err := ParseBuckets("a-bucket=" + text)
		if err != nil || len(all) != 1 || len(all[0].Thresholds) != 1 || all[0].Thresholds[0] != want || want.String() != text {
			t.Errorf("%s: got %+v, %v, written %s", text, all, err, want)
		}
	}
	if got := (Threshold{1025, Minute}).String(); got != "2KiB/1m" {
		t.Errorf("1025 bytes are written %s, and must not be less than they are", got)
	}
	if got := (Threshold{1 << 30, Hour}).Evaluated(); got != 1 {
		t.Errorf("an hour is evaluated on %d datapoints", got)
	}
	if minute, day := (Threshold{1, Minute}).Evaluated(), (Threshold{1, Day}).Evaluated(); minute != 5 || day != 1 {
		t.Errorf("evaluated on %d and %d datapoints", minute, day)
	}
}

func TestTotal(t *testing.T) {
	for text, want := range map[string][]Threshold{
		"none": {}, "2GiB/1m": {{2 << 30, Minute}}, "2GiB/1m+50GiB/1h": {{2 << 30, Minute}, {50 << 30, Hour}},
	} {
		if got, err := ParseTotal(text); err != nil || got == nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"": "not a threshold", "2GiB": "not a threshold", "9GiB/24h": "a day's sum", "1GiB/1m+2GiB/1m": "two thresholds", "0KiB/1m": "could ever be reached",
	} {
		if got, err := ParseTotal(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string][]Threshold{
		"a-bucket": nil, "a-bucket,b-bucket": {{2 << 30, Minute}, {50 << 30, Hour}}, "*": {{2 << 30, Minute}, {10 << 30, Hour}},
		"*=3GiB/1m": {{6 << 30, Minute}}, "a-bucket=1GiB/24h,b-bucket=9GiB/24h": {{9 << 30, Hour}},
	} {
		buckets, err := ParseBuckets(text)
		if got := DefaultTotal(buckets); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
}
