// Command infra is the CDK app: it synthesizes the stack that watches the buckets and answers their alarms.
//
//	npx cdk deploy -c buckets=a,b -c trail=create -c email=soc@example.com
//
// What is in the stack, and with which rights, stands in the files beside this one; what may be set, in settings.go.
package main

import (
	"fmt"
	"io"
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
	if err := plan.into(app, dir, os.Stderr); err != nil {
		return err
	}
	app.Synth(nil)
	return nil
}

// into puts the stacks into the app, with the code that was built, and says how far it is.
func (p plan) into(app awscdk.App, built string, progress io.Writer) error {
	said := time.Now()
	for i, s := range p.stacks {
		if now := time.Now(); now.Sub(said) > 2*time.Second {
			fmt.Fprintf(progress, "Nightlatch: %d of %d are written\n", i, len(p.stacks))
			said = now
		}
		if err := within(built, s.name(), func(dir string) error {
			c, err := s.code(built, dir)
			if err == nil {
				_, err = newStack(app, s, c)
			}
			return err
		}); err != nil {
			return err
		}
	}
	if p.hub == nil {
		return nil
	}
	return within(built, hubName, func(dir string) error {
		c, err := p.hub.code(built, dir)
		if err == nil {
			_, err = newHub(app, *p.hub, c)
		}
		return err
	})
}

// within lends a stack a directory for its functions' code, for as long as the CDK takes to copy it.
func within(built, stack string, do func(dir string) error) error {
	dir := filepath.Join(built, stack)
	defer os.RemoveAll(dir)
	if err := do(dir); err != nil {
		return fmt.Errorf("writing the stack %s: %v", stack, err)
	}
	return nil
}
