package trailbucket

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"nightlatch/internal/awstest"
	"nightlatch/internal/evidence"
)

func TestMain(m *testing.M) { awstest.Beside(m) }

// answers are what S3 says to GET /BUCKET?policy and ?lifecycle, a status and a body each.
type answers map[string]struct {
	status int
	body   string
}

func refused(code string) string {
	return "<Error><Code>" + code + "</Code><Message>so says S3</Message></Error>"
}

// read reads the seal from a server that answers so, and says what was asked.
func read(t *testing.T, a answers, stated bool) (evidence.Seal, []string) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := strings.TrimSuffix(r.URL.RawQuery, "=")
		region := "eu-west-1"
		if !strings.Contains(r.Header.Get("Authorization"), "/"+region+"/") {
			region = "us-east-1"
		}
		mu.Lock()
		asked = append(asked, r.Method+" "+r.URL.Path+" "+what+" "+region)
		mu.Unlock()
		answer, ok := a[what+" "+region]
		if !ok {
			answer = a[what]
		}
		if strings.Contains(answer.body, "PermanentRedirect") {
			w.Header().Set("X-Amz-Bucket-Region", "us-east-1")
		}
		w.WriteHeader(answer.status)
		fmt.Fprint(w, answer.body)
	}))
	defer server.Close()
	b, err := New(aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")},
		Settings{Location: "s3://trail-files/AWSLogs/", Accounts: []string{"111122223333"}, Stated: stated})
	if err != nil {
		t.Fatal(err)
	}
	b.client = pathStyle(b)
	seal := b.Seal(t.Context())
	slices.Sort(asked)
	return seal, asked
}

func TestSeal(t *testing.T) {
	closed := policy(deny(anybody + "," + both + "," + others))
	none := answers{"lifecycle": {404, refused("NoSuchLifecycleConfiguration")}}
	with := func(status int, body string) answers {
		return answers{"policy": {status, body}, "lifecycle": none["lifecycle"]}
	}
	for name, c := range map[string]struct {
		a      answers
		sealed evidence.Sealed
		why    string
	}{
		"closed":                  {with(200, closed), evidence.Proved, ""},
		"open":                    {with(200, policy()), evidence.Open, "does not deny s3:PutObject"},
		"no policy":               {with(404, refused("NoSuchBucketPolicy")), evidence.Open, "has no policy"},
		"not allowed":             {with(403, refused("AccessDenied")), evidence.Open, "s3:GetBucketPolicy"},
		"not the owner's account": {with(405, refused("MethodNotAllowed")), evidence.Open, "sealed=stated"},
		"no bucket":               {with(404, refused("NoSuchBucket")), evidence.Open, `refused with "so says S3" (NoSuchBucket)`},
		"a proxy":                 {with(200, "<html>"), evidence.Open, "cannot be read as JSON"},
		"a fault":                 {with(500, refused("InternalError")), evidence.Open, "s3:GetBucketPolicy"},
		"short-lived": {answers{"policy": {200, closed}, "lifecycle": {200, `<LifecycleConfiguration><Rule><ID>gone</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`}},
			evidence.Open, `"gone"`},
		"a lifetime that cannot be read": {answers{"policy": {200, closed}, "lifecycle": {403, refused("AccessDenied")}}, evidence.Open, "s3:GetLifecycleConfiguration"},
		"in another region": {answers{"policy eu-west-1": {301, refused("PermanentRedirect")}, "lifecycle eu-west-1": {301, refused("PermanentRedirect")},
			"policy us-east-1": {200, closed}, "lifecycle us-east-1": none["lifecycle"]}, evidence.Proved, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, asked := read(t, c.a, false)
			if got.Sealed != c.sealed || !strings.Contains(strings.Join(got.Why, "; "), c.why) || (len(got.Why) == 0) != (c.sealed == evidence.Proved) {
				t.Errorf("got %+v, want %s by %q", got, c.sealed, c.why)
			}
			if name == "closed" && !slices.Equal(asked, []string{"GET /trail-files lifecycle eu-west-1", "GET /trail-files policy eu-west-1"}) {
				t.Errorf("S3 was asked %q", asked)
			}
			stated, _ := read(t, c.a, true)
			if want := map[bool]evidence.Sealed{true: evidence.Proved, false: evidence.Stated}[c.sealed == evidence.Proved]; stated.Sealed != want || len(stated.Why) != len(got.Why) {
				t.Errorf("stated: got %+v, want %s", stated, want)
			}
		})
	}
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	for location, accounts := range map[string][]string{"s3://trail": {"111122223333"}, "trail/AWSLogs/": {"111122223333"}, "s3://trail-files/AWSLogs/": nil} {
		if b, err := New(aws.Config{}, Settings{Location: location, Accounts: accounts}); err == nil || b != nil {
			t.Errorf("%q: got %v, %v", location, b, err)
		}
	}
}
