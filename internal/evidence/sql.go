package evidence

import (
	"fmt"
	"regexp"
	"strings"
	"time"
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

// calls is the common table that Bytes and Usage stand on. It has the S3 data events on the watched buckets in a span of time, each once,
// with the fields that matter under short names. The argument watched has the table expressions that choose from found; the last of them is
// called watched. They name the buckets: read_from, or source of a copy. The argument once makes the table once of it, in which copy is 1
// for each record that counts (see onceInUsage and onceInBytes), and columns are more of calls. With elsewhere, found has every other call
// too, and data is 1 for the S3 data events; what of them has no bucket then stays.
//
// A call through an access point names the access point in bucketName, and the bucket among its resources. A copy within one bucket takes
// nothing out of it. A principal goes by its unique id, because a thief may rename the user, and by the person behind it.
func (s Schema) calls(from, to time.Time, watched, once, more string, elsewhere bool) string {
	columns, only := ",\n    case when eventname in ("+quoteAll(copies)+") then 1 else 0 end as is_copy", " and "+data
	who := identity
	if elsewhere { // nobody is named, only told apart
		who = caller
		columns, only = ",\n    case when "+data+" then 1 else 0 end as data, coalesce(eventsource, '') as service,\n    "+s.mfaSignIn()+" as mfa", ""
	}
	for i := range maxResources {
		columns += fmt.Sprintf(",\n    nullif(regexp_extract(element_at(resources, %[1]d).arn, ':::([^/]+)', 1), '') as r%[1]d", i+1)
	}
	return fmt.Sprintf(`logged as (
  select eventid, nullif(sharedeventid, '') as shared, recipientaccountid, requestid, %[1]s as reason,
    case when %[1]s = 'UPDATED_DATA' then nullif(%[2]s, '') end as corrects, eventtime, %[3]s as unix, eventname,
    `+who+`,
    coalesce(useridentity.sessioncontext.sessionissuer.principalid, '') as issuer_id,
    coalesce(sourceipaddress, '') as source_ip,
    coalesce(vpcendpointid, '') as vpc_endpoint,
    coalesce(vpcendpointaccountid, '') as vpc_endpoint_account,
    substr(coalesce(useragent, ''), 1, 256) as agent,
    coalesce(errorcode, '') as error_code,
    coalesce(%[4]s, '') as object_key,
    case %[5]s when 'AuthHeader' then 'header' when 'QueryString' then 'presigned' else 'unknown' end as signing,
    %[6]s as sent,
    nullif(%[7]s, '') as named_bucket,
    case when eventname in (%[8]s) then %[9]s end as copy_source%[10]s
  from %[11]s
  where eventtime >= %[12]s and eventtime < %[13]s%[14]s
),
found as (
  select *, `+bytesOut+` as bytes_out, coalesce(shared, corrects, eventid) as call_id, coalesce(r1, r2, r3, r4) as resource_bucket,
    nullif(regexp_extract(%[18]s, '^/?(?:arn:aws[a-z-]*:s3:::)?([A-Za-z0-9._-]+)/', 1), '') as copied_from,
    concat(coalesce(nullif(issuer_id, ''), nullif(split_part(principal_id, ':', 1), ''), nullif(arn, ''), invoked_by), '|', coalesce(`+person+`, '')) as principal
  from logged
),
%[15]s,
%[16]s,
calls as (
  select *, coalesce(read_from, source) as bucket, case when source is not null and error_code = '' then 1 else 0 end as copied_out,
    case when read_from is null then 0 else coalesce(bytes_out, 0) end as bytes,
    `+network+` as network%[17]s
  from once
  where copy = 1
)`, s.addendum("reason"), s.addendum("originalEventID"), unix("eventtime"), s.parameter("key"), s.additional("AuthenticationMethod"), s.sent(),
		s.parameter("bucketName"), quoteAll(copies), s.parameter("x-amz-copy-source"), columns, s.records(from, to), s.moment(from), s.moment(to), only,
		watched, once, more, decoded("copy_source"))
}

// decoded is the source of a copy as S3 reads it, so that a thief may write it %65xports. It is read up to the first escape that is malformed,
// which would fail the query in Trino, or not of ASCII, which no bucket's name holds and engines decode in different ways.
func decoded(source string) string {
	return "url_decode(regexp_extract(" + source + ", '^([^%]|%[0-7][0-9A-Fa-f])*'))"
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
  where read_from is not null or source is not null
),
once as (
  select *, row_number() over (partition by call, principal_id, kept_key, variant order by access_key_id desc, eventid, source, arn, agent) as copy
  from told
  where corrected is null or corrects is not null
)`
	torn        = ",\n    case when count(*) over (partition by call) > 1 then 1 else 0 end as torn"
	onceInUsage = `once as (
  select *, row_number() over (partition by call_id, principal_id order by corrects, access_key_id desc, eventid) as copy
  from watched
)`
)

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

var indentation = regexp.MustCompile(`\n +`)

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

var shortened = regexp.MustCompile(` as n[0-9]+\b`)

var (
	words   = regexp.MustCompile(`'(?:[^']|'')*'|"[^"]*"|[a-z_]+`)
	shorter = func() map[string]string {
		m := map[string]string{}
		for i, name := range []string{"principal_id", "account_id", "user_name", "issuer_arn", "issuer_user_name", "invoked_by", "on_behalf_of", "source_identity", "issuer_id",
			"error_code", "bytes_out", "named_bucket", "resource_bucket", "copied_from", "copy_source", "read_from", "here_from", "here_until", "size_place", "object_begins",
			"access_key_id", "vpc_endpoint", "vpc_endpoint_account", "source_ip", "object_key", "corrects", "corrected", "candidate", "copied_out", "kept_key",
			"variant", "is_copy", "call_id", "principal", "network", "signing", "object_bytes", "first_seen", "last_seen"} {
			m[name] = fmt.Sprintf("n%d", i)
		}
		return m
	}()
)

// network groups the addresses. An IPv4 address, also one within IPv6, goes by its first three numbers, an IPv6 address by its first three
// groups as written. Anything else (the name of a service) stands for itself. Network in origin.go reads it.
const network = `coalesce(nullif(regexp_extract(source_ip, '^(?:::[fF]{4}:)?([0-9]+[.][0-9]+[.][0-9]+)[.][0-9]+$', 1), ''),
      nullif(regexp_extract(source_ip, '^([0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F]*)', 1), ''), substr(source_ip, 1, 128))`

// person is whom a record tells apart among those behind one role or broker, empty where it tells nobody apart. A person's history is his own.
// The names of sessions are their callers' choice. Whoever takes another's has no more history than all of them together, so that it helps
// nobody. Of a name that a machine makes up for each session (an instance's id, a number, a time) nothing would ever be usual: such sessions
// are compared with the whole role. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#ck_rolesessionname
const person = `nullif(on_behalf_of, ''), nullif(source_identity, ''), case when not regexp_like(principal_id,
      ':(i-[\da-f]+|[\da-f-]{16,}|[^@]*\d{8}[^@]*)$') then split_part(principal_id, ':', 2) end`
