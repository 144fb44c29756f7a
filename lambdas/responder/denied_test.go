package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
	"nightlatch/internal/grant/granttest"
	"nightlatch/internal/responder"
)

// denial is a midnight on which one action is denied.
type denial struct {
	plot
	// state is what becomes of the step; "" where there is none. key is the stolen key's status afterwards.
	state containment.State
	key   string
	says  string // the line of the message that names the permission, up to its name; unsaid where the log alone has it
}

// unsaid is of what the message does without.
const unsaid = "nothing"

// Each action that the stories call is denied in turn, with the answer that the service gives. Whatever is missing, the team is
// told which permission it is, nothing is said done that was not seen done, and nobody else's key is touched.
func TestEachDeniedCallIsNamedToTheTeam(t *testing.T) {
	t.Parallel() // the stories mostly wait
	const asked, off, on = containment.Asked, "Inactive", "Active"
	denials := map[string]denial{
		"cloudwatch:DescribeAlarms":            {plot{}, asked, on, "NOT CONFIRMED by CloudWatch: "},
		"cloudwatch:DescribeAlarmContributors": {plot{contributor: true}, asked, on, "NOT CONFIRMED by CloudWatch: "},
		"cloudwatch:ListMetrics":               {plot{together: true}, "", on, "NOT CONFIRMED by CloudWatch: "},
		"cloudwatch:GetMetricData":             {plot{}, asked, on, "NOT CONFIRMED by CloudWatch: "},
		"s3:GetMetricsConfiguration":           {plot{part: true}, asked, on, "selects, which was not read and may be all of it ("},
		"s3:GetBucketPolicy":                   {plot{files: true}, asked, on, "whether this evidence is CloudTrail's own, and all of it: "},
		"s3:GetLifecycleConfiguration":         {plot{files: true}, asked, on, "whether this evidence is CloudTrail's own, and all of it: "},
		"cloudtrail:StartQuery":                {plot{}, "", on, "CloudTrail could not be asked: "},
		"cloudtrail:DescribeQuery":             {plot{}, "", on, "CloudTrail could not be asked: "},
		"cloudtrail:GetQueryResults":           {plot{}, "", on, "CloudTrail could not be asked: "},
		"cloudtrail:CancelQuery":               {plot{env: []string{"NIGHTLATCH_SCAN_BUDGET=1"}}, "", on, "could not be stopped and goes on: "},
		"athena:GetTableMetadata":              {plot{files: true}, "", on, "CloudTrail could not be asked: "},
		"athena:StartQueryExecution":           {plot{files: true}, "", on, "CloudTrail could not be asked: "},
		"athena:GetQueryExecution":             {plot{files: true}, "", on, "CloudTrail could not be asked: "},
		"athena:GetQueryResults":               {plot{files: true}, "", on, "CloudTrail could not be asked: "},
		"athena:StopQueryExecution":            {plot{files: true, env: []string{"NIGHTLATCH_SCAN_BUDGET=1"}}, "", on, "could not be stopped and goes on: "},
		"sts:GetCallerIdentity":                {plot{}, asked, on, "YOU DECIDE deactivate-key KEY ("},
		"iam:GetUser":                          {plot{}, asked, on, "YOU DECIDE deactivate-key KEY ("},
		"iam:GetRole":                          {plot{role: true}, asked, on, "YOU DECIDE deny-role-session arn:aws:iam::ACCOUNT:role/service-role/etl ("},
		"iam:GetAccessKeyLastUsed":             {plot{}, asked, on, "YOU DECIDE deactivate-key KEY of mara ("}, // found by its user's keys; whether it is in use elsewhere is not known
		"iam:ListAccessKeys":                   {plot{}, containment.Unknown, off, "UNKNOWN deactivate-key KEY of mara: tried, and not seen done (it could not be read back: "},
		"iam:UpdateAccessKey":                  {plot{}, containment.Failed, on, "NOT DONE deactivate-key KEY of mara ("},
		"iam:ListAccountAliases":               {plot{}, containment.Done, off, unsaid},
		"sns:Publish":                          {plot{}, containment.Done, off, ""},
		"sns:ListSubscriptionsByTopic":         {plot{}, containment.Done, off, unsaid},
		"sns:GetSubscriptionAttributes":        {plot{}, containment.Done, off, unsaid},
		"dynamodb:PutItem":                     {plot{kept: true}, "", on, ""},
		"dynamodb:Query":                       {plot{kept: true}, "", on, ""},
		"dynamodb:GetItem":                     {plot{kept: true}, asked, on, ""},
		"scheduler:CreateSchedule":             {plot{kept: true}, containment.Done, off, ""},
		"iam:PassRole":                         {plot{kept: true}, containment.Done, off, ""},
	}
	for _, c := range granttest.Read(t, filepath.Join("testdata", "calls.json")) {
		if _, ok := denials[c.Action]; !ok {
			t.Errorf("the responder calls %s, and nobody has tried what happens without it", c.Action)
		}
	}
	denials["kms:GenerateDataKey"] = denials["sns:Publish"] // SNS uses the topic's key in the publisher's name
	endpoint := awstest.Moto(t)
	nights := map[string]*night{}
	for action, d := range denials {
		d.account = fmt.Sprintf("2000000000%02d", len(nights))
		nights[action] = &night{midnight: newMidnight(t.Context(), t, endpoint, d.plot)}
	}
	var all sync.WaitGroup
	for action, n := range nights {
		root := n.packed(t)
		all.Go(func() { n.respond(t.Context(), root, action) })
	}
	all.Wait()
	for action, d := range denials {
		t.Run(action, func(t *testing.T) { nights[action].check(t, action, d) })
	}
}

