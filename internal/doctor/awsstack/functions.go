package awsstack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"nightlatch/internal/doctor"
	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

// FunctionGrants are the permissions that Resource needs of functions and of what brings them messages.
func FunctionGrants() []grant.Grant {
	return []grant.Grant{
		{Sid: "ReadItsFunctions", Actions: []string{"lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency", "lambda:GetPolicy"},
			On: []string{"arn:${Partition}:lambda:${Region}:${Account}:function:${Stack}-*"}, Why: "It reads the functions of its own stack, whose names CloudFormation ends as it likes."},
		{Sid: "ReadItsMappings", Actions: []string{"lambda:GetEventSourceMapping"}, On: []string{"arn:${Partition}:lambda:${Region}:${Account}:event-source-mapping:*"},
			Why: "A mapping is named by an id that AWS makes up."},
	}
}

// function reads a function as it is, with who may call it.
func (r *Reader) function(ctx context.Context, name string) (doctor.Resource, error) {
	out := doctor.Resource{Kind: doctor.Function, ID: name, Name: name, Settings: map[string]string{}}
	on := fmt.Sprintf("function %q", name)
	got, err := r.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	if err == nil && got.FunctionName == nil {
		err = errStrange
	}
	if err != nil {
		return out, missing("lambda:GetFunctionConfiguration", on, err)
	}
	for setting, v := range map[string]string{"Role": aws.ToString(got.Role), "Handler": aws.ToString(got.Handler), "Runtime": string(got.Runtime), "KmsKeyArn": aws.ToString(got.KMSKeyArn),
		doctor.Code: aws.ToString(got.CodeSha256)} {
		put(out.Settings, setting, v)
	}
	for setting, n := range map[string]*int32{"Timeout": got.Timeout, "MemorySize": got.MemorySize} {
		if n != nil {
			out.Settings[setting] = strconv.Itoa(int(*n))
		}
	}
	if got.Environment != nil {
		if got.Environment.Error != nil {
			return out, failed("lambda:GetFunctionConfiguration", on, fmt.Errorf("its environment cannot be read: %s", prose.Safe(aws.ToString(got.Environment.Error.Message))))
		}
		for name, value := range got.Environment.Variables {
			put(out.Settings, doctor.Variable+name, value)
		}
	}
	var layers []string
	for _, l := range got.Layers {
		layers = append(layers, aws.ToString(l.Arn))
	}
	put(out.Settings, "Layers", joined(layers))
	if got.VpcConfig != nil {
		put(out.Settings, "SubnetIds", joined(got.VpcConfig.SubnetIds))
	}
	out.Idle = inactive(got)
	reserved, err := r.lambda.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: &name})
	if err != nil {
		return out, missing("lambda:GetFunctionConcurrency", on, err)
	}
	if reserved.ReservedConcurrentExecutions != nil {
		out.Settings["ReservedConcurrentExecutions"] = strconv.Itoa(int(*reserved.ReservedConcurrentExecutions))
	}
	callers, err := r.callers(ctx, name)
	for _, c := range callers {
		out.Settings[c] = granted
	}
	return out, err
}

// granted is the value of those settings of a function that are permissions to call it.
const granted = "granted"

// inactive says why a function does nothing when it is called.
// https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
func inactive(got *lambda.GetFunctionConfigurationOutput) (why []string) {
	if got.State != "" && got.State != types.StateActive {
		why = append(why, fmt.Sprintf("is not active, but %s: %s", prose.Safe(string(got.State)), prose.Safe(aws.ToString(got.StateReason))))
	}
	if got.LastUpdateStatus == types.LastUpdateStatusFailed {
		why = append(why, fmt.Sprintf("could not be updated last: %s", prose.Safe(aws.ToString(got.LastUpdateStatusReason))))
	}
	return why
}

// callers are who may call a function by its own policy, in words.
// https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
func (r *Reader) callers(ctx context.Context, name string) (all []string, err error) {
	on := fmt.Sprintf("function %q", name)
	got, err := r.lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: &name})
	if gone(err) { // it has none
		return nil, nil
	}
	if err != nil {
		return nil, failed("lambda:GetPolicy", on, err)
	}
	var policy struct{ Statement []map[string]any }
	if err := json.Unmarshal([]byte(aws.ToString(got.Policy)), &policy); err != nil {
		return nil, failed("lambda:GetPolicy", on, errStrange)
	}
	for _, st := range policy.Statement {
		all = append(all, caller(st["Effect"], st["Action"], st["Principal"], st["Condition"]))
	}
	return all, nil
}

