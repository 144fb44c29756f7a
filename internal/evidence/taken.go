package evidence

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"nightlatch/internal/actor"
)

// callersRoom bounds the credentials in the question: with more of them it is asked about everybody.
const callersRoom = 3000

// Taken asks for every object that left Buckets in [From, To), by Callers, or by anybody where there are none: the list for a breach notice. Each
// read counts as Bytes counts it, and a copy that S3 itself made out of the buckets is one, too. Its rows are taken one by one: the engines' Each.
type Taken struct {
	Buckets  []string
	Callers  []actor.Credential
	From, To time.Time
	// After is the Place of a row, or nil. The answer may leave out what stands before it, and Known tells what it has not left out.
	After []string
}

// Name implements Question.
func (Taken) Name() string { return "taken" }

// Everybody reports whether the question is about every caller: none is named, or they have no room in it.
func (q Taken) Everybody() bool { return q.callers() == "" }

// callers are the credentials as the question writes them; "" where it asks about everybody. A caller without a key goes by what else names it.
func (q Taken) callers() string {
	var all []string
	for _, c := range q.Callers {
		all = append(all, cmp.Or(c.AccessKeyID, "|"+c.PrincipalID+"|"+c.AccountID+"|"+c.Via))
	}
	list := quoteAll(all)
	if len(list) > callersRoom || strings.ContainsAny(list, "\r\n") { // unindent takes blanks away behind a line's end
		return ""
	}
	return list
}

// SQL implements Question. An answer has one row for each object, version, call, credential and place, in this order. The object of a copy is what
// its header names as the source, and may be written in several ways.
//
// Records of one call that contradict each other all count, and torn counts such calls.
func (q Taken) SQL(s Schema) string {
	buckets := anyOf(slices.DeleteFunc(strings.Split(Window{Buckets: q.Buckets}.names(), "/"), func(b string) bool { return b == "" }))
	only := ""
	if callers := q.callers(); callers != "" {
		only = "\n    and case when access_key_id = '' then concat('|', principal_id, '|', account_id, '|', invoked_by) else access_key_id end in (" + callers + ")"
	}
	const from = "case when is_copy = 1 then source else read_from end"
	tables := fmt.Sprintf(`with calls as (
  %[1]s
),
taken as (
  select *, %[2]s as bucket, case when is_copy = 1 then coalesce(copy_source, '') else object_key end as object, coalesce(version, '') as asked_version,
    case when is_copy = 1 then coalesce(named_bucket, '') else '' end as destination, case when is_copy = 0 then bytes_out end as bytes,
    case when vpc_endpoint = '' then %[3]s else '' end as network
  from calls
  where error_code = '' and %[2]s is not null%[4]s
)
`, q.calls(s, buckets), from, network, only)
	const listed = `select bucket, object, asked_version as version, eventname as name, destination, access_key_id as access_key_id, principal_id as principal_id, arn,
  account_id as account_id, invoked_by as invoked_by, vpc_endpoint as vpc_endpoint, signing as signing, network as network, max(source_ip) as source_ip, count(*) as times,
  coalesce(sum(bytes), 0) as bytes, count(*) - count(bytes) as unsized, sum(torn) as torn, min(unix) as first_seen, max(unix) as last_seen
from taken`
	const ordered = `
group by bucket, object, asked_version, eventname, destination, access_key_id, principal_id, arn, account_id, invoked_by, vpc_endpoint, signing, network
order by bucket, object, asked_version, eventname, destination, access_key_id, principal_id, arn, account_id, invoked_by, vpc_endpoint, signing, network`
	return unindent(shorten(tables) + inFull(shorten(listed)) + q.behind() + shorten(ordered))
}

// inOrder are the columns by which the rows of an answer are ordered. Every engine compares them byte by byte, as Go does.
// https://trino.io/docs/current/language/types.html#varchar
var inOrder = []string{"bucket", "object", "version", "name", "destination", "access_key_id", "principal_id", "arn", "account_id", "invoked_by", "vpc_endpoint", "signing", "network"}

// Place is where a row stands in the answer's order: no two rows have the same.
func (Taken) Place(row Row) (place []string) {
	for _, column := range inOrder {
		place = append(place, row[column])
	}
	return place
}

// Known reports whether a row is not behind After.
func (q Taken) Known(place []string) bool {
	return q.After != nil && slices.Compare(place, q.After) <= 0
}

// mostBehind is how many characters of a key stand in the question.
const mostBehind = 400

// behind leaves out what stands before After: not all of it, as a key may be too long for the question, and holds what a statement should not.
func (q Taken) behind() string {
	if q.After == nil {
		return ""
	}
	key := []rune(q.After[1])
	for i, c := range key {
		if i == mostBehind || !unicode.IsPrint(c) || c == utf8.RuneError {
			key = key[:i]
			break
		}
	}
	bucket := quote(q.After[0])
	return "\nwhere bucket > " + bucket + " or bucket = " + bucket + " and object >= " + quote(string(key))
}

