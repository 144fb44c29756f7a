package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
	"nightlatch/internal/policy"
	"nightlatch/internal/version"
)

// The line is given to a shell, in which aws only prints what it was given (lambdas/responder puts the real one to it); the payload is
// read by the responder's own code.
func TestTheTestEventWorksAsPrinted(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "aws"), []byte("#!/bin/sh\nprintf '%s\\n' \"$@\"\ncat\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for buckets, bucket := range map[string]string{"a-bucket,b-bucket": "a-bucket", "*": "nightlatch-test", "*,logs": "logs"} {
		cmd := exec.Command("sh", "-c", synth(t, "buckets", buckets).output(t, "TestEvent"))
		cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		args := strings.Split(strings.TrimSpace(string(out)), "\n")
		want := []string{"lambda", "invoke", "--region", "eu-west-1", "--function-name", "Nightlatch-Responder-x1", "--cli-read-timeout", "900",
			"--payload", "fileb:///dev/stdin", "/dev/stdout"}
		payload := args[len(args)-1]
		if diff := cmp.Diff(args[:len(args)-1], want); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
		event, err := alarm.Parse([]byte(payload))
		if err != nil || event.Alarm == nil || !cmp.Equal(event.Alarm.Buckets, []string{bucket}) || event.Alarm.To.Sub(event.Alarm.From) != 5*time.Minute {
			t.Errorf("%s: the responder reads %+v, %v", payload, event, err)
		}
	}
}

func TestOutputs(t *testing.T) {
	tpl := synth(t)
	for name, want := range map[string]string{"FunctionName": "Nightlatch-Responder-x1", "TopicArn": aTopic, "WatchTopicArn": aWatch, "FailedEventsUrl": "Nightlatch-FailedEvents-x1", "Version": version.Release,
		"PolicySha256": fmt.Sprintf("%x", sha256.Sum256(policy.ShippedText()))} {
		if got := tpl.output(t, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
