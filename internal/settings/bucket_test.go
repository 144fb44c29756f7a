package settings

import (
	"strings"
	"testing"
)

func TestCheckBucket(t *testing.T) {
	for _, good := range []string{"abc", "logs-2026", "a.b.c", "My_Legacy.Bucket", "Team_Exports", "exports_prod", "UPPER", "a..b", "-ab", strings.Repeat("x", 255),
		"x-111122223333-eu-central-1-an"} {
		if err := CheckBucket(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"": "not the name", "*": "not the name", "ab": "not the name", "a/b": "not the name", "a b": "not the name", "logs\n": "not the name", "a'b": "not the name",
		"192.168.5.4": "not the name", strings.Repeat("x", 256): "not the name", "ünï": "not the name", "\u202ereversed": "not the name",
		"exports--euc1-az1--x-s3": "directory buckets are not watched", "UPPER--x-s3": "directory buckets are not watched",
		"reports-abc-s3alias": "access point", "x--ol-s3": "access point", "mfzwi23gnjvgw.mrap": "access point", "t--table-s3": "table buckets are not watched",
	} {
		err := CheckBucket(bad)
		if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\n\u202e") || len(err.Error()) > 250 {
			t.Errorf("%q: %v, want %q", bad, err, want)
		}
	}
}
