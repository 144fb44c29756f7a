package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"nightlatch/internal/checks"
	"nightlatch/internal/doctor"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
)

// handle answers the schedules, and CloudFormation.
func (e *examiner) handle(ctx context.Context, raw json.RawMessage) error {
	var event struct {
		RequestType string // CloudFormation's
		Nightlatch  struct {
			Doctor string `json:"doctor"` // the schedules'
		} `json:"nightlatch"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return fmt.Errorf("the event is not JSON of an event's shape: %v", err)
	}
	switch {
	case event.RequestType != "":
		var request cfn.Event
		if err := json.Unmarshal(raw, &request); err != nil {
			return fmt.Errorf("the event looks like a custom resource's, and cannot be read: %v", err)
		}
		_, err := cfn.LambdaWrap(e.deployed)(ctx, request)
		return err
	case event.Nightlatch.Doctor == "daily":
		return e.daily(ctx)
	case event.Nightlatch.Doctor == "heartbeat" && e.beat != nil:
		return e.heartbeat(ctx)
	}
	return errors.New(`the event is no custom resource's and no schedule's: {"nightlatch": {"doctor": "daily"}}, or "heartbeat" where one is set`)
}

// empty begins a minute of which there are no records, nor of the hours before it that a question looks at: tomorrow noon. What partitions by day
// has none for it.
func empty(now time.Time) time.Time { return now.UTC().Truncate(24 * time.Hour).Add(36 * time.Hour) }

// recorded begins a minute of which there are records, in an account that lives: CloudTrail is behind by less.
func recorded(now time.Time) time.Time {
	return now.UTC().Truncate(time.Minute).Add(-20 * time.Minute)
}

// daily runs all checks.
func (e *examiner) daily(ctx context.Context) error {
	all, err := e.checks(empty(e.now()))
	if err != nil {
		return err
	}
	return e.tell(ctx, doctor.Run(ctx, e.now, all), true)
}

// heartbeat runs the checks of hearing and firing, and sends the sign of life if all of it works.
func (e *examiner) heartbeat(ctx context.Context) error {
	all, err := e.checks(empty(e.now()))
	if err != nil {
		return err
	}
	reports := doctor.Run(ctx, e.now, checks.Vital(all))
	if doctor.Well(reports) {
		reports = append(reports, doctor.Run(ctx, e.now, []doctor.Check{doctor.Heartbeat(e.beat)})...)
	} else {
		e.log.WarnContext(ctx, "no heartbeat is sent", "why", doctor.Headline(reports))
	}
	return e.tell(ctx, reports, false)
}

// maxData keeps what the stack can read of the resource under 4 KB, with all that stands beside it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
const maxData = 1500

// deployed asks each engine each question while the stack is deployed, and answers what became of it. It fails no deployment: what an engine
// refuses is said, and told.
func (e *examiner) deployed(ctx context.Context, request cfn.Event) (id string, data map[string]any, err error) {
	const resource = "nightlatch-questions"
	if request.RequestType == cfn.RequestDelete {
		return resource, nil, nil
	}
	all, err := e.checks(recorded(e.now()))
	if err != nil {
		return resource, nil, err
	}
	all = slices.DeleteFunc(all, func(c doctor.Check) bool { return c.Name != doctor.QuestionsName })
	reports := doctor.Run(ctx, e.now, all)
	if err := e.tell(ctx, reports, true); err != nil {
		e.log.ErrorContext(ctx, "the team was not notified", "err", err)
	}
	said := []string{reports[0].Says}
	for _, f := range reports[0].Found {
		said = append(said, f.Says)
	}
	text := prose.Plain(strings.Trim(strings.Join(said, "; "), "; "))
	if len(text) > maxData {
		text = text[:maxData] + " ... (cut; all of it is in the doctor's log)"
	}
	return resource, map[string]any{"Questions": text}, nil
}

// tell notifies the team of what is due, and remembers what was found. always says that what is remembered must not be needed for it. An error is
// returned where nobody was notified: the event's next delivery may do better, and the alarm on the function's errors fires on it.
func (e *examiner) tell(ctx context.Context, reports []doctor.Report, always bool) error {
	for _, r := range reports {
		e.log.InfoContext(ctx, "checked", "check", r.Name, "state", r.State.String(), "says", r.Says, "found", r.Found)
	}
	kept, unread := e.memory.Load(ctx)
	if unread != nil {
		e.log.ErrorContext(ctx, "what was told before is not known", "err", unread)
		if !always {
			return nil
		}
	}
	m, due, next := kept.Tell(e.now(), reports)
	if due {
		m.Body += "\n"
		place := e.place
		place.Alias = e.alias(ctx, e.log)
		m = m.In(place)
		var failures []error
		for _, c := range e.channels {
			if err := c.Send(ctx, m); err != nil && !errors.As(err, new(notify.Elsewhere)) {
				e.log.ErrorContext(ctx, "notifying failed", "channel", c.Name(), "err", err)
				failures = append(failures, err)
			}
		}
		if len(failures) == len(e.channels) {
			return fmt.Errorf("nobody was notified: %w", errors.Join(failures...))
		}
	}
	if unread != nil {
		return nil
	}
	if err := e.memory.Save(ctx, next); err != nil && !errors.Is(err, incident.ErrConflict) {
		e.log.ErrorContext(ctx, "what was told is not remembered, and will be told again", "err", err)
	}
	return nil
}
