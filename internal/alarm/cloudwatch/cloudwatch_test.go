package cloudwatch

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
)

const (
	gib         = 1 << 30
	exportsARN  = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:nightlatch-customer-exports"
	everyARN    = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:nightlatch-every-bucket"
	contributor = "6d442278dba546f6"
)

var (
	midnight = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	now      = at(4).Add(20 * time.Second)
	// firedAt is what the event says; CloudWatch's own times are some seconds off.
	firedAt = at(3).Add(41431 * time.Millisecond)

	// fired is what the alarm on one bucket sends; Threshold and Period are the payload's, and not to be believed.
	fired = alarm.Alarm{
		Source: alarm.Fired, Name: "nightlatch-customer-exports", ARN: exportsARN, AccountID: "111122223333", Region: "eu-west-1",
		Buckets: []string{"customer-exports"}, From: at(1), To: at(3), Since: firedAt, Period: time.Hour, Threshold: aws.Float64(1),
	}
	everyFired = alarm.Alarm{
		Source: alarm.Fired, Name: "nightlatch-every-bucket", ARN: everyARN, AccountID: "111122223333", Region: "eu-west-1",
		Contributor: contributor, Buckets: []string{"customer-exports"}, From: at(1), To: at(3), Since: firedAt, Period: time.Minute,
	}
)

func at(minute int) time.Time { return midnight.Add(time.Duration(minute) * time.Minute) }

func dims(bucket string) []types.Dimension {
	return []types.Dimension{{Name: aws.String("BucketName"), Value: &bucket}, {Name: aws.String("FilterId"), Value: aws.String("EntireBucket")}}
}

// one is the alarm on one bucket, which fired.
func one(bucket string) types.MetricAlarm {
	return types.MetricAlarm{
		AlarmName: aws.String("nightlatch-customer-exports"), AlarmArn: aws.String(exportsARN),
		Namespace: aws.String("AWS/S3"), MetricName: aws.String("BytesDownloaded"), Dimensions: dims(bucket),
		Statistic: types.StatisticSum, Period: aws.Int32(60), Threshold: aws.Float64(gib),
		ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
		StateValue:         types.StateValueAlarm, StateTransitionedTimestamp: aws.Time(firedAt.Add(2 * time.Second)),
	}
}

// several is an alarm on an expression over several buckets, m1, m2, …
func several(expression string, buckets ...string) types.MetricAlarm {
	a := one("")
	a.Namespace, a.MetricName, a.Dimensions, a.Statistic, a.Period = nil, nil, nil, "", nil
	for i, b := range buckets {
		a.Metrics = append(a.Metrics, types.MetricDataQuery{
			Id: aws.String("m" + string(rune('1'+i))), ReturnData: aws.Bool(false),
			MetricStat: &types.MetricStat{Period: aws.Int32(60), Stat: aws.String("Sum"), Metric: &types.Metric{
				Namespace: aws.String("AWS/S3"), MetricName: aws.String("BytesDownloaded"), Dimensions: dims(b),
			}},
		})
	}
	a.Metrics = append(a.Metrics, types.MetricDataQuery{Id: aws.String("total"), Expression: &expression, ReturnData: aws.Bool(true)})
	return a
}

const everyQuery = `SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) WHERE FilterId = 'EntireBucket' GROUP BY BucketName ORDER BY SUM() DESC`

// every is an alarm on a Metrics Insights query.
func every(text string) types.MetricAlarm {
	a := several(text)
	a.AlarmName, a.AlarmArn, a.Metrics[0].Period = aws.String("nightlatch-every-bucket"), aws.String(everyARN), aws.Int32(60)
	return a
}

func contributors(buckets ...string) (all []types.AlarmContributor) {
	for i, b := range buckets {
		id := contributor
		if i < len(buckets)-1 {
			id = "other" + b
		}
		all = append(all, types.AlarmContributor{ContributorId: &id, StateReason: aws.String("crossed"),
			ContributorAttributes: map[string]string{"BucketName": b}, StateTransitionedTimestamp: aws.Time(firedAt.Add(-2 * time.Second))})
	}
	return all
}

func points(from int, bytes ...int64) (all []alarm.Point) {
	for i, b := range bytes {
		all = append(all, alarm.Point{Start: at(from + i), Bytes: b})
	}
	return all
}

