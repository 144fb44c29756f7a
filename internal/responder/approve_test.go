package responder_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/approval"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/investigation"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
	"nightlatch/internal/sandbox"
)

const (
	opsKey     = "AKIAEXAMPLEOPSKEY001"
	opsSession = "ASIAEXAMPLEOPSROLE01"
)

var (
	// ops has a key of long ago; oncall is a session that she was given with it.
	ops    = approval.Caller{ARN: "arn:aws:iam::" + account + ":user/ops/olga", UserID: "AIDAEXAMPLEOLGA", AccessKeyID: opsKey, AccountID: account}
	oncall = approval.Caller{ARN: "arn:aws:sts::" + account + ":assumed-role/oncall/olga", UserID: "AROAEXAMPLEONCALL:olga", AccessKeyID: opsSession, AccountID: account}
)

// by is a call that gave out a credential, as the trail answers.
func by(id actor.Identity) evidence.Row {
	return evidence.Row{"at": fmt.Sprint(from.Add(-time.Hour).Unix()), "call": "AssumeRole", "type": id.Type, "principal_id": id.PrincipalID, "arn": id.ARN,
		"account_id": id.AccountID, "access_key_id": id.AccessKeyID, "user_name": id.UserName, "issuer_arn": id.IssuerARN,
		"issuer_user_name": id.IssuerUserName, "invoked_by": id.InvokedBy, "on_behalf_of": id.OnBehalfOf, "source_identity": id.SourceIdentity, "provider": id.Provider, "role_given": "", "provider_given": "",
		"service": "sts.amazonaws.com", "source_ip": elsewhere, "vpc_endpoint": "", "given": "", "lasts_until": "", "session_given": "", "sign_in": "", "of_user": "", "of_role": "", "what": "", "torn": "0"}
}

// vouched is a session of the role oncall that an identity provider vouched for.
func vouched(id actor.Identity, provider string) evidence.Row {
	return with(with(by(id), "provider_given", provider), "role_given", "arn:aws:iam::"+account+":role/oncall")
}

func user(name, key string) actor.Identity {
	return actor.Identity{Type: "IAMUser", PrincipalID: "AIDAEXAMPLE" + name, ARN: "arn:aws:iam::" + account + ":user/" + name, AccountID: account, AccessKeyID: key, UserName: name}
}

func roleSession(role, name, key string) actor.Identity {
	return actor.Identity{Type: "AssumedRole", PrincipalID: "AROAEXAMPLE" + role + ":" + name, ARN: "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + name,
		AccountID: account, AccessKeyID: key, IssuerARN: "arn:aws:iam::" + account + ":role/" + role, IssuerUserName: role}
}

// asks is a world in mode ask, in which olga may decide, and whose responder is about to ask about the stolen key.
func asks() *world {
	w := watched()
	w.Mode = containment.ModeAsk
	w.account.AddUser("olga", nil, sandbox.Key{ID: opsKey, Status: "Active", Created: from.AddDate(-1, 0, 0)})
	w.trail.minted = map[string]evidence.Row{opsSession: by(user("olga", opsKey))}
	return w
}

// shown is a step of an incident as somebody reads it.
func shown(rec incident.Record, step int) approval.Shown {
	o := rec.Outcomes[step-1]
	return approval.Shown{Incident: rec.ID, Step: step, Action: o.Action, Target: o.Target, Of: o.Of()}
}

// whenNotified runs the responder, and do once the team was notified of the answer.
func (w *world) whenNotified(t *testing.T, do func(incident.Record)) incident.Record {
	t.Helper()
	return w.whenNotifiedIn(context.Background(), t, do)
}

func (w *world) whenNotifiedIn(ctx context.Context, t *testing.T, do func(incident.Record)) incident.Record {
	t.Helper()
	once := false
	handled, err := w.Handle(ctx, event(1_000_000), func(r incident.Record) {
		if !once && !r.NotifiedAt(incident.Answer).IsZero() {
			once = true
			do(r)
		}
	})
	if err != nil || !once {
		t.Fatalf("got %v, notified %t", err, once)
	}
	return handled.Record
}

// refused checks that an error is a refusal of a kind that says something, in ASCII.
func refused(t *testing.T, err error, kind approval.RefusalKind, says string) {
	t.Helper()
	var no approval.Refusal
	if !errors.As(err, &no) || no.Kind != kind || !strings.Contains(no.Why, says) {
		t.Errorf("got %v (%q), want a refusal because of the %s that says %q", err, no.Kind, kind, says)
	}
	if no.Why != "" && strings.ContainsFunc(no.Why, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		t.Errorf("%q is not plain", no.Why)
	}
}

func TestAnApprovedStepIsDoneByTheResponder(t *testing.T) {
	for name, who := range map[string]approval.Caller{"with a key": ops, "with a session": oncall} {
		t.Run(name, func(t *testing.T) {
			w := asks()
			var said string
			r := w.whenNotified(t, func(r incident.Record) {
				var err error
				if said, err = w.approval().Approve(t.Context(), who, shown(r, 1)); err != nil {
					t.Error(err)
				}
				w.keys(t, "Active") // the approver itself changes nothing
			})
			o := r.Outcomes[0]
			if o.State != containment.Done || o.Approved == nil || o.Approved.By != who.ARN || o.Undo == "" || len(o.Runbook) > 0 {
				t.Errorf("got %+v, want it done, and approved by %s", o, who.ARN)
			}
			if o.AskedAt.Before(r.Opened) || o.AskedAt.After(o.Approved.At) || o.DoneAt.Before(o.Approved.At) || o.DoneAt.After(o.At) {
				t.Errorf("asked at %s, approved at %s, done at %s, opened at %s", o.AskedAt, o.Approved.At, o.DoneAt, r.Opened)
			}
			w.keys(t, "Inactive")
			w.notified(t, "FIRED", "DECIDE", "APPROVED", "REVISED, CONTAINED", "QUIET, CONTAINED")
			if !strings.HasPrefix(said, "approved; deactivate-key "+stolen+": ") {
				t.Errorf("the caller is answered %q", said)
			}
			for _, m := range w.channel.Sent()[2:4] {
				if !strings.Contains(strings.Join(strings.Fields(m.Body), " "), who.ARN) {
					t.Errorf("a message does not say who:\n%s", m.Body)
				}
			}
			if !slices.ContainsFunc(r.Log, func(e incident.Entry) bool {
				return strings.Contains(e.What, "approved by "+who.ARN+" with "+who.AccessKeyID)
			}) {
				t.Error("the log does not say who")
			}
			if at := w.Scheduler.(*sandbox.Scheduler).At(); len(at) < 2 {
				t.Errorf("the responder is called at %v, want a call for the approval", at)
			}
		})
	}
}

