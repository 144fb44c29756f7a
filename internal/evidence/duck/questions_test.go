package duck_test

// The counting rules, one sub-test each: the questions' own SQL, run by DuckDB over a few records.

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/evidence/enginetest"
)

const (
	account = "111122223333"
	bucket  = "exports"
	key     = "AKIAEXAMPLESTOLEN001"
)

// The window is two minutes from noon.
var (
	noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	end  = noon.Add(2 * time.Minute)
)

// record is a CloudTrail record, change one edit of it.
type (
	record map[string]any
	change func(record)
)

// set puts a value at a path of keys, such as "userIdentity.accessKeyId"; nil takes the field away.
func set(path string, value any) change {
	return func(r record) {
		m := map[string]any(r)
		keys := strings.Split(path, ".")
		for _, k := range keys[:len(keys)-1] {
			next, ok := m[k].(map[string]any)
			if !ok {
				next = map[string]any{}
				m[k] = next
			}
			m = next
		}
		if last := keys[len(keys)-1]; value == nil {
			delete(m, last)
		} else {
			m[last] = value
		}
	}
}

func at(t time.Time) change       { return set("eventTime", t.UTC().Format(time.RFC3339)) }
func size(v any) change           { return set("additionalEventData.bytesTransferredOut", v) }
func name(v string) change        { return set("eventName", v) }
func id(v string) change          { return set("eventID", v) }
func from(ip string) change       { return set("sourceIPAddress", ip) }
func object(k string) change      { return set("requestParameters.key", k) }
func in(b string) change          { return set("requestParameters.bucketName", b) }
func keyID(v string) change       { return set("userIdentity.accessKeyId", v) }
func principalID(v string) change { return set("userIdentity.principalId", v) }
func agent(v string) change       { return set("userAgent", v) }
func failed(code string) change   { return set("errorCode", code) }
func presigned(r record)          { set("additionalEventData.AuthenticationMethod", "QueryString")(r) }
func source(v string) change      { return set("requestParameters.x-amz-copy-source", v) }
func uncategorised(r record)      { set("eventCategory", nil)(r); set("managementEvent", nil)(r) }
func resources(arns ...string) change {
	var list []any
	for _, a := range arns {
		list = append(list, map[string]any{"type": "AWS::S3::Object", "ARN": a})
	}
	return set("resources", list)
}

// copied makes a record a server-side copy into another bucket.
func copied(from string) change {
	return func(r record) {
		for _, c := range []change{name("CopyObject"), in("loot"), source(from), size(300), set("readOnly", false), resources("arn:aws:s3:::loot/k")} {
			c(r)
		}
	}
}

// session makes the caller a session of role web.
func session(name, keyID string) change {
	return set("userIdentity", map[string]any{"type": "AssumedRole", "principalId": "AROAEXAMPLEWEB:" + name, "accountId": account, "accessKeyId": keyID,
		"arn": "arn:aws:sts::" + account + ":assumed-role/web/" + name, "sessionContext": map[string]any{"sessionIssuer": map[string]any{
			"type": "Role", "userName": "web", "principalId": "AROAEXAMPLEWEB", "arn": "arn:aws:iam::" + account + ":role/web", "accountId": account}}})
}

// call is mara's key reading 1,000 bytes of exports/k half a minute into the window, but for the changes.
func call(changes ...change) record {
	r := record{
		"eventVersion": "1.11", "eventTime": "2026-03-04T12:00:30Z", "eventSource": "s3.amazonaws.com", "eventName": "GetObject",
		"awsRegion": "eu-west-1", "sourceIPAddress": "198.51.100.7", "userAgent": "[aws-cli/2.31.4]", "readOnly": true,
		"requestParameters":   map[string]any{"bucketName": bucket, "key": "k"},
		"additionalEventData": map[string]any{"AuthenticationMethod": "AuthHeader", "bytesTransferredOut": 1000.0},
		"resources": []any{map[string]any{"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::exports/k"},
			map[string]any{"accountId": account, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::exports"}},
		"managementEvent": false, "eventCategory": "Data", "recipientAccountId": account,
		"userIdentity": map[string]any{"type": "IAMUser", "principalId": "AIDAEXAMPLEMARA", "arn": "arn:aws:iam::" + account + ":user/mara",
			"accountId": account, "accessKeyId": key, "userName": "mara"},
	}
	for _, c := range changes {
		c(r)
	}
	return r
}

func calls(r ...record) []record { return r }

// each is n calls, of which changes(i) makes the i-th.
func each(n int, changes func(i int) []change) []record {
	var all []record
	for i := range n {
		all = append(all, call(changes(i)...))
	}
	return all
}

// lone stands for half a surrogate pair, which Go cannot write.
const lone = "@LONE@"

// trail is an engine over the records, each with an eventID of its own unless it has one. It has them in both forms: as Lake would, and
// in a trail's files as Athena would, delivered now and then hours or days late, in an organization's folders.
func trail(t *testing.T, records []record) *duck.Engine {
	t.Helper()
	var text strings.Builder
	var delivered []enginetest.Record
	for i, r := range records {
		if r["eventID"] == nil {
			r["eventID"] = fmt.Sprintf("event-%04d", i)
		}
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		line = []byte(strings.ReplaceAll(string(line), lone, `\ud800`))
		text.Write(append(line, '\n'))
		happened, _ := time.Parse(time.RFC3339, fmt.Sprint(r["eventTime"]))
		late := []time.Duration{3 * time.Minute, 8 * time.Minute, 5 * time.Hour, 13 * time.Hour, 60 * time.Hour}[i%5]
		delivered = append(delivered, enginetest.Record{JSON: line, Delivered: happened.Add(late), Account: account, Region: athena.Regions()[i%7]})
	}
	path := filepath.Join(t.TempDir(), "trail.jsonl")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return loadedFrom(t, path, delivered)
}

// loadedFrom is an engine over what lies at path, and over the same records as they were delivered.
func loadedFrom(t *testing.T, path string, delivered []enginetest.Record) *duck.Engine {
	t.Helper()
	e, err := duck.Open(t.Context(), duck.Settings{MemoryMB: 400, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	dir := t.TempDir()
	table := athena.Table{Location: "s3://trail-bucket/logs/AWSLogs/o-exampleorg/", Accounts: []string{account}}
	if err := errors.Join(e.Load(t.Context(), path), enginetest.Lay(dir, table, delivered), enginetest.Load(t.Context(), e, table, dir)); err != nil {
		t.Fatal(err)
	}
	return e
}

// real is an engine over the published records of a folder, as if each had been delivered five minutes after the call.
func real(t *testing.T, folder string) *duck.Engine {
	t.Helper()
	dir := published(t, folder)
	files, err := filepath.Glob(filepath.Join(dir, "*.json*"))
	files = slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == "alarm.json" })
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	var delivered []enginetest.Record
	add := func(text json.RawMessage) {
		var r struct {
			EventTime string
			Shipped   string `json:"@timestamp"` // what a log shipper wrote in its place
		}
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		if r.EventTime == "" {
			r.EventTime = r.Shipped
			text = append([]byte(`{"eventTime":"`+r.Shipped+`",`), text[1:]...)
		}
		happened, err := time.Parse(time.RFC3339, r.EventTime)
		if err != nil {
			t.Fatal(err)
		}
		delivered = append(delivered, enginetest.Record{JSON: text, Delivered: happened.Add(5 * time.Minute), Account: account, Region: "us-east-1"})
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		var text io.Reader = f
		if strings.HasSuffix(file, ".gz") {
			if text, err = gzip.NewReader(f); err != nil {
				t.Fatal(err)
			}
		}
		for read := json.NewDecoder(text); ; {
			var one json.RawMessage
			if err := read.Decode(&one); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			var file struct{ Records []json.RawMessage }
			records := []json.RawMessage{one}
			if json.Unmarshal(one, &file) == nil && file.Records != nil {
				records = file.Records
			} else if list := []json.RawMessage{}; json.Unmarshal(one, &list) == nil {
				records = list
			}
			for _, r := range records {
				add(r)
			}
		}
		f.Close()
	}
	return loadedFrom(t, dir, delivered)
}

// rows are the answer, which has to be the same in both forms of the records, and from Trino where one is asked as well.
func rows(t *testing.T, e *duck.Engine, q evidence.Question) []evidence.Row {
	t.Helper()
	begin := time.Now()
	answer, err := e.Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Lost) > 0 {
		t.Errorf("lost: %q", answer.Lost)
	}
	if _, plain := q.(raw); plain {
		return answer.Rows
	}
	inFiles, err := e.Ask(t.Context(), enginetest.OfFiles{Question: q})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inFiles.Rows, answer.Rows); diff != "" {
		t.Errorf("Athena's form has other rows than Lake's (got -, want +):\n%s", diff)
	}
	took := time.Since(begin)
	if s := onTrino(t); s != nil {
		s.compare(t, e, q, answer.Rows, took)
	}
	return answer.Rows
}

// tallied asks for the bytes of one window.
func tallied(t *testing.T, e *duck.Engine, w evidence.Window, ours string) evidence.Tally {
	t.Helper()
	return talliedAll(t, e, ours, w)[w.ID]
}

// talliedAll asks for the bytes of several windows at once.
func talliedAll(t *testing.T, e *duck.Engine, ours string, windows ...evidence.Window) map[string]evidence.Tally {
	t.Helper()
	q := evidence.Bytes{Windows: windows, Margin: alarm.Margin}
	tallies, err := evidence.ReadBytes(rows(t, e, q), q, actor.Accounts(ours))
	if err != nil {
		t.Fatal(err)
	}
	return tallies
}

// count asks for the bytes of exports in the window.
func count(t *testing.T, records []record) evidence.Tally {
	t.Helper()
	return tallied(t, trail(t, records), evidence.Window{Buckets: []string{bucket}, From: noon, To: end}, account)
}

// weigh asks both questions and reconciles them with an alarm over a million bytes.
func weigh(t *testing.T, records []record) evidence.Evidence {
	t.Helper()
	e := trail(t, records)
	tally := tallied(t, e, evidence.Window{Buckets: []string{bucket}, From: noon, To: end}, account)
	history, err := evidence.ReadUsage(rows(t, e, evidence.Usage{Buckets: []string{bucket}, Before: noon}), noon)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Reconcile(alarm.Alarm{From: noon, To: end, Bytes: new(int64(1_000_000))}, tally, history)
}

