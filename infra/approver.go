package main

import (
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/grant"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/incident/scheduler"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// approver is the function by which a human approves a step, and its URL.
type approver struct {
	lambda
	url *string // nil where the region has none
}

// noURLs is what everybody reads who deploys where there are none.
const noURLs = "Lambda has no function URLs in %s, so the approver's URL is left out: nobody can approve a step, hold a key or lower the mode with the command nightlatch. " +
	"Each step's own aws command stands in its message, and the mode is lowered by a deployment, -c mode=observe"

// newApprover makes the function behind a URL that IAM authenticates. There is no resource policy: a principal of this account needs
// lambda:InvokeFunctionUrl and, through the URL, lambda:InvokeFunction in its own policy, and one of another account has no way in.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
func newApprover(scope constructs.Construct, s Settings, code string, topic, watch team, kept incidents, r responder) (approver, error) {
	f, err := newFunction(scope, s, recipe{
		id: "Approver", about: "Nightlatch: takes a human's approval to a step, and changes nothing in IAM", code: code, grants: approverGrants(s),
		environment: settings.Approver{Responder: s.forResponder(topic, watch, kept, r.queue.AttrArn()), Function: *r.function.Ref(), Trusted: s.Approvers}.Environ(), names: watchNames(watch), more: []statement{encryptForTheWatchers(s.Home, watch)},
	}, topic, kept, nil)
	if err != nil {
		return approver{}, err
	}
	if !settings.HasFunctionURLs(s.Home.Region) {
		awscdk.Annotations_Of(scope).AddWarningV2(jsii.String("nightlatch:NoFunctionURLs"), jsii.String(fmt.Sprintf(noURLs, s.Home.Region)), nil)
		return approver{f, nil}, nil
	}
	url := awslambda.NewCfnUrl(scope, jsii.String("ApproverAddress"), &awslambda.CfnUrlProps{TargetFunctionArn: f.function.AttrArn(), AuthType: jsii.String("AWS_IAM")})
	return approver{f, url.AttrFunctionUrl()}, nil
}

// approverGrants are the permissions that the approver's code needs. It reads the account, and roles where a step on them can be approved.
func approverGrants(s Settings) []grant.Grant {
	account := slices.DeleteFunc(awsaccount.ReadGrants(), func(g grant.Grant) bool {
		return g.Sid == "IdentifyRoles" && s.enabled(policy.FenceOrigin, policy.DenyRoleSession, policy.DenyRoleSessions) == ""
	})
	return slices.Concat(account, s.planGrants(), askGrants(s), dynamo.Grants(), scheduler.Grants(), notifyGrants(s), channelGrants(s), hearingGrants())
}
