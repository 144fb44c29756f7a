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
	"nightlatch/internal/sandbox"
)

// eves is the key that a thief makes for another user, and evesOwn that user's own.
const (
	eves    = "AKIAEXAMPLEEVESKEY01"
	evesOwn = "AKIAEXAMPLEEVESOWN01"
	evesOff = "aws iam update-access-key --user-name eve --access-key-id " + eves + " --status Inactive"
)

// madeAt is when that key was made: an hour before the theft.
var madeAt = from.Add(-time.Hour)

// making is the call that has made it.
func making(id actor.Identity) evidence.Row {
	return with(by(id), "service", "iam.amazonaws.com", "call", "CreateAccessKey", "of_user", "eve")
}

// makes is a world in which a thief takes all with the stolen key, and a call has made another user's; created is when IAM has seen that.
func makes(row evidence.Row, created time.Time) *world {
	w := asks()
	w.Mode = containment.ModeAct
	w.account.AddUser("eve", w.tags, sandbox.Key{ID: eves, Status: "Active", Created: created}, sandbox.Key{ID: evesOwn, Status: "Active", Created: from.AddDate(-1, 0, 0)})
	if row != nil {
		w.trail.minted[eves] = row
	}
	return w
}

// retelling adds another record to the answers of a lineage that show who has made the key.
type retelling struct {
	evidence.Trail
	row evidence.Row
}

func (f retelling) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	answer, err := f.Trail.Ask(ctx, q)
	if slices.ContainsFunc(answer.Rows, func(row evidence.Row) bool { return row["gave"] == eves }) {
		answer.Rows = append(answer.Rows, with(f.row, "part", "made", "gave", eves, "event_id", "another", "places", answer.Rows[0]["places"]))
	}
	return answer, err
}

// The shipped policy contains the stolen key and asks about the one that was made with it. Who approves that has it done and seen done; it can be
// taken back, and is held then.
func TestAKeyThatAThiefHasMadeIsAskedAbout(t *testing.T) {
	w := makes(making(user("mara", stolen)), madeAt.Add(time.Second))
	once := false
	r := w.watch(t, func(r incident.Record) { // the key is off before the evidence is complete, and the lineage is judged with it
		if once || r.NotifiedAt(incident.Revised).IsZero() {
			return
		}
		once = true
		if want := []string{"deactivate-key " + stolen + " done", "deactivate-key " + eves + " asked"}; !slices.Equal(steps(r), want) {
			t.Fatalf("got %q, want %q", steps(r), want)
		}
		if v := r.Verdicts[1]; !strings.HasPrefix(v.Reasons[0], "ask-minted: ") {
			t.Errorf("the reasons are %q", v.Reasons)
		}
		body := unwrap(w.channel.Sent()[2].Body)
		for _, says := range []string{"YOU DECIDE deactivate-key " + eves + " of eve Made by CreateAccessKey at 2026-03-03 23:07:00 with " + stolen + " from 198.51.100.0/24, event event-" + eves +
			": that is where the bytes went", "Would break nothing that the trail shows: since it was made it was used nowhere but where the bytes went"} {
			if !strings.Contains(body, says) {
				t.Errorf("it does not say %q:\n%s", says, body)
			}
		}
		if strings.Count(body, evesOff) != 1 || strings.Contains(body, "No step") {
			t.Errorf("the line does not stand there once:\n%s", body)
		}
		if w.account.Status(eves) != containment.Active {
			t.Error("nobody was asked")
		}
		if said, err := w.approval().Approve(t.Context(), ops, shown(r, 2)); err != nil {
			t.Error(said, err)
		}
	})
	o := r.Outcomes[1]
	if o.State != containment.Done || o.Approved == nil || o.Undo == "" || w.account.Status(eves) != containment.Inactive || w.account.Status(evesOwn) != containment.Active {
		t.Errorf("got %+v, want it done, and eve's own key on", o)
	}
	if state, err := containment.Undo(t.Context(), w.account, o.Step); err != nil || state != containment.Undone || w.account.Status(eves) != containment.Active {
		t.Errorf("restoring: %s, %v", state, err)
	}
	if said, err := w.approval().Hold(t.Context(), ops, shown(r, 2)); err != nil || !strings.Contains(said, "198.51.100") {
		t.Errorf("it is held: %q, %v", said, err)
	}
	if n := w.trail.questions("callers"); n > 6 {
		t.Errorf("%d questions for who works with the credentials", n)
	}
}

