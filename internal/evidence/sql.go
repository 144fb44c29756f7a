package evidence

import (
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/lazyregexp"
)

// quote writes s as a string literal of Trino's. Lake has no bind parameters, so this is the only thing between a name
// and the query: inside '…' Trino knows one escape, the doubled quote, and no backslash.
// https://trino.io/docs/current/language/types.html#varchar
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return strings.Join(quoted, ", ")
}

// moment writes t for a comparison with eventtime, which is in UTC and whole seconds. AWS compares it with a bare string in Lake, in the
// guide and in the samples. Trino, and so Athena, demands a timestamp.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-lake-queries.html
func (s Schema) moment(t time.Time) string {
	text := quote(t.UTC().Format(time.DateTime))
	if s.Files {
		return "timestamp " + text
	}
	return text
}

// unix is a time in seconds since 1970. Trino's to_unixtime would read it in the zone of the session.
func unix(time string) string {
	return "date_diff('second', cast('1970-01-01 00:00:00' as timestamp), " + time + ")"
}

// bytesOut is a count of bytes sent. One that no call can have (NaN, less than 0, over a petabyte) is none: it would spoil every sum.
const bytesOut = "case when sent between 0 and 1e15 then sent end"

// BytesOutOf is that count, of a number that a column has.
func BytesOutOf(column string) string { return strings.ReplaceAll(bytesOut, "sent", column) }

// objectLevel are the S3 calls on objects: what a data event is where an old record says neither eventCategory nor
// managementEvent. https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
const objectLevel = `'^(GetObject(|Acl|Attributes|Tagging|Torrent)|(Head|Restore|Copy|Put)Object|DeleteObjects?|ListObject(s|sV2|Versions)|ListParts|ListMultipartUploads|SelectObjectContent|UploadPartCopy)$'`

// data chooses S3's data events.
const data = `eventsource = 's3.amazonaws.com'
    and case when eventcategory is not null then eventcategory = 'Data'
             when managementevent is not null then not managementevent
             else regexp_like(eventname, ` + objectLevel + `) end`

// objectData are the calls whose response is the content of an object.
// What CloudTrail calls the reading of an annotation (2026-06) is not confirmed; under another name its bytes count as a listing's do.
var objectData = []string{"GetObject", "SelectObjectContent", "GetObjectTorrent", "GetObjectAnnotation"}

// copies are the server-side copies. They name their destination in bucketName and their source in x-amz-copy-source.
var copies = []string{"CopyObject", "UploadPartCopy"}

// found is the common table that Bytes and Usage stand on. It has the S3 data events in a span of time, with the fields that matter under short
// names. With elsewhere, it has every other call too, and data is 1 for the S3 data events.
//
// A call through an access point names the access point in bucketName, and the bucket among its resources. A principal goes by its unique id,
// because a thief may rename the user, and by the person behind it. With elsewhere, the call that made a user stands as the user's. Where version
// says how it is spelled, the column of that name has the object's.
func (s Schema) found(from, to time.Time, elsewhere bool, version ...string) string {
	resources, anyResource := s.BucketsOf()
	isCopy := "eventname in (" + quoteAll(copies) + ")"
	var columns, resource, only string
	sent := bytesOut + " as bytes_out"
	who := "concat(coalesce(nullif(issuer_id, ''), nullif(split_part(principal_id, ':', 1), ''), nullif(arn, ''), invoked_by), '|', coalesce(" + person + ", ''))"
	if elsewhere { // nobody is named, only told apart
		who = "coalesce(made, " + who + ")"
		sent = "coalesce(" + bytesOut + ", 0) as bytes"
		columns = caller + ",\n    case when " + data + " then 1 else 0 end as data, coalesce(eventsource, '') as service, " + s.mfaSignIn() + " as mfa,\n    " +
			anyResource + " as resource_bucket,\n    case when eventname in (" + quoteAll(objectData) + ") then coalesce(" + s.Parameter("key") +
			", '') end as object, regexp_like(eventname, '^(List|Describe|GetCallerIdentity)') as looks,\n    " +
			`nullif(regexp_extract(substr(useragent, 1, 256), '^\[?([A-Za-z0-9._-]+)', 1), '') as product` + ",\n    " + s.made() + " as made"
		if s.together != "" {
			sent = "coalesce(sum_sent, " + bytesOut + ", 0) as bytes"
			columns += ",\n    sum_sent, " + unix("until_time") + " as until, case when eventname in (" + quoteAll(objectData) + ") then coalesce(last_key, '') end as other_object"
		}
	} else {
		columns = identity + ",\n    recipientaccountid, requestid, " + s.addendum("reason") + " as reason, substr(coalesce(useragent, ''), 1, 256) as agent,\n    coalesce(" +
			s.Parameter("key") + ", '') as object_key, case when " + isCopy + " then 1 else 0 end as is_copy"
		for i, r := range resources {
			columns += fmt.Sprintf(",\n    %s as r%d", r, i+1)
		}
		for _, of := range version {
			columns += ",\n    " + of + " as version"
		}
		resource, only = ", coalesce(r1, r2, r3, r4) as resource_bucket", " and "+data
	}
	if s.Twice != "" {
		columns += ", " + s.Twice + " as twice"
	}
	return fmt.Sprintf(`logged as (
  select eventid, nullif(sharedeventid, '') as shared, case when %[1]s = 'UPDATED_DATA' then nullif(%[2]s, '') end as corrects, eventtime, %[3]s as unix,
    eventname, coalesce(useridentity.sessioncontext.sessionissuer.principalid, '') as issuer_id,
    coalesce(sourceipaddress, '') as source_ip,
    coalesce(vpcendpointid, '') as vpc_endpoint,
    coalesce(vpcendpointaccountid, '') as vpc_endpoint_account,
    coalesce(errorcode, '') as error_code,
    case %[4]s when 'AuthHeader' then 'header' when 'QueryString' then 'presigned' else 'unknown' end as signing,
    %[5]s as sent,
    nullif(%[6]s, '') as named_bucket,
    case when %[7]s then %[8]s end as copy_source,
    %[9]s
  from %[10]s
  where eventtime >= %[11]s and eventtime < %[12]s%[13]s
),
found as (
  select *, `+sent+`, coalesce(shared, corrects, eventid) as call_id%[14]s,
    %[15]s as copied_from,
    %[16]s as principal
  from logged
)`, s.addendum("reason"), s.addendum("originalEventID"), unix("eventtime"), s.additional("AuthenticationMethod"), s.sent(), s.Parameter("bucketName"),
		isCopy, s.Parameter("x-amz-copy-source"), columns, s.records(from, to), s.moment(from), s.moment(to), only, resource, copiedFrom("copy_source"), who)
}

