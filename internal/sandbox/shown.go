package sandbox

import (
	"context"
	"fmt"
	"slices"

	"nightlatch/internal/evidence"
	"nightlatch/internal/prose"
)

// dataEvents asks which buckets a trail has data events of, and when. A call names its bucket itself, among its resources, or as a copy's source.
type dataEvents struct{}

func (dataEvents) Name() string { return "data events" }

func (dataEvents) SQL(s evidence.Schema) string {
	resource := func(i int) string {
		return fmt.Sprintf("coalesce(regexp_extract(arn_%d, '^arn:aws[a-z-]*:s3:::([^/*]+)', 1), '')", i)
	}
	return `select named, ` + resource(1) + ` as first, ` + resource(2) + ` as second, ` + resource(3) + ` as third,
  coalesce(regexp_extract(copied, '^/?([^/]+)/', 1), '') as source,
  sum(calls) as calls, substr(cast(min(since) as varchar), 1, 16) as since, substr(cast(max(until) as varchar), 1, 16) as until
from (select coalesce(` + s.Parameter("bucketName") + `, '') as named, element_at(resources, 1).arn as arn_1, element_at(resources, 2).arn as arn_2,
    element_at(resources, 3).arn as arn_3, ` + s.Parameter("x-amz-copy-source") + ` as copied, count(*) as calls, min(eventtime) as since, max(eventtime) as until
  from ` + s.Table + ` where eventsource = 's3.amazonaws.com' and coalesce(eventcategory, 'Data') = 'Data' and not coalesce(managementevent, false)
  group by 1, 2, 3, 4, 5) as alike
group by 1, 2, 3, 4, 5 order by calls desc, 1, 2, 3, 4, 5`
}

// Shows says which buckets' data events a trail holds, in a sentence for whoever has put it together. Where it holds none of a bucket that is
// asked about, it says so.
func Shows(ctx context.Context, trail evidence.Trail, asked []string) (string, error) {
	answer, err := trail.Ask(ctx, dataEvents{})
	if err != nil {
		return "", fmt.Errorf("reading which buckets the trail shows: %w", err)
	}
	var buckets []string
	var since, until string // 2026-03-04 00:07
	for _, row := range answer.Rows {
		for _, column := range []string{"first", "second", "third", "named", "source"} {
			if b := row[column]; b != "" && !slices.Contains(buckets, b) {
				buckets = append(buckets, b)
			}
		}
		if first := row["since"]; since == "" || first != "" && first < since { // NULL where no call has a time
			since = first
		}
		until = max(until, row["until"])
	}
	if len(buckets) == 0 {
		return "There are no S3 data events in it: nothing else says who read an object.", nil
	}
	text := "S3 data events of " + prose.List(buckets)
	if since != "" {
		text += ", " + since + " to " + until + " UTC"
	}
	text += "."
	if missing := slices.DeleteFunc(slices.Clone(asked), func(b string) bool { return slices.Contains(buckets, b) }); len(missing) > 0 {
		text += " There are NONE of " + prose.List(missing) + "."
	}
	return text, nil
}
