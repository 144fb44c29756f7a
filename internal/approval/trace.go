package approval

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/prose"
)

// link is one credential in the chain from a caller back to whoever signed in.
type link struct {
	actor.Credential
	// made is when a long-term key was made; zero for others.
	made time.Time
}

// maxHops is how many roles a session may have been assumed through.
const maxHops = 5

// mintTime is how long before and after a key's creation date its CreateAccessKey is searched for.
const mintTime = 2 * time.Minute

// young is how old a key must be that nobody is seen to have made: CloudTrail delivers in minutes, mostly, and a store of another region never
// shows IAM's calls.
const young = time.Hour

// ownTerms ends the refusals of callers who cannot be known. The printed command is in every message.
const ownTerms = "run the printed command with your own credentials instead"

// credential is what the caller signs with, as CloudTrail would name it.
func (c Caller) credential(ours actor.Ours) actor.Credential {
	id := actor.Identity{PrincipalID: c.UserID, ARN: c.ARN, AccountID: c.AccountID, AccessKeyID: c.AccessKeyID}
	if m := arnKind.FindStringSubmatch(c.ARN); m != nil {
		id.Type = map[string]string{"iam:user/": "IAMUser", "sts:assumed-role/": "AssumedRole", "sts:federated-user/": "FederatedUser", "iam:root": "Root"}[m[1]+":"+m[2]]
	}
	return actor.Of(id, ours)
}

var arnKind = lazyregexp.New(`^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:(user/|assumed-role/|federated-user/|root)`)

// known refuses a caller who is not of our accounts, or is nobody who could approve.
func (a *Approval) known(c Caller) (actor.Credential, error) {
	if !a.Ours[c.AccountID] {
		return actor.Credential{}, refuse(BadCaller, "you are %s of account %s, and only principals of the account that Nightlatch watches may do this; %s", c.ARN, c.AccountID, ownTerms)
	}
	switch cred := c.credential(a.Ours); cred.Kind {
	case actor.IAMUserKey, actor.IAMUserSession, actor.FederatedUser, actor.RoleSession, actor.IdentityCenter, actor.RootKey, actor.RootSession:
		return cred, nil
	}
	return actor.Credential{}, refuse(BadCaller, "%s with %s is not a kind of credential that Nightlatch knows; %s", c.ARN, c.AccessKeyID, ownTerms)
}

// traced follows a caller's credential back to where somebody signed in, and refuses him if any of it is in one of the incidents. That
// refusal comes first, whatever else is wrong with him. Whose role alone is in one of them is refused too, beside his chain.
func (a *Approval) traced(ctx context.Context, cred actor.Credential, recs ...incident.Record) (chain []link, role, err error) {
	chain, err = a.trace(ctx, cred)
	var all suspicion
	for _, rec := range recs {
		s := suspected(chain, rec)
		if s.he != nil {
			return nil, nil, s.he
		}
		all.role, all.neighbours = cmp.Or(all.role, s.role), append(all.neighbours, s.neighbours...)
	}
	if err != nil {
		return chain, nil, err
	}
	if err := a.theirs(ctx, &all, chain); err != nil {
		return chain, nil, err
	}
	return chain, all.role, all.he
}

