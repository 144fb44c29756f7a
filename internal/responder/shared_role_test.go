package responder_test

import (
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/approval"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// olgas session of a role that others share, and one of theirs, which has read a byte.
var sharing = approval.Caller{ARN: "arn:aws:sts::" + account + ":assumed-role/etl/olga", UserID: "AROAEXAMPLEetl:olga", AccessKeyID: "ASIAEXAMPLEETL000002", AccountID: account}

func shared() *world {
	w := asks()
	w.trail.takers = append(w.trail.takers, taker{key: "ASIAEXAMPLEETL000001", owner: "job", role: "etl", bytes: 1, ip: office})
	w.trail.minted = map[string]evidence.Row{"ASIAEXAMPLEETL000002": by(user("olga", opsKey)), "ASIAEXAMPLEETL000001": by(user("nightly", nightly))}
	return w
}

// One byte that a session of a shared role has read locks nobody else of that role out.
func TestASessionIsNotItsRole(t *testing.T) {
	for name, minted := range map[string]evidence.Row{
		"another user's":       by(user("nightly", nightly)),
		"another's, by SAML":   vouched(actor.Identity{Type: "SAMLUser", PrincipalID: "idp:mallory"}, idp),
		"a machine's":          by(actor.Identity{Type: "AWSService", InvokedBy: "ec2.amazonaws.com"}),
		"of another's session": by(roleSession("hop", "x", "ASIAEXAMPLEHOP000001")),
	} {
		w := shared()
		rec := w.open(t)
		w.trail.minted["ASIAEXAMPLEETL000001"] = minted
		if said, err := w.approval().Approve(t.Context(), sharing, shown(rec, 1)); err != nil || !strings.HasPrefix(said, "approved; ") {
			t.Errorf("%s: got %q, %v", name, said, err)
		}
	}
}

// Who is not suspected himself, though his role is, lowers the mode to ask, for a day, and tells everybody. He does not switch it off.
func TestAModeThatIsLoweredByWhoeverSharesARole(t *testing.T) {
	w := shared()
	w.Mode = containment.ModeAct
	w.open(t)
	delete(w.trail.minted, "ASIAEXAMPLEETL000001") // whose the other session is is not known
	_, err := w.approval().LowerMode(t.Context(), sharing, containment.ModeObserve)
	refused(t, err, approval.BadCaller, "it is not known whose it is")
	sent := len(w.channel.Sent())
	said, err := w.approval().LowerMode(t.Context(), sharing, containment.ModeAsk)
	until := w.clock.Now().Add(24 * time.Hour)
	if err != nil || !strings.HasPrefix(said, "the mode is ask now, and was act; ") || !strings.HasSuffix(said, "it ends at "+until.Format(time.DateTime)) {
		t.Fatalf("got %q, %v", said, err)
	}
	if m := w.channel.Sent()[sent:]; len(m) != 1 || !strings.Contains(m[0].Subject, "MODE LOWERED") || !strings.Contains(strings.Join(strings.Fields(m[0].Body), " "), "it ends at "+until.Format(time.DateTime)) {
		t.Errorf("the team is told %q", m)
	}
	left := func(at time.Time) containment.Mode {
		b, err := w.Store.Brakes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return b.Left(w.Generation, containment.ModeAct, at)
	}
	if left(until.Add(-1)) != containment.ModeAsk || left(until) != containment.ModeAct {
		t.Error("it does not end after a day")
	}
	// Again makes it no longer; somebody who is suspected in no way does.
	w.clock.Wait(t.Context(), w.clock.Now().Add(time.Hour))
	if said, err := w.approval().LowerMode(t.Context(), sharing, containment.ModeAsk); err != nil || said != "the mode is ask already" || left(until) != containment.ModeAct {
		t.Errorf("again: got %q, %v", said, err)
	}
	if said, err := w.approval().LowerMode(t.Context(), ops, containment.ModeAsk); err != nil || left(until) != containment.ModeAsk {
		t.Errorf("by olga's own key: got %q, %v", said, err)
	}
	// The thief's own second session is his.
	w2 := shared()
	w2.open(t)
	w2.trail.minted["ASIAEXAMPLEETL000001"] = by(user("olga", opsKey))
	_, err = w2.approval().LowerMode(t.Context(), sharing, containment.ModeAsk)
	refused(t, err, approval.BadCaller, "was given to you too")
}
