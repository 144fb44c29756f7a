package trailbucket

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"nightlatch/internal/grant"
)

// What is listed and got of an organization's bucket: the account's own folder of the region, of today and yesterday, and one file of it.
func TestAccess(t *testing.T) {
	const folder = "/archive/o-exampleorg/AWSLogs/o-exampleorg/111122223333/CloudTrail/eu-west-1/2026/03/"
	const kms = "User: arn:aws:sts::111122223333:assumed-role/x/y is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext"
	list := func(region string, days ...string) (asked []string) {
		for _, day := range days {
			asked = append(asked, region+" list "+folder+day+"/")
		}
		return asked
	}
	for name, c := range map[string]struct {
		files     string // the day that has a file
		list, get string // what S3 refuses, a code and a message
		moved     bool   // the bucket is in us-east-1
		there     bool
		denied    string // the action
		says      string
		asked     []string
	}{
		"a file of today":     {files: "04", there: true, asked: append(list("eu-west-1", "04"), "eu-west-1 get "+folder+"04/x.json.gz bytes=0-0")},
		"one of yesterday":    {files: "03", there: true, asked: append(list("eu-west-1", "04", "03"), "eu-west-1 get "+folder+"03/x.json.gz bytes=0-0")},
		"none":                {files: "02", asked: list("eu-west-1", "04", "03")},
		"in another region":   {files: "04", moved: true, there: true, asked: []string{"eu-west-1 list " + folder + "04/", "us-east-1 list " + folder + "04/", "eu-west-1 get " + folder + "04/x.json.gz bytes=0-0", "us-east-1 get " + folder + "04/x.json.gz bytes=0-0"}},
		"no right to list":    {list: "AccessDenied:Access Denied", denied: "s3:ListBucket", says: `the function's role may not call s3:ListBucket on bucket "archive" (AWS: "Access Denied")`},
		"no right to read":    {files: "04", get: "AccessDenied:Access Denied", denied: "s3:GetObject", says: `the function's role may not call s3:GetObject on bucket "archive"`},
		"no right to the key": {files: "04", get: "AccessDenied:" + kms, denied: "kms:Decrypt", says: `the function's role may not call kms:Decrypt on the key of bucket "archive"`},
		"no bucket":           {list: "NoSuchBucket:no", says: `there is no bucket "archive"; correct where the trail's files lie`},
		"something else":      {list: "KeyTooLongError:no\u202e", says: `calling s3:ListBucket on bucket "archive": S3 refused with "no\u202e" (KeyTooLongError)`},
		"a fault":             {list: "InternalError:no", says: `calling s3:ListBucket on bucket "archive": S3 failed on its side (HTTP 500)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				region := map[bool]string{true: "us-east-1", false: "eu-west-1"}[strings.Contains(r.Header.Get("Authorization"), "/us-east-1/")]
				what, refused := fmt.Sprintf("%s get %s %s", region, r.URL.Path, r.Header.Get("Range")), c.get
				prefix := r.URL.Query().Get("prefix")
				if r.URL.Query().Has("list-type") {
					what, refused = region+" list "+r.URL.Path+"/"+prefix, c.list
				}
				asked = append(asked, what)
				switch code, message, _ := strings.Cut(refused, ":"); {
				case c.moved && region == "eu-west-1":
					w.Header().Set("X-Amz-Bucket-Region", "us-east-1")
					w.WriteHeader(301)
					fmt.Fprint(w, refusal("PermanentRedirect", "there"))
				case code != "":
					w.WriteHeader(map[string]int{"InternalError": 500, "NoSuchBucket": 404}[code] | map[bool]int{true: 403}[code != "InternalError" && code != "NoSuchBucket"])
					fmt.Fprint(w, refusal(code, message))
				case prefix != "" && strings.HasSuffix(prefix, "/"+c.files+"/"):
					fmt.Fprintf(w, "<ListBucketResult><Contents><Key>%sx.json.gz</Key></Contents></ListBucketResult>", prefix)
				case prefix != "":
					fmt.Fprint(w, "<ListBucketResult></ListBucketResult>")
				default:
					fmt.Fprint(w, "\x1f")
				}
			}))
			defer server.Close()
			b, err := New(aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")},
				Settings{Location: "s3://archive/o-exampleorg/AWSLogs/o-exampleorg/", Accounts: []string{"111122223333"}})
			if err != nil {
				t.Fatal(err)
			}
			b.client = pathStyle(b)
			there, err := b.Access(t.Context(), "eu-west-1", time.Date(2026, 3, 4, 0, 30, 0, 0, time.UTC))
			denial, _ := errors.AsType[grant.Denial](err)
			if there != c.there || denial.Action != c.denied || (err == nil) != (c.says == "") || err != nil && (!strings.Contains(err.Error(), c.says) || strings.ContainsAny(err.Error(), "\u202e\n")) {
				t.Errorf("got %t, %v", there, err)
			}
			if c.asked != nil && !slices.Equal(asked, c.asked) {
				t.Errorf("S3 was asked\n%s, want\n%s", strings.Join(asked, "\n"), strings.Join(c.asked, "\n"))
			}
		})
	}
}

func refusal(code, message string) string {
	return "<Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>"
}

// Word by word: it goes into somebody else's policy.
func TestWhatTheOwnerAdds(t *testing.T) {
	r := Reader{Partition: "aws", Account: "111122223333", Roles: []string{"arn:aws:iam::111122223333:role/Nightlatch-ResponderRole-x1"}, Bucket: "arn:aws:s3:::archive", Folder: "AWSLogs/o-exampleorg/", Accounts: []string{"111122223333"}}
	const by = `"Condition":{"ArnEquals":{"aws:PrincipalArn":["arn:aws:iam::111122223333:role/Nightlatch-ResponderRole-x1"]}`
	const who = `,"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"}`
	for want, statements := range map[string][]Statement{
		`[{"Action":"s3:GetObject",` + by + `}` + who + `,"Resource":["arn:aws:s3:::archive/AWSLogs/o-exampleorg/111122223333/CloudTrail/*"],"Sid":"NightlatchReads"},` +
			`{"Action":"s3:ListBucket",` + by + `,"StringLike":{"s3:prefix":["AWSLogs/o-exampleorg/111122223333/CloudTrail/*"]}}` + who + `,"Resource":"arn:aws:s3:::archive","Sid":"NightlatchLists"},` +
			`{"Action":"s3:GetBucketLocation",` + by + `}` + who + `,"Resource":"arn:aws:s3:::archive","Sid":"NightlatchFindsTheBucket"}]`: r.OfBucket(),
		`[{"Action":"kms:Decrypt",` + by + `,"StringLike":{"kms:ViaService":"s3.*"}}` + who + `,"Resource":"*","Sid":"NightlatchDecrypts"}]`: r.OfKey(),
	} {
		if got, err := json.Marshal(statements); err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}
