// Command doctor is the Lambda that says whether Nightlatch would work tonight. Once a day it runs all checks, and notifies the team of what is
// broken until it is mended. Every fifteen minutes, where a heartbeat is set, it runs those of hearing and firing, and sends the sign of life if
// they hold. While the stack is deployed it is the provider of a custom resource, and asks each engine each question. It changes nothing but what
// it remembers.
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
	var d *examiner
	if err == nil {
		d, err = build(cfg, os.Environ(), os.Getenv("LAMBDA_TASK_ROOT"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch:", strings.ReplaceAll(err.Error(), "\n", "\nnightlatch: ")) // a line for each setting
		os.Exit(1)
	}
	lambda.Start(d.handle)
}
