package alarm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"nightlatch/internal/settings"
)

var idForm = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// check holds what is true of every answer of Parse, whatever arrived.
func check(t *testing.T, got Event, err error) {
	t.Helper()
	if err != nil {
		if got.Alarm != nil || got.Also != nil || got.Advance != "" || got.Ignored != "" {
			t.Errorf("a value %+v beside the error %v", got, err)
		}
		if text := err.Error(); text == "" || len(text) > maxError+3 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("the error is no sentence to print: %q", text)
		}
		return
	}
	set := 0
	for _, is := range []bool{got.Alarm != nil, got.Advance != "", got.Ignored != ""} {
		if is {
			set++
		}
	}
	if set != 1 {
		t.Fatalf("%d of the three are set in %+v", set, got)
	}
	if got.Advance != "" && !idForm.MatchString(got.Advance) {
		t.Errorf("the follow-up of %q, which is no id", got.Advance)
	}
	if got.Alarm == nil {
		return
	}
	a := *got.Alarm
	for _, b := range a.Buckets {
		if settings.CheckBucket(b) != nil {
			t.Errorf("%q is not the name of a bucket", b)
		}
	}
	if len(a.Buckets) > maxBuckets {
		t.Errorf("%d buckets", len(a.Buckets))
	}
	if !a.From.Before(a.To) || a.To.Sub(a.From) > 2*maxClaimedWindow || a.Period <= 0 {
		t.Errorf("the window is [%v, %v), the period %v", a.From, a.To, a.Period)
	}
	if !idForm.MatchString(a.ID()) {
		t.Errorf("the id is %q", a.ID())
	}
	if a.Confirmed || (a.Bytes != nil && *a.Bytes < 0) {
		t.Errorf("confirmed %t, bytes %v", a.Confirmed, a.Bytes)
	}
	if _, err := json.Marshal(a); err != nil {
		t.Errorf("it cannot be stored: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	manual := func(field, value string) string {
		fields := map[string]string{"bucket": `"customer-exports"`, "from": `"2026-03-04T00:01:00Z"`, "to": `"2026-03-04T00:03:00Z"`}
		fields[field] = value
		var all []string
		for k, v := range fields {
			all = append(all, fmt.Sprintf("%q:%s", k, v))
		}
		return `{"nightlatch":{"investigate":{` + strings.Join(all, ",") + `}}}`
	}
	for name, c := range map[string]struct{ event, want string }{
		"nothing":                      {"", "the event is empty"},
		"white space":                  {" \n\t", "the event is empty"},
		"no JSON":                      {"ALARM!", "the event is not a JSON object"},
		"half a JSON":                  {`{"alarmData":`, "the event is not a JSON object"},
		"an array":                     {"[1,2]", "the event is a list of 2, without an alarm in it"},
		"null":                         {"null", "the event is null, without an alarm in it"},
		"an empty object":              {"{}", "its fields are none"},
		"10 MB":                        {`{"a":"` + strings.Repeat("x", 10<<20) + `"}`, "longer than the 1048576 bytes that an event may have"},
		"an unknown shape":             {`{"foo":1,"bar":2}`, `its fields are "bar", "foo"`},
		"hostile field names":          {`{"\u001b[2J\u202egnp":1,"a\nb":2}`, `its fields are "\x1b[2J\u202egnp", "a\nb"`},
		"a hundred fields":             {`{` + strings.TrimSuffix(hundred(), ",") + `}`, "and 92 more"},
		"a file notification":          {`{"Records":[{"eventSource":"aws:s3","s3":{}}]}`, `Records[0] comes from "aws:s3", not from SNS`},
		"two SNS records":              {`{"Records":[{},{}]}`, "Records has 2 entries, not one"},
		"no SNS records":               {`{"Records":null}`, "Records has 0 entries, not one"},
		"SNS, but no alarm":            {`{"Records":[{"Sns":{"Message":"hello"}}]}`, "the SNS message is not a CloudWatch alarm"},
		"SNS, an empty message":        {`{"Records":[{"Sns":{"Message":"{}"}}]}`, `it has no "AlarmName" or no "NewStateValue"`},
		"another service's event":      {`{"detail-type":"CloudWatch Alarm State Change","source":"mine","resources":["a"],"detail":{}}`, `its source is "mine"`},
		"another event of CloudWatch":  {`{"detail-type":"x","source":"aws.cloudwatch","resources":["a"],"detail":{}}`, `detail-type "x" is not`},
		"EventBridge without an alarm": {`{"detail-type":"CloudWatch Alarm State Change","source":"aws.cloudwatch","detail":{}}`, "resources has 0 entries"},
		"EventBridge without detail":   {`{"detail-type":"CloudWatch Alarm State Change","source":"aws.cloudwatch","resources":["a"]}`, "detail"},
		"a state of its own":           {`{"alarmData":{"alarmName":"a","state":{"value":"\u001b[31mALARM"}}}`, `state "\x1b[31mALARM" is none that CloudWatch has`},
		"no name":                      {`{"alarmData":{"state":{"value":"ALARM"}}}`, "it has no alarm name"},
		"no timestamp":                 {`{"alarmData":{"alarmName":"a","state":{"value":"ALARM"}}}`, "it has no state timestamp"},
		"a timestamp that is a number": {`{"alarmData":{"alarmName":"a","state":{"value":"ALARM","timestamp":17}}}`, "a time is text, not"},

		"an injection for a bucket":  {manual("bucket", `"x' OR 1=1 --"`), `nightlatch.investigate.bucket: "x' OR 1=1 --" is not the name of a bucket`},
		"a bucket with a line break": {manual("bucket", `"abc\n"`), `"abc\n" is not the name of a bucket`},
		"no bucket":                  {manual("bucket", `""`), `"" is not the name of a bucket`},
		"an unknown field":           {manual("key", `"AKIAIOSFODNN7EXAMPLE"`), `unknown field "key"`},
		"negative bytes":             {manual("bytes", "-1"), "nightlatch.investigate.bytes: -1 is negative"},
		"too many bytes":             {manual("bytes", "1e400"), "cannot unmarshal number"},
		"bytes as long as a book":    {manual("bytes", strings.Repeat("9", 500_000)), "cannot unmarshal number"},
		"a fraction of a byte":       {manual("bytes", "1.5"), "cannot unmarshal number"},
		"a window that runs back":    {manual("to", `"2026-03-04T00:00:00Z"`), "nightlatch.investigate.to: the window ends before it begins"},
		"an empty window":            {manual("to", `"2026-03-04T00:01:00Z"`), "the window ends before it begins"},
		"a window that is too long":  {manual("to", `"2026-03-05T00:01:01Z"`), "the window is 24h0m1s long, more than 24h0m0s"},
		"a year 1":                   {manual("from", `"0001-01-01T00:00:00Z"`), "from and to lie between the years 2006 and 9998"},
		"a year 99999":               {manual("to", `"99999-01-01T00:00:00Z"`), `nightlatch.investigate.to: "99999-01-01T00:00:00Z" is not a time`},
		"a year 10000 by its zone":   {manual("to", `"9999-12-31T23:59:59-12:00"`), "from and to lie between the years 2006 and 9998"},
		"a time in words":            {manual("from", `"midnight"`), `nightlatch.investigate.from: "midnight" is not a time`},
		"a key that is no key":       {manual("access_key_id", `"AKIA; rm -rf"`), `nightlatch.investigate.access_key_id: "AKIA; rm -rf" is not an access key id`},
		"a second field":             {`{"nightlatch":{"advance":{"incident":"a"}},"x":1}`, `a manual event has the one field "nightlatch"`},
		"both questions":             {`{"nightlatch":{"advance":{"incident":"a"},"investigate":{"bucket":"abc"}}}`, `give "investigate", "advance" or "copies", one of them`},
		"neither question":           {`{"nightlatch":null}`, `give "investigate", "advance" or "copies", one of them`},
		"a word":                     {`{"nightlatch":"investigate"}`, "nightlatch: json: cannot unmarshal string"},
		"an incident's id from hell": {`{"nightlatch":{"advance":{"incident":"../../x\u202e"}}}`, `nightlatch.advance.incident: "../../x\u202e" is not an incident's id`},
		"an incident's id too long":  {`{"nightlatch":{"advance":{"incident":"` + strings.Repeat("a", 41) + `"}}}`, "is not an incident's id"},
		"a hostile field":            {`{"nightlatch":{"\u202e\u001b[2J":1}}`, `unknown field "\u202e\x1b[2J"`},
		"a field as long as a book":  {`{"nightlatch":{"` + strings.Repeat("x", 500_000) + `":1}}`, "unknown field"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(c.event))
			check(t, got, err)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse = %+v, %v, want an error with %s", got, err, c.want)
			}
		})
	}
}

