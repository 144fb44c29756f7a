package sandbox

// The people of a simulated night who decide: they read the messages, approve, take back, lower the mode. Some of them must not.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/approval"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/investigation"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
	"nightlatch/internal/workers"
)

// person is somebody who decides, with the credential that he calls with.
type person struct {
	caller
	// from are the users and roles that the credential comes from, its own first.
	from []string
}

func (p *person) String() string { return strings.Join(p.from, " of ") }

// wish is what somebody means to have done: a step of an incident, by its name, and against whom it is.
type wish struct{ incident, step, against string }

func wishOf(id string, o containment.Outcome) wish { return wish{id, o.Name(), o.AccessKeyID + o.Who} }

// granted is an approval that has taken effect.
type granted struct {
	at time.Time
	by string // as the record has it
	wish
	promised bool // the answer said that it will be done
}

// people makes those who decide, and a thief's helpers. actor is who takes the bytes, mara whose key is stolen.
func (w *world) people(begins time.Time, actor, mara caller) {
	olga := &person{w.employee("olga", "203.0.115", keyID("AKIA", w.Rand)), []string{"user/olga"}}
	roles := map[string]string{"oncall": keyID("AROA", w.Rand), "admin": keyID("AROA", w.Rand)}
	session := func(of *person, role string, at time.Time) *person {
		s := &person{of.caller, append([]string{"role/" + role}, of.from...)}
		s.who = roleSession(w.Rand, role, roles[role], "session")
		gave := map[string]any{"credentials": map[string]string{"accessKeyId": s.who.AccessKeyID}}
		if strings.HasPrefix(of.who.Type, "SAML") {
			w.managed(of.caller, at, "AssumeRoleWithSAML", map[string]string{"principalArn": "arn:aws:iam::" + accountID + ":saml-provider/idp"}, gave)
		} else {
			w.managed(of.caller, at, "AssumeRole", nil, gave)
		}
		return s
	}
	sam := &person{caller{who: identity{Type: "SAMLUser", PrincipalID: "idp:sam", UserName: "sam"}, ip: within("203.0.115"), agent: "x"}, []string{"saml/sam"}}
	w.staff = []*person{olga, session(olga, "oncall", dusk.Add(-time.Hour)), session(sam, "oncall", dusk.Add(-2*time.Hour)), session(olga, "admin", begins)}

	switch actor.who.Type {
	case "IAMUser", "FederatedUser":
		w.others = append(w.others, &person{actor, []string{"user/" + actor.who.user()}})
	case "AssumedRole":
		w.others = append(w.others, &person{actor, []string{"role/" + actor.who.SessionContext.SessionIssuer["userName"]}})
	case "Root":
		w.others = append(w.others, &person{actor, []string{"root"}})
	}
	stolen := &person{mara, []string{"user/mara"}}
	stolen.ip = always("198.51.100.77")
	w.at(begins.Add(w.between(-4*time.Minute, 4*time.Minute)), func() {
		if !w.works(stolen.who) {
			return
		}
		first := session(stolen, "oncall", w.now)
		w.others = append(w.others, first, session(first, "admin", w.now), stolen)
		if w.chance(0.5) {
			temp := &person{stolen.caller, []string{"user/temp", "user/mara"}}
			temp.who = iamUser(w.Rand, "temp", keyID("AKIA", w.Rand))
			w.account.AddUser("temp", nil, Key{ID: temp.who.AccessKeyID, Status: containment.Active, Created: w.now})
			w.managed(stolen.caller, w.now, "CreateAccessKey", map[string]string{"userName": "temp"},
				map[string]any{"accessKey": map[string]string{"accessKeyId": temp.who.AccessKeyID}})
			w.others = append(w.others, temp)
		}
	})
	if w.plot.intrudes {
		for range 1 + w.IntN(6) {
			w.at(begins.Add(w.between(2*time.Minute, 50*time.Minute)), w.intrude)
		}
	}
	if w.chance(0.2) {
		w.at(begins.Add(w.between(0, 40*time.Minute)), func() { w.lower(w.one(w.staff)) })
	}
	if w.chance(0.1) {
		w.at(begins.Add(w.between(0, 60*time.Minute)), func() {
			w.generation = "2"
			w.tell("a deployment of another generation: the mode is %s", w.plot.mode)
		})
	}
}

func (w *world) one(of []*person) *person { return of[w.IntN(len(of))] }

