// Command keeper is the Lambda that keeps a case folder of each incident in the stack's bucket: what stands in nightlatch/internal/casefolder. The
// stream of the table of incidents calls it when incidents were put, so that the responder need not know of it and waits for nothing. It reads an
// incident, asks the trail what was taken, reads how its buckets and users stand, and writes to that bucket alone.
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
	var k keeper
	if err == nil {
		k, err = build(cfg, os.Environ())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch:", strings.ReplaceAll(err.Error(), "\n", "\nnightlatch: ")) // a line for each setting
		os.Exit(1)
	}
	lambda.Start(k.handle)
}
