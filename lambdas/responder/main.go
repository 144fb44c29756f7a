// Command responder is the Lambda that answers an S3 BytesDownloaded alarm, a follow-up, or a manual event. It reads its settings, puts the
// adapters together, and leaves the rest to nightlatch/internal/responder.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"nightlatch/internal/report"
	"nightlatch/internal/responder"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		err = fmt.Errorf("reading the AWS configuration: %w", err)
	}
	var r *responder.Responder
	if err == nil {
		r, err = build(cfg, os.Environ(), os.Getenv("LAMBDA_TASK_ROOT"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch:", strings.ReplaceAll(err.Error(), "\n", "\nnightlatch: ")) // a line for each setting
		os.Exit(1)
	}
	lambda.Start(func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
		return answerTo(ctx, r, event)
	})
}

// answerTo is what the function answers to an event: the incident, or why the event started nothing. An event that cannot be read is returned
// as an error too: a retry does not help it, but the alarm on Lambda's Errors metric fires.
func answerTo(ctx context.Context, r *responder.Responder, event json.RawMessage) (json.RawMessage, error) {
	handled, err := r.Handle(ctx, event, nil)
	switch {
	case err != nil:
		r.Log.ErrorContext(ctx, "the event was not handled", "err", err)
		return nil, err
	case handled.Ignored != "":
		return json.Marshal(map[string]string{"ignored": handled.Ignored})
	}
	return report.JSON(handled.Record)
}