// trace follows a caller's credential back to where somebody signed in: what a thief has minted is his own. The caller's own credential
// is the first link. Beside an error are the links that were found. What the trail does not show is refused: CloudTrail is minutes behind, and
// the session may be a thief's.
func (a *Approval) trace(ctx context.Context, cred actor.Credential) ([]link, error) {
	now := a.Clock.Now()
	var chain []link
	for {
		l := link{Credential: cred}
		if strings.HasPrefix(cred.AccessKeyID, "AKIA") {
			return a.traceKey(ctx, append(chain, l))
		}
		chain = append(chain, l)
		if len(chain) > maxHops {
			return chain, refuse(BadCaller, "your session was assumed through more than %d others, and Nightlatch follows no more; %s", maxHops, ownTerms)
		}
		minted, err := a.minter(ctx, cred.AccessKeyID, now.Add(-evidence.SessionLife), now)
		if err != nil {
			return chain, err
		}
		if minted == nil {
			return chain, refuse(BadCaller, "CloudTrail does not show who was given the session %s, so it may be a thief's: it is about five minutes behind, so wait, or %s",
				cred.AccessKeyID, ownTerms)
		}
		by := actor.Of(minted.By, a.Ours)
		switch key := minted.By.AccessKeyID; {
		case minted.By.Type == "SAMLUser" || minted.By.Type == "WebIdentityUser" || minted.By.Type == "IdentityCenterUser":
			return append(chain, link{Credential: by}), a.outside(ctx, cred, *minted) // he has signed in outside AWS
		case by.Kind == actor.AWSService || by.Kind == actor.ServiceForOthers:
			return chain, refuse(BadCaller, "the session %s was given to a machine, by %s, and only a human may do this; %s", cred.AccessKeyID, minted.By.InvokedBy, ownTerms)
		case !a.Ours[by.AccountID]:
			return chain, refuse(BadCaller, "the session %s was given to somebody of account %s, who is not known here; %s", cred.AccessKeyID, by.AccountID, ownTerms)
		case key == "" && minted.By.InvokedBy == "signin.amazonaws.com" && (minted.By.Type == "IAMUser" || minted.By.Type == "Root"):
			return append(chain, link{Credential: by}), nil // he has signed in to the console
		case !strings.HasPrefix(key, "AKIA") && !strings.HasPrefix(key, "ASIA"):
			return chain, refuse(BadCaller, "CloudTrail does not show with which credential the session %s was asked for; %s", cred.AccessKeyID, ownTerms)
		}
		cred = by
	}
}

// traceKey ends a chain with a long-term key: when it was made, and, if that is not long ago, by whom.
func (a *Approval) traceKey(ctx context.Context, chain []link) ([]link, error) {
	l := &chain[len(chain)-1]
	if l.UserName == "" {
		return chain, refuse(BadCaller, "when the key %s was made cannot be seen here, as it is not a user's; %s", l.AccessKeyID, ownTerms)
	}
	keys, err := a.Account.Keys(ctx, l.UserName)
	if err != nil {
		return chain, fmt.Errorf("when the key %s was made could not be asked: %w", prose.Safe(l.AccessKeyID), err)
	}
	for _, k := range keys {
		if k.ID == l.AccessKeyID && k.Status == containment.Active {
			l.made = k.Created
		}
	}
	if l.made.IsZero() {
		return chain, refuse(BadCaller, "the key %s is not an active one of user %s; %s", l.AccessKeyID, l.UserName, ownTerms)
	}
	if a.Clock.Now().Sub(l.made) > evidence.HistorySpan {
		return chain, nil
	}
	minted, err := a.minter(ctx, l.AccessKeyID, l.made.Add(-mintTime), l.made.Add(mintTime))
	if err != nil {
		return chain, err
	}
	switch {
	case minted != nil:
		chain = append(chain, link{Credential: actor.Of(minted.By, a.Ours)})
	case a.Clock.Now().Sub(l.made) < young:
		return chain, refuse(BadCaller, "CloudTrail does not show who made the key %s at %s, so it may be a thief's: it is about five minutes behind, so wait, or %s",
			l.AccessKeyID, l.made.UTC().Format(time.DateTime), ownTerms)
	}
	return chain, nil
}

// minter asks who was given a credential; nil where the trail does not show it.
func (a *Approval) minter(ctx context.Context, key string, from, to time.Time) (*evidence.Making, error) {
	minted, err := a.Investigation.Minter(ctx, key, from, to)
	if err != nil {
		return nil, fmt.Errorf("who was given %s could not be asked: %w", prose.Safe(key), err)
	}
	return minted, nil
}
