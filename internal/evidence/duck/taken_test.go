package duck_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/evidence/enginetest"
)

// takings asks what was taken, at once and row by row.
func takings(t *testing.T, e *duck.Engine, q evidence.Taken) (all []evidence.Taking) {
	t.Helper()
	read := func(row evidence.Row) error {
		one, err := evidence.ReadTaking(row)
		all = append(all, one)
		return err
	}
	for _, row := range rows(t, e, q) {
		if err := read(row); err != nil {
			t.Fatal(err)
		}
	}
	atOnce := all
	all = nil
	answer, err := e.Each(t.Context(), q, read)
	if err != nil || answer.Rows != nil || answer.Engine != "duckdb" {
		t.Fatalf("%+v, %v", answer, err)
	}
	equal(t, all, atOnce)
	return all
}

// takenSums are the bytes of what was taken in the window, and how often something was copied out.
func takenSums(t *testing.T, e *duck.Engine) (bytes, copies int64) {
	t.Helper()
	answer, err := e.Ask(t.Context(), evidence.Taken{Buckets: []string{bucket}, From: noon, To: end})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range answer.Rows {
		taken, err := evidence.ReadTaking(row)
		if err != nil {
			t.Fatal(err)
		}
		bytes += taken.Bytes
		if taken.Call == "CopyObject" || taken.Call == "UploadPartCopy" {
			copies += taken.Times
			if taken.Unsized != taken.Times || taken.Destination == "" && taken.Key != "k" {
				t.Errorf("a copy: %+v", taken)
			}
		}
	}
	return bytes, copies
}

// aTaking is one call of somebody's that took an object, before any record of it.
type aTaking struct {
	evidence.Taking
	at      time.Time
	refused bool
	from    string
	in      string // what the call names
	source  string
}

// anyTaking is one at random.
func anyTaking(rnd *rand.Rand) aTaking {
	one := func(of ...string) string { return of[rnd.IntN(len(of))] }
	c := aTaking{at: noon.Add(time.Duration(rnd.IntN(240)-60) * time.Second)}
	c.Bucket, c.Call, c.Times, c.Bytes, c.Signing = one(bucket, "images", "other"), one("GetObject", "GetObject", "SelectObjectContent", "ListObjects", "HeadObject", "PutObject", "CopyObject"), 1, int64(rnd.IntN(1000)), one("header", "presigned", "unknown")
	c.Key = one("a", "b", "Ä/ö 日本", `"quoted", and`, "line\nbreak\r\n", "=cmd()", "", "x'; drop table", "\x01\u202e", "100%", "a+b", "a?b", "😀")
	c.Version = one("", "", "v1", "null")
	c.refused = rnd.IntN(8) == 0
	c.in = c.Bucket
	who := rnd.IntN(4)
	c.Credential = []actor.Credential{
		{AccessKeyID: key, PrincipalID: "AIDAEXAMPLEMARA", PrincipalARN: "arn:aws:iam::" + account + ":user/mara", AccountID: account},
		{AccessKeyID: "ASIAEXAMPLESESSION01", PrincipalID: "AROAEXAMPLEWEB:x", PrincipalARN: "arn:aws:sts::" + account + ":assumed-role/web/x", AccountID: account, Via: "athena.amazonaws.com"},
		{PrincipalID: "AIDAEXAMPLEIDA", PrincipalARN: "arn:aws:iam::" + account + ":user/ida", AccountID: account},
		{AccountID: "anonymous"},
	}[who]
	c.from = one("198.51.100.7", "198.51.100.8", "203.0.113.9", "2001:db8:1:2::3", "athena.amazonaws.com")
	c.Network = map[string]string{"198.51.100.7": "198.51.100.0/24", "198.51.100.8": "198.51.100.0/24", "203.0.113.9": "203.0.113.0/24", "2001:db8:1:2::3": "2001:db8:1::/48"}[c.from]
	c.Network = cmp.Or(c.Network, c.from)
	if rnd.IntN(5) == 0 {
		c.VPCEndpoint, c.Network = "vpce-1", ""
	}
	if c.Call == "CopyObject" {
		c.Destination, c.Bytes, c.Unsized = "loot", 0, 1
		c.in = "loot"
		c.source = c.Bucket + "/" + url.PathEscape(c.Key)
		if c.Version != "" {
			c.source += "?versionId=" + c.Version
		}
	} else if rnd.IntN(9) == 0 {
		c.Bytes, c.Unsized = 0, 1
	}
	return c
}

