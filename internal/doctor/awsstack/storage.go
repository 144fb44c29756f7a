package awsstack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"nightlatch/internal/awserr"
	"nightlatch/internal/doctor"
	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

// TableGrants are the permissions that Resource needs of the table of incidents.
func TableGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadItsTable", Actions: []string{"dynamodb:DescribeTable", "dynamodb:DescribeContinuousBackups", "dynamodb:GetResourcePolicy"}, On: []string{"${Table}"}}}
}

// GroupGrants are the permissions that Resource needs of the group of schedules.
func GroupGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadItsSchedules", Actions: []string{"scheduler:GetScheduleGroup"}, On: []string{"arn:${Partition}:scheduler:${Region}:${Account}:schedule-group/${ScheduleGroup}"}}}
}

// BucketGrants are the permissions that Resource needs of the deployment's own buckets.
func BucketGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadItsBuckets", Actions: []string{"s3:GetBucketPolicy", "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration", "s3:GetBucketPublicAccessBlock"},
		On: []string{"arn:${Partition}:s3:::nightlatch-*"}, Why: "It reads the buckets of its own stack, whose names CloudFormation ends as it likes."}}
}

// table reads the table as it is.
func (r *Reader) table(ctx context.Context, name string) (doctor.Resource, error) {
	out := doctor.Resource{Kind: doctor.Table, ID: name, Name: name, Settings: map[string]string{}}
	on := fmt.Sprintf("table %q", name)
	got, err := r.tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if err == nil && got.Table == nil {
		err = errStrange
	}
	if err != nil {
		return out, missing("dynamodb:DescribeTable", on, err)
	}
	if s := got.Table.TableStatus; s != types.TableStatusActive && s != types.TableStatusUpdating {
		out.Idle = append(out.Idle, "is "+prose.Safe(string(s)))
	}
	for _, index := range got.Table.GlobalSecondaryIndexes {
		if s := index.IndexStatus; s != types.IndexStatusActive && s != types.IndexStatusUpdating {
			out.Idle = append(out.Idle, fmt.Sprintf("has an index that is %s", prose.Safe(string(s))))
		}
		out.Settings["index "+aws.ToString(index.IndexName)] = there
	}
	out.Settings["DeletionProtectionEnabled"] = fmt.Sprint(aws.ToBool(got.Table.DeletionProtectionEnabled))
	if s := got.Table.StreamSpecification; s != nil && aws.ToBool(s.StreamEnabled) {
		out.Settings["StreamViewType"] = string(s.StreamViewType)
	}
	backups, err := r.tables.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &name})
	if err != nil {
		return out, missing("dynamodb:DescribeContinuousBackups", on, err)
	}
	enabled := false
	if b := backups.ContinuousBackupsDescription; b != nil && b.PointInTimeRecoveryDescription != nil {
		enabled = b.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled
	}
	out.Settings["PointInTimeRecoveryEnabled"] = fmt.Sprint(enabled)
	policy, err := r.tables.GetResourcePolicy(ctx, &dynamodb.GetResourcePolicyInput{ResourceArn: got.Table.TableArn})
	switch {
	case gone(err):
		return out, nil
	case err != nil:
		return out, failed("dynamodb:GetResourcePolicy", on, err)
	}
	err = policyOf(out.Settings, aws.ToString(policy.Policy))
	return out, err
}

// there is the value of a setting that is there or is not.
const there = "there"

// policyOf sets a resource's policy, in one form.
func policyOf(settings map[string]string, document string) error {
	var v any
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		return errStrange
	}
	put(settings, "policy", canonical(v))
	return nil
}

// group reads the group of schedules.
func (r *Reader) group(ctx context.Context, name string) (doctor.Resource, error) {
	out := doctor.Resource{Kind: doctor.Group, ID: name, Name: name}
	got, err := r.schedules.GetScheduleGroup(ctx, &scheduler.GetScheduleGroupInput{Name: &name})
	if err != nil {
		return out, missing("scheduler:GetScheduleGroup", fmt.Sprintf("group of schedules %q", name), err)
	}
	if got.State != "ACTIVE" {
		out.Idle = append(out.Idle, "is "+prose.Safe(string(got.State)))
	}
	return out, nil
}

