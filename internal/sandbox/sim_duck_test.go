package sandbox

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/evidence/enginetest"
)

// The simulated trail answers in Go, because an engine per night would take too long. Here DuckDB reads what it has delivered, and gives the
// same rows to the same questions, one by one.
func TestSimTrailAnswersAsDuckDB(t *testing.T) {
	rows := 0
	for seed := range uint64(enginetest.Draws(3, 30)) {
		w := newWorld(2000+seed, false)
		w.bystanders()
		w.run(dusk.Add(time.Hour))
		now := w.plot.begins.Add(w.between(4*time.Minute, 30*time.Minute))
		all := seen(w.trail, now)
		engine := w.load(t, all)
		from := w.plot.begins.Truncate(time.Minute)
		var refused, sessions []string
		for _, e := range w.trail {
			if id := e.UserIdentity.PrincipalID; strings.HasPrefix(id, "AROA") && strings.HasSuffix(id, "r") && len(sessions) < 20 { // loader, for one
				sessions = append(sessions, id)
			}
			if e.ErrorCode != "" {
				refused = append(refused, e.UserIdentity.PrincipalID)
			}
		}
		aims := func(bucket string) (aims []evidence.Aim) {
			for _, e := range w.trail {
				if id := e.UserIdentity.PrincipalID; id != "" && len(aims) < 12 && len(e.UserIdentity.ARN)%3 == 0 {
					aims = append(aims, evidence.Aim{Reach: evidence.Reach{PrincipalID: strings.Split(id, ":")[0]}, Without: []string{w.plot.stolen}}, evidence.Aim{Reach: evidence.Reach{PrincipalID: id, Bucket: bucket}})
				}
			}
			return append(aims, evidence.Aim{Reach: evidence.Reach{Bucket: bucket}}, evidence.Aim{Reach: evidence.Reach{ARN: "arn:aws:iam::" + accountID + ":user/crowd"}})
		}
		lineage := func(key, principal string) evidence.Lineage {
			return evidence.Lineage{Given: []string{key}, Keys: []string{key, w.plot.stolen}, Sessions: []string{principal}, SignedIn: []string{principal}, From: dusk.AddDate(0, 0, -1), To: now}
		}
		questions := []evidence.Question{
			evidence.Since{KeyIDs: []string{w.plot.stolen}, PrincipalIDs: []string{w.mara}, From: from, To: now},
			evidence.Since{KeyIDs: []string{w.plot.stolen, w.plot.batch}, From: from.AddDate(0, 0, -9), To: now},
			evidence.Since{SessionIDs: sessions, From: from.AddDate(0, 0, -9), To: now},
			evidence.Since{PrincipalIDs: []string{w.mara}, From: now, To: now}, evidence.Since{From: from, To: now},
			evidence.Refused{KeyIDs: []string{w.plot.stolen}, PrincipalIDs: refused, From: from.AddDate(0, 0, -1), To: now}, evidence.Refused{From: from, To: now},
			evidence.Trust{Role: "oncall", Provider: "arn:aws:iam::111122223333:saml-provider/idp", From: dusk.AddDate(0, 0, -1), To: now},
			evidence.Tagged{User: "mara", Tag: protectTag, From: dusk, To: now}, evidence.Tagged{User: "mara", Tag: "other", From: dusk, To: now},
			lineage("ASIANOBODYHASTHISKEY", ""), lineage("", ""),
		}
		for _, p := range slices.Concat(w.staff, w.others) {
			questions = append(questions, lineage(p.who.AccessKeyID, p.who.PrincipalID))
		}
		for _, of := range [][]string{buckets, buckets[:1]} {
			questions = append(questions,
				evidence.Bytes{Windows: []evidence.Window{{ID: "a", Buckets: of, From: from, To: from.Add(5 * time.Minute)}}, Margin: alarm.Margin},
				evidence.Bytes{Windows: []evidence.Window{{ID: "a", Buckets: buckets[1:], From: from, To: from.Add(3 * time.Minute)}, {ID: "b", Buckets: of, From: from, To: from.Add(3 * time.Minute)},
					{ID: "c", Buckets: of, From: from.Add(4 * time.Minute), To: from.Add(6 * time.Minute)}, {ID: "d", Buckets: of, From: from, To: from.Add(3 * time.Minute)}}, Margin: time.Minute},
				evidence.Callers{Buckets: of, Before: from}, evidence.Callers{Credentials: []string{w.plot.stolen, w.plot.batch}, Before: now},
				evidence.Bystanders{Of: aims(of[0]), Before: now}, evidence.Bystanders{Of: aims(of[0]), Before: from.AddDate(0, 0, 6)}, evidence.Bystanders{Of: aims("elsewhere"), Before: from},
				evidence.Usage{Buckets: of, Before: from}, evidence.Usage{Buckets: of, Before: from.Add(25 * time.Hour)},
				evidence.Ordered{Buckets: of, Calls: []string{"PutBucketReplication", "CreateJob", "PutBucketPolicy", "UpdateDistribution"}, From: from.AddDate(0, 0, -3), To: now},
				evidence.Ordered{Buckets: of, Calls: []string{"PutBucketPolicy"}, From: from, To: now},
				evidence.Copied{Buckets: of, From: from.AddDate(0, 0, -3), To: now}, evidence.Copied{From: from, To: now})
		}
		for _, q := range questions {
			want, err := engine.Ask(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			got, err := answer(all, q)
			if err != nil {
				t.Fatal(err)
			}
			rows += len(got)
			for _, row := range want.Rows { // how the query ranks, which no reader reads
				delete(row, "place")
				delete(row, "actor_place")
			}
			if diff := cmp.Diff(want.Rows, got); diff != "" {
				t.Fatalf("seed %d, question %+v (-DuckDB +simulated):\n%s", w.seed, q, diff)
			}
		}
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d rows are the same", rows)
}

// load has DuckDB read what was delivered: what comes twice, twice.
func (w *world) load(t *testing.T, all []*entry) *duck.Engine {
	var records []record
	for _, e := range all {
		for range e.due {
			records = append(records, e.record)
		}
	}
	w.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	text, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "trail.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	engine, err := duck.Open(t.Context(), duck.Settings{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Load(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	return engine
}

// elsewhere is a call to another service.
func (c caller) elsewhere(rng *rand.Rand, at time.Time, service, name string) record {
	r := c.call(rng, at, name, "", "", 0)
	r.EventSource, r.EventCategory, r.ManagementEvent, r.AdditionalData, r.RequestParameters, r.Resources = service, "Management", true, nil, nil, nil
	return r
}

// bystanders add what no plot has: copies, refusals, listings, VPC endpoints, a service, more actors, agents and origins than are listed,
// records without a size, and the second record of a cross-account call.
func (w *world) bystanders() {
	at := func() time.Time { return w.plot.begins.Add(w.between(-8*time.Minute, 10*time.Minute)) }
	crowd := 1 + w.IntN(70)
	for i := range crowd {
		c := caller{who: iamUser(w.Rand, "crowd", keyID("AKIA", w.Rand)), ip: within("10.1.2"), agent: "Boto3"}
		if i%3 == 0 {
			c.endpoint, c.account = "vpce-1", accountID
		}
		if i%5 == 0 {
			c.ip = always("2001:db8:7:8::1")
		}
		w.record(c.call(w.Rand, at(), "ListObjects", w.bucket(), "", w.Int64N(1000)))
		refused := c.call(w.Rand, at(), "GetObject", w.bucket(), "k", 300)
		refused.ErrorCode = "AccessDenied"
		w.record(refused)
		w.record(c.elsewhere(w.Rand, at().AddDate(0, 0, -i%4), "ec2.amazonaws.com", "DescribeInstances"))
		if i%6 == 1 { // some of the crowd were made by two of it
			made := caller{who: iamUser(w.Rand, "admin"+string(rune('0'+i%4)), keyID("AKIA", w.Rand)), ip: within("10.9.9")}.elsewhere(w.Rand, at().AddDate(0, 0, -2), "iam.amazonaws.com", "CreateUser")
			made.ResponseElements = map[string]any{"user": map[string]string{"path": "/", "userName": "crowd", "userId": c.who.PrincipalID}}
			w.record(made)
		}
		if i%4 == 0 {
			login := c.elsewhere(w.Rand, at().AddDate(0, 0, -i%3), "signin.amazonaws.com", "ConsoleLogin")
			login.UserIdentity.AccessKeyID, login.ResponseElements = "", map[string]any{"ConsoleLogin": []string{"Success", "Failure"}[i%2]}
			login.AdditionalData = map[string]any{"MFAUsed": []string{"Yes", "No"}[i%8/4]}
			w.record(login)
		}
	}
	// People behind one role, sessions that machines have named, and one that names its source.
	shared := keyID("AROA", w.Rand)
	for i, name := range []string{"zoe@example.com", "bob", "bob20260304", "zoe20260304@example.com", "i-0f", "i-", "0123456789abcdef", "0123-abc", "job-1234567", "job-12345678"} {
		c := caller{who: roleSession(w.Rand, "people", shared, name), ip: within("192.0.2"), agent: "a"}
		if i%4 == 1 {
			c.who.SessionContext.SourceIdentity = "ida"
		}
		if i%3 == 0 {
			c.who.AccessKeyID = ""
		}
		w.record(c.call(w.Rand, at(), "GetObject", w.bucket(), "k", w.Int64N(5000)))
		w.record(c.call(w.Rand, at().AddDate(0, 0, -2), "GetObject", w.bucket(), "k", w.Int64N(5000)))
	}
	w.orders(at)
	w.signs(at)
	many := caller{who: roleSession(w.Rand, "web", keyID("AROA", w.Rand), "i-1")}
	for i := range 40 {
		many.ip, many.agent = within("192.168."+string(rune('0'+i%10))+string(rune('0'+i/10))), "agent-"+string(rune('A'+i))
		w.record(many.call(w.Rand, at(), "GetObject", w.bucket(), "k", w.Int64N(5000)))
		w.record(many.call(w.Rand, at().AddDate(0, 0, -1-i%9), "GetObject", w.bucket(), "k", w.Int64N(5000)))
	}
	copies := caller{who: iamUser(w.Rand, "copier", keyID("AKIA", w.Rand)), ip: always("s3.amazonaws.com"), agent: "x"}
	for _, into := range []string{"elsewhere", buckets[0]} {
		r := copies.call(w.Rand, at(), "CopyObject", into, "k", 300)
		r.RequestParameters["x-amz-copy-source"] = "/" + buckets[0] + "/k"
		w.record(r)
		w.record(copies.copy(w.Rand, at(), buckets[w.IntN(2)], into))
	}
	service := caller{who: identity{Type: "AWSService", InvokedBy: "replication.s3.amazonaws.com"}, ip: always("replication.s3.amazonaws.com"), agent: "r"}
	unsized := service.call(w.Rand, at(), "GetObject", buckets[0], "k", 1)
	delete(unsized.AdditionalData, "bytesTransferredOut")
	delete(unsized.AdditionalData, "AuthenticationMethod")
	w.record(unsized)
	pointed := copies.call(w.Rand, at(), "CopyObject", "loot", "k", 300)
	pointed.RequestParameters["x-amz-copy-source"] = "arn:aws:s3:eu-central-1:111122223333:accesspoint/p/object/k"
	pointed.Resources = []resource{{Type: "AWS::S3::Object", ARN: "arn:aws:s3:::loot/k"}, {Type: "AWS::S3::Bucket", ARN: "arn:aws:s3:::loot"}, {Type: "AWS::S3::Object", ARN: "arn:aws:s3:::" + buckets[0] + "/k"}}
	w.record(pointed)
	corrected := copies.call(w.Rand, at(), "GetObject", buckets[0], "k", 300)
	correction := corrected
	correction.EventID, correction.Addendum = corrected.EventID+"-2", map[string]string{"reason": "UPDATED_DATA", "originalEventID": corrected.EventID}
	correction.AdditionalData = map[string]any{"bytesTransferredOut": int64(500), "AuthenticationMethod": "AuthHeader"}
	w.record(corrected)
	w.record(correction)
	forged := copies.call(w.Rand, at(), "GetObjectAnnotation", buckets[0], "k", 300)
	accused := forged
	accused.UserIdentity = iamUser(w.Rand, "accused", keyID("AKIA", w.Rand))
	w.record(forged)
	w.record(accused)
	partner := caller{who: identity{Type: "AWSAccount", PrincipalID: "AIDAPARTNER", AccountID: "999988887777"}, ip: always("203.0.113.5"), agent: "p"}
	owner := partner.call(w.Rand, at(), "GetObject", buckets[0], "k", 777)
	owner.SharedEventID = "shared-1"
	requester := owner
	requester.EventID, requester.UserIdentity, requester.RecipientAccountID = "0"+owner.EventID, iamUser(w.Rand, "partner", keyID("AKIA", w.Rand)), "999988887777"
	requester.UserIdentity.PrincipalID = owner.UserIdentity.PrincipalID
	w.record(owner)
	w.record(requester)
	point := partner.call(w.Rand, at(), "GetObject", "an-access-point", "k", 55)
	point.Resources = []resource{{Type: "AWS::S3::Object", ARN: "arn:aws:s3:::" + buckets[1] + "/k"}}
	w.record(point)
}

// signs add a broker who signs in, and gives out federated users: one of them twice, and some through an endpoint.
func (w *world) signs(at func() time.Time) {
	user := caller{who: iamUser(w.Rand, "broker", keyID("AKIA", w.Rand)), ip: within("192.0.2"), agent: "a"}
	for i, name := range []string{"partner", "partner", "other", "i-0abc"} {
		c := caller{who: federatedUser(w.Rand, user.who, name), ip: within("198.51.100"), agent: "b", endpoint: []string{"", "vpce-0bad"}[i%2]}
		w.mint(user, c.who, "GetFederationToken", federating(name))
		w.record(c.call(w.Rand, at(), "GetObject", w.bucket(), "k", w.Int64N(5000)))
		r := c.call(w.Rand, at().AddDate(0, 0, -i), "GetObject", w.bucket(), "k", 300)
		r.ErrorCode = []string{"", "AccessDenied"}[i%2]
		w.record(r)
		if i > 0 {
			w.way = []string{"console", "aws login"}[i%2]
			w.signsIn(user, keyID("ASIA", w.Rand))
		}
		w.others = append(w.others, &person{caller: c}, &person{caller: user})
	}
}

// orders add who has had a service read the buckets: of each the latest is told, and what is refused or about another bucket is not.
func (w *world) orders(at func() time.Time) {
	into := `{"Role":"arn:aws:iam::111122223333:role/repl","Rule":{"Destination":{"Bucket":"arn:aws:s3:::loot","Account":"444455556666"}}}`
	for i := range 8 {
		c := caller{who: iamUser(w.Rand, "admin", keyID("AKIA", w.Rand)), ip: within("192.0.2"), agent: "a"}
		for _, call := range []struct{ source, name, bucket, key, text, err string }{
			{"s3.amazonaws.com", "PutBucketReplication", w.bucket(), "ReplicationConfiguration", into, ""},
			{"s3.amazonaws.com", "PutBucketReplication", "elsewhere", "ReplicationConfiguration", into + buckets[0], ""},
			{"s3.amazonaws.com", "PutBucketReplication", buckets[0], "ReplicationConfiguration", into, "AccessDenied"},
			{"s3.amazonaws.com", "CreateJob", "", "manifest", `{"location":"arn:aws:s3:::` + w.bucket() + `/m.csv"}`, ""},
			{"s3.amazonaws.com", "CreateJob", "", "manifest", `{"location":"arn:aws:s3:::` + buckets[0] + `-not/m.csv"}`, ""},
			{"s3.amazonaws.com", "PutBucketPolicy", w.bucket(), "bucketPolicy", `{"aws:SourceArn":"arn:aws:cloudfront::111122223333:distribution/E1EXAMPLE"}`, ""},
			{"cloudfront.amazonaws.com", "UpdateDistribution2020_05_31", "", "distributionConfig", `{"domainName":"` + w.bucket() + `.s3.eu-central-1.amazonaws.com"}`, ""},
			{"iam.amazonaws.com", "CreateJob", "", "manifest", buckets[0], ""},
		} {
			r := c.call(w.Rand, at().Add(time.Duration(i)*time.Minute), call.name, call.bucket, "", 0)
			r.EventSource, r.EventCategory, r.ManagementEvent, r.ReadOnly, r.ErrorCode = call.source, "Management", true, false, call.err
			r.RequestParameters = map[string]string{call.key: call.text}
			if call.bucket != "" {
				r.RequestParameters["bucketName"] = call.bucket
			}
			w.record(r)
		}
	}
}
