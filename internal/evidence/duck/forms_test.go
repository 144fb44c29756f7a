package duck

import (
	"fmt"
	"strings"
	"testing"

	"nightlatch/internal/evidence"
)

func TestForms(t *testing.T) {
	a, b, c := event("a"), event("b"), event("c")
	pretty := strings.ReplaceAll(strings.ReplaceAll(c, ",", ",\n  "), "{", "{\n  ")
	for name, content := range map[string]string{
		"records":            records(a, b, c),
		"records not first":  `{"note":{"Records":1},"Records":[` + a + "," + b + "," + c + `]}`,
		"several records":    records(a) + "\n" + records(b) + records(c),
		"an empty one":       records() + records(a, b, c),
		"lines":              lines(a, b, c),
		"lines without end":  a + "\n" + b + "\n\n" + c,
		"lines of Windows":   a + "\r\n" + b + "\r\n" + c + "\r\n",
		"pretty objects":     a + "\n" + pretty + "\n" + b,
		"list":               "[" + a + ",\n" + b + "," + pretty + "]\n",
		"several lists":      "[" + a + "]\n[" + b + "][" + c + "]",
		"list in a list":     "[" + a + "," + b + "]" + c,
		"byte order mark":    "\xef\xbb\xbf" + records(a, b, c),
		"mark and lines":     "\xef\xbb\xbf" + lines(a, b, c),
		"mark and list":      "\xef\xbb\xbf[" + a + "," + b + "," + c + "]",
		"null among records": records("null", a, b, c),
		"lines of records":   lines(records(a), records(b, c)),
		"list, then record":  lines(records(a, b), c),
		"record, then list":  lines(a, records(b, c)),
	} {
		for _, zipped := range []bool{false, true} {
			content := content
			if zipped {
				content = zip(content)
			}
			dir := t.TempDir()
			write(t, dir, "x.json", content)
			e := loaded(t, dir)
			got := ask(t, e, "SELECT eventid FROM events ORDER BY 1")
			t.Run(name, func(t *testing.T) {
				same(t, got, []evidence.Row{{"eventid": "a"}, {"eventid": "b"}, {"eventid": "c"}})
				same(t, lost(t, e), []string(nil))
			})
		}
	}
}

// TestLakeSchema compares with
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-supported-event-schemas.html
func TestLakeSchema(t *testing.T) {
	got := ask(t, open(t, Settings{}), `SELECT lower(column_name) AS name, lower(data_type) AS type FROM information_schema.columns
		WHERE table_name = 'events' ORDER BY ordinal_position`)
	var text []string
	for _, row := range got {
		text = append(text, row["name"]+" "+strings.ReplaceAll(row["type"], `"`, ""))
	}
	issuer := "struct(type varchar, principalid varchar, arn varchar, accountid varchar, username varchar)"
	same(t, text, []string{
		"eventversion varchar",
		"useridentity struct(type varchar, principalid varchar, arn varchar, accountid varchar, accesskeyid varchar, username varchar, " +
			"sessioncontext struct(attributes struct(creationdate timestamp, mfaauthenticated varchar), sessionissuer " + issuer + ", " +
			"webidfederationdata struct(federatedprovider varchar, attributes map(varchar, varchar)), " +
			"sourceidentity varchar, ec2roledelivery varchar, ec2issuedinvpc varchar), " +
			"onbehalfof struct(userid varchar, identitystorearn varchar), " +
			"inscopeof struct(sourcearn varchar, sourceaccount varchar, issuertype varchar, credentialsissuedto varchar), " +
			"invokedby varchar, identityprovider varchar)",
		"eventtime timestamp", "eventsource varchar", "eventname varchar", "awsregion varchar", "sourceipaddress varchar",
		"useragent varchar", "errorcode varchar", "errormessage varchar", "requestparameters map(varchar, varchar)",
		"responseelements map(varchar, varchar)", "additionaleventdata map(varchar, varchar)", "requestid varchar",
		"eventid varchar", "readonly boolean", "resources struct(accountid varchar, type varchar, arn varchar, arnprefix varchar)[]",
		"eventtype varchar", "apiversion varchar", "managementevent boolean", "recipientaccountid varchar",
		"sharedeventid varchar", "annotation varchar", "vpcendpointid varchar", "vpcendpointaccountid varchar",
		"serviceeventdetails map(varchar, varchar)", "addendum map(varchar, varchar)", "edgedevicedetails map(varchar, varchar)",
		"insightdetails map(varchar, varchar)", "eventcategory varchar",
		"tlsdetails struct(tlsversion varchar, ciphersuite varchar, clientprovidedhostheader varchar)",
		"sessioncredentialfromconsole varchar",
	})
}

