package duck_test

import (
	"fmt"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/duck"
)

// works are calls to a service, from a place, by mara's key but for the changes.
func works(service string, when time.Time, changes ...change) record {
	return api(service, "DescribeThings", append([]change{at(when), from("10.0.3.7"), keyID("AKIAEXAMPLESTOLEN001"), agent("aws-cli/2.31.4 md/x")}, changes...)...)
}

// callersOf asks about the bucket, or about credentials by their names.
func callersOf(t *testing.T, e *duck.Engine, q evidence.Callers) *evidence.Uses {
	t.Helper()
	uses, err := evidence.ReadCallers(rows(t, e, q), q)
	if err != nil {
		t.Fatal(err)
	}
	return uses
}

func TestCallers(t *testing.T) {
	const stolen = "AKIAEXAMPLESTOLEN001"
	var hourly []record
	for h := range 7 * 24 {
		hourly = append(hourly, works("sqs", noon.Add(-time.Duration(h)*time.Hour-20*time.Minute), id(fmt.Sprint("hour-", h))))
	}
	touch := call(keyID(stolen), at(noon.Add(-50*time.Hour)), from("10.0.3.9"), agent("Boto3/1.2"), id("touch")) // the bucket was called with it
	q := evidence.Callers{Buckets: []string{bucket}, Before: noon}
	for what, c := range map[string]struct {
		records []record
		q       evidence.Callers
		places  []string // each place with its days, hours, programs, services and buckets
	}{
		"every hour, by two programs":       {append(hourly, touch), q, []string{"10.0.3.0/24 8 168 [Boto3 aws-cli] 2 [s3.amazonaws.com sqs.amazonaws.com] 1 [exports]"}},
		"a record that was delivered twice": {append(append(hourly, hourly...), touch, touch), q, []string{"10.0.3.0/24 8 168 [Boto3 aws-cli] 2 [s3.amazonaws.com sqs.amazonaws.com] 1 [exports]"}},
		"a credential that did not call it": {hourly, q, nil},
		"one that is asked for by its name": {hourly[:2], evidence.Callers{Credentials: []string{stolen}, Before: noon}, []string{"10.0.3.0/24 1 2 [aws-cli] 1 [sqs.amazonaws.com] 0 []"}},
		"too long ago":                      {[]record{touch, works("sqs", noon.Add(-evidence.CallersSpan-time.Second))}, q, []string{"10.0.3.0/24 1 1 [Boto3] 1 [s3.amazonaws.com] 1 [exports]"}},
		"at the edge, and in the window":    {[]record{touch, works("sqs", noon.Add(-evidence.CallersSpan), from("10.0.4.1")), works("sqs", noon, from("10.0.5.1"))}, q, []string{"10.0.3.0/24 1 1 [Boto3] 1 [s3.amazonaws.com] 1 [exports]", "10.0.4.0/24 1 1 [aws-cli] 1 [sqs.amazonaws.com] 0 []"}},
		"what was refused breaks nothing":   {[]record{touch, works("sqs", noon.Add(-time.Hour), from("10.0.4.1"), failed("AccessDenied"))}, q, []string{"10.0.3.0/24 1 1 [Boto3] 1 [s3.amazonaws.com] 1 [exports]"}},
		"the user's other key is not it":    {[]record{touch, works("sqs", noon.Add(-time.Hour), from("10.0.4.1"), keyID("AKIAEXAMPLEOTHER0001"))}, q, []string{"10.0.3.0/24 1 1 [Boto3] 1 [s3.amazonaws.com] 1 [exports]"}},
		"an endpoint, whatever address is shown": {[]record{touch, works("sqs", noon.Add(-time.Hour), from("10.9.4.1"), set("vpcEndpointId", "vpce-1")), works("sqs", noon.Add(-2*time.Hour), from("10.9.5.1"), set("vpcEndpointId", "vpce-1"))}, q,
			[]string{"vpce-1 1 2 [aws-cli] 1 [sqs.amazonaws.com] 0 []", "10.0.3.0/24 1 1 [Boto3] 1 [s3.amazonaws.com] 1 [exports]"}},
		"no agent, and one of another form": {[]record{touch, works("sqs", noon.Add(-time.Hour), from("10.0.4.1"), agent("")), works("sqs", noon.Add(-time.Hour), from("10.0.4.1"), agent("\n'; drop"), id("other"))}, q,
			[]string{"10.0.4.0/24 1 1 [] 1 [sqs.amazonaws.com] 0 []", "10.0.3.0/24 1 1 [Boto3] 1 [s3.amazonaws.com] 1 [exports]"}},
		"through an access point": {[]record{call(keyID(stolen), at(noon.Add(-time.Hour)), in("a-point"), resources("arn:aws:s3:::exports/k"), from("10.0.3.9"))}, q, []string{"10.0.3.0/24 1 1 [aws-cli] 1 [s3.amazonaws.com] 1 [exports]"}},
		"nobody is asked about":   {append(hourly, touch), evidence.Callers{Before: noon}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			var got []string
			for _, u := range callersOf(t, trail(t, c.records), c.q).By[stolen] {
				got = append(got, fmt.Sprint(u.Place, " ", u.Days, " ", u.Hours, " ", u.Programs.Names, " ", u.Services.Count, " ", u.Services.Names, " ", u.Buckets.Count, " ", u.Buckets.Names))
			}
			equal(t, got, c.places)
		})
	}

	// All keys of a session are one credential, and each session of a role is one.
	sessions := []record{call(session("i-1", "ASIAEXAMPLE000000001"), at(noon.Add(-time.Hour)), from("10.0.3.7"), id("one")),
		call(session("i-1", "ASIAEXAMPLE000000002"), at(noon.Add(-2*time.Hour)), from("10.0.3.7"), id("two")),
		call(session("i-2", "ASIAEXAMPLE000000003"), at(noon.Add(-time.Hour)), from("10.0.4.7"), id("three")), call(keyID(""), at(noon.Add(-time.Hour)), id("four"))}
	by := callersOf(t, trail(t, sessions), q).By
	if len(by) != 2 || len(by["AROAEXAMPLEWEB:i-1"]) != 1 || by["AROAEXAMPLEWEB:i-1"][0].Hours != 2 || len(by["AROAEXAMPLEWEB:i-2"]) != 1 {
		t.Errorf("two sessions are %+v", by)
	}

	// A thief who changes his network a hundred times crowds nobody out, and what is not listed is counted.
	crowd := append(hourly, touch)
	for i := range 100 {
		crowd = append(crowd, works("sqs", noon.Add(-time.Minute), from(fmt.Sprintf("203.0.%d.7", i)), id(fmt.Sprint("crowd-", i))))
	}
	uses := callersOf(t, trail(t, crowd), q)
	also := uses.Also(evidence.Actor{AccessKeyID: stolen}, noon)
	if also.Places != 101 || !also.Partial || len(also.Listed) != 4 || also.Listed[0].Network != "10.0.3.0/24" {
		t.Errorf("of 101 places %d are known, partial %t, the first %+v", also.Places, also.Partial, also.Listed)
	}
}

