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
var objectLevel = []string{"GetObject", "HeadObject", "ListObjects", "ListObjectVersions", "ListObjectsV2", "SelectObjectContent",
	"GetObjectTorrent", "GetObjectAcl", "GetObjectTagging", "GetObjectAttributes", "RestoreObject", "CopyObject", "UploadPartCopy",
	"PutObject", "DeleteObject", "DeleteObjects", "ListParts", "ListMultipartUploads"}

// objectData are the calls whose response is the content of an object.
var objectData = []string{"GetObject", "SelectObjectContent", "GetObjectTorrent"}

// copies are the server-side copies. They name their destination in bucketName and their source in x-amz-copy-source.
var copies = []string{"CopyObject", "UploadPartCopy"}

// calls is the common table that Bytes and Usage stand on. It has the S3 data events on the watched buckets in a span of time, each once,
// with the fields that matter under short names. The argument watched has the table expressions that choose from found; the last of them is
// called watched. They name the buckets: read_from, or source of a copy. Where windows are kept apart, each is their column and a comma.
// With elsewhere, found has every other call too, and data is 1 for the S3 data events; what of them has no bucket then stays.
//
// A call through an access point names the access point in bucketName, and the bucket among its resources. An organization's
// store holds a cross-account call twice, with the same sharedEventID; the copy that names a key is kept. A copy within one bucket
// takes nothing out of it. A principal goes by its
// unique id, because a thief may rename the user.
func (s Schema) calls(from, to time.Time, watched, each string, elsewhere bool) string {
	resource := func(i int) string {
		return fmt.Sprintf("nullif(regexp_extract(element_at(resources, %d).arn, '^arn:aws[a-z-]*:s3:::([^/*]+)', 1), '')", i)
	}
	// S3 decodes the source, so that a thief may write it %65xports. It is read up to the first escape that is malformed, which
	// would fail the query in Trino, or not of ASCII, which no bucket's name holds and engines decode in different ways.
	const copySource = `url_decode(regexp_extract(copy_source, '^([^%]|%[0-7][0-9A-Fa-f])*'))`
	data := fmt.Sprintf(`eventsource = 's3.amazonaws.com'
    and case when eventcategory is not null then eventcategory = 'Data'
             when managementevent is not null then not managementevent
             else eventname in (%s) end`, quoteAll(objectLevel))
	columns, only, named := "", " and "+data, "\n  where read_from is not null or source is not null"
	if elsewhere {
		columns, only, named = ",\n    case when "+data+" then 1 else 0 end as data, coalesce(eventsource, '') as service,\n    "+s.mfaSignIn()+" as mfa", "", ""
	}
	return fmt.Sprintf(`logged as (
  select coalesce(nullif(sharedeventid, ''), eventid) as call_id, eventid, eventtime, %[19]s as unix, eventname,
    `+identity+`,
    coalesce(useridentity.sessioncontext.sessionissuer.principalid, '') as issuer_id,
    coalesce(sourceipaddress, '') as source_ip,
    coalesce(vpcendpointid, '') as vpc_endpoint,
    coalesce(vpcendpointaccountid, '') as vpc_endpoint_account,
    substr(coalesce(useragent, ''), 1, 256) as agent,
    coalesce(errorcode, '') as error_code,
    coalesce(%[1]s, '') as object_key,
    case %[2]s when 'AuthHeader' then 'header' when 'QueryString' then 'presigned' else 'unknown' end as signing,
    %[3]s as sent,
    nullif(%[4]s, '') as named_bucket,
    coalesce(%[5]s, %[6]s, %[7]s) as resource_bucket,
    case when eventname in (%[8]s) then %[17]s end as copy_source%[20]s
  from %[10]s
  where eventtime >= %[11]s and eventtime < %[12]s%[13]s
),
found as (
  select *, %[18]s as bytes_out, nullif(regexp_extract(%[9]s, '^/?([^/]+)/', 1), '') as copied_from
  from logged
),
%[14]s,
once as (
  select *, row_number() over (partition by %[16]scall_id order by case when access_key_id = '' then 1 else 0 end, eventid) as copy
  from watched%[21]s
),
calls as (
  select *, coalesce(read_from, source) as bucket, case when source is not null and error_code = '' then 1 else 0 end as copied_out,
    case when read_from is null then 0 else coalesce(bytes_out, 0) end as bytes,
    coalesce(nullif(issuer_id, ''), nullif(principal_id, ''), arn) as principal,
    %[15]s as network
  from once
  where copy = 1
)`, s.parameter("key"), s.additional("AuthenticationMethod"), s.sent(), s.parameter("bucketName"),
		resource(1), resource(2), resource(3), quoteAll(copies), copySource, s.records(from, to), s.moment(from), s.moment(to),
		only, watched, network, each, s.parameter("x-amz-copy-source"), bytesOut, unix("eventtime"), columns, named)
}

// identity are the columns that say who called; reader.identity reads them.
const identity = `coalesce(useridentity.type, '') as type,
    coalesce(useridentity.principalid, '') as principal_id,
    coalesce(useridentity.arn, '') as arn,
    coalesce(useridentity.accountid, '') as account_id,
    coalesce(useridentity.accesskeyid, '') as access_key_id,
    coalesce(useridentity.username, '') as user_name,
    coalesce(useridentity.sessioncontext.sessionissuer.arn, '') as issuer_arn,
    coalesce(useridentity.sessioncontext.sessionissuer.username, '') as issuer_user_name,
    coalesce(useridentity.invokedby, '') as invoked_by,
    coalesce(useridentity.onbehalfof.userid, '') as on_behalf_of`

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

var (
	words   = regexp.MustCompile(`'(?:[^']|'')*'|"[^"]*"|[a-z_]+`)
	shorter = func() map[string]string {
		m := map[string]string{}
		for i, name := range []string{"principal_id", "account_id", "user_name", "issuer_arn", "issuer_user_name", "invoked_by", "on_behalf_of", "issuer_id",
			"error_code", "bytes_out", "named_bucket", "resource_bucket", "copied_from", "copy_source", "read_from", "here_from", "here_until", "size_place", "object_begins",
			"access_key_id", "vpc_endpoint", "vpc_endpoint_account", "source_ip", "object_key"} {
			m[name] = fmt.Sprintf("n%d", i)
		}
		return m
	}()
)

// network groups the addresses. An IPv4 address, also one within IPv6, goes by its first three numbers, an IPv6 address by its first three
// groups as written. Anything else (the name of a service) stands for itself. Network in origin.go reads it.
const network = `coalesce(nullif(regexp_extract(source_ip, '^(?:::[fF]{4}:)?([0-9]+[.][0-9]+[.][0-9]+)[.][0-9]+$', 1), ''),
      nullif(regexp_extract(source_ip, '^([0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F]*)', 1), ''), substr(source_ip, 1, 128))`
