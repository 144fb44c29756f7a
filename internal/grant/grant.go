// Package grant states an IAM permission as data: it stands beside the call that needs it, and infra renders exactly the union of what
// the adapters declare.
//
// The fields follow the elements of an IAM policy statement:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
package grant

// Grant is one statement of an identity policy.
type Grant struct {
	// Sid names the statement; letters and digits only, unique within a role.
	Sid string
	// Actions are IAM actions, "iam:UpdateAccessKey".
	Actions []string
	// On are the resources, as ARNs in which ${Account}, ${Region} and ${Partition} stand for the deployment's own
	// and ${EventDataStore}, ${Topic}, ${Table}, ${ScheduleGroup} (a name), ${ScheduleRole}, ${Trail}, ${TrailBucket}, ${TrailPrefix} (of keys),
	// ${TrailKey} and ${ResultBucket} for what it was given, and the same of ${ManagementTrail} and so on. "*" only where AWS knows no narrower resource.
	On []string
	// Why says, in a sentence or two, why On is not narrower, where it has a star and Deny is not set. It stands in the deployed template.
	Why string
	// When is the Condition element: operator, then key, then value.
	When map[string]map[string]string
	// Deny makes the statement an explicit Deny.
	Deny bool
}
