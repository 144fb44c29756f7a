// Package dynamo keeps incidents in one DynamoDB table.
//
// The table's keys are pk and sk, both strings. What it holds:
//
//	pk              sk             what
//	incident#ID     record         version, writer, opened, closed, escalated, subject, list; the record's JSON, compressed, without its log
//	incident#ID     part#00001     what of a large record does not fit one item, which ends at 400 KB; of the version that it names
//	incident#ID     log#00000000   lines of the log, compressed, written once: what one put added is one item
//	lease#NAME      lease          holder, until
//	turn#CHANNEL    turn           next: when the channel may be notified next
//	notices         notices        version; the JSON of what is to be told of tampering
//	brakes          brakes         version; the JSON of what holds the responder back
//	doctor          doctor         version; the JSON of what the checks remember
//	tests           tests          version; the JSON of what became of the last test of each channel
//
// The index "lists" (keys list and opened, both strings; projected: version, closed, escalated, subject) holds the records alone: list is
// open.N or closed.N, N a hash of the id. One list of all incidents would be one partition, which takes 1,000 writes a second, and
// slows the table where it is full: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html,
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/gsi-throttling.html.
//
// A put writes the record, on condition of its version, and the lines that are new, on condition that they are, in one transaction:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html. Nothing is ever deleted: incidents are kept
// as long as the table is, and the responder holds no right to delete one.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"nightlatch/internal/grant"
	"nightlatch/internal/incident"
	"nightlatch/internal/lazyregexp"
)

// The table as infra makes it: keys are strings, and the index projects Projected beside the keys.
const (
	PartitionKey      = "pk"
	SortKey           = "sk"
	Index             = "lists"
	IndexPartitionKey = "list"
	IndexSortKey      = "opened"
)

// The keys of a record: its partition key is the incident's id behind IncidentPrefix, its sort key RecordKey. Each put of an incident writes it, so
// that who hears of these items alone hears of every put once.
const (
	IncidentPrefix = "incident#"
	RecordKey      = "record"
)

// Heard are the incidents that were put, by the partition keys of their records, each once.
func Heard(keys []string) (ids []string) {
	for _, key := range keys {
		if id, is := strings.CutPrefix(key, IncidentPrefix); is && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Projected are the attributes that the index holds beside the keys of both.
func Projected() []string { return []string{"version", "closed", "escalated", "subject"} }

const (
	// shards is how many lists each of the two is: 4,000 writes a second. Their number stays: an earlier build, during a deployment or after a
	// rollback, would list nothing of a new one.
	shards = 4
	// timeout bounds one call with its repeats. DynamoDB answers in milliseconds.
	timeout = 10 * time.Second
	// attempts is how often a call is made that fails in passing: for about a third of a second.
	attempts = 5
	// tries is how often what others write at the same moment is met before it is given up: about two and a half seconds.
	tries = 8
	// breath is the most that is waited before the first try again; each after it may wait twice as long.
	breath = 20 * time.Millisecond
	// remembered is how many heads a process keeps at most.
	remembered = 1000
)

// Store keeps incidents in a table. It is safe for use by several goroutines.
type Store struct {
	table  string
	client *dynamodb.Client

	mu sync.Mutex
	// heads are what is stored of the records that went through this process, by id, so that a put need not read first. A version of
	// a record never changes, and a put is conditional on the version, so that an old head costs a read and no more.
	heads map[string]head
}

var _ incident.Store = (*Store)(nil)

var tableName = lazyregexp.New(`^[A-Za-z0-9_.-]{3,255}$`)

// New makes a store over a table, by its name, in cfg's region.
func New(cfg aws.Config, table string) (*Store, error) {
	switch {
	case cfg.Region == "":
		return nil, errors.New("the store of incidents needs a region, and the AWS configuration has none; set AWS_REGION")
	case cfg.Credentials == nil:
		return nil, errors.New("the store of incidents needs credentials, and the AWS configuration has none; sign in or set a profile")
	case !tableName.MatchString(table):
		return nil, fmt.Errorf("the store of incidents needs a table, and %q is not the name of one", table)
	}
	return &Store{table: table, heads: map[string]head{}, client: dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		// The SDK repeats a transaction under one ClientRequestToken, which it makes for each call: an attempt that took effect, and
		// whose answer was lost, is not done twice. A token that outlived the call would answer "done" for what was put over since.
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.Backoff = attempts, retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) { return delay(max(0, attempt-1)), nil })
		})
	})}, nil
}

