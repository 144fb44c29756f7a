package athena

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"nightlatch/internal/evidence"
	"nightlatch/internal/patience"
)

const (
	// startGrace is how long a StartQueryExecution call in flight may go on after the caller's time has ended. A query whose id is
	// never learned cannot be stopped: it would keep a slot and be billed to its end.
	startGrace = 2 * time.Second
	// stopTime is for stopping after the caller's time has ended. Longer, and a Lambda would be ended in the middle of it.
	stopTime = 3 * time.Second
)

const (
	theWorkGroup = "the workgroup " + WorkGroup
	theTable     = "the table " + Database + "." + TableName
)

// query is one run of a question.
type query struct {
	name    string
	tables  map[string]Table // that it reads, by their names
	sql     string
	id      string        // what Athena calls it; "" until it is started
	earlier int64         // bytes that earlier runs of the same question scanned
	scanned int64         // bytes of this run, as far as reported
	queued  time.Duration // how long it waited for resources, as far as reported
	ran     time.Duration // how long the engine worked on it, as far as reported
	output  string        // the address of the object with its rows, once it has succeeded
	ended   bool          // nothing is left to stop
}

// run takes one query from the check of its table to its success. It leaves nothing running.
func (t *Trail) run(ctx context.Context, q *query) error {
	if err := t.check(ctx, q); err != nil {
		return err
	}
	if err := t.start(ctx, q); err != nil {
		return err
	}
	err := t.await(ctx, q)
	if err != nil && !q.ended {
		if left := t.stop(ctx, q); left != nil {
			err = fmt.Errorf("%w; it could not be stopped and goes on: %v", err, left)
		}
	}
	return err
}

// start starts the query, waiting for a slot as long as ctx allows. The token makes it one query, however often the call is made: by the
// SDK when a response is lost on the way, or by us.
//
// Where results go, and how much a query may scan, is the workgroup's to say; results of earlier queries are never taken for new ones.
func (t *Trail) start(ctx context.Context, q *query) error {
	if t.budget > 0 && q.earlier >= t.budget {
		return fmt.Errorf("the %s query was not run again, %d of %d bytes are used up: %w", q.name, q.earlier, t.budget, evidence.ErrBudget)
	}
	doing := fmt.Sprintf("starting the %s query in %s", q.name, theWorkGroup)
	token := rand.Text() + rand.Text() // 52 characters, of 32 to 128
	out, err := patiently(ctx, t, func() (*athena.StartQueryExecutionOutput, error) {
		longer, cancel := patience.Linger(ctx, startGrace)
		defer cancel()
		return t.client.StartQueryExecution(longer, &athena.StartQueryExecutionInput{
			QueryString:           aws.String(q.sql),
			WorkGroup:             aws.String(WorkGroup),
			QueryExecutionContext: &types.QueryExecutionContext{Catalog: aws.String(Catalog), Database: aws.String(Database)},
			ClientRequestToken:    aws.String(token),
			ResultReuseConfiguration: &types.ResultReuseConfiguration{
				ResultReuseByAgeConfiguration: &types.ResultReuseByAgeConfiguration{Enabled: false},
			},
		})
	})
	if err != nil {
		err = explain(ctx, err, "StartQueryExecution", theWorkGroup, doing)
		if _, refused := errors.AsType[*patience.Refused](err); refused {
			return fmt.Errorf("%w: %w", err, evidence.ErrBusy)
		}
		return err
	}
	if q.id = aws.ToString(out.QueryExecutionId); q.id == "" {
		return fmt.Errorf("%s: athena answered without a query id", doing)
	}
	return nil
}

