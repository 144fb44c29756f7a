// Command hub is the Lambda of the hub stack in a security account: it tells one team of the incidents of many accounts, once for one thief in many of
// them. A rule on the hub's bus writes their events to a queue, and Lambda takes them from it in batches, with two runs at a time at most. What is told
// when stands in nightlatch/internal/hub.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"nightlatch/internal/hub"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		err = fmt.Errorf("reading the AWS configuration: %w", err)
	}
	var t hub.Teller
	if err == nil {
		t, err = build(cfg, os.Environ(), os.Getenv("LAMBDA_TASK_ROOT"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch:", strings.ReplaceAll(err.Error(), "\n", "\nnightlatch: ")) // a line for each setting
		os.Exit(1)
	}
	lambda.Start(func(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
		return take(ctx, t, batch)
	})
}

// take takes a batch, and says which of its messages are to come again.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func take(ctx context.Context, t hub.Teller, batch events.SQSEvent) (failed events.SQSEventResponse, err error) {
	var bodies []string
	for _, m := range batch.Records {
		bodies = append(bodies, m.Body)
	}
	again, err := t.Handle(ctx, bodies)
	for _, i := range again {
		failed.BatchItemFailures = append(failed.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: batch.Records[i].MessageId})
	}
	return failed, err
}
