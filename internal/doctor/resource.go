package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

// The names of the checks of what is held against the template setting by setting.
const (
	FunctionsName = "functions"
	TableName     = "table"
	SchedulesName = "schedules"
	StorageName   = "storage"
)

// Kind is what a Resource is, in a message's words.
type Kind string

// The kinds of resources.
const (
	Function Kind = "function"
	Mapping  Kind = "event source mapping"
	Table    Kind = "table"
	Group    Kind = "group of schedules"
	Bucket   Kind = "bucket"
)

// Variable begins the names of those settings of a function that are variables of its environment.
const Variable = "variable "

// Code is that setting of a function that is its code's hash.
const Code = "CodeSha256"

// without is what comes of it where one is gone.
var without = map[Kind]string{Function: "nothing that calls it is done", Mapping: "its function does not get what waits for it", Table: "no incident can be opened, and none be followed up",
	Group: "no incident is followed up", Bucket: "what is kept there is lost, and nothing more can be"}

// Resource is a part of the deployment's that is held against its template setting by setting, as it was deployed or as it is.
type Resource struct {
	Kind Kind
	// ID is by what it is read, and Name what it is called.
	ID, Name string
	// Settings are what matters of it, by the names of CloudFormation's properties where it has one. A value may hold Unknown; JSON is in one form.
	Settings map[string]string
	// Idle says why it does nothing now, a sentence each: it is disabled, say. None of one as it was deployed.
	Idle []string
}

// ResourceRead reads a resource as it is. Errors are one sentence; errors.Is finds ErrGone in it.
type ResourceRead func(ctx context.Context, kind Kind, id string) (Resource, error)

// Functions checks that what alarms, schedules and queues call is there, works, and may be called by them and by nobody else.
func Functions(stack Stack, read ResourceRead, grants ...grant.Grant) Check {
	return asTemplate(FunctionsName, stack, read, grants, "as deployed, active, and called by whom they were to be", Function, Mapping)
}

// TableOf checks that the table of incidents is there, protected, and written by ours alone.
func TableOf(stack Stack, read ResourceRead, grants ...grant.Grant) Check {
	return asTemplate(TableName, stack, read, grants, "as deployed, with its policy, its stream and its backups", Table)
}

// Schedules checks that incidents can be followed up: the group of their schedules is there. The role with which they call is among the roles.
func Schedules(stack Stack, read ResourceRead, grants ...grant.Grant) Check {
	return asTemplate(SchedulesName, stack, read, grants, "as deployed", Group)
}

// Storage checks that the deployment's own buckets are there and closed: the one of case folders, and those of a trail's files and of answers
// where the deployment makes them.
func Storage(stack Stack, read ResourceRead, grants ...grant.Grant) Check {
	return asTemplate(StorageName, stack, read, grants, "as deployed, with policy, versions, lock, and no public access", Bucket)
}

// asTemplate is the check that resources of these kinds are as deployed. The stack has one of the first kind, or it is not Nightlatch's.
func asTemplate(name string, stack Stack, read ResourceRead, grants []grant.Grant, well string, kinds ...Kind) Check {
	return onStack(name, stack, grants, func(ctx context.Context, d Deployed) Answer {
		var all []Finding
		counted := map[Kind]int64{}
		untold := false
		for _, was := range d.Resources {
			if !slices.Contains(kinds, was.Kind) {
				continue
			}
			counted[was.Kind]++
			is, err := read(ctx, was.Kind, was.ID)
			switch {
			case errors.Is(err, ErrGone):
				all = append(all, Finding{Says: fmt.Sprintf("%s %s is gone: %s", was.Kind, prose.Safe(was.Name), without[was.Kind]), Mend: restore})
			case err != nil:
				return unread(err)
			case d.Changing:
				was.Settings = is.Settings
				fallthrough
			default:
				untold = untold || was.Settings[Code] == Unknown
				all = append(all, was.differs(is)...)
			}
		}
		if counted[kinds[0]] == 0 {
			return unread(fmt.Errorf("the stack has no %s; see whether it is Nightlatch's", kinds[0]))
		}
		var said []string
		for _, k := range kinds {
			if n := counted[k]; n > 0 {
				said = append(said, counting(n, k))
			}
		}
		switch {
		case d.Changing:
			well = "there; a deployment is going on, and how they are set is not compared before it is over"
		case untold:
			well += "; whether their code is the deployed one is not known, as the stack is of an earlier version"
		}
		return found(all, "%s %s", strings.Join(said, " and "), well)
	})
}

// counting is "1 group of schedules", "2 groups of schedules".
func counting(n int64, k Kind) string {
	if k == Group && n != 1 {
		return fmt.Sprintf("%d groups of schedules", n)
	}
	return prose.Plural(n, string(k))
}

// restore says how what was changed by another way comes back: CloudFormation makes nothing again of which the template has not changed.
const restore = "CloudFormation does not see it by itself: put it back as the stack's template has it (aws cloudformation get-template), and see in CloudTrail who did it"

// restoreCode says what to do where a function's code was replaced.
const restoreCode = "see in CloudTrail who called UpdateFunctionCode, and take it for an intrusion; its deployed code lies where the stack's template says, at Code: aws lambda update-function-code puts it back"

// differs is what of a resource is not as it was deployed.
func (r Resource) differs(is Resource) (all []Finding) {
	name := string(r.Kind) + " " + prose.Safe(r.Name)
	if !same(r.Settings[Code], is.Settings[Code]) {
		all = append(all, Finding{Says: name + " runs other code than was deployed", Mend: restoreCode})
	}
	deployed, now := maps.Clone(r.Settings), maps.Clone(is.Settings)
	delete(deployed, Code)
	delete(now, Code)
	all = append(all, differences(name, deployed, now, restore)...)
	for _, why := range is.Idle {
		all = append(all, Finding{Says: name + " " + why, Mend: "see in CloudTrail who did it, or what AWS says of it, and deploy again"})
	}
	return all
}

// differences are a finding for each setting that is not as deployed.
func differences(name string, deployed, is map[string]string, mend string) (all []Finding) {
	for _, setting := range slices.Sorted(maps.Keys(deployed)) {
		if was, now := deployed[setting], is[setting]; !same(was, now) {
			all = append(all, Finding{Says: fmt.Sprintf("%s: its %s is %s, and was deployed as %s", name, prose.Safe(setting), shown(now), shown(was)), Mend: mend})
		}
	}
	for _, setting := range slices.Sorted(maps.Keys(is)) {
		if _, known := deployed[setting]; !known {
			all = append(all, Finding{Says: fmt.Sprintf("%s: its %s is %s, and was deployed without", name, prose.Safe(setting), shown(is[setting])), Mend: mend})
		}
	}
	return all
}
