package deployment

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"nightlatch/internal/awstest"
	"nightlatch/internal/deployment/approvertest"
	"nightlatch/internal/grant"
)

const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

// environment is what the SDK reads: nothing of this machine's own.
func environment(t *testing.T, endpoint string) {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": endpoint,
		"AWS_ACCESS_KEY_ID": "ASIAEXAMPLEHUMAN0001", "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "token", "AWS_REGION": "eu-west-1",
	} {
		t.Setenv(name, value)
	}
}

var ours = Settings{Stack: "Nightlatch"}

// The stack's outputs, from moto.
func TestADeploymentIsFoundByItsStack(t *testing.T) {
	endpoint := awstest.Moto(t)
	environment(t, endpoint)
	// moto loads a service with its first call, which on a busy machine takes longer than a human is let wait.
	if _, err := cloudformation.NewFromConfig(awstest.Config(endpoint)).ListStacks(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	if d.Account != "123456789012" || d.Region != "eu-west-1" || !strings.HasPrefix(d.Caller, "arn:aws:sts::123456789012:") {
		t.Errorf("got account %s, region %s, caller %s", d.Account, d.Region, d.Caller)
	}
	_, err = d.Table(t.Context())
	says(t, err, `there is no stack "Nightlatch" in account 123456789012, region eu-west-1; give --stack, --region or --profile, or --table`)

	client := cloudformation.NewFromConfig(d.Config())
	create := func(stack, outputs string) {
		t.Helper()
		template := `{"Resources":{"Queue":{"Type":"AWS::SQS::Queue"}},"Outputs":{` + outputs + `}}`
		if _, err := client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &stack, TemplateBody: &template}); err != nil {
			t.Fatal(err)
		}
	}
	if generation, known := d.Generation(); known {
		t.Errorf("the generation is %q before anything is deployed", generation)
	}
	create("Nightlatch", `"Mode":{"Value":"act, epoch 2026-11-24"},"TableName":{"Value":"Nightlatch-incidents"},"ApproverUrl":{"Value":"https://abc123.lambda-url.eu-west-1.on.aws/"}`)
	create("Other", `"Something":{"Value":"else"}`)
	if table, err := d.Table(t.Context()); err != nil || table != "Nightlatch-incidents" {
		t.Errorf("Table = %q, %v", table, err)
	}
	if generation, known := d.Generation(); !known || generation != "2026-11-24" {
		t.Errorf("Generation = %q, %t", generation, known)
	}
	if url, err := d.Approver(t.Context()); err != nil || url != "https://abc123.lambda-url.eu-west-1.on.aws/" {
		t.Errorf("Approver = %q, %v", url, err)
	}
	other, err := Open(t.Context(), Settings{Stack: "Other"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Approver(t.Context())
	if generation, known := other.Generation(); known {
		t.Errorf("the generation is %q of a stack that does not say", generation)
	}
	says(t, err, `stack "Other" in account 123456789012, region eu-west-1 has no output ApproverUrl: it is not Nightlatch, or an older one, or not deployed to its end; deploy it, or give --url`)
	far, err := Open(t.Context(), Settings{Stack: "Nightlatch", Region: "us-west-2", Table: "given", URL: "https://abc123.lambda-url.eu-west-1.on.aws"})
	if err != nil {
		t.Fatal(err)
	}
	if table, err := far.Table(t.Context()); err != nil || table != "given" {
		t.Errorf("Table = %q, %v", table, err)
	}
	_, err = far.Approver(t.Context())
	says(t, err, "the approver is in region eu-west-1, and this is region us-west-2; give --region eu-west-1")
}

func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestSettingsThatAreNotWellFormed(t *testing.T) {
	for want, s := range map[string]Settings{
		`--stack "" is not`:             {},
		`--stack "a b" is not`:          {Stack: "a b"},
		`--region "Europe" is not`:      {Stack: "N", Region: "Europe"},
		`"http://x.on.aws/" is not`:     {Stack: "N", URL: "http://x.on.aws/"},
		`"https://" is not`:             {Stack: "N", URL: "https://"},
		`"https://a:b@x/" is not`:       {Stack: "N", URL: "https://a:b@x/"},
		`"https://x/?a=b" is not`:       {Stack: "N", URL: "https://x/?a=b"},
		`"x.on.aws" is not the URL of `: {Stack: "N", URL: "x.on.aws"},
	} {
		says(t, s.Check(), want)
	}
	if err := (Settings{Stack: "Nightlatch", Region: "eusc-de-east-1", URL: "https://x.lambda-url.eu-west-1.on.aws"}).Check(); err != nil {
		t.Error(err)
	}
}

func TestWhatTheConfigurationLacks(t *testing.T) {
	file := func(t *testing.T, text string) {
		t.Helper()
		name := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AWS_CONFIG_FILE", name)
		for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"} {
			t.Setenv(name, "")
		}
	}
	for want, c := range map[string]struct {
		set  func(*testing.T)
		ours Settings
	}{
		"no AWS region is set; give --region, or set AWS_REGION": {func(t *testing.T) { t.Setenv("AWS_REGION", "") }, ours},
		`the AWS configuration's region is "x/y", which is none`: {func(t *testing.T) { t.Setenv("AWS_REGION", "x/y") }, ours},
		`the AWS configuration has no profile "night"`:           {func(t *testing.T) { file(t, "[profile day]\nregion=eu-west-1\n") }, Settings{Stack: "N", Profile: "night"}},
		"no AWS credentials were found; run aws sso login":       {func(t *testing.T) { file(t, "[default]\nregion=eu-west-1\n") }, ours},
		"your AWS sign-in has expired; run aws sso login":        {func(t *testing.T) { file(t, sso) }, ours},
		"there are no AWS credentials to work with: ":            {func(t *testing.T) { file(t, "[default]\nregion=eu-west-1\ncredential_process=false\n") }, ours},
		"reading the AWS configuration: ": {func(t *testing.T) {
			file(t, "[default]\nregion=eu-west-1\nsso_account_id=1\n")
		}, ours},
		`the human has no code; sign in again, or give another`: {func(t *testing.T) { file(t, mfa) }, Settings{Stack: "N", Token: func() (string, error) { return "", errors.New("the human has no code") }}},
	} {
		t.Run(want, func(t *testing.T) {
			environment(t, "http://127.0.0.1:1")
			t.Setenv("HOME", t.TempDir())
			c.set(t)
			d, err := Open(t.Context(), c.ours)
			says(t, err, strings.SplitN(want, ";", 2)[0])
			if d != nil {
				t.Error("a deployment beside an error")
			}
		})
	}
}

