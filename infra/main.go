// Command infra is the CDK app: it synthesizes the stack that watches the buckets and answers their alarms.
//
//	npx cdk deploy -c buckets=a,b -c trail=create -c email=soc@example.com
//
// What is in the stack, and with which rights, stands in the files beside this one; what may be set, in settings.go.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
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
	// The command line looks up whose credentials it has; without any, nothing is known.
	// https://docs.aws.amazon.com/cdk/v2/guide/environments.html
	plan, err := planned(context, os.Getenv("CDK_DEFAULT_ACCOUNT"), os.Getenv("CDK_DEFAULT_REGION"))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "nightlatch-code-")
	if err != nil {
		return fmt.Errorf("making a directory for the functions' code: %v", err)
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(os.Stderr, "Nightlatch: compiling the functions for arm64, a minute the first time")
	if err := buildAll(".", dir, functionsOf(plan)); err != nil {
		return err
	}
	plan.warn(os.Stderr)
	fmt.Fprint(os.Stderr, plan.costs())
	fmt.Fprintln(os.Stderr, "Nightlatch: writing the templates")
	said := time.Now()
	for i, s := range plan {
		if now := time.Now(); i > 0 && now.Sub(said) > 2*time.Second {
			fmt.Fprintf(os.Stderr, "Nightlatch: %d of %d are written\n", i, len(plan))
			said = now
		}
		if err := synthesizeOne(app, s, dir); err != nil {
			return err
		}
	}
	app.Synth(nil)
	return nil
}

// synthesizeOne puts one stack into the app, with code that lies for as long as that takes in a directory of its own.
func synthesizeOne(app awscdk.App, s Settings, built string) error {
	dir := filepath.Join(built, s.name())
	defer os.RemoveAll(dir)
	c, err := s.code(built, dir)
	if err != nil {
		return fmt.Errorf("writing what lies beside the functions: %v", err)
	}
	_, err = newStack(app, s, c)
	return err
}