// intrude is somebody who must not decide, and tries: where there is something to decide, by most.
func (w *world) intrude() {
	ids := slices.Sorted(maps.Keys(w.stored))
	if len(w.others) == 0 || len(ids) == 0 {
		return
	}
	p, id, step := w.one(w.others), ids[w.IntN(len(ids))], w.IntN(4)
	for i, o := range w.stored[id].Outcomes {
		if o.Step.Planned() && w.chance(0.7) {
			step = i + 1
		}
	}
	switch w.IntN(5) {
	case 0:
		w.lower(p)
	case 1:
		w.command(p, fmt.Sprintf("hold %s %d", id, step), 1, func(in *invocation) (string, error) { return in.hold(in.standing(id, step)) })
	default:
		w.command(p, fmt.Sprintf("approve %s %d", id, step), 1, func(in *invocation) (string, error) { return in.approve(id, step) })
	}
}

// command is something that somebody does at a terminal. What has failed is tried again, by most.
func (w *world) command(p *person, what string, tries int, do func(*invocation) (string, error)) {
	if !w.works(p.who) || w.refuses(record{UserIdentity: p.who, SourceIPAddress: p.ip(w.dice)}) {
		w.tell("%s is not let in: %s", p, what)
		return
	}
	in := w.invocation("$")
	in.by = p
	w.tell("%s begins: %s, by %s", in.name, what, p)
	in.thread = w.start(func(t *thread) {
		var said string
		err := errDead
		defer func() {
			w.tell("%s ends: %q, %v", in.name, said, err)
			if err != nil && !errors.As(err, new(approval.Refusal)) && tries < 3 && w.chance(0.6) {
				w.after(w.between(2*time.Second, time.Minute), func() { w.command(p, what, tries+1, do) })
			}
		}()
		in.thread = t
		said, err = do(in)
	})
}

// approver is the function behind the function URL, in this world: as lambdas/approver builds it.
func (in *invocation) approver() *approval.Approval {
	account, log, ours := readOnly{simAccount{in}}, slog.New(simLog{in}), actor.Accounts(accountID)
	return &approval.Approval{
		Investigation: investigation.New(nil, simTrail{in}, nil, account, ours, simClock{in}, workers.Pool{}, log),
		Account:       account, Store: simStore{in}, Channels: in.orWatchers(), Clock: simClock{in},
		Log: log, Mode: in.plot.mode, Generation: in.generation, Ours: ours, Trusts: approval.Trusts{"identity-center", "saml"}, Scheduler: simScheduler{in}, Name: func() string { return in.name },
	}
}

// readOnly is the account as the approver's role lets it be used.
type readOnly struct{ simAccount }

func (a readOnly) Write(context.Context, containment.Ref, containment.Doc) error {
	a.breach(ruleApprover, "%s writes to the account itself", a.name)
	return containment.ErrNotDone
}

func (in *invocation) asCaller() approval.Caller {
	who := in.by.who
	if in.acts(falseCaller, 1) {
		who = in.staff[0].who
	}
	return approval.Caller{ARN: who.ARN, UserID: who.PrincipalID, AccessKeyID: who.AccessKeyID, AccountID: who.AccountID, Signed: in.now}
}

// standing is what stands in an incident under a number, as everybody can read it who may call the function; an intruder says it too.
func (in *invocation) standing(id string, step int) approval.Shown {
	s := approval.Shown{Incident: id, Step: step}
	if r := in.stored[id]; step > 0 && step <= len(r.Outcomes) {
		s.Action, s.Target, s.Of = r.Outcomes[step-1].Action, r.Outcomes[step-1].Target, r.Outcomes[step-1].Of()
	}
	return s
}

// decides calls the approver's function, and checks whether he was answered who must not be.
func (in *invocation) decides(id string, call func(context.Context, *approval.Approval) (string, error)) (string, error) {
	suspect := in.suspect(id)
	in.late = suspect == ""
	said, err := call(in.context(in.now.Add(lifetime)), in.approver())
	if suspect != "" && err == nil && !strings.HasPrefix(said, "it is approved already") { // that costs nothing, and is said first
		in.breach(ruleApprover, "%s, by %s, is answered %q, and incident %s is about %s", in.name, in.by, said, id, suspect)
	}
	return said, err
}

