package responder

import (
	"cmp"
	"context"
	"slices"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/judgement"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

// judgeTime is the most that finding the targets may take: IAM may be slow, and a thief can have it throttled. A human gets what is not
// found by then.
const judgeTime = 45 * time.Second

// judge has a record judged. The account is asked about the credentials whose targets the judgement misses.
func (w *worker) judge(ctx context.Context, rec *incident.Record) {
	ctx, cancel := context.WithTimeout(ctx, judgeTime)
	defer cancel()
	limits := judgement.Limits{Brakes: w.readBrakes(ctx, rec), Channels: notify.Names(w.Channels)}
	limits.Steps, limits.Reach, limits.Settings = w.Steps, w.Reach, w.settings(ctx, rec)
	limits.Mode = w.left(limits.Brakes, w.Clock.Now())
	for targets := (judgement.Targets{}); ; {
		limits.Now = w.Clock.Now()
		judged, missing := judgement.Judge(w.policyFor(ctx, rec), *rec, targets, limits)
		if len(missing) == 0 {
			*rec = judged
			return
		}
		for who, owned := range w.ask.Targets(ctx, missing) {
			targets[who] = owned
			w.logTarget(ctx, rec.ID, who, owned)
		}
	}
}

// policyFor is the policy, and nil where it could not be loaded: the record says why.
func (w *worker) policyFor(ctx context.Context, rec *incident.Record) *policy.Policy {
	p, err := w.Policy()
	if rec.PolicyError = ""; err != nil {
		w.Log.ErrorContext(ctx, "the policy could not be loaded, so everything is asked", "incident", rec.ID, "err", err)
		p, rec.PolicyError = nil, err.Error()
	}
	return p
}

// settings reads what enabled steps would change and has no name of its own. What cannot be read is done by hand.
func (w *worker) settings(ctx context.Context, rec *incident.Record) map[containment.Ref]containment.Doc {
	known := map[containment.Ref]containment.Doc{}
	failed := func(what, of string, err error) {
		w.Log.ErrorContext(ctx, "reading what a step would change failed: it is done by hand", "incident", rec.ID, "setting", what, "of", of, "err", err)
	}
	enabled := func(k actor.Kind, a evidence.Actor, step policy.Action) bool {
		return a.Kind == k && slices.Contains(w.Steps, step)
	}
	for _, a := range rec.Evidence.Actors {
		switch partition := cmp.Or(actor.Partition(a.PrincipalARN), rec.Alarm.Partition()); {
		case enabled(actor.Anonymous, a, policy.BlockPublicAccess):
			for bucket := range a.Buckets {
				ref := containment.Ref{Type: containment.PublicAccessBlock, Name: bucket}
				doc, err := w.Account.Read(ctx, ref)
				if err != nil {
					failed(string(ref.Type), bucket, err)
					continue
				}
				known[ref] = doc
			}
		case enabled(actor.IAMUser, a, policy.QuarantineUser) && a.UserName != "":
			name, attached, err := w.Account.Quarantine(ctx, a.UserName, partition)
			if err != nil {
				failed(string(containment.UserAttachment), a.UserName, err)
			}
			if err != nil || name == "" {
				continue
			}
			doc := containment.Doc{Absent: true}
			if attached {
				doc = containment.Doc{Text: containment.Attached}
			}
			known[containment.Ref{Type: containment.UserAttachment, Owner: a.UserName, Name: containment.QuarantineARN(partition, name)}] = doc
		}
	}
	return known
}

// logTarget logs what the account could not be asked.
func (w *worker) logTarget(ctx context.Context, id string, who actor.Credential, owned containment.Owned) {
	if owned.Err != nil {
		w.Log.ErrorContext(ctx, "identifying the credential failed", "incident", id, "key", who.AccessKeyID, "known", owned.Target.Known, "err", owned.Err)
	}
	if owned.StatusErr != nil {
		w.Log.ErrorContext(ctx, "reading the key's status failed", "incident", id, "key", who.AccessKeyID, "err", owned.StatusErr)
	}
}

// mergeAll merges the records of a batch that were judged, and puts them. The one with the most bytes comes first: the others merge into it.
func (w *worker) mergeAll(ctx context.Context, batch []task) {
	batch = slices.DeleteFunc(batch, func(t task) bool { return t.rec.JudgedOn == "" || w.open[t.rec.ID] == nil })
	slices.SortStableFunc(batch, func(x, y task) int { return cmp.Compare(y.rec.Evidence.Bytes, x.rec.Evidence.Bytes) })
	unput := map[string]bool{} // nothing merges into them
	for _, t := range batch {
		unput[t.rec.ID] = true
	}
	for _, t := range batch {
		w.merge(ctx, t.rec, unput)
		w.holdAnswer(t.rec)
		delete(unput, t.rec.ID)
		if w.put(ctx, t.rec) {
			w.intended[t.rec.ID] = t.rec.Version
		}
	}
}

// merge leaves a record's steps to another open incident that has the same. The lead is put first. Where it cannot be, the record stays an
// incident of its own: the team is notified twice rather than not at all.
func (w *worker) merge(ctx context.Context, rec *incident.Record, unput map[string]bool) {
	open := slices.DeleteFunc(w.sorted(), func(other *incident.Record) bool { return unput[other.ID] })
	limits := judgement.Limits{Channels: notify.Names(w.Channels), Now: w.Clock.Now()}
	lead, merged, ok := judgement.Merge(*rec, open, report.Answer(*rec), limits)
	if !ok {
		return
	}
	known := w.open[lead.ID]
	*known = lead
	if w.put(ctx, known) {
		*rec = merged
	}
}

// left is the mode that is left of the deployment's. Whoever lowers it in the generation of a deployment that came since this invocation began means
// what still runs of the one before as well, whose own lowered mode he has replaced.
func (w *worker) left(b incident.Brakes, now time.Time) containment.Mode {
	generation := w.Generation
	if b.At.After(w.began) {
		generation = b.Generation
	}
	return b.Left(generation, w.Mode, now)
}

// readBrakes reads the lowered mode and the holds. Where they cannot be read, everything is asked.
func (w *worker) readBrakes(ctx context.Context, rec *incident.Record) incident.Brakes {
	b, err := w.Store.Brakes(ctx)
	if err != nil {
		w.Log.ErrorContext(ctx, "reading the lowered mode failed: everything is asked", "incident", rec.ID, "err", err)
		rec.Note(w.Clock.Now(), "whether the mode was lowered could not be read, so everything is asked: "+prose.Safe(err.Error()))
		return incident.Brakes{Mode: containment.ModeAsk, Generation: w.Generation}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.brakes = &b
	return b
}
