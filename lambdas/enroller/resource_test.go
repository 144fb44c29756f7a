package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"nightlatch/internal/enroll"
	"nightlatch/internal/enroll/s3bucket/s3test"
)

const create, update, remove = cfn.RequestCreate, cfn.RequestUpdate, cfn.RequestDelete

// succeeded checks an answer's data.
func succeeded(t *testing.T, a cfn.Response, enrolled, withdrawn, refused string) {
	t.Helper()
	if a.Status != cfn.StatusSuccess || a.PhysicalResourceID != physicalID || a.Data["Enrolled"] != enrolled || a.Data["Withdrawn"] != withdrawn ||
		!strings.Contains(fmt.Sprint(a.Data["Refused"]), refused) {
		t.Errorf("got %+v, want success with %s enrolled, %s withdrawn, refused %q", a, enrolled, withdrawn, refused)
	}
}

func TestTheLifeOfAStack(t *testing.T) {
	w := newWorld(t, "a", "b-1", "c-1", "d-1")
	ctx := t.Context()
	w.s3.Make(region, "aaa")
	w.s3.Put("aaa", "EntireBucket", "") // somebody's own, and it stays to the end
	w.s3.Put("b-1", "prefix", "<Prefix>x</Prefix>")
	own := []string{"aaa/EntireBucket", "b-1/prefix filtered"}
	with := func(more ...string) []string { return slices.Sorted(slices.Values(append(more, own...))) }

	first := want("nightlatch", "aaa", "b-1")
	for range 2 { // the same request, delivered twice
		succeeded(t, w.request(ctx, create, first, nil), "2", "0", "none")
		w.has(with("aaa/nightlatch", "b-1/nightlatch")...)
	}
	added := want("nightlatch", "aaa", "b-1", "c-1")
	succeeded(t, w.request(ctx, update, added, first), "3", "0", "none")
	w.has(with("aaa/nightlatch", "b-1/nightlatch", "c-1/nightlatch")...)
	removed := want("nightlatch", "aaa", "c-1")
	for range 2 {
		got := w.request(ctx, update, removed, added)
		succeeded(t, got, "2", got.Data["Withdrawn"].(string), "none")
		w.has(with("aaa/nightlatch", "c-1/nightlatch")...)
	}
	renamed := want("nightlatch", "aaa", "d-1")
	succeeded(t, w.request(ctx, update, renamed, removed), "2", "1", "none")
	w.has(with("aaa/nightlatch", "d-1/nightlatch")...)
	succeeded(t, w.request(ctx, update, removed, renamed), "2", "1", "none") // rolled back
	w.has(with("aaa/nightlatch", "c-1/nightlatch")...)
	everything := want("nightlatch", "*")
	w.s3.Drop("a")
	succeeded(t, w.request(ctx, update, everything, removed), "4", "0", "none")
	w.has(with("aaa/nightlatch", "b-1/nightlatch", "c-1/nightlatch", "d-1/nightlatch")...)
	succeeded(t, w.request(ctx, update, first, everything), "2", "2", "none")
	w.has(with("aaa/nightlatch", "b-1/nightlatch")...)
	theirs := want("EntireBucket", "aaa")
	succeeded(t, w.request(ctx, update, theirs, first), "1", "2", "none")
	w.has(own...)
	succeeded(t, w.request(ctx, update, first, theirs), "2", "0", "none")
	for _, withdrawn := range []string{"2", "0"} {
		succeeded(t, w.request(ctx, remove, first, nil), "0", withdrawn, "none")
		w.has(own...)
	}
	if len(w.team.sent) > 0 {
		t.Errorf("the team was notified of %q", w.team.sent)
	}
}

