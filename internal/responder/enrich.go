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
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// enrichTime is for what the report would like to say: the team must not wait long for it.
const enrichTime = 20 * time.Second

// enrich asks who put the tags there that protect targets, one question an owner, and who stands behind sessions and services, all of it in
// enrichTime.
func (w *worker) enrich(ctx context.Context, rec *incident.Record) {
	rec.Enriched = true
	ctx, cancel := context.WithTimeout(ctx, enrichTime)
	defer cancel()
	w.behindAll(ctx, rec)
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

// behindAll says of each step that a human is asked about who stands behind its actor, and what he has to run about that too. An actor whose
// step is on several buckets is asked about once.
func (w *worker) behindAll(ctx context.Context, rec *incident.Record) {
	type answered struct {
		found   []containment.Source
		unknown string
	}
	known, silent := map[string]answered{}, false
	for i := range rec.Outcomes {
		o := &rec.Outcomes[i]
		a, ok := rec.BehindDue(*o)
		if !ok {
			continue
		}
		id := a.AccessKeyID + a.Who()
		got, asked := known[id]
		switch {
		case asked:
		case silent || len(known) == maxBehind:
			got.unknown = "not asked"
		default:
			var cost []evidence.Answer
			var err error
			got.found, cost, err = w.ask.Behind(ctx, a, slices.Sorted(maps.Keys(a.Buckets)))
			for _, c := range cost {
				rec.Evidence.Cost.Add(c)
			}
			if err != nil {
				silent, got.unknown = true, w.unanswered(ctx, rec, "behind", err)
			}
			known[id] = got
		}
		o.Behind, o.Runbook = got.found, slices.Concat(o.Step.Runbook, containment.Behind(a, got.found, got.unknown))
	}
}

// maxBehind is how many actors of one incident are followed back: the first are those that took most.
const maxBehind = 5

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
