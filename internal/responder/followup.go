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
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

// follow checks after the verdict whether what was done holds, what the user has made and the credential has done since, and whether the
// bytes still flow. Where they do, the next window is an incident of its own.
func (w *worker) follow(ctx context.Context, rec *incident.Record) {
	f := incident.FollowUp{At: w.Clock.Now()}
	w.onward(ctx, rec, &f)
	for i := range rec.Outcomes {
		switch o := &rec.Outcomes[i]; {
		case !o.Watched():
		case o.Step.Ref.Type == containment.KeyStatus:
			w.keys(ctx, rec, o, &f)
		case o.Step.Order != nil:
			w.holds(ctx, o, &f)
		}
	}
	w.since(ctx, rec, &f)
	w.madeMeanwhile(ctx, rec, &f)
	w.stopped(ctx, rec, &f)
	var before incident.FollowUp
	if n := len(rec.FollowUps); n > 0 {
		before = rec.FollowUps[n-1]
	}
	rec.FollowUps = append(rec.FollowUps, f)
	rec.Note(f.At, "follow-up: "+report.FollowUp(f))
	_, more := rec.FollowUpDue()
	news := len(f.Broken) > 0 && len(before.Broken) == 0 && more || f.Hot && !before.Hot || slices.ContainsFunc(f.Found, func(s string) bool { return !slices.Contains(before.Found, s) })
	switch {
	case rec.MergedInto != "":
	case !more && (f.Hot || len(f.Found) > 0):
		rec.Escalated = f.At
		rec.Notify(incident.Escalation, time.Time{}, notify.Names(w.Channels)...)
	case news:
		rec.Notify(incident.Again, time.Time{}, notify.Names(w.Channels)...)
	case !more && (rec.Stepped() || rec.Unsolved() != ""):
		rec.Notify(incident.Closing, time.Time{}, notify.Names(w.Channels)...)
	}
}

// onward reads the metric after the window. A theft that goes on, or a second thief, fires nothing while the alarm stays in ALARM.
func (w *worker) onward(ctx context.Context, rec *incident.Record, f *incident.FollowUp) {
	if !rec.Alarm.Confirmed {
		return
	}
	after := rec.Alarm
	after.Part++ // what comes after a transition may be read when the transition itself is too old to be believed
	reading, err := w.ask.Metric(ctx, after)
	if doubt := reading.Doubt; err != nil || doubt != "" {
		if err != nil {
			doubt = err.Error()
		}
		f.Unknown = append(f.Unknown, "whether the bytes still flow: "+prose.Safe(doubt))
		return
	}
	next, flows := rec.Alarm.Onward(reading)
	if !flows {
		return
	}
	// What flowed before the step was done, or soon after, is the theft that was found, and no news.
	stopped := rec.Judged
	for _, o := range rec.Outcomes {
		if o.Watched() && o.At.After(stopped) {
			stopped = o.At
		}
	}
	cold := stopped.Add(containment.Propagation)
	if n := len(rec.FollowUps); n > 0 { // nor is what the last follow-up could see; datapoints come late
		if seen := rec.FollowUps[n-1].At.Add(-alarm.Margin); seen.After(cold) {
			cold = seen
		}
	}
	f.Hot = rec.Stepped() && next.To.After(cold)
	if rec.Continued != "" {
		return
	}
	if rec.Alarm.Part+1 >= maxWindows {
		rec.MergedInto = "" // what it has to say is its own
		f.Found = append(f.Found, fmt.Sprintf("alarm %s has been in ALARM for %d windows, and Nightlatch FOLLOWS IT NO FURTHER until it fires again: "+
			"see why it does not go back to OK, and raise its threshold if the bucket is only busy", prose.Safe(rec.Alarm.Name), maxWindows))
		return
	}
	opened := w.newRecord(ctx, next)
	opened.Follows = rec.ID
	if opened, err = w.store(ctx, w.Store.Open, opened); err != nil {
		f.Unknown = append(f.Unknown, "who moves the bytes that still flow: "+prose.Safe(err.Error()))
		return
	}
	rec.Continued = opened.ID
	rec.Note(f.At, "the bytes went on after the window: incident "+opened.ID+" asks who moved them")
	w.mu.Lock()
	w.open[opened.ID] = &opened // a list may not show it yet
	w.mu.Unlock()
}

// maxWindows is how many windows of one transition are investigated, which takes some hours. An alarm that stays in ALARM for longer is about
// a busy bucket, or a theft that a human does not end. Each window costs questions.
const maxWindows = 24

