package responder

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/judgement"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// enrichTime is for what the report would like to say: the team must not wait long for it.
const enrichTime = 20 * time.Second

// enrich asks who put the tags there that protect targets, one question an owner, who stands behind sessions and services, and what was made with
// the credentials, who else works with them, and whom the steps hit beside them, all of it in enrichTime.
func (w *worker) enrich(ctx context.Context, rec *incident.Record) {
	rec.Enriched = true
	ctx, cancel := context.WithTimeout(ctx, enrichTime)
	defer cancel()
	q := evidence.Callers{Credentials: rec.CallersUnknown(), Before: rec.Edge()}
	var uses *evidence.Uses
	var cost evidence.Answer
	var err error
	beside := evidence.Bystanders{Of: judgement.Aims(*rec), Before: rec.Edge()}
	var hits []evidence.Hit
	var hitsCost evidence.Answer
	var hitsErr error
	questions := 2
	if len(beside.Of) > 0 {
		questions++
	}
	w.Workers.Each(questions, func(n int) {
		switch {
		case n == 0:
			w.behindAll(ctx, rec)
		case n == 2:
			hits, hitsCost, hitsErr = w.ask.Bystanders(ctx, beside)
		case len(q.Credentials) > 0:
			uses, cost, err = w.ask.Callers(ctx, q)
		}
	})
	w.tookCallers(ctx, rec, q, uses, cost, err)
	if len(beside.Of) > 0 && rec.TookBystanders(w.Clock.Now(), hits, hitsCost, hitsErr) != "" {
		w.Log.ErrorContext(ctx, "the trail did not answer", "incident", rec.ID, "question", beside.Name(), "err", hitsErr)
	}
	known := map[string]string{}
	for i, v := range rec.Verdicts {
		target := rec.Outcomes[i].Step.Target
		if v.Protected == "" || target.ProtectTag == "" {
			continue
		}
		if _, asked := known[target.OwnerARN]; !asked {
			known[target.OwnerARN] = w.tagger(ctx, rec, target)
		}
		rec.Verdicts[i].TaggedBy = known[target.OwnerARN]
	}
}

// tookCallers takes in who else works with the credentials of the steps, where the question on the buckets did not say: those that did not call
// them before.
func (w *worker) tookCallers(ctx context.Context, rec *incident.Record, q evidence.Callers, uses *evidence.Uses, cost evidence.Answer, err error) {
	if len(q.Credentials) == 0 {
		return
	}
	rec.Evidence.Cost.Add(cost)
	if err != nil {
		w.unanswered(ctx, rec, q.Name(), err)
		return
	}
	for i, a := range rec.Evidence.Actors {
		if a.AlsoUsed == nil {
			rec.Evidence.Actors[i].AlsoUsed = uses.Also(a, q.Before)
		}
	}
}

// orders is who has had an actor read, as far as the trail shows, and the credential of the last who did.
type orders struct {
	found   []containment.Source
	by      *evidence.Actor
	unknown string
}

// behindAll finds the lineage of the credentials that steps are about, and says of each step that a human is asked about who stands behind its
// actor, and what he has to run about that too. An actor whose step is on several buckets is asked about once.
func (w *worker) behindAll(ctx context.Context, rec *incident.Record) {
	ordered, silent := map[string]orders{}, ""
	actors, due := rec.LineageOf()
	for _, o := range rec.Outcomes {
		a, ok := rec.BehindDue(o)
		if !ok {
			continue
		}
		due = true
		asks, id := containment.AsksOf(a), a.AccessKeyID+a.Who()
		if _, asked := ordered[id]; asked || asks != containment.WhoOrdered && asks != containment.WhoOpenedIt {
			continue
		}
		got := orders{unknown: silent}
		if silent == "" && len(ordered) < maxOrdered {
			var cost evidence.Answer
			var err error
			got.found, got.by, cost, err = w.ask.Ordered(ctx, a, slices.Sorted(maps.Keys(a.Buckets)))
			rec.Evidence.Cost.Add(cost)
			if err != nil {
				silent = w.unanswered(ctx, rec, evidence.Ordered{}.Name(), err)
				got.unknown = silent
			}
			if got.by != nil {
				actors = append(actors, *got.by)
			}
		} else {
			got.unknown = "not asked"
		}
		ordered[id] = got
	}
	if !due || rec.MergedInto != "" {
		return
	}
	search, unknown := w.lineage(ctx, rec, actors)
	for i := range rec.Outcomes {
		o := &rec.Outcomes[i]
		a, ok := rec.BehindDue(*o)
		if !ok {
			continue
		}
		key, why := a.AccessKeyID, unknown
		if got, asked := ordered[a.AccessKeyID+a.Who()]; asked {
			key, why, o.Behind = "", got.unknown, got.found
			if got.by != nil {
				key = got.by.AccessKeyID
			}
		} else if !slices.ContainsFunc(actors, func(seed evidence.Actor) bool { return seed.AccessKeyID == key }) {
			why = "not asked"
		}
		o.Behind = slices.Concat(o.Behind, w.ask.Minted(search, key))
		o.Runbook = slices.Concat(o.Step.Runbook, containment.Behind(a, o.Behind, why), containment.SignIns(rec.Lineage, a))
	}
	rec.SayOnce()
}

