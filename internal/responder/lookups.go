package responder

import (
	"context"
	"sync"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
)

// lookups keeps for a moment what the account has said of credentials and settings: in a storm of alarms a hundred incidents are about
// one key, and IAM answers some twenty questions a second. What is only known from here is never written on: a step reads its
// setting back.
type lookups struct {
	mu      sync.Mutex
	since   time.Time
	targets map[actor.Credential]policy.Target
	docs    map[containment.Ref]containment.Doc
}

// remembers is how long that is: what a thief changes in that time is seen when the step is read back.
const remembers = 10 * time.Second

func (k *lookups) forget(now time.Time) {
	if now.Sub(k.since) >= remembers || now.Before(k.since) {
		k.since, k.targets, k.docs = now, map[actor.Credential]policy.Target{}, map[containment.Ref]containment.Doc{}
	}
}

// identify is Account.Identify. An answer with an error is not kept.
func (k *lookups) identify(ctx context.Context, account containment.Account, c actor.Credential, now time.Time) (policy.Target, error) {
	k.mu.Lock()
	k.forget(now)
	t, ok := k.targets[c]
	k.mu.Unlock()
	if ok {
		return t, nil
	}
	t, err := account.Identify(ctx, c)
	if err == nil {
		k.mu.Lock()
		k.targets[c] = t
		k.mu.Unlock()
	}
	return t, err
}

// read is Account.Read.
func (k *lookups) read(ctx context.Context, account containment.Account, ref containment.Ref, now time.Time) (containment.Doc, error) {
	k.mu.Lock()
	k.forget(now)
	doc, ok := k.docs[ref]
	k.mu.Unlock()
	if ok {
		return doc, nil
	}
	doc, err := account.Read(ctx, ref)
	if err == nil {
		k.mu.Lock()
		k.docs[ref] = doc
		k.mu.Unlock()
	}
	return doc, err
}
