package duck_test

import (
	"fmt"
	"testing"
	"time"

	"nightlatch/internal/evidence"
)

func TestCopied(t *testing.T) {
	owned := func(bucket, owner string) change {
		return set("resources", []any{map[string]any{"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::" + bucket + "/k"},
			map[string]any{"accountId": owner, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::" + bucket}})
	}
	loot := evidence.Copy{Source: bucket, Destination: "loot", Owner: "444455556666", Who: "arn:aws:iam::" + account + ":user/mara", Copies: 1, First: noon.Add(30 * time.Second),
		Last: noon.Add(30 * time.Second)}
	with := func(c evidence.Copy, change func(*evidence.Copy)) []evidence.Copy {
		change(&c)
		return []evidence.Copy{c}
	}
	one := []evidence.Copy{loot}
	unowned := with(loot, func(c *evidence.Copy) { c.Owner = "" })
	alias := "reports-x1-s3alias"
	for name, c := range map[string]struct {
		records []record
		want    []evidence.Copy
	}{
		"a copy":                    {calls(call(copied("exports/k"), owned("loot", "444455556666"))), one},
		"twice delivered":           {calls(call(copied("exports/k"), owned("loot", "444455556666"), id("a")), call(copied("exports/k"), owned("loot", "444455556666"), id("a"))), one},
		"a part of an object":       {calls(call(copied("exports/k"), name("UploadPartCopy"), owned("loot", "444455556666"))), one},
		"written by a thief":        {calls(call(copied("%65xports/k"), owned("loot", "444455556666"))), one},
		"by its ARN":                {calls(call(copied("arn:aws:s3:::exports/k"), owned("loot", "444455556666"))), one},
		"through an access point":   {calls(call(copied(alias+"/k"), resources("arn:aws:s3:::loot/k", "arn:aws:s3:::exports/k"))), unowned},
		"in a way that is not read": {calls(call(copied("exports%ff/k"), resources("arn:aws:s3:::loot/k", "arn:aws:s3:::exports/k"))), unowned},
		"of several times": {calls(call(copied("exports/k"), owned("loot", "444455556666")), call(copied("exports/l"), owned("loot", "444455556666"), at(noon.Add(time.Minute)))),
			with(loot, func(c *evidence.Copy) { c.Copies, c.Last = 2, noon.Add(time.Minute) })},
		"within the bucket":     {calls(call(copied("exports/k"), in(bucket))), nil},
		"between watched ones":  {calls(call(copied("exports/k"), in("images"))), nil},
		"out of another bucket": {calls(call(copied("public/k"))), nil},
		"refused":               {calls(call(copied("exports/k"), failed("AccessDenied"))), nil},
		"a read":                {calls(call()), nil},
		"before, and after":     {calls(call(copied("exports/k"), at(noon.Add(-time.Second))), call(copied("exports/k"), at(end))), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, more, err := evidence.ReadCopied(rows(t, trail(t, c.records), evidence.Copied{Buckets: []string{bucket, "images"}, From: noon, To: end}))
			if err != nil || more {
				t.Fatal(more, err)
			}
			equal(t, got, c.want)
		})
	}
}

// Where every bucket is watched each source counts; and where there are more pairs than an answer names, it says so.
func TestCopiedOfAnyBucket(t *testing.T) {
	var many []record
	for i := range evidence.MaxCopied + 1 {
		many = append(many, call(copied("exports/k"), in(fmt.Sprintf("loot-%03d", i))))
	}
	got, more, err := evidence.ReadCopied(rows(t, trail(t, calls(many...)), evidence.Copied{From: noon, To: end}))
	if err != nil || !more || len(got) != evidence.MaxCopied || got[0].Destination != "loot-000" || got[0].Copies != 1 {
		t.Errorf("got %d, %v, %v", len(got), more, err)
	}
}
