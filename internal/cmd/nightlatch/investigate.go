package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"nightlatch/internal/alarm"
)

// investigateCmd asks a deployment about a bucket, as an alarm would, but that nothing is done without a human.
type investigateCmd struct {
	Bucket string `arg:"" placeholder:"BUCKET" help:"The bucket. It may be another account's: what the deployment's own account records of its callers is asked."`
	From   string `required:"" placeholder:"TIME" help:"When the minutes begin that are asked about, in UTC, such as 2026-03-04T00:01:00Z."`
	To     string `required:"" placeholder:"TIME" help:"When they end; at most a day later."`
	place
}

// Run sends the responder a manual event. The answer goes to the deployment's team.
func (c *investigateCmd) Run(ctx context.Context, s streams) error {
	event, err := json.Marshal(map[string]any{"nightlatch": map[string]any{"investigate": map[string]any{"bucket": c.Bucket, "from": c.From, "to": c.To}}})
	if err != nil {
		return err
	}
	asked, err := alarm.Parse(event)
	if err != nil {
		return badInput{fmt.Errorf("%s", strings.ReplaceAll(err.Error(), "nightlatch.investigate", "investigate"))}
	}
	d, err := c.open(ctx, s, inTable{}, atURL{})
	if err != nil {
		return err
	}
	if err := d.Investigate(ctx, event); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "Asked. The answer takes minutes and goes to that deployment's team; nothing is done without a human. To see it:\nnightlatch incident %s %s\n", asked.Alarm.ID(), strings.Join(c.flags(d), " "))
	return err
}
