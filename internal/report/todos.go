package report

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// Todo is one thing that is still to do, with the commands for it.
type Todo struct {
	Says     string
	Commands []string
}

// Todos are what an incident leaves to humans, in order: the steps that wait for one, or are not seen done, a new key in the place of one that is off,
// and whom to talk to.
func Todos(r incident.Record) (all []Todo) {
	says := map[containment.State]string{containment.Asked: "Decide: ", containment.Failed: "Do what was not done: ", containment.Unknown: "See whether it is done: "}
	for _, o := range r.Outcomes[:min(len(r.Outcomes), maxOutcomes)] {
		if says[o.State] == "" {
			continue
		}
		t := Todo{Says: says[o.State] + stepOf(o) + "."}
		if approvable(r, o) && r.Closed.IsZero() && r.MergedInto == "" {
			t.Commands = append(t.Commands, prose.Plain(approves(r, o)))
		} else {
			for _, line := range o.Runbook {
				t.Commands = append(t.Commands, prose.Plain(line))
			}
		}
		all = append(all, t)
	}
	return append(append(all, replacements(r)...), talks(r)...)
}

// replacements are the keys that are off. What worked with one stands still until there is another.
func replacements(r incident.Record) (all []Todo) {
	for _, o := range r.Outcomes[:min(len(r.Outcomes), maxOutcomes)] {
		owner, key := o.Step.Target.Owner, o.Target
		if o.Action != policy.DeactivateKey || o.State != containment.Done && o.State != containment.Already || o.Regretted || owner == "" {
			continue
		}
		all = append(all, Todo{"Replace " + prose.Safe(key) + " of " + prose.Safe(owner) + ": what worked with it stands still. See first how it leaked, or the new key leaks, too. Delete the old one " +
			"once nobody needs it as evidence. A user has two keys at most.",
			[]string{containment.Command("aws", "iam", "create-access-key", "--user-name", owner), containment.Command("aws", "iam", "delete-access-key", "--user-name", owner, "--access-key-id", key)}})
	}
	return all
}

// maxTalks is about how many principals and networks humans are asked to do something.
const maxTalks = 5

// owning finds the tags by which people say whose something is.
var owning = lazyregexp.New(`(?i)owner|team|contact|mail|maintain|responsib|on-?call`)

// talks name who may know more of each principal that a step is about, as far as it was read. They are others' words.
func talks(r incident.Record) (all []Todo) {
	for _, a := range slices.SortedStableFunc(slices.Values(r.Evidence.Actors), r.Order) {
		if !suspectedOf(r, a) || len(all) == maxTalks {
			continue
		}
		t := Todo{Says: "Talk to whoever owns "}
		switch {
		case a.Kind == actor.OtherAccount || a.RoleName+a.UserName == "":
			t.Says += Who(a)
		case a.RoleName != "":
			t.Says, t.Commands = t.Says+"role "+prose.Safe(a.RoleName), []string{containment.Command("aws", "iam", "list-role-tags", "--role-name", a.RoleName)}
		default:
			t.Says, t.Commands = t.Says+user(a), []string{containment.Command("aws", "iam", "list-user-tags", "--user-name", a.UserName)}
		}
		t.Says += ", by a way that the thief does not read. "
		if hints := hintsAt(r, a); len(hints) == 0 {
			t.Says += "Nothing that was read says who that is."
		} else {
			t.Says += "What was read of that: " + strings.Join(hints, "; ") + ". Tags and names are the words of whoever may write them, a thief among them: look the person up first."
		}
		if !slices.ContainsFunc(all, func(other Todo) bool { return other.Says == t.Says }) { // as two sessions of a role
			all = append(all, t)
		}
	}
	return all
}

// hintsAt are the tags of an actor's principal that say whose it is, the person behind its session, and who made its key, each with where it stands.
func hintsAt(r incident.Record, a evidence.Actor) (hints []string) {
	add := func(what, name string) {
		if name != "" {
			hints = append(hints, what+" "+prose.Safe(name))
		}
	}
	for _, o := range r.Outcomes {
		if tags := o.Step.Target.Tags; o.Against(a) && len(tags) > 0 && !o.ForAnother() && o.Step.Target.Type != policy.Bucket {
			for _, key := range slices.Sorted(maps.Keys(tags)) {
				if owning.MatchString(key) && len(hints) < maxTalks {
					add("its tag "+prose.Safe(key)+" says", tags[key])
				}
			}
			break // the tags of one principal
		}
	}
	add("its Identity Center user is", a.OnBehalfOf)
	add("its source identity, which was set when it was given out, is", a.SourceIdentity)
	add("its session is called", a.Session)
	if r.Lineage != nil {
		hints = append(hints, madeBy(r.Lineage.Nodes, a)...)
	}
	return hints
}

// madeBy says who stands at the beginning of an actor's credential, and by which record its long-term key or its user was made.
func madeBy(nodes []evidence.Node, a evidence.Actor) (hints []string) {
	i := slices.IndexFunc(nodes, func(n evidence.Node) bool {
		return n.Took && a.AccessKeyID != "" && slices.Contains(n.Keys, a.AccessKeyID)
	})
	for from := len(nodes); i >= 0 && i < from; i = nodes[i].Parent {
		from = i
		n := nodes[i]
		switch n.Kind {
		case evidence.PersonNode, evidence.ProviderNode:
			hints = append(hints, "it begins with "+what(n))
		case evidence.KeyNode, evidence.UserNode:
			if len(n.Made) > 0 {
				hints = append(hints, what(n)+" was made by "+made(n.Made[0]))
			}
		}
	}
	return hints
}

// abuseForm is where AWS takes reports of abuse: https://repost.aws/knowledge-center/report-aws-abuse
const abuseForm = "https://support.aws.amazon.com/#/contacts/report-abuse"

// Abuse says how the networks are reported to which bytes went that are not the principal's usual ones. Whose a network is nobody here knows without asking
// for it: the registries do (https://about.rdap.org), and what a cloud publishes of itself changes from day to day.
func Abuse(r incident.Record) (t Todo, any bool) {
	var endpoints []string
	for _, a := range slices.SortedStableFunc(slices.Values(r.Evidence.Actors), r.Order) {
		for _, o := range a.Origins {
			if !suspectedOf(r, a) || o.Familiar != nil && *o.Familiar {
				continue
			}
			if o.VPCEndpoint != "" {
				if at := place(o); !slices.Contains(endpoints, at) && len(endpoints) < maxTalks {
					endpoints = append(endpoints, at)
				}
				continue
			}
			network, err := netip.ParsePrefix(o.Network)
			if err != nil || !network.Addr().IsGlobalUnicast() || network.Addr().IsPrivate() || len(t.Commands) == maxTalks {
				continue
			}
			if line := "curl -sSL https://rdap.org/ip/" + network.String(); !slices.Contains(t.Commands, line) {
				t.Commands = append(t.Commands, line)
			}
		}
	}
	const aws = "AWS takes reports at " + abuseForm
	if len(t.Commands) > 0 {
		t.Says = "Report the abuse to who holds the network. It is not decided here whose it is, a cloud's or not: the command asks the registry, which names the holder and where he takes reports. " + aws +
			". Say when, in UTC, and from which addresses, which stand in the trail's own records; say nothing of what was taken."
	}
	if len(endpoints) > 0 {
		t.Says = strings.TrimSpace(t.Says + " " + prose.Capital(strings.Join(endpoints, ", ")) + " is inside AWS: see whether the account is one of yours. If not, " + aws + ".")
	}
	return t, t.Says != ""
}
