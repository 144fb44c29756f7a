// Command cutter is the Lambda that alone holds the rights over policies: it takes an order of the responder's, and writes the denial that it
// names. What it may do stands in nightlatch/internal/cut. It deletes nothing, and must not import the responder.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"nightlatch/internal/containment"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		err = fmt.Errorf("reading the AWS configuration: %w", err)
	}
	var c cutter
	if err == nil {
		c, err = build(cfg, os.Environ(), os.Getenv("LAMBDA_TASK_ROOT"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch:", strings.ReplaceAll(err.Error(), "\n", "\nnightlatch: ")) // a line for each setting
		os.Exit(1)
	}
	lambda.Start(c.handle)
}

// handle does one order. What it is and what became of it is logged, whoever has called: Lambda does not say who that is.
func (c cutter) handle(ctx context.Context, event json.RawMessage) (containment.Answer, error) {
	a := c.Cut(ctx, event)
	c.log.InfoContext(ctx, "ordered", "order", string(event[:min(len(event), 4<<10)]), "state", string(a.State), "detail", a.Detail)
	return a, nil
}
