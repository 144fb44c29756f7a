package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/approval"
	"nightlatch/internal/awstest"
)

// deployed is the function's environment, with changes: "NAME=value", or "NAME=" to take one away.
func deployed(changes ...string) []string {
	env := map[string]string{
		"EVENT_DATA_STORE": "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e",
		"TOPIC":            "arn:aws:sns:eu-west-1:111122223333:nightlatch", "ACCOUNTS": "111122223333", "RESPONDER": "Nightlatch-Responder-x1",
		"TABLE": "Nightlatch-kept", "SCHEDULE_GROUP": "Nightlatch", "SCHEDULE_ROLE": "arn:aws:iam::111122223333:role/Nightlatch-kept",
		"DEAD_LETTERS": "arn:aws:sqs:eu-west-1:111122223333:failed",
	}
	for _, c := range changes {
		name, value, _ := strings.Cut(c, "=")
		if env[name] = value; value == "" {
			delete(env, name)
		}
	}
	var all []string
	for name, value := range env {
		all = append(all, "NIGHTLATCH_"+name+"="+value)
	}
	return all
}

func TestTheApproverIsBuiltOfItsEnvironment(t *testing.T) {
	cfg := awstest.Config("http://127.0.0.1:1")
	a, err := build(cfg, deployed("MODE=act", "EPOCH=g2"))
	if err != nil {
		t.Fatal(err)
	}
	d, ok := a.decisions.(*approval.Approval)
	if !ok || d.Mode != "act" || d.Generation != "g2" || !d.Ours["111122223333"] || len(d.Channels) != 1 || d.Store == nil || d.Scheduler == nil || d.Account == nil ||
		d.Investigation == nil || a.prover == nil {
		t.Errorf("got %+v", a)
	}
	for change, want := range map[string]string{
		"TABLE=": "NIGHTLATCH_TABLE is missing", "MODE=kill": `NIGHTLATCH_MODE is "kill"`, "TOPIC=nobody": "NIGHTLATCH_TOPIC",
	} {
		if _, err := build(cfg, deployed(change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", change, err, want)
		}
	}
	if _, err := build(aws.Config{Region: "eu-west-1"}, deployed()); err == nil {
		t.Error("without credentials: got no error")
	}
}
