package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"nightlatch/internal/alarm"
	"nightlatch/internal/awstest"
	"nightlatch/internal/grant"
)

var (
	now   = time.Date(2026, 3, 4, 0, 3, 40, 0, time.UTC)
	given = Settings{
		Group: "nightlatch", Role: "arn:aws:iam::111122223333:role/Nightlatch-wakes", DeadLetters: "arn:aws:sqs:eu-west-1:111122223333:failed",
		Function: "Nightlatch-responder",
	}
)

const id = "20260304-000340-0123456789abcdef"

func newScheduler(t *testing.T, cfg aws.Config) *Scheduler {
	t.Helper()
	w, err := New(cfg, func() time.Time { return now }, given)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// group makes the schedule group in a moto of its own.
func group(t *testing.T) (endpoint string, client *scheduler.Client) {
	t.Helper()
	endpoint = awstest.Moto(t)
	client = scheduler.NewFromConfig(awstest.Config(endpoint))
	if _, err := client.CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: &given.Group}); err != nil {
		t.Fatal(err)
	}
	return endpoint, client
}

func names(t *testing.T, client *scheduler.Client) []string {
	t.Helper()
	out, err := client.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{GroupName: &given.Group})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range out.Schedules {
		all = append(all, *s.Name)
	}
	return all
}

func TestAMinuteIsOneSchedule(t *testing.T) {
	endpoint, client := group(t)
	w := newScheduler(t, awstest.Config(endpoint))
	at := now.Add(5 * time.Minute)
	for _, at := range []time.Time{at, at, at.Add(-39 * time.Second), at.Add(20 * time.Second), at.In(time.FixedZone("", 7200))} {
		if err := w.Schedule(t.Context(), id, at); err != nil {
			t.Fatal(err)
		}
	}
	name := id + ".202603040009"
	if got := names(t, client); len(got) != 1 || got[0] != name {
		t.Fatalf("five calls in one minute are %q, want %q", got, name)
	}
	got, err := client.GetSchedule(t.Context(), &scheduler.GetScheduleInput{GroupName: &given.Group, Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	want := &scheduler.GetScheduleOutput{
		GroupName: &given.Group, Name: &name, State: types.ScheduleStateEnabled, ActionAfterCompletion: types.ActionAfterCompletionDelete,
		ScheduleExpression: aws.String("at(2026-03-04T00:09:00)"), ScheduleExpressionTimezone: aws.String("UTC"),
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{
			Arn: aws.String("arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-responder"), RoleArn: &given.Role,
			Input:            aws.String(`{"nightlatch":{"advance":{"incident":"` + id + `"}}}`),
			DeadLetterConfig: &types.DeadLetterConfig{Arn: &given.DeadLetters},
			RetryPolicy:      &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(900), MaximumRetryAttempts: aws.Int32(185)},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(scheduler.GetScheduleOutput{}, "Arn", "CreationDate", "LastModificationDate", "ResultMetadata"),
		cmpopts.IgnoreUnexported(scheduler.GetScheduleOutput{}, types.FlexibleTimeWindow{}, types.Target{}, types.DeadLetterConfig{}, types.RetryPolicy{})); diff != "" {
		t.Errorf("the schedule (-want +got):\n%s", diff)
	}
	// What the schedule sends is what the responder reads.
	if event, err := alarm.Parse([]byte(*got.Target.Input)); err != nil || event.Advance != id {
		t.Errorf("the responder reads %+v, %v", event, err)
	}

	for _, call := range []struct {
		id string
		at time.Time
	}{{id, at.Add(time.Minute)}, {"another", at}} {
		if err := w.Schedule(t.Context(), call.id, call.at); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, client); len(got) != 3 {
		t.Errorf("other schedules are %q", got)
	}
}

func TestWhenAScheduleIs(t *testing.T) {
	var name, expression string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ ScheduleExpression string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		name, expression = strings.TrimPrefix(r.URL.Path, "/schedules/"), in.ScheduleExpression
		fmt.Fprint(w, `{"ScheduleArn":"arn"}`)
	}))
	t.Cleanup(srv.Close)
	w := newScheduler(t, awstest.Config(srv.URL))
	for _, c := range []struct {
		what string
		at   time.Time
		want string
	}{
		{"a full minute is that minute", now.Add(80 * time.Second), "00:05"},
		{"a nanosecond later is the next", now.Add(80*time.Second + 1), "00:06"},
		{"seconds are never too early", now.Add(50 * time.Second), "00:05"},
		{"now is the next minute", now, "00:04"},
		{"the past is the next minute", now.Add(-time.Hour), "00:04"},
		{"no time is the next minute", time.Time{}, "00:04"},
	} {
		if err := w.Schedule(t.Context(), id, c.at); err != nil || expression != "at(2026-03-04T"+c.want+":00)" || name != id+".20260304"+strings.ReplaceAll(c.want, ":", "") {
			t.Errorf("%s: %s, %s, %v, want %s", c.what, name, expression, err, c.want)
		}
	}
	// A minute that begins while the call is made may be over when Scheduler has the call.
	w.now = func() time.Time { return now.Add(11 * time.Second) }
	if err := w.Schedule(t.Context(), id, now.Add(20*time.Second)); err != nil || expression != "at(2026-03-04T00:05:00)" {
		t.Errorf("nine seconds before a minute: %s, %v", expression, err)
	}
	longest := strings.Repeat("a", 40)
	if err := w.Schedule(t.Context(), longest, now); err != nil || len(name) > 64 {
		t.Errorf("%q has %d characters, %v", name, len(name), err)
	}
	name = ""
	for _, bad := range []string{"", "A", "a.b", "a/b", "../x", "a b", "é", `"`, longest + "a", "<aws.scheduler.execution-id>"} {
		if err := w.Schedule(t.Context(), bad, now); err == nil || !strings.Contains(err.Error(), "cannot be scheduled") || name != "" {
			t.Errorf("Schedule(%q) = %v", bad, err)
		}
	}
}