// sums is what a tally counts over all actors.
type sums struct{ Bytes, Object, Listing, Error, Margin, Calls, Unsized, Copies int64 }

func sumsOf(t evidence.Tally) sums {
	return sums{t.Bytes, t.ObjectBytes, t.ListingBytes, t.ErrorBytes, t.MarginBytes, t.Calls, t.Unsized, t.Copies}
}

// one is the sums of one GetObject of 1,000 bytes.
var one = sums{Bytes: 1000, Object: 1000, Calls: 1}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWhatCounts(t *testing.T) {
	owners := func(id string) record { // the bucket owner's copy of a foreign caller's call
		return call(set("eventID", id), set("sharedEventID", "shared"), set("userIdentity", map[string]any{
			"type": "AWSAccount", "principalId": "AIDAEXAMPLEMARA", "accountId": account}))
	}
	requesters := func(id string) record {
		return call(set("eventID", id), set("sharedEventID", "shared"), set("recipientAccountId", "444455556666"))
	}
	pointed := func(source string, arns ...string) record { return call(copied(source), resources(arns...)) }
	corrects := func(id string) change {
		return set("addendum", map[string]any{"reason": "UPDATED_DATA", "updatedFields": "additionalEventData", "originalEventID": id})
	}
	const point = "arn:aws:s3:eu-west-1:111122223333:accesspoint/reports"
	sized := func(v any, want sums) struct {
		records []record
		want    sums
	} {
		return struct {
			records []record
			want    sums
		}{calls(call(size(v))), want}
	}
	unsized := sums{Calls: 1, Unsized: 1}
	for name, c := range map[string]struct {
		records []record
		want    sums
	}{
		"a data event":                                    {calls(call()), one},
		"a management call with bytes":                    {calls(call(set("eventCategory", "Management"), set("managementEvent", true), name("GetBucketAcl"))), sums{}},
		"category counts before managementEvent":          {calls(call(set("managementEvent", true))), one},
		"no category: managementEvent false":              {calls(call(set("eventCategory", nil))), one},
		"no category: managementEvent true":               {calls(call(set("eventCategory", nil), set("managementEvent", true))), sums{}},
		"neither: an object-level name":                   {calls(call(uncategorised)), one},
		"neither: another name":                           {calls(call(uncategorised, name("GetBucketPolicy"))), sums{}},
		"another service's data event":                    {calls(call(set("eventSource", "s3express.amazonaws.com"))), sums{}},
		"bytes as a number":                               sized(1000, one),
		"bytes as a decimal":                              sized(1000.0, one),
		"bytes as a string":                               sized("1000", one),
		"bytes as Lake writes them":                       sized("2356.0", sums{Bytes: 2356, Object: 2356, Calls: 1}),
		"bytes as Java writes them":                       sized("4.2949672960E10", sums{Bytes: 42949672960, Object: 42949672960, Calls: 1}),
		"bytes that a double barely holds":                sized("900719925474099", sums{Bytes: 900719925474099, Object: 900719925474099, Calls: 1}),
		"no bytes is not zero bytes":                      sized(nil, unsized),
		"bytes that are no number":                        sized("a lot' --", unsized),
		"empty bytes":                                     sized("", unsized),
		"bytes that are NaN":                              sized("NaN", unsized),
		"bytes without end":                               sized("Infinity", unsized),
		"fewer than no bytes":                             sized("-5", unsized),
		"zero bytes are zero bytes":                       sized(0, sums{Calls: 1}),
		"no additional data at all":                       {calls(call(set("additionalEventData", nil))), unsized},
		"one event, delivered three times":                {calls(call(id("a")), call(id("a")), call(id("a"))), one},
		"two events that look alike":                      {calls(call(id("a")), call(id("b"))), sums{Bytes: 2000, Object: 2000, Calls: 2}},
		"an organization's two copies":                    {calls(owners("1"), requesters("2")), one},
		"the same, the requester's first":                 {calls(requesters("1"), owners("2")), one},
		"the same, both delivered twice":                  {calls(owners("1"), requesters("2"), owners("1"), requesters("2")), one},
		"object, listing and refusal apart":               {calls(call(), call(name("ListObjects"), size(20)), call(name("HeadObject"), size(0)), call(failed("AccessDenied"), size(3))), sums{Bytes: 1023, Object: 1000, Listing: 20, Error: 3, Calls: 4}},
		"SelectObjectContent is object data":              {calls(call(name("SelectObjectContent"))), one},
		"another bucket":                                  {calls(call(in("other"), resources("arn:aws:s3:::other/k"))), sums{}},
		"a longer name that begins alike":                 {calls(call(in("exports2"), resources("arn:aws:s3:::exports2/k"))), sums{}},
		"a name that ends alike":                          {calls(call(in("my-exports"), resources("arn:aws:s3:::my-exports/k"))), sums{}},
		"a dotted neighbour":                              {calls(call(in("exports.old"), resources("arn:aws:s3:::exports.old/k"))), sums{}},
		"a shorter name":                                  {calls(call(in("export"), resources("arn:aws:s3:::export/k"))), sums{}},
		"another's key that names the bucket":             {calls(call(in("other"), object("exports/k"), resources("arn:aws:s3:::other/exports/k"))), sums{}},
		"an access point's ARN, the bucket first":         {calls(call(in(point), resources("arn:aws:s3:::exports/k", point))), one},
		"an access point's ARN, the bucket second":        {calls(call(in(point), resources(point, "arn:aws:s3:::exports"))), one},
		"an access point's ARN, the bucket third":         {calls(call(in(point), resources(point, point+"/object/k", "arn:aws:s3:::exports"))), one},
		"an access point's alias":                         {calls(call(in("reports-abc-s3alias"), resources(point, "arn:aws:s3:::exports/k"))), one},
		"no bucketName, but a resource":                   {calls(call(in(""), set("requestParameters", nil))), one},
		"a bucket of another partition":                   {calls(call(in(point), resources("arn:aws-us-gov:s3:::exports/k"))), one},
		"an access point of a neighbour":                  {calls(call(in(point), resources(point, "arn:aws:s3:::exports2/k"))), sums{}},
		"no resources, but bucketName":                    {calls(call(set("resources", nil))), one},
		"a copy out":                                      {calls(call(copied("exports/k"))), sums{Calls: 1, Copies: 1}},
		"a copy out, with a slash":                        {calls(call(copied("/exports/k"))), sums{Calls: 1, Copies: 1}},
		"a copy out of a version":                         {calls(call(copied("exports/k?versionId=3HL4kqtJlcpXroDTDmJ"))), sums{Calls: 1, Copies: 1}},
		"a copy out, letters of the bucket encoded":       {calls(call(copied("%65xp%6Frts/k"))), sums{Calls: 1, Copies: 1}},
		"a copy out, the separator encoded":               {calls(call(copied("exports%2Fk"))), sums{Calls: 1, Copies: 1}},
		"a copy out, everything encoded":                  {calls(call(copied("%2f%65xports%2fa%20b"))), sums{Calls: 1, Copies: 1}},
		"a copy out, an invalid escape":                   {calls(call(copied("exports/100%")), call(copied("exports/%zz")), call(copied("exports/%"))), sums{Calls: 3, Copies: 3}},
		"a copy out, an escape of no character":           {calls(call(copied("exports/%ff%fe"))), sums{Calls: 1, Copies: 1}},
		"a copy out, encoded, and an escape that is none": {calls(call(copied("%65xports/%ff")), call(copied("%65xports/100%")), call(copied("%2f%65xports%2f%zz"))), sums{Calls: 3, Copies: 3}},
		"an escape that is none in a bucket's name":       {calls(call(copied("exports%ff/k")), call(copied("exports%/k")), call(copied("%zzexports/k")), call(copied("%c3%a9xports/k"))), sums{}},
		"a copy source that is encoded twice":             {calls(call(copied("%2565xports/k"))), sums{}},
		"a copy of a part":                                {calls(call(copied("exports/k"), name("UploadPartCopy"))), sums{Calls: 1, Copies: 1}},
		"a copy out without a size":                       {calls(call(copied("exports/k"), size(nil))), sums{Calls: 1, Copies: 1}},
		"a refused copy":                                  {calls(call(copied("exports/k"), failed("AccessDenied"))), sums{Calls: 1}},
		"a refused copy without a size":                   {calls(call(copied("exports/k"), failed("AccessDenied"), size(nil))), sums{Calls: 1}},
		"a copy of a neighbour":                           {calls(call(copied("exports2/k")), call(copied("/my-exports/k")), call(copied("exports.old/k"))), sums{}},
		"a copy of a key that names the bucket":           {calls(call(copied("other/exports/k"))), sums{}},
		"a copy out of nothing":                           {calls(call(copied("")), call(copied("/")), call(copied("exports")), call(copied("%"))), sums{}},
		"a copy in":                                       {calls(call(copied("other/k"), in(bucket))), sums{Bytes: 300, Listing: 300, Calls: 1}},
		"a copy within":                                   {calls(call(copied("exports/k"), in(bucket))), sums{Bytes: 300, Listing: 300, Calls: 1}},
		"a copy within, the source encoded":               {calls(call(copied("%65xports%2Fk"), in(bucket))), sums{Bytes: 300, Listing: 300, Calls: 1}},
		"a part copied within, without a size":            {calls(call(copied("/exports/k"), name("UploadPartCopy"), in(bucket), size(nil))), sums{Calls: 1, Unsized: 1}},
		"a copy that does not say where to":               {calls(call(copied("exports/k"), set("requestParameters.bucketName", nil))), sums{Calls: 1, Copies: 1}},
		"a copy source on another call":                   {calls(call(name("PutObject"), in("loot"), source("exports/k"), resources("arn:aws:s3:::loot/k"))), sums{}},
		"a copy twice delivered":                          {calls(call(copied("exports/k"), id("a")), call(copied("exports/k"), id("a"))), sums{Calls: 1, Copies: 1}},
		"a copy in the margin":                            {calls(call(copied("exports/k"), at(noon.Add(-time.Second)))), sums{}},
		"a copy out, an access point's ARN":               {calls(pointed(point+"/object/k", "arn:aws:s3:::loot/k", "arn:aws:s3:::loot", "arn:aws:s3:::exports/k")), sums{Calls: 1, Copies: 1}},
		"a copy out, the ARN encoded":                     {calls(pointed("arn%3Aaws%3As3%3Aeu-west-1%3A111122223333%3Aaccesspoint%2Freports%2Fobject%2Fk", "arn:aws:s3:::loot/k", "arn:aws:s3:::exports/k")), sums{Calls: 1, Copies: 1}},
		"a copy out, an access point's alias":             {calls(pointed("reports-abc-s3alias/k", "arn:aws:s3:::loot/k", "arn:aws:s3:::loot", "arn:aws:s3:::exports/k")), sums{Calls: 1, Copies: 1}},
		"a copy out, the source among four":               {calls(pointed(point+"/object/k", "arn:aws:s3:::loot/k", "arn:aws:s3:::loot", point, "arn:aws:s3:::exports")), sums{Calls: 1, Copies: 1}},
		"a copy out, no header":                           {calls(call(copied(""), set("requestParameters.x-amz-copy-source", nil), resources("arn:aws:s3:::loot/k", "arn:aws:s3:::exports/k"))), sums{Calls: 1, Copies: 1}},
		"a copy out, a header that cannot be decoded":     {calls(pointed("%zzexports/k", "arn:aws:s3:::loot/k", "arn:aws:s3:::exports/k")), sums{Calls: 1, Copies: 1}},
		"a copy out, to an access point":                  {calls(call(copied(point+"/object/k"), in("loot-abc-s3alias"), resources("arn:aws:s3:::loot/k", "arn:aws:s3:::loot", "arn:aws:s3:::exports/k"))), sums{Calls: 1, Copies: 1}},
		"a copy of an access point's neighbour":           {calls(pointed(point+"/object/k", "arn:aws:s3:::loot/k", "arn:aws:s3:::exports2/k")), sums{}},
		"a copy within, by an access point":               {calls(call(copied(point+"/object/k"), in(bucket), resources("arn:aws:s3:::exports/l", "arn:aws:s3:::exports", "arn:aws:s3:::exports/k"))), sums{Bytes: 300, Listing: 300, Calls: 1}},
		"a header that names another, whatever else":      {calls(pointed("other/k", "arn:aws:s3:::loot/k", "arn:aws:s3:::other/k", "arn:aws:s3:::exports/k")), sums{}},
		"an annotation is object data":                    {calls(call(name("GetObjectAnnotation"))), one},
		"a correction takes the record's place":           {calls(call(id("a"), size(10)), call(id("b"), corrects("a"))), one},
		"a correction that comes first":                   {calls(call(id("b"), corrects("a")), call(id("a"), size(10))), one},
		"a correction, both delivered twice":              {calls(call(id("a"), size(10)), call(id("b"), corrects("a")), call(id("a"), size(10)), call(id("b"), corrects("a"))), one},
		"a correction alone":                              {calls(call(id("b"), corrects("a"))), one},
		"a correction of nothing":                         {calls(call(id("b"), corrects(""))), one},
		"a record that is late is no correction":          {calls(call(id("a")), call(id("b"), set("addendum", map[string]any{"reason": "DELIVERY_DELAY", "originalEventID": "a"}))), sums{Bytes: 2000, Object: 2000, Calls: 2}},
		"nothing":                                         {calls(call(in("other"), resources())), sums{}},
		"bytes of the owner's copy when it is alone":      {calls(owners("1")), one},
		"another event's sharedEventID is no eventID":     {calls(call(id("shared")), requesters("2")), one},
		"an empty sharedEventID does not make events one": {calls(call(set("sharedEventID", ""), id("a")), call(set("sharedEventID", ""), id("b"))), sums{Bytes: 2000, Object: 2000, Calls: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := trail(t, c.records)
			equal(t, sumsOf(tallied(t, e, evidence.Window{Buckets: []string{bucket}, From: noon, To: end}, account)), c.want)
			equal(t, minuteSum(t, e), c.want.Bytes)
			equal(t, courseSum(t, e), c.want.Bytes)
			object, copies := takenSums(t, e)
			equal(t, []int64{object, copies}, []int64{c.want.Object, c.want.Copies})
		})
	}
}

