package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"nightlatch/internal/awstest"
	"nightlatch/internal/deployment/approvertest"
)

const (
	secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	olgas  = "ASIAEXAMPLEOLGA00001"
)

var (
	ours  = Deployment{"111122223333", "eu-west-1", "Nightlatch-incidents"}
	olga  = aws.Credentials{AccessKeyID: olgas, SecretAccessKey: secret, SessionToken: "FwoG+/x_y.z-="}
	said1 = []byte(`{"incident":"x-1","step":1,"action":"deactivate-key","target":"AKIAEXAMPLESTOLEN001"}`)
)

const answers = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>%s</Arn><UserId>%s</UserId>
<Account>%s</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId></ResponseMetadata></GetCallerIdentityResponse>`

const refuses = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error></ErrorResponse>`

// fakeSTS knows olga, and checks signatures by itself: moto does not. It counts what it is asked.
type fakeSTS struct {
	*httptest.Server
	asked  atomic.Int64
	answer http.HandlerFunc // instead of its own
}

func newSTS(t *testing.T) *fakeSTS {
	f := &fakeSTS{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		body, err := io.ReadAll(r.Body)
		if f.answer != nil {
			f.answer(w, r)
			return
		}
		if err == nil && (r.Host != "sts.eu-west-1.amazonaws.com" || string(body) != call || r.URL.RequestURI() != "/") {
			err = fmt.Errorf("asked at %s%s: %s", r.Host, r.URL.RequestURI(), body)
			t.Error(err)
		}
		if err == nil {
			err = approvertest.Signed(r, body, secret, "eu-west-1", "sts")
		}
		if err != nil {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, refuses, "SignatureDoesNotMatch")
			return
		}
		fmt.Fprintf(w, answers, "arn:aws:sts::111122223333:assumed-role/oncall/olga", "AROAEXAMPLEONCALL:olga", "111122223333")
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeSTS) verifier(t *testing.T, to Deployment) *Verifier {
	t.Helper()
	v, err := New(aws.Config{Region: to.Region, BaseEndpoint: &f.URL}, to, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// signed is olga's request in its envelope.
func signed(t *testing.T, c aws.Credentials, w Word, at time.Time) Envelope {
	t.Helper()
	p, err := Sign(t.Context(), c, w, at)
	if err != nil {
		t.Fatal(err)
	}
	return Envelope{w.Text, p}
}

func TestWhoHasSignedIsWhoSTSSays(t *testing.T) {
	f := newSTS(t)
	for name, c := range map[string]aws.Credentials{"a session": olga, "a long-term key": {AccessKeyID: "AKIAEXAMPLEOLGA00001", SecretAccessKey: secret}} {
		now := time.Now()
		got, err := f.verifier(t, ours).Caller(t.Context(), "/approve", signed(t, c, Word{ours, "/approve", said1}, now))
		want := Identity{"arn:aws:sts::111122223333:assumed-role/oncall/olga", "AROAEXAMPLEONCALL:olga", "111122223333", c.AccessKeyID, now.UTC().Truncate(time.Second)}
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
}

// moto is asked as STS is, and knows the credentials that it has given out.
func TestMotoKnowsWhoHasSigned(t *testing.T) {
	cfg := awstest.Config(awstest.Moto(t))
	user, err := iam.NewFromConfig(cfg).CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("olga")})
	if err != nil {
		t.Fatal(err)
	}
	key, err := iam.NewFromConfig(cfg).CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: user.User.UserName})
	if err != nil {
		t.Fatal(err)
	}
	role, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/oncall"), RoleSessionName: aws.String("olga")})
	if err != nil {
		t.Fatal(err)
	}
	to := Deployment{"123456789012", "eu-west-1", "Nightlatch-incidents"}
	v, err := New(cfg, to, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for arn, c := range map[string]aws.Credentials{
		*user.User.Arn:            {AccessKeyID: *key.AccessKey.AccessKeyId, SecretAccessKey: *key.AccessKey.SecretAccessKey},
		*role.AssumedRoleUser.Arn: {AccessKeyID: *role.Credentials.AccessKeyId, SecretAccessKey: *role.Credentials.SecretAccessKey, SessionToken: *role.Credentials.SessionToken},
	} {
		got, err := v.Caller(t.Context(), "/mode", signed(t, c, Word{to, "/mode", []byte(`{"mode":"ask"}`)}, time.Now()))
		if err != nil || got.ARN != arn || got.AccessKeyID != c.AccessKeyID || got.Account != to.Account || got.UserID == "" {
			t.Errorf("got %+v, %v, want %s", got, err, arn)
		}
	}
}

