package duck_test

// What is put to a real Trino in the gate. The other tests of this package follow with -trino-all.

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/duck"
)

// about is records, and of what in them every question asks.
type about struct {
	records         []record
	windows         []evidence.Window
	keys, ids, made []string // access keys, principals, sessions that somebody was given
}

// questions are all that there are, as TestTrinoIsAskedEveryQuestion holds. Usage is asked a day later, when what happened is history.
func (s about) questions() []evidence.Question {
	var buckets []string
	from, to := s.windows[0].From, s.windows[0].To
	for _, w := range s.windows {
		buckets = append(buckets, w.Buckets...)
		from, to = time.Unix(min(from.Unix(), w.From.Unix()), 0), time.Unix(max(to.Unix(), w.To.Unix()), 0)
	}
	slices.Sort(buckets)
	buckets = slices.Compact(buckets)
	all := []evidence.Question{evidence.Bytes{Windows: s.windows, Margin: alarm.Margin},
		evidence.Usage{Buckets: buckets, Before: to}, evidence.Usage{Buckets: buckets, Before: to.Add(25 * time.Hour)},
		evidence.Callers{Buckets: buckets, Before: to}, evidence.Callers{Credentials: s.keys, Before: to},
		evidence.Bystanders{Of: s.aims(buckets), Before: to},
		evidence.Copied{Buckets: buckets, From: from, To: to}, evidence.Copied{From: from, To: to},
		evidence.Minutes{From: from, To: to}, evidence.Course{Buckets: buckets, Keys: s.keys, From: from, To: to}, evidence.Refused{KeyIDs: s.keys, PrincipalIDs: s.ids, From: from, To: to}, evidence.Since{KeyIDs: s.keys, From: from, To: to}, evidence.Since{PrincipalIDs: s.ids, SessionIDs: []string{"AROAEXAMPLEWEB:x"}, From: from, To: to},
		evidence.Exercised{User: "mara", AccountID: account, From: from.Add(-14 * 24 * time.Hour), To: to}, evidence.Exercised{Role: "web", AccountID: account, From: from.Add(-14 * 24 * time.Hour), To: to}, evidence.Tagged{User: "mara", Tag: "nightlatch:protect", From: from, To: to}, evidence.Tagged{Role: "web", Tag: "nightlatch:protect", From: from, To: to}}
	all = append(all, evidence.Trust{Role: "web", Provider: "arn:aws:iam::218007301253:saml-provider/idp", From: from, To: to}, evidence.Trust{Role: "other", From: from, To: to})
	for _, calls := range [][]string{{"PutBucketReplication", "CreateJob"}, {"GetObject"}} {
		all = append(all, evidence.Ordered{Buckets: buckets, Calls: calls, From: from, To: to})
	}
	by := []actor.Credential{{PrincipalID: "AIDAEXAMPLEMARA", AccountID: account}}
	for _, key := range s.keys {
		by = append(by, actor.Credential{AccessKeyID: key})
	}
	all = append(all, evidence.Taken{Buckets: buckets, From: from, To: to}, evidence.Taken{Buckets: buckets, Callers: by, From: from, To: to},
		evidence.Taken{Buckets: buckets, From: from, To: to, After: []string{buckets[0], "customers/", ""}})
	return append(all, evidence.Lineage{Given: s.made, Keys: s.keys, Sessions: []string{"AROAEXAMPLEWEB:x"}, SignedIn: s.ids, From: from, To: to})
}

// aims are of each principal, everywhere and in the first bucket, and of whoever comes to that from outside.
func (s about) aims(buckets []string) (aims []evidence.Aim) {
	for _, id := range s.ids[max(len(s.ids)-4, 0):] {
		aims = append(aims, evidence.Aim{Reach: evidence.Reach{PrincipalID: id}, Without: s.keys[:1]}, evidence.Aim{Reach: evidence.Reach{PrincipalID: id, Bucket: buckets[0]}})
	}
	return append(aims, evidence.Aim{Reach: evidence.Reach{ARN: "arn:aws:iam::" + account + ":user/mara"}}, evidence.Aim{Reach: evidence.Reach{Bucket: buckets[0]}, Without: []string{"198.51.100.0/24"}})
}

// day is a window of some buckets that holds all that happens around noon.
func day(id string, buckets ...string) evidence.Window {
	return window(id, noon.Add(-12*time.Hour), noon.Add(12*time.Hour), buckets...)
}