func hundred() string {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "%q:1,", fmt.Sprint(i))
	}
	return b.String()
}

func TestParseRefusesHostileAlarms(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"a bucket that is a query": {func(e map[string]any) {
			m := in(e, "alarmData", "configuration")["metrics"].([]any)[0].(map[string]any)
			in(m, "metricStat", "metric", "dimensions")["BucketName"] = "x') or (1=1"
		}, `alarm event: "x') or (1=1" is not the name of a bucket`},
		"a transition of the year 1": {func(e map[string]any) { in(e, "alarmData", "state")["timestamp"] = "0001-01-01T00:00:00.000+0000" },
			"it has no state timestamp"},
		"a transition of the year 2":     {func(e map[string]any) { in(e, "alarmData", "state")["timestamp"] = "0002-01-01T00:00:00.000+0000" }, "is no time of ours"},
		"a transition of the year 9999":  {func(e map[string]any) { in(e, "alarmData", "state")["timestamp"] = "9999-12-31T23:59:59.999+0000" }, "is no time of ours"},
		"a transition of the year 99999": {func(e map[string]any) { in(e, "alarmData", "state")["timestamp"] = "99999-01-01T00:00:00.000+0000" }, "is not a time"},
		"reasonData that is text":        {func(e map[string]any) { in(e, "alarmData", "state")["reasonData"] = "see above" }, "alarm event: reasonData: "},
		"reasonData that is a list": {func(e map[string]any) { in(e, "alarmData", "state")["reasonData"] = "[]" },
			"alarm event: reasonData: "},
		"a threshold beyond numbers": {func(e map[string]any) { in(e, "alarmData", "state")["reasonData"] = `{"threshold":1e400}` }, "reasonData: "},
		"metrics that are an object": {func(e map[string]any) { in(e, "alarmData", "configuration")["metrics"] = map[string]any{} }, "cannot unmarshal object"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(edit(t, "alarms/direct-metric.json", c.change))
			check(t, got, err)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse = %+v, %v, want an error with %s", got, err, c.want)
			}
		})
	}
	for name, c := range map[string]struct {
		points []string
		want   string
	}{
		"negative bytes": {[]string{point("2026-03-04T00:01:00Z", -1)}, "a datapoint is not a number of bytes at a time"},
		"more than there is": {[]string{point("2026-03-04T00:01:00Z", "4.7e18")},
			"a datapoint is not a number of bytes at a time"},
		"a sum that overflows": {[]string{point("2026-03-04T00:01:00Z", "4e18"), point("2026-03-04T00:02:00Z", "4e18")},
			"its datapoints add up to more than can be counted"},
		"beyond numbers":    {[]string{point("2026-03-04T00:01:00Z", "1e400")}, "reasonData: "},
		"no time":           {[]string{`{"value":500}`}, "a datapoint is not a number of bytes at a time"},
		"the year 1":        {[]string{point("0001-01-01T00:00:00Z", 500)}, "a datapoint is not a number of bytes at a time"},
		"the year 99999":    {[]string{point("99999-01-01T00:00:00Z", 500)}, "is not a time"},
		"years apart":       {[]string{point("2020-03-04T00:01:00Z", 500), point("2026-03-04T00:01:00Z", 500)}, "more than the 168h0m0s that an alarm evaluates"},
		"a week and a tick": {[]string{point("2026-02-25T00:00:00Z", 500), point("2026-03-04T00:00:01Z", 500)}, "its datapoints are 168h0m1s apart"},
		"centuries apart":   {[]string{point("2020-03-04T00:01:00Z", 500), point("9998-03-04T00:01:00Z", 500)}, "more than the 168h0m0s that an alarm evaluates"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(withPoints(t, c.points...))
			check(t, got, err)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse = %+v, %v, want an error with %s", got, err, c.want)
			}
		})
	}
}