// night is a midnight in this process.
type night struct {
	*midnight
	handled responder.Handled
	err     error
	log     bytes.Buffer
}

// respond runs the responder as it is built, but for a clock that does not wait: the real one would take a quarter of an hour.
func (n *night) respond(ctx context.Context, root, deny string) {
	// Two or three query rounds are enough to decide; the time itself never comes.
	ctx, cancel := context.WithTimeout(ctx, 250*time.Second)
	defer cancel()
	r, err := n.skipping(root, &n.log)
	if err != nil {
		n.err = err
		return
	}
	n.aws.Deny = deny
	n.handled, n.err = r.Handle(ctx, n.event, nil)
}

func (n *night) check(t *testing.T, action string, d denial) {
	n.aws.T = t
	ctx := t.Context()
	n.keys(ctx, t, d.key)
	state := containment.State("")
	if outcomes := n.handled.Record.Outcomes; len(outcomes) > 0 {
		state = outcomes[0].State
	}
	if state != d.state {
		t.Errorf("the step is %q, want %q; the log:\n%s", state, d.state, &n.log)
	}
	messages := n.messages(ctx, t)
	if d.kept { // the event comes again, or the log says it
		if _, denied, _ := strings.Cut(fmt.Sprint(n.err)+n.log.String(), "may not call "); !strings.Contains(denied, action) {
			t.Errorf("got %v, want the permission in it or in the log:\n%s", n.err, &n.log)
		}
		if state != containment.Done && slices.ContainsFunc(messages, func(m string) bool { return strings.Contains(m, "CONTAINED") }) {
			t.Errorf("the team was notified of %q", messages)
		}
		return
	}
	if d.says == "" { // the event comes again, and then waits in the queue of failed events, on which an alarm fires
		if !errors.Is(n.err, responder.ErrNotDelivered) || !strings.Contains(n.err.Error(), "may not call "+action) || !strings.Contains(n.log.String(), "may not call "+action) {
			t.Errorf("got %v, want an error, and the permission in it and in the log:\n%s", n.err, &n.log)
		}
		if len(messages) > 0 {
			t.Errorf("the team was notified of %q", messages)
		}
		return
	}
	if n.err != nil || len(messages) != 1 {
		t.Fatalf("got %v and the messages %q, want one; the log:\n%s", n.err, messages, &n.log)
	}
	if contained := strings.HasPrefix(messages[0], "CONTAINED"); contained != (state == containment.Done) {
		t.Errorf("a key that was seen off: %t, and the message begins %q", state == containment.Done, messages[0][:60])
	}
	if d.says == unsaid {
		logged := strings.Contains(n.log.String(), "may not call "+action) || strings.HasPrefix(action, "sns:") // a channel has its log from where it is built
		if strings.Contains(messages[0], action) || !logged {
			t.Errorf("want the permission in the log alone:\n%s\n%s", &n.log, messages[0])
		}
		return
	}
	message := strings.Join(strings.Fields(messages[0]), " ")
	says := strings.NewReplacer("KEY", n.stolen, "ACCOUNT", n.account).Replace(d.says) + "the function's role may not call " + action + " on "
	_, on, ok := strings.Cut(message, says)
	if _, said, _ := strings.Cut(on, "(AWS: "); !ok || !strings.HasPrefix(said, fmt.Sprintf(`"%s on res`, action)) {
		t.Errorf("the message does not say %q and what AWS says:\n%s", says, messages[0])
	}
}

// skipping is a clock that goes to the end of each wait at once.
type skipping struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (s *skipping) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().UTC().Add(s.ahead)
}

func (s *skipping) Wait(ctx context.Context, until time.Time) error {
	left := until.Sub(s.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += max(left, 0)
	return ctx.Err()
}