const sso = `[default]
region=eu-west-1
sso_account_id=111122223333
sso_role_name=r
sso_region=eu-west-1
sso_start_url=https://example.awsapps.com/start
`

const mfa = `[default]
region=eu-west-1
role_arn=arn:aws:iam::111122223333:role/soc
mfa_serial=arn:aws:iam::111122223333:mfa/anna
source_profile=keys
[profile keys]
aws_access_key_id=AKIAEXAMPLEHUMAN0001
aws_secret_access_key=secret
`

// awsFails is an AWS that answers STS, and CloudFormation with what fails.
func awsFails(t *testing.T, operation string, fail http.HandlerFunc) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "Action="+operation) {
			fail(w, r)
			return
		}
		io.WriteString(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/anna</Arn><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	t.Cleanup(s.Close)
	environment(t, s.URL)
}

func refusing(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<ErrorResponse><Error><Code>%s</Code><Message>User: arn:x is not authorized to perform: it because no</Message></Error></ErrorResponse>`, code)
	}
}

func TestFailuresAreSentences(t *testing.T) {
	for _, c := range []struct {
		fail http.HandlerFunc
		want string
	}{
		{refusing(403, "AccessDenied"), `may not call ACTION on ON (AWS: "it because no"); grant it`},
		{refusing(403, "ExpiredToken"), "your AWS credentials have expired; sign in again"},
		{refusing(400, "RequestExpired"), "your AWS credentials have expired; sign in again"},
		{refusing(403, "InvalidClientTokenId"), "AWS does not accept your credentials; sign in again"},
		{refusing(403, "SignatureDoesNotMatch"), "AWS does not accept your credentials; sign in again, and check this machine's clock"},
		{refusing(400, "Throttling"), "calling ACTION on ON: AWS is throttling"},
		{refusing(400, "Strange"), `calling ACTION on ON: AWS refused with "User: arn:x is not authorized to perform: it because no" (Strange); see`},
		{refusing(500, "InternalFailure"), "calling ACTION on ON: AWS failed on its side (HTTP 500); try again"},
		{func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			io.WriteString(w, "<html>blocked</html>")
		}, "calling ACTION on ON: the answer (HTTP 403) is not AWS's; see whether a proxy"},
		{func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(407)
			io.WriteString(w, "<!DOCTYPE html><p>sign in<br>")
		}, "calling ACTION on ON: the answer (HTTP 407) is not AWS's; see whether a proxy"},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "calling ACTION on ON: no answer came: "},
	} {
		t.Run(c.want, func(t *testing.T) {
			fill := func(action, on string) string { return strings.NewReplacer("ACTION", action, "ON", on).Replace(c.want) }
			awsFails(t, "GetCallerIdentity", c.fail)
			_, err := Open(t.Context(), ours)
			says(t, err, fill("sts:GetCallerIdentity", "yourself"))

			awsFails(t, "DescribeStacks", c.fail)
			d, err := Open(t.Context(), ours)
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Table(t.Context())
			says(t, err, fill("cloudformation:DescribeStacks", `stack "Nightlatch"`))
			if denied := new(grant.Denial); errors.As(err, denied) && denied.Action != "cloudformation:DescribeStacks" {
				t.Errorf("denied %+v", denied)
			}
		})
	}
}

// opened is a deployment whose approver is played.
func opened(t *testing.T) (*Deployment, *approvertest.Approver) {
	t.Helper()
	awsFails(t, "nothing", nil)
	a := approvertest.New(t, secret, "111122223333/eu-west-1/Nightlatch-incidents")
	t.Setenv("AWS_CA_BUNDLE", a.CA)
	s := ours
	s.URL, s.Table = a.URL, "Nightlatch-incidents"
	d, err := Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return d, a
}

var theirs = Step{"x-1", 2, "deactivate-key", "AKIAEXAMPLESTOLEN001", ""}

func TestTheApproverGetsSignedRequests(t *testing.T) {
	d, a := opened(t)
	a.Answer(200, `{"said":"so be it"}`)
	for want, call := range map[string]func() (string, error){
		`POST /approve {"incident":"x-1","step":2,"action":"deactivate-key","target":"AKIAEXAMPLESTOLEN001"}`: func() (string, error) {
			return d.Approve(t.Context(), theirs)
		},
		`POST /hold {"incident":"x-1","step":2,"action":"deny-role-session","target":"\u003cAKIA \u2028\u0026\u003e","of":"ASIAEXAMPLELOOT00001"}`: func() (string, error) {
			return d.Hold(t.Context(), Step{"x-1", 2, "deny-role-session", "<AKIA \u2028&>", "ASIAEXAMPLELOOT00001"})
		},
		`POST /mode {"mode":"observe"}`: func() (string, error) { return d.LowerMode(t.Context(), "observe") },
	} {
		said, err := call()
		if err != nil || said != "so be it" {
			t.Errorf("%s: %q, %v", want, said, err)
		}
		if got := a.Requests(); len(got) != 1 || got[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	// The judge can say no: another secret, another region.
	for name, change := range map[string]func(*Deployment){
		"the signature is not that of the request": func(d *Deployment) {
			d.cfg.Credentials = credentials.NewStaticCredentialsProvider("ASIAEXAMPLEHUMAN0001", "another", "token")
		},
		"signed for ": func(d *Deployment) { d.Region = "us-east-1" },
		"the proof: the signature is not that of the request": func(d *Deployment) { d.settings.Table = "Another-incidents" },
	} {
		other := *d
		change(&other)
		_, err := other.Approve(t.Context(), theirs)
		says(t, err, "AWS does not let you call the approver (AWS: \"test: "+name)
	}
	if got := a.Requests(); len(got) != 0 {
		t.Errorf("let in: %q", got)
	}
}

func TestWhatTheApproverAnswers(t *testing.T) {
	d, a := opened(t)
	for _, c := range []struct {
		status        int
		body, want    string
		refused, open bool // it is the approver's own refusal; it is not known whether anything was done
	}{
		{400, `{"refused":"there is no step 7"}`, "there is no step 7", true, false},
		{403, `{"refused":"you are the actor"}`, "you are the actor", true, false},
		{409, `{"refused":"it is done"}`, "it is done", true, false},
		{500, `{"refused":"the table cannot be written"}`, "the table cannot be written", true, false},
		{403, `{"Message":"Forbidden"}`, `AWS does not let you call the approver (AWS: "Forbidden"); that takes lambda:InvokeFunctionUrl and lambda:InvokeFunction`, false, false},
		{403, `{"message":"\u001b[2Jgone"}`, `(AWS: "\x1b[2Jgone")`, false, false},
		{403, `<html>`, "AWS does not let you call the approver", false, false},
		{404, `{"Message":null}`, "there is no approver at that URL", false, false},
		{429, `{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded"}`, "the approver is being throttled by Lambda, and nothing was done", false, false},
		{502, `Internal Server Error`, "the approver failed (HTTP 502)", false, true},
		{504, ``, "the approver failed (HTTP 504)", false, true},
		{200, `{}`, "the answer (HTTP 200) is not the approver's", false, false},
		{200, `{"refused":"never with 200"}`, "the answer (HTTP 200) is not the approver's", false, false},
		{200, `<html>`, "the answer (HTTP 200) is not the approver's", false, false},
		{307, ``, "the answer (HTTP 307) is not the approver's", false, false},
	} {
		a.Serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		said, err := d.Approve(t.Context(), theirs)
		says(t, err, c.want)
		if errors.As(err, new(Refused)) != c.refused || strings.Contains(err.Error(), "is not known") != c.open || said != "" {
			t.Errorf("%d %s: %q, %#v", c.status, c.body, said, err)
		}
		if got := a.Requests(); len(got) != 1 {
			t.Errorf("%d %s: got %q, want one request", c.status, c.body, got)
		}
	}
}

