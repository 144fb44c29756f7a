package duck_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
)

const (
	userARN = "arn:aws:iam::" + account + ":user/mara"
	roleARN = "arn:aws:iam::" + account + ":role/web"
	marasID = "AIDAEXAMPLEMARA"
)

// ago is a call so long before noon.
func ago(d time.Duration) change { return at(noon.Add(-d)) }

// federatedBy is a federated user of mara's.
func federatedBy(name, key string) change {
	return set("userIdentity", map[string]any{"type": "FederatedUser", "principalId": account + ":" + name, "accountId": account, "accessKeyId": key,
		"arn": "arn:aws:sts::" + account + ":federated-user/" + name, "sessionContext": map[string]any{"sessionIssuer": map[string]any{
			"type": "IAMUser", "principalId": marasID, "arn": userARN, "accountId": account, "userName": "mara"}}})
}

// without is a caller who signs nothing, and stranger one of another account, as the bucket's owner sees them.
func without(ip string) change {
	return func(r record) {
		set("userIdentity", map[string]any{"type": "AWSAccount", "principalId": "", "accountId": "anonymous"})(r)
		from(ip)(r)
	}
}

func stranger(principal string) change {
	return set("userIdentity", map[string]any{"type": "AWSAccount", "principalId": principal, "accountId": "444455556666"})
}

