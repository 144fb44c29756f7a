package duck

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// quotedRecord is a record as a text in JSON.
func quotedRecord(record string) string {
	text, _ := json.Marshal(record)
	return string(text)
}

// What other tools wrap around CloudTrail's records is taken off, alone in its file and beside native ones.
func TestRecordsAreUnwrapped(t *testing.T) {
	one, two := event("one"), event("two")
	text := quotedRecord(one)
	bus := `{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","detail":` + one + `}`
	for name, c := range map[string]struct {
		content string
		events  int64
	}{
		"eventbridge":               {bus, 1},
		"eventbridge, no line ends": {strings.Repeat(bus, 3), 3},
		"eventbridge, zipped":       {zip(bus), 1},
		"eventbridge in a list":     {"[" + bus + "," + bus + "]", 2},
		"eventbridge in SQS":        {`{"Messages":[{"MessageId":"1","Body":` + quotedRecord(bus) + `}]}`, 1},
		"a function's SQS event":    {`{"Records":[{"messageId":"1","eventSource":"aws:sqs","body":` + quotedRecord(bus) + `}]}`, 1},
		"an SNS notification":       {`{"Type":"Notification","Message":` + quotedRecord(bus) + `}`, 1},
		"lookup-events":             {`{"Events":[{"EventId":"1","EventName":"GetObject","EventSource":"s3.amazonaws.com","CloudTrailEvent":` + text + `}]}`, 1},
		"lookup-events, one a line": {`{"EventId":"1","EventName":"GetObject","CloudTrailEvent":` + text + "}\n", 1},
		"a subscription":            {`{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","message":` + text + `},{"id":"2","message":` + quotedRecord(two) + `}]}`, 2},
		"filter-log-events":         {`{"events":[{"timestamp":1,"message":` + text + `}],"searchedLogStreams":[]}`, 1},
		"a log event a line":        {`{"timestamp":1,"message":` + text + "}\n", 1},
		"splunk":                    {`{"preview":false,"result":{"_raw":` + text + "}}\n", 1},
		"splunk, a list":            {`{"results":[{"_raw":` + text + "}]}\n", 1},
		"elastic":                   {`{"@timestamp":"2026-03-04T00:07:10Z","event":{"original":` + text + "}}\n", 1},
		"elastic's answer":          {`{"hits":{"hits":[{"_source":{"event":{"original":` + text + "}}}]}}\n", 1},
		"wazuh":                     {`{"integration":"aws","aws":` + one + `}`, 1},
		"wazuh's alert":             {`{"rule":{"id":"80202"},"data":{"integration":"aws","aws":` + one + `}}`, 1},
		"lake, rows":                {`[{"eventJson":` + text + `}]`, 1},
		"lake, an answer":           {`{"QueryResultRows":[[{"eventTime":"x"},{"eventJson":` + text + `}]]}`, 1},
		"a file in a text":          {`{"message":` + quotedRecord(records(one, two)) + `}`, 2},
		"behind a time":             {"2026-03-04T00:07:10.000Z " + one + "\n2026-03-04T00:07:11.000Z " + two + "\n", 2},
		"behind a time, zipped":     {zip("2026-03-04T00:07:10.000Z " + one + "\n"), 1},
		"behind syslog's words":     {"Mar  4 00:07:10 host trail[17]: " + one + "\nMar  4 00:07:11 host trail[17]: " + two, 2},
		"records in a list Records": {`{"Records":[` + bus + `,` + two + `]}`, 2},
		"a control message first":   {`{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}` + "\n" + `{"logEvents":[{"message":` + text + `}]}`, 1},
		"another event on the bus":  {bus + `{"detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"b"}}}`, 1},
		"native ones first":         {lines(two, bus), 2},
		"native ones first, a list": {"[" + two + "," + bus + "]", 2},
		"native ones, then Records": {`{"Records":[` + two + `,` + bus + `]}`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "native.json", records(event("native")))
			write(t, dir, "wrapped.json", c.content)
			e := loaded(t, dir)
			if got := lost(t, e); e.Events() != 1+c.events || len(got) > 0 || e.Files() != 2 {
				t.Errorf("%d events of %d files, lost %q, want %d", e.Events(), e.Files(), got, 1+c.events)
			}
			for _, row := range ask(t, e, "select eventname, eventsource, cast(eventtime as varchar) as at from events") {
				if row["eventname"] != "GetObject" || row["eventsource"] != "s3.amazonaws.com" || row["at"] == "" {
					t.Errorf("got %v", row)
				}
			}
			alone := t.TempDir()
			write(t, alone, "delivery-stream-1-2026-03-04-00-05-00", c.content)
			if e := loaded(t, alone); e.Events() != c.events {
				t.Errorf("alone, under a name without an ending: %d events", e.Events())
			}
		})
	}
}