// Grants are the permissions that the package needs, with ${Table} for the table's ARN. A transaction of puts needs PutItem alone:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
func Grants() []grant.Grant {
	return []grant.Grant{
		{Sid: "KeepIncidents", Actions: []string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"}, On: []string{"${Table}"}},
		listGrant(),
	}
}

// listGrant is the permission that Unclosed and Recent need.
func listGrant() grant.Grant {
	return grant.Grant{Sid: "ListIncidents", Actions: []string{"dynamodb:Query"}, On: []string{"${Table}/index/" + Index}}
}

// onItem is the condition of a permission on the one item that has a key of its own.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func onItem(key string) map[string]map[string]string {
	return map[string]map[string]string{"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": key}}
}

// LoadGrants are the permissions that Load needs, and no more: incidents alone.
func LoadGrants() []grant.Grant {
	return []grant.Grant{{Sid: "LoadIncidents", Actions: []string{"dynamodb:Query"}, On: []string{"${Table}"},
		When: map[string]map[string]string{"ForAllValues:StringLike": {"dynamodb:LeadingKeys": IncidentPrefix + "*"}}}}
}

// StreamGrants are what Lambda needs to bring a function what is in the table's stream, which it does with the function's role:
// https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
func StreamGrants() []grant.Grant {
	return []grant.Grant{
		{Sid: "TakeStream", Actions: []string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}, On: []string{"${Table}/stream/*"},
			Why: "A stream is named by the time at which it was switched on, and a table has one."},
		{Sid: "ListStreams", Actions: []string{"dynamodb:ListStreams"}, On: []string{"*"}, Why: "AWS knows no narrower resource for it, and it shows the names of streams."}}
}

// Open implements incident.Store.
func (s *Store) Open(ctx context.Context, r incident.Record) (incident.Record, error) {
	if !storable(r.ID) {
		return incident.Record{}, fmt.Errorf("incident %.60q: its id is not one that can be stored: give 1 to %d bytes of text", r.ID, maxID)
	}
	for try := range tries {
		stored, err := s.write(ctx, r, head{})
		if !errors.Is(err, errCanceled) {
			return stored, err
		}
		if stored, err = s.Load(ctx, r.ID); !errors.Is(err, incident.ErrNotFound) {
			return stored, err
		}
		if err := pause(ctx, try); err != nil { // another is opening it at this moment
			return incident.Record{}, failed(call{"dynamodb:PutItem", s.table, about(r.ID)}, err)
		}
	}
	return incident.Record{}, crowded(about(r.ID))
}

// Load implements incident.Store.
func (s *Store) Load(ctx context.Context, id string) (incident.Record, error) {
	if !storable(id) {
		return incident.Record{}, notFound(id)
	}
	// A query may see one item of a transaction and not yet another; the record says which belong to it:
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-isolation
	for try := range tries {
		items, err := s.query(ctx, call{"dynamodb:Query", s.table, about(id)}, &dynamodb.QueryInput{
			ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("pk = :pk"), ExpressionAttributeValues: item{":pk": text(pk(id))},
		}, 0)
		if err != nil {
			return incident.Record{}, err
		}
		r, h, err := decode(id, items)
		if err == nil {
			s.remember(id, h)
		}
		if !errors.Is(err, errTorn) {
			return r, err
		}
		if err := pause(ctx, try); err != nil {
			return incident.Record{}, failed(call{"dynamodb:Query", s.table, about(id)}, err)
		}
	}
	return incident.Record{}, fmt.Errorf("incident %q: %w", id, errTorn)
}