// minuteSum is what the minutes of the window add up to: what a metric would have shown of exports.
func minuteSum(t *testing.T, e *duck.Engine) (sum int64) {
	t.Helper()
	minutes, err := evidence.ReadMinutes(rows(t, e, evidence.Minutes{From: noon, To: end}))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range minutes {
		if m.Bucket == bucket {
			sum += m.Bytes
		}
	}
	return sum
}

// courseSum is what the parts of the window add up to.
func courseSum(t *testing.T, e *duck.Engine) (sum int64) {
	t.Helper()
	slots, err := evidence.ReadCourse(rows(t, e, evidence.Course{Buckets: []string{bucket}, Keys: []string{key}, From: noon, To: end}))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slots {
		sum += s.Bytes
	}
	return sum
}

func TestCourse(t *testing.T) {
	other := keyID("AKIAEXAMPLENEIGHBOUR")
	e := trail(t, calls(call(at(noon)), call(at(noon.Add(59*time.Second)), other), call(at(noon.Add(time.Minute)), size(7)), call(at(end)), call(in("loot"), set("resources", nil)),
		call(at(noon.Add(-time.Second)))))
	ask := func(q evidence.Course) []evidence.Slot {
		got, err := evidence.ReadCourse(rows(t, e, q))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	q := evidence.Course{Buckets: []string{bucket}, Keys: []string{key, "x' or true --"}, From: noon, To: end}
	equal(t, ask(q), []evidence.Slot{{Start: noon, Bytes: 2000, ByKey: map[string]int64{key: 1000}}, {Start: noon.Add(time.Minute), Bytes: 7, ByKey: map[string]int64{key: 7}}})
	q.Keys, q.From, q.To = nil, noon.Add(-3*time.Hour), noon.Add(3*time.Hour) // parts of three minutes
	equal(t, ask(q), []evidence.Slot{{Start: noon.Add(-3 * time.Minute), Bytes: 1000, ByKey: map[string]int64{}}, {Start: noon, Bytes: 3007, ByKey: map[string]int64{}}})
}

func TestMinutes(t *testing.T) {
	e := trail(t, calls(call(at(noon)), call(at(noon.Add(59*time.Second)), failed("AccessDenied")), call(at(noon.Add(time.Minute)), size(7)), call(at(end)),
		call(in("loot"), set("awsRegion", "us-east-1"), set("resources", nil), set("recipientAccountId", "444455556666")),
		call(in(""), set("resources", nil)), call(at(noon.Add(-time.Second)))))
	got, err := evidence.ReadMinutes(rows(t, e, evidence.Minutes{From: noon, To: end}))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, []evidence.Minute{
		{Bucket: bucket, Start: noon, Bytes: 2000, Region: "eu-west-1", Owner: account},
		{Bucket: "loot", Start: noon, Bytes: 1000, Region: "us-east-1", Owner: "444455556666"},
		{Bucket: bucket, Start: noon.Add(time.Minute), Bytes: 7, Region: "eu-west-1", Owner: account},
	})
}

func TestWindowIsHalfOpen(t *testing.T) {
	for when, want := range map[time.Time]sums{
		noon.Add(-alarm.Margin - time.Second): {},
		noon.Add(-alarm.Margin):               {Margin: 1000},
		noon.Add(-time.Second):                {Margin: 1000},
		noon:                                  one,
		end.Add(-time.Second):                 one,
		end:                                   {Margin: 1000},
		end.Add(alarm.Margin - time.Second):   {Margin: 1000},
		end.Add(alarm.Margin):                 {},
	} {
		t.Run(when.Format(time.TimeOnly), func(t *testing.T) {
			t.Parallel()
			tally := count(t, calls(call(at(when))))
			equal(t, sumsOf(tally), want)
			for _, a := range tally.Actors {
				seen := time.Time{}
				if want.Bytes > 0 {
					seen = when
				}
				equal(t, []any{a.Bytes, a.MarginBytes, a.Objects, a.FirstSeen, a.LastSeen}, []any{want.Bytes, want.Margin, want.Calls, seen, seen})
			}
		})
	}
}

func TestCopyThatNamesTheKeyIsKept(t *testing.T) {
	for name, ids := range map[string][2]string{"it comes first": {"2", "1"}, "it comes last": {"1", "2"}} {
		t.Run(name, func(t *testing.T) {
			tally := count(t, calls(
				call(id(ids[0]), set("sharedEventID", "s"), set("recipientAccountId", "444455556666"), set("userIdentity", map[string]any{"type": "AWSAccount", "principalId": "AIDAEXAMPLEMARA", "accountId": account})),
				call(id(ids[1]), set("sharedEventID", "s"))))
			if len(tally.Actors) != 1 || tally.Actors[0].AccessKeyID != key || tally.Actors[0].Kind != actor.IAMUserKey {
				t.Errorf("got %+v, want mara's key alone", tally.Actors)
			}
		})
	}
}

// Records of one call that say different things all count, and the evidence is torn: none of them is chosen.
func TestRecordsThatContradictEachOther(t *testing.T) {
	other := func(r record) { keyID("AKIAEXAMPLENEIGHBOUR")(r); principalID("AIDAEXAMPLEIDA")(r) }
	shared, foreign := set("sharedEventID", "s"), set("recipientAccountId", "444455556666")
	corrects := set("addendum", map[string]any{"reason": "UPDATED_DATA", "originalEventID": "a"})
	for name, c := range map[string]struct {
		records      []record
		bytes, torn  int64
		actors, lost int
	}{
		"one eventID, the same record":       {calls(call(id("a")), call(id("a"))), 1000, 0, 1, 0},
		"one eventID, three objects":         {calls(call(id("a")), call(id("a"), object("l")), call(id("a"), object("m"))), 3000, 3, 1, 1},
		"one eventID, two sizes":             {calls(call(id("a")), call(id("a"), size(10))), 1010, 2, 1, 1},
		"one eventID, another request":       {calls(call(id("a"), set("requestID", "1")), call(id("a"), set("requestID", "2"))), 2000, 2, 1, 1},
		"one eventID, two credentials":       {calls(call(id("a")), call(id("a"), other)), 2000, 2, 2, 1},
		"two, one of them delivered twice":   {calls(call(id("a")), call(id("a")), call(id("a"), other)), 2000, 2, 2, 1},
		"one account, one sharedEventID":     {calls(call(id("a"), shared), call(id("b"), shared)), 2000, 2, 1, 1},
		"two accounts, two credentials":      {calls(call(id("a"), shared), call(id("b"), shared, foreign, other)), 2000, 2, 2, 1},
		"two accounts, two principals":       {calls(call(id("a"), shared, keyID("")), call(id("b"), shared, foreign, principalID("AIDAEXAMPLEIDA"))), 2000, 2, 2, 1},
		"two accounts, one of them two":      {calls(call(id("a"), shared), call(id("b"), shared), call(id("c"), shared, foreign, keyID(""))), 2000, 2, 1, 1},
		"two accounts, one call":             {calls(call(id("a"), shared), call(id("b"), shared, foreign, keyID(""))), 1000, 0, 1, 0},
		"a correction of another credential": {calls(call(id("a")), call(id("b"), corrects, other)), 2000, 2, 2, 1},
		"two corrections that differ":        {calls(call(id("a")), call(id("b"), corrects, size(10)), call(id("c"), corrects, size(20))), 30, 2, 1, 1},
		"another bucket's":                   {calls(call(id("a")), call(id("a"), in("other"), resources("arn:aws:s3:::other/k"))), 1000, 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tally := count(t, c.records)
			e := evidence.Reconcile(alarm.Alarm{From: noon, To: end}, tally, nil)
			equal(t, []any{tally.Bytes, tally.Torn, len(tally.Actors), len(e.Lost)}, []any{c.bytes, c.torn, c.actors, c.lost})
		})
	}
}