// crooked is a record as no service should write it, and as some tool will. Half a surrogate pair has DuckDB refuse the file.
const crooked = `{"eventID":"x","eventName":"GetObject","eventSource":"s3.amazonaws.com","eventTime":"2023-07-10T11:42:36Z","eventVersion":1.08,
	"readOnly":"true","managementEvent":false,"userAgent":"half \ud800 a pair","unknownField":{"a":[1]},
	"userIdentity":{"type":"IAMUser","userName":null,"sessionContext":{"attributes":{"creationDate":"2023-07-10T10:00:00Z","mfaAuthenticated":true}}},
	"requestParameters":{"bucketName":"b","list":["x",1],"nested":{"k":"v"},"none":null,"flag":true},
	"responseElements":"hidden","additionalEventData":{"bytesTransferredOut":2356.0,"large":4294967296},
	"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/k"},{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::b"}]}`

func TestValues(t *testing.T) {
	straight := strings.NewReplacer(`\ud800`, "of", `"responseElements":"hidden"`, `"responseElements":null`).Replace(crooked)
	want := evidence.Row{"version": "1.08", "ro": "true", "management": "false", "kind": "IAMUser", "name": "",
		"signed_in": "2023-07-10 10:00:00.000", "mfa": "true", "bucket": "b", "list": `["x",1]`, "nested": `{"k":"v"}`,
		"none": "", "missing": "", "flag": "true", "response": "", "bytes": "2356.0", "total": "2356", "large": "4294967296",
		"object": "arn:aws:s3:::b/", "bucket_type": "AWS::S3::Bucket", "third": ""}
	for agent, content := range map[string]string{"half of a pair": straight, "half \uFFFD a pair": crooked} {
		for _, content := range []string{records(content), "[" + content + "]", content} {
			dir := t.TempDir()
			write(t, dir, "x.json", content)
			e := loaded(t, dir)
			want["agent"] = agent
			same(t, ask(t, e, `SELECT eventversion AS version, readonly AS ro, managementevent AS management, useragent AS agent,
				useridentity.type AS kind, useridentity.username AS name, useridentity.sessioncontext.attributes.creationdate AS signed_in,
				useridentity.sessioncontext.attributes.mfaauthenticated AS mfa,
				element_at(requestparameters, 'bucketName') AS bucket, element_at(requestparameters, 'list') AS list,
				element_at(requestparameters, 'nested') AS nested, element_at(requestparameters, 'none') AS none,
				element_at(requestparameters, 'missing') AS missing, element_at(requestparameters, 'flag') AS flag,
				element_at(responseelements, 'x') AS response, element_at(additionaleventdata, 'bytesTransferredOut') AS bytes,
				try_cast(element_at(additionaleventdata, 'bytesTransferredOut') AS double) AS total,
				element_at(additionaleventdata, 'large') AS large, element_at(resources, 1).arn AS object,
				element_at(resources, 2).type AS bucket_type, element_at(resources, 3).arn AS third FROM events`), []evidence.Row{want})
			same(t, lost(t, e), []string(nil))
		}
	}
}

