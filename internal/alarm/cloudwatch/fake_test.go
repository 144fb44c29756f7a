package cloudwatch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/cbor"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/aws/smithy-go/transport/http/protocol/rpcv2"

	"nightlatch/internal/enroll/s3bucket/s3test"
)

// fakeCloudWatch holds alarms and one-minute sums, and answers the protocol that the real client speaks (Smithy RPC v2 in
// CBOR, https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html). Like CloudWatch it adds up what it holds in
// periods that begin at StartTime.
type fakeCloudWatch struct {
	t *testing.T

	mu           sync.Mutex
	alarms       []types.MetricAlarm
	composites   []types.CompositeAlarm
	contributors []types.AlarmContributor
	data         map[series]map[time.Time]float64
	sizes        map[series]map[time.Time]float64 // by bucket and storage type
	errors       map[series]map[time.Time]float64 // one-minute sums of 4xxErrors
	page         int                              // items a page; 0 is all
	status       map[string]types.StatusCode      // by bucket: what the last page says instead of Complete
	faults       map[string][]int                 // by operation, or ofSizes: HTTP statuses, one a call, the last one stays; 0 answers, -1 never does
	codes        map[int]string
	calls        map[string]int
	asked        span // the last StartTime and EndTime
	s3           *s3test.Server
}

// ofSizes is what faults and calls call the question for how much buckets hold, ofErrors that for what was refused.
const (
	ofSizes  = "GetMetricData of BucketSizeBytes"
	ofErrors = "GetMetricData of 4xxErrors"
)

func newFake(t *testing.T) *fakeCloudWatch {
	return &fakeCloudWatch{
		t: t, data: map[series]map[time.Time]float64{}, status: map[string]types.StatusCode{}, faults: map[string][]int{},
		codes: map[int]string{400: "Throttling", 403: "AccessDenied", 404: "ResourceNotFoundException", 500: "InternalServiceFault"},
		calls: map[string]int{}, s3: s3test.New("eu-west-1"),
	}
}

// meter starts the fake and returns the real adapter in front of it.
func (f *fakeCloudWatch) meter(now time.Time, s Settings) *Meter {
	f.t.Helper()
	srv := httptest.NewServer(f)
	f.t.Cleanup(srv.Close)
	f.t.Cleanup(f.s3.Close)
	m, err := New(config(srv.URL, srv.Client()), func() time.Time { return now }, s)
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

func config(url string, client aws.HTTPClient) aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &url, HTTPClient: client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	}
}

// page is the status with which a proxy answers, and a page.
const page = http.StatusProxyAuthRequired