func TestCopierIsNamed(t *testing.T) {
	tally := count(t, calls(call(), call(copied("exports/k"), keyID("AKIAEXAMPLECOPIER001"), principalID("AIDAEXAMPLEEVE"))))
	if len(tally.Actors) != 2 {
		t.Fatalf("got %d actors, want the reader and the copier", len(tally.Actors))
	}
	reader, copier := tally.Actors[0], tally.Actors[1]
	equal(t, []any{reader.AccessKeyID, reader.Bytes, reader.Copies}, []any{key, int64(1000), int64(0)})
	equal(t, []any{copier.AccessKeyID, copier.Bytes, copier.ObjectBytes, copier.Objects, copier.Copies, copier.Unsized, copier.Buckets},
		[]any{"AKIAEXAMPLECOPIER001", int64(0), int64(0), int64(0), int64(1), int64(0), map[string]int64{bucket: 0}})
}

func TestOneActor(t *testing.T) {
	tally := count(t, calls(
		call(at(noon)), call(at(noon.Add(time.Second)), object("k2"), size(500)), call(at(end.Add(-time.Second)), object("k2"), size(500)),
		call(name("ListObjects"), object(""), size(40)), call(failed("AccessDenied"), size(7)), call(size(nil), object("k3"))))
	if len(tally.Actors) != 1 {
		t.Fatalf("got %d actors, want 1", len(tally.Actors))
	}
	got := tally.Actors[0]
	want := evidence.Actor{
		Kind: actor.IAMUserKey, AccessKeyID: key, PrincipalARN: "arn:aws:iam::111122223333:user/mara", PrincipalID: "AIDAEXAMPLEMARA",
		AccountID: account, UserName: "mara", Bytes: 2047, ObjectBytes: 2000, ListingBytes: 40, ErrorBytes: 7, SignedBytes: new(int64(2047)), Objects: 3, Unsized: 1,
		Calls: map[string]int64{"GetObject": 5, "ListObjects": 1}, Errors: map[string]int64{"AccessDenied": 1}, Buckets: map[string]int64{bucket: 2047},
		Origins: []evidence.Origin{{Network: "198.51.100.0/24", Bytes: 2047, ObjectBytes: 2000, Calls: 6}}, Agents: []string{"[aws-cli/2.31.4]"},
		FirstSeen: noon, LastSeen: end.Add(-time.Second),
	}
	if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool {
		f, ok := p.Last().(cmp.StructField)
		return ok && !strings.ContainsAny(f.Name()[:1], "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	}, cmp.Ignore())); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestOrigins(t *testing.T) {
	v4 := func(network string, bytes, calls int64) evidence.Origin {
		return evidence.Origin{Network: network, Bytes: bytes, ObjectBytes: bytes, Calls: calls}
	}
	endpoint := func(changes ...change) record {
		return call(append([]change{set("vpcEndpointId", "vpce-1"), set("vpcEndpointAccountId", "444455556666"), from("10.0.0.9")}, changes...)...)
	}
	for name, c := range map[string]struct {
		records []record
		want    []evidence.Origin
	}{
		"IPv4 by its first three numbers": {calls(call(from("198.51.100.1")), call(from("198.51.100.254")), call(from("198.51.10.254"), size(10))),
			[]evidence.Origin{v4("198.51.100.0/24", 2000, 2), v4("198.51.10.0/24", 10, 1)}},
		"IPv6, however it is written": {calls(call(from("2001:db8::1")), call(from("2001:db8:0:0::2")), call(from("2001:0db8:0000:0000:0000:0000:0000:0003")), call(from("2001:DB8:0:ffff::"))),
			[]evidence.Origin{v4("2001:db8::/48", 4000, 4)}},
		"IPv6 neighbours": {calls(call(from("2001:db8:1::1")), call(from("2001:db8:2::1"), size(10)), call(from("2001:db8:10::1"), size(1))),
			[]evidence.Origin{v4("2001:db8:1::/48", 1000, 1), v4("2001:db8:2::/48", 10, 1), v4("2001:db8:10::/48", 1, 1)}},
		"the shortest IPv6": {calls(call(from("::1")), call(from("0:0:0:0:0:0:0:2"))), []evidence.Origin{v4("::/48", 2000, 2)}},
		"IPv4 within IPv6": {calls(call(from("::ffff:198.51.100.7")), call(from("::ffff:203.0.113.7"), size(10)), call(from("::FFFF:203.0.113.8"), size(10)), call(from("198.51.100.9"))),
			[]evidence.Origin{v4("198.51.100.0/24", 2000, 2), v4("203.0.113.0/24", 20, 2)}},
		"names of services": {calls(call(from("athena.amazonaws.com")), call(from("AWS Internal"), size(10))),
			[]evidence.Origin{v4("athena.amazonaws.com", 1000, 1), v4("AWS Internal", 10, 1)}},
		"no address": {calls(call(set("sourceIPAddress", nil))), []evidence.Origin{v4("", 1000, 1)}},
		"presigned apart": {calls(call(), call(presigned, size(10))),
			[]evidence.Origin{v4("198.51.100.0/24", 1000, 1), {Network: "198.51.100.0/24", Presigned: true, Bytes: 10, ObjectBytes: 10, Calls: 1}}},
		"no word on how it was signed": {calls(call(set("additionalEventData.AuthenticationMethod", nil))),
			[]evidence.Origin{{Network: "198.51.100.0/24", SigningUnknown: true, Bytes: 1000, ObjectBytes: 1000, Calls: 1}}},
		"another word on how it was signed": {calls(call(set("additionalEventData.AuthenticationMethod", "authheader"))),
			[]evidence.Origin{{Network: "198.51.100.0/24", SigningUnknown: true, Bytes: 1000, ObjectBytes: 1000, Calls: 1}}},
		"behind an endpoint the address proves nothing": {calls(endpoint(), endpoint(from("192.168.7.7"))),
			[]evidence.Origin{{VPCEndpoint: "vpce-1", VPCEndpointAccount: "444455556666", Bytes: 2000, ObjectBytes: 2000, Calls: 2}}},
		"two accounts' endpoints": {calls(endpoint(), endpoint(set("vpcEndpointAccountId", "777788889999"), size(10))),
			[]evidence.Origin{{VPCEndpoint: "vpce-1", VPCEndpointAccount: "444455556666", Bytes: 1000, ObjectBytes: 1000, Calls: 1},
				{VPCEndpoint: "vpce-1", VPCEndpointAccount: "777788889999", Bytes: 10, ObjectBytes: 10, Calls: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tally := count(t, c.records)
			if len(tally.Actors) != 1 {
				t.Fatalf("got %d actors, want 1", len(tally.Actors))
			}
			equal(t, tally.Actors[0].Origins, c.want)
		})
	}
}

func TestActorsApart(t *testing.T) {
	via := func(service string) change { return set("userIdentity.invokedBy", service) }
	for name, c := range map[string]struct {
		records []record
		want    int
	}{
		"the same key twice":                   {calls(call(), call(agent("curl"), from("203.0.113.1"))), 1},
		"the key used through a service":       {calls(call(), call(via("athena.amazonaws.com"))), 2},
		"through two services":                 {calls(call(via("athena.amazonaws.com")), call(via("glue.amazonaws.com"))), 2},
		"two keys of a user":                   {calls(call(), call(keyID("AKIAEXAMPLESTOLEN002"))), 2},
		"a renamed user":                       {calls(call(), call(set("userIdentity.userName", "maria"), set("userIdentity.arn", "arn:aws:iam::111122223333:user/maria"))), 1},
		"two session names, one key":           {calls(call(session("a", "ASIAEXAMPLEROLE00001")), call(session("b", "ASIAEXAMPLEROLE00001"))), 2},
		"a bar in a session name":              {calls(call(session("x", "ASIAEXAMPLEROLE00001"), via("svc")), call(session("x|111122223333|svc", "ASIAEXAMPLEROLE00001"), set("userIdentity.accountId", nil))), 2},
		"bars in two session names":            {calls(call(session("a|", "ASIAEXAMPLEROLE00001")), call(session("a", "ASIAEXAMPLEROLE00001"), set("userIdentity.accountId", "")), call(session("a||", "ASIAEXAMPLEROLE00001"))), 3},
		"a bar instead of a key":               {calls(call(session("x", "")), call(set("userIdentity.type", "AssumedRole"), principalID("ASIAEXAMPLEROLE00001|AROAEXAMPLEWEB:x"), keyID(""))), 2},
		"callers without any name are as one":  {calls(call(set("userIdentity", map[string]any{"type": "AWSAccount", "principalId": "anonymous", "accountId": "anonymous"})), call(set("userIdentity", map[string]any{"type": "AWSAccount", "principalId": "anonymous", "accountId": "anonymous"}), from("203.0.113.1"))), 1},
		"no identity at all":                   {calls(call(set("userIdentity", nil))), 1},
		"two users without their keys":         {calls(call(keyID("")), call(keyID(""), set("userIdentity.userName", "eve"))), 2},
		"on behalf of two users, by one key":   {calls(call(set("userIdentity.onBehalfOf", map[string]any{"userId": "c0de"})), call(set("userIdentity.onBehalfOf", map[string]any{"userId": "cafe"}))), 2},
		"two source identities of one name":    {calls(call(session("a", ""), set("userIdentity.sessionContext.sourceIdentity", "ida")), call(session("a", ""), set("userIdentity.sessionContext.sourceIdentity", "eve"))), 2},
		"session names differ after a NUL":     {calls(call(session("a\x00b", "ASIAEXAMPLEROLE00001")), call(session("a\x00c", "ASIAEXAMPLEROLE00001"))), 2},
		"session names differ after 10,000":    {calls(call(session(strings.Repeat("a", 10000)+"b", "ASIAEXAMPLEROLE00001")), call(session(strings.Repeat("a", 10000)+"c", "ASIAEXAMPLEROLE00001"))), 2},
		"session names differ in case":         {calls(call(session("a", "ASIAEXAMPLEROLE00001")), call(session("A", "ASIAEXAMPLEROLE00001"))), 2},
		"session names differ in a blank":      {calls(call(session("a", "ASIAEXAMPLEROLE00001")), call(session("a ", "ASIAEXAMPLEROLE00001"))), 2},
		"session names differ in their accent": {calls(call(session("\u00e9", "ASIAEXAMPLEROLE00001")), call(session("e\u0301", "ASIAEXAMPLEROLE00001"))), 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tally := count(t, c.records)
			if len(tally.Actors) != c.want {
				t.Errorf("got %d actors, want %d: %+v", len(tally.Actors), c.want, tally.Actors)
			}
			equal(t, tally.Bytes, int64(1000*len(c.records)))
		})
	}
}

// TestHostileText puts what an attacker may choose into each field that it may choose. Every caller has a key of its own.
// hostileTexts are what an attacker may write wherever he can write.
var hostileTexts = []string{"x' OR 1=1 --", `"; DROP TABLE events; --`, "'", "''", `\'`, "a\nb\r\n", "\x1b[2J\x1b[31m", "\u202egpj.exe", "\u009b31m",
	"a\x00b", "a\x00c", strings.Repeat("A", 10<<10), strings.Repeat("€", 5000), lone, "x" + lone + "y", "%s%d%n", "${jndi:ldap://x}",
	`{"a":["b"]}`, "a|b|c", "||||", " ", "NULL", "../../etc/passwd", "\t", "?*[]", "$1", "%00%0a%zz", "0x7f", "::", "999.999.999.999"}

// hostileFields are where.
var hostileFields = map[string]func(string) change{
	"userAgent":           agent,
	"key":                 object,
	"session name":        func(s string) change { return session(s, "") },
	"userName":            func(s string) change { return set("userIdentity.userName", s) },
	"arn":                 func(s string) change { return set("userIdentity.arn", s) },
	"invokedBy":           func(s string) change { return set("userIdentity.invokedBy", s) },
	"sourceIPAddress":     from,
	"errorCode":           failed,
	"vpcEndpointId":       func(s string) change { return set("vpcEndpointId", s) },
	"x-amz-copy-source":   source,
	"eventName":           func(s string) change { return set("eventName", s) },
	"byte count":          func(s string) change { return set("additionalEventData.x-amz-id-2", s) },
	"bucket of a copy":    func(s string) change { return source(bucket + "/" + s) },
	"a key of the params": func(s string) change { return set("requestParameters."+strings.ReplaceAll(s, ".", ""), "v") },
}

func TestHostileText(t *testing.T) {
	for name, field := range hostileFields {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := weigh(t, each(len(hostileTexts), func(i int) []change {
				return []change{field(hostileTexts[i]), keyID(fmt.Sprintf("AKIAEXAMPLEHOSTILE%02d", i)), size(1000 + i)}
			}))
			got, want := map[string]int64{}, map[string]int64{}
			for i := range hostileTexts {
				want[fmt.Sprintf("AKIAEXAMPLEHOSTILE%02d", i)] = int64(1000 + i)
			}
			for _, a := range e.Actors {
				got[a.AccessKeyID] += a.Bytes
				for _, s := range append(slices.Collect(maps.Keys(a.Calls)), append(a.Agents, a.Session, a.UserName, a.PrincipalID, a.Via)...) {
					if len(s) > 256 || strings.ToValidUTF8(s, "") != s {
						t.Errorf("%d bytes were kept of %.20q, want at most 256 of valid UTF-8", len(s), s)
					}
				}
			}
			equal(t, got, want)
			equal(t, e.Others, evidence.Others{})
		})
	}
}