// TestValuesThatNobodyWrites loads what no service writes, and somebody may: nothing of it stands in the way of the other records.
func TestValuesThatNobodyWrites(t *testing.T) {
	deep := strings.Repeat(`{"a":[`, 3000) + strings.Repeat("]}", 3000)
	for name, value := range map[string]string{
		"numbers": `[1e400,-0,0.1e-999,123456789012345678901234567890]`, "a zero": `"\u0000"`, "deep": deep, "lines": "[\n1\n]", "an object": `{"eventName":1}`, "long": `"` + strings.Repeat("x", 300<<10) + `"`,
		"surrogates": `"\ud83d\ude00 \ud83d"`, "a list": `["Records",[]]`, "empty": `{"":{"":""}}`,
	} {
		record := `{"eventID":"odd"`
		for _, f := range fields {
			if f.name != eventID {
				record += fmt.Sprintf(",%q:%s", f.name, value)
			}
		}
		for _, key := range []string{"requestParameters", "userIdentity", "additionalEventData"} {
			record = strings.Replace(record, fmt.Sprintf("%q:%s", key, value), fmt.Sprintf(`%q:{"":%[2]s,"bucketName":%[2]s,"\u0000":%[2]s,"arn":%[2]s,"sessionContext":{"attributes":{"creationDate":%[2]s}}}`, key, value), 1)
		}
		dir := t.TempDir()
		write(t, dir, "a.json", records(event("a"), record+"}", event("b")))
		write(t, dir, "b.json", lines(event("c"), strings.ReplaceAll(record, "\n", " ")+"}"))
		e := loaded(t, dir)
		if got := lost(t, e); e.Events() != 5 || len(got) > 4 {
			t.Errorf("%s: %d events, lost %.300q", name, e.Events(), got)
		}
	}
}

func TestMissingTimesAndIDs(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.json", records(
		`{"eventName":"A","eventTime":"2023-07-10T11:42:36Z"}`,
		`{"eventName":"B","eventID":"","@timestamp":"2023-07-10T11:42:37.000Z"}`,
		`{"eventName":"C","eventID":null,"eventTime":"yesterday"}`,
		`{"eventName":"D","eventID":"d","eventTime":"2023-07-10T11:61:00Z"}`,
		`{"eventName":"E","eventID":"e","eventTime":"infinity"}`,
		`{"eventName":"F","eventID":"f"}`,
		`{"eventVersion":"1.07","eventTime":"2023-07-10T11:42:36Z","eventID":"g","eventType":"AwsCloudTrailInsight"}`))
	e := loaded(t, dir)
	same(t, ask(t, e, `SELECT eventname AS name, eventtime AS at FROM events ORDER BY 1`), []evidence.Row{
		{"name": "A", "at": "2023-07-10 11:42:36.000"}, {"name": "B", "at": "2023-07-10 11:42:37.000"},
		{"name": "C", "at": ""}, {"name": "D", "at": ""}, {"name": "E", "at": ""}, {"name": "F", "at": ""}}) // an insight is no call
	same(t, ask(t, e, `SELECT count(*) AS n, count(DISTINCT eventid) AS ids FROM events WHERE eventid <> ''`), []evidence.Row{{"n": "6", "ids": "6"}})
	if got := lost(t, e); len(got) != 1 || !strings.Contains(got[0], "x.json\" holds 4 records without a readable eventTime") {
		t.Errorf("lost is %q", got)
	}
}

// TestLargerThanTheBuffers loads a list that is larger than what is held of it.
func TestLargerThanTheBuffers(t *testing.T) {
	const n = 100000
	dir := t.TempDir()
	all := events(n)
	write(t, dir, "large.json.gz", zip(records(all...)))
	write(t, dir, "small.json", records(event("small")))
	e := open(t, Settings{})
	if err := e.Load(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if e.Events() != n+1 || len(lost(t, e)) != 0 {
		t.Errorf("got %d events, lost %q", e.Events(), lost(t, e))
	}
}
