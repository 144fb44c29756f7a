// Command nightlatch answers an S3 BytesDownloaded alarm on this machine, with demo, respond and judge. The same responder runs as in the Lambda,
// over CloudTrail files and an account held in memory. They talk to no AWS account, and read no AWS configuration.
//
// The other commands are for the human whom a deployed Nightlatch has called. They show its incidents, approve what it asks, take back
// what it did, and lower its mode, with the human's own credentials.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"nightlatch/internal/containment"
	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
	"nightlatch/internal/version"
)

// cli is the command line.
type cli struct {
	Demo     demoCmd     `cmd:"" help:"Play the midnight: an account of a few hundred users, weeks of trail, a stolen key, and the responder that stops it. Nothing outside this machine is touched."`
	Respond  respondCmd  `cmd:"" help:"Answer an alarm from CloudTrail files: who took the bytes, and what would be done about it. Nothing outside this machine is touched."`
	Judge    judgeCmd    `cmd:"" help:"Play honest changes and thieves of many styles, and print the policy's decisions beside the truth. Nothing outside this machine is touched."`
	Backtest backtestCmd `cmd:"" help:"Say from CloudTrail files which alarms had fired, and what would have been done about each. Nothing outside this machine is touched."`

	Policy policyCmd `cmd:"" help:"Check and test a policy file. Nothing outside this machine is touched."`

	Incidents   incidentsCmd   `cmd:"" help:"List the latest incidents of a deployed Nightlatch, and what holds it back. Reads its table."`
	Deployments deploymentsCmd `cmd:"" help:"List the deployments of a file with version, mode, and how each differs from the file. Changes nothing."`
	Incident    incidentCmd    `cmd:"" help:"Show one incident of a deployed Nightlatch, with its steps. Reads its table."`
	Investigate investigateCmd `cmd:"" help:"Ask a deployed Nightlatch who read a bucket in some minutes, a bucket of another account too. Needs lambda:InvokeFunction on the responder."`
	Approve     approveCmd     `cmd:"" help:"Approve a step that Nightlatch asks about; then it does the step. Needs lambda:InvokeFunctionUrl and lambda:InvokeFunction on the approver."`
	Restore     restoreCmd     `cmd:"" help:"Take back a step that Nightlatch did, with your own rights in IAM, and have it ask about that key for a day."`
	Mode        modeCmd        `cmd:"" help:"Lower the mode of a deployed Nightlatch at once: observe or ask. Only a deployment raises it."`
	Notify      notifyCmd      `cmd:"" name:"test-notify" help:"Send a message that is marked as a test to every channel of a deployed Nightlatch, and say of each whether it took it."`
	Suspects    suspectsCmd    `cmd:"" help:"Go through the usual suspects of an incident: how its buckets may be open, what is missing, what its users may do. Reads with your own rights, and changes nothing."`
	Doctor      doctorCmd      `cmd:"" help:"Say whether a deployed Nightlatch would work tonight: what is broken, what could not be read, and how each is mended. Changes nothing."`

	Rehearse rehearseCmd `cmd:"" help:"Have a deployed Nightlatch rehearse: its canary takes enough for an alarm, the real chain answers, and the time of each stage is printed. Needs lambda:InvokeFunction on the function that rehearses. With --sandbox on this machine."`

	Version versionCmd `cmd:"" help:"Print the version of this program. A deployment's stands in its stack's output Version."`
}

// versionCmd prints which Nightlatch this is.
type versionCmd struct{}

// Run prints it, as a program's name and a number.
func (c *versionCmd) Run(s streams) error {
	_, err := fmt.Fprintln(s.out, "nightlatch", version.Release)
	return err
}

// streams are where a command reads and writes, and tmp is for what it has to write on the way.
type streams struct {
	in       io.Reader
	out, err io.Writer
	tmp      *scratch
}

// badInput is an error of the input, for exit code 2.
type badInput struct{ error }

func main() {
	os.Exit(attend(func(ctx context.Context, s streams) int { return run(ctx, os.Args[1:], s) }))
}

// run returns the exit code: 0 when it did what was asked, whatever it found; 2 for bad input; 1 when it could not, was refused, or was
// stopped. What it wrote to the scratch folder is gone.
func run(ctx context.Context, args []string, s streams) (code int) {
	defer s.tmp.remove()
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("nightlatch"), kong.UsageOnError(), kong.Writers(s.out, s.err),
		kong.Description("The responder to S3 BytesDownloaded alarms: on this machine, and what to say to a deployed one."),
		kong.Exit(func(code int) { exited = code }), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s), kong.Vars{"steps": containment.StepNames()})
	if err != nil {
		fmt.Fprintln(s.err, "nightlatch:", err)
		return 1
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if args[0] == "help" {
		args = append(args[1:], "--help")
	}
	if err := lacksEngine(args); err != nil {
		fmt.Fprintln(s.err, "nightlatch:", err)
		return 2
	}
	k, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintf(s.err, "nightlatch: %v\nTry: nightlatch %s--help\n", err, understood(err))
		return 2
	}
	if err := k.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil { // and the input is not to blame
			fmt.Fprintf(s.err, "nightlatch: %v: %s\n", cause, sentence(err))
			return 1
		}
		var bad badInput
		if errors.As(err, &bad) {
			fmt.Fprintln(s.err, "nightlatch:", err)
			return 2
		}
		fmt.Fprintln(s.err, "nightlatch:", sentence(err))
		return 1
	}
	return 0
}

// understood is the command on whose line something is wrong, with a blank; "" where there is none.
func understood(err error) string {
	var parsing *kong.ParseError
	if errors.As(err, &parsing) {
		for _, p := range parsing.Context.Path {
			if p.Command != nil {
				return p.Command.Name + " "
			}
		}
	}
	return ""
}

// sentence is an error for the human: what AWS denies, it denies him, and the names in it are others'.
func sentence(err error) string {
	text := err.Error()
	var denied grant.Denial
	if errors.As(err, &denied) {
		text = strings.Replace(text, denied.Error(), denied.Of("you"), 1)
	}
	return prose.Plain(text)
}