// Approved steps are promised within two minutes, and the next invocation may be a minute and a half away.
func TestAnApprovedStepDoesNotWaitForTheNextInvocation(t *testing.T) {
	for left, want := range map[time.Duration]containment.State{2 * time.Minute: containment.Done, 30 * time.Second: containment.Intended} {
		t.Run(left.String(), func(t *testing.T) {
			w := asks()
			ctx := &until{context.Background(), w.clock.Now().Add(15 * time.Minute)}
			r := w.whenNotifiedIn(ctx, t, func(r incident.Record) {
				if _, err := w.approval().Approve(t.Context(), ops, shown(r, 1)); err != nil {
					t.Error(err)
				}
				ctx.at = w.clock.Now().Add(left)
			})
			if o := r.Outcomes[0]; o.State != want || !r.Closed.IsZero() {
				t.Errorf("the invocation that had %v left has it %s, closed %v; want %s", left, o.State, r.Closed, want)
			}
		})
	}
}

// lingering is a trail that takes half a minute for a lineage.
type lingering struct {
	evidence.Trail
	clock   *sandbox.Clock
	between func()
}

func (l lingering) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	if q.Name() == "lineage" {
		l.clock.Wait(ctx, l.clock.Now().Add(30*time.Second))
		l.between()
	}
	return l.Trail.Ask(ctx, q)
}

// Where credentials come from is asked for each incident, and a step that is approved meanwhile does not wait for all of them.
func TestAnApprovedStepDoesNotWaitForTheLineageOfOthers(t *testing.T) {
	w := asks()
	var events [][]byte
	for i := range 8 {
		name, key, bucket := fmt.Sprint("user-", i), fmt.Sprintf("AKIAEXAMPLEMANY%05d", i), fmt.Sprint("bucket-", i)
		w.account.AddUser(name, nil, sandbox.Key{ID: key, Status: "Active", Created: from.AddDate(-1, 0, 0)})
		events = append(events, w.firedAt(bucket, 0))
		w.trail.at[bucket] = []taker{{key: key, owner: name, bytes: 1_000_000, ip: elsewhere}}
	}
	approved := map[string]time.Time{}
	w.Trail = lingering{w.Trail, w.clock, func() {
		open, err := w.Store.Unclosed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range open {
			rec, err := w.Store.Load(t.Context(), b.ID)
			if err != nil {
				t.Fatal(err)
			}
			if len(approved) > 0 || len(rec.Outcomes) == 0 || !rec.Outcomes[0].Approvable() {
				continue
			}
			if _, err := w.approval().Approve(t.Context(), ops, shown(rec, 1)); err != nil {
				t.Fatal(err)
			}
			approved[rec.ID] = w.clock.Now()
		}
	}}
	for _, rec := range w.allAtOnce(t, events...) {
		if at, is := approved[rec.ID]; is && (rec.Outcomes[0].State != containment.Done || rec.Outcomes[0].At.Sub(at) > 2*time.Minute) {
			t.Errorf("the step that was approved at %v is %s since %v", at, rec.Outcomes[0].State, rec.Outcomes[0].At)
		}
	}
	if len(approved) == 0 {
		t.Error("nothing was approved")
	}
}

// It reads what became of the step, where the responder is quick.
func TestTheCallerIsAnsweredWhatBecameOfIt(t *testing.T) {
	w := asks()
	rec := w.open(t)
	w.Clock = hurrying{w.clock, func() { w.finish(t, rec.ID) }}
	said, err := w.approval().Approve(t.Context(), ops, shown(rec, 1))
	if want := "approved; deactivate-key " + stolen + ": done, read back as Inactive"; err != nil || said != want {
		t.Errorf("got %q, %v, want %q", said, err, want)
	}
}

// mute calls nobody.
type mute struct{}

func (mute) Schedule(context.Context, string, time.Time) error { return errors.New("throttled") }

func TestTheCallerIsAnsweredThatTheResponderCouldNotBeCalled(t *testing.T) {
	w := asks()
	rec := w.open(t)
	scheduler := w.Scheduler
	w.Scheduler = mute{}
	for range 2 {
		if said, err := w.approval().Approve(t.Context(), ops, shown(rec, 1)); err != nil || !strings.Contains(said, "the responder could not be called") {
			t.Errorf("got %q, %v", said, err)
		}
	}
	w.Scheduler = scheduler // and a repetition calls it
	if said, err := w.approval().Approve(t.Context(), ops, shown(rec, 1)); err != nil || !strings.Contains(said, "within two minutes") {
		t.Errorf("got %q, %v", said, err)
	}
}