// bystanders says of each aim how many there are of each sort.
func bystanders(t *testing.T, records []record, aims ...evidence.Aim) (all []*evidence.Hit) {
	t.Helper()
	q := evidence.Bystanders{Of: aims, Before: noon}
	all, err := evidence.ReadBystanders(rows(t, trail(t, records), q), q)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func counts(h *evidence.Hit) map[evidence.Sort]int64 {
	n := map[evidence.Sort]int64{}
	for sort, of := range h.By {
		n[sort] = of.Callers
	}
	return n
}

func TestBystanders(t *testing.T) {
	user, role, public := evidence.Reach{PrincipalID: marasID, ARN: userARN}, evidence.Reach{PrincipalID: "AROAEXAMPLEWEB", ARN: roleARN}, evidence.Reach{Bucket: bucket}
	three := []record{call(ago(time.Hour), keyID("AKIAEXAMPLEFIRST0001")), api("sqs", "SendMessage", ago(5*24*time.Hour), keyID("AKIAEXAMPLESECOND001")), api("ec2", "DescribeVpcs", ago(30*time.Hour), keyID("AKIAEXAMPLETHIRD0001"))}
	var machines, readers, persons []record
	for i := range 40 {
		machines = append(machines, api("sqs", "SendMessage", session(fmt.Sprintf("i-0%015x", i), fmt.Sprintf("ASIAEXAMPLEMACHINE%02d", i)), ago(time.Duration(i+1)*time.Hour), id(fmt.Sprint("machine-", i))))
	}
	for i := range 3_000 {
		readers = append(readers, call(without(fmt.Sprintf("10.%d.%d.7", i/250, i%250)), ago(time.Duration(i+1)*time.Minute), id(fmt.Sprint("reader-", i))))
	}
	for i := range 12 { // one person, whose sessions have names of their own
		persons = append(persons, call(session(fmt.Sprintf("run-%02d", i), fmt.Sprintf("ASIAEXAMPLEPERSON0%02d", i)), set("userIdentity.sessionContext.sourceIdentity", "ida"), ago(time.Duration(i+1)*time.Hour), id(fmt.Sprint("person-", i))))
	}
	for what, c := range map[string]struct {
		records []record
		aim     evidence.Aim
		want    map[evidence.Sort]int64
		all     int64
		fresh   int64
	}{
		"a user with three keys": {three, evidence.Aim{Reach: user}, map[evidence.Sort]int64{"key": 3}, 3, 1},
		"without the thief's, delivered twice": {append(slices.Clone(three), three...), evidence.Aim{Reach: user, Without: []string{"AKIAEXAMPLEFIRST0001"}},
			map[evidence.Sort]int64{"key": 2}, 2, 0},
		"his sessions have no name and are his": {calls(call(keyID("ASIAEXAMPLESESSION01"), ago(time.Hour), id("1")), call(keyID("ASIAEXAMPLESESSION02"), ago(48*time.Hour), id("2")), call(keyID(""), ago(49*time.Hour), id("3"))),
			evidence.Aim{Reach: user, Without: []string{"ASIAEXAMPLESESSION01"}}, map[evidence.Sort]int64{"session": 2}, 1, 0},
		"whom he has federated": {calls(call(federatedBy("guest", "ASIAEXAMPLEGUEST0001"), ago(time.Hour), id("1")), call(federatedBy("guest", "ASIAEXAMPLEGUEST0002"), ago(2*time.Hour), id("2")),
			call(federatedBy("other", "ASIAEXAMPLEOTHER0001"), ago(2*time.Hour), id("3"))), evidence.Aim{Reach: evidence.Reach{ARN: userARN}, Without: []string{account + ":guest"}}, map[evidence.Sort]int64{"name": 1}, 1, 1},
		"a user who was renamed":   {calls(call(ago(48*time.Hour), set("userIdentity.arn", "arn:aws:iam::"+account+":user/before"))), evidence.Aim{Reach: user}, map[evidence.Sort]int64{"key": 1}, 1, 0},
		"forty machines of a role": {machines, evidence.Aim{Reach: role}, map[evidence.Sort]int64{"machine": 40}, 40, 23},
		"one person, whatever number of sessions": {append(slices.Clone(persons), call(session("bob", "ASIAEXAMPLEBOB000001"), ago(time.Hour), id("bob-1")), call(session("bob", "ASIAEXAMPLEBOB000002"), ago(50*time.Hour), id("bob-2"))),
			evidence.Aim{Reach: role}, map[evidence.Sort]int64{"name": 2}, 2, 1},
		"the person is the thief": {persons, evidence.Aim{Reach: role, Without: []string{"AROAEXAMPLEWEB:ida"}}, map[evidence.Sort]int64{}, 0, 0},
		"guests of an app have one name, and are many": {calls(call(session(evidence.Guests, "ASIAEXAMPLEGUEST0001"), ago(time.Hour), id("1")), call(session(evidence.Guests, "ASIAEXAMPLEGUEST0002"), ago(48*time.Hour), id("2")),
			call(session(evidence.Guests, "ASIAEXAMPLEGUEST0003"), ago(49*time.Hour), id("3"))), evidence.Aim{Reach: role, Without: []string{"ASIAEXAMPLEGUEST0001"}}, map[evidence.Sort]int64{"session": 2}, 2, 0},
		"thousands of readers":     {readers, evidence.Aim{Reach: public}, map[evidence.Sort]int64{"anonymous": 3_000}, 3_000, 1_439},
		"the thief is one of them": {readers[:5], evidence.Aim{Reach: public, Without: []string{"10.0.0.0/24", "10.0.3.0/24", "10.9.9.0/24"}}, map[evidence.Sort]int64{"anonymous": 3}, 3, 3},
		"networks of IPv6 and endpoints": {calls(call(without("2001:db8:7:8::1"), ago(time.Hour), id("1")), call(without("2001:db8:7:9::1"), ago(time.Hour), id("2")), call(without("10.0.0.1"), set("vpcEndpointId", "vpce-1"), ago(time.Hour), id("3")),
			call(without("10.0.9.1"), set("vpcEndpointId", "vpce-1"), ago(time.Hour), id("4"))), evidence.Aim{Reach: public, Without: []string{"2001:db8:7::/48"}}, map[evidence.Sort]int64{"anonymous": 1}, 1, 1},
		"another account's, and ours are none": {calls(call(stranger("AIDAPARTNER"), ago(time.Hour), id("1")), call(stranger("AROAPARTNER:job"), ago(48*time.Hour), id("2")), call(ago(time.Hour), id("3")),
			call(without("10.0.0.7"), in("other"), resources("arn:aws:s3:::other/k"), ago(time.Hour), id("4"))), evidence.Aim{Reach: public}, map[evidence.Sort]int64{"session": 1, "name": 1}, 2, 1},
		"a service is no stranger":                               {calls(call(set("userIdentity", map[string]any{"type": "AWSService", "invokedBy": "replication.s3.amazonaws.com"}), ago(time.Hour))), evidence.Aim{Reach: public, Without: []string{"x"}}, map[evidence.Sort]int64{}, 0, 0},
		"by the bucket's access point":                           {calls(call(without("10.0.0.7"), in("a-point"), resources("arn:aws:s3:::exports/k"), ago(time.Hour))), evidence.Aim{Reach: public}, map[evidence.Sort]int64{"anonymous": 1}, 1, 1},
		"a user on the bucket alone":                             {append(slices.Clone(three), call(federatedBy("guest", "ASIAEXAMPLEGUEST0001"), ago(time.Hour), id("f"))), evidence.Aim{Reach: evidence.Reach{PrincipalID: marasID, Bucket: bucket}}, map[evidence.Sort]int64{"key": 1}, 1, 1},
		"what was refused, and a sign-in that failed, is nobody": {calls(call(failed("AccessDenied"), ago(time.Hour), id("1")), api("signin", "ConsoleLogin", keyID(""), ago(time.Hour), set("responseElements.ConsoleLogin", "Failure"), id("2"))), evidence.Aim{Reach: user}, map[evidence.Sort]int64{}, 0, 0},
		"a sign-in": {calls(api("signin", "ConsoleLogin", keyID(""), ago(time.Hour), set("responseElements.ConsoleLogin", "Success"))), evidence.Aim{Reach: user}, map[evidence.Sort]int64{"session": 1}, 1, 1},
		"at the edges": {calls(call(ago(evidence.HistorySpan), keyID("AKIAEXAMPLEFIRST0001"), id("1")), call(ago(evidence.HistorySpan+time.Second), keyID("AKIAEXAMPLESECOND001"), id("2")), call(ago(0), keyID("AKIAEXAMPLETHIRD0001"), id("3"))),
			evidence.Aim{Reach: user}, map[evidence.Sort]int64{"key": 1}, 1, 0},
		"a principal that has nothing in the record is nobody's": {calls(call(set("userIdentity", map[string]any{"type": "Unknown", "accessKeyId": "AKIAEXAMPLEFIRST0001"}), ago(time.Hour))), evidence.Aim{Reach: evidence.Reach{ARN: userARN}}, map[evidence.Sort]int64{}, 0, 0},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			hit := bystanders(t, c.records, c.aim)[0]
			equal(t, counts(hit), c.want)
			all, fresh := hit.Callers()
			equal(t, []int64{all, fresh}, []int64{c.all, c.fresh})
		})
	}

	// Several are asked about at once, and none is mixed up with another; what nobody can be asked about is not known.
	hits := bystanders(t, slices.Concat(three, machines[:2], readers[:3]), evidence.Aim{Reach: role}, evidence.Aim{Reach: evidence.Reach{ARN: "arn:aws:iam::" + account + ":user/x\ny"}}, evidence.Aim{Reach: public}, evidence.Aim{Reach: user},
		evidence.Aim{Reach: evidence.Reach{PrincipalID: "x' or 1=1"}}, evidence.Aim{Reach: evidence.Reach{PrincipalID: "AROANOBODY"}})
	var got []any
	for _, h := range hits {
		if h == nil {
			got = append(got, nil)
			continue
		}
		got = append(got, fmt.Sprint(slices.Sorted(maps.Keys(h.By)), counts(h)))
	}
	equal(t, got, []any{"[machine] map[machine:2]", nil, "[anonymous] map[anonymous:3]", "[key] map[key:3]", nil, "[] map[]"})

	// Whether the trail goes back so far is known by anybody's call of the first day, be it nobody's who is asked about.
	for begins, short := range map[time.Duration]bool{evidence.HistorySpan: false, evidence.HistorySpan - 23*time.Hour: false, evidence.HistorySpan - 24*time.Hour: true, evidence.HistorySpan + time.Second: true} {
		if hit := bystanders(t, calls(call(ago(begins), set("userIdentity", map[string]any{"type": "AWSService", "invokedBy": "x"}))), evidence.Aim{Reach: user})[0]; hit.Short != short || len(hit.By) != 0 {
			t.Errorf("a trail that begins %s before is short: %t, %+v", begins, hit.Short, hit.By)
		}
	}

	// What an actor is called among them is what the question calls it, so that the thief is none of them.
	for what, c := range map[string]struct {
		record record
		actor  evidence.Actor
		reach  evidence.Reach
	}{
		"a key":            {call(ago(time.Hour)), evidence.Actor{AccessKeyID: key, PrincipalID: marasID}, user},
		"a user's session": {call(keyID("ASIAEXAMPLESESSION01"), ago(time.Hour)), evidence.Actor{AccessKeyID: "ASIAEXAMPLESESSION01", PrincipalID: marasID}, user},
		"a federated user": {call(federatedBy("guest", "ASIAEXAMPLEGUEST0001"), ago(time.Hour)), evidence.Actor{AccessKeyID: "ASIAEXAMPLEGUEST0001", PrincipalID: account + ":guest"}, user},
		"a role's session": {call(session("x", "ASIAEXAMPLESESSION01"), ago(time.Hour)), evidence.Actor{AccessKeyID: "ASIAEXAMPLESESSION01", PrincipalID: "AROAEXAMPLEWEB:x"}, role},
		"a person": {call(session("x", "ASIAEXAMPLESESSION01"), set("userIdentity.sessionContext.sourceIdentity", "ida"), ago(time.Hour)),
			evidence.Actor{AccessKeyID: "ASIAEXAMPLESESSION01", PrincipalID: "AROAEXAMPLEWEB:x", SourceIdentity: "ida"}, role},
		"a guest":          {call(session(evidence.Guests, "ASIAEXAMPLEGUEST0001"), ago(time.Hour)), evidence.Actor{AccessKeyID: "ASIAEXAMPLEGUEST0001", PrincipalID: "AROAEXAMPLEWEB:" + evidence.Guests}, role},
		"nobody's network": {call(without("10.0.0.7"), ago(time.Hour)), evidence.Actor{Kind: actor.Anonymous, Origins: []evidence.Origin{{Network: "10.0.0.0/24", Bytes: 1, Familiar: new(false)}}}, public},
	} {
		t.Run(what, func(t *testing.T) {
			records := calls(c.record)
			before, after := bystanders(t, records, evidence.Aim{Reach: c.reach})[0], bystanders(t, records, evidence.Aim{Reach: c.reach, Without: c.actor.CallerIDs()})[0]
			if all, _ := before.Callers(); all != 1 {
				t.Errorf("it is %d callers", all)
			}
			if all, _ := after.Callers(); all != 0 {
				t.Errorf("it is %d of the others", all)
			}
			if all, _ := before.Less(c.actor.CallerIDs()).Callers(); all != 0 {
				t.Errorf("taken out later, it is %d of the others", all)
			}
		})
	}
}
