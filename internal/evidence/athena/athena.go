package athena

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"nightlatch/internal/awserr"
	"nightlatch/internal/evidence"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/patience"
	"nightlatch/internal/settings"
)

const engine = "athena"

// maxStatement is Athena's limit, in bytes: https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
const maxStatement = 262_144

// callAttempts is how often the SDK makes one call that is throttled or cut off. It is two more than its default: two questions are asked
// at once, and the calls are cheap.
const callAttempts = 5

// callBackoff bounds the wait before the second of them; each after it may wait twice as long. A query is billed, and is not given up for a
// fault of some seconds.
const callBackoff = time.Second

// maxRuns is how often one question is run when Athena says that running it again can help. Each run is billed.
const maxRuns = 3

// maxBroken is how many files a question is run without, one more each time that Athena names one. Who can put many there can blind Athena.
const maxBroken = 3

// Settings say which table is asked, and for how much. It lies in the region, and the queries run there, that the client is for.
type Settings struct {
	Table Table
	// Management is where the files of another trail lie, which answers with the first what needs management events; "" where the first is all.
	Management string
	// Budget is how many bytes one question may scan, its repeats included; 0 means no limit. It is a question's and not the Trail's:
	// a budget that one incident could use up for the next would be a way to blind the responder. A deployment gives it to the workgroup
	// too, as BytesScannedCutoffPerQuery, where no query can exceed it.
	//
	// Athena bills by bytes scanned, each query at least 10 MB: https://aws.amazon.com/athena/pricing/
	Budget int64
	// Seal reads whether others than CloudTrail can have written the files, beside each question on which a verdict stands. It gives no error:
	// what cannot be read is open. Where it is nil nothing is known, which is the same.
	Seal func(context.Context) evidence.Seal
}

// Trail is the table over one trail's files. Several goroutines may ask it at once.
type Trail struct {
	client *athena.Client
	files  *s3.Client
	table  Table
	// management is the table of management events; its Location is "" where there is none.
	management Table
	budget     int64
	seal       func(context.Context) evidence.Seal
	wait       func(context.Context, time.Duration) error // replaced by tests
}

var _ evidence.Trail = (*Trail)(nil)

var (
	locations = lazyregexp.New(`\As3://` + settings.BucketName + `/(?:[^\x00-\x20\x7f$]+/)?AWSLogs/(?:o-[a-z0-9]{10,32}/)?\z`)
	accounts  = lazyregexp.New(`\A[0-9]{12}\z`)
)

// New prepares to ask the table that settings describe. It makes no call.
func New(cfg aws.Config, settings Settings) (*Trail, error) {
	for _, location := range []string{settings.Table.Location, cmp.Or(settings.Management, settings.Table.Location)} {
		if !locations.MatchString(location) {
			return nil, fmt.Errorf("%q is not where a trail's files lie: it looks like s3://BUCKET/[PREFIX/]AWSLogs/[ORGANIZATION/]", location)
		}
	}
	if len(settings.Table.Accounts) == 0 {
		return nil, errors.New("no account is given whose files are read: give at least the deployment's own")
	}
	for _, id := range settings.Table.Accounts {
		if !accounts.MatchString(id) {
			return nil, fmt.Errorf("%q is not the id of an account: it has 12 digits", id)
		}
	}
	if settings.Budget < 0 {
		return nil, fmt.Errorf("the budget of bytes scanned is %d: it must be 0 (no limit) or more", settings.Budget)
	}
	if !slices.Contains(Regions(), cfg.Region) { // or what happens where it runs would be what nobody did
		return nil, fmt.Errorf("%+q is not a region whose files nightlatch reads: deploy in another, or a newer nightlatch", cfg.Region)
	}
	cfg = cfg.Copy()
	cfg.RetryMaxAttempts = callAttempts
	if cfg.Retryer == nil {
		cfg.Retryer = func() aws.Retryer { return awserr.Retries(callAttempts, callBackoff, retry.DefaultMaxBackoff) }
	}
	files := s3.NewFromConfig(cfg, func(o *s3.Options) { o.DisableLogOutputChecksumValidationSkipped = true }) // a part of an object has no checksum
	return &Trail{client: athena.NewFromConfig(cfg), files: files, table: settings.Table, management: Table{Location: settings.Management, Accounts: settings.Table.Accounts}, budget: settings.Budget, seal: settings.Seal, wait: patience.Wait}, nil
}

