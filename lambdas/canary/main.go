// Command canary is the Lambda that reads in the canary's own network, a VPC whose one way out is a gateway endpoint of S3: so the canary has a place
// where it always works. It has no rights: it is given the key with each order, and reads as the canary.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"nightlatch/internal/rehearsal/awscanary"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch: reading the AWS configuration:", err)
		os.Exit(1)
	}
	lambda.Start(func(ctx context.Context, o awscanary.Order) (int64, error) { return awscanary.Take(ctx, cfg, o) })
}
