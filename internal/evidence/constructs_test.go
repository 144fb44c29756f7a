package evidence

import (
	"maps"
	"slices"
	"testing"
)

// CloudTrail Lake may be no stock Trino. So the questions are made of what AWS itself shows of it, wherever that can be. The sources:
const (
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-limitations.html
	constraints = `AWS, "CloudTrail Lake SQL constraints"`
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-lake-queries.html
	guide = `AWS, "CloudTrail Lake queries"`
	// https://github.com/aws-samples/cloud-trail-lake-query-samples
	samples = "aws-samples/cloud-trail-lake-query-samples, "

	// promised is what no page and no sample of AWS shows. It stands on one sentence of the first page: "CloudTrail Lake supports all valid Trino
	// SQL SELECT statements, functions, and operators." Only a query to a real store can tell.
	promised = "promised, not shown"
)

// sources say on what each construct stands that a statement for Lake is made of.
var sources = map[string]string{
	"group by": constraints, "order by": constraints, "limit": constraints, "aggregate of distinct": constraints,
	"and": constraints, "or": constraints, "not": constraints, "in": constraints, "is null": constraints, "is not null": constraints,
	"between": constraints, "<": constraints, "<=": constraints, ">": constraints, ">=": constraints, "<>": constraints,
	"inner join": constraints,

	// Trino itself refuses it: there eventtime is compared with a timestamp.
	"eventtime against a string": guide,

	"=":                       samples + "top-s3-objects.sql",
	"count()":                 samples + "top-s3-objects.sql",
	"element_at()":            samples + "top-s3-objects.sql",
	"field of a struct":       samples + "iam-access-key-success-activity.sql",
	"select in a select":      samples + "ssm-patch-compliance-distinct-ec2-instance-latest.sql",
	"over (partition, order)": samples + "ssm-patch-compliance-distinct-ec2-instance-latest.sql",
	"map_values()":            samples + "ssm-patch-compliance-distinct-ec2-instance-latest.sql",

	"with": promised, "case": promised, "values": promised, "grouping sets": promised, "grouping()": promised,
	"unnest": promised, "unnest with ordinality": promised, "array[…]": promised, "row(…)": promised,
	"over (partition)": promised, "+": promised, "-": promised, "/": promised, "%": promised,
	"cast as timestamp": promised, "cast as date": promised, "cast as varchar": promised, "try_cast as double": promised,
	"array_join()": promised, "coalesce()": promised, "concat()": promised, "contains()": promised, "dense_rank()": promised, "date_diff()": promised, "like": promised, "lower()": promised,
	"max()": promised, "max_by()": promised, "min()": promised, "nullif()": promised, "regexp_extract()": promised, "regexp_extract_all()": promised, "regexp_like()": promised, "row_number()": promised,
	"split()": promised, "split_part()": promised, "strpos()": promised, "substr()": promised, "sum()": promised, "url_decode()": promised,
}

func TestWhatLakesStatementsAreMadeOf(t *testing.T) {
	var names, statements []string
	for name, q := range questions("customer-exports") {
		names, statements = append(names, name), append(statements, q.SQL(Schema{Table: "events"}))
	}
	// What AWS's pages do not list is found, or the test could not fail.
	statements = append(statements, "select a from b cross join unnest(c) where eventtime >= timestamp '2026-03-04 12:00:00' - interval '5' minute")
	all := trino(t, statements...)
	used := map[string]bool{}
	for i, name := range names {
		for _, construct := range all[i].Constructs {
			if used[construct] = true; sources[construct] == "" {
				t.Errorf("%s: on what does %q stand in Lake? Name it in sources, or write the question without it", name, construct)
			}
		}
	}
	for _, construct := range slices.Sorted(maps.Keys(sources)) {
		if !used[construct] {
			t.Errorf("no statement holds %q any more", construct)
		}
	}
	for _, construct := range []string{"cross join", "timestamp literal", "IntervalLiteral"} {
		if !slices.Contains(all[len(names)].Constructs, construct) {
			t.Errorf("%q is not found in %s: %q", construct, statements[len(names)], all[len(names)].Constructs)
		}
	}
}