// lineage asks where actors' credentials come from and what was made with them, and keeps what was found, with why the rest was not.
func (w *worker) lineage(ctx context.Context, rec *incident.Record, actors []evidence.Actor) (search *evidence.Search, unknown string) {
	search, cost, err := w.ask.Lineage(ctx, actors)
	for _, c := range cost {
		rec.Evidence.Cost.Add(c)
	}
	if err != nil {
		unknown = w.unanswered(ctx, rec, evidence.Lineage{}.Name(), err)
	}
	if tree := search.Tree(); len(tree.Nodes) > 0 {
		if tree.Unknown = unknown; unknown != "" { // it was shown before, and nothing contradicts it
			tree.Minted, tree.Made = nil, nil
			if rec.Lineage != nil {
				tree.Minted, tree.Made = rec.Lineage.Minted, rec.Lineage.Made
			}
		} else {
			w.madeKeys(ctx, rec, tree.Made)
		}
		rec.Lineage = &tree
	}
	return search, unknown
}

// madeKeys finds what the account says of the keys that were made, and from where those that it knows were used, one question for all. What was known
// before and is not answered now stands.
func (w *worker) madeKeys(ctx context.Context, rec *incident.Record, keys []evidence.MadeKey) {
	q := evidence.Callers{Before: w.Clock.Now()}
	for i := range keys {
		k := &keys[i]
		if before, ok := rec.Lineage.MadeKey(k.Key); ok && before.UserName == k.UserName {
			k.Created, k.Used, k.Last = before.Created, before.Used, slices.MaxFunc([]time.Time{k.Last, before.Last}, time.Time.Compare)
		}
		if k.Created.IsZero() {
			k.Created = w.created(ctx, rec, k.UserName, k.Key)
		}
		if k.Agrees() && (k.Used == nil || k.There && !k.UsedElsewhere()) { // where it is used elsewhere, nothing more can be learned
			q.Credentials = append(q.Credentials, k.Key)
		}
	}
	if len(q.Credentials) == 0 {
		return
	}
	uses, cost, err := w.ask.Callers(ctx, q)
	rec.Evidence.Cost.Add(cost)
	if err != nil {
		w.unanswered(ctx, rec, q.Name(), err)
		return
	}
	for i, k := range keys {
		if j := slices.IndexFunc(rec.Evidence.Actors, func(a evidence.Actor) bool { return a.AccessKeyID == k.Actor }); j >= 0 && slices.Contains(q.Credentials, k.Key) {
			keys[i].UsedFrom(uses, rec.Evidence.Actors[j], q.Before)
		}
	}
}

// created is when the account says that a user's key was created; zero where the user has no such key, or it does not answer.
func (w *worker) created(ctx context.Context, rec *incident.Record, user, key string) (at time.Time) {
	keys, err := w.Account.Keys(ctx, user)
	if err != nil {
		w.Log.ErrorContext(ctx, "when a key was created could not be read: turning it off is no step", "incident", rec.ID, "key", key, "err", err)
	}
	for _, k := range keys {
		if k.ID == key {
			at = k.Created
		}
	}
	return at
}

// maxOrdered is how many actors of one incident are asked about by whose order they read: the first are those that took most.
const maxOrdered = 5

// tagger says who tagged a protected target, as far as the trail shows.
func (w *worker) tagger(ctx context.Context, rec *incident.Record, target policy.Target) string {
	tagger, answer, err := w.ask.Tagged(ctx, target)
	rec.Evidence.Cost.Add(answer)
	switch {
	case err != nil:
		return "not known: " + w.unanswered(ctx, rec, evidence.Tagged{}.Name(), err)
	case tagger == nil:
		return "nobody that this trail shows in the last 14 days (IAM's calls are recorded in us-east-1)"
	}
	return prose.Safe(fmt.Sprintf("%s with key %s from %s at %s (%s)", tagger.ARN, tagger.AccessKeyID, tagger.From,
		tagger.At.Format("2006-01-02 15:04:05"), tagger.Call))
}

// unanswered logs and notes why a question was not answered, and returns it as it is printed.
func (w *worker) unanswered(ctx context.Context, rec *incident.Record, question string, err error) string {
	w.Log.ErrorContext(ctx, "the trail did not answer", "incident", rec.ID, "question", question, "err", err)
	return rec.Unanswered(w.Clock.Now(), question, err)
}
