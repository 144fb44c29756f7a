package athena

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"nightlatch/internal/awserr"
	"nightlatch/internal/evidence"
	"nightlatch/internal/grant"
	"nightlatch/internal/patience"
)

// partBytes is what is read at once of an object with rows: no connection waits while they are worked on, and one that is cut costs little.
const partBytes = 8 << 20

// partTries is how often a part is asked for whose connection is cut off. A call that fails the SDK has made again by itself.
const partTries = 5

// maxValue is the most bytes of one value, and far more than a record may have of a name.
const maxValue = 1 << 20

// written reads the rows of a query that has succeeded where Athena has written them, and gives them to do. An error of do's is returned as it is.
//
// Athena writes the answer of every SELECT as one CSV object in its workgroup's place for results:
// https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
func (t *Trail) written(ctx context.Context, q *query, do func(evidence.Row) error) error {
	doing := fmt.Sprintf("reading the rows of the %s query %s", q.name, q.id)
	place, _ := strings.CutPrefix(q.output, "s3://")
	bucket, key, found := strings.Cut(place, "/")
	if !found || !strings.HasSuffix(key, q.id+".csv") {
		return fmt.Errorf("%s: athena says that they are in %s, which is no place for them: deploy again, and look in cloudtrail for UpdateWorkGroup", doing, quoted(q.output))
	}
	parts := &object{ctx: ctx, trail: t, bucket: bucket, key: key}
	err := rows(bufio.NewReaderSize(parts, 64<<10), func(row evidence.Row) error {
		if parts.end = ctx.Err(); parts.end != nil { // a part has thousands of rows
			return parts.end
		}
		parts.given++
		parts.end = do(row)
		return parts.end
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && (parts.end == nil || errors.Is(parts.end, ctx.Err())):
		return fmt.Errorf("the time ended while %s: %w", doing, ctx.Err())
	case parts.end != nil:
		return parts.end
	}
	return unread(err, fmt.Sprintf("%s, behind row %d", doing, parts.given))
}

// unread is the sentence about rows that could not be read.
func unread(err error, doing string) error {
	refusal, status := awserr.Refusal(err)
	if refusal == nil && errors.As(err, new(*notWritten)) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if refusal == nil {
		return awserr.Silence{Doing: doing, Service: "S3", Ended: "; ask again", Late: "; ask again", Reach: "the function reaches S3"}.Sentence(status, err)
	}
	switch refusal.ErrorCode() {
	case "NoSuchKey", "NoSuchBucket":
		return fmt.Errorf("%s: %s (%s)", doing, resultGone, said(err))
	case "PreconditionFailed":
		return fmt.Errorf("%s: they were written anew meanwhile, look in cloudtrail for who else writes to the bucket for results, and ask again", doing)
	case "AccessDenied":
		return fmt.Errorf("%w (%s)", grant.Denied("s3:GetObject", "the bucket for results", refusal.ErrorMessage()), doing)
	}
	return fmt.Errorf("%s: S3 refused it, ask again (%s)", doing, said(err))
}

// notWritten says that an object is not what Athena writes.
type notWritten struct{ what string }

func (n *notWritten) Error() string { return n.what }

func strange(format string, args ...any) error { return &notWritten{fmt.Sprintf(format, args...)} }

var errTorn = strange("they end within a row: ask again")

// object is an object with rows, read part by part: the same object from its first part to its last.
type object struct {
	ctx         context.Context
	trail       *Trail
	bucket, key string

	part     []byte
	at, size int64
	etag     *string
	given    int   // rows
	end      error // of who takes them
}

// Read implements io.Reader.
func (o *object) Read(to []byte) (int, error) {
	if len(o.part) == 0 {
		if o.etag != nil && o.at == o.size {
			return 0, io.EOF
		}
		if err := o.next(); err != nil {
			return 0, err
		}
	}
	n := copy(to, o.part)
	o.part = o.part[n:]
	return n, nil
}

// next reads the next part.
func (o *object) next() (err error) {
	pause := patience.Slot
	for range partTries {
		var out *s3.GetObjectOutput
		out, err = o.trail.files.GetObject(o.ctx, &s3.GetObjectInput{
			Bucket: &o.bucket, Key: &o.key, ExpectedBucketOwner: &o.trail.table.Accounts[0], // it is the deployment's own
			Range: aws.String(fmt.Sprintf("bytes=%d-%d", o.at, o.at+partBytes-1)), IfMatch: o.etag,
		})
		if err != nil {
			return err
		}
		var text []byte
		text, err = io.ReadAll(out.Body)
		out.Body.Close()
		if err == nil {
			return o.take(text, aws.ToString(out.ContentRange), out.ETag)
		}
		if ended := o.trail.wait(o.ctx, pause.Next()); ended != nil {
			return ended
		}
	}
	return err
}

// take takes a part that has come whole.
func (o *object) take(text []byte, where string, etag *string) error {
	var from, to, size int64
	if n, _ := fmt.Sscanf(where, "bytes %d-%d/%d", &from, &to, &size); n != 3 || from != o.at || len(text) == 0 || to-from+1 != int64(len(text)) || etag == nil || o.etag != nil && size != o.size {
		return strange("%d bytes came where those behind %d were asked for, and S3 calls them %q: ask again", len(text), o.at, where)
	}
	o.part, o.at, o.size, o.etag = text, o.at+int64(len(text)), size, etag
	return nil
}

// rows reads the CSV that Athena writes, and gives its rows to do: a heading with the names of the columns, and rows that end with LF. NULL is "",
// as the questions' columns never are.
func rows(in *bufio.Reader, do func(evidence.Row) error) error {
	names, err := record(in, nil)
	if err != nil {
		return err
	}
	for i, name := range names {
		if names[i] = strings.ToLower(name); name == "" || slices.Contains(names[:i], names[i]) {
			return strange("column %q has no name of its own", name)
		}
	}
	for values := make([]string, 0, len(names)); ; {
		values, err = record(in, values[:0])
		if err == io.EOF {
			return nil
		}
		if err == nil && len(values) != len(names) {
			err = strange("a row has %d values for %d columns: ask again", len(values), len(names))
		}
		if err != nil {
			return err
		}
		row := make(evidence.Row, len(names))
		for i, name := range names {
			row[name] = values[i]
		}
		if err := do(row); err != nil {
			return err
		}
	}
}

// record reads one row behind what values holds; io.EOF where there is none any more. encoding/csv would make LF of CRLF within a value, and the key of
// an object may have both.
func record(in *bufio.Reader, values []string) ([]string, error) {
	for {
		v, end, err := value(in)
		if err == io.EOF && len(values) == 0 {
			return nil, io.EOF
		}
		if err == io.EOF {
			err = errTorn
		}
		if err != nil {
			return nil, err
		}
		if values = append(values, v); end == '\n' {
			return values, nil
		}
	}
}

// value reads one value, and what ends it, which is a comma or LF. Athena writes it in quotes, and a quote in it twice. NULL has none.
func value(in *bufio.Reader) (text string, end byte, err error) {
	first, err := in.ReadByte()
	if err != nil || first == ',' || first == '\n' {
		return "", first, err
	}
	if first != '"' {
		return "", 0, strange("a value begins with %q where a quote is to be: ask again", first)
	}
	var all []byte
	for {
		part, err := in.ReadSlice('"')
		all = append(all, part...)
		if err == bufio.ErrBufferFull {
			if len(all) > maxValue {
				return "", 0, strange("a value has more than %d bytes: ask again", maxValue)
			}
			continue
		}
		var behind byte
		if err == nil {
			behind, err = in.ReadByte()
		}
		switch {
		case err == io.EOF:
			return "", 0, errTorn
		case err != nil:
			return "", 0, err
		case behind == ',' || behind == '\n':
			return string(bytes.TrimSuffix(all, []byte{'"'})), behind, nil
		case behind != '"':
			return "", 0, strange("behind a quote %q comes: ask again", behind)
		} // the first of two quotes is in all already
	}
}