func TestParseKeepsItsHeadOverHugeLists(t *testing.T) {
	var many []string
	for range 9000 {
		many = append(many, point("2026-03-04T00:01:00Z", 500))
	}
	got, err := Parse(withPoints(t, many...))
	check(t, got, err)
	if err != nil || len(got.Alarm.Points) != 1 || *got.Alarm.Bytes != 500 {
		t.Errorf("Parse(one datapoint, 9,000 times) = %+v, %v", got.Alarm, err)
	}
	deep := strings.Repeat(`{"a":`, 200_000) + "1" + strings.Repeat("}", 200_000)
	got, err = Parse([]byte(deep))
	check(t, got, err)
	if err == nil {
		t.Errorf("Parse(a tower of objects) = %+v", got)
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(shared, "alarms", "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, seed := range []string{
		`{"nightlatch":{"investigate":{"bucket":"abc","from":"2026-03-04T00:01:00Z","to":"2026-03-04T00:03:00Z","bytes":1}}}`,
		`{"nightlatch":{"advance":{"incident":"20260304-000341-0123456789abcdef"}}}`,
		`{"alarmData":{"alarmName":"a","state":{"value":"ALARM","timestamp":"2026-03-04T00:03:41.431+0000","reasonData":"{\"period\":604800}"},` +
			`"alarmContributor":{"id":"1","attributes":{"BucketName":"abc"}}}}`,
		`{"AlarmName":"a","NewStateValue":"ALARM","StateChangeTime":"2026-03-04T00:03:41.431+0000","Trigger":{"Metrics":[{"Expression":` +
			`"SELECT SUM(BytesDownloaded) FROM \"AWS/S3\"","Period":1e300}]}}`,
		`{"detail-type":"CloudWatch Alarm Configuration Change","source":"aws.cloudwatch"}`, `null`, `[]`, `{"Records":[null]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		got, err := Parse(event)
		check(t, got, err)
		again, err2 := Parse(event)
		if (err == nil) != (err2 == nil) || (got.Alarm != nil && got.Alarm.ID() != again.Alarm.ID()) {
			t.Errorf("Parse says two things of one event: %+v, %v and %+v, %v", got, err, again, err2)
		}
	})
}
