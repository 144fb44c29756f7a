package main

import (
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"

	"nightlatch/internal/enroll/s3bucket/s3test"
)

const scheduled = `{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events","account":"111122223333","region":"eu-west-1","resources":[],"detail":{}}`

func made(name, bucket, errorCode string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","region":"eu-west-1","detail":{"eventVersion":"1.10",
"eventSource":"s3.amazonaws.com","eventName":%q,"awsRegion":"eu-west-1","errorCode":%q,"requestParameters":{"bucketName":%q,"CreateBucketConfiguration":{"LocationConstraint":"eu-west-1"}}}}`,
		name, errorCode, bucket))
}

func TestTheDailyCheck(t *testing.T) {
	w := newWorld(t, "a-1", "b-1", "c-1")
	w.watches(want("nightlatch", "*"))
	w.s3.Make("us-east-1", "far")
	w.s3.Put("a-1", "nightlatch", "")
	for range 2 {
		if err := w.handle(t.Context(), json.RawMessage(scheduled)); err != nil {
			t.Error(err)
		}
		w.has("a-1/nightlatch", "b-1/nightlatch", "c-1/nightlatch")
	}
	if len(w.team.sent) != 1 || w.team.sent[0].Subject != "[nightlatch] WERE NOT WATCHED: 2 buckets (111122223333 eu-west-1)" || !strings.Contains(w.team.sent[0].Body, "\nb-1, c-1\n") {
		t.Errorf("the team was notified of %q", w.team.sent)
	}
	w.team.sent = nil
	w.s3.Make(region, "late", "denied")
	w.s3.Fail(func(c s3test.Call) s3test.Fault {
		switch c.Bucket {
		case "denied":
			return s3test.Fault{Code: "AccessDenied"}
		case "late": // it went between the list and the check
			return s3test.Fault{Code: "NoSuchBucket", Status: 404}
		}
		return s3test.Fault{}
	})
	if err := w.handle(t.Context(), json.RawMessage(scheduled)); err != nil || len(w.team.sent) != 1 || w.team.sent[0].Subject != "[nightlatch] NOT WATCHED: denied (111122223333 eu-west-1)" ||
		strings.Contains(w.team.sent[0].Body, "late") || strings.Contains(w.team.sent[0].Body, "far") {
		t.Errorf("got %v, and the team was notified of %q", err, w.team.sent)
	}
	w.team.err = fmt.Errorf("no topic")
	if err := w.handle(t.Context(), json.RawMessage(scheduled)); err == nil {
		t.Error("nobody was notified, and that is no error")
	}
	w.s3.Fail(func(s3test.Call) s3test.Fault { return s3test.Fault{Code: "AccessDenied"} })
	if err := w.handle(t.Context(), json.RawMessage(scheduled)); err == nil || !strings.Contains(err.Error(), "s3:ListAllMyBuckets") {
		t.Errorf("without a list: got %v", err)
	}
}

func TestANewBucketIsEnrolled(t *testing.T) {
	w := newWorld(t, "new", "old")
	w.watches(want("nightlatch", "*", "logs"))
	w.s3.Make("us-east-1", "far")
	for _, event := range []json.RawMessage{
		made("CreateBucket", "new", ""), made("CreateBucket", "new", ""), made("CreateBucket", "old", "BucketAlreadyOwnedByYou"), made("DeleteBucket", "old", ""),
		made("CreateBucket", "gone", ""), made("CreateBucket", "far", ""), made("CreateBucket", "x--euw1-az1--x-s3", ""), made("CreateBucket", "", ""),
	} {
		if err := w.handle(t.Context(), event); err != nil {
			t.Errorf("%s: %v", event, err)
		}
	}
	w.has("new/nightlatch")
	if len(w.team.sent) > 0 {
		t.Errorf("the team was notified of %q", w.team.sent)
	}
}

// Where a tag chooses, a bucket is watched as soon as it has it, and stays so. One that is named needs none.
func TestABucketIsEnrolledByItsTag(t *testing.T) {
	w := newWorld(t, "secret", "plain", "named")
	wish := want("nightlatch", "*", "named")
	wish["Tag"] = "class=secret"
	w.watches(wish)
	for _, event := range []json.RawMessage{made("CreateBucket", "secret", ""), json.RawMessage(scheduled)} {
		if err := w.handle(t.Context(), event); err != nil {
			t.Error(err)
		}
	}
	w.has("named/nightlatch")
	w.s3.Tag("secret", map[string]string{"class": "secret", "<b>": "\u202e"})
	if err := w.handle(t.Context(), made("PutBucketTagging", "secret", "")); err != nil {
		t.Error(err)
	}
	w.s3.Tag("secret", nil)
	if err := w.handle(t.Context(), json.RawMessage(scheduled)); err != nil {
		t.Error(err)
	}
	w.has("named/nightlatch", "secret/nightlatch")
	wish["Tag"] = "a=b,c"
	w.watches(wish)
	if err := w.handle(t.Context(), json.RawMessage(scheduled)); err == nil || !strings.Contains(err.Error(), `the property Tag is "a=b,c", and should be a tag of buckets`) {
		t.Errorf("got %v", err)
	}
}

func TestACheckUnderTheirFilterMakesNothing(t *testing.T) {
	w := newWorld(t, "has", "lacks")
	w.s3.Put("has", "EntireBucket", "")
	w.watches(want("EntireBucket", "has", "lacks"))
	if err := w.handle(t.Context(), json.RawMessage(scheduled)); err != nil {
		t.Error(err)
	}
	w.has("has/EntireBucket")
	if len(w.team.sent) != 1 || !strings.Contains(w.team.sent[0].Body, `bucket "lacks": it has no request-metrics configuration "EntireBucket"`) {
		t.Errorf("the team was notified of %q", w.team.sent)
	}
}

// What was taken away from a named bucket is made again, and the team is notified. Nobody else's configuration and no other bucket is touched.
func TestTheDailyCheckRepairsNamedBuckets(t *testing.T) {
	w := newWorld(t, "lost", "kept", "odd", "other")
	w.watches(want("nightlatch", "lost", "kept", "odd", "gone"))
	w.s3.Put("lost", "EntireBucket", "")
	w.s3.Put("kept", "nightlatch", "")
	w.s3.Put("odd", "nightlatch", "<Prefix>x</Prefix>")
	if err := w.handle(t.Context(), json.RawMessage(scheduled)); err != nil {
		t.Error(err)
	}
	w.has("kept/nightlatch", "lost/EntireBucket", "lost/nightlatch", "odd/nightlatch filtered")
	if len(w.team.sent) != 1 || w.team.sent[0].Subject != "[nightlatch] NOT WATCHED: odd (111122223333 eu-west-1)" ||
		!strings.Contains(w.team.sent[0].Body, "these buckets (1) and switched them on") || !strings.Contains(w.team.sent[0].Body, "\nlost\n") {
		t.Errorf("the team was notified of %q", w.team.sent)
	}
	if ops := slices.Compact(slices.Sorted(operations(w.s3.Calls()))); !slices.Equal(ops, []string{"GetBucketMetricsConfiguration", "PutBucketMetricsConfiguration"}) {
		t.Errorf("the check made the calls %q", ops)
	}
	w.s3.Drop("odd")
	w.s3.Make(region, "lost")
	if err := w.handle(t.Context(), json.RawMessage(scheduled)); err != nil || len(w.team.sent) != 2 || w.team.sent[1].Subject != "[nightlatch] WAS NOT WATCHED: lost (111122223333 eu-west-1)" {
		t.Errorf("got %v, and the team was notified of %q", err, w.team.sent)
	}
	w.s3.Calls()
	// A bucket that was made is nobody's to enrol here, though a rule may be there still while the stack changes over from *.
	if err := w.handle(t.Context(), made("CreateBucket", "other", "")); err != nil || len(w.s3.Calls()) > 0 {
		t.Errorf("a new bucket: got %v, or calls", err)
	}
}

func operations(calls []s3test.Call) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, c := range calls {
			if !yield(c.Op) {
				return
			}
		}
	}
}

// A check without its file fails, on which an alarm fires. The stack can be changed and deleted without it.
func TestACheckNeedsItsFile(t *testing.T) {
	w := newWorld(t, "logs")
	for name, write := range map[string]func(){
		"no such file":                func() {},
		"Buckets is missing":          func() { w.watches(want("nightlatch")) },
		"deploy again":                func() { os.WriteFile(w.watched, []byte("["), 0o600) },
		"is not the name of a bucket": func() { w.watches(want("nightlatch", "../etc")) },
	} {
		os.Remove(w.watched)
		write()
		if err := w.handle(t.Context(), json.RawMessage(scheduled)); err == nil || !strings.Contains(err.Error(), name) || len(w.s3.Calls()) > 0 {
			t.Errorf("%s: got %v, or calls", name, err)
		}
	}
	succeeded(t, w.request(t.Context(), remove, want("nightlatch", "logs"), nil), "0", "0", "none")
}

func TestOtherEventsAreErrors(t *testing.T) {
	w := newWorld(t, "new")
	for _, event := range []string{``, `[]`, `{}`, `{"RequestType":"Create"}`, `{"RequestType":1}`, `{"source":"aws.s3","detail-type":"Object Created"}`, `{"source":"me","detail-type":"Scheduled Event"}`} {
		if err := w.handle(t.Context(), json.RawMessage(event)); err == nil || len(w.s3.Calls()) > 0 {
			t.Errorf("%s: got %v, or calls", event, err)
		}
	}
}

// The whole function as it is deployed: its environment, the Lambda runtime's decoding, S3, SNS and CloudFormation over HTTP.
func TestTheWholeFunction(t *testing.T) {
	w := newWorld(t, "logs")
	var published string
	topic := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		published = r.FormValue("Subject") + "\n" + r.FormValue("Message")
		fmt.Fprint(rw, "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>")
	}))
	defer topic.Close()
	for name, value := range map[string]string{"AWS_REGION": region, "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "x",
		"AWS_ENDPOINT_URL_S3": w.s3.URL, "AWS_ENDPOINT_URL_SNS": topic.URL} {
		t.Setenv(name, value)
	}
	e, err := build(t.Context(), []string{"NIGHTLATCH_TOPIC=arn:aws:sns:eu-west-1:111122223333:team", "NIGHTLATCH_LOG_LEVEL=error"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lambda.NewHandler(e.handle).Invoke(t.Context(), w.event(create, want("nightlatch", "logs", "gone"), nil)); err != nil {
		t.Fatal(err)
	}
	w.has("logs/nightlatch")
	succeeded(t, w.cfn.answers[0], "1", "0", `bucket "gone": there is no such bucket`)
	if !strings.HasPrefix(published, "[nightlatch] NOT WATCHED: gone (111122223333 eu-west-1)\n") {
		t.Errorf("published %q", published)
	}
	if e, err := build(t.Context(), []string{"NIGHTLATCH_TOPIC=team"}); err == nil || e != nil {
		t.Errorf("a wrong setting: got %v, %v", e, err)
	}
}
