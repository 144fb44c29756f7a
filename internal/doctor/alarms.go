package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

// AlarmsRead reads alarms by their names; one that is gone is left out. Errors are one sentence.
type AlarmsRead func(ctx context.Context, names []string) ([]Alarm, error)

// Alarms checks that the alarms fire when they were to, and do then what they were to do.
func Alarms(stack Stack, read AlarmsRead, grants ...grant.Grant) Check {
	return onStack(AlarmsName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		if len(d.Alarms) == 0 {
			return unread(errors.New("the stack has no alarm; see whether it is Nightlatch's"))
		}
		names := make([]string, len(d.Alarms))
		for i, a := range d.Alarms {
			names[i] = a.Name
		}
		is, err := read(ctx, names)
		if err != nil {
			return unread(err)
		}
		there := map[string]Alarm{}
		for _, a := range is {
			there[a.Name] = a
		}
		var all []Finding
		for _, a := range d.Alarms {
			now, ok := there[a.Name]
			if !ok {
				all = append(all, Finding{Says: fmt.Sprintf("alarm %s is gone", prose.Safe(a.Name)), Mend: restoreAlarm})
				continue
			}
			all = append(all, a.differs(now)...)
		}
		return found(all, "%s as deployed, enabled, not muted, and evaluated", prose.Plural(int64(len(d.Alarms)), "alarm"))
	})
}

// restoreAlarm says how an alarm comes back: CloudFormation compares templates, and makes nothing again of which the template has not changed.
const restoreAlarm = "CloudFormation does not see it by itself: deploy once without its bucket, or with another threshold, and then again as before"

// differs is what of an alarm is not as it was deployed.
func (a Alarm) differs(is Alarm) (all []Finding) {
	name := "alarm " + prose.Safe(a.Name)
	all = differences(name, a.Settings, is.Settings, restoreAlarm)
	for _, why := range is.Idle {
		all = append(all, Finding{Says: name + " " + why, Mend: "take that away, and see in CloudTrail who did it: " + command("aws", "cloudwatch", "describe-alarms", "--alarm-names", a.Name)})
	}
	return all
}

// shown is a value in a sentence.
func shown(v string) string {
	if v == "" {
		return "nothing"
	}
	return prose.Safe(strings.ReplaceAll(v, Unknown, "..."))
}