// record is the record of the call as its own account gets it.
func (c aTaking) record(eventID string, changes ...change) record {
	identity := map[string]any{"type": "IAMUser", "principalId": c.Credential.PrincipalID, "arn": c.Credential.PrincipalARN, "accountId": c.Credential.AccountID,
		"accessKeyId": c.Credential.AccessKeyID, "invokedBy": c.Credential.Via}
	all := []change{id(eventID), at(c.at), name(c.Call), in(c.in), object(c.Key), from(c.from), size(c.Bytes), set("userIdentity", identity), resources("arn:aws:s3:::"+c.in+"/k", "arn:aws:s3:::"+c.in),
		set("additionalEventData.AuthenticationMethod", map[string]any{"header": "AuthHeader", "presigned": "QueryString", "unknown": nil}[c.Signing])}
	if c.Unsized == 1 && c.Call != "CopyObject" {
		all = append(all, size(nil))
	}
	if c.Version != "" && c.Call != "CopyObject" {
		all = append(all, set("requestParameters.versionId", c.Version))
	}
	if c.Call == "CopyObject" {
		all = append(all, source(c.source), object("copied"), size(250))
	}
	if c.VPCEndpoint != "" {
		all = append(all, set("vpcEndpointId", c.VPCEndpoint))
	}
	if c.refused {
		all = append(all, failed("AccessDenied"))
	}
	return call(append(all, changes...)...)
}

// records are the records of the call, as they may come.
func (c aTaking) records(rnd *rand.Rand, n int) []record {
	eventID := fmt.Sprintf("taken-%05d", n)
	switch rnd.IntN(6) {
	case 0: // delivered twice
		return calls(c.record(eventID), c.record(eventID))
	case 1: // for two accounts, of which the bucket's owner does not see the key
		owners := c.record(eventID+"-owner", set("sharedEventID", eventID), set("recipientAccountId", "444455556666"), set("userIdentity.accessKeyId", nil))
		return calls(owners, c.record(eventID, set("sharedEventID", eventID)))
	case 2: // corrected
		if c.Call == "GetObject" && c.Unsized == 0 {
			return calls(c.record(eventID, size(c.Bytes+5000)), c.record(eventID+"-corrected", set("addendum", map[string]any{"reason": "UPDATED_DATA", "originalEventID": eventID})))
		}
	}
	return calls(c.record(eventID))
}

// reckoned is what was taken of two buckets in the window, counted call by call.
func reckoned(all []aTaking, by ...actor.Credential) []evidence.Taking {
	sums := map[evidence.Taking]*evidence.Taking{}
	for _, c := range all {
		if c.refused || !slices.Contains([]string{"GetObject", "SelectObjectContent", "CopyObject"}, c.Call) || c.Bucket == "other" || c.at.Before(noon) || !c.at.Before(end) ||
			len(by) > 0 && !slices.ContainsFunc(by, func(b actor.Credential) bool {
				b.PrincipalARN = c.Credential.PrincipalARN
				return b == c.Credential || b.AccessKeyID != "" && b.AccessKeyID == c.Credential.AccessKeyID
			}) {
			continue
		}
		which := c.Taking
		which.Times, which.Bytes, which.Unsized = 0, 0, 0
		sum := sums[which]
		if sum == nil {
			one := which
			one.First, one.Last = c.at, c.at
			sum, sums[which] = &one, &one
		}
		sum.Times, sum.Bytes, sum.Unsized = sum.Times+1, sum.Bytes+c.Bytes, sum.Unsized+c.Unsized
		if c.at.Before(sum.First) {
			sum.First = c.at
		}
		if c.at.After(sum.Last) {
			sum.Last = c.at
		}
	}
	var list []evidence.Taking
	for _, sum := range sums {
		list = append(list, *sum)
	}
	return sorted(list)
}

func sorted(list []evidence.Taking) []evidence.Taking {
	text := func(x evidence.Taking) string {
		return fmt.Sprintf("%q %q %q %q %q %+v %q %q %q", x.Bucket, x.Key, x.Version, x.Call, x.Destination, x.Credential, x.VPCEndpoint, x.Signing, x.Network)
	}
	slices.SortFunc(list, func(x, y evidence.Taking) int { return cmp.Compare(text(x), text(y)) })
	return list
}