// approve is `nightlatch approve`: it shows the step, asks, and sends what was shown. A thief sends any.
func (in *invocation) approve(id string, step int) (string, error) {
	show := in.standing(id, step)
	if slices.Contains(in.staff, in.by) {
		r, err := simStore{in}.Load(context.Background(), id)
		if err != nil {
			return "", err
		}
		n, o, err := pick(r, step, containment.Outcome.Approvable)
		if err != nil {
			return "", err
		}
		in.wants, show = wishOf(id, o), approval.Shown{Incident: id, Step: n, Action: o.Action, Target: o.Target, Of: o.Of()}
		in.pause(in.between(time.Second, 40*time.Second))
	}
	said, err := in.decides(id, func(ctx context.Context, a *approval.Approval) (string, error) {
		return a.Approve(ctx, in.asCaller(), show)
	})
	if err != nil && show.Action != policy.DeactivateKey && strings.Contains(err.Error(), "any more, as it was when this was asked") {
		in.breach(ruleApproved, "%s is refused %s of %s, which is whose it was: %v", in.name, show.Action, show.Target, err)
	}
	if _, target, is := strings.Cut(in.wants.step, ":"); err == nil && is && strings.Contains(said, target+": done") && !in.wrote(in.wants.step) {
		in.breach(ruleTrue, "%s is answered %q, and nobody has done %s", in.name, said, in.wants.step)
	}
	for i, y := range in.approvals {
		in.approvals[i].promised = y.promised || y.wish == in.wants && err == nil && !strings.Contains(said, "could not be called")
	}
	if err == nil && strings.Contains(said, "within two minutes") && !in.called {
		in.breach(ruleTrue, "%s is answered %q, and could not call the responder", in.name, said)
	}
	return said, err
}

// numbered is the number that a step has now, by its name, or the number that was typed.
func (in *invocation) numbered(id, step string, typed int) int {
	r, err := simStore{in}.Load(context.Background(), id)
	i := slices.IndexFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Name() == step })
	if step == "" || err != nil || i < 0 {
		return typed
	}
	return i + 1
}

// pick chooses a step as the command line does.
func pick(r incident.Record, step int, fits func(containment.Outcome) bool) (int, containment.Outcome, error) {
	var all []int
	for i, o := range r.Outcomes {
		if fits(o) && (step == 0 || step == i+1) {
			all = append(all, i)
		}
	}
	if len(all) != 1 {
		return 0, containment.Outcome{}, approval.Refusal{Kind: approval.BadQuestion, Why: fmt.Sprintf("%d steps fit", len(all))}
	}
	return all[0] + 1, r.Outcomes[all[0]], nil
}

// restore is `nightlatch restore`: with the human's own credentials, from the state before; then the key is held.
func (in *invocation) restore(id string, step int) (string, error) {
	r, err := simStore{in}.Load(context.Background(), id)
	if err != nil {
		return "", err
	}
	n, o, err := pick(r, step, func(o containment.Outcome) bool {
		return slices.Contains([]containment.State{containment.Done, containment.Unknown, containment.Already, containment.Undone, containment.Drifted}, o.State) &&
			o.Step.Planned() && o.Step.Before != o.Step.After
	})
	if err != nil {
		return "", err
	}
	in.pause(in.between(time.Second, 40*time.Second))
	_, there := in.account.find(o.Target)
	mine, key := humanAccount{simAccount{in}, o.Step}, o.Action == policy.DeactivateKey
	state, err := containment.Undo(context.Background(), mine, o.Step)
	for pause := time.Second; state == containment.Unknown && pause <= 8*time.Second; pause *= 2 {
		in.pause(pause)
		if again, why := containment.ReadUndone(context.Background(), mine, o.Step); again != containment.Unknown {
			state, err = again, why
		}
	}
	in.tell("%s restores %s: %s, %v", in.name, o.Target, state, err)
	if state != containment.Undone && state != containment.Already {
		return "", approval.Refusal{Kind: approval.NotNow, Why: fmt.Sprint(err)}
	}
	if there == nil && key {
		in.breach(ruleRestore, "%s says that %s is %s, and it was deleted before", in.name, o.Target, state)
	}
	said, err := in.hold(approval.Shown{Incident: id, Step: n, Action: o.Action, Target: o.Target, Of: o.Of()})
	if err != nil && strings.Contains(err.Error(), "no key that could have been restored") {
		in.breach(ruleRestore, "%s has restored %s, and it is not held: %v", in.name, o.Target, err)
	}
	if err == nil && key && !slices.ContainsFunc(in.brakesAt(in.now).Holds, func(h incident.Hold) bool { return h.AccessKeyID == o.Target && h.Incident == id }) {
		in.breach(ruleTrue, "%s is answered %q, and there is no hold", in.name, said)
	}
	return said, err
}

func (in *invocation) hold(show approval.Shown) (string, error) {
	return in.decides(show.Incident, func(ctx context.Context, a *approval.Approval) (string, error) {
		return a.Hold(ctx, in.asCaller(), show)
	})
}

// lower is `nightlatch mode`.
func (w *world) lower(p *person) {
	mode := []containment.Mode{containment.ModeObserve, containment.ModeAsk}[w.IntN(2)]
	w.command(p, "mode "+string(mode), 1, func(in *invocation) (string, error) {
		return in.decides("", func(ctx context.Context, a *approval.Approval) (string, error) {
			return a.LowerMode(ctx, in.asCaller(), mode)
		})
	})
}