// What seems to hold records, and is not read, is named: never skipped without a word, and never taken for a record.
func TestWhatIsNotUnwrappedIsNamed(t *testing.T) {
	one := event("one")
	cut := quotedRecord(one[:len(one)-5])
	for name, c := range map[string]struct{ file, content, want string }{
		"a bus's event that no service sent": {"a.json", `{"detail-type":"AWS API Call via CloudTrail","source":"mine","detail":` + one + `}`, "in a form that is not read"},
		"an agent's name that is a record":   {"a.json", `{"user_agent":{"original":` + quotedRecord(one) + `}}`, "in a form that is not read"},
		"a message that is cut off":          {"a.json", `{"logEvents":[{"message":` + cut + `}]}`, "in a form that is not read"},
		"compressed in a text":               {"a.json", `{"awslogs":{"data":"H4sIAAAAAAAA"}}`, "in a form that is not read"},
		"elastic's own fields":               {"a.json", `{"event":{"action":"GetObject"},"aws":{"cloudtrail":{"event_version":"1.08"}}}`, "in a form that is not read"},
		"a query's rows":                     {"a.json", `[{"eventname":"GetObject","eventsource":"s3.amazonaws.com","useridentity":"{type=IAMUser}"}]`, "in a form that is not read"},
		"an answer of Athena's":              {"a.json", `{"ResultSet":{"Rows":[{"Data":[{"VarCharValue":"eventname"},{"VarCharValue":"eventtime"}]}]}}`, "in a form that is not read"},
		"a table":                            {"a.csv", "\"eventname\",\"eventtime\"\n\"GetObject\",\"x\"\n", "is a table, not records"},
		"a table with tabs":                  {"a.tsv", "eventTime\teventName\nx\tGetObject\n", "is a table, not records"},
		"a table in a trail's name":          {"a.json", "eventTime;eventName\nx;GetObject\n", "is a table, not records"},
		"a table in columns":                 {"a.parquet", "PAR1....eventname eventtime....PAR1", "is a table in columns"},
		"a name without an ending, cut off":  {"stream-1", `{"detail":{"eventName":"GetObj`, "breaks at byte"},
		"another compression":                {"a.json.zst", "\x28\xb5\x2f\xfd....", "is compressed in a way that is not read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "native.json", records(event("native")))
			path := write(t, dir, c.file, c.content)
			e := loaded(t, dir)
			if got := lost(t, e); e.Events() != 1 || len(got) != 1 || !strings.HasPrefix(got[0], fmt.Sprintf("trail file %q ", path)) || !strings.Contains(got[0], c.want) {
				t.Errorf("%d events, lost %q, want %q", e.Events(), got, c.want)
			}
			if alone := loaded(t, path); alone.Files() != 0 || len(alone.Lost()) != 1 {
				t.Errorf("alone: %d files, lost %q", alone.Files(), alone.Lost())
			}
		})
	}
	mixed := t.TempDir()
	write(t, mixed, "a.json", `{"logEvents":[{"message":`+quotedRecord(one)+`},{"message":`+cut+`}]}`)
	if e := loaded(t, mixed); e.Events() != 1 || len(e.Lost()) != 1 || !strings.Contains(e.Lost()[0], "holds 1 entry that seem") {
		t.Errorf("beside one that can be read: %d events, lost %q", e.Events(), e.Lost())
	}
}

