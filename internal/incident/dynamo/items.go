package dynamo

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"nightlatch/internal/incident"
)

// item is an item of the table, or some of its attributes.
type item = map[string]types.AttributeValue

const (
	open   = "open"
	closed = "closed"
	brakes = "brakes"
	// piece is the most bytes of a body that stand in one item. An item ends at 400 KB, its names and the other attributes included:
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items
	piece = 350 << 10
	// pieces is how many items one transaction writes at most: it ends at 4 MB.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-dynamodb-transactions
	pieces = 11
	// fixed is a time of one width, so that texts sort as times do.
	fixed = "2006-01-02T15:04:05.000000000Z"
)

// errTorn says that items of a record are missing, or older or newer than it.
var errTorn = errors.New("what is stored of it is not whole; try again, and if that does not help, restore the table to a point in time before")

func pk(id string) string                     { return IncidentPrefix + id }
func logKey(n int) string                     { return fmt.Sprintf("log#%08d", n) }
func partKey(n int) string                    { return fmt.Sprintf("part#%05d", n) }
func text(s string) types.AttributeValue      { return &types.AttributeValueMemberS{Value: s} }
func stamp(t time.Time) types.AttributeValue  { return text(t.UTC().Format(fixed)) }
func number(n int) types.AttributeValue       { return &types.AttributeValueMemberN{Value: strconv.Itoa(n)} }
func binary(b []byte) types.AttributeValue    { return &types.AttributeValueMemberB{Value: b} }
func listName(state string, shard int) string { return state + "." + strconv.Itoa(shard) }

// listOf is the list that an incident stands in.
func listOf(id string, isClosed bool) string {
	h := sha256.Sum256([]byte(id))
	state := open
	if isClosed {
		state = closed
	}
	return listName(state, int(h[0]%shards))
}

// head is what a put must know of the version before it.
type head struct {
	version int64
	writer  string
	entries int    // lines of the log
	digest  []byte // of these lines
	logs    int    // items that they stand in
	parts   int    // items of the record beside the first
}

type kind int

const (
	isRecord kind = iota
	isPart
	isLog
)

type keyed struct {
	kind kind
	item item
}

// encode makes the items of the version after from's, and the record as a load will return it. Of the log these are the lines
// that are not stored yet.
func encode(r incident.Record, from head) (incident.Record, head, []keyed, error) {
	fail := func(err error) (incident.Record, head, []keyed, error) {
		return incident.Record{}, head{}, nil, fmt.Errorf("incident %q: %w", r.ID, err)
	}
	r.Version = from.version + 1
	whole, err := json.Marshal(r)
	if err != nil {
		return fail(err)
	}
	var stored incident.Record
	if err := json.Unmarshal(whole, &stored); err != nil {
		return fail(err)
	}
	if len(stored.Log) < from.entries || !bytes.Equal(digest(stored.Log[:from.entries]), from.digest) {
		return fail(incident.ErrRewritten)
	}
	bare := stored
	bare.Log = stored.Log[:0]
	bodies, err := compress(bare)
	if err != nil {
		return fail(err)
	}
	var lines []any
	for _, e := range stored.Log[from.entries:] {
		lines = append(lines, e)
	}
	logs, err := compress(lines...)
	if err != nil {
		return fail(err)
	}
	if n := len(bodies) + len(logs); n > pieces {
		return fail(fmt.Errorf("it has grown to %d KB, compressed, and DynamoDB takes %d KB at once", n*piece>>10, pieces*piece>>10))
	}
	to := head{stored.Version, stored.Writer, len(stored.Log), digest(stored.Log), from.logs + len(logs), len(bodies) - 1}
	b := stored.Brief()
	record := item{
		"pk": text(pk(r.ID)), "sk": text(RecordKey), "list": text(listOf(r.ID, !b.Closed.IsZero())), "opened": stamp(b.Opened),
		"version": number(int(to.version)), "writer": text(to.writer), "entries": number(to.entries),
		"logs": number(to.logs), "parts": number(to.parts), "subject": text(b.Subject), "body": binary(bodies[0]),
	}
	if to.entries > 0 {
		record["digest"] = binary(to.digest)
	}
	if !b.Closed.IsZero() {
		record["closed"] = stamp(b.Closed)
	}
	if !b.Escalated.IsZero() {
		record["escalated"] = stamp(b.Escalated)
	}
	items := []keyed{{isRecord, record}}
	for i, body := range bodies[1:] {
		items = append(items, keyed{isPart, item{"pk": text(pk(r.ID)), "sk": text(partKey(i + 1)), "version": number(int(to.version)), "body": binary(body)}})
	}
	for i, body := range logs {
		items = append(items, keyed{isLog, item{"pk": text(pk(r.ID)), "sk": text(logKey(from.logs + i)), "version": number(int(to.version)), "body": binary(body)}})
	}
	return stored, to, items, nil
}

