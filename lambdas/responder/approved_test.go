package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"nightlatch/internal/grant/granttest"
	"nightlatch/internal/incident/dynamo/dynamotest"
	"nightlatch/internal/proof"
)

const (
	// keptIn is the name of the table, and of the schedules' group and role.
	keptIn = "Nightlatch-kept"
	// theirKey is what the approver signs with.
	theirKey = "ASIAEXAMPLEAPPROVER1"
)

// named are the names of what keeps incidents, and the placeholders of grants for them.
func (m *midnight) named() []string {
	return []string{"arn:aws:dynamodb:eu-west-1:" + m.account + ":table/" + keptIn, "${Table}", "schedule/" + keptIn + "/", "schedule/${ScheduleGroup}/",
		"arn:aws:iam::" + m.account + ":role/" + keptIn, "${ScheduleRole}"}
}

// keep makes the table and the schedules' group, and says so to the function.
func (m *midnight) keep(ctx context.Context, t *testing.T, cfg aws.Config) {
	t.Helper()
	err := dynamotest.Table(ctx, cfg, keptIn)
	if err == nil {
		_, err = scheduler.NewFromConfig(cfg).CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: aws.String(keptIn)})
	}
	if err != nil {
		t.Fatal(err)
	}
	m.table = keptIn
	m.environ = append(m.environ, "NIGHTLATCH_TABLE="+keptIn, "NIGHTLATCH_SCHEDULE_GROUP="+keptIn, "NIGHTLATCH_SCHEDULE_ROLE=arn:aws:iam::"+m.account+":role/"+keptIn,
		"NIGHTLATCH_DEAD_LETTERS=arn:aws:sqs:eu-west-1:"+m.account+":failed", "AWS_LAMBDA_FUNCTION_NAME=Nightlatch-Responder-x1")
}