// A policy of one's own contains what is shown beyond doubt. Everything else convicts no neighbour, whatever a policy contains: it is asked, or is a
// line with the command.
func TestWhichKeysAThiefHasMade(t *testing.T) {
	mara := making(user("mara", stolen))
	session := user("mara", minted)
	namesake := roleSession("web", "botocore-session-1", "ASIAEXAMPLEHONEST001")
	stranger := user("mara", stolen)
	stranger.AccountID, stranger.ARN = "444455556666", "arn:aws:iam::444455556666:user/mara"
	through := user("mara", stolen)
	through.InvokedBy = "cloudformation.amazonaws.com"
	twice := user("mara", stolen)
	twice.UserName = "nightly"
	at := func(t time.Time) string { return fmt.Sprint(t.Unix()) }
	bySession := func(w *world) {
		w.account.AddRole("web", nil)
		w.trail.takers, w.trail.minted[minted] = []taker{sessionThief()}, with(by(user("mara", stolen)), "given", "AROAEXAMPLEweb:botocore-session-1")
	}
	const done, asked, line, gone = "done", "asked", "a line", "nothing"
	for name, c := range map[string]struct {
		row     evidence.Row
		created time.Time // by IAM; zero is as the record says
		change  func(*world)
		want    string
	}{
		"by the stolen key": {mara, time.Time{}, nil, done},
		"by a session that it has minted": {making(session), time.Time{}, func(w *world) {
			w.trail.minted[minted] = with(by(user("mara", stolen)), "call", "GetSessionToken")
		}, done},
		"by the key behind the session": {mara, time.Time{}, bySession, done},
		"and he has used it":            {mara, time.Time{}, func(w *world) { w.trail.used = map[string]string{eves: elsewhere} }, done},

		"somebody has used it from elsewhere":    {mara, time.Time{}, func(w *world) { w.trail.used = map[string]string{eves: office} }, asked},
		"who has used it is not answered":        {mara, time.Time{}, func(w *world) { w.trail.failing = "callers" }, asked},
		"while the theft went on, at the office": {with(mara, "source_ip", office, "at", at(from.Add(time.Minute))), from.Add(time.Minute), nil, asked},
		"a protected user's":                     {mara, time.Time{}, func(w *world) { w.tags["nightlatch:protect"] = "" }, asked},
		"in an unsealed trail":                   {mara, time.Time{}, func(w *world) { w.trail.sealed = evidence.Open }, asked},
		"at the office, before the theft":        {with(mara, "source_ip", office), time.Time{}, nil, line},
		"on the way, before the theft":           {with(mara, "source_ip", "192.0.2.7"), time.Time{}, nil, line},
		"by an honest session of the same name":  {making(namesake), time.Time{}, bySession, line},
		"a key that was there":                   {mara, from.AddDate(-1, 0, 0), nil, line},
		"one of another user":                    {with(mara, "of_user", "olga"), time.Time{}, nil, line},
		"one that is read in the name of a user": {with(mara, "of_user", "accessKeyId="+eves), time.Time{}, nil, line},
		"two records name two makers":            {mara, time.Time{}, func(w *world) { w.Trail = retelling{w.trail, making(user("nightly", nightly))} }, line},
		"one record names two keys":              {with(mara, "torn", "1"), time.Time{}, nil, line},
		"one record names two users":             {making(twice), time.Time{}, nil, line},
		"through a service":                      {making(through), time.Time{}, nil, line},
		"of another account":                     {making(stranger), time.Time{}, nil, line},
		"of another account of ours":             {making(stranger), time.Time{}, func(w *world) { w.Ours = actor.Accounts(account, "444455556666") }, line},
		"the account does not say when":          {mara, time.Time{}, func(w *world) { w.account.Fail("Keys", fmt.Errorf("AccessDenied")) }, line},
		"by somebody else":                       {making(user("nightly", nightly)), time.Time{}, nil, gone},
		"in a lineage that is not answered":      {mara, time.Time{}, func(w *world) { w.trail.failing = "lineage" }, gone},
		"it is off":                              {mara, time.Time{}, func(w *world) { w.account.SetStatus(eves, containment.Inactive) }, "already"},
	} {
		t.Run(name, func(t *testing.T) {
			created := c.created
			if created.IsZero() {
				created = madeAt
			}
			w := makes(c.row, created)
			w.Policy, w.Scheduler = policy.Ready(containing(t)), nil
			if c.change != nil {
				c.change(w)
			}
			before := w.account.Statuses()
			r := w.handle(t)
			got := gone
			for _, o := range r.Outcomes {
				if o.Target == eves {
					got = string(o.State)
				}
			}
			body := unwrap(w.channel.Sent()[len(w.channel.Sent())-1].Body)
			if got == gone && strings.Contains(body, "No step turning off key "+eves+" of ") {
				got = line
			}
			if got != c.want {
				t.Errorf("it is %s (%q), want %s:\n%s", got, steps(r), c.want, body)
			}
			if c.want == done {
				before[eves] = containment.Inactive
			}
			if w.trail.takers[0].key == minted {
				before[stolen] = w.account.Status(stolen) // it minted the session
			}
			if after := w.account.Statuses(); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("got %v, want %v", after, before)
			}
		})
	}
}