// given are management calls, in which names are of somebody's choice: who gave a session, and who tagged a user.
func given(changes ...change) []record {
	all := []record{minted("sts.amazonaws.com", "AssumeRole", "credentials", "ASIAEXAMPLESESSION01", changes...),
		order("PutBucketReplication", append([]change{set("requestParameters.ReplicationConfiguration", map[string]any{"Rule": map[string]any{"Destination": map[string]any{
			"Bucket": "arn:aws:s3:::loot", "Account": "444455556666"}}})}, changes...)...),
		api("iam", "TagUser", append([]change{set("requestParameters", map[string]any{"userName": "mara", "tags": []any{map[string]any{"key": "nightlatch:protect", "value": "x"}}})}, changes...)...),
		api("iam", "CreateRole", append([]change{set("requestParameters", map[string]any{"roleName": "web"})}, changes...)...),
		minted("iam.amazonaws.com", "CreateAccessKey", "accessKey", "AKIAEXAMPLESESSION01", append([]change{set("responseElements.accessKey.userName", "eve")}, changes...)...),
		minted("sts.amazonaws.com", "GetFederationToken", "credentials", "ASIAEXAMPLESESSION02", append([]change{set("responseElements.credentials.expiration", "Nov 30, 2024, 8:43:17\u202fPM"),
			set("responseElements.federatedUser", map[string]any{"federatedUserId": account + ":broker", "arn": "arn:aws:sts::" + account + ":federated-user/broker"})}, changes...)...),
		minted("signin.amazonaws.com", "ConsoleLogin", "none", "", append([]change{keyID(""), set("responseElements", map[string]any{"ConsoleLogin": "Success"})}, changes...)...),
		minted("sts.amazonaws.com", "GetScopedCredentials", "credentials", "ASIAEXAMPLESESSION03", append([]change{set("userIdentity.principalId", "AROAEXAMPLEWEB:x")}, changes...)...)}
	for _, r := range all {
		id(fmt.Sprint(r["eventID"], r["eventName"]))(r)
	}
	return all
}

// trinoSets are by name. Whoever adds a kind of record that engines may read differently adds it here.
func trinoSets() map[string]about {
	all := map[string]about{}
	add := func(name string, s about) {
		s.records = append(s.records, call(copied("exports/one"), id("one copy")), call(failed("AccessDenied"), id("one refusal"))) // each question has something to find
		s.keys, s.ids, s.made = append(s.keys, key), append(s.ids, "AIDAEXAMPLEMARA", "AROAEXAMPLEWEB"), append(s.made, "ASIAEXAMPLESESSION01")
		all[name] = s
	}

	// Each hostile text in each field, the fields told apart by their buckets.
	var hostile about
	for i, name := range slices.Sorted(maps.Keys(hostileFields)) {
		b := fmt.Sprintf("hostile-%02d", i)
		for j, text := range hostileTexts {
			k := fmt.Sprintf("AKIAEXAMPLEHOSTILE%02d", j)
			hostile.records = append(hostile.records, call(in(b), resources("arn:aws:s3:::"+b+"/k"), hostileFields[name](text), keyID(k), size(1000+j), id(fmt.Sprintf("hostile-%02d-%02d", i, j))))
			if i == 0 {
				hostile.keys = append(hostile.keys, k)
				hostile.records = append(hostile.records, given(id(fmt.Sprintf("given-%02d", j)), agent(text), from(text), set("userIdentity.userName", text),
					set("requestParameters.tags", []any{map[string]any{"key": text, "value": "nightlatch:protect"}}), set("requestParameters.roleSessionName", text))...)
			}
		}
		hostile.windows = append(hostile.windows, day(b, b))
	}
	hostile.windows = append(hostile.windows, day("copied", bucket))
	add("hostile text", hostile)

	// Calls of all kinds, in windows of all kinds: as TestEachWindowIsAnsweredAsIfItWereAlone asks them together.
	rnd := rand.New(rand.NewPCG(7, 7))
	kinds := about{records: anyRecords(rnd, 600), windows: someWindows(rnd, 25)}
	for i := range 4 {
		kinds.keys = append(kinds.keys, fmt.Sprintf("AKIAEXAMPLEANY00000%d", i))
	}
	kinds.records = append(kinds.records, given()...)
	add("calls of all kinds", kinds)

	// Sources of copies, as a thief may write them.
	var copies about
	for i, s := range []string{"exports/k", "/exports/k", "exports/k?versionId=3HL4kqtJlcpXroDTDmJ", "%65xp%6Frts/k", "exports%2Fk", "%2f%65xports%2fa%20b", "exports/100%", "exports/%zz",
		"exports/%", "exports/%ff%fe", "%65xports/%ff", "%65xports/100%", "%2f%65xports%2f%zz", "exports%ff/k", "exports%/k", "%zzexports/k", "%c3%a9xports/k", "%2565xports/k", "exports+/k", "exports%00/k",
		"%65xports/€", "€/exports/k", "", "/", "%", "//exports/k", "exports//k", "arn:aws:s3:eu-west-1:111122223333:accesspoint/reports/object/k", "arn%3Aaws%3As3%3A%3A%3Aexports/k"} {
		copies.records = append(copies.records, call(copied(s), id(fmt.Sprintf("copy-%02d", i)), keyID(fmt.Sprintf("AKIAEXAMPLECOPIER0%02d", i))))
	}
	copies.records = append(copies.records, given()...)
	copies.windows = []evidence.Window{day("source", bucket), day("target", "loot"), day("both", bucket, "loot")}
	add("sources of copies", copies)

	// Forty calls of one second, which only their eventIDs put in an order; and records of one call that differ.
	ties := about{windows: []evidence.Window{day("all", bucket), window("second", noon.Add(30*time.Second), noon.Add(31*time.Second), bucket)}}
	for i := range 40 {
		place := fmt.Sprintf("10.0.%d.7", (i*7)%40)
		ties.records = append(ties.records, call(id(fmt.Sprintf("tie-%02d", (i*11)%40)), from(place)),
			call(id(fmt.Sprintf("behind-%02d", (i*11)%40)), set("vpcEndpointId", "vpce-"+fmt.Sprint((i*3)%40)), name("GetObjectTorrent")))
		ties.records = append(ties.records, given(at(noon), id(fmt.Sprintf("given-%02d", (i*13)%40)), from(place), keyID(fmt.Sprintf("AKIAEXAMPLEGIVER00%02d", i)))...)
	}
	add("ties", ties)

	// Times as CloudTrail writes them and as it does not: other offsets, parts of a second, around the edges of a window and of a day.
	times := about{windows: []evidence.Window{day("all", bucket), window("minute", noon, noon.Add(time.Minute), bucket), window("hour", noon.Add(-time.Hour), noon, bucket)}}
	for i, text := range []string{"2026-03-04T12:00:00Z", "2026-03-04T11:59:59Z", "2026-03-04T17:30:30+05:30", "2026-03-04T08:30:10-03:30", "2026-03-04T12:00:59.999Z", "2026-03-04T12:01:00.000Z",
		"2026-03-04T00:00:00Z", "2026-03-04T23:59:59Z", "2026-03-04T00:30:00+14:00", "2026-03-04T13:00:00+01:00"} {
		at := fmt.Sprintf("time-%02d", i)
		times.records = append(times.records, call(set("eventTime", text), id(at), object(at), from(fmt.Sprintf("10.1.%d.7", i))))
		times.records = append(times.records, given(set("eventTime", text), id(at+"-given"))...)
	}
	add("times", times)
	return all
}