// alarmed is a human who sees that Nightlatch is about to do something, now and then, and has it stop.
func (w *world) alarmed(before, after incident.Record) {
	intends := func(o containment.Outcome) bool { return o.State == containment.Intended }
	if slices.ContainsFunc(after.Outcomes, intends) && !slices.ContainsFunc(before.Outcomes, intends) && w.chance(0.12) {
		w.after(w.between(0, 20*time.Second), func() { w.lower(w.one(w.staff)) })
	}
}

// suspect is of whom, among those that a caller's credential comes from, an incident is as it is stored, or any where id is ""; "" where
// of none.
func (in *invocation) suspect(id string) string {
	for _, of := range slices.Sorted(maps.Keys(in.stored)) {
		if id != "" && id != of {
			continue
		}
		about := involved(in.stored[of])
		for _, name := range in.by.from {
			if about[name] {
				return name
			}
		}
	}
	return ""
}

// involved are the users and roles that an incident is about.
func involved(r incident.Record) map[string]bool {
	all := map[string]bool{}
	for _, a := range r.Evidence.Actors {
		all["user/"+a.UserName], all["role/"+a.RoleName] = true, true
		all["root"] = all["root"] || a.Kind == actor.RootKey || a.Kind == actor.RootSession
	}
	for _, o := range r.Outcomes {
		kind := "user/"
		if o.Step.Target.Type == policy.Role {
			kind = "role/"
		}
		all[kind+o.Step.Target.Owner] = true
	}
	return all
}

var (
	// keyCommand finds the command that sets a key's status.
	keyCommand = regexp.MustCompile(`^(Run|To undo) +aws iam update-access-key .*--access-key-id (\w+) --status (\w+)$`)
	orApprove  = regexp.MustCompile(`^Or +nightlatch approve ([a-z0-9-]+) ([a-z-]+:[\w:/.+=@-]+)(?: --region [a-z0-9-]+)?$`)
	ofIncident = regexp.MustCompile(`^Incident ([a-z0-9-]+), mode`)
)

// inLines finds a pattern at the beginning of lines, as (?m)^ does. A line that begins otherwise costs next to nothing so.
func inLines(text string, pattern *regexp.Regexp) [][]string {
	var all [][]string
	for line := range strings.SplitSeq(text, "\n") {
		if found := pattern.FindStringSubmatch(line); found != nil {
			all = append(all, found)
		}
	}
	return all
}

// react is what people do when they read a message.
func (w *world) react(m report.Message) {
	commands := map[string]string{}
	undoes := false
	for _, c := range inLines(m.Body, keyCommand) {
		undoes = undoes || c[1] == "To undo"
		if w.chance(map[string]float64{"Run": w.plot.approve, "To undo": w.plot.undo}[c[1]]) {
			commands[c[2]] = c[3]
		}
	}
	for _, key := range slices.Sorted(maps.Keys(commands)) {
		w.after(w.between(time.Minute, 20*time.Minute), func() {
			if commands[key] == containment.Inactive && w.chance(0.1) {
				w.remove("a human", key)
				return
			}
			w.turn("a human", key, commands[key])
		})
	}
	for _, c := range inLines(m.Body, orApprove) {
		if !w.chance(w.plot.approves) {
			continue
		}
		id, step, at, n := c[1], c[2], w.later(), 0
		if w.chance(0.1) { // somebody types a number instead
			step, n = "", w.IntN(4)
		}
		for range 1 + w.IntN(3)/2 { // two at once, now and then
			w.after(at+w.between(0, time.Second), func() {
				w.command(w.one(w.staff), fmt.Sprintf("approve %s %s%d", id, step, n), 1, func(in *invocation) (string, error) { return in.approve(id, in.numbered(id, step, n)) })
			})
		}
	}
	w.with(w.dice, func() { undoes = w.handle(m) || undoes })
	if c := inLines(m.Body, ofIncident); c != nil && undoes && w.chance(w.plot.restores) {
		id, n := c[0][1], w.IntN(3)
		w.after(w.later(), func() {
			w.command(w.one(w.staff), fmt.Sprintf("restore %s %d", id, n), 1, func(in *invocation) (string, error) { return in.restore(id, n) })
		})
	}
}

// later is how long somebody takes to do something about a message.
func (w *world) later() time.Duration {
	return w.between(5*time.Second, []time.Duration{30 * time.Second, 10 * time.Minute, 50 * time.Minute}[w.IntN(3)])
}
