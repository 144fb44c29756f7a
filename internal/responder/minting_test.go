package responder_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// off is the line that turns the stolen key off.
const off = "aws iam update-access-key --user-name mara --access-key-id " + stolen + " --status Inactive"

// containing is a deployer's own policy, which contains a key for what its session took.
func containing(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := policy.Load("own.cedar", []byte(`@id("contain-minting") @because("it minted the thief's session, and no other")
permit (principal, action == Action::"deactivate-key", resource)
when { context.minted && context has minted_others && !context.minted_others && context.complete && !context.lost && context.sealed != Sealed::"open" };
@id("ask-otherwise") @because("no other rule says what to do")
permit (principal, action in Action::"contain", resource) when { context.approved };`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mintedBy is a world in which a thief takes all with a session that a call gave out.
func mintedBy(row evidence.Row) *world {
	w := asks()
	w.Mode = containment.ModeAct
	w.account.AddRole("web", nil)
	w.trail.takers = []taker{sessionThief()}
	if row != nil {
		w.trail.minted[minted] = row
	}
	return w
}

// steps are the outcomes in short.
func steps(r incident.Record) (all []string) {
	for _, o := range r.Outcomes {
		all = append(all, fmt.Sprintf("%s %s %s", o.Action, o.Target[strings.LastIndex(o.Target, ":")+1:], o.State))
	}
	return all
}

// The shipped policy asks; the step stands in the place of the line by hand. Who approves it has it done and seen done, and it can be taken back.
func TestTheKeyThatMintedASessionIsAskedAbout(t *testing.T) {
	for name, c := range map[string]struct {
		chain map[string]evidence.Row
		says  string
	}{
		"a key":   {nil, "the session " + minted + " that took the bytes: AssumeRole at 2026-03-03 23:07:00 with " + stolen},
		"a chain": {map[string]evidence.Row{minted: by(roleSession("hop", "x", "ASIAEXAMPLEHOP000001")), "ASIAEXAMPLEHOP000001": by(user("mara", stolen))}, "by way of 1 other session: AssumeRole"},
	} {
		t.Run(name, func(t *testing.T) {
			w := mintedBy(by(user("mara", stolen)))
			for gave, row := range c.chain {
				w.trail.minted[gave] = row
			}
			w.Mode = containment.ModeAsk
			r := w.whenNotified(t, func(r incident.Record) {
				if want := []string{"deactivate-key " + stolen + " asked", "deny-role-session role/web asked"}; !slices.Equal(steps(r), want) {
					t.Fatalf("got %q, want %q", steps(r), want)
				}
				if v := r.Verdicts[0]; !strings.HasPrefix(v.Reasons[0], "ask-minted: this key minted the session that took the bytes") {
					t.Errorf("the reasons are %q", v.Reasons)
				}
				m := w.channel.Sent()[1]
				body := unwrap(m.Body)
				if !strings.Contains(body, "YOU DECIDE deactivate-key "+stolen+" of mara It minted") || !strings.Contains(body, c.says) || strings.Count(body, off) != 1 || strings.Contains(body, "stays on until this is run") {
					t.Errorf("the message does not have the step, once:\n%s", m.Body)
				}
				w.keys(t, "Active")
				if said, err := w.approval().Approve(t.Context(), ops, shown(r, 1)); err != nil {
					t.Error(said, err)
				}
			})
			o := r.Outcomes[0]
			if o.State != containment.Done || o.Approved == nil || o.AccessKeyID != minted || o.Undo == "" {
				t.Errorf("got %+v, want it done", o)
			}
			w.keys(t, "Inactive")
			if state, err := containment.Undo(t.Context(), w.account, o.Step); err != nil || state != containment.Undone {
				t.Errorf("restoring: %s, %v", state, err)
			}
			w.keys(t, "Active")
			if said, err := w.approval().Hold(t.Context(), ops, shown(r, 1)); err != nil || !strings.Contains(said, "198.51.100") {
				t.Errorf("it is held: %q, %v", said, err)
			}
		})
	}
}

// A policy of one's own contains the key, and not its neighbour, and follow-ups watch it.
func TestAPolicyOfOnesOwnContainsTheKeyThatMinted(t *testing.T) {
	w := mintedBy(by(user("mara", stolen)))
	w.Policy = policy.Ready(containing(t))
	var watched []string
	w.Trail = heard{w.trail, func(q evidence.Question) {
		if since, ok := q.(evidence.Since); ok {
			watched = append(watched, since.KeyIDs...)
		}
	}}
	r := w.watch(t, nil)
	if want := []string{"deactivate-key " + stolen + " done", "deny-role-session role/web asked"}; !slices.Equal(steps(r), want) {
		t.Fatalf("got %q, want %q: %+v", steps(r), want, r.Verdicts)
	}
	w.keys(t, "Inactive")
	if w.account.Writes() != 1 || w.account.Status(neighbour) != containment.Active || !slices.Contains(watched, stolen) || !slices.Contains(watched, minted) {
		t.Errorf("%d writes, the neighbour is %s, watched are %q", w.account.Writes(), w.account.Status(neighbour), watched)
	}
	if w.said("REVISED") {
		t.Errorf("the team was notified of %q: the answer says it all", w.subjects())
	}
	// By a rule that is about keys which take something themselves it is asked about.
	w = mintedBy(by(user("mara", stolen)))
	w.Policy = func() (*policy.Policy, error) {
		return policy.Load("own.cedar", []byte(`@id("all") @because("x") permit (principal, action, resource) when { context.confirmed && context.complete };`))
	}
	r = w.handle(t)
	if w.keys(t, "Active"); !strings.HasPrefix(r.Verdicts[0].Reasons[0], "minting: ") {
		t.Errorf("got %+v", r.Verdicts)
	}
}

// telling adds a row to the answers of a lineage that asks who was given the thief's session.
type telling struct {
	evidence.Trail
	row evidence.Row
}

func (f telling) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	answer, err := f.Trail.Ask(ctx, q)
	if of, ok := q.(evidence.Lineage); ok && slices.Contains(of.Given, minted) {
		for i, row := range answer.Rows {
			if row["part"] == "given" {
				answer.Rows[i] = with(row, "places", "2")
			}
		}
		answer.Rows = append(answer.Rows, with(f.row, "part", "given", "gave", minted, "event_id", "another", "places", "2"))
	}
	return answer, err
}

// A minting convicts no neighbour, and what is not shown beyond doubt is none, whatever a policy contains.
func TestWhatIsNoMintingIsAHumans(t *testing.T) {
	mara := by(user("mara", stolen))
	stranger := user("eve", "AKIAEXAMPLESTRANGER1")
	stranger.AccountID, stranger.ARN = "444455556666", "arn:aws:iam::444455556666:user/eve"
	ours := stranger
	twice := user("mara", stolen)
	twice.UserName = "nightly"
	through := user("mara", stolen)
	through.InvokedBy = "cloudformation.amazonaws.com"
	sso := roleSession("AWSReservedSSO_ops_1", "mara@example.com", "ASIAEXAMPLEHOP000001")
	const byHand, asked, gone = "by hand", "asked", "not even that"
	for name, c := range map[string]struct {
		row    evidence.Row
		change func(*world)
		want   string
	}{
		"it minted an honest session of the same role too": {mara, func(w *world) {
			w.trail.minted["ASIAEXAMPLEHONEST001"] = with(mara, "given", "AROAEXAMPLEweb:olga", "session_given", "olga")
		}, asked},
		"and one of the same name": {mara, func(w *world) { w.trail.minted["ASIAEXAMPLEHONEST001"] = mara }, asked},
		"and so did a session on the way": {by(roleSession("hop", "x", "ASIAEXAMPLEHOP000001")), func(w *world) {
			w.trail.minted["ASIAEXAMPLEHOP000001"], w.trail.minted["ASIAEXAMPLEHONEST001"] = mara, by(roleSession("hop", "x", "ASIAEXAMPLEHOP000001"))
		}, asked},
		"it only has a session of the role": {nil, func(w *world) {
			w.trail.minted["ASIAEXAMPLEHONEST001"] = with(mara, "given", "AROAEXAMPLEweb:botocore-session-1")
		}, gone},
		"two keys gave it out":             {mara, func(w *world) { w.Trail = telling{w.trail, by(user("nightly", nightly))} }, byHand},
		"one record names two keys":        {with(mara, "torn", "1"), nil, byHand},
		"one record names two users":       {by(twice), nil, gone},
		"it is another session's":          {with(mara, "given", "AROAEXAMPLEweb:olga"), nil, byHand},
		"it was used before":               {with(mara, "at", fmt.Sprint(from.Add(2*time.Minute).Unix())), nil, byHand},
		"a call that gives no session":     {with(mara, "call", "AcquireRole"), nil, byHand},
		"through a service":                {by(through), nil, byHand},
		"a chain that a record lacks":      {by(roleSession("hop", "x", "ASIAEXAMPLEHOP000001")), nil, gone},
		"by way of a person's session":     {by(sso), func(w *world) { w.trail.minted["ASIAEXAMPLEHOP000001"] = mara }, byHand},
		"a key of another account":         {by(stranger), nil, gone},
		"a key of another account of ours": {by(ours), func(w *world) { w.Ours = actor.Accounts(account, "444455556666") }, gone},
		"a root key":                       {by(actor.Identity{Type: "Root", AccountID: account, PrincipalID: account, ARN: "arn:aws:iam::" + account + ":root", AccessKeyID: "AKIAEXAMPLEROOT00001"}), nil, gone},
		"a key that is gone":               {by(user("mara", "AKIAEXAMPLEGONE00001")), nil, gone},
		"a key of somebody else":           {by(user("olga", stolen)), nil, gone},
		"a key that is off":                {mara, func(w *world) { w.account.SetStatus(stolen, containment.Inactive) }, "already"},
		"whose status cannot be read":      {mara, func(w *world) { w.account.Fail("Read", fmt.Errorf("AccessDenied")) }, byHand},
		"a protected key":                  {mara, func(w *world) { w.tags["nightlatch:protect"] = "" }, asked},
		"an unsealed trail":                {mara, func(w *world) { w.trail.sealed = evidence.Open }, asked},
		"a lineage that is not answered":   {mara, func(w *world) { w.trail.failing = "lineage" }, gone},
	} {
		t.Run(name, func(t *testing.T) {
			w := mintedBy(c.row)
			w.Policy, w.Scheduler = policy.Ready(containing(t)), nil
			if c.change != nil {
				c.change(w)
			}
			before := w.account.Statuses()
			r := w.handle(t)
			if w.account.Writes() != 0 || fmt.Sprint(w.account.Statuses()) != fmt.Sprint(before) {
				t.Fatalf("a key was touched: %q, %+v", steps(r), r.Verdicts)
			}
			body := unwrap(w.channel.Sent()[len(w.channel.Sent())-1].Body)
			step, hand := slices.Contains(steps(r), "deactivate-key "+stolen+" asked"), strings.Contains(body, "stays on until this is run too: Run "+off)
			got := map[[2]bool]string{{true, false}: asked, {false, true}: byHand, {}: gone, {true, true}: "both"}[[2]bool{step, hand}]
			if slices.Contains(steps(r), "deactivate-key "+stolen+" already") {
				got = "already"
			}
			if got != c.want || !slices.Contains(steps(r), "deny-role-session role/web asked") {
				t.Errorf("it is %s (%q), want %s:\n%s", got, steps(r), c.want, body)
			}
		})
	}
}

// A key that took something itself, and whose session did, is turned off once.
func TestAKeyAndItsSessionAreOneStep(t *testing.T) {
	w := mintedBy(by(user("mara", stolen)))
	w.trail.takers = []taker{thief(600_000), {key: minted, owner: "botocore-session-1", role: "web", bytes: 400_000, ip: elsewhere}}
	r := w.watch(t, nil)
	n := 0
	for _, s := range steps(r) {
		if strings.HasPrefix(s, "deactivate-key "+stolen) {
			n++
		}
	}
	if n != 1 || w.account.Writes() > 1 {
		t.Errorf("got %q and %d writes, want one step on the key", steps(r), w.account.Writes())
	}
}

// The trail is minutes behind: what shows later is judged again, and the team hears of it once.
func TestAMintingThatShowsLaterIsRevisedOnce(t *testing.T) {
	w := mintedBy(nil)
	r := w.watch(t, func(r incident.Record) {
		if len(r.FollowUps) == 1 {
			w.trail.minted[minted] = by(user("mara", stolen))
		}
	})
	if want := []string{"deactivate-key " + stolen + " asked", "deny-role-session role/web asked"}; !slices.Equal(steps(r), want) {
		t.Fatalf("got %q, want %q", steps(r), want)
	}
	revised := 0
	for _, s := range w.subjects() {
		if strings.HasPrefix(s, "REVISED") {
			revised++
		}
	}
	if line := strings.Join(r.Outcomes[1].Runbook, "\n"); revised != 1 || strings.Contains(line, "is not known") || strings.Contains(line, off) {
		t.Errorf("the team was notified of %q; by hand is left: %s", w.subjects(), line)
	}
	// A trail that does not answer takes nothing back.
	again := false
	w = mintedBy(by(user("mara", stolen)))
	w.Policy = policy.Ready(containing(t))
	r = w.watch(t, func(r incident.Record) {
		if len(r.FollowUps) == 1 && !again {
			again, w.trail.failing = true, "lineage"
		}
	})
	if o := r.Outcomes[0]; o.State != containment.Done || o.Regretted || w.said("REVISED") {
		t.Errorf("got %+v; notified of %q", o, w.subjects())
	}
	// Another session that shows later does.
	w = mintedBy(by(user("mara", stolen)))
	w.Policy = policy.Ready(containing(t))
	r = w.watch(t, func(r incident.Record) {
		if len(r.FollowUps) == 1 {
			w.trail.minted["ASIAEXAMPLEHONEST001"] = by(user("mara", stolen))
		}
	})
	if o := r.Outcomes[0]; o.State != containment.Done || !o.Regretted || !w.said("REVISED") {
		t.Errorf("got %+v; notified of %q", o, w.subjects())
	}
}

// A hold on a key holds it for its sessions too, where their bytes go to what was cleared.
func TestAHeldKeyIsAskedAboutForItsSession(t *testing.T) {
	for network, want := range map[string]string{"198.51.100.0/24": "Active", "192.0.2.0/24": "Inactive"} {
		w := mintedBy(by(user("mara", stolen)))
		w.Policy = policy.Ready(containing(t))
		if _, err := w.Store.SetBrakes(t.Context(), incident.Brakes{Holds: []incident.Hold{{AccessKeyID: stolen, Incident: "another", By: "ada", Until: w.clock.Now().Add(time.Hour * 24), Origins: []string{network}}}}); err != nil {
			t.Fatal(err)
		}
		w.handle(t)
		w.keys(t, want)
	}
}
