package main

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"nightlatch/internal/approval"
	"nightlatch/internal/incident"
	"nightlatch/internal/settings"
)

// What the approver notifies the team of says where that was.
func TestWhatIsBuilt(t *testing.T) {
	s := settings.Approver{Function: "Nightlatch-Responder-x1", Responder: settings.Responder{
		Evidence: settings.Lake, EventDataStore: "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e",
		Topic: "arn:aws:sns:eu-west-1:111122223333:team", Accounts: []string{"111122223333", "444455556666"}, Table: "Nightlatch-incidents",
		ScheduleGroup: "Nightlatch", ScheduleRole: "arn:aws:iam::111122223333:role/Nightlatch-wakes", DeadLetters: "arn:aws:sqs:eu-west-1:111122223333:failed",
	}}
	var environ []string
	for name, value := range s.Environ() {
		environ = append(environ, name+"="+value)
	}
	a, err := build(aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIA", "x", "")}, environ)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := a.decisions.(*approval.Approval).Place, (incident.Place{AccountID: "111122223333", Region: "eu-west-1"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