// The trail is minutes behind: a key that shows later is judged again, and the team hears of it once. What a later record contradicts is to be
// taken back, and that the key is gone takes nothing back.
func TestAKeyThatShowsLaterIsRevisedOnce(t *testing.T) {
	mara := making(user("mara", stolen))
	for name, c := range map[string]struct {
		first   evidence.Row
		then    func(*world)
		state   containment.State
		regret  bool
		revised int
	}{
		"it shows later":       {nil, func(w *world) { w.trail.minted[eves] = mara }, containment.Done, false, 1},
		"two keys have it":     {mara, func(w *world) { w.trail.minted[eves] = with(mara, "torn", "1") }, containment.Done, true, 1},
		"it is used elsewhere": {mara, func(w *world) { w.trail.used = map[string]string{eves: office} }, containment.Done, true, 1},
		"nothing new":          {mara, func(*world) {}, containment.Done, false, 0},
		"no answer":            {mara, func(w *world) { w.trail.failing = "callers" }, containment.Done, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := makes(c.first, madeAt)
			p, err := policy.Load("own.cedar", []byte(`@id("own") @because("x") permit (principal, action == Action::"deactivate-key", resource)
when { !context.minted || context has minted_others && !context.minted_others };
@id("rest") @because("x") permit (principal, action, resource) when { context.approved };`))
			if err != nil {
				t.Fatal(err)
			}
			w.Policy = policy.Ready(p)
			once := false
			r := w.watch(t, func(r incident.Record) {
				if len(r.FollowUps) == 1 && !once {
					once = true
					c.then(w)
				}
			})
			i := slices.IndexFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Target == eves })
			if i < 0 || r.Outcomes[i].State != c.state || r.Outcomes[i].Regretted != c.regret {
				t.Fatalf("got %q: %+v", steps(r), r.Outcomes)
			}
			n := 0
			for _, s := range w.subjects() {
				if strings.HasPrefix(s, "REVISED") {
					n++
				}
			}
			if n != c.revised || w.account.Status(evesOwn) != containment.Active || w.account.Status(neighbour) != containment.Active {
				t.Errorf("the team was notified of %q", w.subjects())
			}
		})
	}
}

// A thief who makes many keys gets a step for each of the first ones, or he would use up the containments of an hour. The others are lines.
func TestTheFirstKeysOfManyAreSteps(t *testing.T) {
	w := makes(making(user("mara", stolen)), madeAt)
	w.Policy, w.Scheduler = policy.Ready(containing(t)), nil
	for i := range 8 {
		name, key := fmt.Sprint("temp", i), fmt.Sprintf("AKIAEXAMPLETEMP%05d", i)
		w.account.AddUser(name, nil, sandbox.Key{ID: key, Status: "Active", Created: madeAt})
		w.trail.minted[key] = with(making(user("mara", stolen)), "of_user", name, "at", fmt.Sprint(madeAt.Add(time.Duration(i)*time.Second).Unix()))
	}
	done := 0
	for _, o := range w.handle(t).Outcomes {
		if o.State == containment.Done {
			done++
		}
	}
	if body := unwrap(w.channel.Sent()[len(w.channel.Sent())-1].Body); done != 5 || !strings.Contains(body, "No step turning off key AKIAEXAMPLETEMP00007 of IAM user temp7") {
		t.Errorf("%d were turned off:\n%s", done, body)
	}
}