func TestMoreThanIsListed(t *testing.T) {
	// Sixty keys; the ten that took least are summed. Each also copies once, the smallest one twice.
	records := each(60, func(i int) []change { return []change{keyID(fmt.Sprintf("AKIAEXAMPLEMANY000%02d", i)), size(1000 - i)} })
	records = append(records, each(60, func(i int) []change {
		return []change{keyID(fmt.Sprintf("AKIAEXAMPLEMANY000%02d", i)), name("ListObjects"), size(1)}
	})...)
	records = append(records, each(61, func(i int) []change {
		return []change{copied("exports/k"), keyID(fmt.Sprintf("AKIAEXAMPLEMANY000%02d", min(i, 59)))}
	})...)
	e := weigh(t, records)
	equal(t, len(e.Actors), evidence.MaxActors)
	want := evidence.Others{Actors: 10, Copies: 11}
	for i := 50; i < 60; i++ {
		want.Bytes += int64(1000 - i + 1)
		want.ObjectBytes += int64(1000 - i)
	}
	equal(t, e.Others, want)
	equal(t, []int64{e.Copies, e.Calls}, []int64{61, 181})

	// One key with 25 agents, 26 calls and 27 error codes: the 20 with most bytes of each are listed.
	records = each(25, func(i int) []change { return []change{agent(fmt.Sprint("agent-", i)), size(1000 - i)} })
	records = append(records, each(25, func(i int) []change { return []change{name(fmt.Sprint("Get", i)), size(1), agent("agent-0")} })...)
	records = append(records, each(27, func(i int) []change { return []change{failed(fmt.Sprint("Error", i)), size(27 - i), agent("agent-0")} })...)
	e = weigh(t, records)
	a := e.Actors[0]
	equal(t, []int{len(a.Agents), len(a.Calls), len(a.Errors)}, []int{20, 20, 20})
	equal(t, a.Omitted, int64(5+6+7))
	if slices.Contains(a.Agents, "agent-24") || a.Errors["Error0"] != 1 || a.Errors["Error26"] != 0 {
		t.Errorf("not those with most bytes are listed: %q, %v", a.Agents, a.Errors)
	}
}

func TestManyOriginsAddUp(t *testing.T) {
	network := func(i int) change { return from(fmt.Sprintf("10.%d.%d.7", i/200, i%200)) }
	owner := call(at(noon.AddDate(0, 0, -3)), from("203.0.113.9"))
	e := weigh(t, append(each(30, func(i int) []change { return []change{network(i)} }), owner))
	a := e.Actors[0]
	equal(t, []any{len(a.Origins), a.Omitted, *a.UnfamiliarBytes, *a.FamiliarBytes, a.FamiliarActive}, []any{20, int64(10), int64(30_000), int64(0), new(false)})

	// What lies beyond 400 is neither familiar nor unfamiliar, and may well be the owner.
	e = weigh(t, append(each(450, func(i int) []change { return []change{network(i), size(1000 - i)} }), owner, call(from("203.0.113.9"), size(1))))
	a = e.Actors[0]
	unfamiliar := int64(0)
	for i := range 400 {
		unfamiliar += int64(1000 - i)
	}
	equal(t, []any{len(a.Origins), a.Omitted, *a.UnfamiliarBytes, a.FamiliarActive}, []any{20, int64(431), unfamiliar, (*bool)(nil)})
}

func TestObjectsAreDistinct(t *testing.T) {
	e := count(t, calls(call(object("a")), call(object("a")), call(object("b")), call(object("a"), failed("AccessDenied")), call(object("c"), failed("AccessDenied")),
		call(object("d"), name("HeadObject")), call(object("e"), at(end)), call(object("a"), keyID("AKIAEXAMPLESTOLEN002"))))
	equal(t, []int64{e.Actors[0].Objects, e.Actors[1].Objects}, []int64{2, 1})
	two := tallied(t, trail(t, calls(call(object("a")), call(object("a"), in("images"), resources("arn:aws:s3:::images/a")))),
		evidence.Window{Buckets: []string{bucket, "images"}, From: noon, To: end}, account)
	equal(t, two.Actors[0].Objects, int64(2))
	equal(t, two.Actors[0].Buckets, map[string]int64{bucket: 1000, "images": 1000})
}

func TestTheSameQuestionHasTheSameDigest(t *testing.T) {
	records := each(40, func(i int) []change {
		return []change{set("userIdentity", map[string]any{"type": "AWSAccount", "accountId": fmt.Sprint(100000000000 + i%7)}), from(fmt.Sprintf("192.0.%d.1", i))}
	})
	first := count(t, records)
	for range 5 {
		slices.Reverse(records)
		if got := count(t, records); got.Digest != first.Digest {
			t.Fatal("the order of the records changes the digest")
		}
	}
	if got := count(t, append(records, call(size(1)))); got.Digest == first.Digest {
		t.Error("one more byte does not change the digest")
	}
}

// What the two questions together say of one actor's origins.
type usual struct {
	Days, Most           *int64
	Familiar, Unfamiliar *int64
	Active               *bool
}

func usualOf(a evidence.Actor) usual {
	return usual{a.HistoryDays, a.MostBytesInADay, a.FamiliarBytes, a.UnfamiliarBytes, a.FamiliarActive}
}

