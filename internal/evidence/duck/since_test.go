package duck_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"nightlatch/internal/evidence"
)

// api is a management call of mara's, half a minute after noon.
func api(service, call string, changes ...change) record {
	r := record{
		"eventVersion": "1.11", "eventTime": "2026-03-04T12:00:30Z", "eventSource": service + ".amazonaws.com", "eventName": call, "awsRegion": "us-east-1",
		"sourceIPAddress": "198.51.100.7", "userAgent": "[aws-cli/2.31.4]", "readOnly": false, "managementEvent": true, "eventCategory": "Management",
		"userIdentity": map[string]any{"type": "IAMUser", "principalId": "AIDAEXAMPLEMARA", "arn": "arn:aws:iam::" + account + ":user/mara",
			"accountId": account, "accessKeyId": key, "userName": "mara"},
	}
	for _, c := range changes {
		c(r)
	}
	return r
}

// mara asks about mara's stolen key and about mara, in the minutes after noon.
var mara = evidence.Since{KeyIDs: []string{key}, PrincipalIDs: []string{"AIDAEXAMPLEMARA"}, From: noon, To: end}

func done(t *testing.T, q evidence.Since, records []record) evidence.Deeds {
	t.Helper()
	d, err := evidence.ReadSince(rows(t, trail(t, records), q))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatCountsAsDone(t *testing.T) {
	readOnly := set("readOnly", true)
	federated := set("userIdentity", map[string]any{"type": "FederatedUser", "principalId": account + ":bob", "accountId": account, "accessKeyId": "ASIAEXAMPLEFED000001",
		"sessionContext": map[string]any{"sessionIssuer": map[string]any{"type": "IAMUser", "principalId": "AIDAEXAMPLEMARA", "userName": "mara"}}})
	signIn := func(answer string) record {
		return api("signin", "ConsoleLogin", keyID(""), set("userIdentity.accessKeyId", nil), set("responseElements", map[string]any{"ConsoleLogin": answer}))
	}
	user := evidence.Since{PrincipalIDs: mara.PrincipalIDs, From: noon, To: end}
	stolen := evidence.Since{KeyIDs: mara.KeyIDs, From: noon, To: end}
	web := evidence.Since{PrincipalIDs: []string{"AROAEXAMPLEWEB"}, From: noon, To: end}
	named := evidence.Since{SessionIDs: []string{"AROAEXAMPLEWEB:a"}, From: noon, To: end}
	for name, c := range map[string]struct {
		q       evidence.Since
		records []record
		want    []string // service, call, key, times
	}{
		"nothing":                              {mara, calls(call(at(end))), nil},
		"a call of the key":                    {stolen, calls(api("iam", "CreateAccessKey")), []string{"iam CreateAccessKey " + key + " 1"}},
		"the same, by its user":                {user, calls(api("iam", "CreateAccessKey")), []string{"iam CreateAccessKey " + key + " 1"}},
		"the user's other key":                 {user, calls(api("iam", "CreateUser", keyID("AKIAEXAMPLEOTHER0001"))), []string{"iam CreateUser AKIAEXAMPLEOTHER0001 1"}},
		"the other key, where one was asked":   {stolen, calls(api("iam", "CreateUser", keyID("AKIAEXAMPLEOTHER0001"))), nil},
		"a session of the user":                {user, calls(api("sts", "GetCallerIdentity", keyID("ASIAEXAMPLESESSION01"))), []string{"sts GetCallerIdentity ASIAEXAMPLESESSION01 1"}},
		"a federated session":                  {user, calls(api("s3", "ListBuckets", federated)), []string{"s3 ListBuckets ASIAEXAMPLEFED000001 1"}},
		"a data event":                         {mara, calls(call()), []string{"s3 GetObject " + key + " 1"}},
		"a sign-in":                            {mara, calls(signIn("Success")), []string{"signin ConsoleLogin  1"}},
		"a sign-in that failed":                {mara, calls(signIn("Failure")), nil},
		"a refused call":                       {mara, calls(api("iam", "CreateAccessKey", failed("AccessDenied"))), nil},
		"another user":                         {mara, calls(api("iam", "CreateAccessKey", keyID("AKIAEXAMPLEEVE000001"), principalID("AIDAEXAMPLEEVE"))), nil},
		"a user whose id begins alike":         {user, calls(api("iam", "CreateAccessKey", principalID("AIDAEXAMPLEMARA2"))), nil},
		"a caller without a key or name":       {mara, calls(api("iam", "CreateAccessKey", set("userIdentity", nil)), api("iam", "CreateAccessKey", keyID(""), principalID(""))), nil},
		"a session of the role":                {web, calls(api("s3", "ListBuckets", session("a", "ASIAEXAMPLEROLE00001"))), []string{"s3 ListBuckets ASIAEXAMPLEROLE00001 1"}},
		"a session of the role, by its key":    {evidence.Since{KeyIDs: []string{"ASIAEXAMPLEROLE00001"}, From: noon, To: end}, calls(api("s3", "ListBuckets", session("a", "ASIAEXAMPLEROLE00001")), api("s3", "ListBuckets", session("b", "ASIAEXAMPLEROLE00002"))), []string{"s3 ListBuckets ASIAEXAMPLEROLE00001 1"}},
		"a session of the role, by its name":   {named, calls(api("s3", "ListBuckets", session("a", "ASIAEXAMPLEROLE00001")), api("s3", "ListBuckets", session("a", "ASIAEXAMPLEROLE00003")), api("s3", "ListBuckets", session("b", "ASIAEXAMPLEROLE00002"))), []string{"s3 ListBuckets ASIAEXAMPLEROLE00001 1", "s3 ListBuckets ASIAEXAMPLEROLE00003 1"}},
		"the bucket owner's record of a role":  {web, calls(api("s3", "ListBuckets", set("userIdentity", map[string]any{"type": "AWSAccount", "principalId": "AROAEXAMPLEWEB:a", "accountId": account}))), []string{"s3 ListBuckets  1"}},
		"one event, delivered twice":           {mara, calls(api("iam", "CreateUser", id("a")), api("iam", "CreateUser", id("a"))), []string{"iam CreateUser " + key + " 1"}},
		"an organization's two records":        {mara, calls(call(id("2"), set("sharedEventID", "s")), call(id("1"), set("sharedEventID", "s"), keyID(""))), []string{"s3 GetObject " + key + " 1"}},
		"changes come first":                   {mara, calls(call(), call(), call(), api("iam", "CreateUser"), api("iam", "ListUsers", readOnly), api("iam", "ListUsers", readOnly)), []string{"iam CreateUser " + key + " 1", "s3 GetObject " + key + " 3", "iam ListUsers " + key + " 2"}},
		"before":                               {mara, calls(api("iam", "CreateUser", at(noon.Add(-time.Second)))), nil},
		"from the first second on":             {mara, calls(api("iam", "CreateUser", at(noon))), []string{"iam CreateUser " + key + " 1"}},
		"up to the last":                       {mara, calls(api("iam", "CreateUser", at(end.Add(-time.Second)))), []string{"iam CreateUser " + key + " 1"}},
		"after":                                {mara, calls(api("iam", "CreateUser", at(end))), nil},
		"what names ids is no id":              {mara, calls(api("iam", "DeleteAccessKey", keyID("AKIAEXAMPLEEVE000001"), principalID("AIDAEXAMPLEEVE"), set("requestParameters.accessKeyId", key))), nil},
		"a word that does not say if it reads": {mara, calls(api("iam", "CreateUser", set("readOnly", nil))), []string{"iam CreateUser " + key + " 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := done(t, c.q, c.records)
			var got []string
			total := int64(0)
			for _, x := range d.Listed {
				service, _ := trimmed(x.Service)
				got = append(got, fmt.Sprintf("%s %s %s %d", service, x.Call, x.AccessKeyID, x.Calls))
				total += x.Calls
			}
			equal(t, got, c.want)
			equal(t, []int64{d.Calls, d.Unlisted, d.UnlistedCalls, d.UnlistedBytes}, []int64{total, 0, 0, 0})
		})
	}
}

// trimmed is a service's name without its domain.
func trimmed(service string) (string, bool) {
	const domain = ".amazonaws.com"
	return service[:max(len(service)-len(domain), 0)], len(service) > len(domain)
}

func TestOneDeed(t *testing.T) {
	d := done(t, mara, calls(call(at(noon.Add(time.Second))), call(at(noon.Add(9*time.Second)), from("203.0.113.9"), size(500)), call(at(noon.Add(3*time.Second)), size("NaN")),
		call(at(noon.Add(5*time.Second)), size(nil), set("vpcEndpointId", "vpce-1")), api("dynamodb", "Scan", size(70))))
	want := evidence.Deeds{Calls: 5, Bytes: 1500, Listed: []evidence.Deed{
		{AccessKeyID: key, PrincipalID: "AIDAEXAMPLEMARA", Service: "dynamodb.amazonaws.com", Call: "Scan", Writes: true, Calls: 1, First: noon.Add(30 * time.Second), Last: noon.Add(30 * time.Second), From: "198.51.100.0/24", Origins: 1},
		{AccessKeyID: key, PrincipalID: "AIDAEXAMPLEMARA", Service: "s3.amazonaws.com", Call: "GetObject", Calls: 4, Bytes: 1500, First: noon.Add(time.Second), Last: noon.Add(9 * time.Second), From: "203.0.113.0/24", Origins: 3},
	}}
	if diff := cmp.Diff(want, d, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	last := done(t, mara, calls(call(), call(at(noon.Add(time.Minute)), set("vpcEndpointId", "vpce-1"))))
	equal(t, last.Listed[0].From, "vpce-1")
	// Of the calls of one second that one counts whose eventID comes last, wherever it stands.
	second := each(40, func(i int) []change {
		return []change{id(fmt.Sprintf("event-%02d", (i*7)%40)), from(fmt.Sprintf("10.0.%d.7", (i*7)%40))}
	})
	equal(t, done(t, mara, second).Listed[0].From, "10.0.39.0/24")
}

// Of many kinds of calls the rest is summed, and what changes something is listed, however much else there is.
func TestMoreDeedsThanAreListed(t *testing.T) {
	records := each(2*60, func(i int) []change { return []change{name(fmt.Sprint("Get", i%60)), size(10)} })
	records = append(records, api("iam", "CreateAccessKey"), call(name("GetLast"), size(1)))
	d := done(t, mara, records)
	equal(t, []any{len(d.Listed), d.Listed[0].Call, d.Calls, d.Bytes, d.Unlisted, d.UnlistedCalls, d.UnlistedBytes},
		[]any{evidence.MaxDeeds, "CreateAccessKey", int64(122), int64(1201), int64(12), int64(23), int64(221)})
}

// A question about nobody must never be answered by "nothing was done".
func TestNobodyIsNotQuiet(t *testing.T) {
	e := trail(t, calls(call(), call(keyID("")), api("iam", "CreateUser", set("userIdentity", nil))))
	for _, ids := range [][]string{nil, {""}, {"x' OR 1=1 --"}, {"AIDAEXAMPLEMARA' OR '1'='1"}, {account}, {"AROAEXAMPLEWEB:a' OR '1'='1"}} {
		got := rows(t, e, evidence.Since{KeyIDs: ids, PrincipalIDs: ids, SessionIDs: ids, From: noon, To: end})
		if d, err := evidence.ReadSince(got); err == nil || len(got) > 0 {
			t.Errorf("%q: got %+v from %v", ids, d, got)
		}
	}
	// Among others, what is no id is left out.
	d, err := evidence.ReadSince(rows(t, e, evidence.Since{KeyIDs: []string{"", key, "x' OR 1=1 --"}, From: noon, To: end}))
	if err != nil || d.Calls != 1 {
		t.Errorf("got %+v, %v", d, err)
	}
}

// TestRealDeeds asks about every key of a red-team run, and counts its successful calls in the plainest way beside it.
func TestRealDeeds(t *testing.T) {
	e := real(t, "invictus-stratus-run")
	day := time.Date(2023, 7, 10, 0, 0, 0, 0, time.UTC)
	keys := rows(t, e, raw(`select useridentity.accesskeyid as k, count(distinct eventid) as n, max(useridentity.principalid) as p from %s
		where errorcode is null and useridentity.accesskeyid <> '' group by 1 order by 2 desc, 1`))
	if len(keys) < 10 {
		t.Fatalf("only %d keys were found", len(keys))
	}
	for _, k := range keys[:10] {
		d, err := evidence.ReadSince(rows(t, e, evidence.Since{KeyIDs: []string{k["k"]}, From: day, To: day.AddDate(0, 0, 2)}))
		if err != nil || fmt.Sprint(d.Calls) != k["n"] || len(d.Listed) == 0 || d.Listed[0].AccessKeyID != k["k"] {
			t.Errorf("key %s: got %+v, %v, want %s calls", k["k"], d, err, k["n"])
		}
	}
}