// Ask runs the question and returns all of its rows. It first demands that the table is as it was deployed: somebody who may change it
// could turn every answer into "nobody read anything". It waits while all query slots are taken, while AWS throttles, and while the query
// waits and runs. Where Athena names one of the trail's files that it cannot read, the question is asked once more without it, and the file is lost. When ctx ends it stops what it started, for which it takes up to startGrace and stopTime more. Scanned, Queued and Ran
// count every run of the question.
func (t *Trail) Ask(ctx context.Context, question evidence.Question) (evidence.Answer, error) {
	return evidence.Collect(func(do func(evidence.Row) error) (evidence.Answer, error) { return t.each(ctx, question, t.pages, do) })
}

// Each answers a question as Ask does, and gives its rows to do one after the other, however many there are. It reads them where Athena has written
// them, in the bucket for results, some MiB at once: a page has 1,000 of them at most, and millions of rows would take hours of pages.
// The Answer has no rows. What do returns as an error ends it, and is returned as it is. Behind an error, what was given may be some rows of many.
func (t *Trail) Each(ctx context.Context, question evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
	return t.each(ctx, question, t.written, do)
}

// each gives the rows of an answer as read reads them. A query whose rows are being read is not run again.
func (t *Trail) each(ctx context.Context, question evidence.Question, read func(context.Context, *query, func(evidence.Row) error) error, do func(evidence.Row) error) (evidence.Answer, error) {
	schema := evidence.Schema{Table: inSQL(TableName), Files: true}
	tables := map[string]Table{TableName: t.table}
	if t.management.Location != "" && !evidence.OfData(question) {
		schema.Also, tables[ManagementTable] = inSQL(ManagementTable), t.management
	}
	answer := evidence.Answer{Engine: engine}
	seal := t.sealing(ctx, question)
	pause := patience.Rerun
	for runs := 1; ; runs++ {
		sql := question.SQL(schema)
		if n := len(sql); n == 0 || n > maxStatement {
			return evidence.Answer{}, fmt.Errorf("the %s query has %d bytes: athena takes 1 to %d", question.Name(), n, maxStatement)
		}
		q := &query{name: question.Name(), tables: tables, sql: sql, earlier: answer.Scanned}
		err := t.run(ctx, q)
		answer.Scanned += q.scanned
		answer.Queued += q.queued
		answer.Ran += q.ran
		if err == nil {
			if err := read(ctx, q, do); err != nil {
				return evidence.Answer{}, err
			}
			answer.Seal = <-seal
			return answer, nil
		}
		if broken, ok := errors.AsType[brokenFile](err); ok && len(schema.Without) < maxBroken && !slices.Contains(schema.Without, broken.file) {
			schema.Without, answer.Lost = append(schema.Without, broken.file), append(answer.Lost, broken.lost())
			runs-- // it is another question
			continue
		}
		if !errors.Is(err, errAgain) || runs == maxRuns {
			return evidence.Answer{}, err
		}
		if ended := t.wait(ctx, pause.Next()); ended != nil {
			return evidence.Answer{}, fmt.Errorf("%w, and the time ended before it could run again: %w", err, ended)
		}
	}
}

// inSQL is a table of ours as a query names it.
func inSQL(table string) string { return `"` + Database + `"."` + table + `"` }

// sealing begins to read the seal of the files, where a verdict stands on the question. It sends one answer.
func (t *Trail) sealing(ctx context.Context, question evidence.Question) <-chan evidence.Seal {
	answer := make(chan evidence.Seal, 1)
	if name := question.Name(); t.seal == nil || name != (evidence.Bytes{}).Name() && name != (evidence.Usage{}).Name() {
		answer <- evidence.Seal{}
		return answer
	}
	go func() { answer <- t.seal(ctx) }()
	return answer
}