func TestWhatIsUsual(t *testing.T) {
	const day = 24 * time.Hour
	before := func(d time.Duration) change { return at(noon.Add(-d)) }
	office, thief := from("203.0.113.9"), from("198.51.100.7")
	behind := func(account string) change {
		return func(r record) {
			set("vpcEndpointId", "vpce-1")(r)
			set("vpcEndpointAccountId", account)(r)
		}
	}
	never := func(days, most int64, active bool) usual {
		return usual{new(days), new(most), new(int64(0)), new(int64(1000)), new(active)}
	}
	known := func(days, most int64, active bool) usual {
		return usual{new(days), new(most), new(int64(1000)), new(int64(0)), new(active)}
	}
	for name, c := range map[string]struct {
		history []record
		now     record
		want    usual
	}{
		"no history":                             {nil, call(thief), never(0, 0, false)},
		"the office, and now from elsewhere":     {calls(call(before(3*day), office)), call(thief), never(1, 1000, false)},
		"the office, as always":                  {calls(call(before(3*day), office)), call(office), known(1, 1000, true)},
		"another address of the same network":    {calls(call(before(3*day), from("203.0.113.200"))), call(office), known(1, 1000, true)},
		"an IPv6 network written otherwise":      {calls(call(before(3*day), from("2001:db8:0:0::9"))), call(from("2001:db8::1")), known(1, 1000, true)},
		"25 hours before is familiar":            {calls(call(before(25*time.Hour), thief)), call(thief), known(1, 1000, true)},
		"24 hours before, to the second, is":     {calls(call(before(day), thief)), call(thief), known(1, 1000, true)},
		"a second less is not":                   {calls(call(before(day-time.Second), thief)), call(thief), never(0, 0, false)},
		"only in the last 24 hours":              {calls(call(before(23*time.Hour), thief), call(before(time.Hour), thief)), call(thief), never(0, 0, false)},
		"also before the last 24 hours":          {calls(call(before(25*time.Hour), thief), call(before(time.Hour), thief)), call(thief), known(1, 1000, true)},
		"14 days before is seen":                 {calls(call(before(14*day), office)), call(office), known(1, 1000, true)},
		"longer ago is forgotten":                {calls(call(before(14*day+time.Second), office)), call(office), never(0, 0, false)},
		"the window itself is no history":        {calls(call(before(0), office)), call(office), usual{new(int64(0)), new(int64(0)), new(int64(0)), new(int64(2000)), new(false)}},
		"another bucket's history":               {calls(call(before(3*day), office, in("other"), resources())), call(office), never(0, 0, false)},
		"management calls make nothing familiar": {calls(call(before(3*day), thief, set("eventCategory", "Management"))), call(thief), never(0, 0, false)},
		"a refused call makes nothing familiar":  {calls(call(before(3*day), thief, failed("AccessDenied"))), call(thief), never(0, 0, false)},
		"a presigned call neither":               {calls(call(before(3*day), thief, presigned)), call(thief), never(1, 1000, false)},
		"nor one signed who knows how":           {calls(call(before(3*day), thief, set("additionalEventData.AuthenticationMethod", nil))), call(thief), never(1, 1000, false)},
		"presigned first, signed lately":         {calls(call(before(3*day), thief, presigned), call(before(time.Hour), thief)), call(thief), never(1, 1000, false)},
		"another user's history":                 {calls(call(before(3*day), thief, principalID("AIDAEXAMPLEEVE"))), call(thief), never(0, 0, false)},
		"another user of the same name":          {calls(call(before(3*day), office, principalID("AIDAEXAMPLEGONE"))), call(office), never(0, 0, false)},
		"a renamed user keeps its history": {calls(call(before(3*day), office, set("userIdentity.userName", "maria"), set("userIdentity.arn", "arn:aws:iam::111122223333:user/maria"))),
			call(office), known(1, 1000, true)},
		"the user's other key":                                         {calls(call(before(3*day), office, keyID("AKIAEXAMPLEOTHER0001"))), call(office), known(1, 1000, true)},
		"the other key is at work, and not this one":                   {calls(call(before(3*day), office), call(before(time.Hour), office, keyID("AKIAEXAMPLEOTHER0001"))), call(thief), never(1, 1000, false)},
		"this key is at work at the office":                            {calls(call(before(3*day), office), call(before(time.Hour), office)), call(thief), never(1, 1000, true)},
		"this key, where only the other was before":                    {calls(call(before(3*day), office, keyID("AKIAEXAMPLEOTHER0001")), call(before(time.Hour), office)), call(thief), never(1, 1000, true)},
		"this key at the office 24 hours ago":                          {calls(call(before(3*day), office), call(before(day), office)), call(thief), never(2, 1000, false)},
		"this key lately, where nobody was before":                     {calls(call(before(3*day), office), call(before(time.Hour), thief)), call(thief), never(1, 1000, false)},
		"this key, through a presigned URL from the office":            {calls(call(before(3*day), office), call(before(time.Hour), office, presigned)), call(thief), never(1, 1000, true)},
		"sessions that machines have named share their role's history": {calls(call(before(3*day), office, session("i-0a", "ASIAEXAMPLEROLE00001"))), call(office, session("botocore-session-1772582400", "ASIAEXAMPLEROLE00002")), known(1, 1000, true)},
		"a person's history is his own":                                {calls(call(before(3*day), office, session("bob", "ASIAEXAMPLEROLE00001"))), call(office, session("zoe", "ASIAEXAMPLEROLE00002")), never(0, 0, false)},
		"in every session of his":                                      {calls(call(before(3*day), office, session("zoe", "ASIAEXAMPLEROLE00001"))), call(office, session("zoe", "ASIAEXAMPLEROLE00002")), known(1, 1000, true)},
		"a person with a number is a person":                           {calls(call(before(3*day), office, session("u20260304@example.com", "ASIAEXAMPLEROLE00001"))), call(office, session("u20260305@example.com", "ASIAEXAMPLEROLE00002")), never(0, 0, false)},
		"of one source identity, whatever the session is called": {calls(call(before(3*day), office, session("a", "ASIAEXAMPLEROLE00001"), set("userIdentity.sessionContext.sourceIdentity", "ida"))),
			call(office, session("b", "ASIAEXAMPLEROLE00002"), set("userIdentity.sessionContext.sourceIdentity", "ida")), known(1, 1000, true)},
		"of two source identities": {calls(call(before(3*day), office, session("a", "ASIAEXAMPLEROLE00001"), set("userIdentity.sessionContext.sourceIdentity", "ida"))),
			call(office, session("a", "ASIAEXAMPLEROLE00002"), set("userIdentity.sessionContext.sourceIdentity", "eve")), never(0, 0, false)},
		"on behalf of two users": {calls(call(before(3*day), office, session("a", "ASIAEXAMPLEROLE00001"), set("userIdentity.onBehalfOf", map[string]any{"userId": "c0de"}))),
			call(office, session("a", "ASIAEXAMPLEROLE00002"), set("userIdentity.onBehalfOf", map[string]any{"userId": "cafe"})), never(0, 0, false)},
		"of another role of the same name": {calls(call(before(3*day), office, session("a", "ASIAEXAMPLEROLE00001"), set("userIdentity.sessionContext.sessionIssuer.principalId", "AROAEXAMPLEGONE"))),
			call(office, session("a", "ASIAEXAMPLEROLE00002")), never(0, 0, false)},
		"the same endpoint":                     {calls(call(before(3*day), behind("444455556666"), from("10.0.0.1"))), call(behind("444455556666"), from("10.9.9.9")), known(1, 1000, true)},
		"an endpoint of another account":        {calls(call(before(3*day), behind("444455556666"))), call(behind("777788889999")), never(1, 1000, false)},
		"the address without the endpoint":      {calls(call(before(3*day), behind("444455556666"), from("10.0.0.1"))), call(from("10.0.0.1")), never(1, 1000, false)},
		"the endpoint, before only the address": {calls(call(before(3*day), from("10.0.0.1"))), call(behind("444455556666"), from("10.0.0.1")), never(1, 1000, false)},
		"copies out are days, and no weight":    {calls(call(before(3*day), office, copied("exports/k"))), call(office), never(1, 0, false)},
		"days and the most in one": {calls(call(before(2*day), office, size(700)), call(before(2*day), office, object("b"), size(800)), call(before(5*day), office, size(1400)), call(before(5*day), thief, failed("AccessDenied"), size(9000))),
			call(from("192.0.2.1")), never(2, 1500, false)},
		"a day is a day of UTC":                       {calls(call(at(noon.Add(-60*time.Hour-time.Second)), office), call(at(noon.Add(-60*time.Hour)), office)), call(thief), never(2, 1000, false)},
		"two networks on a day":                       {calls(call(before(2*day), office), call(before(2*day), from("192.0.2.1"))), call(thief), never(1, 2000, false)},
		"the most in a day is of earlier days":        {calls(call(before(3*day), office, size(700)), call(before(2*time.Hour), office, size(900_000))), call(thief), never(1, 700, true)},
		"of a day that is half earlier, that half":    {calls(call(before(30*time.Hour), office, size(700)), call(before(23*time.Hour), office, size(900_000))), call(thief), never(1, 700, true)},
		"only lately, and in use where it always was": {calls(call(before(23*time.Hour), office)), call(office), never(0, 0, false)},
		"counted once":                                {calls(call(before(2*day), office, id("a")), call(before(2*day), office, id("a"))), call(thief), never(1, 1000, false)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := weigh(t, append(c.history, c.now))
			if len(e.Actors) != 1 {
				t.Fatalf("got %d actors, want 1", len(e.Actors))
			}
			equal(t, usualOf(e.Actors[0]), c.want)
		})
	}
}

