package duck_test

import (
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
)

// order is a management call about the bucket exports, or about what its changes say.
func order(call string, changes ...change) record {
	return minted("s3.amazonaws.com", call, "none", "", append([]change{set("responseElements", nil), in(bucket)}, changes...)...)
}

func TestWhoHasOrderedIt(t *testing.T) {
	mara := actor.Identity{Type: "IAMUser", PrincipalID: "AIDAEXAMPLEMARA", ARN: "arn:aws:iam::" + account + ":user/mara", AccountID: account, AccessKeyID: key, UserName: "mara"}
	given := func(field string, v any) change { return set("requestParameters."+field, v) }
	destination := func(b, a string) map[string]any {
		return map[string]any{"Role": "arn:aws:iam::111122223333:role/repl", "Rule": map[string]any{"ID": "r", "Destination": map[string]any{"Bucket": "arn:aws:s3:::" + b, "Account": a}}}
	}
	ordered := func(call string, to ...string) []evidence.Order {
		return []evidence.Order{{At: noon, Call: call, From: "198.51.100.0/24", To: to, By: mara}}
	}
	here := from("198.51.100.7")
	for story, c := range map[string]struct {
		records []record
		want    []evidence.Order
	}{
		"replication to another account": {calls(order("PutBucketReplication", here, given("ReplicationConfiguration", destination("loot", "444455556666")))),
			ordered("PutBucketReplication", "bucket loot", "account 444455556666")},
		"replication of another bucket, which names ours": {calls(order("PutBucketReplication", here, in("other"), given("ReplicationConfiguration", destination("exports", "444455556666")))), nil},
		"a refused order": {calls(order("PutBucketReplication", here, failed("AccessDenied"))), nil},
		"a batch job over the bucket": {calls(order("CreateJob", here, in(""), given("bucketName", nil), given("manifest", map[string]any{"location": "arn:aws:s3:::exports/m.csv"}),
			given("operation", map[string]any{"s3PutObjectCopy": map[string]any{"targetResource": "arn:aws:s3:::loot"}}))), ordered("CreateJob", "bucket loot")},
		"over a bucket whose name begins like it": {calls(order("CreateJob", here, given("bucketName", nil), given("manifest", map[string]any{"location": "arn:aws:s3:::exports-not/m.csv"}))), nil},
		"over a bucket whose name ends like it":   {calls(order("CreateJob", here, given("bucketName", nil), given("manifest", map[string]any{"location": "arn:aws:s3:::not.exports/m.csv"}))), nil},
		"a distribution with a version": {calls(order("UpdateDistribution2020_05_31", here, set("eventSource", "cloudfront.amazonaws.com"), given("bucketName", nil),
			given("distributionConfig", map[string]any{"origins": map[string]any{"items": []any{map[string]any{"domainName": "exports.s3.eu-central-1.amazonaws.com"}}}}))),
			ordered("UpdateDistribution2020_05_31")},
		"the bucket's policy names the distribution": {calls(order("PutBucketPolicy", here, given("bucketPolicy", map[string]any{"aws:SourceArn": "arn:aws:cloudfront::111122223333:distribution/E1EXAMPLE"}))),
			ordered("PutBucketPolicy", "distribution/E1EXAMPLE")},
		"another service's call of that name": {calls(order("CreateJob", here, set("eventSource", "glue.amazonaws.com"))), nil},
		"another call":                        {calls(order("GetBucketPolicy", here)), nil},
		"too late":                            {calls(order("PutBucketPolicy", here, at(noon.Add(time.Minute)))), nil},
		"the latest of each caller": {calls(order("PutBucketPolicy", here, at(noon.Add(-30*time.Second)), given("bucketPolicy", "arn:aws:s3:::first")), order("PutBucketPolicy", here)),
			ordered("PutBucketPolicy")},
		"nothing was given": {calls(order("PutBucketPolicy", here, set("requestParameters", nil))), nil},
	} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			q := evidence.Ordered{Buckets: []string{bucket}, Calls: []string{"PutBucketReplication", "CreateJob", "PutBucketPolicy", "UpdateDistribution"},
				From: noon.Add(-time.Minute), To: noon.Add(time.Minute)}
			got, err := evidence.ReadOrdered(rows(t, trail(t, c.records), q), q.Buckets)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, c.want)
		})
	}
}

func TestWhoseNetworkItIs(t *testing.T) {
	office := from("203.0.113.9")
	before := at(noon.Add(-72 * time.Hour))
	for story, c := range map[string]struct {
		history []record
		want    []string
	}{
		"another of the role":             {calls(call(before, office, session("bob", "ASIAEXAMPLEROLE00001"))), []string{"bob"}},
		"three of many":                   {calls(call(before, office, session("d", "")), call(before, office, session("c", "")), call(before, office, session("b", "")), call(before, office, session("a", ""))), []string{"a", "b", "c"}},
		"of another role":                 {calls(call(before, office, session("bob", ""), set("userIdentity.sessionContext.sessionIssuer.principalId", "AROAEXAMPLEELSE"))), nil},
		"from elsewhere":                  {calls(call(before, from("192.0.2.1"), session("bob", ""))), nil},
		"her own, so that she is no news": {calls(call(before, office, session("bob", "")), call(before, office, session("zoe", ""))), nil},
		"lately only":                     {calls(call(at(noon.Add(-time.Hour)), office, session("bob", ""))), nil},
		"by a presigned URL":              {calls(call(before, office, presigned, session("bob", ""))), nil},
	} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			e := weigh(t, append(c.history, call(office, session("zoe", "ASIAEXAMPLEROLE00002"))))
			equal(t, e.Actors[0].Neighbours, c.want)
		})
	}
}
