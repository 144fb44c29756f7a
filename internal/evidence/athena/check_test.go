package athena_test

import (
	"strings"
	"testing"

	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
)

// Who may change the table could turn every answer into "nobody read anything": of a table that is not the deployed one, nothing is asked.
func TestNothingIsAskedOfATableThatSomebodyChanged(t *testing.T) {
	set := func(name, value string) func(*athenatest.Table) {
		return func(t *athenatest.Table) { t.Parameters[name] = value }
	}
	for name, c := range map[string]struct {
		change func(*athenatest.Table)
		want   string
	}{
		"other folder":      {set("storage.location.template", "s3://acme-trail/none/${account}/CloudTrail/${region}/${day}"), `its storage.location.template is "s3://acme-trail/none/`},
		"other location":    {set("location", "s3://evil/AWSLogs/"), `its location is "s3://evil/AWSLogs/" where "s3://acme-trail/audit/AWSLogs/o-abcdefghij/" was deployed`},
		"earlier days only": {set("projection.day.range", "2020/01/01,2026/01/01"), `its projection.day.range is "2020/01/01,2026/01/01" where "2020/01/01,NOW+1DAYS" was deployed`},
		"a region is left out": {func(t *athenatest.Table) {
			t.Parameters["projection.region.values"] = strings.Replace(t.Parameters["projection.region.values"], "eu-west-3,", "", 1)
		}, `its projection.region.values is "...tral-1,me-south-1`[:35]},
		"an account is left out": {set("projection.account.values", "111122223333"), "its projection.account.values is"},
		"no projection":          {set("projection.enabled", "false"), `its projection.enabled is "false" where "true" was deployed`},
		"projection gone":        {func(t *athenatest.Table) { delete(t.Parameters, "projection.enabled") }, `its projection.enabled is "" where "true" was deployed`},
		"other format":           {set("inputformat", "org.apache.hadoop.mapred.TextInputFormat"), "its inputformat is"},
		"other serde":            {set("serde.serialization.lib", "org.openx.data.jsonserde.JsonSerDe"), "its serde.serialization.lib is"},
		"malformed rows dropped": {set("serde.param.ignore.malformed.json", "true"), `it has the parameter "serde.param.ignore.malformed.json"`},
		"rows are skipped":       {set("skip.header.line.count", "1000000"), `it has the parameter "skip.header.line.count"`},
		"a column renamed": {func(t *athenatest.Table) { t.Columns[4].Name = "eventname2" },
			`its column 5 is "eventname2 string" where "eventname string" was deployed`},
		"a column of another type": {func(t *athenatest.Table) {
			t.Columns[1].Type = strings.Replace(t.Columns[1].Type, "accesskeyid", "accesskeyid2", 1)
		}, "accesskeyid2:string"},
		"a column more":      {func(t *athenatest.Table) { t.Columns = append(t.Columns, athena.Column{Name: "x", Type: "string"}) }, `"x string" where "" was deployed`},
		"a column less":      {func(t *athenatest.Table) { t.Columns = t.Columns[:20] }, `is "" where "sharedeventid string" was deployed`},
		"another partition":  {func(t *athenatest.Table) { t.Partitions[2].Name = "date" }, `its partition key 3 is "date string"`},
		"a view in its name": {func(t *athenatest.Table) { t.Type = "VIRTUAL_VIEW" }, `its type is "VIRTUAL_VIEW"`},
		"hostile words":      {set("\x1b[2Jx\nall is well", "1"), `it has the parameter "\x1b[2Jx\nall is well"`},
		"two things": {func(t *athenatest.Table) {
			t.Type = "VIRTUAL_VIEW"
			t.Parameters["location"] = ""
		}, "(and 1 more)"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, rowsOf(1)...)
			f.Change(c.change)
			_, err := f.Ask(t.Context(), ask(""))
			says(t, err, "the table nightlatch.records is not what nightlatch deployed, so that nothing was asked: ", c.want, "deploy again, and look in cloudtrail for glue's UpdateTable")
			if got := f.operations(); got != athenatest.GetTableMetadata {
				t.Errorf("calls: %s", got)
			}
		})
	}
}

func TestATableAsItWasDeployedIsAsked(t *testing.T) {
	for name, change := range map[string]func(*athenatest.Table){
		"as it is":             func(*athenatest.Table) {},
		"touched by Hive":      func(t *athenatest.Table) { t.Parameters["transient_lastDdlTime"] = "1" },
		"described":            func(t *athenatest.Table) { t.Parameters["comment"] = "the trail" },
		"without a last slash": func(t *athenatest.Table) { t.Parameters["location"] = strings.TrimSuffix(table.Location, "/") },
		"without Hive's leavings": func(t *athenatest.Table) {
			delete(t.Parameters, "transient_lastDdlTime")
			delete(t.Parameters, "serde.param.serialization.format")
		},
	} {
		f := newFixture(t, 0, rowsOf(1)...)
		f.Change(change)
		if _, err := f.Ask(t.Context(), ask("")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing of a reading of the table is kept: it is read before each query, a repeated one too.
func TestTheTableIsCheckedBeforeEachQuery(t *testing.T) {
	f := newFixture(t, 0, rowsOf(1)...)
	if _, err := f.Ask(t.Context(), ask("")); err != nil {
		t.Fatal(err)
	}
	f.End(athenatest.Exhausted)
	f.waits, f.during = nil, func(n int) {
		if n == 4 { // between the run that failed and the next
			f.Change(func(t *athenatest.Table) { t.Parameters["projection.day.range"] = "2020/01/01,2020/01/02" })
		}
	}
	_, err := f.Ask(t.Context(), ask(""))
	says(t, err, "projection.day.range")
	if n := len(f.Queries()); n != 2 {
		t.Errorf("%d queries were started", n)
	}
}

func TestATableThatIsGoneIsNamed(t *testing.T) {
	f := newFixture(t, 0)
	f.Change(nil)
	_, err := f.Ask(t.Context(), ask(""))
	says(t, err, "checking the table nightlatch.records for the bytes query", "was not found, deploy again", "DeleteTable")
	if len(f.Queries()) != 0 {
		t.Error("it was asked")
	}
}
