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

	"nightlatch/internal/doctor"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
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
	reports := doctor.Beat(ctx, e.now, all, e.beat)
	if !doctor.Well(reports) {
		e.log.WarnContext(ctx, "no heartbeat was taken", "why", doctor.Headline(reports))
	}
	return e.tell(ctx, reports, false)
}

// maxData keeps what the stack can read of the resource under 4 KB, with all that stands beside it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
const maxData = 1500

// deployed tries to read the trail's files and asks each engine each question while the stack is deployed, and answers what became of it, and which
// thresholds would suit the watched buckets better. It fails no deployment: what is refused is said, and told. The owner of the files may need the
// roles' names to let them in.
func (e *examiner) deployed(ctx context.Context, request cfn.Event) (id string, data map[string]any, err error) {
	const resource = "nightlatch-questions"
	if request.RequestType == cfn.RequestDelete {
		return resource, nil, nil
	}
	all, err := e.checks(recorded(e.now()))
	if err != nil {
		return resource, nil, err
	}
	all = slices.DeleteFunc(all, func(c doctor.Check) bool { return c.Name != doctor.AccessName && c.Name != doctor.QuestionsName })
	reports := doctor.Run(ctx, e.now, all)
	if err := e.tell(ctx, reports, true); err != nil {
		e.log.ErrorContext(ctx, "the team was not notified", "err", err)
	}
	var said []string
	for _, r := range reports {
		if r.Name == doctor.QuestionsName || r.State != doctor.Holds {
			said = append(said, r.Says)
		}
		for _, f := range r.Found {
			said = append(said, f.Says)
		}
	}
	said = slices.DeleteFunc(said, func(text string) bool { return text == "" })
	return resource, map[string]any{"Questions": e.output("questions", strings.Join(said, "; ")), "Thresholds": e.output("thresholds", e.thresholds(ctx, request.ResourceProperties))}, nil
}

// output is a text as the stack shows it. All of it goes to the log.
func (e *examiner) output(of, text string) string {
	text = prose.Plain(text)
	e.log.Info("said to the stack", "of", of, "text", text)
	if len(text) > maxData {
		text = text[:maxData] + " ... (cut; all of it is in the doctor's log)"
	}
	return text
}

// thresholds says which thresholds would suit the watched buckets better, by what they hold and what left them in the last weeks.
func (e *examiner) thresholds(ctx context.Context, properties map[string]any) string {
	var entries []string
	list, _ := properties["Buckets"].([]any)
	for _, entry := range list {
		text, _ := entry.(string)
		entries = append(entries, text)
	}
	filter, _ := properties["Id"].(string)
	watched, err := settings.ParseBuckets(strings.Join(entries, ","))
	if err != nil {
		return fmt.Sprintf("not known, as the buckets that CloudFormation hands over cannot be read: %v", err)
	}
	all, err := e.proposals(ctx, filter, watched)
	if err != nil {
		return fmt.Sprintf("not known: %v", err)
	}
	if len(all) == 0 {
		all = []string{"none would suit a bucket better, by its size and its last weeks"}
	}
	if others, _ := properties["Others"].(string); others != "" && others != "0" { // CloudFormation writes every scalar as a string
		all = append(all, others+" more buckets were not looked at: ask nightlatch doctor, and nightlatch backtest")
	}
	return strings.Join(all, "; ")
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
		if err := notify.All(ctx, e.channels, m.In(place), e.log); err != nil {
			return err
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