func TestWhoeverRefusesIsNamedAndTheRestIsDone(t *testing.T) {
	w := newWorld(t, "good", "full", "odd", "denied", "going")
	w.s3.Make("us-east-1", "far", "unnamed")
	for i := range s3test.Most {
		w.s3.Put("full", fmt.Sprint("c", i), "")
	}
	w.s3.Put("odd", "nightlatch", "<Prefix>x</Prefix>")
	w.s3.Put("going", "nightlatch", "")
	w.s3.Fail(func(c s3test.Call) s3test.Fault {
		if c.Bucket == "denied" && c.Op == "PutBucketMetricsConfiguration" || c.Bucket == "going" && c.Op == "DeleteBucketMetricsConfiguration" {
			return s3test.Fault{Code: "AccessDenied"}
		}
		return s3test.Fault{}
	})
	got := w.request(t.Context(), update, want("nightlatch", "*", "gone-1", "far"), want("nightlatch", "*", "going", "good"))
	succeeded(t, got, "2", "0", `bucket "denied": the function's role may not call s3:PutMetricsConfiguration on it (AWS: `)
	sentences := []string{`bucket "gone-1": there is no such bucket`, `bucket "far": the bucket is in another region, "us-east-1"`, `bucket "full": it has 1,000`,
		`bucket "odd": its request-metrics configuration "nightlatch" has a filter`, `not watched from here (1); deploy Nightlatch there too: unnamed (us-east-1)`}
	if len(w.team.sent) != 1 || w.team.sent[0].Subject != "[nightlatch] NOT WATCHED: 6 buckets (111122223333 eu-west-1)" {
		t.Fatalf("the team was notified of %q", w.team.sent)
	}
	for _, s := range sentences {
		if !strings.Contains(got.Data["Refused"].(string), s) || !strings.Contains(w.team.sent[0].Body, s) {
			t.Errorf("%q stands not in both of %q and %q", s, got.Data["Refused"], w.team.sent[0].Body)
		}
	}
	if !slices.Contains(w.s3.Configs(), "good/nightlatch") || !slices.Contains(w.s3.Configs(), "odd/nightlatch filtered") {
		t.Error("the good one is not enrolled, or the odd one was changed")
	}
	w.s3.Drop("good")
	w.team.err = fmt.Errorf("no topic")
	got = w.request(t.Context(), remove, want("nightlatch", "*", "going", "good", "gone-1"), nil)
	succeeded(t, got, "0", "0", `bucket "going": the function's role may not call s3:PutMetricsConfiguration`)
	if m := w.team.sent[len(w.team.sent)-1]; m.Subject != "[nightlatch] REQUEST METRICS LEFT ON (111122223333 eu-west-1)" || strings.Contains(m.Body, "gone-1") {
		t.Errorf("the team was notified of %q", m)
	}
}

// Each call of each request fails in turn, with and without having taken effect. The answer is what the account shows.
func TestAFailureAtEachCall(t *testing.T) {
	for _, request := range []cfn.RequestType{create, update, remove} {
		for at := range 8 {
			for _, fault := range []s3test.Fault{{Code: "AccessDenied"}, {Code: "MalformedPolicy", Status: 400, After: true}, {Code: "InternalError", Status: 500, After: true}} {
				t.Run(fmt.Sprint(request, at, fault.Code), func(t *testing.T) {
					t.Parallel() // some wait between their attempts
					w := newWorld(t, "old", "new")
					w.s3.Put("old", "nightlatch", "")
					var failing s3test.Call
					n := 0
					w.s3.Fail(func(c s3test.Call) s3test.Fault {
						if n++; n == at+1 {
							failing = c
						}
						if c == failing {
							return fault // its retries too
						}
						return s3test.Fault{}
					})
					got := w.request(t.Context(), request, map[cfn.RequestType]properties{create: want("nightlatch", "*"), update: want("nightlatch", "new"),
						remove: want("nightlatch", "old", "new")}[request], want("nightlatch", "*"))
					configs := w.s3.Configs()
					whole := map[cfn.RequestType][]string{create: {"new/nightlatch", "old/nightlatch"}, update: {"new/nightlatch"}, remove: {}}[request]
					clean := got.Status == cfn.StatusSuccess && got.Data["Refused"] == "none"
					if clean && !slices.Equal(configs, whole) {
						t.Errorf("%+v failed: it says that all is done, and there is %q", failing, configs)
					}
					if !clean && len(w.team.sent) == 0 && got.Status == cfn.StatusSuccess {
						t.Errorf("%+v failed: the answer is %+v, and nobody was notified", failing, got)
					}
					if failing.Op == "ListBuckets" && request == create && (got.Status != cfn.StatusFailed || len(configs) != 1) {
						t.Errorf("without a list: got %+v and %q, want a failure and nothing done", got, configs)
					}
					// The next request, without the failure, makes it whole.
					w.s3.Fail(func(s3test.Call) s3test.Fault { return s3test.Fault{} })
					if request == create {
						w.request(t.Context(), update, want("nightlatch", "*"), want("nightlatch", "*"))
						whole = []string{"new/nightlatch", "old/nightlatch"}
					} else {
						w.request(t.Context(), request, map[cfn.RequestType]properties{update: want("nightlatch", "new"), remove: want("nightlatch", "old", "new")}[request], want("nightlatch", "*"))
					}
					w.has(whole...)
				})
			}
		}
	}
}