// forged signs a request that is not the one that the approver makes, as an attacker's own program can.
func forged(t *testing.T, c aws.Credentials, service, region, url, body string, change func(*http.Request)) Proof {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	w := Word{ours, "/approve", said1}
	right, err := w.request(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req.Header = right.Header
	if change != nil {
		change(req)
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), c, req, sum([]byte(body)), service, region, time.Now()); err != nil {
		t.Fatal(err)
	}
	return Proof{req.Header.Get("Authorization"), req.Header.Get("X-Amz-Date"), req.Header.Get("X-Amz-Security-Token")}
}

// Each is a genuine signature of olga's, of something else, or a false one. None makes anybody olga. In the first half STS has to say so:
// the approver asks it about its own call alone, whatever was signed.
func TestASignatureOfAnythingElseProvesNothing(t *testing.T) {
	const at = "https://sts.eu-west-1.amazonaws.com/"
	now := time.Now()
	elsewhere, another := ours, ours
	elsewhere.Account, another.Table = "444455556666", "Other-incidents"
	sign := func(c aws.Credentials, w Word, at time.Time) Proof { return signed(t, c, w, at).Proof }
	right := sign(olga, Word{ours, "/approve", said1}, now)
	edit := func(change func(*Proof)) Proof {
		p := right
		change(&p)
		return p
	}
	auth := func(old, new string) Proof {
		if !strings.Contains(right.Authorization, old) {
			t.Fatalf("%q is not in %q", old, right.Authorization)
		}
		return edit(func(p *Proof) { p.Authorization = strings.Replace(p.Authorization, old, new, 1) })
	}
	notOurs := "it is not the signature of this request to this deployment"
	for name, c := range map[string]struct {
		proof Proof
		asks  bool // STS, whose answer it is
		says  string
	}{
		"for another host":               {forged(t, olga, "sts", "eu-west-1", "https://evil.example/", call, nil), true, notOurs},
		"for the global endpoint":        {forged(t, olga, "sts", "eu-west-1", "https://sts.amazonaws.com/", call, nil), true, notOurs},
		"with a userinfo trick":          {forged(t, olga, "sts", "eu-west-1", "https://sts.eu-west-1.amazonaws.com@evil.example/", call, nil), true, notOurs},
		"for another path":               {forged(t, olga, "sts", "eu-west-1", at+"x", call, nil), true, notOurs},
		"with a query":                   {forged(t, olga, "sts", "eu-west-1", at+"?Action=GetSessionToken", call, nil), true, notOurs},
		"of another action":              {forged(t, olga, "sts", "eu-west-1", at, "Action=GetSessionToken&Version=2011-06-15", nil), true, notOurs},
		"with a parameter more":          {forged(t, olga, "sts", "eu-west-1", at, call+"&Arn=x", nil), true, notOurs},
		"by GET":                         {forged(t, olga, "sts", "eu-west-1", at, call, func(r *http.Request) { r.Method = "GET" }), true, notOurs},
		"with two values for one header": {forged(t, olga, "sts", "eu-west-1", at, call, func(r *http.Request) { r.Header.Add(wordHeader, "/approve 00") }), true, notOurs},
		"with another type":              {forged(t, olga, "sts", "eu-west-1", at, call, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }), true, notOurs},
		"of another request":             {sign(olga, Word{ours, "/approve", []byte(`{"mode":"observe"}`)}, now), true, notOurs},
		"of the same request elsewhere":  {sign(olga, Word{ours, "/hold", said1}, now), true, notOurs},
		"for another table":              {sign(olga, Word{another, "/approve", said1}, now), true, notOurs},
		"for another account":            {sign(olga, Word{elsewhere, "/approve", said1}, now), true, notOurs},
		"with another secret":            {sign(aws.Credentials{AccessKeyID: olgas, SecretAccessKey: "x", SessionToken: "y"}, Word{ours, "/approve", said1}, now), true, notOurs},
		"with another token":             {edit(func(p *Proof) { p.Token = "another" }), true, notOurs},
		"of another second":              {edit(func(p *Proof) { p.Date = now.UTC().Add(-time.Minute).Format(amzDate) }), true, notOurs},

		"nothing":                            {Proof{}, false, "what came is not a signature of sts:GetCallerIdentity"},
		"a presigned one":                    {Proof{Date: right.Date, Token: right.Token, Authorization: "https://sts.eu-west-1.amazonaws.com/?X-Amz-Signature=00"}, false, "is not a signature of"},
		"for another service":                {forged(t, olga, "lambda", "eu-west-1", at, call, nil), false, "is not a signature of sts:GetCallerIdentity"},
		"for another region":                 {forged(t, olga, "sts", "us-east-1", at, call, nil), false, "it is for region us-east-1, and this is eu-west-1"},
		"without the request":                {forged(t, olga, "sts", "eu-west-1", at, call, func(r *http.Request) { r.Header.Del(wordHeader) }), false, "is the command of another version?"},
		"without the deployment":             {forged(t, olga, "sts", "eu-west-1", at, call, func(r *http.Request) { r.Header.Del(deploymentHeader) }), false, "is not what this approver asks for"},
		"with a header more":                 {forged(t, olga, "sts", "eu-west-1", at, call, func(r *http.Request) { r.Header.Set("X-Other", "1") }), false, "is not what this approver asks for"},
		"with the request, and not signed":   {auth(";x-nightlatch-word", ""), false, "is not what this approver asks for"},
		"without its token":                  {edit(func(p *Proof) { p.Token = "" }), false, "is not what this approver asks for"},
		"with a line break in it":            {auth("Signature=", "Signature=\r\nHost: evil"), false, "is not a signature of"},
		"with a second one behind it":        {edit(func(p *Proof) { p.Authorization += ", " + p.Authorization }), false, "is not a signature of"},
		"with a line break in its token":     {edit(func(p *Proof) { p.Token = "x\r\nX-Nightlatch-Word: y" }), false, "is not a signature of"},
		"of another day than its scope":      {edit(func(p *Proof) { p.Date = "20200101T000000Z" }), false, "does not say when it was signed"},
		"of no time":                         {edit(func(p *Proof) { p.Date = p.Date[:8] + "T250000Z" }), false, "does not say when it was signed"},
		"of no date":                         {edit(func(p *Proof) { p.Date = "" }), false, "does not say when it was signed"},
		"of five minutes ago":                {sign(olga, Word{ours, "/approve", said1}, now.Add(-life-2*time.Second)), false, "a proof is good for 5 minutes"},
		"of a minute from now":               {sign(olga, Word{ours, "/approve", said1}, now.Add(ahead+5*time.Second)), false, "check that machine's clock"},
		"with lower case in its key":         {auth(olgas, "asiaexampleolga00001"), false, "is not a signature of"},
		"of version 4a, for all the regions": {auth("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), false, "is not a signature of"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newSTS(t)
			id, err := f.verifier(t, ours).Caller(t.Context(), "/approve", Envelope{said1, c.proof})
			var no Unproven
			if !errors.As(err, &no) || !strings.Contains(no.Why, c.says) || id != (Identity{}) {
				t.Errorf("got %+v, %v, want that nobody has signed: %s", id, err, c.says)
			}
			if (f.asked.Load() != 0) != c.asks {
				t.Errorf("STS was asked %d times", f.asked.Load())
			}
		})
	}
}