// The history is that of every bucket and service, and it is weighed.
func TestHabits(t *testing.T) {
	const day = 24 * time.Hour
	before := func(d time.Duration) change { return at(noon.Add(-d)) }
	office, thief := from("203.0.113.9"), from("198.51.100.7")
	service := func(name, call string) change {
		return func(r record) {
			for _, c := range []change{set("eventSource", name), set("eventName", call), set("eventCategory", "Management"), set("managementEvent", true), set("additionalEventData", nil),
				set("requestParameters", nil), set("resources", nil)} {
				c(r)
			}
		}
	}
	login := func(mfa, answer string) change {
		return func(r record) {
			for _, c := range []change{service("signin.amazonaws.com", "ConsoleLogin"), set("additionalEventData.MFAUsed", mfa), set("responseElements", map[string]any{"ConsoleLogin": answer}), keyID("")} {
				c(r)
			}
		}
	}
	eve := func(i int) change { return principalID(fmt.Sprintf("AIDAEXAMPLEEVE%02d", i)) }
	crowd := slices.Concat(each(3, func(i int) []change {
		return []change{before(time.Duration(1+i) * time.Hour), thief, eve(i), service("sts.amazonaws.com", "GetCallerIdentity")}
	}), each(3, func(i int) []change {
		return []change{before(3 * day), from("203.0.113.80"), eve(i), service("ec2.amazonaws.com", "DescribeInstances")}
	}))
	// persons are three sessions of a role, each with a name of its own, at the thief's place and for a day at least.
	persons := func(role string) []record {
		return each(6, func(i int) []change {
			id := map[string]any{"type": "AssumedRole", "principalId": fmt.Sprintf("AROAEXAMPLEROLE1:col%d@example.com", i%3), "accountId": account,
				"arn": fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/col%d@example.com", account, role, i%3), "accessKeyId": fmt.Sprintf("ASIAEXAMPLECOLL%05d", i)}
			return []change{before(time.Duration(2+i/3) * day), thief, set("userIdentity", id), service("ec2.amazonaws.com", "DescribeInstances")}
		})
	}
	madeUser := func(i int) change {
		return func(r record) {
			service("iam.amazonaws.com", "CreateUser")(r)
			set("responseElements", map[string]any{"user": map[string]any{"path": "/", "userName": fmt.Sprint("AIDAEXAMPLEEVE99, userId: ", i), "userId": fmt.Sprintf("AIDAEXAMPLEEVE%02d", i)}})(r)
		}
	}
	owner := each(3, func(i int) []change {
		return []change{before(time.Duration(i+2) * day), office, object(fmt.Sprint("o", i))}
	})
	for name, c := range map[string]struct {
		more []record
		want func(evidence.Actor) any
		is   any
	}{
		"one HEAD the day before": {calls(call(before(25*time.Hour), thief, name("HeadObject"), size(0))),
			func(a evidence.Actor) any {
				return []any{*a.Origins[0].Days, *a.Origins[0].MostBytes, *a.Origins[0].Familiar, *a.UnfamiliarBytes}
			},
			[]any{int64(1), int64(0), false, int64(1000)}},
		"three days in another service": {each(9, func(i int) []change {
			return []change{before(time.Duration(2+i%3)*day + time.Minute), thief, service("ec2.amazonaws.com", "DescribeInstances")}
		}),
			func(a evidence.Actor) any {
				return []any{*a.Origins[0].Days, *a.Origins[0].MostBytes, *a.Origins[0].Familiar, *a.HistoryDays}
			},
			[]any{int64(3), int64(0), true, int64(3)}},
		"another bucket, presigned": {calls(call(before(2*day), thief, in("other"), resources(), presigned)), func(a evidence.Actor) any { return *a.Origins[0].Days }, int64(0)},
		"another bucket":            {calls(call(before(2*day), thief, in("other"), resources())), func(a evidence.Actor) any { return []int64{*a.Origins[0].Days, *a.Origins[0].MostBytes} }, []int64{1, 0}},
		"in use in another service": {calls(call(before(2*time.Hour), office, service("ec2.amazonaws.com", "RunInstances"))), func(a evidence.Actor) any { return *a.InUse }, true},
		"refused in another service": {calls(call(before(2*time.Hour), office, service("ec2.amazonaws.com", "RunInstances"), failed("Client.UnauthorizedOperation"))),
			func(a evidence.Actor) any { return *a.InUse }, false},
		"the days and their bytes": {calls(call(before(5*day), office, size(7000)), call(before(6*day), office, size(9000)), call(before(6*day), office, size(5), presigned), call(before(6*day), office, name("ListObjects"), size(50))),
			func(a evidence.Actor) any {
				return []int64{*a.ObjectDays, *a.ObjectHistory, *a.UsualBytes, *a.NewDays, *a.DayBytes}
			}, []int64{5, 19_000, 7000, 1, 1000}},
		"the day before the window": {calls(call(before(23*time.Hour), office, size(70)), call(before(time.Hour), thief, size(5)), call(before(time.Hour), office, size(900), keyID("AKIAEXAMPLEOTHER0001"))),
			func(a evidence.Actor) any { return *a.DayBytes }, int64(1075)},
		"a network of its own each day": {each(6, func(i int) []change {
			return []change{before(time.Duration(6+i) * day), from(fmt.Sprintf("10.0.%d.1", i))}
		}),
			func(a evidence.Actor) any { return []int64{*a.ObjectDays, *a.NewDays} }, []int64{9, 7}},
		"one object, at noon": {nil, func(a evidence.Actor) any { return []any{a.SameObject, a.SameTime} }, []any{"", true}},
		"three colleagues": {crowd,
			func(a evidence.Actor) any { return []any{*a.Company, a.CompanyOf} }, []any{true, int64(3)}},
		"three persons of Identity Center": {persons("AWSReservedSSO_Admin_0123456789abcdef"),
			func(a evidence.Actor) any { return []any{*a.Company, a.CompanyOf} }, []any{true, int64(3)}},
		"three sessions of a role, whose names its caller chooses": {persons("my-AWSReservedSSO_Admin"), func(a evidence.Actor) any { return *a.Company }, false},
		"three users that were not there yesterday": {each(4, func(i int) []change {
			return []change{before(time.Duration(1+i) * time.Hour), thief, eve(i % 3), service("sts.amazonaws.com", "GetCallerIdentity")}
		}),
			func(a evidence.Actor) any { return []any{*a.Company, a.CompanyOf} }, []any{false, int64(0)}},
		"users that it made": {slices.Concat(crowd, each(3, func(i int) []change { return []change{before(4 * day), office, madeUser(i)} })), func(a evidence.Actor) any { return *a.Company }, false},
		"two of three that somebody else made": {slices.Concat(crowd, each(2, func(i int) []change {
			return []change{before(4 * day), office, madeUser(i), principalID("AIDAEXAMPLEADMIN0")}
		})), func(a evidence.Actor) any { return a.CompanyOf }, int64(3)},
		"two of three that it made": {slices.Concat(crowd, each(2, func(i int) []change { return []change{before(4 * day), office, madeUser(i)} })), func(a evidence.Actor) any { return *a.Company }, false},
		"made days ago, and called only just now": {slices.Concat(crowd[:3], each(3, func(i int) []change {
			return []change{before(4 * day), office, madeUser(i), principalID("AIDAEXAMPLEADMIN0")}
		})), func(a evidence.Actor) any { return *a.Company }, false},
		"users that it was not allowed to make": {slices.Concat(crowd, each(3, func(i int) []change {
			return []change{before(4 * day), office, madeUser(i), failed("AccessDenied"), set("responseElements", nil)}
		})), func(a evidence.Actor) any { return a.CompanyOf }, int64(3)},
		"two colleagues": {each(4, func(i int) []change { return []change{before(time.Hour), thief, eve(i % 2)} }), func(a evidence.Actor) any { return *a.Company }, false},
		"looked round from there": {calls(call(before(2*time.Hour), thief, service("sts.amazonaws.com", "GetCallerIdentity")), call(before(time.Hour), thief, service("s3.amazonaws.com", "ListBuckets")),
			call(before(time.Minute), thief, service("ec2.amazonaws.com", "DescribeInstances")), call(before(30*time.Minute), thief, service("iam.amazonaws.com", "ListUsers"), failed("AccessDenied")),
			call(before(20*time.Minute), office, service("iam.amazonaws.com", "ListUsers"))),
			func(a evidence.Actor) any { return []any{a.LookedRound, a.RefusedAt, a.LastRecord, *a.NewNetworks} },
			[]any{noon.Add(-time.Minute), noon.Add(-30 * time.Minute), new(noon.Add(30 * time.Second)), int64(0)}},
		"only knocked there": {calls(call(before(time.Hour), thief, service("iam.amazonaws.com", "ListUsers"), failed("AccessDenied")), call(before(2*time.Hour), thief, failed("AccessDenied")),
			call(before(30*time.Hour), thief, failed("AccessDenied")), call(before(time.Hour), thief, failed("AccessDenied"), eve(1))),
			func(a evidence.Actor) any {
				return []any{a.LookedRound, a.RefusedAt, *a.Origins[0].Days, *a.InUse, *a.HistoryDays, *a.NewDays}
			},
			[]any{time.Time{}, noon.Add(-time.Hour), int64(0), false, int64(3), int64(1)}},
		"looked round two days before": {calls(call(before(49*time.Hour), thief, service("iam.amazonaws.com", "ListUsers"))),
			func(a evidence.Actor) any { return []any{a.LookedRound, a.RefusedAt} }, []any{time.Time{}, time.Time{}}},
		"listed the bucket, and was refused": {calls(call(before(3*time.Hour), thief, name("ListObjects"), size(0)), call(before(3*time.Hour), thief, failed("AccessDenied"), object("x"))),
			func(a evidence.Actor) any { return []any{a.LookedRound, a.RefusedAt} }, []any{noon.Add(-3 * time.Hour), noon.Add(-3 * time.Hour)}},
		"listed in the window": {calls(call(thief, name("ListObjects"), size(0), at(noon.Add(time.Second)))), func(a evidence.Actor) any { return a.ListedFirst }, true},
		"listed after it":      {calls(call(thief, name("ListObjects"), size(0)), call(thief, at(noon.Add(time.Second)))), func(a evidence.Actor) any { return a.ListedFirst }, false},
		"another version":      {calls(call(before(4*day), office, agent("aws-cli/1.15.0 Python/3.11"))), func(a evidence.Actor) any { return append(a.UsualAgents, a.NewAgent) }, []string{"aws-cli", ""}},
		"another agent":        {calls(call(thief, agent("curl/8"))), func(a evidence.Actor) any { return append(a.UsualAgents, a.NewAgent) }, []string{"aws-cli", "curl"}},
		"its agents of other days": {calls(call(thief, agent("curl/8")), call(before(4*day), office, agent("[Boto3/1]")), call(before(5*day), office, agent("")), call(before(5*day), office, agent("\u202e"))),
			func(a evidence.Actor) any { return append(a.UsualAgents, a.NewAgent) }, []string{"Boto3", "aws-cli", "curl"}},
		"perhaps one of other days": {calls(call(thief, agent("S3Browser/8")), call(before(4*day), office, agent("[Boto3/1]"))), func(a evidence.Actor) any { return a.NewAgent }, ""},
		"three refused": {each(3, func(i int) []change { return []change{before(time.Hour), thief, eve(i), failed("AccessDenied")} }),
			func(a evidence.Actor) any { return *a.Company }, false},
		"signed in with a second factor":    {calls(call(before(time.Hour), thief, login("Yes", "Success"))), func(a evidence.Actor) any { return *a.SignedIn }, true},
		"signed in without":                 {calls(call(before(time.Hour), thief, login("No", "Success"))), func(a evidence.Actor) any { return *a.SignedIn }, false},
		"failed to sign in":                 {calls(call(before(time.Hour), thief, login("Yes", "Failure"))), func(a evidence.Actor) any { return *a.SignedIn }, false},
		"signed in after the key was there": {calls(call(before(time.Hour), thief, login("Yes", "Success")), call(before(2*time.Hour), thief)), func(a evidence.Actor) any { return *a.SignedIn }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := weigh(t, slices.Concat(owner, c.more, calls(call(thief))))
			if len(e.Actors) != 1 {
				t.Fatalf("got %d actors, want 1", len(e.Actors))
			}
			equal(t, c.want(e.Actors[0]), c.is)
		})
	}
	same := func(i int) []change { return []change{before(time.Duration(i+2) * day), office} }
	equal(t, weigh(t, append(each(3, same), call(thief))).Actors[0].SameObject, "k")
}

