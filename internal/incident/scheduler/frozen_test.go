package scheduler

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
)

// frozenSchedule is what 1bf196e sent to be called about all open incidents: whichever build a schedule calls understands the other's, and
// two builds that ask for the same minute make one schedule.
const frozenSchedule = `{
  "path": "/schedules/desk.202603040009",
  "body": {
    "ActionAfterCompletion": "DELETE",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "GroupName": "nightlatch",
    "ScheduleExpression": "at(2026-03-04T00:09:00)",
    "ScheduleExpressionTimezone": "UTC",
    "Target": {
      "Arn": "arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-responder",
      "DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-west-1:111122223333:failed"},
      "Input": "{\"nightlatch\":{\"advance\":{\"incident\":\"desk\"}}}",
      "RetryPolicy": {"MaximumEventAgeInSeconds": 900, "MaximumRetryAttempts": 185},
      "RoleArn": "arn:aws:iam::111122223333:role/Nightlatch-wakes"
    }
  }
}`

func TestTheScheduleOfAnEarlierBuild(t *testing.T) {
	got := map[string]any{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		var body map[string]any
		if err == nil {
			err = json.Unmarshal(text, &body)
		}
		if err != nil {
			t.Error(err)
		}
		delete(body, "ClientToken") // each call has its own
		got["path"], got["body"] = r.URL.Path, body
		io.WriteString(w, `{"ScheduleArn":"arn:aws:scheduler:eu-west-1:111122223333:schedule/nightlatch/desk.202603040009"}`)
	}))
	defer srv.Close()
	if err := newScheduler(t, awstest.Config(srv.URL)).Schedule(t.Context(), "desk", now.Add(5*time.Minute)); err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal([]byte(frozenSchedule), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the schedule of 1bf196e -, now +:\n%s", diff)
	}
}
