package sns

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/report"
)

const arn = "arn:aws:sns:eu-central-1:111122223333:nightlatch"

// fakeSNS takes messages as SNS does, with SNS's limits, and fails as set: one entry a call, the last one stays.
type fakeSNS struct {
	t      *testing.T
	mu     sync.Mutex
	faults []string // "" takes the message, "hang" waits, "page" is a proxy's answer, else an error code
	calls  int
	region string
	sent   []url.Values
}

func (f *fakeSNS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "/")
	f.region = strings.Split(scope+"//", "/")[1]
	fault := ""
	if len(f.faults) > 0 {
		fault = f.faults[0]
		if len(f.faults) > 1 {
			f.faults = f.faults[1:]
		}
	}
	subject, body := r.Form.Get("Subject"), r.Form.Get("Message")
	switch {
	case fault == "hang":
		<-r.Context().Done()
		return
	case fault == "nothing":
		return
	case fault == "page":
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<!DOCTYPE html><p>blocked<br>")
		return
	case fault == "" && (body == "" || len(body) > 262144 || !utf8.ValidString(body) || len(subject) >= 100 ||
		r.Form.Has("Subject") && strings.TrimSpace(subject) == "" || strings.ContainsFunc(subject, func(r rune) bool { return r < ' ' || r > '~' })):
		f.t.Errorf("SNS would refuse subject %q with a body of %d bytes", subject, len(body))
		fault = "InvalidParameter"
	}
	if fault != "" {
		status := map[string]int{"AuthorizationError": 403, "NotFound": 404, "InternalError": 500}[fault]
		w.WriteHeader(max(status, 400))
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error></ErrorResponse>", fault)
		return
	}
	f.sent = append(f.sent, r.Form)
	fmt.Fprint(w, "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>")
}

func (f *fakeSNS) topic() *Topic {
	f.t.Helper()
	srv := httptest.NewServer(f)
	f.t.Cleanup(srv.Close)
	topic, err := New(aws.Config{
		Region: "us-east-1", BaseEndpoint: &srv.URL, HTTPClient: srv.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	}, arn)
	if err != nil {
		f.t.Fatal(err)
	}
	return topic
}

func TestSend(t *testing.T) {
	f := &fakeSNS{t: t}
	topic := f.topic()
	if got, want := topic.Name(), "sns:"+arn; got != want {
		t.Errorf("Name() = %q, want %q", got, want)
	}
	m := report.Message{Subject: "Nightlatch: key AKIAEXAMPLE turned off", Body: "Käse & Co.\n<undo>: aws iam update-access-key …\n"}
	if err := topic.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"Action": {"Publish"}, "Version": {"2010-03-31"}, "TopicArn": {arn}, "Subject": {m.Subject}, "Message": {m.Body}}
	if diff := cmp.Diff([]url.Values{want}, f.sent); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if f.region != "eu-central-1" {
		t.Errorf("the request was signed for %q, want the topic's region", f.region)
	}
}

