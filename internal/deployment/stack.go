package deployment

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"nightlatch/internal/settings"
)

// Stack is what CloudFormation says of a deployment's stack.
type Stack struct {
	// There: there is such a stack. Bootstrapped: the CDK has prepared the account and region; it is looked at only where there is no stack.
	There, Bootstrapped bool
	// Status is CloudFormation's, such as UPDATE_COMPLETE.
	Status string
	// Version, Mode and Policy are its outputs: the version of Nightlatch, the deployed mode, and the SHA-256 of the policy. "" where an older
	// version had none.
	Version, Mode, Policy string
	// Given are the settings that it was made with, as settings.Given has them; nil where the version did not say them.
	Given map[string]string
	// Drift is CloudFormation's word of whether resources are as the template says, IN_SYNC, DRIFTED or NOT_CHECKED, and DriftChecked when that
	// was found out; zero where it never was. https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackDriftInformation.html
	Drift        string
	DriftChecked time.Time
}

// bootstrap is the stack by which the CDK prepares an account and region, unless it was given another name.
// https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
const bootstrap = "CDKToolkit"

// Look reads the stack. That there is none is an answer, and no error.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplate.html
func (d *Deployment) Look(ctx context.Context) (Stack, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	client := cloudformation.NewFromConfig(d.cfg)
	read := func(name string) (*types.Stack, error) {
		out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
		switch {
		case code(err) == "ValidationError" || err == nil && len(out.Stacks) == 0: // see describe
			return nil, nil
		case err != nil:
			return nil, failed(call{"cloudformation:DescribeStacks", fmt.Sprintf("stack %q", name)}, err)
		}
		return &out.Stacks[0], nil
	}
	stack, err := read(d.settings.Stack)
	if err != nil {
		return Stack{}, err
	}
	if stack == nil {
		toolkit, err := read(bootstrap)
		return Stack{Bootstrapped: toolkit != nil}, err
	}
	d.took(*stack)
	s := Stack{There: true, Bootstrapped: true, Status: string(stack.StackStatus), Version: d.outputs[settings.VersionOutput], Mode: d.outputs[settings.ModeOutput], Policy: d.outputs[settings.PolicyOutput]}
	if info := stack.DriftInformation; info != nil {
		s.Drift, s.DriftChecked = string(info.StackDriftStatus), aws.ToTime(info.LastCheckTimestamp)
	}
	got, err := client.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &d.settings.Stack})
	if err != nil {
		return s, failed(call{"cloudformation:GetTemplate", fmt.Sprintf("stack %q", d.settings.Stack)}, err)
	}
	var template struct {
		Metadata struct {
			Nightlatch struct{ Settings map[string]string } // settings.DeployedKey and GivenKey
		}
	}
	if err := json.Unmarshal([]byte(aws.ToString(got.TemplateBody)), &template); err != nil {
		return s, fmt.Errorf("the template of stack %q in account %s, region %s is not as Nightlatch writes it: %.200q; deploy it again", d.settings.Stack, d.Account, d.Region, err.Error())
	}
	s.Given = template.Metadata.Nightlatch.Settings
	return s, nil
}

// took keeps the outputs of a stack.
func (d *Deployment) took(stack types.Stack) {
	d.outputs = map[string]string{}
	for _, o := range stack.Outputs {
		d.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
}
