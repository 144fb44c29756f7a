package evidence

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
)

var ours = actor.Accounts("111122223333")

// row is a row of a Bytes answer about the actor named id, with changes as key, value, key, value.
func row(part, id string, changes ...string) Row {
	r := Row{"window_no": "1", "part": part, "actor": id, "name": "", "vpc_endpoint": "", "vpc_endpoint_account": "", "signing": "", "source_ip": "198.51.100.7",
		"type": "IAMUser", "principal_id": "AIDAEXAMPLE" + id, "arn": "arn:aws:iam::111122223333:user/" + id, "account_id": "111122223333",
		"access_key_id": "AKIAEXAMPLE0000" + id, "user_name": id, "issuer_arn": "", "issuer_user_name": "", "invoked_by": "", "on_behalf_of": "", "source_identity": "", "provider": "",
		"principal": "AIDAEXAMPLE" + id, "bytes": "100", "object_bytes": "90", "signed_bytes": "80", "object": "k", "other_object": "k", "listing_bytes": "10", "error_bytes": "0", "margin_bytes": "5", "calls": "3",
		"unsized": "1", "copies": "2", "torn": "0", "amended": "0", "past_calls": "0", "past_bytes": "0", "first_seen": "1772625600", "last_seen": "1772625630.0", "objects": "2", "places": "1"}
	for i := 0; i < len(changes); i += 2 {
		r[changes[i]] = changes[i+1]
	}
	return r
}

// answer is a whole answer about one actor, MARA00, with one row of each part.
func answer() []Row {
	return []Row{row("all", ""), row("actor", "MARA00"), row("bucket", "MARA00", "name", "exports"), row("call", "MARA00", "name", "GetObject"),
		row("origin", "MARA00", "name", "198.51.100", "signing", "header"), row("agent", "MARA00", "name", "curl"), row("error", "MARA00", "name", "AccessDenied")}
}

// usage is a whole answer to Usage about one principal.
func usage() []Row {
	at := Row{"principal": "AIDAEXAMPLEMARA00", "access_key_id": "AKIAEXAMPLE0000MARA00", "network": "203.0.113", "vpc_endpoint": "", "vpc_endpoint_account": "",
		"signing": "header", "source_ip": "203.0.113.9", "days": "3", "most_bytes": "5000.0", "bytes": "9000.0", "first_seen": "1772000000", "last_seen": "1.7720004E9", "places": "1",
		"all_places": "1", "object_days": "2", "object_bytes": "8000.0", "object_most": "4000.0", "object_second": "3000.0", "new_days": "1", "signed_in": "1772000100", "users": "4", "first_clock": "28800.0", "last_clock": "28860.0",
		"object": "k", "other_object": "k", "looked": "1772000200", "product": "Boto3", "other_product": "aws-cli"}
	var rows []Row
	for _, part := range []string{"principal", "key", "place", "origin", "company", "refused"} {
		row := maps.Clone(at)
		row["part"] = part
		rows = append(rows, row)
	}
	return rows
}

// asksOne is a question of one window, which answer() answers.
var asksOne = Bytes{Windows: []Window{{ID: "one", Buckets: []string{"exports"}, From: noon, To: noon.Add(time.Minute)}}}

// readOne reads an answer to asksOne with ReadBytes.
func readOne(rows []Row) (Tally, error) {
	tallies, err := ReadBytes(rows, asksOne, ours)
	if err == nil && len(tallies) != 1 || err != nil && tallies != nil {
		return Tally{}, fmt.Errorf("got %d tallies beside %v", len(tallies), err)
	}
	return tallies["one"], err
}

