package evidence

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// mostSlots is how many parts a Course has at most.
const mostSlots = 120

// Course asks how many bytes went out of Buckets in each part of [From, To), by each of Keys and by all others together: what a picture shows.
// No verdict stands on it.
type Course struct {
	Buckets  []string
	Keys     []string
	From, To time.Time
}

// Name implements Question.
func (Course) Name() string { return "course" }

// Step is how long a part is, in whole minutes.
func (q Course) Step() time.Duration {
	return max(time.Minute, (q.To.Sub(q.From)/mostSlots + time.Minute - 1).Truncate(time.Minute))
}

// SQL implements Question. An answer has one row for each part and key in which something was called. What is others' has no key. Calls are
// counted as Minutes counts them.
func (q Course) SQL(s Schema) string {
	_, resource := s.BucketsOf()
	buckets := anyOf(slices.DeleteFunc(strings.Split(Window{Buckets: q.Buckets}.names(), "/"), func(b string) bool { return b == "" }))
	return unindent(fmt.Sprintf(`with logged as (
  select %[1]s as unix, case when useridentity.accesskeyid in (%[2]s) then useridentity.accesskeyid else '' end as access_key_id,
    %[3]s as named, %[4]s as resource, nullif(sharedeventid, '') as shared, case when %[5]s = 'UPDATED_DATA' then nullif(%[6]s, '') end as corrects, eventid,
    %[7]s as sent
  from %[8]s
  where eventtime >= %[9]s and eventtime < %[10]s and %[11]s
),
once as (
  select min(unix) as unix, max(access_key_id) as access_key_id, coalesce(max(case when corrects is not null then %[12]s end), max(%[12]s), 0) as bytes
  from logged
  where named in (%[13]s) or resource in (%[13]s)
  group by coalesce(shared, corrects, eventid)
)
select unix - unix %% %[14]d as slot, access_key_id, sum(bytes) as bytes
from once
group by unix - unix %% %[14]d, access_key_id
order by slot, access_key_id`, unix("eventtime"), anyOf(few(q.Keys)), s.Parameter("bucketName"), resource, s.addendum("reason"), s.addendum("originalEventID"), s.sent(),
		s.records(q.From, q.To), s.moment(q.From), s.moment(q.To), data, bytesOut, buckets, int64(q.Step()/time.Second)))
}

// Slot is what went out in one part of a Course.
type Slot struct {
	Start time.Time
	Bytes int64
	// ByKey are the bytes of the keys that were asked about.
	ByKey map[string]int64
}

// ReadCourse reads the rows of a Course, in the order of time. A part in which nothing was called is missing.
func ReadCourse(rows []Row) ([]Slot, error) {
	var all []Slot
	for _, row := range rows {
		r := &reader{row: row}
		start, key, bytes := time.Unix(r.number("slot"), 0).UTC(), r.text("access_key_id"), r.number("bytes")
		if r.err != nil {
			return nil, r.err
		}
		if n := len(all); n == 0 || !all[n-1].Start.Equal(start) {
			all = append(all, Slot{Start: start, ByKey: map[string]int64{}})
		}
		last := &all[len(all)-1]
		last.Bytes += bytes
		if key != "" {
			last.ByKey[key] += bytes
		}
	}
	return all, nil
}
