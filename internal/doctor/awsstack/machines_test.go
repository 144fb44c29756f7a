package awsstack

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/doctor"
)

// The report is waited for, and read by the names of its columns: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
func TestUsersAreReadFromTheCredentialReport(t *testing.T) {
	const columns = "user,arn,user_creation_time,password_enabled,password_last_used,mfa_active,access_key_1_active,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service"
	report, asked := "", 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		action := r.Form.Get("Action")
		answer := "<Content>" + base64.StdEncoding.EncodeToString([]byte(report)) + "</Content>"
		if asked++; action == "GenerateCredentialReport" {
			answer = map[bool]string{true: "<State>STARTED</State>", false: "<State>COMPLETE</State>"}[asked == 1]
		}
		fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, answer)
	}))
	defer server.Close()
	r, err := New(awstest.Config(server.URL), "Nightlatch")
	if err != nil {
		t.Fatal(err)
	}
	report = strings.Join([]string{columns,
		"<root_account>,arn:aws:iam::111122223333:root,2020-01-01T00:00:00+00:00,not_supported,no_information,true,true,2026-11-30T10:00:00+00:00,eu-west-1,s3,false,N/A,N/A,N/A",
		"etl,arn:aws:iam::111122223333:user/jobs/etl,2020-01-01T00:00:00+00:00,false,N/A,false,true,2026-11-30T10:00:00+00:00,eu-west-1,s3,false,N/A,N/A,N/A",
		"ann,arn:aws:iam::111122223333:user/ann,2020-01-01T00:00:00+00:00,true,no_information,true,false,N/A,N/A,N/A,false,N/A,N/A,N/A", ""}, "\n")
	got, err := r.Users(t.Context())
	want := []doctor.UserKeys{
		{Name: "etl", ARN: "arn:aws:iam::111122223333:user/jobs/etl", Keys: []doctor.KeyUse{{Active: true, Used: time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC), Service: "s3"}, {Service: "N/A"}}},
		{Name: "ann", ARN: "arn:aws:iam::111122223333:user/ann", Password: true, Keys: []doctor.KeyUse{{Service: "N/A"}, {Service: "N/A"}}},
	}
	if diff := cmp.Diff(got, want); err != nil || diff != "" || asked != 3 {
		t.Errorf("%v, %d calls: got -, want +:\n%s", err, asked, diff)
	}
	for _, report = range []string{"", "<html>", columns + "\nx", "user,arn\nx,y\n"} {
		if got, err := r.Users(t.Context()); len(got) > 0 || err == nil || !strings.Contains(err.Error(), "the answer is not AWS's") {
			t.Errorf("%q: %v, %v", report, got, err)
		}
	}
}