// calls are the calls on objects of the buckets, each once as in Bytes. Of most calls, where Twice tells, there is no other record, and one bucket
// that they name: those are read by themselves, and nothing is held of them.
func (q Taken) calls(s Schema, buckets string) string {
	watched := func(where string) string {
		return fmt.Sprintf(`with %[1]s,
watched as (
  select found.*, call_id as call,
    case when named_bucket in (%[2]s) then named_bucket when resource_bucket in (%[2]s) then resource_bucket end as read_from,
    case when is_copy = 1 and candidate <> coalesce(named_bucket, '') and %[3]s then candidate end as source
  from found
  inner join unnest(case when is_copy = 0 and named_bucket = r1 then array[named_bucket] else array[named_bucket, copied_from, r1, r2, r3, r4] end) as c (candidate) on true
  where candidate in (%[2]s) and eventname in (%[4]s)%[5]s
)`, s.found(q.From, q.To, false, s.Parameter("versionId")), buckets, ofHeader, quoteAll(append(slices.Clone(objectData), copies...)), where)
	}
	const columns = `select read_from, source, is_copy, copy_source, object_key, version, named_bucket, bytes_out, eventname, error_code, access_key_id, principal_id, arn, account_id,
    invoked_by, vpc_endpoint, source_ip, signing, unix, `
	const alone = "\n    and case when not twice and is_copy = 0 and named_bucket = r1 then 1 else 0 end = "
	sorted := func(where string) string {
		return "select * from (" + watched(where) + ",\n" + fmt.Sprintf(onceInBytes, "true") + "\n  " + columns + tornInBytes + ") as sorted"
	}
	if s.Twice == "" {
		return sorted("")
	}
	return sorted(alone+"0") + "\n  union all\n  " + fmt.Sprintf(`select * from (with %s,
watched as (
  select *, named_bucket as read_from, cast(null as varchar) as source
  from found
  where named_bucket in (%s) and eventname in (%s)%s
)
  %s0 as torn from watched) as simple`, s.found(q.From, q.To, false, s.Parameter("versionId")), buckets, quoteAll(objectData), alone+"1", columns)
}

// Taking is one object that was read or copied by one credential from one place, however often.
type Taking struct {
	// Bucket holds the object. Key is empty where the record names none. Version is the one that the call named; "" is the newest then.
	Bucket, Key, Version string
	// Call is the eventName. Destination is what a copy went to: a bucket or an access point.
	Call, Destination string
	Times, Bytes      int64
	// Unsized counts those of Times whose record has no size, as every copy's has none. Torn counts those whose records contradict each other.
	Unsized, Torn int64
	First, Last   time.Time
	// Credential has the names that tell who it was; its kind is not decided.
	Credential actor.Credential
	// Network is the caller's, or the service's name; "" behind a VPC endpoint.
	Network, VPCEndpoint string
	// Signing is "header", "presigned" or "unknown".
	Signing string
}

// Copied reports whether S3 itself copied the object, by this caller's order.
func (t Taking) Copied() bool { return slices.Contains(copies, t.Call) }

// ReadTaking reads one row of a Taken question. Names are whole, and not cut.
func ReadTaking(row Row) (Taking, error) {
	r := &reader{row: row}
	t := Taking{Bucket: r.whole("bucket"), Key: r.whole("object"), Version: r.whole("version"), Call: r.whole("name"), Destination: r.whole("destination"),
		Times: r.number("times"), Bytes: r.number("bytes"), Unsized: r.number("unsized"), Torn: r.number("torn"), First: r.time("first_seen"), Last: r.time("last_seen"),
		Credential: actor.Credential{AccessKeyID: r.whole("access_key_id"), PrincipalID: r.whole("principal_id"), PrincipalARN: r.whole("arn"), AccountID: r.whole("account_id"), Via: r.whole("invoked_by")},
		Signing:    r.whole("signing"), VPCEndpoint: r.whole("vpc_endpoint")}
	if ip := r.whole("source_ip"); t.VPCEndpoint == "" {
		t.Network = Network(ip)
	}
	if t.Copied() {
		t.Key, t.Version = copySource(t.Key)
	}
	return t, r.err
}

// copySource parts what a copy's header names as its source into the key and the version. What cannot be decoded stands as it is.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func copySource(header string) (key, version string) {
	path, version, _ := strings.Cut(header, "?versionId=")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return header, ""
	}
	decoded = strings.TrimPrefix(decoded, "/")
	separator := "/"
	if strings.HasPrefix(decoded, "arn:") && strings.Contains(decoded, "/object/") {
		separator = "/object/"
	}
	if _, key, found := strings.Cut(decoded, separator); found {
		return key, version
	}
	return header, ""
}
