package lake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"nightlatch/internal/evidence"
	"nightlatch/internal/patience"
)

const (
	// startGrace is how long a StartQuery call in flight may go on after the caller's time has ended. A query whose id is
	// never learned cannot be cancelled: it would keep one of ten slots and be billed to its end.
	startGrace = 2 * time.Second
	// cancelTime is for cancelling after the caller's time has ended. Longer, and a Lambda would be stopped in the middle of it.
	cancelTime = 3 * time.Second
)

// errExhausted marks the one failure of a query that running it again can cure.
var errExhausted = fmt.Errorf("lake ran out of resources, as it is %w", evidence.ErrTooMuch)

// exhaustedText is how Lake says so. The API has no code for it, so this is the only failure known by its text:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-limitations.html
const exhaustedText = "Query exhausted resources at this scale factor"

// query is one run of a question.
type query struct {
	name    string
	sql     string
	id      string        // what Lake calls it; "" until it is started
	earlier int64         // bytes that earlier runs of the same question scanned
	scanned int64         // bytes of this run, as far as reported
	ran     time.Duration // how long Lake worked on it, as far as reported
	ended   bool          // nothing is left to cancel
}

// run takes one query from its start to its end. It leaves nothing running.
func (t *Trail) run(ctx context.Context, q *query) error {
	if err := t.start(ctx, q); err != nil {
		return err
	}
	err := t.await(ctx, q)
	if err != nil && !q.ended {
		if left := t.cancel(ctx, q); left != nil {
			err = fmt.Errorf("%w; it could not be stopped and goes on: %v", err, left)
		}
	}
	return err
}

// start starts the query, waiting for one of Lake's ten slots as long as ctx allows.
//
// StartQuery has no token that would make it idempotent. When its response is lost on the way and the SDK tries again, the first query runs
// on unseen, to its end. That is the price of not giving up on one cut connection.
func (t *Trail) start(ctx context.Context, q *query) error {
	if t.budget > 0 && q.earlier >= t.budget {
		return fmt.Errorf("the %s query was not run again, %d of %d bytes are used up: %w", q.name, q.earlier, t.budget, evidence.ErrBudget)
	}
	out, err := patiently(ctx, t, func() (*cloudtrail.StartQueryOutput, error) {
		longer, cancel := patience.Linger(ctx, startGrace)
		defer cancel()
		return t.client.StartQuery(longer, &cloudtrail.StartQueryInput{
			QueryStatement:               aws.String(q.sql),
			EventDataStoreOwnerAccountId: t.owner,
		})
	})
	if err != nil {
		err = explain(ctx, err, "StartQuery", fmt.Sprintf("starting the %s query on %s", q.name, t.store.arn))
		if _, refused := errors.AsType[*patience.Refused](err); refused {
			return fmt.Errorf("%w: %w", err, evidence.ErrBusy)
		}
		return err
	}
	if q.id = aws.ToString(out.QueryId); q.id == "" {
		return fmt.Errorf("starting the %s query on %s: cloudtrail lake answered without a query id", q.name, t.store.arn)
	}
	return nil
}

// await polls until the query has finished. The first poll comes after a wait: no query ends at once.
func (t *Trail) await(ctx context.Context, q *query) error {
	doing := fmt.Sprintf("waiting for the %s query %s on %s", q.name, q.id, t.store.arn)
	for pause := patience.Poll; ; {
		if err := t.wait(ctx, pause.Next()); err != nil {
			return explain(ctx, err, "", doing)
		}
		out, err := patiently(ctx, t, func() (*cloudtrail.DescribeQueryOutput, error) {
			return t.client.DescribeQuery(ctx, &cloudtrail.DescribeQueryInput{
				QueryId:                      aws.String(q.id),
				EventDataStoreOwnerAccountId: t.owner,
			})
		})
		if err != nil {
			return explain(ctx, err, "DescribeQuery", doing)
		}
		if s := out.QueryStatistics; s != nil {
			q.scanned = max(q.scanned, aws.ToInt64(s.BytesScanned)) // running totals
			q.ran = max(q.ran, time.Duration(aws.ToInt32(s.ExecutionTimeInMillis))*time.Millisecond)
		}
		switch out.QueryStatus {
		case types.QueryStatusFinished:
			q.ended = true
			return nil
		case types.QueryStatusQueued, types.QueryStatusRunning:
			if used := q.earlier + q.scanned; t.budget > 0 && used > t.budget {
				return fmt.Errorf("the %s query %s: %d bytes are scanned where %d are allowed: %w", q.name, q.id, used, t.budget, evidence.ErrBudget)
			}
		default:
			return q.fail(out.QueryStatus, aws.ToString(out.ErrorMessage))
		}
	}
}

// fail is the error for a query that ended in any way but FINISHED. Its partial rows are never read.
func (q *query) fail(status types.QueryStatus, message string) error {
	if message == "" {
		message = "cloudtrail lake gives no reason"
	}
	q.ended = true
	switch status {
	case types.QueryStatusFailed:
		if strings.Contains(message, exhaustedText) {
			return fmt.Errorf("the %s query %s failed, %w: narrow its time span or ask again later (%s)", q.name, q.id, errExhausted, message)
		}
		return fmt.Errorf("the %s query %s failed in cloudtrail lake: %s", q.name, q.id, message)
	case types.QueryStatusCancelled:
		return fmt.Errorf("the %s query %s was cancelled, and not by nightlatch: look for CancelQuery in cloudtrail to see by whom", q.name, q.id)
	case types.QueryStatusTimedOut:
		return fmt.Errorf("the %s query %s ran out of cloudtrail lake's time, as it is %w, its partial rows are not used: narrow its time span", q.name, q.id, evidence.ErrTooMuch)
	}
	q.ended = false
	return fmt.Errorf("the %s query %s is in status %q, which nightlatch does not know: it counts as failed", q.name, q.id, status)
}

// cancel stops a query, in a time of its own since the caller's may be over.
func (t *Trail) cancel(ctx context.Context, q *query) error {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer done()
	_, err := t.client.CancelQuery(ctx, &cloudtrail.CancelQueryInput{
		QueryId:                      aws.String(q.id),
		EventDataStoreOwnerAccountId: t.owner,
	})
	if _, over := errors.AsType[*types.InactiveQueryException](err); err == nil || over {
		return nil
	}
	return explain(ctx, err, "CancelQuery", "cancelling it")
}