func TestSendFitsWhatSNSWouldRefuse(t *testing.T) {
	f := &fakeSNS{t: t}
	topic := f.topic()
	for name, m := range map[string]report.Message{
		"no subject":         {Body: "x"},
		"a blank subject":    {Subject: " \n ", Body: "x"},
		"line breaks":        {Subject: "a\r\nBcc: everybody@example.com", Body: "x"},
		"not ASCII":          {Subject: "Käse", Body: "x"},
		"a long subject":     {Subject: strings.Repeat("é", 300), Body: "x"},
		"not UTF-8":          {Subject: "a", Body: "x\xff\xfe"},
		"a long body":        {Subject: "a", Body: strings.Repeat("0123456789\n", 40000)},
		"one endless line":   {Subject: "a", Body: strings.Repeat("é€", 100000)},
		"exactly the limit":  {Subject: "abc", Body: strings.Repeat("x", 262144-3)},
		"one byte too many":  {Subject: "abc", Body: strings.Repeat("x", 262144-2)},
		"an early line only": {Subject: "abc", Body: "\n" + strings.Repeat("x", 300000)},
	} {
		if err := topic.Send(t.Context(), m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFitBodyKeepsTheBeginning(t *testing.T) {
	var b strings.Builder
	b.WriteString("The key is off.\nUndo: aws iam update-access-key …\n")
	for i := range 9000 {
		fmt.Fprintf(&b, "%05d: an object in the list, with its bytes €\n", i)
	}
	got := fitBody(b.String(), maxBytes)
	lines := strings.Split(got, "\n")
	last, before := lines[len(lines)-1], lines[len(lines)-2]
	if !strings.HasPrefix(got, "The key is off.\nUndo: aws iam") || !strings.HasSuffix(before, " bytes €") {
		t.Errorf("begins %q, and the last line kept is %q", got[:40], before)
	}
	kept := len(got) - len(last) - 1
	if want := fmt.Sprintf("[the last %d of %d bytes are cut: an SNS message ends at 262144]", b.Len()-kept, b.Len()); last != want {
		t.Errorf("last line: got %q, want %q", last, want)
	}
	if len(got) > maxBytes || len(got) < maxBytes-2*noteBytes {
		t.Errorf("%d bytes, want just under %d", len(got), maxBytes)
	}
}

func FuzzFit(f *testing.F) {
	f.Add("subject\n", "a\nbb\nccc€", 140)
	f.Fuzz(func(t *testing.T, subject, body string, limit int) {
		limit = noteBytes + 1 + limit&0xfff
		if got := fitBody(body, limit); len(got) > limit || !utf8.ValidString(got) {
			t.Errorf("fitBody: %d bytes of %d, %q", len(got), limit, got)
		}
		if got := fitSubject(subject); len(got) > maxSubject || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("fitSubject: %q", got)
		}
	})
}

func TestSendRidesOutAThrottle(t *testing.T) {
	t.Parallel()
	f := &fakeSNS{t: t, faults: []string{"Throttled", "InternalError", ""}}
	if err := f.topic().Send(t.Context(), report.Message{Subject: "a", Body: "b"}); err != nil || f.calls != 3 {
		t.Errorf("got %v after %d calls, want success after 3", err, f.calls)
	}
}

func TestSendSaysWhatToDo(t *testing.T) {
	for fault, want := range map[string]string{
		"AuthorizationError":   "may not call sns:Publish",
		"KMSAccessDenied":      "may not call kms:GenerateDataKey and kms:Decrypt on the key of topic",
		"KMSDisabled":          "enable it",
		"NotFound":             "there is no such topic",
		"InvalidClientTokenId": "renew them",
		"InvalidParameter":     "SNS refused the message",
		"InternalError":        "HTTP 500",
		"Throttled":            "try again in a minute",
		"page":                 "the answer (HTTP 403) is not SNS's; see whether a proxy stands between",
		"nothing":              "the answer names no message, as SNS's does; see whether a proxy stands between",
		"hang":                 "did not answer in time",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel() // some wait between their attempts
			ctx := t.Context()
			if fault == "hang" {
				hung, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
				defer cancel()
				ctx = hung
			}
			f := &fakeSNS{t: t, faults: []string{fault}}
			err := f.topic().Send(ctx, report.Message{Subject: "a", Body: "b"})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), arn) {
				t.Errorf("got %v, want %q and the topic", err, want)
			}
		})
	}
	f := &fakeSNS{t: t}
	if err := f.topic().Send(t.Context(), report.Message{Subject: "a"}); err == nil || f.calls > 0 {
		t.Errorf("a message without text: got %v after %d calls", err, f.calls)
	}
}

func TestNewRefusesWhatIsNoTopic(t *testing.T) {
	cfg := aws.Config{Region: "eu-west-1", Credentials: aws.AnonymousCredentials{}}
	for _, bad := range []string{
		"", "nightlatch", "arn:aws:sqs:eu-west-1:111122223333:nightlatch", "arn:aws:sns:eu-west-1:1111:nightlatch",
		"arn:aws:sns:eu-west-1:111122223333:nightlatch.fifo", arn + ":8a5c2a30-0000-4000-8000-000000000001", arn + "\n", "x" + arn,
	} {
		if topic, err := New(cfg, bad); err == nil || topic != nil {
			t.Errorf("New(%q) = %v, %v, want an error", bad, topic, err)
		}
	}
}