// What lies beside a trail and is none of it is no lost evidence.
func TestWhatIsNoTrailIsNotNamed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "native.json", records(event("native")))
	for name, content := range map[string]string{
		"rule.json":       `{"source":["aws.s3"],"detail":{"eventSource":["s3.amazonaws.com"],"eventName":["GetObject"]}}`,
		"selectors.json":  `{"AdvancedEventSelectors":[{"FieldSelectors":[{"Field":"eventName","Equals":["GetObject"]},{"Field":"eventSource","Equals":["s3.amazonaws.com"]}]}]}`,
		"s3.json":         records(`{"eventVersion":"2.1","eventSource":"aws:s3","eventTime":"2026-03-04T00:07:10Z","eventName":"ObjectCreated:Put"}`),
		"sqs.json":        `{"Messages":[{"Body":` + quotedRecord(records(`{"eventSource":"aws:s3","eventTime":"2026-03-04T00:07:10Z","eventName":"ObjectCreated:Put"}`)) + `}]}`,
		"notes.md":        "# eventName, eventTime and eventSource\n\nwhat they mean",
		"main.go":         "package main\n\nvar eventName = \"eventTime\"\n",
		"credentials.csv": "user,arn,user_creation_time\nmara,x,y\n",
		"empty":           "",
		"plan.zip":        "PK\x03\x04 eventname",
		"config.yaml":     "eventName: x\neventTime: y\n",
	} {
		write(t, dir, name, content)
	}
	if e := loaded(t, dir); e.Events() != 1 || len(e.Lost()) > 0 {
		t.Errorf("%d events, lost %q", e.Events(), e.Lost())
	}
}

// Summaries are neither calls nor lost, wherever they lie.
func TestSummariesAreNoCalls(t *testing.T) {
	aggregated := `{"eventVersion":"1.0","eventId":"1","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","eventSource":"s3.amazonaws.com","timeWindow":{}}`
	insight := `{"eventVersion":"1.08","eventTime":"2026-03-04T00:07:10Z","eventID":"2","eventType":"AwsCloudTrailInsight","insightDetails":{"state":"Start"},"eventCategory":"Insight"}`
	old := `{"eventVersion":"1.07","eventTime":"2026-03-04T00:07:10Z","eventType":"AwsCloudTrailInsight","insightDetails":{"state":"Start","eventSource":"s3.amazonaws.com","eventName":"GetObject"}}`
	for name, content := range map[string]string{
		"a file of them": records(aggregated, insight, old), "beside a call": records(event("a"), aggregated, insight, old), "lines": lines(event("a"), aggregated, insight, old),
		"a list": "[" + event("a") + "," + aggregated + "," + insight + "]", "beside what is rewritten": records(crooked, aggregated, insight, old),
		"on a bus": `{"detail-type":"AWS Insight via CloudTrail","source":"aws.cloudtrail","detail":` + insight + `}`,
	} {
		dir := t.TempDir()
		write(t, dir, "native.json", records(event("native")))
		write(t, dir, "AWSLogs/111122223333/CloudTrail-Aggregated/eu-central-1/x.json", content)
		e := loaded(t, dir)
		want := int64(2)
		if name == "a file of them" || name == "on a bus" {
			want = 1
		}
		if e.Events() != want || len(e.Lost()) > 0 {
			t.Errorf("%s: %d events, lost %q", name, e.Events(), e.Lost())
		}
	}
}

// A userIdentity that is no object names nobody, and that is said.
func TestAnIdentityThatCannotBeReadIsSaid(t *testing.T) {
	for _, identity := range []string{`"{type=IAMUser}"`, `["IAMUser"]`, `17`} {
		dir := t.TempDir()
		write(t, dir, "a.json", records(strings.Replace(event("a"), `{"type":"IAMUser"}`, identity, 1)))
		if e := loaded(t, dir); e.Events() != 1 || len(e.Lost()) != 1 || !strings.Contains(e.Lost()[0], "1 record without a readable userIdentity") {
			t.Errorf("%s: %d events, lost %q", identity, e.Events(), e.Lost())
		}
	}
}