// caller is who may call a function, and under what condition.
func caller(effect, action, principal, condition any) string {
	words := "permission of " + canonical(principal) + " to " + text(action)
	if effect != "Allow" {
		words = text(effect) + " of " + canonical(principal) + " to " + text(action)
	}
	if when := canonical(condition); when != "" && when != "{}" {
		words += " where " + when
	}
	return strings.ReplaceAll(words, `"`, "")
}

// mapping reads what brings a function messages, as it is.
func (r *Reader) mapping(ctx context.Context, id string) (doctor.Resource, error) {
	out := doctor.Resource{Kind: doctor.Mapping, ID: id, Name: id, Settings: map[string]string{}}
	on := fmt.Sprintf("event source mapping %q", id)
	got, err := r.lambda.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: &id})
	if err == nil && got.UUID == nil {
		err = errStrange
	}
	if err != nil {
		return out, missing("lambda:GetEventSourceMapping", on, err)
	}
	put(out.Settings, "EventSourceArn", aws.ToString(got.EventSourceArn))
	put(out.Settings, "FunctionName", aws.ToString(got.FunctionArn))
	if state := aws.ToString(got.State); slices.Contains([]string{"Disabling", "Disabled", "Deleting"}, state) {
		out.Idle = append(out.Idle, "is not enabled, but "+state)
	}
	if last := aws.ToString(got.LastProcessingResult); strings.HasPrefix(last, "PROBLEM") {
		out.Idle = append(out.Idle, "says "+prose.Safe(last))
	}
	return out, nil
}

// functions are the template's functions with who may call them, and what brings them messages.
func (f filler) functions() (all []doctor.Resource) {
	for _, id := range f.of("AWS::Lambda::Function") {
		p := f.properties(id)
		r := doctor.Resource{Kind: doctor.Function, ID: f.world.Names[id], Name: f.world.Names[id], Settings: map[string]string{}}
		for _, setting := range []string{"Role", "Handler", "Runtime", "KmsKeyArn"} {
			put(r.Settings, setting, text(p[setting]))
		}
		r.Settings[doctor.Code] = cmp.Or(f.Resources[id].Metadata.Nightlatch.CodeSha256, doctor.Unknown) // which an earlier version's does not say
		for _, setting := range []string{"Timeout", "MemorySize", "ReservedConcurrentExecutions"} {
			if p[setting] != nil {
				r.Settings[setting] = number(p[setting])
			}
		}
		vars, _ := p["Environment"].(map[string]any)
		values, _ := vars["Variables"].(map[string]any)
		for name, value := range values {
			put(r.Settings, doctor.Variable+name, text(value))
		}
		subnets, _ := within(p, "VpcConfig", "SubnetIds").([]any)
		put(r.Settings, "SubnetIds", joined(texts(subnets)))
		for _, c := range f.permissions(text(f.attribute(id, "Arn"))) {
			r.Settings[c] = granted
		}
		if r.ID != "" {
			all = append(all, r)
		}
	}
	for _, id := range f.of("AWS::Lambda::EventSourceMapping") {
		p := f.properties(id)
		r := doctor.Resource{Kind: doctor.Mapping, ID: f.world.Names[id], Name: id, Settings: map[string]string{"EventSourceArn": text(p["EventSourceArn"])}}
		function := text(p["FunctionName"])
		if !strings.HasPrefix(function, "arn:") {
			function = strings.Join([]string{"arn", f.world.part(1), "lambda", f.world.part(3), f.world.part(4), "function:" + function}, ":")
		}
		if r.Settings["FunctionName"] = function; r.ID != "" {
			all = append(all, r)
		}
	}
	return all
}

// permissions are who may call a function by the template, as the function's policy will say it.
// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
func (f filler) permissions(function string) (all []string) {
	for _, id := range f.of("AWS::Lambda::Permission") {
		p := f.properties(id)
		if text(p["FunctionName"]) != function {
			continue
		}
		condition := map[string]any{}
		if account := text(p["SourceAccount"]); account != "" {
			condition["StringEquals"] = map[string]any{"AWS:SourceAccount": account}
		}
		if source := text(p["SourceArn"]); source != "" {
			condition["ArnLike"] = map[string]any{"AWS:SourceArn": source}
		}
		all = append(all, caller("Allow", p["Action"], map[string]any{"Service": p["Principal"]}, condition))
	}
	return all
}