// copiedFrom is the bucket in the source of a copy, as its header has it; NULL where that is none. S3 decodes it, so that a thief may write
// %65xports. It is read up to the first escape that is malformed, which would fail the query in Trino, or not of ASCII, which no bucket's name holds
// and engines decode in different ways.
func copiedFrom(source string) string {
	return "nullif(regexp_extract(url_decode(regexp_extract(" + source + `, '^([^%]|%[0-7][0-9A-Fa-f])*')), '^/?(?:arn:aws[a-z-]*:s3:::)?([A-Za-z0-9._-]+)/', 1), '')`
}

// ofHeader says of a candidate for the source of a copy that the header names it, or no bucket at all: an access point, or what cannot be decoded.
const ofHeader = `(candidate = copied_from or copied_from is null or copied_from like '%-s3alias' or copied_from like '%--ol-s3')`

// resourceAt is one of a record's resources, the first is 1.
func resourceAt(n int) string { return fmt.Sprintf("element_at(resources, %d)", n) }

// BucketsOf are the buckets of a record's resources, each NULL where there is none, and the first of them.
func (s Schema) BucketsOf() (each []string, first string) {
	if last := len(s.Buckets) - 1; last > 0 {
		return s.Buckets[:last], s.Buckets[last]
	}
	var arns []string
	for i := range maxResources {
		arn := resourceAt(i+1) + ".arn"
		each, arns = append(each, "nullif(regexp_extract("+arn+", ':::([^/]+)', 1), '')"), append(arns, arn)
	}
	return each, "nullif(regexp_extract(array_join(array[" + strings.Join(arns, ", ") + "], ' '), ':::([^/ ]+)', 1), '')"
}

// maxResources is how many resources of a record are looked at: a copy names destination and source, each by its object and its bucket.
const maxResources = 4

// A trail may deliver a record twice. An organization's store holds a cross-account call twice, for two recipient accounts, with the same
// sharedEventID; the copy that names a key is kept. A record that corrects another takes its place.
//
// Records of one call that say different things in one account, or name different credentials, are none of that: whoever can write into a
// trail's bucket would hide behind one of them. In Bytes all are kept, and torn is 1. In Usage those of different principals are kept.
const (
	onceInBytes = `told as (
  select *, max(corrects) over (partition by call, recipientaccountid, access_key_id, principal_id) as corrected,
    dense_rank() over (partition by call, recipientaccountid
      order by eventid, requestid, eventname, error_code, unix, sent, access_key_id, principal_id, source_ip, object_key) as variant,
    case access_key_id when '' then max(access_key_id) over (partition by call, principal_id) else access_key_id end as kept_key
  from watched
  where %s
),
once as (
  select *, row_number() over (partition by call, principal_id, kept_key, variant order by access_key_id desc, eventid, source, arn, agent) as copy
  from told
  where corrected is null or corrects is not null
)`
	tornInBytes = `case when count(*) over (partition by call) > 1 then 1 else 0 end as torn
  from once
  where copy = 1`
)

