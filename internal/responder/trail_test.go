package responder_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
)

// withSecond is a world in which the files can be asked besides the store.
func withSecond() (w *world, files *trail) {
	w = newWorld()
	w.trail.engine = "store"
	files = &trail{clock: w.clock, takers: w.trail.takers, engine: "files"}
	w.Second = files
	return w, files
}

// log is the incident's log in one text.
func log(r incident.Record) string {
	var all []string
	for _, e := range r.Log {
		all = append(all, e.What)
	}
	return strings.Join(all, "\n")
}

func TestWhereTheStoreFailsTheFilesAreAsked(t *testing.T) {
	for name, err := range map[string]error{"it is gone": errors.New("the event data store was not found"), "its slots are full": evidence.ErrBusy, "its budget is spent": evidence.ErrBudget} {
		t.Run(name, func(t *testing.T) {
			w, _ := withSecond()
			w.trail.always = err
			r := w.handle(t)
			if got := state(t, r); got != containment.Done || r.Evidence.Engine != "files" {
				t.Errorf("the step is %s, by the evidence of %s", got, r.Evidence.Engine)
			}
			w.keys(t, "Inactive")
			if says := "files was asked: the first engine did not answer: " + err.Error(); strings.Count(log(r), says) != 1 {
				t.Errorf("the log does not say once %q:\n%s", says, log(r))
			}
			if body := w.message(t).Body; !strings.Contains(body, "EVIDENCE (files") {
				t.Errorf("the message does not say which engine answered:\n%s", body)
			}
		})
	}
}

func TestTheFilesAreNotAskedWhereTheStoreAnswers(t *testing.T) {
	w, files := withSecond()
	if r := w.handle(t); r.Evidence.Engine != "store" || len(files.asked) != 0 {
		t.Errorf("the evidence is of %s, and the files were asked %v", r.Evidence.Engine, files.asked)
	}
}

// waiting is an engine that has no room as long as it may wait.
type waiting struct{}

func (waiting) Ask(ctx context.Context, _ evidence.Question) (evidence.Answer, error) {
	<-ctx.Done()
	return evidence.Answer{}, errors.Join(evidence.ErrBusy, ctx.Err())
}

// An attacker may keep the store's ten slots full: half of a query round's time is left for the files.
func TestAStoreWithoutRoomLeavesTimeForTheFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := withSecond()
		w.Trail = waiting{}
		began := time.Now()
		r := w.handle(t)
		if got := state(t, r); got != containment.Done || r.Evidence.Engine != "files" {
			t.Errorf("the step is %s, by the evidence of %s", got, r.Evidence.Engine)
		}
		if waited := time.Since(began); waited < 2*time.Minute || waited > 10*time.Minute {
			t.Errorf("the query rounds took %v", waited)
		}
	})
}

func TestTwoEnginesThatFailAreBothNamed(t *testing.T) {
	w, files := withSecond()
	w.trail.always, files.always = errors.New("the store is gone"), errors.New("the table is gone")
	r := w.handle(t)
	w.headline(t, "COULD NOT QUERY")
	for _, says := range []string{"the store is gone", "the table is gone"} {
		if body := unwrap(w.message(t).Body); !strings.Contains(body, says) {
			t.Errorf("the message does not say %q:\n%s", says, body)
		}
	}
	if len(r.Outcomes) != 0 {
		t.Errorf("got %+v", r.Outcomes)
	}
}

// What is over the budget would only be spent again, whatever keeps the other engine from answering.
func TestABudgetIsSpentOnce(t *testing.T) {
	w, files := withSecond()
	w.trail.always, files.always = evidence.ErrBusy, evidence.ErrBudget
	if r := w.handle(t); files.questions("usage") != 1 {
		t.Errorf("what is usual was asked of the files %d times in %d query rounds", files.questions("usage"), len(r.Rounds))
	}
}

// What shows more of the bytes is the answer, and the two are not mixed.
func TestAStoreThatStaysBehindIsNotWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		store, files []taker
		want         string
	}{
		"the store shows nothing":         {nil, []taker{thief(1_000_000)}, "files"},
		"the store shows a part":          {[]taker{job(300_000)}, []taker{thief(1_000_000)}, "files"},
		"the files show less":             {[]taker{job(300_000)}, []taker{thief(200_000)}, "store"},
		"neither shows much, and as much": {[]taker{job(300_000)}, []taker{thief(300_000)}, "store"},
	} {
		t.Run(name, func(t *testing.T) {
			w, files := withSecond()
			w.trail.takers, files.takers = c.store, c.files
			r := w.handle(t)
			if r.Evidence.Engine != c.want {
				t.Errorf("the evidence is of %s, want %s:\n%s", r.Evidence.Engine, c.want, log(r))
			}
			if n := files.questions("bytes"); n == 0 || n == len(r.Rounds) {
				t.Errorf("the files were asked in %d of %d query rounds, want only some: before, the store cannot be said to be behind", n, len(r.Rounds))
			}
			// What is usual comes from where the bytes came from: a store that is behind may know nothing of the last days.
			theirs := c.want == "files"
			if contained := w.account.Status(stolen) == "Inactive"; contained != theirs || (files.questions("usage") == 1) != theirs {
				t.Errorf("the stolen key is %s, and the files were asked %d times what is usual", w.account.Status(stolen), files.questions("usage"))
			}
		})
	}
}