func TestReadAlarm(t *testing.T) {
	with := func(a alarm.Alarm, change func(*alarm.Alarm)) alarm.Alarm { change(&a); return a }
	unnamed := with(everyFired, func(a *alarm.Alarm) { a.Buckets = nil })
	want := alarm.Reading{Buckets: []string{"customer-exports"}, Points: points(0, 5, 2*gib, 3*gib, 7), Threshold: gib, Period: time.Minute}
	both := alarm.Reading{Buckets: []string{"customer-exports", "logs"}, Points: points(0, 5, 2*gib+100, 3*gib+100, 7), Threshold: gib, Period: time.Minute}
	two := with(fired, func(a *alarm.Alarm) { a.Buckets = []string{"logs", "customer-exports"} })

	for name, tc := range map[string]struct {
		config types.MetricAlarm
		page   int
		in     alarm.Alarm
		want   alarm.Reading
	}{
		"one bucket":                          {one("customer-exports"), 0, fired, want},
		"one bucket, page by page":            {one("customer-exports"), 1, fired, want},
		"one bucket that the event left out":  {one("customer-exports"), 0, with(fired, func(a *alarm.Alarm) { a.Buckets = nil }), want},
		"a metric in an array":                {several("m1", "customer-exports"), 0, fired, want},
		"two buckets, m1+m2":                  {several("m1 + m2", "customer-exports", "logs"), 0, two, both},
		"two buckets, page by page":           {several("m1 + m2", "customer-exports", "logs"), 3, two, both},
		"two buckets, SUM([m1,m2])":           {several("SUM([m2, m1])", "customer-exports", "logs"), 0, two, both},
		"two buckets, SUM(METRICS())":         {several("SUM(METRICS())", "customer-exports", "logs"), 0, two, both},
		"two buckets, filled":                 {several("FILL(m1, 0) + FILL(m2,0)", "customer-exports", "logs"), 0, two, both},
		"every bucket":                        {every(everyQuery), 0, everyFired, want},
		"every bucket, the one asked for":     {every(everyQuery), 2, unnamed, want},
		"every bucket, no filter in the text": {every(`select sum(BytesDownloaded) from schema("AWS/S3", FilterId, BucketName) group by BucketName`), 0, everyFired, want},
		"every bucket but one":                {every(strings.Replace(everyQuery, "WHERE", `WHERE BucketName != 'logs' AND`, 1)), 0, everyFired, want},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.page, f.alarms, f.contributors = tc.page, []types.MetricAlarm{tc.config}, contributors("logs", "a", "b", "c", "customer-exports")
			f.put("customer-exports", at(0), 5, 2*gib, 3*gib, 7)
			f.put("customer-exports", at(-61), 99) // before the hour that is read
			f.put("logs", at(1), 99.6, 100.4)
			got, err := f.meter(now, Settings{}).Read(t.Context(), tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("reading (-want +got):\n%s", diff)
			}
			if want := (span{at(-59), at(5)}); f.asked != want {
				t.Errorf("asked for %v, want %v", f.asked, want)
			}
		})
	}
}

// An event without datapoints, as that of a composite alarm above this one, is read for the window that CloudWatch itself gives.
func TestReadTakesTheWindowFromTheAlarmsOwnReason(t *testing.T) {
	below := fired
	below.From, below.To, below.Composite, below.Buckets = at(-2), at(3), "exfil", nil
	data := `{"period":60,"threshold":1.0,"evaluatedDatapoints":[{"timestamp":"2026-03-04T00:02:00.000+0000","value":3221225472.0}]}`
	for name, c := range map[string]struct {
		change   func(*types.MetricAlarm)
		in       alarm.Alarm
		from, to time.Time
	}{
		"its data": {func(a *types.MetricAlarm) { a.StateReasonData = &data }, below, at(2), at(3)},
		"its text": {func(a *types.MetricAlarm) {
			a.StateReason = aws.String("datapoint [3221225472.0 (04/03/26 00:02:00)] was greater than the threshold (1.0)")
		}, below, at(2), at(3)},
		"no datapoints":      {func(a *types.MetricAlarm) { a.StateReason = aws.String("testing") }, below, time.Time{}, time.Time{}},
		"it went back":       {func(a *types.MetricAlarm) { a.StateReasonData, a.StateValue = &data, types.StateValueOk }, below, time.Time{}, time.Time{}},
		"an event with them": {func(a *types.MetricAlarm) { a.StateReasonData = &data }, func() alarm.Alarm { a := fired; a.Claimed = aws.Int64(5); return a }(), time.Time{}, time.Time{}},
	} {
		f := newFake(t)
		f.alarms = []types.MetricAlarm{one("customer-exports")}
		c.change(&f.alarms[0])
		f.put("customer-exports", at(1), 2*gib, 3*gib)
		got, err := f.meter(now, Settings{}).Read(t.Context(), c.in)
		if err != nil || !got.From.Equal(c.from) || !got.To.Equal(c.to) || got.Doubt != "" || len(got.Points) != 2 {
			t.Errorf("%s: got %+v, %v, want the window [%v, %v)", name, got, err, c.from, c.to)
		}
		if read := c.in.Read(got); name == "its data" && (!read.Confirmed || !read.From.Equal(at(1)) || !read.To.Equal(at(3))) {
			t.Errorf("read: %+v, want the run of both minutes", read)
		}
	}
}

