package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"

	"nightlatch/internal/grant/granttest"
	"nightlatch/internal/trail/cloudtrail/trailtest"
)

var goldens = flag.Bool("update", false, "write the goldens")

const ours = "111122223333"

// topic is a topic that remembers what is published to it.
type topic struct {
	mu   sync.Mutex
	sent []string
}

func (s *topic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	const subscription = theTopic + ":0d3c6a5e-0000-4000-8000-000000000000"
	switch r.Form.Get("Action") {
	case "ListSubscriptionsByTopic":
		io.WriteString(w, "<ListSubscriptionsByTopicResponse><ListSubscriptionsByTopicResult><Subscriptions><member><Protocol>email</Protocol><Endpoint>soc@example.com</Endpoint><SubscriptionArn>"+
			subscription+"</SubscriptionArn></member></Subscriptions></ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>")
		return
	case "GetSubscriptionAttributes":
		io.WriteString(w, "<GetSubscriptionAttributesResponse><GetSubscriptionAttributesResult><Attributes><entry><key>SubscriptionArn</key><value>"+subscription+
			"</value></entry></Attributes></GetSubscriptionAttributesResult></GetSubscriptionAttributesResponse>")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, r.Form.Get("Subject")+"\n"+r.Form.Get("Message"))
	io.WriteString(w, "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>")
}

// aliases is an IAM that knows what the account is called.
func aliases(w http.ResponseWriter, _ *http.Request) {
	io.WriteString(w, "<ListAccountAliasesResponse><ListAccountAliasesResult><AccountAliases><member>prod-data</member></AccountAliases></ListAccountAliasesResult></ListAccountAliasesResponse>")
}

// table is a DynamoDB in which nobody waits for a turn.
func table(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }

