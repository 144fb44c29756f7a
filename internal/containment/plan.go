package containment

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// OrderFor is the order that does one of ByHand's steps against an actor, as it stands at a time. It is false where nothing that the cutter
// writes would do it: the caller is a service, the record does not name everything, or names what no policy could say.
//
// Who chose the session's name can have it again, and so may a neighbour: there only what was issued before now is denied. An instance's name
// is the instance, and it is issued fresh credentials at once: there all of it is denied. known is what the account was read to hold.
func OrderFor(s Step, a evidence.Actor, partition, incident string, now time.Time, known map[Ref]Doc) (Order, bool) {
	o := Order{Action: s.Action, Incident: incident, Partition: partition}
	switch s.Action {
	case policy.DenyUserSessions:
		o.User, o.Before = s.Target.Owner, now
	case policy.DenyRoleSession:
		o.Role, o.UserID = s.Target.Owner, a.PrincipalID
		if !instance.MatchString(a.Session) {
			o.Before = now
		}
	case policy.DenyRoleSessions:
		o.Role, o.Before = s.Target.Owner, now
	case policy.FenceOrigin:
		o.User, o.Networks, o.Endpoint = s.Target.Owner, fenced(a), ""
		if len(o.Networks) == 0 {
			o.Endpoint = strangeEndpoint(a)
		}
	case policy.BlockOnBucket:
		if a.Kind == actor.AWSService || a.Kind == actor.ServiceForOthers {
			return Order{}, false
		}
		o.Bucket = bucketOf(s.Target)
		o.UserID = a.PrincipalID
		if a.Kind == actor.RootKey || a.Kind == actor.RootSession {
			o.UserID, o.Root = cmp.Or(a.PrincipalID, a.AccountID), ""
			if strings.HasSuffix(a.PrincipalARN, ":root") {
				o.UserID, o.Root = "", a.PrincipalARN
			}
		}
	case policy.BlockPublicAccess:
		o.Bucket = bucketOf(s.Target)
	case policy.QuarantineUser:
		o.User = s.Target.Owner
		for ref := range known {
			if name, _ := Quarantine(ref.Name); ref.Type == UserAttachment && ref.Owner == o.User {
				o.Quarantine = name
			}
		}
	}
	// A time is written to the second.
	o.Before = o.Before.Truncate(time.Second)
	return o, o.Check() == nil
}

// bucketOf is the name in a bucket's ARN.
func bucketOf(t policy.Target) string {
	_, name, _ := strings.Cut(t.ID, ":::")
	return name
}

// Ordered is one of ByHand's steps as Nightlatch does it by an order. A human can still run what it says: that is the same change, by the same
// name, and is recognised. before is what is there now.
func Ordered(s Step, o Order, before Doc) (Step, error) {
	if s.Target.Type == policy.Bucket {
		s.Target.Known = true // it is one of the deployment's: the evidence is about nothing else
	}
	step, err := o.Step(s.Target, before)
	if err != nil {
		return s, err
	}
	for _, line := range s.Runbook {
		switch {
		case strings.HasPrefix(line, "aws iam put-user-policy "), strings.HasPrefix(line, "aws iam put-role-policy "):
			line = step.putPolicy()
		case strings.HasPrefix(line, `# {`):
			line = "# " + step.After.Text
		}
		step.Runbook = append(step.Runbook, line)
	}
	return step, nil
}

// putPolicy is the line that writes a step's inline policy.
func (s Step) putPolicy() string {
	if s.Ref.Type == RolePolicy {
		return Command("aws", "iam", "put-role-policy", "--role-name", s.Ref.Owner, "--policy-name", s.Ref.Name, "--policy-document", s.After.Text)
	}
	return Command("aws", "iam", "put-user-policy", "--user-name", s.Ref.Owner, "--policy-name", s.Ref.Name, "--policy-document", s.After.Text)
}

// NextBest are the steps against an actor where one on its user or role failed: a policy that is full, a role that nobody may edit, or one that
// is gone. They shut it out of the buckets that it read, and leave it everything else.
func NextBest(failed Step, a evidence.Actor, partition string) []Step {
	if failed.Target.Type == policy.Bucket || a.PrincipalID == "" {
		return nil
	}
	var more []string
	if !strings.Contains(a.PrincipalID, ":") {
		more = []string{"that is the id of the user, and shuts out all his credentials there: his long-term keys, and sessions that are yet to come"}
	}
	return onBuckets{a, partition}.steps("aws:userid", a.PrincipalID, more...)
}

