package responder

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

// Caller is who asks for an approval, as STS says by his own signature.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
type Caller struct {
	// ARN is the caller's: of a user, the root user, or a session of a role.
	ARN string
	// UserID is aws:userid: AIDA…, AROA…:session.
	UserID string
	// AccessKeyID is what the call is signed with.
	AccessKeyID string
	// AccountID is the account of the credential.
	AccountID string
	// Signed is when he signed what he asks for, by his own clock.
	Signed time.Time
}

// Refusal is a no, in a sentence for the caller.
type Refusal struct {
	Kind RefusalKind
	// Why is printable ASCII.
	Why string
}

// RefusalKind is what a no is about.
type RefusalKind string

// What is wrong: the question, the one who asks, the incident's name, or how things stand.
const (
	BadQuestion RefusalKind = "question"
	BadCaller   RefusalKind = "caller"
	NoIncident  RefusalKind = "incident"
	NotNow      RefusalKind = "state"
)

// Error implements error.
func (r Refusal) Error() string { return r.Why }

// refuse makes a refusal; others' texts among args are escaped here.
func refuse(kind RefusalKind, format string, args ...any) error {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = report.Safe(s)
		}
	}
	return Refusal{kind, fmt.Sprintf(format, args...)}
}

// link is one credential in the chain from a caller back to whoever signed in.
type link struct {
	actor.Credential
	// made is when a long-term key was made; zero for others.
	made time.Time
}

// maxHops is how many roles a session may have been assumed through.
const maxHops = 5

// mintTime is how long before and after a key's creation date its CreateAccessKey is looked for.
const mintTime = 2 * time.Minute

// young is how old a key must be that nobody is seen to have made: CloudTrail delivers in minutes, mostly, and a store of another region never
// shows IAM's calls.
const young = time.Hour

// ownTerms ends the refusals of callers who cannot be known: what they are asked to do is in every message.
const ownTerms = "run the printed command with your own credentials instead"

// credential is what the caller signs with, as CloudTrail would name it.
func (c Caller) credential(ours actor.Ours) actor.Credential {
	id := actor.Identity{PrincipalID: c.UserID, ARN: c.ARN, AccountID: c.AccountID, AccessKeyID: c.AccessKeyID}
	if m := arnKind.FindStringSubmatch(c.ARN); m != nil {
		id.Type = map[string]string{"iam:user/": "IAMUser", "sts:assumed-role/": "AssumedRole", "sts:federated-user/": "FederatedUser", "iam:root": "Root"}[m[1]+":"+m[2]]
	}
	return actor.Of(id, ours)
}

var arnKind = regexp.MustCompile(`^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:(user/|assumed-role/|federated-user/|root)`)

// known refuses a caller who is not of our accounts, or is nobody who could approve.
func (r *Responder) known(c Caller) (actor.Credential, error) {
	if !r.Ours[c.AccountID] {
		return actor.Credential{}, refuse(BadCaller, "you are %s of account %s, and only principals of the account that Nightlatch watches may do this; %s", c.ARN, c.AccountID, ownTerms)
	}
	switch cred := c.credential(r.Ours); cred.Kind {
	case actor.IAMUserKey, actor.IAMUserSession, actor.FederatedUser, actor.RoleSession, actor.IdentityCenter, actor.RootKey, actor.RootSession:
		return cred, nil
	}
	return actor.Credential{}, refuse(BadCaller, "%s with %s is not a kind of credential that Nightlatch knows; %s", c.ARN, c.AccessKeyID, ownTerms)
}

// traced follows a caller's credential back to where somebody signed in, and refuses him if any of it is in one of the incidents. That
// is said first, whatever else is wrong with him.
func (r *Responder) traced(ctx context.Context, cred actor.Credential, recs ...incident.Record) ([]link, error) {
	chain, err := r.trace(ctx, cred)
	for _, rec := range recs {
		if err := suspected(chain, rec); err != nil {
			return nil, err
		}
	}
	return chain, err
}

