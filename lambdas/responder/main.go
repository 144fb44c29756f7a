// Command responder is the Lambda that answers an S3 BytesDownloaded alarm, a follow-up, or a manual event.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"nightlatch/internal/report"
)

func main() {
	r, err := build(context.Background(), os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch:", err)
		os.Exit(1)
	}
	// An event that cannot be read is returned as an error too: a retry does not help it, but Lambda's Errors metric rings.
	lambda.Start(func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
		handled, err := r.Handle(ctx, event, nil)
		switch {
		case err != nil:
			r.Log.ErrorContext(ctx, "the event was not handled", "err", err)
			return nil, err
		case handled.Ignored != "":
			return json.Marshal(map[string]string{"ignored": handled.Ignored})
		}
		return report.JSON(handled.Record)
	})
}