func TestQuestionsOnTrino(t *testing.T) {
	s := theTrino()
	if s == nil {
		t.Skip("SKIPPED, the questions on a real Trino: with Maven and a JDK 17, run .ci/trino 8099, and set NIGHTLATCH_TRINO=http://127.0.0.1:8099")
	}
	begin := time.Now()
	tests := map[string]func(t *testing.T){"a thousand alarms": TestAThousandAlarmsOfOneMinute}
	for name, s := range trinoSets() {
		tests[name] = s.compare
	}
	if *trinoAll {
		for _, folder := range []string{"otrf-ec2-proxy-s3-exfiltration", "invictus-stratus-run", "stratus-detonations"} {
			tests[folder] = func(t *testing.T) { wholeTrail(t, folder) }
		}
	}
	t.Run("all", func(t *testing.T) { // Trino plans a statement with one processor
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t)
			})
		}
	})
	s.figures(t)
	t.Logf("all took %s", time.Since(begin).Round(time.Second))
}

// compare asks every question, each of which has to find something.
func (s about) compare(t *testing.T) {
	e, found := trail(t, s.records), map[string]int{}
	for _, q := range s.questions() {
		found[q.Name()] += len(rows(t, e, q))
	}
	for question, n := range found {
		if n == 0 {
			t.Errorf("%s: no row is found, so that nothing is compared", question)
		}
	}
}

// wholeTrail asks about every bucket, key and principal that the published records name, over all of their time.
func wholeTrail(t *testing.T, folder string) {
	e := real(t, folder)
	column := func(expression string) []string {
		var all []string
		for _, r := range ask(t, e, "select distinct "+expression+" as v from "+duck.Table+" where "+expression+" <> '' order by 1") {
			all = append(all, r["v"])
		}
		return all
	}
	span := ask(t, e, "select min(eventtime) as begins, max(eventtime) as ends from "+duck.Table)[0]
	from, err := time.Parse(time.DateTime, strings.TrimSuffix(span["begins"], ".000"))
	to, errToo := time.Parse(time.DateTime, strings.TrimSuffix(span["ends"], ".000"))
	if err != nil || errToo != nil {
		t.Fatal(err, errToo)
	}
	whole := about{keys: column("useridentity.accesskeyid"), ids: column("split_part(useridentity.principalid, ':', 1)")}
	whole.made = whole.keys[:min(len(whole.keys), 20)]
	buckets := column("element_at(requestparameters, 'bucketName')")
	if len(buckets) == 0 {
		buckets = []string{bucket}
	}
	for i, b := range buckets {
		whole.windows = append(whole.windows, window(fmt.Sprint(i), from, to.Add(time.Second), b))
	}
	for _, q := range whole.questions() {
		rows(t, e, q)
	}
}

var named = regexp.MustCompile(`\) Name\(\) string \{ return "([a-z]+)" \}`)

// A question that is new is put to Trino too.
func TestTrinoIsAskedEveryQuestion(t *testing.T) {
	files, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, q := range trinoSets()["ties"].questions() {
		asked[q.Name()] = true
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range named.FindAllStringSubmatch(string(text), -1) {
			if found++; !asked[name[1]] {
				t.Errorf("%s: the question %q is not among those that Trino is asked", file, name[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d questions were found", found)
	}
}
