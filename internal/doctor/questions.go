package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

// questionsLimit bounds the asking of all questions: an engine may be busy with a question of the night's.
const questionsLimit = 8 * time.Minute

// Asked are the questions that our functions put to the trail, over the minute that begins at a time. What they
// ask about is nobody and nothing that exists.
func Asked(at time.Time) []evidence.Question {
	const key, bucket = "AKIANIGHTLATCHDOCTOR", "nightlatch-doctor"
	to := at.Add(time.Minute)
	return []evidence.Question{
		evidence.Bytes{Windows: []evidence.Window{{From: at, To: to, Buckets: []string{bucket}}}, Margin: 0},
		evidence.Usage{Buckets: []string{bucket}, Before: at.Add(evidence.HistorySpan)}, // whose span begins with the minute
		evidence.Callers{Buckets: []string{bucket}, Credentials: []string{key}, Before: at.Add(evidence.CallersSpan)},
		evidence.Bystanders{Of: []evidence.Aim{{Reach: evidence.Reach{PrincipalID: key}}, {Reach: evidence.Reach{Bucket: bucket}}}, Before: at.Add(evidence.HistorySpan)},
		evidence.Since{KeyIDs: []string{key}, From: at, To: to},
		evidence.Refused{KeyIDs: []string{key}, From: at, To: to},
		evidence.Lineage{Given: []string{key}, Keys: []string{key}, Sessions: []string{key + ":" + bucket}, SignedIn: []string{key}, From: at, To: to},
		evidence.Ordered{Buckets: []string{bucket}, Calls: []string{"PutBucketReplication"}, From: at, To: to},
		evidence.Copied{Buckets: []string{bucket}, From: at, To: to},
		evidence.Taken{Buckets: []string{bucket}, Callers: []actor.Credential{{AccessKeyID: key}}, From: at, To: to},
		evidence.Course{Buckets: []string{bucket}, Keys: []string{key}, From: at, To: to},
		evidence.Exercised{User: bucket, AccountID: "000000000000", From: at, To: to},
		evidence.Trust{Role: bucket, From: at, To: to},
		evidence.Tagged{User: bucket, Tag: "nightlatch:protect", From: at, To: to},
	}
}

// Questions checks that each engine takes each question, over the minute that begins at a time. An engine that is busy, or a run that ends, could
// not be read; whatever else it answers is what it would answer at midnight.
func Questions(engines []evidence.Trail, at time.Time, grants ...grant.Grant) Check {
	return Check{Name: QuestionsName, Grants: grants, Limit: questionsLimit, Mend: readable, Run: func(ctx context.Context) Answer {
		if len(engines) == 0 {
			return unread(errors.New("there is no engine to ask; deploy again, with a trail or an event data store"))
		}
		asked := make([]engineSays, len(engines))
		var done sync.WaitGroup
		for i, engine := range engines {
			done.Go(func() { asked[i] = ask(ctx, engine, []string{"the first engine", "the second engine"}[min(i, 1)], at) })
		}
		done.Wait()
		var all []Finding
		var busy error
		var took []string
		for _, a := range asked {
			all = append(all, a.refused...)
			if a.took != "" {
				took = append(took, a.took)
			}
			if busy == nil {
				busy = a.busy
			}
		}
		if busy != nil && len(all) == 0 {
			return unread(busy)
		}
		answer := found(all, "%s", strings.Join(took, ", "))
		answer.Says = strings.Join(took, ", ") // what one engine takes is good to know where the other refuses
		return answer
	}}
}

// engineSays is what one engine says to the questions.
type engineSays struct {
	took    string
	refused []Finding
	busy    error
}

// ask puts the questions to one engine, one after the other: its slots are the night's.
func ask(ctx context.Context, engine evidence.Trail, name string, at time.Time) (said engineSays) {
	taken, scanned := 0, int64(0)
	why := map[string]bool{}
	all := Asked(at)
	for _, q := range all {
		answer, err := engine.Ask(ctx, q)
		switch {
		case err == nil:
			name, taken, scanned = answer.Engine, taken+1, scanned+answer.Scanned
		case ctx.Err() != nil || errors.Is(err, evidence.ErrBusy):
			said.busy = fmt.Errorf("the question %s to %s: %v", q.Name(), name, err)
		default:
			why[err.Error()] = true
			said.refused = append(said.refused, Finding{Says: fmt.Sprintf("%s does not take the question %s: %s", name, q.Name(), prose.Plain(err.Error())), Mend: means(q.Name()) + letIn(err)})
		}
	}
	if len(said.refused) == len(all) && len(why) == 1 { // it is the engine, and no question
		for words := range why {
			said.refused = []Finding{{Says: fmt.Sprintf("%s takes no question: %s", name, prose.Plain(words)), Mend: said.refused[0].Mend}}
		}
	}
	if taken == 0 {
		return said
	}
	said.took = fmt.Sprintf("%s takes %s (%s scanned)", prose.Safe(name), prose.Plural(int64(taken), "question"), prose.Bytes(scanned))
	return said
}

// letIn says who mends it where a right is missing that another account's policies may have to give; "" where it is something else.
func letIn(err error) string {
	if _, denied := errors.AsType[grant.Denial](err); !denied {
		return ""
	}
	return "; where the evidence is of another account, its owner adds to his policies what the stack's outputs TrailAccess, ManagementAccess and StoreAccess print"
}

// means says what is missing at midnight where a question is refused, and what to do.
func means(question string) string {
	missing, ok := map[string]string{
		"bytes":      "nobody is found when an alarm fires",
		"usage":      "nobody's habits are known, and every step waits for a human",
		"callers":    "no message says what would break where a credential is cut",
		"bystanders": "no message says whom a step would hit beside the thief",
		"refused":    "no message says whose work a deny has stopped",
		"taken":      "no case folder has the list of what was taken",
		"since":      "nobody sees what a credential does after it was contained, and no human is followed to his sign-in",
	}[question]
	if !ok {
		missing = "an answer will lack a part of who did it"
	}
	return "until it is mended, " + missing + "; send these words to whoever looks after Nightlatch"
}
