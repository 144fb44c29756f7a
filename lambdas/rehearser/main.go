// Command rehearser is the Lambda that rehearses: it lays down the canary's history, has the canary take enough for its bucket's alarm to fire, follows
// what the responder does about it, tells the team how long each stage took, and turns the canary's key on again. A schedule calls it every fifteen
// minutes, and nightlatch rehearse. What is due stands in nightlatch/internal/rehearsal. Of IAM it changes the canary's key, and nothing else.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		err = fmt.Errorf("reading the AWS configuration: %w", err)
	}
	var r *rehearser
	if err == nil {
		r, err = build(cfg, os.Environ(), os.Getenv("LAMBDA_TASK_ROOT"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch:", strings.ReplaceAll(err.Error(), "\n", "\nnightlatch: ")) // a line for each setting
		os.Exit(1)
	}
	lambda.Start(r.handle)
}
