package deployment

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"nightlatch/internal/settings"
)

// invokeTimeout is longer than the function that rehearses needs for what it is asked here.
const invokeTimeout = 5 * time.Minute

// Rehearser has the function called that rehearses, with the human's own credentials, and returns what it answers.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (d *Deployment) Rehearser(ctx context.Context, event []byte) ([]byte, error) {
	if d.outputs == nil {
		if err := d.describe(ctx, "another stack"); err != nil {
			return nil, err
		}
	}
	function := d.outputs[settings.RehearserOutput]
	if function == "" {
		return nil, fmt.Errorf("stack %q in account %s, region %s has no canary to rehearse with: deploy it with -c canary=BUCKET, or play one here with --sandbox", d.settings.Stack, d.Account, d.Region)
	}
	ctx, cancel := context.WithTimeout(ctx, invokeTimeout)
	defer cancel()
	// It is not repeated: a rehearsal that was begun and not answered would be refused, and that would be said.
	client := lambda.NewFromConfig(d.cfg, func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })
	out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: event})
	switch {
	case err != nil:
		return nil, failed(call{"lambda:InvokeFunction", fmt.Sprintf("function %q", function)}, err)
	case out.FunctionError != nil:
		return nil, fmt.Errorf("the function that rehearses failed: %+.300q; its log says more", out.Payload)
	}
	return out.Payload, nil
}
