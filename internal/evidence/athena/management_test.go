package athena_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
)

// Who moved the bytes is asked of the first trail alone, so that it is known where the other one's files cannot be read. What needs management events is
// asked of both, and not without the other.
func TestAnotherTrailIsAskedForWhatItHas(t *testing.T) {
	const archive = "s3://archive/o-abcdefghij/AWSLogs/o-abcdefghij/"
	at := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	bytes := evidence.Bytes{Windows: []evidence.Window{{ID: "a", Buckets: []string{"exports"}, From: at, To: at.Add(time.Minute)}}}
	since := evidence.Since{KeyIDs: []string{"AKIAEXAMPLESTOLEN001"}, From: at, To: at.Add(time.Hour)}
	server := athenatest.New(table, func(string) ([]map[string]string, int64, error) { return rowsOf(1), 1000, nil })
	t.Cleanup(server.Close)
	cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: aws.String(server.URL()), Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")}
	trail, err := athena.New(cfg, athena.Settings{Table: table, Management: archive})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trail.Ask(t.Context(), bytes); err != nil {
		t.Errorf("without the other table: %v", err)
	}
	_, err = trail.Ask(t.Context(), since)
	says(t, err, "nightlatch.management")
	server.Also(athena.ManagementTable, athena.Table{Location: "s3://his/AWSLogs/", Accounts: table.Accounts})
	_, err = trail.Ask(t.Context(), since)
	says(t, err, "the table nightlatch.management is not what nightlatch deployed", "s3://his/AWSLogs/")
	server.Also(athena.ManagementTable, athena.Table{Location: archive, Accounts: table.Accounts})
	if _, err := trail.Ask(t.Context(), since); err != nil {
		t.Errorf("with both tables: %v", err)
	}
	var sql []string
	for _, q := range server.Queries() {
		sql = append(sql, q.SQL)
	}
	const other = `from "nightlatch"."management"`
	if len(sql) != 2 || strings.Contains(sql[0], other) || strings.Count(sql[1], other) != 1 || strings.Count(sql[1], "where day between '2026/03/03' and '2026/03/07'") != 2 {
		t.Errorf("asked was %q", sql)
	}
	if _, err := athena.New(cfg, athena.Settings{Table: table, Management: "s3://archive/"}); err == nil || !strings.Contains(err.Error(), `"s3://archive/" is not where a trail's files lie`) {
		t.Errorf("got %v", err)
	}
}
