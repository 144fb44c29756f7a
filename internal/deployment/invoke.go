package deployment

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"nightlatch/internal/settings"
)

// invokeTimeout is longer than the function that rehearses needs for what it is asked here.
const invokeTimeout = 5 * time.Minute

// Rehearser has the function called that rehearses, with the human's own credentials, and returns what it answers.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (d *Deployment) Rehearser(ctx context.Context, event []byte) ([]byte, error) {
	function, err := d.function(ctx, settings.RehearserOutput)
	if err != nil {
		return nil, err
	}
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

// Investigate has the responder called with a manual event, with the human's own credentials, and does not wait for its answer, which takes minutes and
// goes to the deployment's team.
func (d *Deployment) Investigate(ctx context.Context, event []byte) error {
	function, err := d.function(ctx, settings.ResponderOutput)
	if err != nil {
		return err
	}
	if function == "" {
		return fmt.Errorf("stack %q in account %s, region %s names no responder: it is not Nightlatch, or not deployed to its end", d.settings.Stack, d.Account, d.Region)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// An event that is delivered twice is one question.
	if _, err := lambda.NewFromConfig(d.cfg).Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, InvocationType: types.InvocationTypeEvent, Payload: event}); err != nil {
		return failed(call{"lambda:InvokeFunction", fmt.Sprintf("function %q", function)}, err)
	}
	return nil
}

// function is the name of a function in the stack's outputs; "" where it has none.
func (d *Deployment) function(ctx context.Context, output string) (string, error) {
	if d.outputs == nil {
		if err := d.describe(ctx, "another stack"); err != nil {
			return "", err
		}
	}
	return d.outputs[output], nil
}
