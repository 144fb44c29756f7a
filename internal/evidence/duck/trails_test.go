package duck

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nightlatch/internal/evidence"
)

// published is a folder of real records that lies beside the project; its README has the right answers.
func published(t *testing.T, folder string) string {
	t.Helper()
	dir := filepath.Join("../../../../shared/trails", folder)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the published trails are not here: %v", err)
	}
	return dir
}

func TestOTRF(t *testing.T) {
	e := loaded(t, published(t, "otrf-ec2-proxy-s3-exfiltration"))
	same(t, ask(t, e, `SELECT eventname AS name, useridentity.accesskeyid AS k, count(*) AS calls,
		  sum(try_cast(element_at(additionaleventdata, 'bytesTransferredOut') AS double)) AS bytes
		FROM events WHERE eventsource = 's3.amazonaws.com' AND (eventcategory = 'Data' OR managementevent = false
		  OR (eventcategory IS NULL AND managementevent IS NULL AND eventname IN ('GetObject', 'ListObjects')))
		GROUP BY 1, 2 ORDER BY 1`), []evidence.Row{
		{"name": "GetObject", "k": "ASIA5FLZVX4OPVKKVBMX", "calls": "2", "bytes": "178"},
		{"name": "ListObjects", "k": "ASIA5FLZVX4OPVKKVBMX", "calls": "7", "bytes": "3548"},
	})
	if got := e.Skipped(); e.Events() != 103 || len(got) != 1 || !strings.HasSuffix(got[0], "alarm.json") {
		t.Errorf("got %d events and skipped %q, want 103 and the alarm", e.Events(), got)
	}
	same(t, lost(t, e), []string(nil))
}

func TestInvictus(t *testing.T) {
	e := loaded(t, published(t, "invictus-stratus-run"))
	same(t, ask(t, e, `SELECT count(*) AS n, count(DISTINCT eventid) AS ids,
		  count_if(eventsource = 's3.amazonaws.com' AND managementevent = true
		    AND try_cast(element_at(additionaleventdata, 'bytesTransferredOut') AS double) IS NOT NULL) AS management
		FROM events`), []evidence.Row{{"n": "2900", "ids": "2900", "management": "267"}})
	same(t, ask(t, e, `SELECT DISTINCT useridentity.accesskeyid AS k FROM events
		WHERE useridentity.accesskeyid IN ('AKIATFQR7NSC8Q4X20BJ', 'AKIATFQZ7NSC8Q4X21BJ') ORDER BY 1`),
		[]evidence.Row{{"k": "AKIATFQR7NSC8Q4X20BJ"}, {"k": "AKIATFQZ7NSC8Q4X21BJ"}})
	if e.Files() != 55 || len(lost(t, e)) != 0 {
		t.Errorf("got %d files, lost %q", e.Files(), lost(t, e))
	}
}

func TestStratus(t *testing.T) {
	dir := published(t, "stratus-detonations")
	all, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	e := loaded(t, dir)
	if e.Files() != len(all) || len(lost(t, e)) != 0 || len(e.Skipped()) != 0 {
		t.Errorf("got %d of %d files, lost %q, skipped %q", e.Files(), len(all), lost(t, e), e.Skipped())
	}
	same(t, ask(t, e, `SELECT count(*) > 0 AS federated FROM events WHERE useridentity.type = 'FederatedUser'
		AND useridentity.sessioncontext.sessionissuer.arn IS NOT NULL`), []evidence.Row{{"federated": "true"}})
}