func (f *fakeCloudWatch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("metrics") {
		f.s3.ServeHTTP(w, r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	in, derr := cbor.Decode(body)
	if err != nil || derr != nil || r.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" || r.Header.Get("Authorization") == "" {
		f.t.Errorf("not a signed request in CBOR: %v, %v", err, derr)
		w.WriteHeader(400)
		return
	}
	operation := path.Base(r.URL.Path)
	if bytes.Contains(body, []byte("BucketSizeBytes")) {
		operation = ofSizes
	}
	if bytes.Contains(body, []byte("4xxErrors")) {
		operation = ofErrors
	}
	f.calls[operation]++
	status := 0
	if queue := f.faults[operation]; len(queue) > 0 {
		status = queue[0]
		f.faults[operation] = queue[min(1, len(queue)-1):]
	}
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	if status < 0 {
		<-r.Context().Done()
		return
	}
	if status == page {
		w.WriteHeader(status)
		io.WriteString(w, "<!DOCTYPE html><p>sign in<br>")
		return
	}
	if status > 0 {
		w.WriteHeader(status)
		w.Write(cbor.Encode(cbor.Map{"__type": cbor.String(f.codes[status]), "message": cbor.String("no")}))
		return
	}
	w.Write(f.do(operation, in.(cbor.Map)))
}

func (f *fakeCloudWatch) do(operation string, in cbor.Map) []byte {
	switch operation {
	case "DescribeAlarms":
		var found []types.MetricAlarm
		for _, a := range f.alarms {
			if slices.Contains(in["AlarmNames"].(cbor.List), cbor.Value(cbor.String(*a.AlarmName))) {
				found = append(found, a)
			}
		}
		var above []types.CompositeAlarm
		for _, a := range f.composites {
			if slices.Contains(in["AlarmNames"].(cbor.List), cbor.Value(cbor.String(*a.AlarmName))) {
				above = append(above, a)
			}
		}
		return encode(schemas.DescribeAlarms, schemas.DescribeAlarmsOutput, &cloudwatch.DescribeAlarmsOutput{MetricAlarms: found, CompositeAlarms: above})
	case "DescribeAlarmContributors":
		from, to, next := f.slice(in["NextToken"], len(f.contributors))
		return encode(schemas.DescribeAlarmContributors, schemas.DescribeAlarmContributorsOutput,
			&cloudwatch.DescribeAlarmContributorsOutput{AlarmContributors: f.contributors[from:to], NextToken: next})
	case "GetMetricData":
		return f.getMetricData(in)
	case "ListMetrics":
		return f.listMetrics(in)
	case ofSizes:
		return f.getSizes(in)
	case ofErrors:
		f.asked = f.span(in)
		return f.answer(in, "AWS/S3 4xxErrors Sum by FilterId", func(s series, period time.Duration) ([]time.Time, []float64) {
			return sums(f.errors[s], f.asked, period)
		})
	}
	f.t.Errorf("the adapter called %q, which no grant of it names", operation)
	return nil
}

// slice is the page that a token stands for.
func (f *fakeCloudWatch) slice(token cbor.Value, n int) (from, to int, next *string) {
	if s, ok := token.(cbor.String); ok {
		from, _ = strconv.Atoi(string(s))
	}
	from, to = min(from, n), n
	if f.page > 0 && from+f.page < n {
		to = from + f.page
		next = aws.String(strconv.Itoa(to))
	}
	return from, to, next
}

func (f *fakeCloudWatch) getMetricData(in cbor.Map) []byte {
	f.asked = f.span(in)
	return f.answer(in, "AWS/S3 BytesDownloaded Sum by FilterId", func(s series, period time.Duration) ([]time.Time, []float64) {
		return sums(f.data[s], f.asked, period)
	})
}

// listMetrics lists what has data, as it is asked: of one name, in the last three hours, with these dimensions.
func (f *fakeCloudWatch) listMetrics(in cbor.Map) []byte {
	of := in["Dimensions"].(cbor.List)
	filter := of[1].(cbor.Map)["Value"].(cbor.String)
	if in["Namespace"] != cbor.Value(cbor.String("AWS/S3")) || in["MetricName"] != cbor.Value(cbor.String("BytesDownloaded")) ||
		in["RecentlyActive"] != cbor.Value(cbor.String("PT3H")) || of[0].(cbor.Map)["Name"] != cbor.Value(cbor.String("BucketName")) {
		f.t.Errorf("ListMetrics of %v", in)
	}
	var all []types.Metric
	for _, s := range slices.SortedFunc(maps.Keys(f.data), func(x, y series) int { return strings.Compare(x.bucket, y.bucket) }) {
		if s.filterID == string(filter) {
			all = append(all, types.Metric{Namespace: aws.String("AWS/S3"), MetricName: aws.String("BytesDownloaded"), Dimensions: []types.Dimension{
				{Name: aws.String("FilterId"), Value: &s.filterID}, {Name: aws.String("BucketName"), Value: &s.bucket}}})
		}
	}
	from, to, next := f.slice(in["NextToken"], len(all))
	return encode(schemas.ListMetrics, schemas.ListMetricsOutput, &cloudwatch.ListMetricsOutput{Metrics: all[from:to], NextToken: next})
}

func (f *fakeCloudWatch) getSizes(in cbor.Map) []byte {
	asked := f.span(in)
	return f.answer(in, "AWS/S3 BucketSizeBytes Average by StorageType", func(s series, period time.Duration) ([]time.Time, []float64) {
		return sums(f.sizes[s], asked, period) // there is one datapoint a day
	})
}

func (f *fakeCloudWatch) span(in cbor.Map) span {
	asked := span{f.time(in["StartTime"]), f.time(in["EndTime"])}
	if in["ScanBy"] != cbor.Value(cbor.String("TimestampAscending")) || !asked.from.Before(asked.to) {
		f.t.Errorf("GetMetricData: ScanBy %v, %v", in["ScanBy"], asked)
	}
	return asked
}

// answer gives each query's datapoints, all of one metric, by its bucket and its other dimension.
func (f *fakeCloudWatch) answer(in cbor.Map, want string, held func(series, time.Duration) ([]time.Time, []float64)) []byte {
	out := &cloudwatch.GetMetricDataOutput{}
	queries := in["MetricDataQueries"].(cbor.List)
	if len(queries) > 500 {
		f.t.Errorf("GetMetricData with %d queries, and 500 are the most", len(queries))
	}
	for _, v := range queries {
		q := v.(cbor.Map)
		stat := q["MetricStat"].(cbor.Map)
		metric := stat["Metric"].(cbor.Map)
		s, other := series{}, ""
		for _, d := range metric["Dimensions"].(cbor.List) {
			name, value := string(d.(cbor.Map)["Name"].(cbor.String)), string(d.(cbor.Map)["Value"].(cbor.String))
			if name == "BucketName" {
				s.bucket = value
			} else {
				other, s.filterID = other+name, value
			}
		}
		if name := fmt.Sprintf("%s %s %s by %s", metric["Namespace"], metric["MetricName"], stat["Stat"], other); name != want {
			f.t.Errorf("GetMetricData for %s", name)
		}
		period, _ := cbor.AsInt32(stat["Period"])
		times, values := held(s, time.Duration(period)*time.Second)
		from, to, next := f.slice(in["NextToken"], len(times))
		code := types.StatusCodeComplete
		if next != nil {
			code, out.NextToken = types.StatusCodePartialData, next
		} else if said := f.status[s.bucket]; said != "" {
			code = said
		}
		out.MetricDataResults = append(out.MetricDataResults, types.MetricDataResult{
			Id: aws.String(string(q["Id"].(cbor.String))), StatusCode: code, Timestamps: times[from:to], Values: values[from:to],
		})
	}
	return encode(schemas.GetMetricData, schemas.GetMetricDataOutput, out)
}

// sums adds up what is held in periods that begin with the span.
func sums(held map[time.Time]float64, asked span, period time.Duration) (times []time.Time, values []float64) {
	for start := asked.from; start.Before(asked.to); start = start.Add(period) {
		total, any := 0.0, false
		for t, v := range held {
			if !t.Before(start) && t.Before(start.Add(period)) {
				total, any = total+v, true
			}
		}
		if any {
			times, values = append(times, start), append(values, total)
		}
	}
	return times, values
}

func (f *fakeCloudWatch) time(v cbor.Value) time.Time {
	t, err := cbor.AsTime(v)
	if err != nil {
		f.t.Errorf("a time: %v", err)
	}
	return t.UTC()
}

// put holds sums of consecutive minutes.
func (f *fakeCloudWatch) put(bucket string, from time.Time, sums ...float64) {
	s := series{bucket, "EntireBucket"}
	if f.data[s] == nil {
		f.data[s] = map[time.Time]float64{}
	}
	for i, v := range sums {
		f.data[s][from.Add(time.Duration(i)*time.Minute)] = v
	}
}

// store holds how many bytes a bucket has of one storage type on the days before today, the newest last.
func (f *fakeCloudWatch) store(bucket, storage string, sizes ...float64) {
	s := series{bucket, storage}
	if f.sizes == nil {
		f.sizes = map[series]map[time.Time]float64{}
	}
	f.sizes[s] = map[time.Time]float64{}
	for i, v := range sizes {
		f.sizes[s][midnight.AddDate(0, 0, i-len(sizes))] = v
	}
}

// encode writes an answer with the SDK's own schema, so that the fake cannot spell a field in a way of its own.
func encode(op, schema *smithy.Schema, out smithy.Serializable) []byte {
	req := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	err := rpcv2.NewCBOR(schemas.GraniteServiceVersion20100801).SerializeRequest(context.Background(), smithy.NewOperationSchema(op, schema, schema), out, req)
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(req.Build(context.Background()).Body)
	if err != nil {
		panic(err)
	}
	return body
}
