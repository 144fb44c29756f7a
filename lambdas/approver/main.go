// Command approver is the Lambda behind a function URL by which a human approves a step, lowers the mode, or holds a restored key. IAM
// lets the caller in (https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html), and STS says who he is, by the proof that he sends.
// It holds no right to change IAM, and must not import the responder: that one does what was approved.
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
	var a approver
	if err == nil {
		a, err = build(cfg, os.Environ())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch:", strings.ReplaceAll(err.Error(), "\n", "\nnightlatch: ")) // a line for each setting
		os.Exit(1)
	}
	lambda.Start(a.handle)
}
