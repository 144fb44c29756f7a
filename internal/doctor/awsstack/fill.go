package awsstack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nightlatch/internal/doctor"
)

// filler replaces what a template leaves to CloudFormation. What is not known here is doctor.Unknown.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
type filler struct {
	Template
	world World
}

// properties are a resource's, filled in.
func (f filler) properties(id string) map[string]any {
	p, _ := f.value(map[string]any(f.Resources[id].Properties)).(map[string]any)
	return p
}

func (f filler) value(node any) any {
	switch n := node.(type) {
	case map[string]any:
		if len(n) == 1 {
			for name, argument := range n {
				if v, is := f.function(name, argument); is {
					return v
				}
			}
		}
		out := make(map[string]any, len(n))
		for k, v := range n {
			out[k] = f.value(v)
		}
		return out
	case []any:
		out := make([]any, len(n))
		for i, v := range n {
			out[i] = f.value(v)
		}
		return out
	}
	return node
}

// function is what a function of CloudFormation's gives, and whether it is one.
func (f filler) function(name string, argument any) (any, bool) {
	list, _ := argument.([]any)
	switch {
	case name == "Ref":
		return f.reference(text(argument)), true
	case name == "Fn::GetAtt" && len(list) == 2:
		return f.attribute(text(list[0]), text(list[1])), true
	case name == "Fn::Join" && len(list) == 2:
		parts, ok := f.value(list[1]).([]any)
		if !ok {
			return doctor.Unknown, true
		}
		return strings.Join(texts(parts), text(list[0])), true
	case name == "Fn::Split" && len(list) == 2:
		var out []any
		for _, part := range strings.Split(text(f.value(list[1])), text(list[0])) {
			out = append(out, part)
		}
		return out, true
	case name == "Fn::Select" && len(list) == 2:
		i, err := strconv.Atoi(number(list[0]))
		if from, ok := f.value(list[1]).([]any); ok && err == nil && i >= 0 && i < len(from) && !slices.ContainsFunc(from, unknown) {
			return from[i], true
		}
		return doctor.Unknown, true
	}
	return doctor.Unknown, strings.HasPrefix(name, "Fn::")
}

func unknown(v any) bool { return strings.Contains(text(v), doctor.Unknown) }

func (f filler) reference(id string) any {
	switch id {
	case "AWS::StackId":
		return f.world.StackID
	case "AWS::StackName":
		return strings.Split(f.world.part(5)+"//", "/")[1]
	case "AWS::Partition":
		return f.world.part(1)
	case "AWS::Region":
		return f.world.part(3)
	case "AWS::AccountId":
		return f.world.part(4)
	case "AWS::NoValue":
		return nil
	}
	for _, names := range []map[string]string{f.world.Names, f.world.Parameters} {
		if v := names[id]; v != "" {
			return v
		}
	}
	return doctor.Unknown
}

// attribute is an attribute of a resource, where it follows from its type and its physical id.
func (f filler) attribute(id, attribute string) any {
	name := f.world.Names[id]
	arn := func(service, resource string) string {
		return strings.Join([]string{"arn", f.world.part(1), service, f.world.part(3), f.world.part(4), resource}, ":")
	}
	last := name[strings.LastIndex(name, "/")+1:]
	if name == "" {
		return doctor.Unknown
	}
	switch f.Resources[id].Type + "." + attribute {
	case "AWS::IAM::Role.Arn":
		return "arn:" + f.world.part(1) + ":iam::" + f.world.part(4) + ":role/" + name
	case "AWS::IAM::User.Arn":
		return "arn:" + f.world.part(1) + ":iam::" + f.world.part(4) + ":user/" + name
	case "AWS::Lambda::Function.Arn":
		return arn("lambda", "function:"+name)
	case "AWS::Events::Rule.Arn":
		return arn("events", "rule/"+name)
	case "AWS::DynamoDB::Table.StreamArn": // which ends with the time at which the stream was switched on
		return arn("dynamodb", "table/"+name+"/stream/"+doctor.Unknown)
	case "AWS::SQS::Queue.Arn":
		return arn("sqs", last)
	case "AWS::SQS::Queue.QueueName":
		return last
	case "AWS::SNS::Topic.TopicName":
		return name[strings.LastIndex(name, ":")+1:]
	case "AWS::KMS::Key.Arn":
		return arn("kms", "key/"+name)
	case "AWS::Logs::LogGroup.Arn":
		return arn("logs", "log-group:"+name+":*")
	case "AWS::S3::Bucket.Arn":
		return "arn:" + f.world.part(1) + ":s3:::" + name
	case "AWS::CloudTrail::EventDataStore.EventDataStoreArn":
		return name
	}
	return doctor.Unknown
}

// text is a value as text; "" where there is none.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// number writes a number in one form, whether the template has it as a number or as text.
func number(v any) string {
	n, err := strconv.ParseFloat(text(v), 64)
	if err != nil {
		return text(v)
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// texts are values as text.
func texts(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = text(v)
	}
	return out
}

// decode reads a value of a template, in which a number may be text, into a shape.
func decode(v, into any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// canonical writes a policy in one form: keys in order, a list of one as the one, the order of a list of texts put aside. IAM means the same by
// all of them. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func canonical(v any) string {
	if v == nil {
		return ""
	}
	b, err := json.Marshal(plain(v))
	if err != nil {
		return ""
	}
	return string(b)
}

func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = plain(e)
		}
		return out
	case []any:
		if len(v) == 1 {
			return plain(v[0])
		}
		out := make([]any, len(v))
		all := true
		for i, e := range v {
			out[i] = plain(e)
			_, is := out[i].(string)
			all = all && is
		}
		if all {
			slices.SortFunc(out, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
		return out
	case bool, float64: // IAM reads "true" and true alike
		return fmt.Sprint(v)
	}
	return v
}
