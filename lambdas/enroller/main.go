// Command enroller is the Lambda that switches request metrics on for the watched buckets, and finds where the files of the trail lie. It is the
// provider of CloudFormation's custom resources for both. Once a day it checks that the buckets still have their request metrics. Where every bucket is watched it gets an event for each new one. It knows nothing of incidents.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	e, err := build(context.Background(), os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch:", strings.ReplaceAll(err.Error(), "\n", "\nnightlatch: ")) // a line for each setting
		os.Exit(1)
	}
	lambda.Start(e.handle)
}