// Renewed is a step as it is ordered at a later time: what was issued since it was planned is denied too.
func (s Step) Renewed(now time.Time) Step {
	if s.Order == nil || s.Order.Before.IsZero() || !now.After(s.Order.Before) {
		return s
	}
	o := *s.Order
	o.Before = now.Truncate(time.Second)
	step, err := Ordered(s, o, s.Before)
	if err != nil { // it was planned of the same order
		return s
	}
	return step
}

// Fence is the step that denies a user's keys the networks that they were stolen to, while whoever works with them honestly goes on: a stopgap.
// It is false where no network is known to be strange to the user, or too many are: whoever moves that often is not stopped by a fence. before
// are the outcomes so far: what is fenced off already is not fenced off again, and counts among the many.
func Fence(a evidence.Actor, t policy.Target, before []Outcome) (Step, evidence.Actor, bool) {
	done := 0
	for _, o := range before {
		order := o.Step.Order
		if order == nil || o.Action != policy.FenceOrigin || order.User != t.Owner || !o.Contained() && o.State != Intended {
			continue
		}
		done += len(order.Networks)
		a.Origins = slices.DeleteFunc(slices.Clone(a.Origins), func(at evidence.Origin) bool {
			return slices.Contains(order.Networks, at.Network) && at.VPCEndpoint == "" || order.Endpoint != "" && at.VPCEndpoint == order.Endpoint
		})
	}
	if a.Kind != actor.IAMUserKey || done+len(fenced(a)) > MaxFenced || len(fenced(a)) == 0 && strangeEndpoint(a) == "" {
		return Step{}, a, false
	}
	t.Type, t.ID = policy.User, cmp.Or(t.OwnerARN, a.PrincipalARN)
	return Step{Action: policy.FenceOrigin, Target: t, Runbook: []string{
		"a fence is a stopgap: it denies user " + word(t.Owner) + " the networks that the bytes went to, and leaves the key on for whoever works with it elsewhere:",
		"aws iam put-user-policy ", "whoever holds the key can move to another network: turn it off as soon as the owner can bear it"}}, a, true
}

// overlaps reports whether two fences have a network or an endpoint in common.
func (o Order) overlaps(p Order) bool {
	return o.Endpoint != "" && o.Endpoint == p.Endpoint || slices.ContainsFunc(o.Networks, func(n string) bool { return slices.Contains(p.Networks, n) })
}

// fenced are the networks at which an actor took something, and which are known to be strange to its principal.
func fenced(a evidence.Actor) (networks []string) {
	for _, o := range a.Origins {
		if strange(o) && o.VPCEndpoint == "" && strings.Contains(o.Network, "/") && !knows(a, o.Network) {
			networks = append(networks, o.Network)
		}
	}
	slices.Sort(networks)
	return slices.Compact(networks)
}

// knows reports whether a principal worked in a network on earlier days, in whatever way its calls were signed.
func knows(a evidence.Actor, network string) bool {
	return slices.ContainsFunc(a.Origins, func(o evidence.Origin) bool {
		return o.Network == network && (o.Familiar == nil || *o.Familiar || o.Days != nil && *o.Days > 0)
	})
}

func strange(o evidence.Origin) bool { return o.Bytes > 0 && o.Familiar != nil && !*o.Familiar }

// strangeEndpoint is the endpoint through which most bytes went that the principal does not know; "" where it is none.
func strangeEndpoint(a evidence.Actor) string {
	var most evidence.Origin
	for _, o := range a.Origins {
		if strange(o) && endpointID.MatchString(o.VPCEndpoint) && (o.Days == nil || *o.Days == 0) && o.Bytes > most.Bytes {
			most = o
		}
	}
	return most.VPCEndpoint
}

// Found is what an order's setting holds now. What has a name of its own was never there; anything else has to be known.
func (o Order) Found(known map[Ref]Doc) (doc Doc, ok bool) {
	switch k := kinds[o.Action]; o.Action {
	case policy.QuarantineUser, policy.BlockPublicAccess:
		doc, ok = known[k.ref(o)]
		return doc, ok
	}
	return Doc{Absent: true}, true
}

// StopsAll reports whether a credential can do nothing more once a step against it holds. A bucket's denial leaves it everything else, and a
// fence the networks that it does not name.
func (s Step) StopsAll() bool {
	return s.Order == nil || s.Action == policy.DenyUserSessions || s.Action == policy.DenyRoleSession || s.Action == policy.DenyRoleSessions
}