// bucket reads one of the deployment's own buckets: who may do what, whether versions are kept and locked, and that nobody outside may read.
func (r *Reader) bucket(ctx context.Context, name string) (doctor.Resource, error) {
	out := doctor.Resource{Kind: doctor.Bucket, ID: name, Name: name, Settings: map[string]string{}}
	on := fmt.Sprintf("bucket %q", name)
	versions, err := r.buckets.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &name})
	if err != nil {
		return out, missing("s3:GetBucketVersioning", on, err)
	}
	put(out.Settings, "versioning", string(versions.Status))
	policy, err := r.buckets.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &name})
	switch {
	case err == nil:
		if policyOf(out.Settings, aws.ToString(policy.Policy)) != nil {
			return out, failed("s3:GetBucketPolicy", on, errStrange)
		}
	case !code(err, "NoSuchBucketPolicy"):
		return out, missing("s3:GetBucketPolicy", on, err)
	}
	lock, err := r.buckets.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &name})
	switch {
	case err == nil && lock.ObjectLockConfiguration != nil:
		out.Settings["object lock"] = string(lock.ObjectLockConfiguration.ObjectLockEnabled)
		if rule := lock.ObjectLockConfiguration.Rule; rule != nil && rule.DefaultRetention != nil {
			out.Settings["object lock"] = locked(string(rule.DefaultRetention.Mode), fmt.Sprint(aws.ToInt32(rule.DefaultRetention.Days)))
		}
	case err != nil && !code(err, "ObjectLockConfigurationNotFoundError"):
		return out, missing("s3:GetBucketObjectLockConfiguration", on, err)
	}
	closed, err := r.buckets.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &name})
	switch {
	case err == nil && closed.PublicAccessBlockConfiguration != nil:
		c := closed.PublicAccessBlockConfiguration
		put(out.Settings, "public access block", blocked(aws.ToBool(c.BlockPublicAcls), aws.ToBool(c.BlockPublicPolicy), aws.ToBool(c.IgnorePublicAcls), aws.ToBool(c.RestrictPublicBuckets)))
	case err != nil && !code(err, "NoSuchPublicAccessBlockConfiguration"):
		return out, missing("s3:GetBucketPublicAccessBlock", on, err)
	}
	return out, nil
}

// code reports whether a service refused with one of its codes.
func code(err error, is string) bool {
	refused, _ := awserr.Refusal(err)
	return refused != nil && refused.ErrorCode() == is
}

// locked is the lock of what is put into a bucket, in words.
func locked(mode, days string) string { return mode + " for " + days + " days" }

// blocked names the ways to public access that are shut.
func blocked(acls, policies, oldACLs, restricted bool) string {
	var all []string
	for name, on := range map[string]bool{"BlockPublicAcls": acls, "BlockPublicPolicy": policies, "IgnorePublicAcls": oldACLs, "RestrictPublicBuckets": restricted} {
		if on {
			all = append(all, name)
		}
	}
	return joined(all)
}

// storage are the template's tables of incidents, its groups of schedules and its buckets.
func (f filler) storage() (all []doctor.Resource) {
	add := func(kind doctor.Kind, id string, settings map[string]string) {
		if name := f.world.Names[id]; name != "" {
			all = append(all, doctor.Resource{Kind: kind, ID: name, Name: name, Settings: settings})
		}
	}
	for _, id := range f.of("AWS::DynamoDB::Table") {
		p := f.properties(id)
		settings := map[string]string{"DeletionProtectionEnabled": boolean(p["DeletionProtectionEnabled"]),
			"PointInTimeRecoveryEnabled": boolean(within(p, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"))}
		put(settings, "StreamViewType", text(within(p, "StreamSpecification", "StreamViewType")))
		put(settings, "policy", canonical(within(p, "ResourcePolicy", "PolicyDocument")))
		indexes, _ := p["GlobalSecondaryIndexes"].([]any)
		for _, index := range indexes {
			settings["index "+text(within(index, "IndexName"))] = there
		}
		add(doctor.Table, id, settings)
	}
	for _, id := range f.of("AWS::Scheduler::ScheduleGroup") {
		add(doctor.Group, id, nil)
	}
	policies := map[string]string{}
	for _, id := range f.of("AWS::S3::BucketPolicy") {
		p := f.properties(id)
		policies[text(p["Bucket"])] = canonical(p["PolicyDocument"])
	}
	for _, id := range f.of("AWS::S3::Bucket") {
		p := f.properties(id)
		settings := map[string]string{}
		put(settings, "versioning", text(within(p, "VersioningConfiguration", "Status")))
		put(settings, "policy", policies[f.world.Names[id]])
		if within(p, "ObjectLockEnabled") != nil {
			settings["object lock"] = "Enabled"
		}
		if rule := within(p, "ObjectLockConfiguration", "Rule", "DefaultRetention"); rule != nil {
			settings["object lock"] = locked(text(within(rule, "Mode")), number(within(rule, "Days")))
		}
		var shut []string
		for _, way := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
			if boolean(within(p, "PublicAccessBlockConfiguration", way)) == "true" {
				shut = append(shut, way)
			}
		}
		put(settings, "public access block", joined(shut))
		add(doctor.Bucket, id, settings)
	}
	return all
}

// within is a property of a property; nil where there is none.
func within(node any, names ...string) any {
	for _, name := range names {
		m, _ := node.(map[string]any)
		node = m[name]
	}
	return node
}

// boolean is a property that is true or false, which the template may have as text.
func boolean(v any) string { return fmt.Sprint(strings.EqualFold(text(v), "true")) }