// A request that gets no answer is not repeated, and nobody claims to know what became of it.
func TestAnAnswerThatDoesNotCome(t *testing.T) {
	d, a := opened(t)
	for name, f := range map[string]http.HandlerFunc{
		"no answer came from the approver at 127.0.0.1": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"the approver's answer broke off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"said":"don`)
		},
	} {
		a.Serve(f)
		_, err := d.Approve(t.Context(), theirs)
		says(t, err, name)
		says(t, err, "whether it arrived is not known, look at the incident before you repeat it")
		if got := a.Requests(); len(got) != 1 {
			t.Errorf("%s: got %q, want one request", name, got)
		}
	}
	t.Setenv("AWS_CA_BUNDLE", "")
	d, err := Open(t.Context(), Settings{Stack: "N", URL: a.URL, Table: "Nightlatch-incidents"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Approve(t.Context(), theirs)
	says(t, err, "certificate")
	says(t, err, "the request was not sent and has changed nothing")
	if got := a.Requests(); len(got) != 0 {
		t.Errorf("somebody who is not trusted got %q", got)
	}
}

// Without a connection nothing was sent, and nobody has to look whether it arrived.
// Where Lambda has no function URLs, each request says what to do instead, and none is sent.
func TestARegionWithoutAnApprover(t *testing.T) {
	environment(t, awstest.Moto(t))
	t.Setenv("AWS_REGION", "il-central-1")
	d, err := Open(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() (string, error){
		"approve": func() (string, error) { return d.Approve(t.Context(), Step{}) },
		"hold":    func() (string, error) { return d.Hold(t.Context(), Step{}) },
		"mode":    func() (string, error) { return d.LowerMode(t.Context(), "observe") },
		"url":     func() (string, error) { return d.Approver(t.Context()) },
	} {
		said, err := ask()
		if said != "" {
			t.Errorf("%s: got %q", name, said)
		}
		says(t, err, "in region il-central-1 Lambda has no function URLs, so Nightlatch has no approver there that could be called, and nothing was asked of it; "+
			"do a step by the aws command that its message prints, and lower the mode by a deployment: npx cdk deploy -c mode=observe, with the other settings as they are")
	}
	// Whoever has put something of his own in front of it may call that.
	own := ours
	own.URL = "https://approver.example.com/"
	if d, err = Open(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	if u, err := d.Approver(t.Context()); err != nil || u != own.URL {
		t.Errorf("got %q, %v", u, err)
	}
}

func TestAnApproverThatIsNotThere(t *testing.T) {
	d, _ := opened(t)
	gone := httptest.NewTLSServer(http.NotFoundHandler())
	gone.Close()
	for _, url := range []string{gone.URL, "https://nowhere.invalid/"} {
		d.settings.URL = url
		_, err := d.Approve(t.Context(), theirs)
		says(t, err, " cannot be reached: ")
		says(t, err, "; the request was not sent and has changed nothing; see whether its URL is right")
		if err != nil && strings.Contains(err.Error(), "not known") {
			t.Errorf("got %v", err)
		}
	}
}
