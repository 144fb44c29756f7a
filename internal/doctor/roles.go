package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

// RoleRead reads a role as it is, by its name. Errors are one sentence; errors.Is finds ErrGone in it.
type RoleRead func(ctx context.Context, name string) (Role, error)

// Roles checks that the functions may do what they were to do, and no more. Who changes a role is heard at once in us-east-1 only.
func Roles(stack Stack, read RoleRead, grants ...grant.Grant) Check {
	return onStack(RolesName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		return asDeployed(ctx, "role", d.Roles, read, "its function can do nothing", deployAgain, "as deployed")
	})
}

func (r Role) names() (id, name string) { return r.Name, r.Name }

// differs is what of a role is not as it was deployed.
func (r Role) differs(is Role) (all []Finding) {
	name := "role " + prose.Safe(r.Name)
	add := func(mend, format string, args ...any) {
		all = append(all, Finding{Says: name + fmt.Sprintf(format, args...), Mend: mend + "; see in CloudTrail, in us-east-1, who did it"})
	}
	for _, policy := range slices.Sorted(maps.Keys(r.Policies)) {
		switch now, there := is.Policies[policy]; {
		case !there:
			add(deployAgain, " has lost its policy %s", prose.Safe(policy))
		case !same(r.Policies[policy], now):
			add(asItWas, ": its policy %s is not as deployed", prose.Safe(policy))
		}
	}
	for _, policy := range slices.Sorted(maps.Keys(is.Policies)) {
		if _, deployed := r.Policies[policy]; !deployed {
			add(command("aws", "iam", "delete-role-policy", "--role-name", r.Name, "--policy-name", policy), " has a policy %s that was not deployed", prose.Safe(policy))
		}
	}
	for _, arn := range is.Attached {
		if !slices.Contains(r.Attached, arn) {
			add(command("aws", "iam", "detach-role-policy", "--role-name", r.Name, "--policy-arn", arn), " has the policy %s attached, which was not deployed", prose.Safe(arn))
		}
	}
	if r.Trust != "" && !same(r.Trust, is.Trust) {
		add(asItWas, " can be assumed by others than was deployed")
	}
	if !same(r.Boundary, is.Boundary) {
		add(command("aws", "iam", "delete-role-permissions-boundary", "--role-name", r.Name), " has the permissions boundary %s, and was deployed with %s", shown(is.Boundary), shown(r.Boundary))
	}
	return all
}

const asItWas = "put it back as the stack's template has it: aws cloudformation get-template"
