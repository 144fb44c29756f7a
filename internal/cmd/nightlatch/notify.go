package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
)

// notifyCmd tries the channels.
type notifyCmd struct {
	place
	inTable
	atURL
}

// Run has the approver send a test: it has the channels of the responder, and no human has rights on them.
func (c *notifyCmd) Run(ctx context.Context, s streams) error {
	d, url, err := c.openApprover(ctx, s, c.inTable, c.atURL)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "Sending a test to every channel, by %s.\n", url)
	said, err := d.TestNotify(ctx)
	if err != nil {
		return err
	}
	failed := false
	for line := range strings.Lines(said) {
		fmt.Fprintln(s.out, prose.Plain(strings.TrimRight(line, "\n")))
		failed = failed || strings.HasPrefix(line, notify.NotTaken)
	}
	if failed {
		return errors.New("not every channel took the test; what each says stands above")
	}
	return nil
}