// Another incident has contained the key, and somebody has turned it on again since: that is what the human saw when he approved.
func TestAnApprovedStepIsDoneThoughAnotherIncidentOnceDidIt(t *testing.T) {
	for name, theirs := range map[string]containment.State{"and saw it turned on again": containment.Drifted, "and has not followed up since": containment.Done} {
		t.Run(name, func(t *testing.T) {
			w := asks()
			rec := w.open(t)
			other := rec
			other.ID, other.Outcomes, other.Verdicts = "20260304-000000-another", slices.Clone(rec.Outcomes), slices.Clone(rec.Verdicts)
			other.Outcomes[0].State, other.Outcomes[0].At = theirs, w.clock.Now()
			if _, err := w.Store.Open(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			if _, err := w.approval().Approve(t.Context(), ops, shown(rec, 1)); err != nil {
				t.Fatal(err)
			}
			w.finish(t, rec.ID)
			w.keys(t, "Inactive")
		})
	}
}

// hurrying is a clock in which something is done while somebody waits.
type hurrying struct {
	*sandbox.Clock
	do func()
}

func (h hurrying) Wait(ctx context.Context, until time.Time) error {
	h.do()
	return h.Clock.Wait(ctx, until)
}

// open is the incident as it stands when the team was notified of it.
func (w *world) open(t *testing.T) incident.Record {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var open incident.Record
	_, err := w.Handle(ctx, event(1_000_000), func(r incident.Record) {
		if open = r; !r.NotifiedAt(incident.Answer).IsZero() {
			stop()
		}
	})
	if err == nil {
		t.Fatal("nothing was left open")
	}
	if open, err = w.Store.Load(t.Context(), open.ID); err != nil || !open.Closed.IsZero() {
		t.Fatalf("the incident is %+v, %v", open, err)
	}
	return open
}

// finish has another invocation take the incident up, after the lease of the one that was stopped is over.
func (w *world) finish(t *testing.T, id string) {
	t.Helper()
	second := w.Responder
	second.Clock = w.clock
	w.clock.Wait(t.Context(), w.clock.Now().Add(5*time.Minute))
	if _, err := second.Handle(t.Context(), fmt.Appendf(nil, `{"nightlatch":{"advance":{"incident":%q}}}`, id), nil); err != nil {
		t.Error(err)
	}
}

func TestWhoMayNotApprove(t *testing.T) {
	thiefs := user("mara", stolen)
	theirs := func(role, name, key string) approval.Caller {
		return approval.Caller{ARN: "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + name, UserID: "AROAEXAMPLE" + role + ":" + name, AccessKeyID: key, AccountID: account}
	}
	maras := approval.Caller{ARN: "arn:aws:iam::" + account + ":user/mara", UserID: "AIDAEXAMPLEmara", AccessKeyID: neighbour, AccountID: account}
	long := map[string]evidence.Row{}
	for i := range 9 {
		long[fmt.Sprintf("ASIAEXAMPLEHOP%06d", i)] = by(roleSession("hop", "x", fmt.Sprintf("ASIAEXAMPLEHOP%06d", i+1)))
	}
	hostile := "\x1b[2J\u202e'; drop\n"
	for name, c := range map[string]struct {
		caller approval.Caller
		minted map[string]evidence.Row
		before func(*world)
		says   string
	}{
		"the stolen key":          {caller: approval.Caller{ARN: thiefs.ARN, UserID: thiefs.PrincipalID, AccessKeyID: stolen, AccountID: account}, says: "is in the evidence of incident"},
		"its user's other key":    {caller: maras, says: "is in the evidence of incident"},
		"its user, renamed":       {caller: approval.Caller{ARN: "arn:aws:iam::" + account + ":user/sarah", UserID: "AIDAEXAMPLEmara", AccessKeyID: "AKIAEXAMPLESARAH0001", AccountID: account}, says: "is in the evidence of incident"},
		"another of the evidence": {caller: approval.Caller{ARN: "arn:aws:iam::" + account + ":user/nightly", UserID: "AIDAEXAMPLEnightly", AccessKeyID: nightly, AccountID: account}, says: "is in the evidence"},
		"a session of a role whose session is in the evidence": {caller: theirs("etl", "other", "ASIAEXAMPLEETL000002"), before: func(w *world) {
			w.trail.takers = append(w.trail.takers, taker{key: "ASIAEXAMPLEETL000001", owner: "job", role: "etl", bytes: 1, ip: office})
		}, minted: map[string]evidence.Row{"ASIAEXAMPLEETL000002": by(user("olga", opsKey))}, says: "it is not known whose it is"},
		"a session of a role of which the evidence shows no session": {caller: theirs("etl", "other", "ASIAEXAMPLEETL000002"), before: func(w *world) {
			w.trail.takers = append(w.trail.takers, taker{role: "etl", bytes: 1, ip: office})
		}, minted: map[string]evidence.Row{"ASIAEXAMPLEETL000002": by(user("olga", opsKey))}, says: "is in the evidence"},
		"another session of the thief's, under another name": {caller: theirs("etl", "other", "ASIAEXAMPLEETL000002"), before: func(w *world) {
			w.trail.takers = append(w.trail.takers, taker{key: "ASIAEXAMPLEETL000001", owner: "job", role: "etl", bytes: 1, ip: office})
		}, minted: map[string]evidence.Row{"ASIAEXAMPLEETL000002": by(user("olga", opsKey)), "ASIAEXAMPLEETL000001": by(user("olga", opsKey))}, says: "was given to you too"},
		"another session of the thief's, of his own provider": {caller: theirs("etl", "other", "ASIAEXAMPLEETL000002"), before: func(w *world) {
			w.trail.takers = append(w.trail.takers, taker{key: "ASIAEXAMPLEETL000001", owner: "job", role: "etl", bytes: 1, ip: office})
		}, minted: map[string]evidence.Row{"ASIAEXAMPLEETL000002": vouched(actor.Identity{Type: "SAMLUser", PrincipalID: "idp:mallory"}, idp),
			"ASIAEXAMPLEETL000001": vouched(actor.Identity{Type: "SAMLUser", PrincipalID: "idp:mallory"}, idp)}, says: "was given to you too"},
		"a provider that was made tonight": {caller: oncall, minted: map[string]evidence.Row{opsSession: vouched(olgas, idp)}, before: func(w *world) {
			w.trail.trust = evidence.Row{"at": fmt.Sprint(from.Add(-time.Hour).Unix()), "call": "CreateSAMLProvider", "arn": "arn:aws:iam::" + account + ":user/mara\n", "access_key_id": stolen, "source_ip": elsewhere}
		}, says: `(CreateSAMLProvider by arn:aws:iam::111122223333:user/mara\n), so a thief may have let himself in`},
		"a provider that CloudTrail does not name": {caller: oncall, minted: map[string]evidence.Row{opsSession: by(olgas)}, says: "by which role and which identity provider"},
		"a workflow's session": {caller: oncall, minted: map[string]evidence.Row{opsSession: vouched(actor.Identity{Type: "WebIdentityUser", PrincipalID: "token.actions.githubusercontent.com:repo"},
			"arn:aws:iam::"+account+":oidc-provider/token.actions.githubusercontent.com")}, says: "which may be a machine"},
		"a workflow's session of a provider whose name begins like a trusted one": {caller: oncall, minted: map[string]evidence.Row{opsSession: vouched(actor.Identity{Type: "WebIdentityUser"}, "accounts.example.com.evil.example")}, says: "which may be a machine"},
		"the owner of the target":                  {caller: maras, before: func(w *world) { w.trail.takers[0].owner = "mara" }, says: "may not decide about it"},
		"a role assumed with the stolen key":       {caller: oncall, minted: map[string]evidence.Row{opsSession: by(thiefs)}, says: "one that it comes from (" + stolen + "), is in the evidence"},
		"a role assumed by its user's session":     {caller: oncall, minted: map[string]evidence.Row{opsSession: by(user("mara", "ASIAEXAMPLEMARAS0001"))}, says: "is in the evidence"},
		"through another role":                     {caller: oncall, minted: map[string]evidence.Row{opsSession: by(roleSession("hop", "x", "ASIAEXAMPLEHOP000001")), "ASIAEXAMPLEHOP000001": by(thiefs)}, says: "is in the evidence"},
		"through more roles than anybody follows":  {caller: theirs("hop", "x", "ASIAEXAMPLEHOP000000"), minted: long, says: "assumed through more than 5 others"},
		"a session that the trail does not show":   {caller: oncall, minted: map[string]evidence.Row{}, says: "about five minutes behind, so wait, or run the printed command"},
		"a session that does not say by whom":      {caller: oncall, minted: map[string]evidence.Row{opsSession: by(user("olga", ""))}, says: "with which credential the session"},
		"a machine":                                {caller: oncall, minted: map[string]evidence.Row{opsSession: by(actor.Identity{Type: "AWSService", InvokedBy: "lambda.amazonaws.com" + hostile})}, says: "given to a machine, by lambda.amazonaws.com"},
		"a session that another account asked for": {caller: oncall, minted: map[string]evidence.Row{opsSession: by(actor.Identity{Type: "AWSAccount", AccountID: "444455556666", PrincipalID: "AIDAEXAMPLEOTHER"})}, says: "somebody of account 444455556666"},
		"a key made since": {caller: approval.Caller{ARN: "arn:aws:iam::" + account + ":user/eve", UserID: "AIDAEXAMPLEeve", AccessKeyID: "AKIAEXAMPLEEVESKEY01", AccountID: account}, before: func(w *world) {
			w.account.AddUser("eve", nil, sandbox.Key{ID: "AKIAEXAMPLEEVESKEY01", Status: "Active", Created: from.Add(time.Second)})
		}, says: "was made at 2026-03-04 00:07:01, after"},
		"a session got with a key made since": {caller: oncall, minted: map[string]evidence.Row{opsSession: by(user("eve", "AKIAEXAMPLEEVESKEY01"))}, before: func(w *world) {
			w.account.AddUser("eve", nil, sandbox.Key{ID: "AKIAEXAMPLEEVESKEY01", Status: "Active", Created: from.Add(time.Second)})
		}, says: "so a thief may have made it"},
		"a key made just before, that the trail does not show": {caller: approval.Caller{ARN: "arn:aws:iam::" + account + ":user/eve", UserID: "AIDAEXAMPLEeve", AccessKeyID: "AKIAEXAMPLEEVESKEY01", AccountID: account}, before: func(w *world) {
			w.account.AddUser("eve", nil, sandbox.Key{ID: "AKIAEXAMPLEEVESKEY01", Status: "Active", Created: from.Add(-time.Minute)})
		}, says: "does not show who made the key"},
		"a key that the thief made before": {caller: approval.Caller{ARN: "arn:aws:iam::" + account + ":user/eve", UserID: "AIDAEXAMPLEeve", AccessKeyID: "AKIAEXAMPLEEVESKEY01", AccountID: account}, minted: map[string]evidence.Row{"AKIAEXAMPLEEVESKEY01": by(thiefs)}, before: func(w *world) {
			w.account.AddUser("eve", nil, sandbox.Key{ID: "AKIAEXAMPLEEVESKEY01", Status: "Active", Created: from.Add(-48 * time.Hour)})
		}, says: "is in the evidence"},
		"a key that its user does not have":          {caller: approval.Caller{ARN: ops.ARN, UserID: ops.UserID, AccessKeyID: "AKIAEXAMPLENOSUCHKEY", AccountID: account}, says: "is not an active one of user olga"},
		"a key that is off":                          {caller: ops, before: func(w *world) { w.account.SetStatus(opsKey, "Inactive") }, says: "is not an active one"},
		"the root user's key":                        {caller: approval.Caller{ARN: "arn:aws:iam::" + account + ":root", UserID: account, AccessKeyID: "AKIAEXAMPLEROOTSKEY1", AccountID: account}, says: "cannot be seen here"},
		"another account's":                          {caller: approval.Caller{ARN: "arn:aws:iam::444455556666:user/olga", UserID: "AIDAEXAMPLEOLGA", AccessKeyID: opsKey, AccountID: "444455556666"}, says: "of account 444455556666"},
		"one who says that he is of ours":            {caller: approval.Caller{ARN: "arn:aws:iam::444455556666:user/olga", UserID: "AIDAEXAMPLEOLGA", AccessKeyID: opsKey, AccountID: account}, says: "is not a kind of credential"},
		"nobody":                                     {caller: approval.Caller{AccountID: account}, says: "is not a kind of credential"},
		"hostile text":                               {caller: approval.Caller{ARN: hostile, UserID: hostile, AccessKeyID: hostile, AccountID: account}, says: `\x1b[2J\u202e'; drop\n`},
		"hostile text of an account that is no ours": {caller: approval.Caller{ARN: hostile, AccountID: hostile}, says: `of account \x1b[2J`},
	} {
		t.Run(name, func(t *testing.T) {
			w := asks()
			w.trail.takers = append(w.trail.takers, job(10))
			if c.before != nil {
				c.before(w)
			}
			rec := w.open(t)
			if c.minted != nil {
				w.trail.minted = c.minted
			}
			said, err := w.approval().Approve(t.Context(), c.caller, shown(rec, 1))
			refused(t, err, approval.BadCaller, c.says)
			after, loadErr := w.Store.Load(t.Context(), rec.ID)
			if said != "" || loadErr != nil || after.Version != rec.Version || after.Outcomes[0].Approved != nil {
				t.Errorf("got %q, %v; the incident is %+v", said, loadErr, after.Outcomes[0])
			}
			w.notified(t, "FIRED", "DECIDE")
		})
	}
}

const idp = "arn:aws:iam::" + account + ":saml-provider/idp"

var olgas = actor.Identity{Type: "SAMLUser", PrincipalID: "idp:olga@example.com", UserName: "olga@example.com"}

func TestWhoSignedInElsewhereMayApprove(t *testing.T) {
	for name, row := range map[string]evidence.Row{
		"by SAML":            vouched(olgas, idp),
		"by OpenID Connect":  vouched(actor.Identity{Type: "WebIdentityUser", PrincipalID: "accounts.example.com:olga"}, "https://accounts.example.com"),
		"by its provider":    vouched(actor.Identity{Type: "WebIdentityUser", PrincipalID: "accounts.example.com:olga"}, "arn:aws:iam::"+account+":oidc-provider/accounts.example.com"),
		"by Identity Center": by(actor.Identity{Type: "IdentityCenterUser", AccountID: account, OnBehalfOf: "c2d5e4a4-70b1"}),
		"at the console":     by(actor.Identity{Type: "IAMUser", PrincipalID: "AIDAEXAMPLEOLGA", ARN: ops.ARN, AccountID: account, UserName: "olga", InvokedBy: "signin.amazonaws.com"}),
	} {
		w := asks()
		w.trail.minted = map[string]evidence.Row{opsSession: row}
		rec := w.open(t)
		if said, err := w.approval().Approve(t.Context(), oncall, shown(rec, 1)); err != nil || !strings.HasPrefix(said, "approved; ") {
			t.Errorf("%s: got %q, %v", name, said, err)
		}
	}
}

func TestWhatCannotBeApproved(t *testing.T) {
	for name, c := range map[string]struct {
		shown  func(*approval.Shown) // instead of what was
		before func(*world, *incident.Record)
		kind   approval.RefusalKind
		says   string
	}{
		"no such incident":      {shown: func(s *approval.Shown) { s.Incident = "nothing-\x1b[2J" }, kind: approval.NoIncident, says: `there is no incident nothing-\x1b[2J`},
		"no such step":          {shown: func(s *approval.Shown) { s.Step = 2 }, kind: approval.BadQuestion, says: "has 1 steps, and 2 is none of them"},
		"a step less than none": {shown: func(s *approval.Shown) { s.Step = -1 }, kind: approval.BadQuestion, says: "-1 is none of them"},
		"a closed incident":     {before: func(_ *world, r *incident.Record) { r.Closed = fired }, kind: approval.NotNow, says: "was closed at 2026-03-04 00:11:00"},
		"a merged one":          {before: func(_ *world, r *incident.Record) { r.MergedInto = "other" }, kind: approval.NotNow, says: "approve there"},
		"a step that is done":   {before: func(_ *world, r *incident.Record) { r.Outcomes[0].State = containment.Done }, kind: approval.NotNow, says: "is done, and nothing is asked"},
		"a step by hand":        {before: func(_ *world, r *incident.Record) { r.Outcomes[0].Step.Ref = containment.Ref{} }, kind: approval.NotNow, says: "run what its message says"},
		"no step in particular": {shown: func(s *approval.Shown) { s.Step = 0 }, kind: approval.BadQuestion, says: "has 1 steps, and 0 is none of them"},
		"a number alone":        {shown: func(s *approval.Shown) { s.Action, s.Target = "", "" }, kind: approval.BadQuestion, says: "it is not said what step 1 was when it was shown"},
		"a number that another key has by now": {before: func(_ *world, r *incident.Record) {
			other := r.Outcomes[0]
			other.Target = neighbour
			r.Outcomes = []containment.Outcome{other, r.Outcomes[0]}
		}, kind: approval.NotNow, says: " is deactivate-key " + neighbour + " now, and not deactivate-key " + stolen + ", as you were shown: look at the incident again"},
		"another action by now": {shown: func(s *approval.Shown) { s.Action = policy.BlockOnBucket }, kind: approval.NotNow, says: "and not block-on-bucket " + stolen},
		"a hostile target":      {shown: func(s *approval.Shown) { s.Target = "\x1b[2J" }, kind: approval.NotNow, says: `and not deactivate-key \x1b[2J`},
		"mode observe":          {before: func(w *world, _ *incident.Record) { w.Mode = containment.ModeObserve }, kind: approval.NotNow, says: "the mode is observe"},
		"a mode lowered to observe": {before: func(w *world, _ *incident.Record) {
			w.Store.SetBrakes(context.Background(), incident.Brakes{Mode: containment.ModeObserve})
		}, kind: approval.NotNow, says: "the mode is observe"},
		"a key that is gone":           {before: func(_ *world, r *incident.Record) { r.Outcomes[0].Step.Ref.Name = "AKIAEXAMPLENOSUCHKEY" }, kind: approval.NotNow, says: "is gone"},
		"a key of a strange status":    {before: func(w *world, _ *incident.Record) { w.account.SetStatus(stolen, "Expired\x1b[2J") }, kind: approval.NotNow, says: `reads as Expired\x1b[2J`},
		"another's key by now":         {before: func(_ *world, r *incident.Record) { r.Outcomes[0].Step.Target.Owner = "sarah" }, kind: approval.NotNow, says: "is not sarah's any more"},
		"a user who is protected":      {before: func(w *world, _ *incident.Record) { w.tags["nightlatch:protect"] = "\u202e" }, kind: approval.NotNow, says: "IAM itself denies it to Nightlatch"},
		"Nightlatch's own":             {before: func(_ *world, r *incident.Record) { r.Outcomes[0].Step.Target.Self = true }, kind: approval.NotNow, says: "Nightlatch's own credential"},
		"a key of whom nobody can ask": {before: func(w *world, _ *incident.Record) { w.account.Fail("Identify", errors.New("throttled")) }, says: "could not be asked: throttled"},
		"a key that cannot be read":    {before: func(w *world, _ *incident.Record) { w.account.Fail("Read", errors.New("throttled")) }, says: "could not be read: throttled"},
		"a trail that does not answer": {before: func(w *world, _ *incident.Record) { w.trail.always = evidence.ErrBusy }, says: "who was given " + opsSession + " could not be asked: no query slot"},
	} {
		t.Run(name, func(t *testing.T) {
			w := asks()
			rec := w.open(t)
			asked := shown(rec, 1)
			if c.before != nil {
				c.before(w, &rec)
				var err error
				if rec, err = w.Store.Put(t.Context(), rec); err != nil {
					t.Fatal(err)
				}
			}
			if c.shown != nil {
				c.shown(&asked)
			}
			said, err := w.approval().Approve(t.Context(), oncall, asked)
			if c.kind != "" {
				refused(t, err, c.kind, c.says)
			} else if err == nil || errors.As(err, new(approval.Refusal)) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error that says %q", err, c.says)
			}
			if after, err := w.Store.Load(t.Context(), rec.ID); said != "" || err != nil || after.Version != rec.Version {
				t.Errorf("got %q, %v, and the incident was changed", said, err)
			}
		})
	}
}

func TestWhatSomebodyHasDoneNeedsNoApproval(t *testing.T) {
	w := asks()
	rec := w.open(t)
	w.account.SetStatus(stolen, containment.Inactive)
	said, err := w.approval().Approve(t.Context(), ops, shown(rec, 1))
	after, loadErr := w.Store.Load(t.Context(), rec.ID)
	if o := after.Outcomes[0]; err != nil || loadErr != nil || !strings.Contains(said, "reads as Inactive already") || o.State != containment.Already || o.Approved != nil {
		t.Errorf("got %q, %v, %v, %+v", said, err, loadErr, o)
	}
}

func TestASecondApprovalChangesNothing(t *testing.T) {
	w := asks()
	rec := w.open(t)
	for _, want := range []string{"approved; ", "it is approved already, by " + ops.ARN} {
		if said, err := w.approval().Approve(t.Context(), ops, shown(rec, 1)); err != nil || !strings.HasPrefix(said, want) {
			t.Errorf("got %q, %v, want %q", said, err, want)
		}
	}
	w.finish(t, rec.ID)
	w.keys(t, "Inactive")
	if n := w.account.Writes(); n != 1 {
		t.Errorf("there were %d writes, want 1", n)
	}
}

// What the responder puts between the approver's check and its put of the approval is checked again.
func TestAnApprovalMeetsAnotherChange(t *testing.T) {
	w := asks()
	rec := w.open(t)
	store := &meddling{Memory: w.Store.(*incident.Memory), times: 2}
	w.Store = store
	if said, err := w.approval().Approve(t.Context(), ops, shown(rec, 1)); err != nil || !strings.HasPrefix(said, "approved; ") {
		t.Errorf("got %q, %v", said, err)
	}
	w2 := asks()
	rec2 := w2.open(t)
	w2.Store = &meddling{Memory: w2.Store.(*incident.Memory), times: 9}
	_, err := w2.approval().Approve(t.Context(), ops, shown(rec2, 1))
	refused(t, err, approval.NotNow, "is being changed all the time")
}

// meddling is a store in which somebody else always puts first.
type meddling struct {
	*incident.Memory
	times int
}

func (m *meddling) Put(ctx context.Context, r incident.Record) (incident.Record, error) {
	if m.times--; m.times >= 0 {
		other, err := m.Load(ctx, r.ID)
		if err != nil {
			return r, err
		}
		other.Writer = "somebody else"
		other.Note(fired, "meddled")
		if _, err := m.Memory.Put(ctx, other); err != nil {
			return r, err
		}
	}
	return m.Memory.Put(ctx, r)
}

// An approval outlives whatever the responder does between it and the step: evidence that comes later, a crash, a full cap.
func TestAnApprovalIsNotLost(t *testing.T) {
	t.Run("later evidence", func(t *testing.T) {
		w := asks()
		w.trail.grows = 1 // every query round is judged anew
		r := w.whenNotified(t, func(r incident.Record) {
			if _, err := w.approval().Approve(t.Context(), ops, shown(r, 1)); err != nil {
				t.Error(err)
			}
		})
		if o := r.Outcomes[0]; o.State != containment.Done || o.Approved == nil {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("judged again before it is done", func(t *testing.T) {
		w := asks()
		rec := w.open(t)
		if _, err := w.approval().Approve(t.Context(), ops, shown(rec, 1)); err != nil {
			t.Fatal(err)
		}
		approved, err := w.Store.Load(t.Context(), rec.ID)
		if err != nil {
			t.Fatal(err)
		}
		approved.JudgedOn = "" // so that it is judged as soon as nothing else is due
		if _, err := w.Store.Put(t.Context(), approved); err != nil {
			t.Fatal(err)
		}
		w.finish(t, rec.ID)
		after, err := w.Store.Load(t.Context(), rec.ID)
		if o := after.Outcomes[0]; err != nil || o.State != containment.Done || o.Approved == nil || o.Approved.By != ops.ARN {
			t.Errorf("got %+v, %v", o, err)
		}
	})
	t.Run("the cap is for what no human has approved", func(t *testing.T) {
		w := asks()
		w.Cap = 1
		rec := w.open(t)
		if _, err := w.Store.SetBrakes(t.Context(), incident.Brakes{Contained: []time.Time{w.clock.Now()}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.approval().Approve(t.Context(), ops, shown(rec, 1)); err != nil {
			t.Fatal(err)
		}
		w.finish(t, rec.ID)
		w.keys(t, "Inactive")
	})
	t.Run("the mode was lowered to observe since", func(t *testing.T) {
		w := asks()
		rec := w.open(t)
		if _, err := w.approval().Approve(t.Context(), ops, shown(rec, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.approval().LowerMode(t.Context(), ops, containment.ModeObserve); err != nil {
			t.Fatal(err)
		}
		w.finish(t, rec.ID)
		after, err := w.Store.Load(t.Context(), rec.ID)
		if o := after.Outcomes[0]; err != nil || o.State != containment.Asked || o.Approved != nil || !strings.Contains(o.Detail, "the mode is observe by now") {
			t.Errorf("got %+v, %v", o, err)
		}
		w.keys(t, "Active")
	})
}

func TestTheModeIsLoweredAtOnceAndNeverRaised(t *testing.T) {
	w := asks()
	w.Mode = containment.ModeAct
	for _, step := range []struct {
		to   containment.Mode
		want string
	}{
		{containment.ModeAsk, "the mode is ask now, and was act; a deployment of another generation takes it up again"},
		{containment.ModeAsk, "the mode is ask already"},
		{containment.ModeObserve, "the mode is observe now, and was ask; a deployment of another generation takes it up again"},
	} {
		if said, err := w.approval().LowerMode(t.Context(), oncall, step.to); err != nil || said != step.want {
			t.Errorf("%s: got %q, %v, want %q", step.to, said, err, step.want)
		}
	}
	_, err := w.approval().LowerMode(t.Context(), ops, containment.ModeAsk)
	refused(t, err, approval.NotNow, "the mode is observe, and can only be lowered here")
	_, err = w.approval().LowerMode(t.Context(), ops, containment.ModeAct)
	refused(t, err, approval.BadQuestion, "not to act")
	w.notified(t, "MODE LOWERED", "MODE LOWERED")
	if m := w.channel.Sent()[0]; !strings.Contains(strings.Join(strings.Fields(m.Body), " "), "to ask, from act, by "+oncall.ARN+" with "+opsSession) {
		t.Errorf("the team was notified of\n%s", m.Body)
	}
	w.channel = &sandbox.Channel{}
	w.Channels[0] = w.channel
	w.handle(t)
	w.keys(t, "Active")
	w.notified(t, "FIRED", "DRY RUN", "QUIET, DRY RUN")
}

func TestADeploymentOfAnotherGenerationTakesTheModeUpAgain(t *testing.T) {
	w := asks()
	w.Mode, w.Generation = containment.ModeAct, "1"
	if _, err := w.approval().LowerMode(t.Context(), ops, containment.ModeAsk); err != nil {
		t.Fatal(err)
	}
	w.Generation = "2"
	w.handle(t)
	w.keys(t, "Inactive")
}

// Whoever has got hold of a request that lowered the mode may send it again while its proof is good. It was about a deployment that is over.
func TestARequestThatLoweredTheModeDoesNotLowerTheNextDeployments(t *testing.T) {
	w := asks()
	w.Mode, w.Generation = containment.ModeAct, "1"
	earlier := ops
	earlier.Signed = w.clock.Now().Add(time.Minute) // her clock is ahead
	if _, err := w.approval().LowerMode(t.Context(), earlier, containment.ModeAsk); err != nil {
		t.Fatal(err)
	}
	w.Generation = "2"
	w.clock.Wait(t.Context(), w.clock.Now().Add(3*time.Minute))
	_, err := w.approval().LowerMode(t.Context(), earlier, containment.ModeAsk)
	refused(t, err, approval.NotNow, "a deployment has taken the mode up since this was signed; send it again")
	now := ops
	now.Signed = w.clock.Now()
	if said, err := w.approval().LowerMode(t.Context(), now, containment.ModeAsk); err != nil || !strings.HasPrefix(said, "the mode is ask now, and was act") {
		t.Errorf("got %q, %v", said, err)
	}
}

// A containment that was intended before the mode was lowered is not done after.
func TestALoweredModeStopsWhatIsIntended(t *testing.T) {
	w := asks()
	w.Mode = containment.ModeAct
	_, err := w.Handle(t.Context(), event(1_000_000), func(r incident.Record) {
		if len(r.Outcomes) > 0 && r.Outcomes[0].State == containment.Intended {
			if _, err := w.approval().LowerMode(t.Context(), ops, containment.ModeAsk); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	w.keys(t, "Active")
}

// What an invocation that crashed may have done, and a human has taken back since, is not left without a word.
func TestWhatMayHaveBeenDoneAndTakenBackIsSaid(t *testing.T) {
	w := asks()
	rec := w.open(t)
	o := &rec.Outcomes[0]
	rec.Mode, o.State, o.Attempts = containment.ModeAct, containment.Intended, 1 // the write went through, and then its invocation ended
	if _, err := w.Store.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if _, err := w.approval().LowerMode(t.Context(), ops, containment.ModeAsk); err != nil {
		t.Fatal(err)
	}
	w.finish(t, rec.ID)
	after, err := w.Store.Load(t.Context(), rec.ID)
	if o := after.Outcomes[0]; err != nil || o.State != containment.Asked || !strings.HasSuffix(o.Detail, "; it was tried before, may have been done and taken back, and reads as Active now") {
		t.Errorf("got %+v, %v", o, err)
	}
	w.keys(t, "Active")
}

func TestWhoMayNotLowerTheMode(t *testing.T) {
	w := asks()
	rec := w.open(t)
	thiefs := approval.Caller{ARN: "arn:aws:iam::" + account + ":user/mara", UserID: "AIDAEXAMPLEmara", AccessKeyID: neighbour, AccountID: account}
	_, err := w.approval().LowerMode(t.Context(), thiefs, containment.ModeObserve)
	refused(t, err, approval.BadCaller, "is in the evidence of incident "+rec.ID)
	w.trail.minted[opsSession] = by(user("mara", stolen))
	_, err = w.approval().LowerMode(t.Context(), oncall, containment.ModeObserve)
	refused(t, err, approval.BadCaller, "is in the evidence of incident "+rec.ID)
	w.finish(t, rec.ID) // and not when it is closed, either
	_, err = w.approval().LowerMode(t.Context(), thiefs, containment.ModeObserve)
	refused(t, err, approval.BadCaller, "is in the evidence of incident "+rec.ID)
	// A key that one of the staff has made since an incident that is closed is nobody's in particular.
	w.trail.minted["AKIAEXAMPLEEVESKEY01"] = by(user("olga", opsKey))
	w.account.AddUser("eve", nil, sandbox.Key{ID: "AKIAEXAMPLEEVESKEY01", Status: "Active", Created: from.Add(time.Minute)})
	eve := approval.Caller{ARN: "arn:aws:iam::" + account + ":user/eve", UserID: "AIDAEXAMPLEeve", AccessKeyID: "AKIAEXAMPLEEVESKEY01", AccountID: account}
	if _, err = w.approval().LowerMode(t.Context(), eve, containment.ModeObserve); err != nil {
		t.Error(err)
	}
	if b, err := w.Store.Brakes(t.Context()); err != nil || b.By != eve.ARN {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestARestoredKeyIsHeldForADay(t *testing.T) {
	w := asks()
	w.Mode = containment.ModeAct
	rec := w.handle(t)
	w.keys(t, "Inactive")
	_, err := w.approval().Hold(t.Context(), ops, shown(rec, 1))
	refused(t, err, approval.NotNow, "restore it first")
	w.account.SetStatus(stolen, containment.Active)
	said, err := w.approval().Hold(t.Context(), oncall, shown(rec, 1))
	if err != nil || !strings.Contains(said, "key "+stolen+" is held until ") || !strings.Contains(said, "198.51.100") {
		t.Errorf("got %q, %v", said, err)
	}
	b, err := w.Store.Brakes(t.Context())
	if err != nil || len(b.Holds) != 1 || b.Holds[0].By != oncall.ARN || b.Holds[0].Until.Sub(w.clock.Now()) != 24*time.Hour || b.Holds[0].Incident != rec.ID {
		t.Errorf("got %+v, %v", b, err)
	}
	after, err := w.Store.Load(t.Context(), rec.ID)
	if o := after.Outcomes[0]; err != nil || o.State != containment.Undone || o.Undo != "" || !strings.Contains(o.Detail, oncall.ARN) {
		t.Errorf("got %+v, %v", o, err)
	}
	// Once more: it is one hold, also where a follow-up has seen the key turned on again first. The next alarm asks.
	after.Outcomes[0].State = containment.Drifted
	if _, err := w.Store.Put(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	if _, err := w.approval().Hold(t.Context(), ops, shown(rec, 1)); err != nil {
		t.Error(err)
	}
	if b, _ := w.Store.Brakes(t.Context()); len(b.Holds) != 1 {
		t.Errorf("there are %d holds", len(b.Holds))
	}
	actors := evidence.Actor{AccessKeyID: stolen, Origins: []evidence.Origin{{Network: rec.Evidence.Actors[0].Origins[0].Network}}}
	for at, held := range map[time.Duration]bool{0: true, 24*time.Hour - time.Second: true, 24 * time.Hour: false} {
		b, _ := w.Store.Brakes(t.Context())
		if _, got := b.Holding(actors, w.clock.Now().Add(at)); got != held {
			t.Errorf("after %v: held is %t", at, got)
		}
	}
}

func TestWhatIsNotHeld(t *testing.T) {
	for name, c := range map[string]struct {
		who    approval.Caller
		before func(*world, *incident.Record)
		kind   approval.RefusalKind
		says   string
	}{
		"by the thief": {who: approval.Caller{ARN: "arn:aws:iam::" + account + ":user/mara", UserID: "AIDAEXAMPLEmara", AccessKeyID: neighbour, AccountID: account},
			kind: approval.BadCaller, says: "is in the evidence"},
		"by a session of the thief's": {who: oncall, before: func(w *world, _ *incident.Record) { w.trail.minted[opsSession] = by(user("mara", stolen)) }, kind: approval.BadCaller, says: "is in the evidence"},
		"what was never done":         {who: ops, before: func(_ *world, r *incident.Record) { r.Outcomes[0].State = containment.Asked }, kind: approval.NotNow, says: "no key that could have been restored"},
		"nothing":                     {who: ops, before: func(_ *world, r *incident.Record) { r.Outcomes = nil }, kind: approval.BadQuestion, says: "has 0 steps, and 1 is none of them"},
		"another by now":              {who: ops, before: func(_ *world, r *incident.Record) { r.Outcomes[0].Target = neighbour }, kind: approval.NotNow, says: "as you were shown: look at the incident again"},
		"from nowhere":                {who: ops, before: func(_ *world, r *incident.Record) { r.Evidence.Actors[0].Origins = nil }, kind: approval.NotNow, says: "shows no place"},
		"more than are kept": {who: ops, before: func(w *world, _ *incident.Record) {
			b, _ := w.Store.Brakes(context.Background())
			for i := range 200 {
				b.Holds = append(b.Holds, incident.Hold{AccessKeyID: fmt.Sprint(i), Until: w.clock.Now().Add(time.Hour)})
			}
			w.Store.SetBrakes(context.Background(), b)
		}, kind: approval.NotNow, says: "200 keys are held already"},
	} {
		t.Run(name, func(t *testing.T) {
			w := asks()
			w.Mode = containment.ModeAct
			rec := w.handle(t)
			restored := shown(rec, 1)
			w.account.SetStatus(stolen, containment.Active)
			if c.before != nil {
				c.before(w, &rec)
				if _, err := w.Store.Put(t.Context(), rec); err != nil {
					t.Fatal(err)
				}
			}
			before, _ := w.Store.Brakes(t.Context())
			said, err := w.approval().Hold(t.Context(), c.who, restored)
			refused(t, err, c.kind, c.says)
			if after, _ := w.Store.Brakes(t.Context()); said != "" || after.Version != before.Version {
				t.Errorf("got %q, and the mode or the holds were changed", said)
			}
		})
	}
}

// Where the team cannot be notified, the caller is told so.
func TestALoweringOfWhichNobodyIsNotifiedSaysSo(t *testing.T) {
	w := asks()
	w.channel.Err = errors.New("throttled")
	if said, err := w.approval().LowerMode(t.Context(), ops, containment.ModeObserve); err != nil || !strings.HasSuffix(said, "THE TEAM COULD NOT BE NOTIFIED") {
		t.Errorf("got %q, %v", said, err)
	}
}

func TestTheMessageOfADecisionIsPlain(t *testing.T) {
	const hostile = "\x1b[2J\r\n\u202eevil"
	m := report.Decided("APPROVED", string(policy.DeactivateKey)+" "+hostile, hostile, hostile, "x", fired)
	if strings.ContainsAny(m.Subject+strings.ReplaceAll(m.Body, "\n", ""), "\x1b\r\u202e\n") || strings.Contains(m.Subject, "\n") {
		t.Errorf("got %q", m)
	}
}

// A human may restore a key after another incident has judged it, and before that one writes: what was cleared by then is asked about.
func TestAKeyThatIsClearedAsItIsAboutToBeContainedIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		origins []string
		want    containment.State
	}{
		"the origins of its bytes": {[]string{"198.51.100.0/24"}, containment.Asked},
		"other origins":            {[]string{"192.0.2.0/24"}, containment.Done},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			cleared := false
			handled, err := w.Handle(t.Context(), event(1_000_000), func(rec incident.Record) {
				if cleared || len(rec.Outcomes) == 0 || rec.Outcomes[0].State != containment.Intended {
					return
				}
				cleared = true
				b, err := w.Store.Brakes(t.Context())
				if err != nil {
					t.Error(err)
				}
				b.Holds = append(b.Holds, incident.Hold{AccessKeyID: stolen, Incident: "another", By: oncall.ARN, Until: w.clock.Now().Add(24 * time.Hour), Origins: c.origins})
				if _, err := w.Store.SetBrakes(t.Context(), b); err != nil {
					t.Error(err)
				}
			})
			if err != nil || !cleared {
				t.Fatalf("cleared %t, %v", cleared, err)
			}
			if o := handled.Record.Outcomes[0]; o.State != c.want || (c.want == containment.Asked) != strings.Contains(o.Detail, "restored this key after incident another") {
				t.Errorf("got %s: %s", o.State, o.Detail)
			}
			w.keys(t, map[containment.State]string{containment.Asked: "Active", containment.Done: "Inactive"}[c.want])
		})
	}
}

// approval is what humans decide over the same account, trail and store.
func (w *world) approval() *approval.Approval {
	ask := investigation.New(w.Meter, w.Trail, w.Second, w.Account, w.Ours, w.Clock, w.Workers, w.Log)
	return &approval.Approval{Store: w.Store, Account: w.Account, Investigation: ask, Scheduler: w.Scheduler, Channels: w.Channels, Clock: w.Clock, Log: w.Log,
		Mode: w.Mode, Generation: w.Generation, Ours: w.Ours, Name: w.Name, Trusts: approval.Trusts{"identity-center", "saml", "accounts.example.com"}}
}

// blind is a store that lists nothing any more from a time on.
type blind struct {
	incident.Store
	is bool
}

func (b *blind) Unclosed(ctx context.Context) ([]incident.Brief, error) {
	if b.is {
		return nil, errors.New("the table does not answer")
	}
	return b.Store.Unclosed(ctx)
}

// An ask that was approved while its message waited is not asked: the record is read before each message, and not only listed (simulation, seeds
// 19548 and 55810). Nor is an incident lost that somebody else has changed (seed 58610).
func TestWhatWasApprovedMeanwhileIsNotAsked(t *testing.T) {
	w := asks()
	store := &blind{Store: w.Store}
	w.Store = store
	var r incident.Record
	_, err := w.Handle(t.Context(), event(1_000_000), func(now incident.Record) {
		if r = now; r.Judged.IsZero() && !r.NotifiedAt(incident.Page).IsZero() {
			w.channel.Err = errors.New("the topic is gone")
		}
		if failed := slices.ContainsFunc(r.Notified, func(n incident.Notice) bool { return n.Kind == incident.Answer && n.Tries == 1 }); failed && !store.is {
			store.is, w.channel.Err = true, nil
			if said, err := w.approval().Approve(t.Context(), ops, shown(r, 1)); err != nil {
				t.Errorf("got %q, %v", said, err)
			}
		}
	})
	for _, m := range w.channel.Sent() {
		if strings.Contains(m.Body, "YOU DECIDE") {
			t.Errorf("it was approved, and is asked: %s", m.Body)
		}
	}
	if state(t, r) != containment.Done {
		t.Errorf("got %+v, %v", r.Outcomes, err)
	}
}

// Nor is one asked that somebody has done by hand while the channel took nothing (simulation, seeds 27380 and 59733).
func TestWhatWasDoneMeanwhileIsNotAsked(t *testing.T) {
	w := asks()
	w.channel.Err = errors.New("the topic is gone")
	done := false
	r := w.watch(t, func(r incident.Record) {
		if failed := slices.ContainsFunc(r.Notified, func(n incident.Notice) bool { return n.Kind == incident.Answer && n.Tries == 1 }); failed && !done {
			done = true
			w.account.SetStatus(stolen, containment.Inactive)
			w.channel.Err = nil
		}
	})
	for _, m := range w.channel.Sent() {
		if strings.Contains(m.Body, "YOU DECIDE") {
			t.Errorf("it was done, and is asked: %s", m.Body)
		}
	}
	if state(t, r) != containment.Already {
		t.Errorf("got %+v", r.Outcomes)
	}
}
