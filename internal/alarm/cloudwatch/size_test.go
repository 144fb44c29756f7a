package cloudwatch

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
)

// How much the buckets hold comes with the reading, and is never what a reading fails for.
func TestReadWhatTheBucketsHold(t *testing.T) {
	const mib = 1 << 20
	two := several("m1 + m2", "customer-exports", "logs")
	for name, tc := range map[string]struct {
		config types.MetricAlarm
		change func(*fakeCloudWatch)
		in     func(*alarm.Alarm)
		want   *int64
		calls  int
	}{
		"one storage type":    {change: func(f *fakeCloudWatch) { f.store("customer-exports", "StandardStorage", 300*mib) }, want: new(int64(300 * mib)), calls: 1},
		"page by page":        {change: func(f *fakeCloudWatch) { f.store("customer-exports", "StandardStorage", 2*mib, mib); f.page = 1 }, want: new(int64(2 * mib)), calls: 2},
		"an empty bucket":     {change: func(f *fakeCloudWatch) { f.store("customer-exports", "StandardStorage", 0) }, want: new(int64(0)), calls: 1},
		"no datapoint":        {change: func(*fakeCloudWatch) {}, calls: 1},
		"too old a datapoint": {change: func(f *fakeCloudWatch) { f.store("customer-exports", "StandardStorage", 1, 0, 0, 0) }, want: new(int64(0)), calls: 1},
		"two days late": {change: func(f *fakeCloudWatch) {
			f.sizes = map[series]map[time.Time]float64{{"customer-exports", "GlacierInstantRetrievalStorage"}: {midnight.AddDate(0, 0, -3): 1}}
		}, want: new(int64(1)), calls: 1},
		"of each type the largest": {change: func(f *fakeCloudWatch) {
			f.store("customer-exports", "StandardStorage", 5, 3)
			f.store("customer-exports", "StandardIAStorage", 20, 40)
		}, want: new(int64(45)), calls: 1},
		"two buckets": {config: two, change: func(f *fakeCloudWatch) {
			f.store("customer-exports", "StandardStorage", 5)
			f.store("logs", "StandardStorage", 7)
		}, want: new(int64(12)), calls: 1},
		"two buckets, one of them not known": {config: two, change: func(f *fakeCloudWatch) { f.store("logs", "StandardStorage", 7) }, calls: 1},
		"known before":                       {change: func(f *fakeCloudWatch) { f.store("customer-exports", "StandardStorage", 5) }, in: func(a *alarm.Alarm) { a.Stored = new(int64(9)) }},
		"refused": {change: func(f *fakeCloudWatch) {
			f.store("customer-exports", "StandardStorage", 5)
			f.faults[ofSizes] = []int{403}
		}, calls: 1},
		"failing": {change: func(f *fakeCloudWatch) {
			f.store("customer-exports", "StandardStorage", 5)
			f.faults[ofSizes] = []int{500}
		}, calls: 3},
		"failing once": {change: func(f *fakeCloudWatch) {
			f.store("customer-exports", "StandardStorage", 5)
			f.faults[ofSizes] = []int{500, 0}
		}, want: new(int64(5)), calls: 2},
		"a page of a proxy":     {change: func(f *fakeCloudWatch) { f.faults[ofSizes] = []int{page} }, calls: 1},
		"no number":             {change: func(f *fakeCloudWatch) { f.store("customer-exports", "StandardStorage", math.NaN()) }, calls: 1},
		"less than nothing":     {change: func(f *fakeCloudWatch) { f.store("customer-exports", "StandardStorage", -1) }, calls: 1},
		"no size that could be": {change: func(f *fakeCloudWatch) { f.store("customer-exports", "StandardStorage", math.Inf(1)) }, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			f, in := newFake(t), fired
			if tc.config.AlarmName == nil {
				tc.config = one("customer-exports")
			} else {
				in.Buckets = []string{"customer-exports", "logs"}
			}
			f.alarms = []types.MetricAlarm{tc.config}
			f.put("customer-exports", at(1), 2*gib)
			tc.change(f)
			if tc.in != nil {
				tc.in(&in)
			}
			got, err := f.meter(now, Settings{}).Read(t.Context(), in)
			if err != nil || got.Doubt != "" || len(got.Points) != 1 {
				t.Fatalf("got %+v, %v: how much a bucket holds is no reason to doubt an alarm", got, err)
			}
			if diff := cmp.Diff(tc.want, got.Stored); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
			if got := f.calls[ofSizes]; got != tc.calls {
				t.Errorf("got %d calls, want %d", got, tc.calls)
			}
		})
	}
}

// A bucket's size that CloudWatch does not give whole is not known.
func TestReadAPartOfWhatABucketHolds(t *testing.T) {
	for _, status := range []types.StatusCode{types.StatusCodeForbidden, types.StatusCodeInternalError, types.StatusCodePartialData, "Invented"} {
		f := newFake(t)
		f.store("customer-exports", "StandardStorage", 5)
		f.status["customer-exports"] = status
		if got := f.meter(now, Settings{}).stored(t.Context(), []string{"customer-exports"}); got != nil {
			t.Errorf("%s: got %d, want not known", status, *got)
		}
	}
}

// One alarm can watch ten buckets, and a request takes 500 queries, as the fake knows.
func TestReadWhatTenBucketsHold(t *testing.T) {
	f := newFake(t)
	var buckets []string
	for i := range 10 {
		buckets = append(buckets, fmt.Sprintf("bucket-%d", i))
		f.store(buckets[i], "StandardStorage", 3)
	}
	if got := f.meter(now, Settings{}).stored(t.Context(), buckets); got == nil || *got != 30 {
		t.Errorf("got %v, want 30", got)
	}
}