func TestLastUsed(t *testing.T) {
	last := noon.Add(-49*time.Hour - 7*time.Second)
	e := weigh(t, calls(call(), call(at(last)), call(at(noon.AddDate(0, 0, -9))), call(at(noon.Add(-time.Hour)), failed("AccessDenied"))))
	equal(t, e.Actors[0].LastUsed, &last)
	// Of the last 24 hours nothing counts: a thief's own calls would say that the owner was there.
	e = weigh(t, calls(call(), call(at(last)), call(at(noon.Add(-23*time.Hour))), call(at(noon.Add(-time.Hour)))))
	equal(t, e.Actors[0].LastUsed, &last)
	for _, records := range [][]record{calls(call()), calls(call(), call(at(noon.Add(-time.Hour))))} {
		equal(t, weigh(t, records).Actors[0].LastUsed, (*time.Time)(nil))
	}
}

func TestTooManyOriginsToKnow(t *testing.T) {
	network := func(i int) change { return from(fmt.Sprintf("10.0.%d.7", i)) }
	// 120 networks: those used on two days are returned, the others may or may not be.
	used := each(120, func(i int) []change { return []change{network(i), at(noon.AddDate(0, 0, -5))} })
	used = append(used, each(90, func(i int) []change { return []change{network(i), at(noon.AddDate(0, 0, -6))} })...)
	e := weigh(t, append(used, call(from("198.51.100.7"))))
	equal(t, usualOf(e.Actors[0]), usual{Days: new(int64(2)), Most: new(int64(120_000))})
	if f := e.Actors[0].Origins[0].Familiar; f != nil {
		t.Errorf("an origin that may be among those not returned is familiar %v, want unknown", *f)
	}
	e = weigh(t, append(used, call(network(89)))) // among the last by name, and used on two days
	equal(t, usualOf(e.Actors[0]), usual{new(int64(2)), new(int64(120_000)), new(int64(1000)), new(int64(0)), new(true)})
	// Exactly 100 are all known.
	e = weigh(t, append(used[:100:100], call(from("198.51.100.7"))))
	equal(t, usualOf(e.Actors[0]), usual{new(int64(1)), new(int64(100_000)), new(int64(0)), new(int64(1000)), new(false)})
	// Another principal's many origins make nothing unknown.
	e = weigh(t, append(used, call(from("198.51.100.7"), principalID("AIDAEXAMPLEEVE"))))
	equal(t, usualOf(e.Actors[0]), usual{new(int64(0)), new(int64(0)), new(int64(0)), new(int64(1000)), new(false)})
}

// A thief who knocks from many networks in the hours before makes nothing of the history unknown, and crowds nothing out.
func TestManyLateOriginsLeaveTheHistoryKnown(t *testing.T) {
	thief, office := from("198.51.100.7"), from("203.0.113.9")
	late := each(101, func(i int) []change {
		return []change{from(fmt.Sprintf("10.0.%d.7", i)), at(noon.Add(-time.Hour + time.Duration(i)*time.Second))}
	})
	owner := call(office, at(noon.AddDate(0, 0, -3)))
	e := weigh(t, append(late, owner, call(thief)))
	equal(t, usualOf(e.Actors[0]), usual{new(int64(1)), new(int64(1000)), new(int64(0)), new(int64(1000)), new(false)})
	// The owner's office is still familiar, though it was used once and long ago.
	e = weigh(t, append(late, owner, call(office)))
	equal(t, usualOf(e.Actors[0]), usual{new(int64(1)), new(int64(1000)), new(int64(1000)), new(int64(0)), new(true)})
	// And the owner is seen at work there: with this key, and with this key though only another was used there before.
	for _, earlier := range []change{keyID(key), keyID("AKIAEXAMPLEOTHER0001")} {
		e = weigh(t, append(late, call(office, at(noon.AddDate(0, 0, -3)), earlier), call(office, at(noon.Add(-2*time.Hour))), call(thief)))
		equal(t, usualOf(e.Actors[0]), usual{new(int64(1)), new(int64(1000)), new(int64(0)), new(int64(1000)), new(true)})
	}
	// Without any earlier day there is none, however many networks there were.
	e = weigh(t, append(late, call(thief)))
	equal(t, usualOf(e.Actors[0]), usual{new(int64(0)), new(int64(0)), new(int64(0)), new(int64(1000)), new(false)})
}

// On a busy bucket the traffic around the window goes on while the two rounds are compared.
func TestTrafficAroundTheWindowChangesNoDigest(t *testing.T) {
	before := count(t, calls(call(), call(object("k2"))))
	around := each(70, func(i int) []change {
		return []change{at(end.Add(time.Duration(i) * time.Second)), keyID(fmt.Sprintf("AKIAEXAMPLEBUSY000%02d", i)), size(1_000_000)}
	})
	own := calls(call(at(end), from("203.0.113.9"), agent("wget"), object("k3")), call(at(noon.Add(-time.Second)), name("ListObjects"), presigned),
		call(at(end.Add(time.Second)), failed("AccessDenied")), call(at(end.Add(2*time.Second)), copied("exports/k")))
	after := count(t, slices.Concat(calls(call(), call(object("k2"))), around, own))
	equal(t, after.Digest, before.Digest)
	equal(t, []any{after.Bytes, after.MarginBytes, len(after.Actors), after.Actors[0].AccessKeyID, after.Actors[0].Origins},
		[]any{int64(2000), int64(70_003_000), evidence.MaxActors, key, []evidence.Origin{{Network: "198.51.100.0/24", Bytes: 2000, ObjectBytes: 2000, Calls: 2}}})
	// A call of theirs in the window, even one without bytes, is another answer.
	for _, one := range []change{size(1), size(0)} {
		got := count(t, slices.Concat(calls(call(), call(object("k2"))), around, own, calls(call(one, keyID("AKIAEXAMPLEBUSY00000")))))
		if got.Digest == before.Digest {
			t.Error("a call in the window does not change the digest")
		}
	}
}

func TestACopyBetweenWatchedBucketsIsACopyOut(t *testing.T) {
	q := evidence.Window{Buckets: []string{bucket, "images"}, From: noon, To: end}
	for to, want := range map[string]sums{"images": {Bytes: 300, Listing: 300, Calls: 1, Copies: 1}, bucket: {Bytes: 300, Listing: 300, Calls: 1}} {
		equal(t, sumsOf(tallied(t, trail(t, calls(call(copied("exports/k"), in(to)))), q, account)), want)
	}
}

// published is a folder of real records beside the project, whose README has the right answers.
func published(t *testing.T, folder string) string {
	t.Helper()
	dir := filepath.Join("../../../../shared/trails", folder)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED, real records: %v", err)
	}
	return dir
}

func TestRealExfiltration(t *testing.T) {
	e := real(t, "otrf-ec2-proxy-s3-exfiltration")
	hour := time.Date(2020, 9, 14, 1, 0, 0, 0, time.UTC)
	stolen := evidence.Window{Buckets: []string{"mordors3stack-s3bucket-llp2yingx64a"}}
	for name, c := range map[string]struct {
		from, to               time.Time
		bytes, object, listing int64
		gets, lists            int64
	}{
		"the window":     {hour, hour.Add(3 * time.Minute), 2089, 89, 2000, 1, 4},
		"the whole file": {hour.AddDate(0, 0, -1), hour.AddDate(0, 0, 1), 3726, 178, 3548, 2, 7},
	} {
		t.Run(name, func(t *testing.T) {
			q := stolen
			q.From, q.To = c.from, c.to
			tally := tallied(t, e, q, "123456789123")
			equal(t, sumsOf(tally), sums{Bytes: c.bytes, Object: c.object, Listing: c.listing, Calls: c.gets + c.lists})
			if len(tally.Actors) != 1 {
				t.Fatalf("got %d actors, want 1", len(tally.Actors))
			}
			a := tally.Actors[0]
			equal(t, []any{a.Kind, a.AccessKeyID, a.RoleName, a.Session, a.Calls, a.Bytes}, []any{actor.RoleSession, "ASIA5FLZVX4OPVKKVBMX",
				"MordorNginxStack-BankingWAFRole-9S3E0UAE1MM0", "i-0317f6c6b66ae9c40", map[string]int64{"GetObject": c.gets, "ListObjects": c.lists}, c.bytes})
		})
	}
	neighbour := tallied(t, e, evidence.Window{Buckets: []string{"mordors3stack-s3bucket-llp2yingx64"}, From: hour.AddDate(0, 0, -1), To: hour.AddDate(0, 0, 1)}, "123456789123")
	equal(t, sumsOf(neighbour), sums{})
}

// raw is SQL as a question.
type raw string

func (raw) Name() string                   { return "raw" }
func (q raw) SQL(s evidence.Schema) string { return fmt.Sprintf(string(q), s.Table) }

// TestRealManagementEvents asks about every bucket that a red-team run touched: 267 of its calls say how many bytes they
// moved, and none is a data event.
func TestRealManagementEvents(t *testing.T) {
	e := real(t, "invictus-stratus-run")
	var buckets []string
	for _, r := range rows(t, e, raw("select distinct element_at(requestparameters, 'bucketName') as b from %s where element_at(requestparameters, 'bucketName') is not null order by 1")) {
		buckets = append(buckets, r["b"])
	}
	if len(buckets) < 5 {
		t.Fatalf("only the buckets %q were found", buckets)
	}
	day := time.Date(2023, 7, 10, 0, 0, 0, 0, time.UTC)
	tally := tallied(t, e, evidence.Window{Buckets: buckets, From: day, To: day.AddDate(0, 0, 2)}, "218007301253")
	equal(t, sumsOf(tally), sums{})
	if len(tally.Actors) != 0 {
		t.Errorf("got %+v, want nobody", tally.Actors)
	}
	history, err := evidence.ReadUsage(rows(t, e, evidence.Usage{Buckets: buckets, Before: day.AddDate(0, 0, 2)}), day.AddDate(0, 0, 2))
	if err != nil || len(history.Principals) > 0 {
		t.Errorf("got a history of %v, %v, want of nobody", history, err)
	}
}