func TestReadBytes(t *testing.T) {
	got, err := readOne(answer())
	if err != nil {
		t.Fatal(err)
	}
	seen := time.Unix(1772625600, 0).UTC()
	want := Tally{Bytes: 100, ObjectBytes: 90, ListingBytes: 10, MarginBytes: 5, Calls: 3, Unsized: 1, Copies: 2, Digest: got.Digest, Actors: []Actor{{
		Kind: actor.IAMUserKey, AccessKeyID: "AKIAEXAMPLE0000MARA00", PrincipalARN: "arn:aws:iam::111122223333:user/MARA00", PrincipalID: "AIDAEXAMPLEMARA00",
		AccountID: "111122223333", UserName: "MARA00", Bytes: 100, ObjectBytes: 90, ListingBytes: 10, MarginBytes: 5, SignedBytes: new(int64(80)), Objects: 2, Object: "k", Unsized: 1, Copies: 2,
		Calls: map[string]int64{"GetObject": 3}, Errors: map[string]int64{"AccessDenied": 3}, Buckets: map[string]int64{"exports": 100},
		Origins: []Origin{{Network: "198.51.100.0/24", Bytes: 100, ObjectBytes: 90, Calls: 3}}, Agents: []string{"curl"},
		FirstSeen: seen, LastSeen: seen.Add(30 * time.Second), principal: "AIDAEXAMPLEMARA00",
	}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Actor{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".unlisted" }, cmp.Ignore())); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got, err := readOne(nil); err != nil || len(got.Actors) != 0 || got.Bytes != 0 || got.Others != (Others{}) {
		t.Errorf("no rows: got %+v, %v", got, err)
	}
	margin := []Row{row("actor", "MARA00", "bytes", "0", "margin_bytes", "0")} // calls without bytes, around the window only
	if got, err := readOne(margin); err != nil || len(got.Actors) != 1 {
		t.Errorf("an actor without bytes: got %+v, %v", got, err)
	}
}

// read gives an answer without row i's column, or with another value in it, to ReadBytes.
func read(i int, column string, value *string) (Tally, error) {
	rows := answer()
	delete(rows[i], column)
	if value != nil {
		rows[i][column] = *value
	}
	return readOne(rows)
}

func TestReadBytesIsStrict(t *testing.T) {
	identity := []string{"type", "principal_id", "arn", "account_id", "access_key_id", "user_name", "issuer_arn", "issuer_user_name", "invoked_by", "on_behalf_of", "source_identity", "provider", "principal"}
	origin := []string{"vpc_endpoint", "vpc_endpoint_account", "signing", "source_ip"}
	total := []string{"bytes", "object_bytes", "listing_bytes", "error_bytes", "margin_bytes", "unsized", "copies"}
	needed := [][]string{
		slices.Concat([]string{"window_no", "part", "calls"}, total),
		slices.Concat([]string{"window_no", "part", "actor", "objects", "object", "other_object", "signed_bytes", "first_seen", "last_seen", "places"}, identity, total),
		{"part", "actor", "name", "calls", "places", "bytes"},
		{"part", "actor", "name", "calls", "places"},
		slices.Concat([]string{"part", "actor", "name", "calls", "places", "bytes"}, origin),
		{"part", "actor", "name", "calls", "places"},
		{"part", "actor", "name", "calls", "places"},
	}
	numbers := append(total, "window_no", "calls", "objects", "signed_bytes", "first_seen", "last_seen", "places")
	refused := func(what string, got Tally, err error) {
		t.Helper()
		if err == nil || !reflect.DeepEqual(got, Tally{}) {
			t.Errorf("%s: got %+v, %v, want an error and nothing beside it", what, got, err)
		}
	}
	for i, columns := range needed {
		for _, c := range columns {
			got, err := read(i, c, nil)
			refused(fmt.Sprintf("row %d without %q", i, c), got, err)
			if !slices.Contains(numbers, c) {
				continue
			}
			for _, v := range []string{"", "x", "1,000", "12 bytes", "NaN", "Infinity", "-inf", "1e40", "0x", "½"} {
				got, err := read(i, c, &v)
				refused(fmt.Sprintf("row %d with %q as %q", i, c, v), got, err)
			}
		}
	}
	for name, rows := range map[string][]Row{
		"an unknown part":                append(answer(), row("region", "MARA00")),
		"an unknown part of nobody":      append(answer(), row("region", "")),
		"an empty part":                  append(answer(), row("", "MARA00")),
		"a detail about another actor":   append(answer(), row("origin", "EVE000", "signing", "header")),
		"a detail about nobody":          append(answer(), row("bucket", "")),
		"details without an actor":       answer()[2:],
		"an actor without the sum":       answer()[1:],
		"an empty row":                   append(answer(), Row{}),
		"nothing but a row of no column": {Row{"x": "y"}},
	} {
		got, err := readOne(rows)
		refused(name, got, err)
	}
}

