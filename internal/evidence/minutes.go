package evidence

import (
	"fmt"
	"strings"
	"time"
)

// Minutes asks how many bytes went out of each bucket in each minute of [From, To), in whole seconds: what the metric BytesDownloaded adds up.
// Only a laptop asks it, a day at a time.
type Minutes struct{ From, To time.Time }

// Name implements Question.
func (Minutes) Name() string { return "minutes" }

// SQL implements Question. An answer has one row for each bucket and minute in which something was called there, with the bucket's region and
// its owner's account as most of that minute's records have them.
//
// The bucket is the one that Bytes finds when it is asked about it: the one that the call names, or behind an access point the one among its
// resources. Every response counts, as it does for the metric: objects, listings, errors. A call counts once, however often it was delivered,
// with the most that a record of it says; a record that corrects others takes their place.
func (q Minutes) SQL(s Schema) string {
	var owner []string
	for i := range maxResources {
		r := resourceAt(i + 1)
		owner = append(owner, "case when "+r+".type = 'AWS::S3::Bucket' then nullif("+r+".accountid, '') end")
	}
	buckets, _ := s.BucketsOf()
	named, resource := "nullif("+s.Parameter("bucketName")+", '')", strings.Join(buckets, ", ")
	return unindent(fmt.Sprintf(`with logged as (
  select case when eventname in (%[1]s) then coalesce(%[2]s, %[3]s) else coalesce(%[3]s, %[2]s) end as bucket,
    %[4]s / 60 as minute, coalesce(awsregion, '') as region, coalesce(%[5]s, recipientaccountid, '') as owner,
    nullif(sharedeventid, '') as shared, case when %[6]s = 'UPDATED_DATA' then nullif(%[7]s, '') end as corrects, eventid,
    %[8]s as sent
  from %[9]s
  where eventtime >= %[10]s and eventtime < %[11]s and %[12]s
),
once as (
  select bucket, minute, coalesce(shared, corrects, eventid) as call_id, max(region) as region, max(owner) as owner,
    coalesce(max(case when corrects is not null then %[13]s end), max(%[13]s), 0) as bytes
  from logged
  where bucket is not null
  group by bucket, minute, coalesce(shared, corrects, eventid)
)
select bucket, minute, max(region) as region, max(owner) as owner, sum(bytes) as bytes
from once
group by bucket, minute
order by minute, bucket`, quoteAll(copies), named, resource, unix("eventtime"), strings.Join(owner, ", "), s.addendum("reason"), s.addendum("originalEventID"),
		s.sent(), s.records(q.From, q.To), s.moment(q.From), s.moment(q.To), data, bytesOut))
}

// Minute is what went out of one bucket in one minute.
type Minute struct {
	Bucket string
	Start  time.Time
	Bytes  int64
	// Region is the bucket's, Owner the account that it belongs to; "" where no record says.
	Region, Owner string
}

// ReadMinutes reads the rows of a Minutes question, in the order of time.
func ReadMinutes(rows []Row) ([]Minute, error) {
	all := make([]Minute, 0, len(rows))
	for _, row := range rows {
		r := &reader{row: row}
		m := Minute{Bucket: r.text("bucket"), Start: time.Unix(60*r.number("minute"), 0).UTC(), Bytes: r.number("bytes"), Region: r.text("region"), Owner: r.text("owner")}
		if r.err != nil {
			return nil, r.err
		}
		all = append(all, m)
	}
	return all, nil
}