func TestTakenAgainstAReckoning(t *testing.T) {
	for seed := range enginetest.Draws(1, 6) {
		rnd := rand.New(rand.NewPCG(uint64(seed), 16))
		var all []aTaking
		var records []record
		for n := range 1600 {
			c := anyTaking(rnd)
			all = append(all, c)
			records = append(records, c.records(rnd, n)...)
		}
		rnd.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		e := trail(t, records)
		q := evidence.Taken{Buckets: []string{bucket, "images"}, From: noon, To: end}
		want := reckoned(all)
		if got := takings(t, e, q); len(want) < 200 {
			t.Errorf("only %d rows", len(want))
		} else {
			equal(t, sorted(got), want)
		}
		goesOn(t, e, q, rnd)
		q.Callers = []actor.Credential{{AccessKeyID: key, PrincipalID: "whatever else it says"}, {PrincipalID: "AIDAEXAMPLEIDA", AccountID: account}}
		equal(t, sorted(takings(t, e, q)), reckoned(all, q.Callers...))
		q.Callers = []actor.Credential{{AccountID: "anonymous"}}
		equal(t, sorted(takings(t, e, q)), reckoned(all, q.Callers...))
	}
}

// goesOn asks for what is behind some rows of an answer, and compares it with what was behind them in the whole.
func goesOn(t *testing.T, e *duck.Engine, q evidence.Taken, rnd *rand.Rand) {
	t.Helper()
	all := rows(t, e, q)
	for i := range all[1:] {
		if slices.Compare(q.Place(all[i]), q.Place(all[i+1])) >= 0 {
			t.Fatalf("row %d is not behind %q: %q", i+1, q.Place(all[i]), q.Place(all[i+1]))
		}
	}
	fewer := 0
	for range 40 {
		i := rnd.IntN(len(all))
		q.After = q.Place(all[i])
		again := rows(t, e, q)
		if fewer += len(all) - len(again); len(again) > len(all) {
			t.Errorf("there are %d rows behind one of %d", len(again), len(all))
		}
		rest := slices.DeleteFunc(again, func(row evidence.Row) bool { return q.Known(q.Place(row)) })
		equal(t, rest, append([]evidence.Row{}, all[i+1:]...))
	}
	if fewer < 10*len(all) {
		t.Errorf("of 40 times %d rows %d were left out", len(all), fewer)
	}
}

// Records of one call that contradict each other are all listed: who can write one hides nothing.
func TestTakenFromRecordsThatContradictEachOther(t *testing.T) {
	e := trail(t, calls(call(id("a"), object("true")), call(id("a"), object("false")), call(id("b"), object("sure"))))
	got := map[string]int64{}
	for _, taken := range takings(t, e, evidence.Taken{Buckets: []string{bucket}, From: noon, To: end}) {
		got[taken.Key] = taken.Torn
	}
	equal(t, got, map[string]int64{"true": 1, "false": 1, "sure": 0})
}

func TestEachEndsAsItIsTold(t *testing.T) {
	e := trail(t, calls(call(object("a")), call(object("b"))))
	q := evidence.Taken{Buckets: []string{bucket}, From: noon, To: end}
	enough, n := errors.New("enough"), 0
	if _, err := e.Each(t.Context(), q, func(evidence.Row) error { n++; return enough }); !errors.Is(err, enough) || n != 1 {
		t.Errorf("%v after %d rows", err, n)
	}
	if got := takings(t, e, q); len(got) != 2 { // and what it left behind is in nobody's way
		t.Errorf("%+v", got)
	}
	if _, err := e.Each(t.Context(), enginetest.Verbatim("drop table trail"), func(evidence.Row) error { return nil }); err == nil {
		t.Error("something else than a question was taken")
	}
	if _, err := e.Each(t.Context(), enginetest.Verbatim("select no_such_column from events"), func(evidence.Row) error { return nil }); err == nil {
		t.Error("an error was not told")
	}
}

// An answer comes in its order, over the borders of the parts in which it is taken.
func TestEachKeepsTheOrder(t *testing.T) {
	e := trail(t, calls(call()))
	want := int64(99_999)
	_, err := e.Each(t.Context(), enginetest.Verbatim("select n from range(100000) as r (n) order by n desc"), func(row evidence.Row) error {
		if row["n"] != fmt.Sprint(want) {
			return fmt.Errorf("row %s where %d comes", row["n"], want)
		}
		want--
		return nil
	})
	if err != nil || want != -1 {
		t.Errorf("%v, up to %d", err, want)
	}
}