// keys lists the keys of the user whose key was turned off: whether it is still off, and which the user has made since.
func (w *worker) keys(ctx context.Context, rec *incident.Record, o *containment.Outcome, f *incident.FollowUp) {
	keys, err := w.Account.Keys(ctx, o.Step.Ref.Owner)
	if err != nil {
		f.Unknown = append(f.Unknown, "the keys of user "+prose.Safe(o.Step.Ref.Owner)+": "+prose.Safe(err.Error()))
		return
	}
	for _, k := range keys {
		switch {
		case k.ID == o.Step.Ref.Name && k.Status == containment.Active:
			f.Found = append(f.Found, "key "+prose.Safe(k.ID)+" of "+prose.Safe(o.Step.Ref.Owner)+" is ACTIVE again")
			o.State, o.Detail = containment.Drifted, "it is ACTIVE: somebody has turned it on again, or the change did not last"
		case k.ID == o.Step.Ref.Name && !o.Tried(): // whoever has turned it off, it was not us
			if o.State != containment.Already {
				o.State, o.Detail = containment.Already, "it reads as "+k.Status+" again: somebody else has turned it off"
			}
		case k.ID == o.Step.Ref.Name && o.State != containment.Done:
			o.State, o.Detail = containment.Done, "read back as "+k.Status
		case k.Status == containment.Active && k.Created.After(rec.Alarm.From):
			f.Found = append(f.Found, fmt.Sprintf("user %s has a new key, %s, made at %s", prose.Safe(o.Step.Ref.Owner), prose.Safe(k.ID),
				k.Created.UTC().Format("2006-01-02 15:04:05")))
			w.askAbout(rec, o, k.ID)
		}
	}
}

// holds reads whether a denial still stands.
func (w *worker) holds(ctx context.Context, o *containment.Outcome, f *incident.FollowUp) {
	what := string(o.Action) + " " + prose.Safe(o.Target)
	doc, err := w.Account.Read(ctx, o.Step.Ref)
	switch {
	case err != nil:
		f.Unknown = append(f.Unknown, "whether "+what+" holds: "+prose.Safe(err.Error()))
	case doc == o.Step.After && o.State != containment.Done && o.Tried():
		o.State, o.Detail = containment.Done, "read back as "+o.Step.Reads(doc)
	case doc == o.Step.Before && o.State == containment.Unknown:
		f.Found = append(f.Found, what+" was tried, and IS NOT SEEN DONE: run what its message says")
	case doc != o.Step.After:
		f.Found = append(f.Found, what+" HOLDS NO MORE: it reads as "+o.Step.Reads(doc))
		o.State, o.Detail = containment.Drifted, "it reads as "+o.Step.Reads(doc)+": somebody else has changed it"
	}
}

// since asks what the credentials that were turned off and their users have done since, once the trail can show it. A call may have begun
// before the step was done, or IAM may have let it through a little longer. What ended within containment.Propagation is no news.
func (w *worker) since(ctx context.Context, rec *incident.Record, f *incident.FollowUp) {
	q := evidence.Since{To: f.At}
	stopped := map[string]time.Time{} // since when each key can do nothing
	for _, o := range rec.Outcomes {
		if !o.Watched() || !o.Step.StopsAll() {
			continue
		}
		from := o.At.Add(containment.Propagation)
		stopped[o.Key()] = from
		if q.From.IsZero() || from.Before(q.From) {
			q.From = from
		}
		q.KeyIDs = append(q.KeyIDs, o.Key()) // later evidence may not show its actor any more
		for _, n := range rec.Lineage.MadeWith(o.Key()) {
			q.KeyIDs = append(q.KeyIDs, n.Keys...)
		}
		for _, a := range rec.Evidence.Actors {
			switch id, _, _ := strings.Cut(a.PrincipalID, ":"); {
			case a.AccessKeyID != o.Key():
			case o.Action == policy.DenyRoleSession: // the role's other sessions go on with their work
				q.SessionIDs = append(q.SessionIDs, a.PrincipalID)
			default:
				q.PrincipalIDs = append(q.PrincipalIDs, id)
			}
		}
		if m, ok := rec.Lineage.MintingOf(o.AccessKeyID); ok && m.PrincipalID != "" && m.Key == o.Key() {
			q.PrincipalIDs = append(q.PrincipalIDs, m.PrincipalID)
		}
	}
	if q.From.IsZero() || f.At.Sub(q.From) < evidence.Settling {
		return
	}
	asked, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	deeds, answer, err := w.ask.Since(asked, q)
	rec.Evidence.Cost.Add(answer)
	if err != nil {
		f.Unknown = append(f.Unknown, "what the credential has done since: "+w.unanswered(ctx, rec, q.Name(), err))
		return
	}
	if deeds.Unlisted > 0 {
		f.Unknown = append(f.Unknown, prose.Plural(deeds.Unlisted, "more kind")+" of calls since, which CloudTrail's answer has no room to list")
	}
	for _, deed := range deeds.Listed {
		key := deed.AccessKeyID
		session := key == "" || strings.HasPrefix(key, "ASIA")
		if !slices.Contains(q.KeyIDs, key) && !session && !(deed.Writes && slices.Contains(mints, deed.Service)) {
			continue // the owner's other keys go on with their work
		}
		if deed.Last.Before(stopped[key]) {
			continue // the question is for all keys, from the first that was contained on
		}
		if key == "" {
			key = "no key"
		}
		f.Found = append(f.Found, fmt.Sprintf("%s: %s %s succeeded since, last at %s from %s", prose.Safe(key), prose.Plural(deed.Calls, "call"),
			prose.Safe(deed.Call), deed.Last.UTC().Format(time.TimeOnly), prose.Safe(deed.From)))
		if len(f.Found) >= maxFound {
			f.Found = append(f.Found, "and more")
			break
		}
	}
}