// asks sends one request to the approver's URL, proven by the human on call. It returns the answer's status and sentence. key is what the request
// is let in with, which whoever may invoke the function writes himself.
func (m *midnight) asks(t *testing.T, f *function, key, path, request string) (status int, sentence string) {
	t.Helper()
	p, err := proof.Sign(t.Context(), m.onCall, proof.Word{To: proof.Deployment{Account: m.account, Region: m.region, Table: m.table}, Path: path, Text: []byte(request)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(proof.Envelope{Word: []byte(request), Proof: p})
	if err != nil {
		t.Fatal(err)
	}
	event := fmt.Sprintf(`{"version":"2.0","rawPath":%q,"requestContext":{"authorizer":{"iam":{"accessKey":%q,"accountId":%q,"callerId":"AROAEXAMPLEONCALL:olga","userArn":%q,
"userId":"AROAEXAMPLEONCALL:olga"}},"http":{"method":"POST","path":%q,"sourceIp":"203.0.113.9"}},"body":%q,"isBase64Encoded":false}`,
		path, key, m.account, "arn:aws:sts::"+m.account+":assumed-role/oncall/olga", path, body)
	a := f.invoke(t, []byte(event))
	var answer struct {
		StatusCode int
		Body       string
	}
	var said map[string]string
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil || a.failed || json.Unmarshal([]byte(answer.Body), &said) != nil {
		t.Fatalf("the approver says %s; its log:\n%s", a.body, f.logs)
	}
	return answer.StatusCode, said["said"] + said["refused"]
}

// The responder asks, a human approves through the approver, and the responder, called again, turns the key off. The approver is a process of
// its own, and what they know of each other is in the table.
func (m *midnight) aHumanApproves(t *testing.T) {
	ctx := t.Context()
	first := m.respond(t, m.start(t, 4*time.Minute))
	if got := first.Outcomes[0]; got.State != "asked" || got.Target != m.stolen {
		t.Fatalf("got %+v, want that somebody is asked about the stolen key", got)
	}
	m.notified(ctx, t, "ALARM FIRED", "DECIDE")

	theirs := &granttest.AWS{T: t, Account: m.account, Caller: theirKey, Find: m.find, Services: maps.Clone(m.aws.Services)}
	proxy := httptest.NewServer(theirs)
	t.Cleanup(proxy.Close)
	approver := func(more ...string) *function {
		var env []string
		for _, e := range append(m.environ, append(more, "AWS_REGION="+m.config.Region, "AWS_ACCESS_KEY_ID="+theirKey, "AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=x",
			"NIGHTLATCH_RESPONDER=Nightlatch-Responder-x1", "AWS_ENDPOINT_URL="+proxy.URL, "LAMBDA_TASK_ROOT="+m.packed(t))...) {
			if !strings.HasPrefix(e, "AWS_LAMBDA_FUNCTION_NAME=") {
				env = append(env, e)
			}
		}
		return start(t, newRuntimeAPI(t, 2*time.Minute), bootstrap(t, "../approver"), env...)
	}
	f := approver()
	onCall := m.onCall.AccessKeyID
	if status, said := m.asks(t, f, onCall, "/mode", `{"mode":"ask"}`); status != 200 || said != "the mode is ask already" {
		t.Errorf("got %d %q", status, said)
	}
	if status, said := m.asks(t, f, onCall, "/approve", `{"incident":"nothing","step":1,"action":"deactivate-key","target":"AKIAX"}`); status != 404 {
		t.Errorf("got %d %q", status, said)
	}
	const asked = `{"incident":%q,"step":1,"action":"deactivate-key","target":%q}`
	question := fmt.Sprintf(asked, first.ID, m.stolen)
	if status, said := m.asks(t, f, onCall, "/approve", fmt.Sprintf(asked, first.ID, m.others["colleague"])); status != 409 || !strings.Contains(said, "as you were shown") {
		t.Errorf("a step that is another now: got %d %q", status, said)
	}
	if status, said := m.asks(t, f, m.stolen, "/approve", question); status != 403 || !strings.Contains(said, "nobody speaks for somebody else here") {
		t.Errorf("the thief with her proof: got %d %q", status, said)
	}
	if status, said := m.asks(t, approver("NIGHTLATCH_SCAN_BUDGET=1"), onCall, "/approve", question); status != 500 || !strings.Contains(said, "who was given "+onCall+" could not be asked") {
		t.Errorf("a question that is too dear: got %d %q", status, said)
	}
	if status, said := m.asks(t, f, onCall, "/approve", question); status != 200 || !strings.HasPrefix(said, "approved; deactivate-key "+m.stolen+": the responder does it") {
		t.Errorf("got %d %q", status, said)
	}
	m.keys(ctx, t, "Active") // the approver itself has no right to
	m.notified(ctx, t, "APPROVED")

	if a := m.start(t, 4*time.Minute).invoke(t, []byte(`{"nightlatch":{"advance":{"incident":"desk"}}}`)); a.failed {
		t.Errorf("called again, the responder says %s", a.body)
	}
	m.keys(ctx, t, "Inactive")
	m.notified(ctx, t, "REVISED", "NOT QUIET") // her other key was made a minute ago, by this test
	if status, said := m.asks(t, f, onCall, "/approve", question); status != 409 || !strings.Contains(said, "is done, and nothing is asked") {
		t.Errorf("got %d %q", status, said)
	}
	if !t.Failed() {
		granttest.Golden(t, filepath.Join("..", "approver", "testdata", "calls.json"), *update, m.callsOf(theirs))
	}
}

// notified takes the team's messages, one of which begins with each of these. Each says which account it is about, if not by its alias: IAM may
// have been slow.
func (m *midnight) notified(ctx context.Context, t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for range 3 { // a queue need not give all at once
		for _, body := range m.messages(ctx, t) {
			first, _, _ := strings.Cut(body, "\n")
			got = append(got, first)
			if !strings.HasSuffix(body, m.called()+"\n") && !strings.HasSuffix(body, "Account "+m.account+", region eu-west-1.\n") {
				t.Errorf("a message does not end with %q:\n%s", m.called(), body)
			}
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(first string) bool { return strings.HasPrefix(first, w) }) || len(got) != len(want) {
			t.Errorf("the team was notified of %q, want %q", got, want)
		}
	}
}