// To whom the bytes went now is not who else works with it; where a familiar place took some of it, that is.
func TestWhoElseWorksWithIt(t *testing.T) {
	const stolen = "AKIAEXAMPLESTOLEN001"
	records := []record{call(keyID(stolen), size(1000), from("198.51.100.7"), id("theft")), call(keyID(stolen), size(10), from("10.0.3.7"), id("work"))}
	for d := 2; d < 7; d++ {
		records = append(records, call(keyID(stolen), at(noon.AddDate(0, 0, -d)), from("10.0.3.7"), size(500), id(fmt.Sprint("day-", d))))
	}
	records = append(records, works("sqs", noon.Add(-10*time.Minute), from("198.51.100.9"), id("before")), works("sqs", noon.Add(-40*time.Minute), from("192.0.2.1"), id("elsewhere")))
	e := trail(t, records)
	tally := tallied(t, e, evidence.Window{Buckets: []string{bucket}, From: noon, To: end}, account)
	history, err := evidence.ReadUsage(rows(t, e, evidence.Usage{Buckets: []string{bucket}, Before: noon}), noon)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		used *evidence.Uses
		want any
	}{
		"known":     {callersOf(t, e, evidence.Callers{Buckets: []string{bucket}, Before: noon}), []any{int64(2), "10.0.3.0/24", "192.0.2.0/24", noon.Add(-40 * time.Minute), int64(5)}},
		"not known": {nil, nil},
	} {
		history.Used = c.used
		var got any
		for _, a := range evidence.Reconcile(alarm.Alarm{From: noon, To: end, Bytes: new(int64(1010))}, tally, history).Actors {
			if u := a.AlsoUsed; u != nil {
				got = []any{u.Places, u.Listed[0].Place.String(), u.Listed[1].Place.String(), u.Last, u.Hours}
			}
		}
		t.Run(what, func(t *testing.T) { equal(t, got, c.want) })
	}
}