// An answer that was lost is asked for again, and finds the schedule.
func TestALostAnswerIsNoSecondSchedule(t *testing.T) {
	endpoint, client := group(t)
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	var calls atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) > 1 {
			proxy.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}))
	t.Cleanup(srv.Close)
	if err := newScheduler(t, awstest.Config(srv.URL)).Schedule(t.Context(), id, now.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if got := names(t, client); len(got) != 1 || calls.Load() != 2 {
		t.Errorf("%d calls made %q", calls.Load(), got)
	}
}

func TestFailuresAreSentences(t *testing.T) {
	for _, c := range []struct {
		status int // 0 cuts the connection, -1 hangs
		code   string
		want   string
	}{
		{403, "AccessDeniedException", `the function's role may not call scheduler:CreateSchedule and iam:PassRole on group "nightlatch" and "arn:aws:iam::111122223333:role/Nightlatch-wakes" (AWS: "no"); grant it`},
		{404, "ResourceNotFoundException", `there is no schedule group "nightlatch" in this region; deploy again`},
		{402, "ServiceQuotaExceededException", "the account has as many schedules as it may"},
		{429, "ThrottlingException", "is throttling the account's calls; try again"},
		{400, "ValidationException", `refused with "no" (ValidationException); see`},
		{403, "ExpiredTokenException", "does not accept the responder's credentials; renew them"},
		{500, "InternalServerException", "failed on its side (HTTP 500); try again"},
		{404, "", "the answer (HTTP 404) is not EventBridge Scheduler's; see whether a proxy"},
		{0, "", "no answer came: "},
		{-1, "", "did not answer in time; the schedule may have been made"},
	} {
		t.Run(c.want, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case c.status == -1:
					<-release
				case c.status == 0:
					conn, _, err := w.(http.Hijacker).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					conn.Close()
				default:
					w.Header().Set("Content-Type", "application/json")
					if c.code != "" {
						w.Header().Set("X-Amzn-ErrorType", c.code)
					}
					w.WriteHeader(c.status)
					fmt.Fprint(w, `{"Message":"no"}`)
				}
			}))
			t.Cleanup(srv.Close)
			t.Cleanup(func() { close(release) })
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
			if c.status == -1 {
				ctx, stop = context.WithTimeout(t.Context(), 200*time.Millisecond)
			}
			defer stop()
			err := newScheduler(t, awstest.Config(srv.URL)).Schedule(ctx, id, now)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), `incident "`+id+`": waking the responder at 2026-03-04T00:04:00Z: `) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWhatTheSchedulerNeeds(t *testing.T) {
	cfg := awstest.Config("http://127.0.0.1:1")
	for want, change := range map[string]func(*aws.Config, *Settings){
		"needs a region":               func(c *aws.Config, _ *Settings) { c.Region = "" },
		"needs credentials":            func(c *aws.Config, _ *Settings) { c.Credentials = nil },
		"needs a schedule group":       func(_ *aws.Config, s *Settings) { s.Group = "a b" },
		"needs a role":                 func(_ *aws.Config, s *Settings) { s.Role = "wakes" },
		"needs a queue":                func(_ *aws.Config, s *Settings) { s.DeadLetters = "arn:aws:sns:eu-west-1:111122223333:failed" },
		"needs the responder's functi": func(_ *aws.Config, s *Settings) { s.Function = "" },
	} {
		c, s := cfg.Copy(), given
		change(&c, &s)
		if w, err := New(c, time.Now, s); w != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, %v, want %q", w, err, want)
		}
	}
	if w, err := New(cfg, nil, given); w != nil || err == nil {
		t.Errorf("New without a clock = %v, %v", w, err)
	}
	want := []grant.Grant{
		{Sid: "WakeItself", Actions: []string{"scheduler:CreateSchedule"}, On: []string{"arn:${Partition}:scheduler:${Region}:${Account}:schedule/${ScheduleGroup}/*"},
			Why: "A schedule is named by the incident and the minute that it is for; the group holds nothing else."},
		{Sid: "LetSchedulerWakeIt", Actions: []string{"iam:PassRole"}, On: []string{"${ScheduleRole}"},
			When: map[string]map[string]string{"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}},
	}
	if diff := cmp.Diff(want, Grants()); diff != "" {
		t.Errorf("Grants (-want +got):\n%s", diff)
	}
}
