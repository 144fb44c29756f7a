package containment

import (
	"slices"
	"strings"

	"nightlatch/internal/policy"
)

// Reach is on what a deployment lets orders be done: the users and roles in some IAM paths, and some buckets. A list that is nil says nothing: then
// the cutter, which does them, refuses what it may not.
type Reach struct {
	Paths, Buckets []string
}

// Outside says why an order's step is not done on its target; "" where it is.
func (r Reach) Outside(s Step) string {
	switch {
	case s.Order == nil:
	case s.Target.Type == policy.Bucket && r.Buckets != nil && !slices.Contains(r.Buckets, bucketOf(s.Target)):
		return "bucket " + word(bucketOf(s.Target)) + " is not one that the setting buckets names, so that no step is done there: a human has to run"
	case s.Target.Type != policy.Bucket && r.Paths != nil && !InPaths(s.Target, r.Paths):
		return word(s.Target.OwnerARN) + " is in none of the paths that the setting stepPaths names, so that no step is done there: a human has to run"
	}
	return ""
}

// InPaths reports whether a user or role is in one of some IAM paths: /team/. The path / is all of them.
func InPaths(t policy.Target, paths []string) bool {
	_, resource, _ := strings.Cut(t.OwnerARN, ":"+strings.ToLower(string(t.Type))) // what follows is the path and the name
	return slices.ContainsFunc(paths, func(path string) bool { return strings.HasPrefix(resource, path) })
}

// ByHand is an order's step as a human does it: what it says to run is the same change.
func (s Step) ByHand() Step {
	return Step{Action: s.Action, Target: s.Target, Runbook: s.Runbook}
}
