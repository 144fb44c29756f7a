package responder

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// metricLag is how long request metrics are given before a count of them is believed to be all.
const metricLag = 3 * time.Minute

// stopped looks for honest work that a containment has stopped. What a deny refuses is in the trail, with a name. What is sent with a key that is
// off is in no record (https://docs.aws.amazon.com/AmazonS3/latest/userguide/logging-with-S3.html): there the buckets' metric of refusals is
// compared with its usual, and has no name.
func (w *worker) stopped(ctx context.Context, rec *incident.Record, f *incident.FollowUp) {
	var off, denied time.Time // since when
	q := evidence.Refused{To: f.At}
	var cuts []cut
	earliest := func(t *time.Time, at time.Time) {
		if t.IsZero() || at.Before(*t) {
			*t = at
		}
	}
	for _, o := range rec.Outcomes {
		from := o.At.Add(containment.Propagation)
		switch {
		case o.State != containment.Done && o.State != containment.Already:
		case o.Step.Ref.Type == containment.KeyStatus:
			earliest(&off, from)
		case o.Step.Ref.Type != "":
			earliest(&denied, from)
			if o.AccessKeyID != "" {
				q.KeyIDs = append(q.KeyIDs, o.AccessKeyID)
			}
			for _, a := range rec.Evidence.Actors {
				if id, _, _ := strings.Cut(a.PrincipalID, ":"); o.Against(a) && id != "" {
					q.PrincipalIDs, cuts = append(q.PrincipalIDs, id), append(cuts, cut{o.Action, a})
				}
			}
		}
	}
	if q.From = denied; !denied.IsZero() && f.At.Sub(denied) >= evidence.Settling {
		w.refusedCalls(ctx, rec, q, cuts, f)
	}
	if until := f.At.Add(-metricLag); !off.IsZero() && until.After(off) {
		w.refusals(ctx, rec, off, until, f)
	}
}

// refusedCalls tells of those that were refused at places where their principal works on other days too. Others are the thief's, or nobody's.
func (w *worker) refusedCalls(ctx context.Context, rec *incident.Record, q evidence.Refused, cuts []cut, f *incident.FollowUp) {
	asked, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	refused, answer, err := w.ask.RefusedCalls(asked, q)
	rec.Evidence.Cost.Add(answer)
	if err != nil {
		f.Unknown = append(f.Unknown, "whose work was refused since: "+w.unanswered(ctx, rec, q.Name(), err))
		return
	}
	unknown := int64(0)
	for _, r := range refused.Listed {
		switch knows := known(cuts, r); {
		case knows == nil:
			unknown += r.Calls
		case *knows && len(f.Broken) < maxFound:
			by := ""
			if len(r.Programs.Names) > 0 {
				by = " by " + prose.List(r.Programs.Names)
			}
			f.Broken = append(f.Broken, fmt.Sprintf("%s of %s from %s%s REFUSED since, last at %s (%s): a place that it uses on other days too",
				prose.Plural(r.Calls, "call"), credential(r.Credential), prose.Safe(r.From.String()), by, r.Last.UTC().Format(time.TimeOnly), prose.List(r.Names.Names)))
		}
	}
	if unknown > 0 {
		f.Unknown = append(f.Unknown, "whether "+prose.Plural(unknown, "call")+" that were refused since are the owner's: what is usual for him is not known")
	}
	if refused.Partial {
		f.Unknown = append(f.Unknown, "whose work was refused since: CloudTrail's answer has no room to list all")
	}
}

// credential is one as it is printed.
func credential(id string) string {
	if id == "" {
		return "a credential that the record does not show"
	}
	return prose.Safe(id)
}

// cut is what was denied to an actor.
type cut struct {
	action policy.Action
	actor  evidence.Actor
}

// hits reports whether a credential of the actor's user or role is one that the step cuts. Its neighbours are refused for other reasons.
func (c cut) hits(credential string) bool {
	switch c.action {
	case policy.DenyRoleSession, policy.BlockOnBucket:
		return credential == c.actor.CredentialID()
	case policy.DenyUserSessions:
		return !strings.HasPrefix(credential, "AKIA")
	}
	return true
}

// known reports whether a principal that was denied something works where calls were refused on other days too; nil is unknown.
func known(cuts []cut, r evidence.Refusal) *bool {
	known := new(false)
	for _, c := range cuts {
		if !c.hits(r.Credential) {
			continue
		}
		switch knows := c.actor.Knows(r.From); {
		case knows == nil:
			known = nil
		case *knows:
			return knows
		}
	}
	return known
}

// refusals compares the buckets' metric of refusals with the same minutes of the days before.
func (w *worker) refusals(ctx context.Context, rec *incident.Record, from, to time.Time, f *incident.FollowUp) {
	r, err := w.ask.Refused(ctx, rec.Alarm, from, to)
	const not = "whether others' work has stopped is NOT KNOWN: S3 records nothing of a key that is off, and "
	switch {
	case err != nil:
		w.Log.ErrorContext(ctx, "the metric of refusals could not be read", "incident", rec.ID, "err", err)
		f.Refused = not + "its metric of refusals could not be read: " + prose.Safe(err.Error())
	case r.Doubt != "":
		f.Refused = not + prose.Safe(r.Doubt)
	case !r.Known():
		f.Refused = not + "its metric of refusals is too young to know what is usual"
	case r.Unusual():
		f.Broken = append(f.Broken, counted(rec.Alarm, r)+": somebody's work may have stopped. The metric has no names, so it may be the thief who tries again")
	default:
		f.Refused = counted(rec.Alarm, r) + ", which is usual. The metric has no names; and whether it counts what is sent with a key that is off, AWS does not say"
	}
}

// counted is what the metric shows, and what it showed on other days.
func counted(a alarm.Alarm, r alarm.Refusals) string {
	buckets := slices.DeleteFunc(slices.Clone(a.Buckets), func(b string) bool { return slices.Contains(r.Missing, b) })
	text := fmt.Sprintf("S3 REFUSED %s (4xx) to %s %s, on %s before at most %d in these minutes", prose.Plural(r.Count, "request"), prose.List(buckets),
		prose.Window(r.From, r.To), prose.Plural(int64(len(r.Usual)), "day"), r.Most())
	if len(r.Missing) > 0 {
		text += " (" + prose.List(r.Missing) + " has no such metric)"
	}
	return text
}
