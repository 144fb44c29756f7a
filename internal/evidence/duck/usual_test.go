package duck

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// However a table is kept, it is what DuckDB makes of it, and so is each of its members.
func TestTablesOfUsualMembers(t *testing.T) {
	tables := []string{
		`{"bucketName":"b","key":"k"}`, `{"bucketName":"b","Host":"h","key":"k"}`, `{"Host":"h","bucketName":"b"}`, `{"bucketName":"b"}`, `{"key":"k"}`, `{"key":"k","bucketName":"b"}`,
		`{"bucketName":"b","key":null}`, `{"bucketName":null,"key":"k"}`, `{"bucketName":"b","key":["x",{"y":1}]}`, `{"bucketName":"b","key":true}`, `{"bucketName":7,"key":1e3}`,
		`{"bucketName":"b","key":-7}`, `{"bucketName":"b","key":2356.0}`, `{"bucketName":"b","key":12345678901234567890123}`, `{"bucketName":"b","key":1e400}`, `{"bucketName":"","key":""}`,
		`{"bucketName":"b","key":"k","versionId":"v"}`, `{"versionId":"v","bucketName":"b","key":"k"}`, `{"bucketName":"b","key":"\"\\\u00e9\ud83d\ude00\u0000é"}`, `{}`, `{"Host":"h"}`, `null`, `17`, `"x"`, `[]`,
		`{ "bucketName" : "b" , "key" : "k" }`, `{"bucketname":"b","key":"k"}`,
	}
	var all []string
	for _, name := range []string{"requestParameters", "additionalEventData"} {
		for _, table := range tables {
			if name == "additionalEventData" {
				table = strings.NewReplacer("bucketName", "AuthenticationMethod", "key", "bytesTransferredOut", "Host", "CipherSuite").Replace(table)
			}
			all = append(all, fmt.Sprintf(`"%s":%s`, name, table))
		}
	}
	const usual, other = `"requestParameters":{"bucketName":"b","key":"k"}`, `"requestParameters":{"bucketName":"c","x":"y"}`
	all = append(all, usual+","+other, other+","+usual, usual+`,"requestParameters":{"bucketName":"d"}`, `"requestParameters":null,`+usual, usual+`,"requestParameters":null`,
		`"requestParameters_bucketName":"z","requestparameters_key":"z"`, other+`,"requestParameters_bucketName":"z","requestParameters_key":"z"`)
	var records []string
	for i, of := range all {
		records = append(records, fmt.Sprintf(`{"eventID":"%d","eventSource":"s3.amazonaws.com","eventName":"GetObject",%s}`, i, of))
	}
	path := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(path, []byte(strings.Join(records, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Load(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	rows, err := e.query(t.Context(), `select eventid as id, cast(requestparameters as varchar) as requestparameters, cast(additionaleventdata as varchar) as additionaleventdata from events`)
	if err != nil || len(rows) != len(records) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	got := map[string]map[string]string{}
	for _, row := range rows {
		got[row["id"]] = row
	}
	for i, record := range records {
		for name, column := range map[string]string{"requestParameters": "requestparameters", "additionalEventData": "additionaleventdata"} {
			record := strings.NewReplacer(`"Host":"h",`, "", `"Host":"h"`, "", `"CipherSuite":"h",`, "", `"CipherSuite":"h"`, "").Replace(record)
			want, err := e.query(t.Context(), fmt.Sprintf(`select cast(json_transform(%s, '{"%s":"MAP(VARCHAR, VARCHAR)"}')."%s" as varchar) as v`, quote(record), name, name))
			if err != nil {
				t.Fatal(err)
			}
			if g := got[fmt.Sprint(i)][column]; g != want[0]["v"] {
				t.Errorf("of %s, %s is %s, want %s", record, column, g, want[0]["v"])
			}
		}
	}
	schema := e.schema(t.Context())
	for key, is := range map[string]string{"bucketName": schema.Parameter("bucketName"), "key": schema.Parameter("key"), "x": schema.Parameter("x"), "versionId": schema.Parameter("versionId")} {
		differ, err := e.query(t.Context(), fmt.Sprintf("select eventid as id, %[1]s as is, requestparameters[%[2]s] as was from asked where %[1]s is distinct from requestparameters[%[2]s]", is, quote(key)))
		if err != nil || len(differ) > 0 {
			t.Errorf("what stands under %s: %v, %v", key, differ, err)
		}
	}
}