// An alarm of five minutes fired at 00:03; sums that begin at 00:00 and 00:05 would each stay below its threshold.
func TestReadKeepsThePhaseOfTheWindow(t *testing.T) {
	f := newFake(t)
	config := one("customer-exports")
	config.Period = aws.Int32(300)
	f.alarms = []types.MetricAlarm{config}
	f.put("customer-exports", at(3), gib/2, gib/2, gib/2, gib/2)
	in := fired
	in.From, in.To, in.Since = at(3), at(8), at(8)
	f.alarms[0].StateTransitionedTimestamp = &in.Since
	got, err := f.meter(at(9), Settings{}).Read(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(points(3, 2*gib), got.Points); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
}

func TestReadSpan(t *testing.T) {
	for name, tc := range map[string]struct {
		period   int32
		from, to time.Time // of the alarm
		now      time.Time
		want     span // zero: nothing is asked
	}{
		"a minute":      {60, at(1), at(3), now, span{at(-59), at(5)}},
		"seven minutes": {420, at(1), at(8), at(8), span{at(1 - 63), at(8)}},
		"an hour":       {3600, at(0), at(60), at(61), span{at(-60), at(120)}},
		"a day":         {86400, at(0), at(1440), at(1441), span{at(-2880), at(2880)}},
		"the future":    {60, at(1000), at(1001), now, span{}},
	} {
		f := newFake(t)
		config := one("customer-exports")
		config.Period, config.StateTransitionedTimestamp = &tc.period, &tc.now
		f.alarms = []types.MetricAlarm{config}
		in := fired
		in.From, in.To, in.Since = tc.from, tc.to, tc.now
		if _, err := f.meter(tc.now, Settings{}).Read(t.Context(), in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if f.asked != tc.want {
			t.Errorf("%s: asked for %v, want %v", name, f.asked, tc.want)
		}
	}
}

func TestReadManual(t *testing.T) {
	f := newFake(t)
	for i, filter := range []string{"EntireBucket", "exports-only"} {
		f.data[series{"customer-exports", filter}] = map[time.Time]float64{at(0): 1, at(1): 2 + float64(i), at(2): 3, at(3): 4}
	}
	in := alarm.Alarm{Source: alarm.Manual, Buckets: []string{"customer-exports"}, From: at(1).Add(30 * time.Second), To: at(2).Add(time.Second)}
	got, err := f.meter(now, Settings{FilterID: "exports-only"}).Read(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(alarm.Reading{Buckets: in.Buckets, Points: points(1, 3, 3)}, got); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
	if f.calls["DescribeAlarms"] > 0 {
		t.Error("a manual event has no alarm, and one was asked for")
	}
}

func TestReadRefusesAPart(t *testing.T) {
	for _, status := range []types.StatusCode{types.StatusCodePartialData, types.StatusCodeInternalError, types.StatusCodeForbidden} {
		f := newFake(t)
		f.alarms, f.status["logs"] = []types.MetricAlarm{several("m1+m2", "customer-exports", "logs")}, status
		f.put("customer-exports", at(1), 2*gib)
		in := fired
		in.Buckets = nil
		got, err := f.meter(now, Settings{}).Read(t.Context(), in)
		if err == nil || !strings.Contains(err.Error(), `bucket "logs"`) {
			t.Errorf("%s: got %v, want an error about the bucket", status, err)
		}
		if diff := cmp.Diff(alarm.Reading{}, got); diff != "" {
			t.Errorf("%s: beside the error (-want +got):\n%s", status, diff)
		}
	}
}

func TestReadSaysWhatFailed(t *testing.T) {
	for _, operation := range []string{"DescribeAlarms", "DescribeAlarmContributors", "GetMetricData"} {
		for status, want := range map[int]string{
			403: "may not call cloudwatch:" + operation + " on ", 400: "throttling", 500: "HTTP 500", page: "the answer (HTTP 407) is not CloudWatch's; see whether a proxy stands between", -1: "did not answer in time",
		} {
			t.Run(operation+" "+want, func(t *testing.T) {
				t.Parallel() // some wait between their attempts
				f := newFake(t)
				f.alarms, f.faults[operation] = []types.MetricAlarm{every(everyQuery)}, []int{status}
				f.contributors = contributors("customer-exports")
				ctx := t.Context()
				if status < 0 {
					hung, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
					defer cancel()
					ctx = hung
				}
				_, err := f.meter(now, Settings{}).Read(ctx, everyFired)
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			})
		}
	}
}

func TestReadRidesOutAThrottle(t *testing.T) {
	f := newFake(t)
	f.alarms, f.faults["GetMetricData"] = []types.MetricAlarm{one("customer-exports")}, []int{400, 0}
	f.put("customer-exports", at(1), 2*gib)
	if got, err := f.meter(now, Settings{}).Read(t.Context(), fired); err != nil || len(got.Points) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReadOfAnAlarmDeletedMeanwhile(t *testing.T) {
	f := newFake(t)
	f.alarms, f.faults["DescribeAlarmContributors"] = []types.MetricAlarm{every(everyQuery)}, []int{404}
	if got, err := f.meter(now, Settings{}).Read(t.Context(), everyFired); err != nil || !strings.Contains(got.Doubt, "no contributor") {
		t.Errorf("got %+v, %v, want a doubt", got, err)
	}
}
