package evidence

import (
	"fmt"
	"strings"
	"time"
)

// Schema is the seam between the questions and an engine: where the records stand, and how a field of them is spelled. There are two
// forms. In CloudTrail Lake's, an object of any keys is a map of strings:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-supported-event-schemas.html
type Schema struct {
	// Table is what stands behind FROM: an event data store's id, a table's name.
	Table string
	// Files says that the records have the other form, that of CloudTrail's own files as Athena reads them. Such an object is its JSON as
	// text; a time and a flag are text. The table has a partition for each account, region and day of delivery, the last in a column "day",
	// written 2026/03/04. https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table-partition-projection.html
	Files bool
	// Also is a second table of Files, over those of another trail, which has the events that Table's trail does not record; "" for none. What both
	// have is one record twice, as any may be.
	Also string
	// Without are files that are not read, by their addresses, s3://BUCKET/KEY; only of Files.
	Without []string
	// Records knows where the records of a time stand; nil where they stand in Table, as all do.
	Records Records
	// Twice is a column that is true of each record whose call another record may be of, too; "" where none says so. It is a help, and changes
	// no answer.
	Twice string
	// Buckets are columns of Records that have what BucketsOf finds, the first bucket last; none where there are no such columns. They are a help,
	// and change no answer.
	Buckets []string
	// Members are columns of Records that have what stands under a key of an object of any keys, by that object's column and the key, with a dot
	// between; and, by the object's column alone, one that has those of its objects in which there may be other keys. They are a help, and change
	// no answer.
	Members map[string]string
	// Parts selects calls that were put together before, as the question's PartsOf does it, and that Records do not have; "" for none.
	Parts string
	// together stands behind FROM in the place of records: what Records.Together says.
	together string
}

// Records is a help, and changes no answer.
type Records interface {
	// Within is what stands behind FROM for the records of [from, to). There may be others.
	Within(from, to time.Time) string
	// Together is that, with records put together where Usage counts them as one: of the same caller and address, in the same PartSpan, both up to
	// split or both later, and surely no two of one call. Each row has further columns: until_time, the last eventtime; sum_sent, the bytes of all;
	// last_key, the last of the keys of objects by the alphabet, of which the row's own is the first.
	Together(from, to, split time.Time) string
}

// MaxStatement is how many characters a statement may have: Lake's limit, the lowest of all engines'
// (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StartQuery.html).
const MaxStatement = 10_000

const (
	// Lateness is how long after an event its record is still searched among the files. CloudTrail delivers within minutes, promises no
	// time, and delivers after an outage what it owes.
	Lateness = 3 * 24 * time.Hour
	// clocks is how far the clock that names a file's day may be behind the one that stamps a record.
	clocks = 15 * time.Minute
)

// Days are the first and the last day of delivery, as the files' folders are named, under which records of [from, to) can lie. A record is
// delivered after the call, so that a late one lies under a later day.
func Days(from, to time.Time) (first, last string) {
	const folder = "2006/01/02"
	return from.Add(-clocks).UTC().Format(folder), to.Add(Lateness).UTC().Format(folder)
}

// records is what stands behind FROM for the records of [from, to). It gives the files' columns the form that Lake's have, but for the
// objects of any keys, which parameter, additional and response read.
//
// A time that is none is in no span, and does not spoil the query.
func (s Schema) records(from, to time.Time) string {
	if s.together != "" {
		return s.together
	}
	if s.Records != nil {
		return s.Records.Within(from, to)
	}
	if !s.Files {
		return s.Table
	}
	first, last := Days(from, to)
	const columns = `
  select eventid, sharedeventid, recipientaccountid, requestid, addendum, try(cast(from_iso8601_timestamp(eventtime) at time zone 'UTC' as timestamp)) as eventtime, eventsource, eventname, awsregion, useridentity,
    sourceipaddress, useragent, errorcode, requestparameters, responseelements, additionaleventdata, resources, vpcendpointid, vpcendpointaccountid,
    eventcategory, readonly = 'true' as readonly, managementevent = 'true' as managementevent
  from %s
  where day between %s and %s%s`
	files := fmt.Sprintf(columns, s.Table, quote(first), quote(last), s.without())
	if s.Also != "" {
		files += "\n  union all" + fmt.Sprintf(columns, s.Also, quote(first), quote(last), s.without())
	}
	return "(" + files + "\n) as records"
}