// mints are the services that give out credentials.
var mints = []string{"iam.amazonaws.com", "sts.amazonaws.com", "signin.amazonaws.com"}

// madeMeanwhile draws the lineage again: the trail is minutes behind, so that what a thief has made just before his key was turned off shows
// later. What was made with a contained credential, and was not known, is news. So does what has minted a session that is asked about: then it is
// judged again.
func (w *worker) madeMeanwhile(ctx context.Context, rec *incident.Record, f *incident.FollowUp) {
	contained := slices.DeleteFunc(slices.Clone(rec.Outcomes), func(o containment.Outcome) bool { return !o.Watched() || o.AccessKeyID == "" })
	actors, _ := rec.LineageOf()
	again := len(contained) > 0 && len(rec.FollowUps) > 0 // the first one comes at once, and the lineage is new
	if !again && !rec.Lineage.Broken() || len(actors) == 0 || rec.MergedInto != "" {
		return
	}
	known := map[string]bool{}
	for _, o := range contained {
		for _, n := range rec.Lineage.MadeWith(o.Key()) {
			known[n.Name()] = true
		}
	}
	asked, cancel := context.WithTimeout(ctx, enrichTime)
	defer cancel()
	if _, unknown := w.lineage(asked, rec, actors); unknown != "" {
		f.Unknown = append(f.Unknown, "what was made with the credential meanwhile: "+unknown)
	}
	for _, o := range contained {
		for _, n := range rec.Lineage.MadeWith(o.Key()) {
			if known[n.Name()] || len(f.Found) >= maxFound {
				continue
			}
			known[n.Name()] = true
			f.Found = append(f.Found, "made with "+prose.Safe(o.Key())+", or with what that has made: "+report.Made(n))
		}
	}
}

// maxFound is how many findings one follow-up spells out.
const maxFound = 12

// askAbout asks a human about a key that the user of a contained one has made since. That it was used for a theft is not known.
func (w *worker) askAbout(rec *incident.Record, o *containment.Outcome, key string) {
	if slices.ContainsFunc(rec.Outcomes, func(known containment.Outcome) bool { return known.Target == key }) {
		return
	}
	target := o.Step.Target
	target.ID = key
	s := containment.DeactivateKey(target, containment.Doc{Text: containment.Active})
	rec.Reminded = 0
	rec.Outcomes = append(rec.Outcomes, containment.Outcome{Action: s.Action, Target: key, AccessKeyID: key, State: containment.Asked, At: w.Clock.Now(), Step: s, Runbook: s.Runbook,
		Detail: "made after " + o.Target + " was used for the theft: whoever has that one may have made it"})
	rec.Verdicts = append(rec.Verdicts, incident.Verdict{Action: s.Action, Target: key, Decision: policy.Ask,
		Reasons: []string{"made-since: the user of a contained key has made it since; a human has to say whether it is the owner's"}})
}

// remind repeats what waits for a human, and at last escalates it. What a human has done by hand meanwhile is not asked any more.
func (w *worker) remind(ctx context.Context, rec *incident.Record) {
	last := rec.Remind(w.Clock.Now())
	switch open := w.stillOpen(ctx, rec); {
	case open == 0 && rec.Unsolved() == "":
	case last:
		rec.Escalated = w.Clock.Now()
		rec.Note(rec.Escalated, "nobody has answered: escalated")
		rec.Notify(incident.Escalation, time.Time{}, notify.Names(w.Channels)...)
	default:
		rec.Notify(incident.Reminder, time.Time{}, notify.Names(w.Channels)...)
	}
}

// stillOpen counts the steps that wait for a human, without those that one has done by hand, which it notes.
func (w *worker) stillOpen(ctx context.Context, rec *incident.Record) (open int) {
	for i := range rec.Outcomes {
		o := &rec.Outcomes[i]
		if !o.Open() {
			continue
		}
		if open++; o.Step.Planned() {
			if doc, err := w.Account.Read(ctx, o.Step.Ref); err == nil && doc == o.Step.After {
				*o = o.ByHand(doc, w.Clock.Now())
				rec.Note(o.At, fmt.Sprintf("%s %s: done by hand", o.Action, prose.Safe(o.Target)))
				open--
			}
		}
	}
	return open
}