// deployed is a world whose enroller is built as it is deployed, and in which one action may be denied. Its bucket odd refuses.
func deployed(t *testing.T, deny string) (*world, *granttest.AWS, *topic) {
	t.Helper()
	w, sns := newWorld(t, "b-1", "b-2", "odd"), &topic{}
	w.s3.Put("odd", "nightlatch", "<Prefix>x</Prefix>")
	aws := &granttest.AWS{T: t, Account: ours, Caller: "ASIAEXAMPLE", Deny: deny, Services: map[string]http.Handler{"s3": w.s3, "sns": sns, "cloudtrail": w.aws, "organizations": w.aws,
		"iam": http.HandlerFunc(aliases), "dynamodb": http.HandlerFunc(table)}}
	proxy := httptest.NewServer(aws)
	t.Cleanup(proxy.Close)
	for name, value := range map[string]string{"AWS_REGION": region, "AWS_ACCESS_KEY_ID": aws.Caller, "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "x", "AWS_ENDPOINT_URL": proxy.URL} {
		t.Setenv(name, value)
	}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "endpoints.json"), []byte(`[{"protocol":"email","address":"soc@example.com"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LAMBDA_TASK_ROOT", root)
	e, err := build(t.Context(), []string{"NIGHTLATCH_TOPIC=" + theTopic, "NIGHTLATCH_TRAIL=" + aTrail, "NIGHTLATCH_TABLE=kept"})
	if err != nil {
		t.Fatal(err)
	}
	w.enroller.account, w.enroller.metrics, w.enroller.trails, w.enroller.team, w.enroller.alias = e.account, e.metrics, e.trails, e.team, e.alias
	w.enroller.stores = e.stores
	w.aws.Make(aTrail, "files")
	w.aws.MakeStore(aStore)
	w.aws.Join("o-exampleorg")
	w.aws.Change(aTrail, func(t *trailtest.Trail) { t.Trail["IsOrganizationTrail"] = true })
	return w, aws, sns
}

const theTopic = "arn:aws:sns:eu-west-1:111122223333:nightlatch"

// What a stack's life calls is written down, and the role is judged by that (infra).
func TestEveryCallOfAStacksLifeIsWrittenDown(t *testing.T) {
	w, aws, sns := deployed(t, "")
	everything, named := want("nightlatch", "*"), want("nightlatch", "b-1")
	succeeded(t, w.request(t.Context(), create, everything, nil), "2", "0", `bucket "odd"`)
	succeeded(t, w.request(t.Context(), update, named, everything), "1", "1", "none")
	succeeded(t, w.request(t.Context(), remove, named, nil), "0", "1", "none")
	if got := w.request(t.Context(), create, wantTrail(aTrail, "b-1"), nil); got.Data["Folder"] != "AWSLogs/o-exampleorg/" {
		t.Errorf("the trail's resource is %+v", got)
	}
	if got := w.request(t.Context(), create, properties{"EventDataStore": aStore}, nil); got.Data["Records"] != "some" {
		t.Errorf("the store's resource is %+v", got)
	}
	w.has("odd/nightlatch filtered")
	if len(sns.sent) != 1 || !strings.HasPrefix(sns.sent[0], "[nightlatch] NOT WATCHED: odd (111122223333 prod-data eu-west-1)\n") {
		t.Errorf("the team was notified of %q", sns.sent)
	}
	granttest.Golden(t, filepath.Join("testdata", "calls.json"), *goldens, aws.Calls("arn:aws:dynamodb:"+region+":"+ours+":table/kept", "${Table}", theTopic, "${Topic}", aTrail, "${Trail}", aStore, "${EventDataStore}", ours, "${Account}"))
}

// Whatever is missing, CloudFormation and the team are told which permission it is. Where the team cannot be notified, the log has it.
func TestEachDeniedCallIsNamed(t *testing.T) {
	tried := map[string]bool{}
	for _, c := range granttest.Read(t, filepath.Join("testdata", "calls.json")) {
		if tried[c.Action] {
			continue
		}
		tried[c.Action] = true
		t.Run(c.Action, func(t *testing.T) {
			w, _, sns := deployed(t, c.Action)
			asked := want("nightlatch", "*")
			if strings.HasPrefix(c.Action, "cloudtrail:") || strings.HasPrefix(c.Action, "organizations:") {
				asked = wantTrail(aTrail, "b-1")
			}
			if c.Action == "cloudtrail:GetEventDataStore" {
				asked = properties{"EventDataStore": aStore}
			}
			got := w.request(t.Context(), create, asked, nil)
			named := fmt.Sprint(got.Data["Refused"])
			switch c.Action {
			case "s3:ListAllMyBuckets", "cloudtrail:GetTrail", "cloudtrail:GetTrailStatus", "cloudtrail:GetEventSelectors", "organizations:DescribeOrganization":
				// nothing can be done at all
				if named = got.Reason; got.Status != cfn.StatusFailed || len(w.s3.Configs()) != 1 {
					t.Errorf("got %+v and %q, want a failure and nothing done", got, w.s3.Configs())
				}
			case "cloudtrail:GetEventDataStore": // it is answered as what takes some of S3
				if named = w.log.String(); got.Status != cfn.StatusSuccess || got.Data["Records"] != "some" {
					t.Errorf("got %+v", got)
				}
			case "iam:ListAccountAliases": // nobody misses it
				if named = w.log.String(); got.Status != cfn.StatusSuccess || len(sns.sent) != 1 || !strings.HasPrefix(sns.sent[0], "[nightlatch] NOT WATCHED: odd (111122223333 eu-west-1)\n") {
					t.Errorf("got %+v, and the team was notified of %q", got, sns.sent)
				}
			case "dynamodb:PutItem": // the message is sent without a turn
				if len(sns.sent) != 1 || !strings.HasPrefix(sns.sent[0], "[nightlatch] NOT WATCHED: odd ") {
					t.Errorf("the team was notified of %q", sns.sent)
				}
				return
			case "sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes": // who hears is not known, and the message was sent
				if len(sns.sent) != 1 || !strings.HasPrefix(sns.sent[0], "[nightlatch] NOT WATCHED: odd ") {
					t.Errorf("the team was notified of %q", sns.sent)
				}
				return
			case "sns:Publish":
				if named = w.log.String(); got.Status != cfn.StatusSuccess || len(sns.sent) != 0 {
					t.Errorf("got %+v, and the team was notified of %q", got, sns.sent)
				}
			default:
				if len(sns.sent) != 1 || !strings.Contains(sns.sent[0], "may not call "+c.Action) {
					t.Errorf("the team was notified of %q", sns.sent)
				}
			}
			if !strings.Contains(named, "the function's role may not call "+c.Action) || !strings.Contains(named, "because no identity-based policy allows the "+c.Action+" action") {
				t.Errorf("%s and AWS's reason are not in %s", c.Action, named)
			}
		})
	}
}