func TestATamperedRequestIsNotWhatWasSigned(t *testing.T) {
	f := newSTS(t)
	e := signed(t, olga, Word{ours, "/approve", said1}, time.Now())
	e.Word = []byte(strings.Replace(string(said1), "STOLEN", "OTHERS", 1))
	if id, err := f.verifier(t, ours).Caller(t.Context(), "/approve", e); !errors.As(err, new(Unproven)) {
		t.Errorf("got %+v, %v", id, err)
	}
}

func TestAProofIsGoodForFiveMinutes(t *testing.T) {
	f := newSTS(t)
	now := time.Now().UTC().Truncate(time.Second)
	v := f.verifier(t, ours)
	v.now = func() time.Time { return now }
	for ago, good := range map[time.Duration]bool{0: true, life: true, life + time.Second: false, -ahead: true, -ahead - time.Second: false} {
		_, _, err := signed(t, olga, Word{ours, "/mode", said1}, now.Add(-ago)).Proof.read(Word{ours, "/mode", said1}, now)
		if (err == nil) != good {
			t.Errorf("signed %v ago: %v", ago, err)
		}
	}
}

func TestWhatSTSMayAnswer(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	good := fmt.Sprintf(answers, "arn:aws:iam::111122223333:user/olga", "AIDAEXAMPLEOLGA", "111122223333")
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		unproven bool
		says     string
	}{
		"that it is denied":       {answer(403, fmt.Sprintf(refuses, "InvalidClientTokenId")), true, "by the proof that came (InvalidClientTokenId)"},
		"that it has expired":     {answer(400, fmt.Sprintf(refuses, "ExpiredToken")), true, "its credentials have ended; sign in again"},
		"that it is throttled":    {answer(400, fmt.Sprintf(refuses, "Throttling")), false, "it is being throttled; nothing was done"},
		"that it failed":          {answer(500, fmt.Sprintf(refuses, "InternalFailure")), false, "it failed on its side (HTTP 500); nothing was done"},
		"a hostile code":          {answer(403, fmt.Sprintf(refuses, "\u202e gone")), false, "the answer (HTTP 403) is not STS's"},
		"rubbish":                 {answer(200, "<html><body>hello"), false, "the answer (HTTP 200) is not STS's"},
		"nothing":                 {answer(200, ""), false, "is not STS's"},
		"JSON":                    {answer(200, `{"GetCallerIdentityResponse":{}}`), false, "is not STS's"},
		"another answer":          {answer(200, strings.ReplaceAll(good, "GetCallerIdentity", "GetSessionToken")), false, "is not STS's"},
		"an answer of another":    {answer(200, strings.ReplaceAll(good, "https://sts.amazonaws.com/doc/2011-06-15/", "https://evil.example/")), false, "is not STS's"},
		"an answer and a refusal": {answer(403, good), false, "is not STS's"},
		"another account's":       {answer(200, strings.Replace(good, "<Account>111122223333", "<Account>444455556666", 1)), false, "is not STS's"},
		"an ARN that is none":     {answer(200, strings.Replace(good, "arn:aws:iam", "arn:evil:iam", 1)), false, "is not STS's"},
		"nobody":                  {answer(200, fmt.Sprintf(answers, "", "", "")), false, "is not STS's"},
		"more than anybody reads": {answer(200, good+strings.Repeat(" ", maxAnswer)), false, "it is too long"},
		"less than it says": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "999")
			io.WriteString(w, good)
		}, false, "could not be read"},
		"nothing at all": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, "no answer came"},
		"that it is somewhere else": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				io.WriteString(w, good) // for whoever follows
			}
			w.Header().Set("Location", "/there")
			w.WriteHeader(307)
		}, false, "the answer (HTTP 307) is not STS's"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newSTS(t)
			f.Config.ErrorLog = nil
			f.answer = c.answer
			id, err := f.verifier(t, ours).Caller(t.Context(), "/approve", signed(t, olga, Word{ours, "/approve", said1}, time.Now()))
			if err == nil || errors.As(err, new(Unproven)) != c.unproven || !strings.Contains(err.Error(), c.says) || id != (Identity{}) {
				t.Errorf("got %+v, %v, want %q", id, err, c.says)
			}
			if f.asked.Load() != 1 {
				t.Errorf("it was asked %d times, want once", f.asked.Load())
			}
			if err != nil && strings.Contains(err.Error(), olga.SessionToken) {
				t.Error("the error shows the token")
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newSTS(t).verifier(t, ours).Caller(ctx, "/approve", signed(t, olga, Word{ours, "/approve", said1}, time.Now())); err == nil || errors.As(err, new(Unproven)) {
		t.Errorf("a run that was ended: got %v", err)
	}
}

// Where STS is comes from the function's own configuration, and is AWS's in its region where that says nothing. What is signed is always AWS's.
func TestWhereSTSIs(t *testing.T) {
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	for region, want := range map[string]string{"eu-west-1": "https://sts.eu-west-1.amazonaws.com/", "us-east-1": "https://sts.us-east-1.amazonaws.com/",
		"cn-north-1": "https://sts.cn-north-1.amazonaws.com.cn/", "us-gov-west-1": "https://sts.us-gov-west-1.amazonaws.com/"} {
		to := Deployment{"111122223333", region, "t"}
		v, err := New(aws.Config{Region: region}, to, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Word{to, "/mode", nil}.request(t.Context())
		if err != nil || v.at.String() != want || r.URL.String() != want {
			t.Errorf("%s: asked at %s, signed for %s, %v; want %s", region, v.at, r.URL, err, want)
		}
	}
	for _, bad := range []string{"", "sts", "http://[", "/x"} {
		if _, err := New(aws.Config{Region: "eu-west-1", BaseEndpoint: &bad}, ours, time.Now); err == nil {
			t.Errorf("%q is taken for an endpoint", bad)
		}
	}
}
