// Package scheduler calls the responder with one-time schedules of EventBridge Scheduler, which delete themselves once they have fired:
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#one-time
package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"nightlatch/internal/alarm"
	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
	"nightlatch/internal/incident"
	"nightlatch/internal/lazyregexp"
)

const (
	// timeout bounds one call with its repeats, which come in tens of milliseconds.
	timeout = 10 * time.Second
	// backoff bounds the wait between two attempts.
	backoff = time.Second
	// eventAge is how long a follow-up is tried before it goes to the dead letters, which raise an alarm: the longest wait between two
	// follow-ups of an incident. Scheduler takes at least a minute, and at most 185 attempts.
	eventAge, retries = 15 * time.Minute, 185
)

// Settings are what a deployment decides.
type Settings struct {
	// Group is the name of the schedule group.
	Group string
	// Role is the ARN of the role with which Scheduler invokes the function and sends to the dead letters.
	Role string
	// DeadLetters is the ARN of the standard SQS queue that gets what could not be delivered.
	DeadLetters string
	// Function is the name of the responder's own function, in Role's account and the configuration's region: what Lambda says in
	// AWS_LAMBDA_FUNCTION_NAME.
	Function string
}

var (
	groupName    = lazyregexp.New(`^[0-9a-zA-Z_.-]{1,64}$`)
	roleARN      = lazyregexp.New(`^arn:(aws[a-z-]*):iam::([0-9]{12}):role/[\x21-\x7e]+$`)
	queueARN     = lazyregexp.New(`^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}$`)
	functionName = lazyregexp.New(`^[A-Za-z0-9_-]{1,64}$`)
)

// Scheduler makes schedules in one region. It is safe for use by several goroutines.
type Scheduler struct {
	settings Settings
	function string // its ARN
	now      func() time.Time
	client   *scheduler.Client
}

var _ incident.Scheduler = (*Scheduler)(nil)

// New makes the scheduler of cfg's region.
func New(cfg aws.Config, now func() time.Time, s Settings) (*Scheduler, error) {
	role := roleARN.FindStringSubmatch(s.Role)
	switch {
	case cfg.Region == "":
		return nil, errors.New("the scheduler needs a region, and the AWS configuration has none; set AWS_REGION")
	case cfg.Credentials == nil:
		return nil, errors.New("the scheduler needs credentials, and the AWS configuration has none; sign in or set a profile")
	case now == nil:
		return nil, errors.New("the scheduler needs a clock")
	case !groupName.MatchString(s.Group):
		return nil, fmt.Errorf("the scheduler needs a schedule group, and %q is not the name of one", s.Group)
	case role == nil:
		return nil, fmt.Errorf("the scheduler needs a role, and %q is not the ARN of one", s.Role)
	case !queueARN.MatchString(s.DeadLetters):
		return nil, fmt.Errorf("the scheduler needs a queue for what cannot be delivered, and %q is not the ARN of one", s.DeadLetters)
	case !functionName.MatchString(s.Function):
		return nil, fmt.Errorf("the scheduler needs the responder's function, and %q is not the name of one", s.Function)
	}
	return &Scheduler{
		settings: s, function: fmt.Sprintf("arn:%s:lambda:%s:%s:function:%s", role[1], cfg.Region, role[2], s.Function), now: now,
		client: scheduler.NewFromConfig(cfg, func(o *scheduler.Options) {
			o.Retryer = awserr.Retries(3, backoff, backoff)
		}),
	}, nil
}

// Grants are the permissions that the package needs, with ${ScheduleGroup} for the group's name and ${ScheduleRole} for the role's ARN.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgescheduler.html
func Grants() []grant.Grant {
	return []grant.Grant{
		{
			Sid: "WakeItself", Actions: []string{"scheduler:CreateSchedule"},
			On:  []string{"arn:${Partition}:scheduler:${Region}:${Account}:schedule/${ScheduleGroup}/*"},
			Why: "A schedule is named by the incident and the minute that it is for; the group holds nothing else.",
		},
		{
			Sid: "LetSchedulerWakeIt", Actions: []string{"iam:PassRole"}, On: []string{"${ScheduleRole}"},
			When: map[string]map[string]string{"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
		},
	}
}

// Schedule implements incident.Scheduler. The responder is called within the minute that begins at the given time, or at the next full one
// after it: Scheduler fires within 60 seconds. A time that is over, or will be while the call is made, becomes the next minute that is not.
// What Scheduler does with a time in the past is not documented.
//
// One incident and minute is one schedule, because it is one name.
func (w *Scheduler) Schedule(ctx context.Context, id string, at time.Time) error {
	if !alarm.IncidentID.MatchString(id) {
		return fmt.Errorf("incident %.60q cannot be scheduled: that is no incident's id", id)
	}
	if soonest := w.now().Add(timeout); at.Before(soonest) {
		at = soonest
	}
	at = at.UTC().Add(time.Minute - time.Nanosecond).Truncate(time.Minute)
	input, err := json.Marshal(map[string]any{"nightlatch": map[string]any{"advance": map[string]any{"incident": id}}})
	if err != nil {
		return fmt.Errorf("incident %q: %v", id, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err = w.client.CreateSchedule(ctx, &scheduler.CreateScheduleInput{
		GroupName:                  &w.settings.Group,
		Name:                       aws.String(id + at.Format(".200601021504")), // 53 of 64 characters at most
		ScheduleExpression:         aws.String(at.Format("at(2006-01-02T15:04:05)")),
		ScheduleExpressionTimezone: aws.String("UTC"),
		FlexibleTimeWindow:         &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		ActionAfterCompletion:      types.ActionAfterCompletionDelete,
		Target: &types.Target{
			Arn: &w.function, RoleArn: &w.settings.Role, Input: aws.String(string(input)),
			DeadLetterConfig: &types.DeadLetterConfig{Arn: &w.settings.DeadLetters},
			RetryPolicy:      &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(int32(eventAge / time.Second)), MaximumRetryAttempts: aws.Int32(retries)},
		},
	})
	var exists *types.ConflictException
	if err == nil || errors.As(err, &exists) {
		return nil
	}
	return w.failed(id, at, err)
}