// trace follows a caller's credential back to where somebody signed in: what a thief has minted is his own. The caller's own credential
// is the first link; beside an error are the links that were found. What the trail does not show is refused: CloudTrail is minutes
// behind, and the session may be a thief's.
func (r *Responder) trace(ctx context.Context, cred actor.Credential) ([]link, error) {
	now := r.Clock.Now()
	var chain []link
	for {
		l := link{Credential: cred}
		if strings.HasPrefix(cred.AccessKeyID, "AKIA") {
			return r.traceKey(ctx, append(chain, l))
		}
		chain = append(chain, l)
		if len(chain) > maxHops {
			return chain, refuse(BadCaller, "your session was assumed through more than %d others, and Nightlatch follows no more; %s", maxHops, ownTerms)
		}
		minted, err := r.minter(ctx, cred.AccessKeyID, now.Add(-evidence.SessionLife), now)
		if err != nil {
			return chain, err
		}
		if minted == nil {
			return chain, refuse(BadCaller, "CloudTrail does not show who was given the session %s, so it may be a thief's: it is about five minutes behind, so wait, or %s",
				cred.AccessKeyID, ownTerms)
		}
		by := actor.Of(minted.By, r.Ours)
		switch key := minted.By.AccessKeyID; {
		case minted.By.Type == "SAMLUser" || minted.By.Type == "WebIdentityUser" || minted.By.Type == "IdentityCenterUser":
			return append(chain, link{Credential: by}), nil // he has signed in outside AWS
		case by.Kind == actor.AWSService:
			return chain, refuse(BadCaller, "the session %s was given to a machine, by %s, and only a human may do this; %s", cred.AccessKeyID, minted.By.InvokedBy, ownTerms)
		case !r.Ours[by.AccountID]:
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
func (r *Responder) traceKey(ctx context.Context, chain []link) ([]link, error) {
	l := &chain[len(chain)-1]
	if l.UserName == "" {
		return chain, refuse(BadCaller, "when the key %s was made cannot be seen here, as it is not a user's; %s", l.AccessKeyID, ownTerms)
	}
	keys, err := r.Account.Keys(ctx, l.UserName)
	if err != nil {
		return chain, fmt.Errorf("when the key %s was made could not be asked: %w", report.Safe(l.AccessKeyID), err)
	}
	for _, k := range keys {
		if k.ID == l.AccessKeyID && k.Status == containment.Active {
			l.made = k.Created
		}
	}
	if l.made.IsZero() {
		return chain, refuse(BadCaller, "the key %s is not an active one of user %s; %s", l.AccessKeyID, l.UserName, ownTerms)
	}
	if r.Clock.Now().Sub(l.made) > evidence.HistorySpan {
		return chain, nil
	}
	minted, err := r.minter(ctx, l.AccessKeyID, l.made.Add(-mintTime), l.made.Add(mintTime))
	if err != nil {
		return chain, err
	}
	switch {
	case minted != nil:
		chain = append(chain, link{Credential: actor.Of(minted.By, r.Ours)})
	case r.Clock.Now().Sub(l.made) < young:
		return chain, refuse(BadCaller, "CloudTrail does not show who made the key %s at %s, so it may be a thief's: it is about five minutes behind, so wait, or %s",
			l.AccessKeyID, l.made.UTC().Format(time.DateTime), ownTerms)
	}
	return chain, nil
}

// minter asks who was given a credential; nil where the trail does not show it.
func (r *Responder) minter(ctx context.Context, key string, from, to time.Time) (*evidence.Minted, error) {
	answer, err := r.ask(ctx, evidence.Minter{AccessKeyID: key, From: from, To: to})
	var minted *evidence.Minted
	if err == nil {
		minted, err = evidence.ReadMinter(answer.Rows)
	}
	if err != nil {
		return nil, fmt.Errorf("who was given %s could not be asked: %w", report.Safe(key), err)
	}
	return minted, nil
}

// suspected refuses a caller one of whose links is in an incident: an actor of its evidence, the owner of a step's target, or a key
// that was made since the window began.
func suspected(chain []link, rec incident.Record) error {
	for _, l := range chain {
		for _, a := range rec.Evidence.Actors {
			if same(l.Credential, a.Credential()) {
				return refuse(BadCaller, "your credential, or one that it comes from (%s), is in the evidence of incident %s, so you may not decide about it; "+
					"somebody else has to", named(l), rec.ID)
			}
		}
		for _, o := range rec.Outcomes {
			if owns(l.Credential, o.Step.Target) {
				return refuse(BadCaller, "your credential, or one that it comes from (%s), belongs to %s, which incident %s is about; somebody else has to decide",
					named(l), o.Step.Target.Owner, rec.ID)
			}
		}
		if l.made.After(rec.Alarm.From) {
			return refuse(BadCaller, "the key %s was made at %s, after what incident %s is about had begun, so a thief may have made it; %s",
				l.AccessKeyID, l.made.UTC().Format(time.DateTime), rec.ID, ownTerms)
		}
	}
	return nil
}

// named is a link by its key, or by whom it is.
func named(l link) string {
	if l.AccessKeyID != "" {
		return l.AccessKeyID
	}
	return l.PrincipalARN + l.PrincipalID
}

// same reports whether two credentials are one, or of one user or one role. Whatever one of them leaves open is no match.
func same(x, y actor.Credential) bool {
	equal := func(a, b string) bool { return a != "" && a == b }
	ours := equal(x.AccountID, y.AccountID)
	return equal(x.AccessKeyID, y.AccessKeyID) || equal(x.PrincipalID, y.PrincipalID) || equal(uniqueID(x), uniqueID(y)) ||
		equal(x.PrincipalARN, y.PrincipalARN) || equal(x.OnBehalfOf, y.OnBehalfOf) ||
		ours && (equal(x.UserName, y.UserName) || equal(x.RoleName, y.RoleName))
}

// uniqueID is the unique id of a credential's user or role; "" where it has none. A federated user's principal id begins with the account.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func uniqueID(c actor.Credential) string {
	id, _, _ := strings.Cut(c.PrincipalID, ":")
	if strings.HasPrefix(id, "AIDA") || strings.HasPrefix(id, "AROA") {
		return id
	}
	return ""
}

// owns reports whether a credential is of the user or role that a step acts on.
func owns(c actor.Credential, t policy.Target) bool {
	if t.Owner == "" {
		return false
	}
	name := c.UserName
	if t.Type == policy.Role {
		name = c.RoleName
	}
	return c.PrincipalARN != "" && t.OwnerARN == c.PrincipalARN || t.Owner == name && t.AccountID == c.AccountID
}
