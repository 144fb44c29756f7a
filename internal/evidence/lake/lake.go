// Package lake asks CloudTrail Lake. It starts a question's SQL as a query on one event data store, waits until the query has finished, and
// reads all of its rows, following
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StartQuery.html
//
// Lake hands out rows while a query is still running, and after it was cancelled or ran out of time. Such rows look like an
// answer and are not one, so no row is read before the query's status is FINISHED.
package lake

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"nightlatch/internal/awserr"
	"nightlatch/internal/evidence"
	"nightlatch/internal/grant"
	"nightlatch/internal/patience"
)

const engine = evidence.StoreEngine

// callAttempts is how often the SDK makes one call that is throttled or cut off. It is two more than its default: two questions are asked
// at once, and the calls are cheap.
const callAttempts = 5

// callBackoff bounds the wait before the second of them; each after it may wait twice as long. A query is billed, and is not given up for a
// fault of some seconds.
const callBackoff = time.Second

// maxRuns is how often one question is run when Lake says that it ran out of resources. Each run is billed.
const maxRuns = 3

// Settings say which event data store is asked, and for how much.
type Settings struct {
	// EventDataStore is the ARN of the store. It also says in which region, and in whose account, the query runs.
	EventDataStore string
	// Account is our own account id. Where the store's is another one, the calls name its owner. "" means that it is ours.
	Account string
	// Budget is how many bytes one question may scan, its repeats included; 0 means no limit. It is a question's and not the Trail's:
	// a budget that one incident could use up for the next would be a way to blind the responder.
	// Lake bills by bytes scanned: https://aws.amazon.com/cloudtrail/pricing/
	Budget int64
}

// Trail is one event data store of CloudTrail Lake. Several goroutines may ask it at once.
type Trail struct {
	client *cloudtrail.Client
	store  store
	owner  *string // nil where the store is in our own account
	budget int64
	wait   func(context.Context, time.Duration) error // replaced by tests
}

var _ evidence.Trail = (*Trail)(nil)

// New prepares to ask the event data store that settings name. It makes no call.
func New(cfg aws.Config, settings Settings) (*Trail, error) {
	s, err := parseStore(settings.EventDataStore)
	if err != nil {
		return nil, err
	}
	if settings.Budget < 0 {
		return nil, fmt.Errorf("the budget of bytes scanned is %d: it must be 0 (no limit) or more", settings.Budget)
	}
	t := &Trail{store: s, budget: settings.Budget, wait: patience.Wait}
	if settings.Account != "" && settings.Account != s.account {
		t.owner = aws.String(s.account)
	}
	cfg = cfg.Copy()
	cfg.Region = s.region
	cfg.RetryMaxAttempts = callAttempts
	if cfg.Retryer == nil {
		cfg.Retryer = func() aws.Retryer { return awserr.Retries(callAttempts, callBackoff, retry.DefaultMaxBackoff) }
	}
	t.client = cloudtrail.NewFromConfig(cfg)
	return t, nil
}

// Grants are the permissions for the calls that a Trail makes, and no others:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html
func Grants() []grant.Grant {
	return []grant.Grant{{
		Sid: "AskCloudTrailLake",
		Actions: []string{
			"cloudtrail:StartQuery",
			"cloudtrail:DescribeQuery",
			"cloudtrail:GetQueryResults",
			"cloudtrail:CancelQuery",
		},
		On: []string{"${EventDataStore}"},
	}}
}

// Ask runs the question and returns all of its rows. It waits while all query slots are taken, while AWS throttles, and while the query
// runs. When ctx ends it cancels what it started, for which it takes up to startGrace and cancelTime more. Scanned and Ran count every run
// of the question, since every run is billed; how long one was queued, Lake does not say. Nobody but CloudTrail can write into a store, so that
// its seal is proved: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-lake.html (events are immutable).
func (t *Trail) Ask(ctx context.Context, question evidence.Question) (evidence.Answer, error) {
	return evidence.Collect(func(do func(evidence.Row) error) (evidence.Answer, error) { return t.each(ctx, question, maxPages, do) })
}

// Each answers a question as Ask does, and gives its rows to do one after the other, however many there are: of the answer a page is held at once.
// The Answer has no rows. What do returns as an error ends it, and is returned as it is. Behind an error, what was given may be some rows of many.
func (t *Trail) Each(ctx context.Context, question evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
	return t.each(ctx, question, allPages, do)
}

// each gives the rows of an answer that has so many pages at most. A query whose rows are being read is not run again.
func (t *Trail) each(ctx context.Context, question evidence.Question, pages int, do func(evidence.Row) error) (evidence.Answer, error) {
	sql := question.SQL(evidence.Schema{Table: t.store.id})
	if n := utf8.RuneCountInString(sql); n == 0 || n > evidence.MaxStatement {
		return evidence.Answer{}, fmt.Errorf("the %s query has %d characters: cloudtrail lake takes 1 to %d", question.Name(), n, evidence.MaxStatement)
	}
	answer := evidence.Answer{Engine: engine, Seal: evidence.Seal{Sealed: evidence.Proved}}
	pause := patience.Rerun
	for runs := 1; ; runs++ {
		q := &query{name: question.Name(), sql: sql, earlier: answer.Scanned}
		err := t.run(ctx, q)
		if err == nil {
			if err := t.read(ctx, q, pages, do); err != nil {
				return evidence.Answer{}, err
			}
		}
		answer.Scanned += q.scanned // the final figure may stand beside the rows
		answer.Ran += q.ran
		if err == nil {
			return answer, nil
		}
		if !errors.Is(err, errExhausted) || runs == maxRuns {
			return evidence.Answer{}, err
		}
		if ended := t.wait(ctx, pause.Next()); ended != nil {
			return evidence.Answer{}, fmt.Errorf("%w, and the time ended before it could run again: %w", err, ended)
		}
	}
}