func TestReadUsageIsStrict(t *testing.T) {
	before := time.Unix(1772625600, 0).UTC()
	got, err := ReadUsage(usage(), before)
	if err != nil {
		t.Fatal(err)
	}
	want := &History{Before: before, Company: []Company{{Place: Origin{Network: "203.0.113.0/24"}, Users: 4, MadeBy: "AIDAEXAMPLEMARA00"}}, Principals: map[string]*PrincipalHistory{"AIDAEXAMPLEMARA00": {
		Days: 3, MostBytes: 5000, LastUsed: time.Unix(1772000400, 0).UTC(), ObjectDays: 2, ObjectBytes: 8000, Busiest: 4000, SecondBusiest: 3000, Object: "k",
		Product: "Boto3", OtherProduct: "aws-cli", Refused: []Used{{AccessKeyID: "AKIAEXAMPLE0000MARA00", Origin: Origin{Network: "203.0.113.0/24"},
			First: time.Unix(1772000000, 0).UTC(), Last: time.Unix(1772000400, 0).UTC()}},
		FirstClock: 28800, LastClock: 28860, NewDays: 1, Keys: map[string]int64{"AKIAEXAMPLE0000MARA00": 9000},
		Places: []PlaceHistory{{Place: Origin{Network: "203.0.113.0/24"}, Days: 3, MostBytes: 4000}}, Uses: []Used{{
			AccessKeyID: "AKIAEXAMPLE0000MARA00", Origin: Origin{Network: "203.0.113.0/24"}, Bytes: 9000, First: time.Unix(1772000000, 0).UTC(), Last: time.Unix(1772000400, 0).UTC(), SignedIn: time.Unix(1772000100, 0).UTC(),
			Looked: time.Unix(1772000200, 0).UTC()}},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	place := []string{"vpc_endpoint", "vpc_endpoint_account", "source_ip", "signing"}
	needed := [][]string{{"part", "principal", "days", "most_bytes", "last_seen", "object_days", "object_bytes", "object_most", "object_second", "first_clock", "last_clock", "object", "other_object", "product", "other_product"},
		{"part", "principal", "all_places", "access_key_id", "bytes"}, append(place, "part", "principal", "all_places", "new_days", "days", "object_most"),
		{"part", "principal", "places", "all_places", "bytes", "signed_in", "access_key_id", "vpc_endpoint", "vpc_endpoint_account", "source_ip", "signing", "first_seen", "last_seen", "looked"},
		append(place, "part", "users", "all_places"), append(place, "part", "principal", "access_key_id", "first_seen", "last_seen")}
	for i, columns := range needed {
		for _, c := range columns {
			rows := usage()
			delete(rows[i], c)
			if got, err := ReadUsage(rows, before); err == nil || got != nil {
				t.Errorf("row %d without %q: got %+v, %v, want an error and nothing beside it", i, c, got, err)
			}
		}
	}
	for _, part := range []string{"", "all", "region"} {
		rows := usage()
		rows[1]["part"] = part
		if got, err := ReadUsage(rows, before); err == nil || got != nil {
			t.Errorf("the part %q: got %+v, %v, want an error and nothing beside it", part, got, err)
		}
	}
	if got, err := ReadUsage(nil, before); err != nil || got == nil || len(got.Principals) != 0 {
		t.Errorf("no rows: got %+v, %v, want a history of nobody", got, err)
	}
}

func TestNumbersAsEnginesPrintThem(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "0.0": 0, "17": 17, "17.0": 17, "4.2949672960E10": 42949672960, "4.294967296e+10": 42949672960,
		"1.0E-5": 0, "2356.5": 2357, "-3": -3, "9007199254740993": 9007199254740993, "9223372036854775807": 9223372036854775807, "1e18": 1e18} {
		r := &reader{row: Row{"n": s}}
		if got := r.number("n"); got != want || r.err != nil {
			t.Errorf("%q is %d, %v, want %d", s, got, r.err, want)
		}
	}
}

func TestDigest(t *testing.T) {
	called := func(id string) Row { return row("call", id, "name", "GetObject") }
	base := append(answer(), row("actor", "EVE000"), called("EVE000"), called("X1"), called("X2"), called("X3"), called("X4"), row("origin", "EVE000", "signing", "header"), row("origin", "EVE000", "signing", "presigned"),
		row("origin", "EVE000", "signing", "unknown"), row("origin", "EVE000", "signing", "header", "vpc_endpoint", "vpce-1", "vpc_endpoint_account", "1"),
		row("origin", "EVE000", "signing", "header", "vpc_endpoint", "vpce-1", "vpc_endpoint_account", "2"), row("agent", "EVE000", "name", "b"), row("agent", "EVE000", "name", "a"),
		row("actor", "X1", "type", "SAMLUser", "access_key_id", "", "principal_id", "", "account_id", ""),
		row("actor", "X2", "type", "WebIdentityUser", "access_key_id", "", "principal_id", "", "account_id", ""),
		row("actor", "X3", "type", "AWSAccount", "access_key_id", "", "principal_id", "", "account_id", "999988887777"),
		row("actor", "X4", "type", "AWSAccount", "access_key_id", "", "principal_id", "", "account_id", "999988887778"))
	digestOf := func(rows []Row) string {
		t.Helper()
		tally, err := readOne(rows)
		if err != nil {
			t.Fatal(err)
		}
		return tally.Digest
	}
	want := digestOf(base)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		rows := slices.Clone(base)
		rnd.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		if got := digestOf(rows); got != want {
			t.Fatal("the order of the rows changes the digest")
		}
	}
	// 0 is the sum, 1 the actor, 4 its origin.
	for _, change := range []struct {
		row           int
		column, value string
	}{
		{0, "bytes", "101"}, {0, "object_bytes", "91"}, {0, "copies", "3"}, {0, "unsized", "2"},
		{1, "bytes", "101"}, {1, "object_bytes", "91"}, {1, "copies", "3"}, {1, "unsized", "2"}, {1, "access_key_id", "ASIAEXAMPLE0000MARA00"},
		{1, "invoked_by", "athena.amazonaws.com"}, {1, "account_id", "999988887777"}, {1, "type", "Root"}, {1, "objects", "3"}, {1, "first_seen", "1772625601"}, {1, "last_seen", "1772625631"},
		{0, "calls", "4"}, {0, "listing_bytes", "11"}, {0, "error_bytes", "1"}, {1, "listing_bytes", "11"}, {1, "error_bytes", "1"},
		{2, "bytes", "99"}, {2, "name", "images"}, {3, "calls", "4"}, {3, "name", "HeadObject"}, {4, "calls", "4"}, {5, "name", "wget"}, {6, "calls", "4"}, {6, "name", "SlowDown"},
		{4, "source_ip", "198.51.101.7"}, {4, "signing", "presigned"}, {4, "signing", ""}, {4, "vpc_endpoint", "vpce-1"}, {4, "bytes", "99"},
	} {
		rows := slices.Clone(base)
		rows[change.row] = maps.Clone(rows[change.row])
		rows[change.row][change.column] = change.value
		if digestOf(rows) == want {
			t.Errorf("row %d with %q as %q has the same digest", change.row, change.column, change.value)
		}
	}
}

// What happens around the window alone never ends on a busy bucket: it changes no digest, or no evidence would ever be complete.
func TestDigestIgnoresTheMargin(t *testing.T) {
	around := func(part, id string, changes ...string) Row { // a row about calls in the margin alone
		return row(part, id, append([]string{"bytes", "0", "object_bytes", "0", "listing_bytes", "0", "calls", "0", "unsized", "0", "copies", "0", "objects", "0",
			"first_seen", "0", "last_seen", "0", "margin_bytes", "7000"}, changes...)...)
	}
	tallyOf := func(rows []Row) Tally {
		t.Helper()
		tally, err := readOne(rows)
		if err != nil {
			t.Fatal(err)
		}
		return tally
	}
	with := func(i int, column, value string) []Row {
		rows := answer()
		rows[i][column] = value
		return rows
	}
	before := tallyOf(answer())
	for name, rows := range map[string][]Row{
		"more in the margin":              with(0, "margin_bytes", "90000"),
		"more in an actor's margin":       with(1, "margin_bytes", "90000"),
		"actors beyond those listed":      with(1, "places", "60"),
		"buckets beyond those listed":     with(2, "places", "60"),
		"calls beyond those listed":       with(3, "places", "60"),
		"origins beyond those listed":     with(4, "places", "600"),
		"agents beyond those listed":      with(5, "places", "60"),
		"an actor in the margin":          append(with(0, "margin_bytes", "7005"), around("actor", "EVE000", "places", "2"), around("origin", "EVE000", "signing", "header"), around("bucket", "EVE000", "name", "exports"), around("call", "EVE000", "name", "GetObject"), around("agent", "EVE000", "name", "wget")),
		"a bucket in an actor's margin":   append(answer(), around("bucket", "MARA00", "name", "images")),
		"a call in an actor's margin":     append(answer(), around("call", "MARA00", "name", "HeadObject")),
		"an origin in an actor's margin":  append(answer(), around("origin", "MARA00", "source_ip", "203.0.113.9", "signing", "header")),
		"an agent in an actor's margin":   append(answer(), around("agent", "MARA00", "name", "wget")),
		"a refusal in an actor's margin":  append(answer(), around("error", "MARA00", "name", "SlowDown")),
		"a signing in an actor's margin":  append(answer(), around("origin", "MARA00", "signing", "presigned")),
		"an endpoint in an actor's calls": append(answer(), around("origin", "MARA00", "signing", "header", "vpc_endpoint", "vpce-1")),
	} {
		if got := tallyOf(rows); got.Digest != before.Digest {
			t.Errorf("%s: another digest (-before +after):\n%s", name, cmp.Diff(before, got, cmp.AllowUnexported(Actor{})))
		}
	}
	// The margin is still reported, only not compared.
	got := tallyOf(append(with(0, "margin_bytes", "7005"), around("actor", "EVE000", "places", "2")))
	if len(got.Actors) != 2 || got.MarginBytes != 7005 || got.Actors[1].MarginBytes != 7000 {
		t.Errorf("got %+v, want the actor in the margin too", got)
	}
	// The first call of that actor inside the window counts, however small.
	rows := append(answer(), around("actor", "EVE000", "places", "2"), around("call", "EVE000", "name", "GetObject", "calls", "1"))
	if tallyOf(rows).Digest == before.Digest {
		t.Error("a call in the window has the same digest as none")
	}
}

func TestOriginsInTheMarginAreDropped(t *testing.T) {
	origin := func(ip, bytes, calls string) Row {
		return row("origin", "MARA00", "source_ip", ip, "signing", "header", "bytes", bytes, "object_bytes", bytes, "calls", calls)
	}
	for name, c := range map[string]struct {
		rows []Row
		want []Origin
	}{
		"one in the window, one around it": {append(answer()[:4], origin("198.51.100.7", "100", "3"), origin("203.0.113.9", "0", "0")), []Origin{{Network: "198.51.100.0/24", Bytes: 100, ObjectBytes: 100, Calls: 3}}},
		"a call without bytes is a call":   {append(answer()[:4], origin("198.51.100.7", "100", "2"), origin("203.0.113.9", "0", "1")), []Origin{{Network: "198.51.100.0/24", Bytes: 100, ObjectBytes: 100, Calls: 2}, {Network: "203.0.113.0/24", Calls: 1}}},
		"all of them around it": {[]Row{row("all", "", "bytes", "0", "calls", "0"), row("actor", "MARA00", "bytes", "0"), row("call", "MARA00", "name", "GetObject", "calls", "0"),
			origin("198.51.100.7", "0", "0"), origin("203.0.113.9", "0", "0")}, []Origin{{Network: "198.51.100.0/24"}, {Network: "203.0.113.0/24"}}},
	} {
		got, err := readOne(c.rows)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got.Actors[0].Origins); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestUnlistedDetailsAreCounted(t *testing.T) {
	rows := answer()
	rows[3]["places"], rows[5]["places"], rows[4]["places"] = "21", strconv.Itoa(MaxDetails+10), strconv.Itoa(askedOrigins+100)
	got, err := readOne(rows)
	if err != nil {
		t.Fatal(err)
	}
	if a := got.Actors[0]; a.Omitted != 1+10+100 || a.OmittedOrigins != 100 {
		t.Errorf("got %d omitted, %d of them origins; want 111 and 100", a.Omitted, a.OmittedOrigins)
	}
}

func TestClip(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"short":                     {"abc", "abc"},
		"exactly as much":           {strings.Repeat("a", 256), strings.Repeat("a", 256)},
		"one more":                  {strings.Repeat("a", 257), strings.Repeat("a", 256)},
		"not within a character":    {strings.Repeat("a", 255) + "é", strings.Repeat("a", 255)},
		"not within a long one":     {strings.Repeat("a", 253) + "😀", strings.Repeat("a", 253)},
		"a character just fits":     {strings.Repeat("a", 254) + "éb", strings.Repeat("a", 254) + "é"},
		"invalid bytes":             {"a\xff\xfeb", "a\uFFFDb"},
		"a half character":          {"a\xe2\x82", "a\uFFFD"},
		"many invalid bytes apart":  {strings.Repeat("a\xff", 200), strings.Repeat("a\uFFFD", 64)},
		"half a surrogate, encoded": {"\xed\xa0\x80", "\uFFFD"},
		"nothing":                   {"", ""},
	} {
		if got := clip(c.in); got != c.want || !utf8.ValidString(got) || clip(got) != got {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