// digest is a sum over the lines of a log: nil for none.
func digest(log []incident.Entry) []byte {
	if len(log) == 0 {
		return nil
	}
	h := sha256.New()
	for _, e := range log {
		fmt.Fprintf(h, "%s %q\n", e.At.UTC().Format(time.RFC3339Nano), e.What)
	}
	return h.Sum(nil)
}

// compress writes values as JSON, compressed, in pieces that fit an item; none for no values.
func compress(values ...any) ([][]byte, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	enc := json.NewEncoder(z)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(b.Bytes(), piece)), nil
}

// decode puts a record together from its items. errTorn says that they do not all belong together.
func decode(id string, items []item) (incident.Record, head, error) {
	fail := func(err error) (incident.Record, head, error) {
		return incident.Record{}, head{}, fmt.Errorf("incident %q: %w", id, err)
	}
	if len(items) == 0 {
		return incident.Record{}, head{}, notFound(id)
	}
	bySK := map[string]item{}
	for _, i := range items {
		bySK[textOf(i, "sk")] = i
	}
	record, ok := bySK[RecordKey]
	if !ok {
		return fail(errTorn)
	}
	h, err := headOf(record)
	if err != nil {
		return fail(err)
	}
	bodies := [][]byte{bytesOf(record, "body")}
	for n := range h.parts {
		part := bySK[partKey(n+1)]
		if part["version"] == nil || int64Of(part, "version") != h.version {
			return fail(errTorn)
		}
		bodies = append(bodies, bytesOf(part, "body"))
	}
	var r incident.Record
	if err := expand(bodies, func(dec *json.Decoder) error { return dec.Decode(&r) }); err != nil {
		return fail(err)
	}
	var logs [][]byte
	for n := range h.logs { // what is beyond belongs to a newer version
		i, ok := bySK[logKey(n)]
		if !ok {
			return fail(errTorn)
		}
		logs = append(logs, bytesOf(i, "body"))
	}
	if h.entries > 0 {
		if err := expand(logs, func(dec *json.Decoder) error {
			for range h.entries {
				var e incident.Entry
				if err := dec.Decode(&e); err != nil {
					return err
				}
				r.Log = append(r.Log, e)
			}
			return nil
		}); err != nil {
			return fail(err)
		}
	}
	if r.ID != id || r.Version != h.version || !bytes.Equal(digest(r.Log), h.digest) {
		return fail(errors.New("what is stored of it is not what the responder stored; restore the table to a point in time before"))
	}
	return r, h, nil
}

// expand reads what compress wrote; the bodies of several calls stand after each other.
func expand(bodies [][]byte, read func(*json.Decoder) error) error {
	z, err := gzip.NewReader(bytes.NewReader(slices.Concat(bodies...)))
	if err == nil {
		err = read(json.NewDecoder(z))
	}
	if err != nil {
		return fmt.Errorf("a stored incident does not decode: %v", err)
	}
	return nil
}

func headOf(i item) (head, error) {
	h := head{
		version: int64Of(i, "version"), writer: textOf(i, "writer"), entries: int(int64Of(i, "entries")), digest: bytesOf(i, "digest"),
		logs: int(int64Of(i, "logs")), parts: int(int64Of(i, "parts")),
	}
	if h.version < 1 || h.entries < 0 || h.logs < 0 || h.parts < 0 {
		return head{}, fmt.Errorf("a stored incident does not decode: its attributes are %q", slices.Sorted(maps.Keys(i)))
	}
	return h, nil
}

func briefOf(i item) (incident.Brief, error) {
	b := incident.Brief{ID: strings.TrimPrefix(textOf(i, "pk"), pk("")), Version: int64Of(i, "version"), Subject: textOf(i, "subject")}
	var err error
	if b.Opened, err = timeOf(i, "opened"); err != nil {
		return incident.Brief{}, err
	}
	if i["closed"] != nil {
		b.Closed, err = timeOf(i, "closed")
	}
	if i["escalated"] != nil && err == nil {
		b.Escalated, err = timeOf(i, "escalated")
	}
	return b, err
}

func timeOf(i item, name string) (time.Time, error) {
	t, err := time.Parse(fixed, textOf(i, name))
	if err != nil {
		return time.Time{}, fmt.Errorf("what is stored as %q is no time: %q", name, textOf(i, name))
	}
	return t.UTC(), nil
}

func textOf(i item, name string) string {
	if s, ok := i[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func bytesOf(i item, name string) []byte {
	if b, ok := i[name].(*types.AttributeValueMemberB); ok {
		return b.Value
	}
	return nil
}

// int64Of is a number, or -1 where there is none.
func int64Of(i item, name string) int64 {
	if n, ok := i[name].(*types.AttributeValueMemberN); ok {
		if v, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return v
		}
	}
	return -1
}
