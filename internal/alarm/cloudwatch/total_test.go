package cloudwatch

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
)

const totalQuery = `SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) WHERE FilterId = 'EntireBucket' AND BucketName != 'trail-files'`

// together is the alarm on all buckets together, and what it sends: no bucket stands there.
func together() (types.MetricAlarm, alarm.Alarm) {
	fired := everyFired
	fired.Contributor, fired.Buckets = "", nil
	return every(totalQuery), fired
}

// A thief who takes a little from each of many buckets moves no bucket above its own threshold.
func TestReadAddsUpAllBuckets(t *testing.T) {
	config, in := together()
	f := newFake(t)
	f.page, f.alarms = 7, []types.MetricAlarm{config}
	for i := range 60 {
		f.put(fmt.Sprintf("bucket-%02d", i), at(1), float64(gib/30+i))
	}
	f.put("bucket-59", at(0), gib/2) // before the window: it did not make the alarm fire
	f.put("trail-files", at(1), 9*gib)
	f.put("idle", at(1), 0)
	f.data[series{"bucket-00", "images"}] = f.data[series{"trail-files", "EntireBucket"}]
	got, err := f.meter(now, Settings{}).Read(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var largest []string
	for i := 59; len(largest) < alarm.MaxLargest; i-- {
		largest = append(largest, fmt.Sprintf("bucket-%02d", i))
	}
	want := alarm.Reading{Buckets: largest, All: true, Threshold: gib, Period: 60e9,
		Points: []alarm.Point{{Start: at(0), Bytes: gib / 2}, {Start: at(1), Bytes: 60*(gib/30) + 59*60/2}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
	read := in.Read(got)
	if !read.Confirmed || len(read.Buckets) != alarm.MaxLargest || *read.Bytes < 2*gib {
		t.Errorf("read: %+v, want it confirmed, and asked about the largest", read)
	}
	// Later another bucket is among the largest. What was asked about stays.
	f.put("a-late-one", at(2), 5*gib)
	again, err := f.meter(now, Settings{}).Read(t.Context(), read)
	if err != nil || again.Buckets[0] != "a-late-one" || !slices.Equal(read.Read(again).Buckets, read.Buckets) {
		t.Errorf("again: %+v, %v", again, err)
	}
}

func TestReadOfAllBucketsDoubts(t *testing.T) {
	config, in := together()
	f := newFake(t)
	f.alarms = []types.MetricAlarm{config}
	f.put("customer-exports", at(1), 2*gib)
	for name, c := range map[string]struct {
		change func(*alarm.Alarm)
		want   string
	}{
		"a bucket that it leaves out": {func(a *alarm.Alarm) { a.Buckets = []string{"trail-files"} }, "leaves out bucket"},
		"another time":                {func(a *alarm.Alarm) { a.Since = at(-20) }, "fired at"},
	} {
		in := in
		c.change(&in)
		if got, err := f.meter(now, Settings{}).Read(t.Context(), in); err != nil || !strings.Contains(got.Doubt, c.want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	// An event that names one bucket hides no other: what the metric shows comes to it.
	in.Buckets = []string{"quiet-one"}
	got, err := f.meter(now, Settings{}).Read(t.Context(), in)
	if read := in.Read(got); err != nil || !slices.Equal(read.Buckets, []string{"customer-exports", "quiet-one"}) || !read.Confirmed {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, operation := range []string{"ListMetrics", "GetMetricData"} {
		f.faults[operation] = []int{403}
		if got, err := f.meter(now, Settings{}).Read(t.Context(), in); err == nil || !strings.Contains(err.Error(), "cloudwatch:"+operation) {
			t.Errorf("%s is refused: %+v, %v", operation, got, err)
		}
		delete(f.faults, operation)
	}
	// A sum that lacks a bucket is none.
	f.status["customer-exports"] = types.StatusCodePartialData
	if got, err := f.meter(now, Settings{}).Read(t.Context(), in); err == nil {
		t.Errorf("a part: %+v", got)
	}
}
