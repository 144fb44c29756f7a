package evidence

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// deeds is a whole answer to Since: two kinds of calls, one of them listed.
func deeds() []Row {
	all := Row{"part": "all", "access_key_id": "", "principal_id": "", "service": "", "name": "", "writes": "1", "calls": "12", "bytes": "1.5E3",
		"first_seen": "1772625600", "last_seen": "1772625690", "source_ip": "203.0.113.9", "vpc_endpoint": "", "origins": "3", "places": "1"}
	deed := maps.Clone(all)
	for k, v := range map[string]string{"part": "deed", "access_key_id": "AKIAEXAMPLESTOLEN001", "principal_id": "AIDAEXAMPLEMARA", "service": "iam.amazonaws.com",
		"name": "CreateAccessKey", "calls": "2", "bytes": "0", "origins": "1", "places": "2", "last_seen": "1772625630.0"} {
		deed[k] = v
	}
	return []Row{all, deed}
}

func TestReadSince(t *testing.T) {
	got, err := ReadSince(deeds())
	if err != nil {
		t.Fatal(err)
	}
	first := time.Unix(1772625600, 0).UTC()
	want := Deeds{Calls: 12, Bytes: 1500, Unlisted: 1, UnlistedCalls: 10, UnlistedBytes: 1500, Listed: []Deed{{
		AccessKeyID: "AKIAEXAMPLESTOLEN001", PrincipalID: "AIDAEXAMPLEMARA", Service: "iam.amazonaws.com", Call: "CreateAccessKey", Writes: true, Calls: 2,
		First: first, Last: first.Add(30 * time.Second), From: "203.0.113.0/24", Origins: 1}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	endpoint := deeds()
	endpoint[1]["vpc_endpoint"] = "vpce-1"
	if got, err := ReadSince(endpoint); err != nil || got.Listed[0].From != "vpce-1" {
		t.Errorf("through an endpoint: got %+v, %v", got, err)
	}
	quiet := deeds()[:1]
	for _, c := range []string{"calls", "bytes", "first_seen", "last_seen", "writes", "origins"} {
		quiet[0][c] = "0"
	}
	if got, err := ReadSince(quiet); err != nil || !cmp.Equal(got, Deeds{}) {
		t.Errorf("nothing was done: got %+v, %v", got, err)
	}
}

func TestReadSinceIsStrict(t *testing.T) {
	refused := func(what string, rows []Row) {
		t.Helper()
		if got, err := ReadSince(rows); err == nil || !cmp.Equal(got, Deeds{}) {
			t.Errorf("%s: got %+v, %v, want an error and nothing beside it", what, got, err)
		}
	}
	for _, c := range []string{"part", "calls", "bytes"} {
		rows := deeds()
		delete(rows[0], c)
		refused("the sum without "+c, rows)
	}
	for c := range deeds()[1] {
		rows := deeds()
		delete(rows[1], c)
		refused("a deed without "+c, rows)
	}
	refused("no rows", nil)
	refused("no sum", deeds()[1:])
	refused("two sums", append(deeds(), deeds()[0]))
	refused("a deed twice", append(deeds(), deeds()[1], deeds()[1]))
	more := deeds()
	more[1]["calls"] = "13"
	refused("more than the sum", more)
	unknown := deeds()
	unknown[1]["part"] = "actor"
	refused("an unknown part", unknown)
}

func TestSinceNamesNobodyByAccident(t *testing.T) {
	for _, ids := range [][]string{nil, {""}, {hostile}, {"111122223333"}, {"anonymous"}, {"AKIA%"}, {"AIDAEXAMPLE'"}, {"AROAEXAMPLEWEB:session"}, {"AIDAEXAMPLEMARA\n"}} {
		for _, q := range []Since{{KeyIDs: ids}, {PrincipalIDs: ids}, {KeyIDs: ids, PrincipalIDs: ids}} {
			sql := q.SQL(store)
			if !strings.Contains(sql, "accesskeyid in (null)") || strings.Count(sql, "in (null)") != 4 || !strings.Contains(sql, "1 = 0") {
				t.Errorf("%+q asks\n%s", q, sql)
			}
		}
	}
}
