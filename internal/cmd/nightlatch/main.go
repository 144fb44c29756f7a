// Command nightlatch answers an S3 BytesDownloaded alarm on this machine: the same responder that runs as a Lambda, over
// CloudTrail files and an account held in memory. It talks to no AWS account.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Demo    demoCmd    `cmd:"" help:"Play the midnight: an account of a few hundred users, weeks of trail, a stolen key, and the responder that stops it. Nothing outside this machine is touched."`
	Respond respondCmd `cmd:"" help:"Answer an alarm from CloudTrail files: who took the bytes, and what would be done about it. Nothing outside this machine is touched."`
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// badInput is an error of the input, for exit code 2.
type badInput struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run returns the exit code: 0 when the responder ran, whatever it found; 2 for bad input; 1 when it could not finish.
func run(ctx context.Context, args []string, s streams) (code int) {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("nightlatch"), kong.UsageOnError(), kong.Writers(s.out, s.err),
		kong.Description("The responder to S3 BytesDownloaded alarms, on this machine."),
		kong.Exit(func(code int) { exited = code }), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s))
	if err != nil {
		fmt.Fprintln(s.err, "nightlatch:", err)
		return 1
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintf(s.err, "nightlatch: %v\nTry: go tool nightlatch --help\n", err)
		return 2
	}
	if err := k.Run(); err != nil {
		fmt.Fprintln(s.err, "nightlatch:", err)
		var bad badInput
		if errors.As(err, &bad) {
			return 2
		}
		return 1
	}
	return 0
}