// infra lets names through that have 100,000 characters together: with those before an update they fit an asynchronous event of 256 KB.
// https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html
func TestAsManyBucketsAsInfraLetsThrough(t *testing.T) {
	var names []string
	for i := range 100_000/63 + 400 {
		names = append(names, fmt.Sprintf("%s-%04d", strings.Repeat("x", 58), i))
	}
	w := newWorld(t, names...)
	before, now := want("nightlatch", names[:100_000/63]...), want("nightlatch", names[400:]...)
	for _, b := range names[:100_000/63] {
		w.s3.Put(b, "nightlatch", "")
	}
	event := w.event(update, now, before)
	t.Logf("%d buckets: the event has %d KB", len(names)-400, len(event)>>10)
	if len(event) > 256<<10 {
		t.Errorf("the event has %d bytes, want at most 256 KB", len(event))
	}
	succeeded(t, w.request(t.Context(), update, now, before), fmt.Sprint(len(names)-400), "400", "none")
}

func TestManyRefusalsFitTheAnswer(t *testing.T) {
	w := newWorld(t)
	var gone []string
	for i := range 1000 {
		gone = append(gone, fmt.Sprintf("%s-%03d", strings.Repeat("long", 14), i))
	}
	got := w.request(t.Context(), create, want("nightlatch", gone...), nil) // the fake refuses more than 4096 bytes
	succeeded(t, got, "0", "0", "(cut; all of it is in the enroller's log)")
	for _, b := range gone {
		if !strings.Contains(w.team.sent[0].Body, b) || !strings.Contains(w.log.String(), b) {
			t.Fatalf("%s is not in the message, or not in the log", b)
		}
	}
	a := cfn.Response{RequestID: strings.Repeat("i", 300), StackID: strings.Repeat("s", 300), LogicalResourceID: strings.Repeat("l", 255), PhysicalResourceID: physicalID,
		Status: cfn.StatusFailed, Reason: cut(strings.Repeat("\"\x01", 5000), maxReason)}
	if body, err := encode(a); err != nil || len(body) > maxAnswer {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestWhatCannotBeReadIsRefusedAndCanStillBeDeleted(t *testing.T) {
	for name, bad := range map[string]properties{
		"Buckets": {"Id": "nightlatch"}, "Id": {"Buckets": []any{"logs"}}, `"../etc"`: want("nightlatch", "logs", "../etc"),
		"Bucket ": {"Id": "nightlatch", "Buckets": []any{"logs"}, "Bucket": "x"}, "a b": want("a b", "logs"), `'\x01'`: {"Id": "nightlatch", "Buckets": []any{1}}, "is missing": nil,
	} {
		w := newWorld(t, "logs")
		got := w.request(t.Context(), create, bad, nil)
		if name := strings.ReplaceAll(name, `'\x01'`, "is not the name of a bucket"); got.Status != cfn.StatusFailed || !strings.Contains(got.Reason, name) {
			t.Errorf("%s: got %+v, want a failure that names it", name, got)
		}
		if got := w.request(t.Context(), remove, bad, nil); got.Status != cfn.StatusSuccess {
			t.Errorf("%s, deleted: got %+v", name, got)
		}
		w.has()
	}
	w := newWorld(t, "logs")
	if got := w.request(t.Context(), "Read", want("nightlatch", "logs"), nil); got.Status != cfn.StatusFailed || len(w.s3.Calls()) > 0 {
		t.Errorf("an unknown request: got %+v", got)
	}
	w.s3.Put("logs", "nightlatch", "")
	old := want("nightlatch", "logs")
	old["Later"] = "a property of a newer version"
	succeeded(t, w.request(t.Context(), remove, old, nil), "0", "1", "none")
}

// broken panics, or never returns.
type broken struct {
	enroll.Metrics
	list func()
}

func (b broken) Buckets(context.Context) ([]enroll.Bucket, error) { b.list(); return nil, nil }

func TestAnAnswerComesInAnyCase(t *testing.T) {
	w := newWorld(t, "logs")
	w.metrics = broken{list: func() { panic("a bug") }}
	if got := w.request(t.Context(), create, want("nightlatch", "*"), nil); got.Status != cfn.StatusFailed || !strings.Contains(got.Reason, "the enroller broke (a bug)") {
		t.Errorf("a panic: got %+v", got)
	}
	forever := make(chan struct{})
	defer close(forever)
	w.metrics = broken{list: func() { <-forever }}
	ctx, cancel := context.WithTimeout(t.Context(), answerMargin+200*time.Millisecond)
	defer cancel()
	if got := w.request(ctx, create, want("nightlatch", "*"), nil); got.Status != cfn.StatusFailed || !strings.Contains(got.Reason, "the time was over") {
		t.Errorf("one that hangs: got %+v", got)
	}
}

func TestTimeThatIsOverFailsWithTheRestNamed(t *testing.T) {
	w := newWorld(t, "logs", "slow")
	w.s3.Fail(func(c s3test.Call) s3test.Fault { return s3test.Fault{Hang: c.Bucket == "slow"} })
	for _, request := range []cfn.RequestType{create, remove} {
		ctx, cancel := context.WithTimeout(t.Context(), workMargin+300*time.Millisecond)
		got := w.request(ctx, request, want("nightlatch", "logs", "slow"), nil)
		cancel()
		if got.Status != cfn.StatusFailed || !strings.Contains(got.Reason, `1 buckets were done with, "slow" the first`) {
			t.Errorf("%s: got %+v", request, got)
		}
		if m := w.team.sent[len(w.team.sent)-1]; !strings.Contains(m.Subject, "NOT DONE IN TIME: 1") {
			t.Errorf("%s: the team was notified of %q", request, m)
		}
	}
}

func TestTheAnswerIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		statuses []int
		puts     int
		err      string
	}{
		{[]int{500, 503}, 3, ""},
		{[]int{500, 500, 500}, 3, "the answer could not be handed to CloudFormation: HTTP 500"},
		{[]int{403}, 1, ""}, // expired: to do it all again would not help
	} {
		w := newWorld(t, "logs")
		w.cfn.statuses = c.statuses
		err := w.handle(t.Context(), w.event(create, want("nightlatch", "logs"), nil))
		if fmt.Sprint(err) != c.err && (err != nil || c.err != "") || w.cfn.puts != c.puts {
			t.Errorf("%v: got %v after %d, want %q after %d", c.statuses, err, w.cfn.puts, c.err, c.puts)
		}
	}
	w := newWorld(t, "logs")
	event := w.event(create, want("nightlatch", "logs"), nil)
	w.cfn.Close()
	err := w.handle(t.Context(), event)
	if err == nil || strings.Contains(err.Error()+w.log.String(), "secret") {
		t.Errorf("got %v and log %s, want an error, and the presigned URL in neither", err, w.log)
	}
}
