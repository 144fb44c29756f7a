package casefolder

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"nightlatch/internal/evidence"
	"nightlatch/internal/prose"
)

// Sums add the list up.
type Sums struct {
	// Rows are those of the list, without its heading.
	Rows int64 `json:"rows"`
	// Objects counts the objects that were read, each version for itself; a copy names its source as it likes, and is not among them.
	Objects int64 `json:"objects_read"`
	// Reads and Copies count calls, Bytes what the reads took.
	Reads  int64 `json:"reads"`
	Copies int64 `json:"copies"`
	Bytes  int64 `json:"bytes_out"`
	// Unsized counts the reads whose record has no size, Torn the calls whose records contradict each other: all of those are listed.
	Unsized int64 `json:"reads_without_byte_count"`
	Torn    int64 `json:"calls_with_contradicting_records"`
}

// Column is one column of the list.
type Column struct {
	Name string `json:"name"`
	Says string `json:"says"`
}

// columns are the list's, each with its cell. What others chose goes through cell.
var columns = []struct {
	Column
	cell func(evidence.Taking) string
}{
	{Column{"bucket", "the bucket that held the object"}, func(t evidence.Taking) string { return cell(t.Bucket) }},
	{Column{"key", "the object's key; of a copy as its source was named"}, func(t evidence.Taking) string { return cell(t.Key) }},
	{Column{"version", "the version that the call named; empty: the newest then"}, func(t evidence.Taking) string { return cell(t.Version) }},
	{Column{"call", "GetObject and other reads; CopyObject and UploadPartCopy are copies by S3 itself"}, func(t evidence.Taking) string { return cell(t.Call) }},
	{Column{"copied_to", "the bucket or access point that a copy went to"}, func(t evidence.Taking) string { return cell(t.Destination) }},
	{Column{"times", "how often"}, func(t evidence.Taking) string { return strconv.FormatInt(t.Times, 10) }},
	{Column{"bytes_out", "what S3 sent for it, by CloudTrail; a copy's size is not recorded"}, func(t evidence.Taking) string { return strconv.FormatInt(t.Bytes, 10) }},
	{Column{"without_byte_count", "how many of these calls have no size in their record"}, func(t evidence.Taking) string { return strconv.FormatInt(t.Unsized, 10) }},
	{Column{"contradicting", "how many of these calls have records that contradict each other"}, func(t evidence.Taking) string { return strconv.FormatInt(t.Torn, 10) }},
	{Column{"first", "when the first of these calls ended, UTC"}, func(t evidence.Taking) string { return t.First.UTC().Format(time.RFC3339) }},
	{Column{"last", "when the last ended"}, func(t evidence.Taking) string { return t.Last.UTC().Format(time.RFC3339) }},
	{Column{"access_key_id", "the credential; empty where the record names none"}, func(t evidence.Taking) string { return cell(t.Credential.AccessKeyID) }},
	{Column{"principal_arn", "whose credential it is"}, func(t evidence.Taking) string { return cell(t.Credential.PrincipalARN) }},
	{Column{"principal_id", "the principal's unique id"}, func(t evidence.Taking) string { return cell(t.Credential.PrincipalID) }},
	{Column{"account_id", "the principal's account"}, func(t evidence.Taking) string { return cell(t.Credential.AccountID) }},
	{Column{"invoked_by", "the service that called in its name"}, func(t evidence.Taking) string { return cell(t.Credential.Via) }},
	{Column{"network", "the caller's IPv4 /24 or IPv6 /48, or a service's name"}, func(t evidence.Taking) string { return cell(t.Network) }},
	{Column{"vpc_endpoint", "the VPC endpoint that it came through; no network then"}, func(t evidence.Taking) string { return cell(t.VPCEndpoint) }},
	{Column{"signing", "header; presigned: whoever had the URL; unknown"}, func(t evidence.Taking) string { return cell(t.Signing) }},
}

// list writes what was taken as gzipped CSV, row by row. The same rows give the same bytes.
type list struct {
	zip    *gzip.Writer
	csv    *csv.Writer
	cells  []string
	q      evidence.Taken
	at     []string // the place of the last row
	rows   int64    // of this file
	sums   Sums     // with those of earlier files
	last   struct{ bucket, key, version string }
	failed error // of writing
}

// newList begins a file of the list that q is asked for, behind what was added up in earlier ones.
func newList(w io.Writer, sums Sums, q evidence.Taken) (*list, error) {
	l := &list{zip: gzip.NewWriter(w), q: q, at: q.After, sums: sums}
	if q.After != nil && !(evidence.Taking{Call: q.After[3]}).Copied() { // the reads of an object stand beside each other
		l.last.bucket, l.last.key, l.last.version = q.After[0], q.After[1], q.After[2]
	}
	l.csv = csv.NewWriter(l.zip)
	for _, c := range columns {
		l.cells = append(l.cells, c.Name)
	}
	return l, l.csv.Write(l.cells)
}

// begin has what is asked for by q come next: another part of the window, whose rows begin their order anew.
func (l *list) begin(q evidence.Taken) {
	l.q, l.at = q, nil
	l.last.bucket, l.last.key, l.last.version = "", "", ""
}

// take takes a row of the answer, unless an earlier file has it.
func (l *list) take(row evidence.Row) error {
	place := l.q.Place(row)
	if l.q.Known(place) {
		return nil
	}
	t, err := evidence.ReadTaking(row)
	if err != nil {
		return err
	}
	l.at, l.failed = place, l.add(t)
	return l.failed
}

// place is where the list goes on.
func (l *list) place() (place [][]byte) {
	for _, column := range l.at {
		place = append(place, []byte(column))
	}
	return place
}

// add writes one row.
func (l *list) add(t evidence.Taking) error {
	for i, c := range columns {
		l.cells[i] = c.cell(t)
	}
	l.rows++
	l.sums.Rows++
	l.sums.Torn += t.Torn
	if t.Copied() {
		l.sums.Copies += t.Times
	} else {
		l.sums.Reads, l.sums.Bytes, l.sums.Unsized = l.sums.Reads+t.Times, l.sums.Bytes+t.Bytes, l.sums.Unsized+t.Unsized
		object := struct{ bucket, key, version string }{t.Bucket, t.Key, t.Version}
		if object != l.last || l.sums.Objects == 0 { // the rows come in this order
			l.sums.Objects++
		}
		l.last = object
	}
	return l.csv.Write(l.cells)
}

// rest says, of a list that was cut off, how far it goes.
func (t *Taken) rest(l *list, incident string) string {
	to := ""
	if l.last.bucket != "" {
		to = fmt.Sprintf(", up to %s in bucket %s", prose.Safe(l.last.key), prose.Safe(l.last.bucket))
	}
	if t.Split {
		to += "; it is whole for the calls up to " + t.Until.Format(time.RFC3339) + ", and has none from " + l.q.To.UTC().Format(time.RFC3339) + " on"
	}
	return fmt.Sprintf(restOf+"the time ran out after %s%s; the function goes on there when it is called again, and nightlatch incident %s --case DIR --trail PATH writes all of it, with the trail's files of those days",
		prose.Plural(l.sums.Rows, "row"), to, incident)
}

// end writes what is left.
func (l *list) end() error {
	if l.csv.Flush(); l.csv.Error() != nil {
		return l.csv.Error()
	}
	return l.zip.Close()
}