// await polls until the query has succeeded. The first poll comes after a wait: no query ends at once.
func (t *Trail) await(ctx context.Context, q *query) error {
	doing := fmt.Sprintf("waiting for the %s query %s", q.name, q.id)
	for pause := patience.Poll; ; {
		if err := t.wait(ctx, pause.Next()); err != nil {
			return explain(ctx, err, "", "", doing)
		}
		out, err := patiently(ctx, t, func() (*athena.GetQueryExecutionOutput, error) {
			return t.client.GetQueryExecution(ctx, &athena.GetQueryExecutionInput{QueryExecutionId: aws.String(q.id)})
		})
		if err != nil {
			return explain(ctx, err, "GetQueryExecution", theWorkGroup, doing)
		}
		if out.QueryExecution == nil || out.QueryExecution.Status == nil {
			return fmt.Errorf("%s: athena answered without the query's state: ask again", doing)
		}
		if s := out.QueryExecution.Statistics; s != nil { // running totals
			q.scanned = max(q.scanned, aws.ToInt64(s.DataScannedInBytes))
			q.queued = max(q.queued, time.Duration(aws.ToInt64(s.QueryQueueTimeInMillis))*time.Millisecond)
			q.ran = max(q.ran, time.Duration(aws.ToInt64(s.EngineExecutionTimeInMillis))*time.Millisecond)
		}
		switch status := out.QueryExecution.Status; status.State {
		case types.QueryExecutionStateSucceeded:
			q.ended = true
			if where := out.QueryExecution.ResultConfiguration; where != nil {
				q.output = aws.ToString(where.OutputLocation)
			}
			return nil
		case types.QueryExecutionStateQueued, types.QueryExecutionStateRunning:
			if used := q.earlier + q.scanned; t.budget > 0 && used > t.budget {
				return fmt.Errorf("the %s query %s: %d bytes are scanned where %d are allowed: %w", q.name, q.id, used, t.budget, evidence.ErrBudget)
			}
		case types.QueryExecutionStateCancelled:
			q.ended = true
			return t.cancelled(q, aws.ToString(status.StateChangeReason))
		case types.QueryExecutionStateFailed:
			// Athena may queue a failed query again by itself, and nobody waits for that one. Stopping what has ended is no error, and if it
			// cannot be stopped, then it most likely has. https://docs.aws.amazon.com/athena/latest/APIReference/API_QueryExecutionStatus.html
			q.ended = true
			t.stop(ctx, q)
			return fmt.Errorf("the %s query %s failed: %w", q.name, q.id, t.readingOf(q, status).failure(aws.ToString(status.StateChangeReason), status.AthenaError))
		default:
			return fmt.Errorf("the %s query %s is in state %q, which nightlatch does not know: it counts as failed", q.name, q.id, status.State)
		}
	}
}

// readingOf is the table of a query's whose files a failure is about: the one that its text names, and otherwise the first.
func (t *Trail) readingOf(q *query, status *types.QueryExecutionStatus) Table {
	if other, reads := q.tables[ManagementTable]; reads && strings.Contains(aws.ToString(status.StateChangeReason), strings.TrimSuffix(other.Location, "/")) && !strings.HasPrefix(t.table.Location, other.Location) {
		return other
	}
	return t.table
}

// overLimit is how Athena says that it cancelled a query because of its workgroup's limit. There is no code for it:
// https://docs.aws.amazon.com/athena/latest/ug/workgroups-setting-control-limits-cloudwatch.html
const overLimit = "bytes scanned limit was exceeded"

// cancelled is the error for a query that was cancelled, and not by us.
func (t *Trail) cancelled(q *query, reason string) error {
	if strings.Contains(strings.ToLower(reason), overLimit) {
		return fmt.Errorf("the %s query %s was cancelled by the limit of %s after %d bytes, raise its BytesScannedCutoffPerQuery (the scan budget of the deployment): %w",
			q.name, q.id, theWorkGroup, q.scanned, evidence.ErrBudget)
	}
	if strings.Contains(strings.ToLower(reason), "timeout") || strings.Contains(strings.ToLower(reason), "timed out") {
		return fmt.Errorf("the %s query %s was cancelled because it ran out of athena's time: narrow its time span (AWS: %s)", q.name, q.id, quoted(reason))
	}
	said := ""
	if reason != "" {
		said = fmt.Sprintf(" (AWS: %s)", quoted(reason))
	}
	return fmt.Errorf("the %s query %s was cancelled, and not by nightlatch: look for StopQueryExecution in cloudtrail to see by whom%s", q.name, q.id, said)
}

// stop stops a query, in a time of its own since the caller's may be over.
func (t *Trail) stop(ctx context.Context, q *query) error {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer done()
	_, err := t.client.StopQueryExecution(ctx, &athena.StopQueryExecutionInput{QueryExecutionId: aws.String(q.id)})
	if err == nil {
		return nil
	}
	return explain(ctx, err, "StopQueryExecution", theWorkGroup, "stopping it")
}
