package duck_test

import (
	"strings"
	"testing"
	"time"

	"nightlatch/internal/evidence"
)

// exercised are what mara did in S3 in the day before noon, by what others recorded besides.
func exercised(t *testing.T, records ...record) (all []evidence.S3Use) {
	t.Helper()
	got, partial, err := evidence.ReadExercised(rows(t, trail(t, records), evidence.Exercised{User: "mara", AccountID: account, From: noon.Add(-24 * time.Hour), To: noon}))
	if err != nil || partial {
		t.Fatalf("%v, %v", err, partial)
	}
	for _, u := range got {
		if u.First.IsZero() || u.Last.Before(u.First) {
			t.Errorf("got %+v", u)
		}
		u.First, u.Last = time.Time{}, time.Time{}
		all = append(all, u)
	}
	return all
}

func TestWhatAUserExercised(t *testing.T) {
	before := ago(time.Hour)
	equal(t, exercised(t,
		call(before, object("reports/2026/a"), id("1")), call(ago(2*time.Hour), object("reports/b"), id("2"), keyID("ASIAEXAMPLEMINTED001")), // with a session of hers: she still
		call(before, object("top"), id("3")), call(before, object("reports/c"), set("requestParameters.versionId", "3"), id("4")),
		call(before, name("ListObjects"), set("requestParameters", map[string]any{"bucketName": bucket, "prefix": "reports/x"}), id("5")),
		call(before, copied("exports/reports/d"), id("6")),
		call(before, name("PutBucketTagging"), set("requestParameters", map[string]any{"bucketName": bucket}), set("managementEvent", true), set("eventCategory", "Management"), id("7")),
		// None of these is hers, or was done, or was then.
		call(before, failed("AccessDenied"), object("secret/x"), id("8")), call(before, session("s", "ASIAEXAMPLEWEB000001"), object("web/x"), id("9")), call(object("later/x"), id("10")), call(ago(25*time.Hour), object("earlier/x"), id("11")),
		call(before, set("userIdentity.accountId", "444455556666"), object("theirs/x"), id("12")), call(before, set("userIdentity.userName", "Mara"), object("another/x"), id("13")), call(before, set("eventSource", "kms.amazonaws.com"), name("Decrypt"), id("14")),
	), []evidence.S3Use{
		{Call: "GetObject", Bucket: bucket}, {Call: "GetObject", Bucket: bucket, Folder: "reports/"}, {Call: "GetObject", Bucket: bucket, Folder: "reports/", Version: true},
		{Call: "ListObjects", Bucket: bucket, Folder: "reports/"}, {Call: "PutBucketTagging", Bucket: bucket}, {Call: "CopyObject", Bucket: "loot", Source: "exports/reports/d"},
	})
	byRole, _, err := evidence.ReadExercised(rows(t, trail(t, []record{call(before, session("s", "ASIAEXAMPLEWEB000001"), object("web/x"), id("1")), call(before, session("other", "ASIAEXAMPLEWEB000002"), object("web/y"), id("2")), call(before, object("reports/x"), id("3"))}),
		evidence.Exercised{Role: "web", AccountID: account, From: noon.Add(-24 * time.Hour), To: noon}))
	if err != nil || len(byRole) != 1 || byRole[0].Folder != "web/" {
		t.Errorf("of the role there is %+v, %v", byRole, err)
	}
	if got := exercised(t, call(session("s", "ASIAEXAMPLEWEB000001"), before)); len(got) != 0 {
		t.Errorf("of nothing there is %+v", got)
	}
}

func TestWhatAUserExercisedUnderHostileNames(t *testing.T) {
	long := strings.Repeat("x", 600) + "/y"
	got := exercised(t, call(ago(time.Hour), object("'; drop table events; --/x"), id("1")), call(ago(time.Hour), object("\u202e/\n"), id("2")), call(ago(time.Hour), object(long), id("3")), call(ago(time.Hour), object("/rooted"), id("4")), call(ago(time.Hour), set("requestParameters", nil), id("5")))
	want := map[string]bool{"'; drop table events; --/": true, "\u202e/": true, strings.Repeat("x", 512): true, "/": true, "": true}
	for _, u := range got {
		if !want[u.Folder] {
			t.Errorf("got the folder %q", u.Folder)
		}
		delete(want, u.Folder)
	}
	if len(want) > 0 {
		t.Errorf("there is no %v", want)
	}
}
