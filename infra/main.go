// Command infra is the CDK app: it synthesizes the stack that watches the buckets and answers their alarms.
//
//	npx cdk deploy -c buckets=a,b -c trail=create -c email=soc@example.com
//
// What is in the stack, and with which rights, stands in the files beside this one; what may be set, in settings.go.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/notify"
	"nightlatch/internal/settings"
)

func main() {
	err := synthesize()
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch:", strings.ReplaceAll(err.Error(), "\n", "\nnightlatch: "))
	}
	// Everything has been said: closing would print that the runtime "exited abnormally", because jsii waits for it twice.
	os.Stderr = nil
	jsii.Close()
	if err != nil {
		os.Exit(1)
	}
}

// synthesize writes the cloud assembly to where the CDK's command line, which starts this program, wants it.
func synthesize() error {
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	context, _ := app.Node().GetAllContext(nil).(map[string]any)
	s, err := Read(context)
	if err != nil {
		return err
	}
	// The command line looks up whose credentials it has; without any, nothing is known.
	// https://docs.aws.amazon.com/cdk/v2/guide/environments.html
	if err := s.deployTo(os.Getenv("CDK_DEFAULT_ACCOUNT"), os.Getenv("CDK_DEFAULT_REGION")); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "nightlatch-code-")
	if err != nil {
		return fmt.Errorf("making a directory for the functions' code: %v", err)
	}
	defer os.RemoveAll(dir)
	c := code{filepath.Join(dir, "responder"), filepath.Join(dir, "approver"), filepath.Join(dir, "enroller"), filepath.Join(dir, "notices"), filepath.Join(dir, "doctor"), filepath.Join(dir, "cutter"), filepath.Join(dir, "keeper"), filepath.Join(dir, "rehearser"), filepath.Join(dir, "canary")}
	fmt.Fprintln(os.Stderr, "Nightlatch: compiling the functions for arm64, a minute the first time")
	packages, withBuckets := []string{"./lambdas/responder", "./lambdas/approver", "./lambdas/enroller", "./lambdas/notices", "./lambdas/doctor", "./lambdas/keeper"}, []string{c.enroller, c.responder, c.notices}
	if s.cuts() {
		packages, withBuckets = append(packages, "./lambdas/cutter"), append(withBuckets, c.cutter)
	}
	telling := []string{c.responder, c.approver, c.enroller, c.notices, c.doctor}
	if s.Canary != "" {
		packages, telling = append(packages, "./lambdas/rehearser", "./lambdas/canary"), append(telling, c.rehearser)
	}
	if err := build(".", dir, packages...); err != nil {
		return err
	}
	watched, err := json.Marshal(s.watched())
	for _, beside := range withBuckets {
		if err == nil {
			err = os.WriteFile(filepath.Join(beside, settings.WatchedFile), watched, 0o644)
		}
	}
	for file, addresses := range map[string][]string{notify.EndpointsFile: s.Email, notify.WatchersFile: s.watching()} {
		heard, failed := json.Marshal(endpoints(addresses))
		err = errors.Join(err, failed)
		for _, beside := range telling {
			if err == nil {
				err = os.WriteFile(filepath.Join(beside, file), heard, 0o644)
			}
		}
	}
	if err == nil {
		err = s.writePolicy(c.responder, c.doctor)
	}
	if err != nil {
		return fmt.Errorf("writing what lies beside the functions: %v", err)
	}
	if lacks := s.policyLacks(); lacks != "" {
		fmt.Fprintln(os.Stderr, lacks)
	}
	if len(s.Watchers) == 0 {
		fmt.Fprintln(os.Stderr, noWatchers)
	}
	if said := s.administrates(); said != "" {
		fmt.Fprintln(os.Stderr, said)
	}
	fmt.Fprintln(os.Stderr, "Nightlatch: writing the templates")
	if _, err := newStack(app, s, c); err != nil {
		return err
	}
	app.Synth(nil)
	return nil
}

// writePolicy puts the policy beside who decides by it, and beside who checks it with its cases.
func (s Settings) writePolicy(responder, doctor string) error {
	for _, dir := range []string{responder, doctor} {
		if err := os.WriteFile(filepath.Join(dir, settings.PolicyFile), s.PolicyText, 0o644); err != nil {
			return err
		}
	}
	if s.PolicyCases == nil {
		return nil
	}
	return os.WriteFile(filepath.Join(doctor, settings.CasesFile), s.PolicyCases, 0o644)
}
