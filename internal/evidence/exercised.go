package evidence

import (
	"fmt"
	"time"
)

// maxExercised is how many rows an answer has: a thousand of them make no policy that fits.
const maxExercised = 1000

// Exercised asks what an IAM user did in S3 in [From, To), with its keys and with what they minted, or what the sessions of a role did, where that is named: which
// calls, on which bucket, under which first folder of it. A policy that allows just that is made of it.
type Exercised struct {
	User, Role, AccountID string
	From, To              time.Time
}

// Name implements Question.
func (Exercised) Name() string { return "exercised" }

// SQL implements Question. What was refused was not used. A copy names its source apart, and an answer has both.
func (q Exercised) SQL(s Schema) string {
	const folder = "case when strpos(%[1]s, '/') > 0 then substr(%[1]s, 1, strpos(%[1]s, '/')) else '' end"
	who := "useridentity.type = 'IAMUser' and useridentity.username = " + quote(q.User)
	if q.Role != "" {
		who = "useridentity.type = 'AssumedRole' and useridentity.sessioncontext.sessionissuer.username = " + quote(q.Role)
	}
	return fmt.Sprintf(`with logged as (
  select eventname as name, coalesce(%[1]s, '') as bucket, coalesce(%[2]s, %[3]s, '') as object, coalesce(%[4]s, '') as source,
    case when coalesce(%[5]s, '') = '' then 0 else 1 end as versioned, %[6]s as unix
  from %[7]s
  where eventsource = 's3.amazonaws.com' and coalesce(errorcode, '') = '' and %[8]s and useridentity.accountid = %[9]s
    and eventtime >= %[10]s and eventtime < %[11]s
),
placed as (
  select name, substr(bucket, 1, 256) as bucket, substr(`+fmt.Sprintf(folder, "object")+`, 1, 512) as folder, substr(source, 1, 1024) as source, versioned, unix
  from logged
)
select name, bucket, folder, source, versioned, min(unix) as first_seen, max(unix) as last_seen
from placed
group by name, bucket, folder, source, versioned
order by bucket, name, folder, source, versioned
limit %[12]d`, s.Parameter("bucketName"), s.Parameter("key"), s.Parameter("prefix"), s.Parameter("x-amz-copy-source"), s.Parameter("versionId"), unix("eventtime"), s.records(q.From, q.To),
		who, quote(q.AccountID), s.moment(q.From), s.moment(q.To), maxExercised)
}

// S3Use is one call on one bucket under one folder, however often.
type S3Use struct {
	Call, Bucket string
	// Folder is what a key begins with up to its first slash; "" where a key has none, or the call has no key.
	Folder string
	// Source is what a copy names as its source.
	Source string
	// Version says that the call named a version.
	Version     bool
	First, Last time.Time
}

// ReadExercised reads the rows of an Exercised question. Partial says that there may be more.
func ReadExercised(rows []Row) (all []S3Use, partial bool, err error) {
	for _, row := range rows {
		r := &reader{row: row}
		u := S3Use{Call: r.text("name"), Bucket: r.whole("bucket"), Folder: r.whole("folder"), Source: r.whole("source"), Version: r.number("versioned") == 1, First: r.time("first_seen"), Last: r.time("last_seen")}
		if r.err != nil {
			return nil, false, r.err
		}
		all = append(all, u)
	}
	return all, len(rows) >= maxExercised, nil
}
