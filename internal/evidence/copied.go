package evidence

import (
	"fmt"
	"strings"
	"time"
)

// MaxCopied is how many pairs of a source and a destination an answer to Copied names.
const MaxCopied = 500

// namesRoom bounds the names of buckets in the question: with more of them the reader chooses.
const namesRoom = 4000

// Copied asks where to objects were copied by S3 itself in [From, To), out of Buckets, or out of any where there are none. Such a copy moves no
// byte that the metric BytesDownloaded counts for its source, so that no alarm fires.
type Copied struct {
	Buckets  []string
	From, To time.Time
}

// Name implements Question.
func (Copied) Name() string { return "copied" }

// SQL implements Question. An answer has one row for each source and destination, those with most copies first. A copy counts once, however
// often it was delivered. The destination is what the call names: a bucket, or an access point of one. The source is what the copy's header
// names; where that is an access point, or cannot be decoded, it is each other bucket among the resources.
func (q Copied) SQL(s Schema) string {
	resources, _ := Schema{}.BucketsOf()
	var owners []string
	for i, bucket := range resources {
		owners = append(owners, fmt.Sprintf("case when %s = destination then nullif(%s.accountid, '') end", bucket, resourceAt(i+1)))
	}
	only := ""
	if names := quoteAll(q.Buckets); len(q.Buckets) > 0 && len(names) <= namesRoom {
		only = " and candidate in (" + names + ") and not (destination in (" + names + "))"
	}
	return unindent(fmt.Sprintf(`with logged as (
  select coalesce(nullif(sharedeventid, ''), eventid) as call_id, eventid, %[1]s as unix, coalesce(%[2]s, '') as destination, resources,
    %[3]s as copied_from,
    coalesce(nullif(useridentity.arn, ''), nullif(useridentity.principalid, ''), nullif(useridentity.invokedby, ''), '') as who
  from %[4]s
  where eventtime >= %[5]s and eventtime < %[6]s and %[7]s and eventname in (%[8]s) and coalesce(errorcode, '') = ''
),
told as (
  select candidate as source, destination, call_id, eventid, unix, who, coalesce(%[9]s, '') as owner
  from logged
  inner join unnest(array[copied_from, %[10]s]) as c (candidate) on true
  where candidate <> destination
    and %[13]s%[11]s
)
select source, destination, max(owner) as owner, max_by(who, row(unix, eventid, who)) as who, count(distinct call_id) as copies,
  min(unix) as first_seen, max(unix) as last_seen
from told
group by source, destination
order by copies desc, source, destination
limit %[12]d`, unix("eventtime"), s.Parameter("bucketName"), copiedFrom(s.Parameter("x-amz-copy-source")), s.records(q.From, q.To), s.moment(q.From), s.moment(q.To),
		data, quoteAll(copies), strings.Join(owners, ", "), strings.Join(resources, ", "), only, MaxCopied+1, ofHeader))
}

// Copy is what S3 copied from one bucket to another.
type Copy struct {
	// Source is a bucket. Destination is what the calls name: a bucket's name or an access point's.
	Source, Destination string
	// Owner is the account of the destination's bucket; "" where no record says.
	Owner string
	// Who made the last of them, by ARN or id.
	Who         string
	Copies      int64
	First, Last time.Time
}

// ReadCopied reads the rows of a Copied question: of more than MaxCopied the first, and whether there were more.
func ReadCopied(rows []Row) (all []Copy, more bool, err error) {
	for _, row := range rows {
		if len(all) == MaxCopied {
			return all, true, nil
		}
		r := &reader{row: row}
		c := Copy{r.text("source"), r.text("destination"), r.text("owner"), r.text("who"), r.number("copies"), r.time("first_seen"), r.time("last_seen")}
		if r.err != nil {
			return nil, false, r.err
		}
		all = append(all, c)
	}
	return all, false, nil
}