// Put implements incident.Store.
func (s *Store) Put(ctx context.Context, r incident.Record) (incident.Record, error) {
	if !storable(r.ID) {
		return incident.Record{}, notFound(r.ID)
	}
	s.mu.Lock()
	h := s.heads[r.ID]
	s.mu.Unlock()
	for try := range tries {
		if try > 0 || h.version != r.Version || r.Version < 1 {
			var err error
			if h, err = s.head(ctx, r.ID); err != nil {
				return incident.Record{}, err
			}
		}
		if again, err := r.Repeats(h.version, h.writer); err != nil {
			return incident.Record{}, err
		} else if again {
			return s.repeated(ctx, r)
		}
		stored, err := s.write(ctx, r, h)
		if !errors.Is(err, errCanceled) {
			return stored, err
		}
		if err := pause(ctx, try); err != nil {
			return incident.Record{}, failed(call{"dynamodb:PutItem", s.table, about(r.ID)}, err)
		}
	}
	return incident.Record{}, crowded(about(r.ID))
}

// repeated returns what an earlier put of r has stored, unless another has put since.
func (s *Store) repeated(ctx context.Context, r incident.Record) (incident.Record, error) {
	stored, err := s.Load(ctx, r.ID)
	if err == nil {
		_, err = r.Repeats(stored.Version, stored.Writer)
	}
	if err != nil {
		return incident.Record{}, err
	}
	return stored, nil
}

// write puts the version after from's, or fails as transact does.
func (s *Store) write(ctx context.Context, r incident.Record, from head) (incident.Record, error) {
	stored, to, items, err := encode(r, from)
	if err != nil {
		return incident.Record{}, err
	}
	var puts []types.TransactWriteItem
	for _, i := range items {
		put := &types.Put{TableName: &s.table, Item: i.item}
		switch {
		case i.kind == isRecord && from.version > 0:
			put.ConditionExpression = aws.String("version = :version")
			put.ExpressionAttributeValues = item{":version": number(int(from.version))}
		case i.kind == isRecord, i.kind == isLog:
			put.ConditionExpression = aws.String("attribute_not_exists(pk)")
		}
		puts = append(puts, types.TransactWriteItem{Put: put})
	}
	if err := s.transact(ctx, call{"dynamodb:PutItem", s.table, about(r.ID)}, puts); err != nil {
		return incident.Record{}, err
	}
	s.remember(r.ID, to)
	return stored, nil
}

// head reads what is stored of a record beside its text.
func (s *Store) head(ctx context.Context, id string) (head, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: item{"pk": text(pk(id)), "sk": text(RecordKey)}, ConsistentRead: aws.Bool(true),
		ProjectionExpression: aws.String("version, writer, entries, digest, logs, parts"),
	})
	switch {
	case err != nil:
		return head{}, failed(call{"dynamodb:GetItem", s.table, about(id)}, err)
	case len(out.Item) == 0:
		return head{}, notFound(id)
	}
	h, err := headOf(out.Item)
	if err != nil {
		return head{}, fmt.Errorf("incident %q: %w", id, err)
	}
	return h, nil
}

func (s *Store) remember(id string, h head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.heads) >= remembered {
		clear(s.heads)
	}
	s.heads[id] = h
}

// transact writes all of the items or none. errCanceled says that it surely did not happen, because of what others have written or are
// writing.
func (s *Store) transact(ctx context.Context, c call, items []types.TransactWriteItem) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items}); canceled(err) {
		return errCanceled
	} else if err != nil {
		return failed(c, err)
	}
	return nil
}

// delay is what is waited before a try again, at random, so that those who met do not meet again.
func delay(try int) time.Duration { return rand.N(breath << try) }

// pause waits before a try again.
func pause(ctx context.Context, try int) error {
	select {
	case <-time.After(delay(try)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxID is the most bytes of an id, whose place is in a partition key of at most 2,048.
const maxID = 1024

func storable(id string) bool { return id != "" && len(id) <= maxID && utf8.ValidString(id) }

func about(id string) string { return fmt.Sprintf("incident %q", id) }

func notFound(id string) error { return fmt.Errorf("incident %.60q: %w", id, incident.ErrNotFound) }
