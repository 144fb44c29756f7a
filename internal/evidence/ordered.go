package evidence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/settings"
)

// maxOrders is how many orders an answer names, the latest first.
const maxOrders = 5

// Ordered asks who has made Calls about Buckets, and succeeded, in [From, To): who has a service read them for somebody, or lets a stranger in.
// CloudFront's calls are recorded in us-east-1, so a store of another region alone does not hold them.
type Ordered struct {
	Buckets []string
	// Calls are beginnings of the calls' names, letters only.
	Calls    []string
	From, To time.Time
}

// Name implements Question.
func (Ordered) Name() string { return "ordered" }

// SQL implements Question. An answer has one row for each call and caller, the latest of his. A call that names a bucket is about that one.
// What others name (a batch job, a distribution) is searched in the text of all they were given, because how an engine writes a nested element
// is not known.
func (q Ordered) SQL(s Schema) string {
	names := slices.DeleteFunc(slices.Clone(q.Buckets), func(b string) bool { return settings.CheckBucket(b) != nil })
	if len(names) == 0 {
		names = []string{"no bucket"}
	}
	named := `(^|[^A-Za-z0-9._-])(` + strings.ReplaceAll(strings.Join(names, "|"), ".", "[.]") + `)([^A-Za-z0-9._-]|[.]s3[.-]|$)`
	return fmt.Sprintf(`with found as (
  select %[11]s as seconds, eventid, eventname as call, coalesce(sourceipaddress, '') as source_ip, substr(coalesce(array_join(regexp_extract_all(%[6]s, %[10]s), ' '), ''), 1, 2000) as detail,
  `+identity+`
from %[1]s
where eventsource in ('s3.amazonaws.com', 'cloudfront.amazonaws.com') and nullif(regexp_extract(eventname, %[2]s), '') is not null
  and coalesce(errorcode, '') = ''
  and eventtime >= %[3]s and eventtime < %[4]s
  and case when %[5]s is not null then %[5]s in (%[7]s) else nullif(regexp_extract(%[6]s, %[8]s), '') is not null end
),
placed as (
  select *, row_number() over (partition by call, access_key_id, principal_id, arn order by seconds desc, eventid) as place from found
)
select seconds as at, call, source_ip, detail, type, principal_id, arn, account_id, access_key_id, user_name, issuer_arn, issuer_user_name,
  invoked_by, on_behalf_of, source_identity, provider
from placed
where place = 1
order by seconds desc, call, access_key_id, principal_id, arn
limit %[9]d`, s.records(q.From, q.To), quote("^("+strings.Join(q.Calls, "|")+")"), s.moment(q.From), s.moment(q.To),
		s.Parameter("bucketName"), s.requested(), quoteAll(names), quote(named), maxOrders, quote(mentioned), unix("eventtime"))
}

// mentioned are the buckets, distributions and accounts in what a caller gave.
const mentioned = `arn:aws[a-z-]*:s3:::[A-Za-z0-9._-]+|arn:aws[a-z-]*:cloudfront::[0-9]{12}:distribution/[A-Z0-9]+|Account[^A-Za-z0-9]{1,6}[0-9]{12}`

// Order is a call that has somebody or something read a bucket.
type Order struct {
	At   time.Time
	Call string
	// From is the network that it came from.
	From string
	// To names, as the caller wrote them, the other buckets, the accounts and the distributions in what he gave.
	To []string
	By actor.Identity
}

// ReadOrdered reads the rows of an Ordered question about buckets.
func ReadOrdered(rows []Row, buckets []string) ([]Order, error) {
	var orders []Order
	for _, row := range rows {
		r := &reader{row: row}
		orders = append(orders, Order{At: r.time("at"), Call: r.text("call"), From: Network(r.text("source_ip")), To: destinations(r.whole("detail"), buckets), By: r.identity()})
		if r.err != nil {
			return nil, r.err
		}
	}
	return orders, nil
}

// maxDestinations is how many of them are named.
const maxDestinations = 4

var (
	bucketARN       = lazyregexp.New(`arn:aws[a-z-]*:s3:::([A-Za-z0-9._-]{3,255})`)
	accountID       = lazyregexp.New(`Account[^A-Za-z0-9]{1,6}([0-9]{12})\b`)
	distributionARN = lazyregexp.New(`arn:aws[a-z-]*:cloudfront::[0-9]{12}:(distribution/[A-Z0-9]{1,32})\b`)
)

// destinations are the buckets beside those that were read, the accounts, and the distributions that a text names.
func destinations(text string, read []string) []string {
	var all []string
	add := func(what string, found *lazyregexp.Regexp) {
		for _, m := range found.FindAllStringSubmatch(text, -1) {
			if name := clip(what + m[1]); !slices.Contains(all, name) && !slices.Contains(read, m[1]) {
				all = append(all, name)
			}
		}
	}
	add("bucket ", bucketARN)
	add("account ", accountID)
	add("", distributionARN)
	return all[:min(len(all), maxDestinations)]
}