// OfData reports whether a question is about S3's data events alone, so that the management events' table need not be read for it: who moved the bytes
// is known where that one cannot be read.
func OfData(q Question) bool {
	switch q.(type) {
	case Bytes, Copied, Taken, Minutes, Course:
		return true
	}
	return false
}

// without leaves files out by the hidden column that names each row's: https://docs.aws.amazon.com/athena/latest/ug/querying-glue-catalog.html
func (s Schema) without() string {
	if len(s.Without) == 0 {
		return ""
	}
	var files []string
	for _, file := range s.Without {
		files = append(files, quote(file))
	}
	return ` and "$path" not in (` + strings.Join(files, ", ") + ")"
}

// member is a scalar under a key of an object of any keys, as text, NULL where it is missing.
func (s Schema) member(column, key string) string {
	if help, is := s.Members[column+"."+key]; is {
		return help
	}
	if rest, is := s.Members[column]; is {
		column = rest
	}
	if s.Files {
		return "json_extract_scalar(" + column + ", " + quote(`$["`+key+`"]`) + ")"
	}
	return "element_at(" + column + ", " + quote(key) + ")"
}

// inner is the text of whatever stands under a key, NULL where it is missing. How an engine writes it is its own affair.
func (s Schema) inner(column, key string) string {
	if s.Files {
		return "json_format(json_extract(" + column + ", " + quote(`$["`+key+`"]`) + "))"
	}
	return "element_at(" + column + ", " + quote(key) + ")"
}

// Parameter is a request parameter of a record, NULL where it is missing.
func (s Schema) Parameter(key string) string { return s.member("requestparameters", key) }

// additional is a field of additionalEventData, NULL where it is missing.
func (s Schema) additional(key string) string { return s.member("additionaleventdata", key) }

// addendum is a field of what CloudTrail adds to a record that comes late or corrects another, NULL where it is missing.
func (s Schema) addendum(field string) string {
	if s.Files {
		return "addendum." + strings.ToLower(field)
	}
	return "element_at(addendum, " + quote(field) + ")"
}

// sent is what a call took out of S3 as the record says, NULL where it has no number.
func (s Schema) sent() string {
	return "try_cast(" + s.additional("bytesTransferredOut") + " as double)"
}

// requested is the text of everything that a call was given, NULL where it was given nothing.
func (s Schema) requested() string {
	if s.Files {
		return "requestparameters"
	}
	return "array_join(map_values(requestparameters), ' ')"
}

// returned is the text of everything that a call returned, NULL where it returned nothing.
func (s Schema) returned() string {
	if s.Files {
		return "responseelements"
	}
	return "array_join(map_values(responseelements), ' ')"
}

// mfaSignIn is 1 for a sign-in to the console with a second factor.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
func (s Schema) mfaSignIn() string {
	return "case when eventsource = 'signin.amazonaws.com' and eventname = 'ConsoleLogin' and " + s.additional("MFAUsed") + " = 'Yes' and " +
		s.member("responseelements", "ConsoleLogin") + " = 'Success' then 1 else 0 end"
}

// made is the principal of the IAM user that a call made, NULL where it made none. How Lake prints the user is not confirmed: it goes by its id alone.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_User.html
func (s Schema) made() string {
	return "case when eventsource = 'iam.amazonaws.com' and eventname = 'CreateUser' then nullif(concat(regexp_extract(" + s.returned() +
		`, 'userId\W+(\w+)', 1), '|'), '|') end`
}