// onceInBytes are the tables that have each call of a Bytes question once, and the end of the select that reads them. Of most calls, where Twice
// tells, there is no other record, and one bucket that they name: those are not sorted.
func (s Schema) onceInBytes() (tables, rest string) {
	const here = "read_from is not null or source is not null"
	if s.Twice == "" {
		return fmt.Sprintf(onceInBytes, here), ",\n    " + tornInBytes
	}
	const alone = "case when not twice and is_copy = 0 and named_bucket = r1 then 1 else 0 end = "
	return fmt.Sprintf(onceInBytes, alone+"0 and ("+here+")") + `,
kept as (
  select *, ` + tornInBytes + `
  union all
  select *, corrects as corrected, 1 as variant, access_key_id as kept_key, 1 as copy, 0 as torn
  from watched
  where read_from is not null and ` + alone + `1
)`, "\n  from kept"
}

// identity are the columns that say who called; reader.identity reads them. Of them, caller tells callers apart.
const (
	caller = `coalesce(useridentity.type, '') as type,
    coalesce(useridentity.principalid, '') as principal_id,
    coalesce(useridentity.arn, '') as arn,
    coalesce(useridentity.accesskeyid, '') as access_key_id,
    coalesce(useridentity.invokedby, '') as invoked_by,
    coalesce(useridentity.onbehalfof.userid, '') as on_behalf_of,
    coalesce(useridentity.sessioncontext.sourceidentity, '') as source_identity`
	identity = caller + `,
    coalesce(useridentity.accountid, '') as account_id,
    coalesce(useridentity.username, '') as user_name,
    coalesce(useridentity.sessioncontext.sessionissuer.arn, '') as issuer_arn,
    coalesce(useridentity.sessioncontext.sessionissuer.username, '') as issuer_user_name,
    coalesce(useridentity.sessioncontext.webidfederationdata.federatedprovider, '') as provider`
)

// unindent takes the indentation away, which counts towards Lake's limit for a statement. It must not touch a literal: no name that a
// question asks for holds a line's end.
func unindent(sql string) string { return indentation.ReplaceAllString(sql, "\n") }

var indentation = lazyregexp.New(`\n +`)

// shorten gives the longest of our own names for columns a short one: they would take a quarter of Lake's limit. What stands in quotes is
// not touched, and what a statement returns must not pass here.
func shorten(sql string) string {
	return words.ReplaceAllStringFunc(sql, func(word string) string {
		if s, ok := shorter[word]; ok {
			return s
		}
		return word
	})
}

// inFull gives what a select calls by a shortened name its own name again.
func inFull(sql string) string {
	return shortened.ReplaceAllStringFunc(sql, func(as string) string {
		for name, s := range shorter {
			if as == " as "+s {
				return " as " + name
			}
		}
		return as
	})
}

var shortened = lazyregexp.New(` as [nopqtv][0-9]\b`)

var (
	words   = lazyregexp.New(`'(?:[^']|'')*'|"[^"]*"|[a-z_]+`)
	shorter = func() map[string]string {
		m := map[string]string{}
		for i, name := range []string{"principal_id", "account_id", "user_name", "issuer_arn", "issuer_user_name", "invoked_by", "on_behalf_of", "source_identity", "issuer_id",
			"error_code", "bytes_out", "named_bucket", "resource_bucket", "copied_from", "copy_source", "read_from", "here_from", "here_until", "object_begins",
			"access_key_id", "vpc_endpoint", "vpc_endpoint_account", "source_ip", "object_key", "corrects", "corrected", "candidate", "copied_out", "kept_key",
			"variant", "is_copy", "call_id", "principal", "network", "signing", "object_bytes", "first_seen", "last_seen",
			"other_object", "other_product", "product", "failed", "first_clock", "last_clock", "early", "weighs", "maker", "object_second", "object_most",
			"object_days", "most_bytes", "looked", "here", "until"} {
			m[name] = fmt.Sprintf("%c%d", "nopqtv"[i/10], i%10)
		}
		return m
	}()
)

// NetworkOf is the network of the address in a column that is never NULL.
func NetworkOf(column string) string { return strings.ReplaceAll(network, "source_ip", column) }

// network groups the addresses. An IPv4 address, also one within IPv6, goes by its first three numbers, an IPv6 address by its first three
// groups as written. Anything else (the name of a service) stands for itself. Network in origin.go reads it.
const network = `coalesce(nullif(regexp_extract(source_ip, '^(?:::[fF]{4}:)?([0-9]+[.][0-9]+[.][0-9]+)[.][0-9]+$', 1), ''),
      nullif(regexp_extract(source_ip, '^([0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F]*)', 1), ''), substr(source_ip, 1, 128))`

// person is whom a record tells apart among those behind one role or broker, empty where it tells nobody apart. A person's history is his own.
// The names of sessions are their callers' choice. Whoever takes another's has no more history than all of them together, so that it helps
// nobody. Of a name that a machine makes up for each session (an instance's id, a number, a time) nothing would ever be usual: such sessions
// are compared with the whole role. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#ck_rolesessionname
const person = `nullif(on_behalf_of, ''), nullif(source_identity, ''), case when not regexp_like(principal_id,
      ` + madeUp + `) then split_part(principal_id, ':', 2) end`

// madeUp is the end of a session's principal id whose name a machine made up.
const madeUp = `':(i-[\da-f]+|[\da-f-]{16,}|[^@]*\d{8}[^@]*)$'`
