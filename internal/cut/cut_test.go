package cut

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
)

const (
	ours  = "111122223333"
	roles = "arn:aws:iam::111122223333:role/"
	users = "arn:aws:iam::111122223333:user/"
)

var now = time.Date(2026, 11, 29, 1, 2, 3, 0, time.UTC)

// account is an account in memory, and what goes wrong with its next calls.
type account struct {
	principals map[string]policy.Target // by ARN
	ids        map[string]string        // their unique ids
	docs       map[containment.Ref]containment.Doc
	writes     []containment.Ref
	identify   error
	read       []error // one for each reading; nil is none
	write      error
	lost       bool // a write that fails took effect
	late       bool // a write that does not fail is not seen yet
	drift      string
}

func (a *account) Identify(_ context.Context, c actor.Credential) (policy.Target, error) {
	if a.identify != nil {
		return policy.Target{}, a.identify
	}
	id, _, _ := strings.Cut(c.PrincipalID, ":")
	for arn, t := range a.principals {
		if t.Owner == c.UserName+c.RoleName && (t.Type == policy.Role) == (c.RoleName != "") && c.AccountID == ours && (id == "" || id == a.ids[arn]) {
			return t, nil
		}
	}
	return policy.Target{}, nil
}

func (a *account) Read(_ context.Context, r containment.Ref) (containment.Doc, error) {
	if len(a.read) > 0 {
		err := a.read[0]
		if a.read = a.read[1:]; err != nil {
			return containment.Doc{}, err
		}
	}
	if d, ok := a.docs[r]; ok {
		return d, nil
	}
	return containment.Doc{Absent: true}, nil
}

func (a *account) Write(_ context.Context, r containment.Ref, d containment.Doc) error {
	a.writes = append(a.writes, r)
	if (a.write == nil || a.lost) && !a.late {
		a.docs[r] = d
	}
	if a.drift != "" {
		a.docs[r] = containment.Doc{Text: a.drift}
	}
	return a.write
}

func (a *account) Quarantine(context.Context, string, string) (string, bool, error) {
	return "", false, nil
}

func (a *account) Keys(context.Context, string) ([]containment.Key, error) { return nil, nil }

// newAccount has users and roles: of a team, of nobody, protected, and the deployment's own.
func newAccount() *account {
	a := &account{principals: map[string]policy.Target{}, ids: map[string]string{}, docs: map[containment.Ref]containment.Doc{}}
	add := func(arn, id string, change func(*policy.Target)) {
		t := policy.Target{Type: policy.User, ID: arn, OwnerARN: arn, Owner: arn[strings.LastIndex(arn, "/")+1:], AccountID: ours, Known: true}
		if strings.Contains(arn, ":role/") {
			t.Type = policy.Role
		}
		if change != nil {
			change(&t)
		}
		a.principals[arn], a.ids[arn] = t, id
	}
	add(users+"team/mara", "AIDAEXAMPLEMARA1", nil)
	add(users+"teammate/lee", "AIDAEXAMPLELEE11", nil)
	add(users+"team/olga", "AIDAEXAMPLEOLGA1", func(t *policy.Target) { t.Protected = "tagged nightlatch:protect=\"\"" })
	add(users+"ops/break-glass", "AIDAEXAMPLEGLASS", func(t *policy.Target) { t.Protected = "named" })
	add(roles+"team/worker", "AROAEXAMPLEWORKER", nil)
	add(roles+"team/admin", "AROAEXAMPLEADMIN", func(t *policy.Target) { t.Protected = "named" })
	add(roles+"team/cut", "AROAEXAMPLECUT11", func(t *policy.Target) { t.Self = true })
	add(roles+"team/Nightlatch-ResponderRole-x1", "AROAEXAMPLEOURS1", nil)
	add(roles+"team/cdk-hnb659fds-deploy-role", "AROAEXAMPLECDK11", nil)
	return a
}

var everything = Allowed{Account: ours, Steps: containment.Orderable(), Paths: []string{"/team/"}, Buckets: []string{"a-bucket"},
	Protected: []string{users + "ops/break-glass", roles + "team/admin"}, Stack: "Nightlatch"}

func cutter(a *account) Cutter {
	return Cutter{Account: a, Allowed: everything, Now: func() time.Time { return now }}
}

// orders are one of each kind.
func orders() map[string]containment.Order {
	return map[string]containment.Order{
		"a user's sessions": {Action: policy.DenyUserSessions, Incident: "i-1", User: "mara", Before: now},
		"a role's session":  {Action: policy.DenyRoleSession, Incident: "i-1", Role: "worker", UserID: "AROAEXAMPLEWORKER:s", Before: now},
		"a role's sessions": {Action: policy.DenyRoleSessions, Incident: "i-1", Role: "worker", Before: now},
		"a fence":           {Action: policy.FenceOrigin, Incident: "i-1", User: "mara", Networks: []string{"198.51.100.0/24"}},
		"a quarantine":      {Action: policy.QuarantineUser, Incident: "i-1", User: "mara", Quarantine: "AWSCompromisedKeyQuarantineV3"},
		"a block":           {Action: policy.BlockOnBucket, Incident: "i-1", Bucket: "a-bucket", UserID: "AROAEXAMPLEOTHER:s"},
		"public access":     {Action: policy.BlockPublicAccess, Incident: "i-1", Bucket: "a-bucket"},
	}
}

func event(t *testing.T, o containment.Order) []byte {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEachOrderIsDoneOnce(t *testing.T) {
	all := orders()
	if len(all) != len(containment.Orderable()) {
		t.Errorf("%d orders are tried, and there are %d", len(all), len(containment.Orderable()))
	}
	for name, o := range all {
		a := newAccount()
		if got := cutter(a).Cut(t.Context(), event(t, o)); got.State != containment.CutDone || got.Err() != nil {
			t.Errorf("%s: got %+v", name, got)
		}
		if got := cutter(a).Cut(t.Context(), event(t, o)); got.State != containment.CutAlready || got.Err() != nil || len(a.writes) != 1 {
			t.Errorf("%s again: got %+v and %d writes", name, got, len(a.writes))
		}
		for r, d := range a.docs {
			if denies := strings.Contains(d.Text, `"Effect":"Deny"`) || d.Text == containment.Attached || strings.Count(d.Text, "true") == 4; !denies || len(a.docs) != 1 {
				t.Errorf("%s: at %v stands %q", name, r, d.Text)
			}
		}
	}
}

func TestWhatIsNotAllowedIsRefusedBeforeAnyWrite(t *testing.T) {
	all := orders()
	change := func(name string, by func(*containment.Order)) []byte {
		o := all[name]
		by(&o)
		return event(t, o)
	}
	user := func(name string) []byte {
		return change("a user's sessions", func(o *containment.Order) { o.User = name })
	}
	role := func(name string) []byte {
		return change("a role's sessions", func(o *containment.Order) { o.Role = name })
	}
	id := func(id string) []byte { return change("a block", func(o *containment.Order) { o.UserID = id }) }
	good := string(user("mara"))
	for name, c := range map[string]struct {
		event []byte
		says  string
	}{
		"nothing":               {nil, "cannot be read"},
		"no JSON":               {[]byte("\x1b[2J"), "cannot be read"},
		"a text of a policy":    {[]byte(strings.Replace(good, "{", `{"document":"{}",`, 1)), `unknown field "document"`},
		"two orders":            {[]byte(good + good), "something behind it"},
		"much":                  {[]byte(good + strings.Repeat(" ", maxOrder)), "at most 4096 bytes"},
		"a list":                {[]byte("[" + good + "]"), "cannot be read"},
		"an action of nobody's": {change("a fence", func(o *containment.Order) { o.Action = "allow-all" }), "action is one of"},
		"a key":                 {change("a fence", func(o *containment.Order) { o.Action = policy.DeactivateKey }), "action is one of"},
		"a wildcard":            {user("*"), "user cannot be"},
		"the time to come":      {change("a user's sessions", func(o *containment.Order) { o.Before = now.Add(time.Hour) }), "not what is to come"},
		"another bucket":        {change("public access", func(o *containment.Order) { o.Bucket = "b-bucket" }), `bucket "b-bucket" is not one`},
		"a user of nobody's":    {user("nobody"), "knows no such principal"},
		"a role as a user":      {user("worker"), "knows no such principal"},
		"another path":          {user("lee"), "in none of the paths"},
		"protected by tag":      {user("olga"), "protected (tagged"},
		"a protected role":      {role("admin"), "protected (named)"},
		"itself":                {role("cut"), "the cutter's own role"},
		"a role of ours":        {role("Nightlatch-ResponderRole-x1"), "a role of the deployment's"},
		"a role of the CDK's":   {role("cdk-hnb659fds-deploy-role"), "a role of the deployment's"},
		"another role's session": {change("a role's session", func(o *containment.Order) { o.UserID = "AROAEXAMPLEADMIN:s" }),
			"knows no such principal"},
		"a protected user on a bucket": {id("AIDAEXAMPLEGLASS"), `break-glass" is protected`},
		"a protected role on a bucket": {id("AROAEXAMPLEADMIN:s"), `admin" is protected`},
	} {
		a := newAccount()
		before := maps.Clone(a.docs)
		got := cutter(a).Cut(t.Context(), c.event)
		if got.State != containment.CutNotDone || !strings.Contains(got.Detail, c.says) || len(a.writes) > 0 || !maps.Equal(a.docs, before) {
			t.Errorf("%s: got %+v and %d writes, want %s", name, got, len(a.writes), c.says)
		}
		if err := got.Err(); !errors.Is(err, containment.ErrNotDone) || errors.Is(err, containment.ErrThrottled) {
			t.Errorf("%s: its error is %v", name, err)
		}
	}
	// Each step that is not enabled.
	for name, o := range all {
		a := newAccount()
		c := cutter(a)
		c.Allowed.Steps = nil
		for _, step := range containment.Orderable() {
			if step != o.Action {
				c.Allowed.Steps = append(c.Allowed.Steps, step)
			}
		}
		if got := c.Cut(t.Context(), event(t, o)); got.State != containment.CutNotDone || !strings.Contains(got.Detail, "does not enable "+string(o.Action)) || len(a.writes) > 0 {
			t.Errorf("%s, not enabled: got %+v", name, got)
		}
	}
	// No pattern covers an id: nobody is shut out where one protects others by name.
	a := newAccount()
	c := cutter(a)
	c.Allowed.Protected = []string{"arn:aws:iam::*:role/ops-*"}
	if got := c.Cut(t.Context(), event(t, orders()["a block"])); got.State != containment.CutNotDone || !strings.Contains(got.Detail, "cannot be found out by an id") || len(a.writes) > 0 {
		t.Errorf("by a pattern: got %+v", got)
	}
	// The path / is all.
	c = cutter(newAccount())
	c.Allowed.Paths = []string{"/"}
	if got := c.Cut(t.Context(), user("lee")); got.State != containment.CutDone {
		t.Errorf("in all paths: got %+v", got)
	}
}

func TestWhatBecameOfAWrite(t *testing.T) {
	broken := errors.New("no answer came")
	refused, throttled := errors.Join(errors.New("limit"), containment.ErrNotDone), errors.Join(errors.New("slow down"), containment.ErrThrottled)
	for name, c := range map[string]struct {
		by     func(*account)
		want   containment.Answered
		says   string
		writes int
	}{
		"who it is is not found out":      {func(a *account) { a.identify = broken }, containment.CutNotDone, "who it is was not found out", 0},
		"it is not read before":           {func(a *account) { a.read = []error{broken} }, containment.CutNotDone, "what stands now was not read", 0},
		"it is refused":                   {func(a *account) { a.write = refused }, containment.CutNotDone, "limit", 1},
		"it is throttled":                 {func(a *account) { a.write = throttled }, containment.CutThrottled, "slow down", 1},
		"it is cut, and was done":         {func(a *account) { a.write, a.lost = broken, true }, containment.CutDone, "read back", 1},
		"it is cut, and was not done":     {func(a *account) { a.write = broken }, containment.CutUnknown, "no answer came", 1},
		"it is not read back":             {func(a *account) { a.read = []error{nil, broken} }, containment.CutUnknown, "could not be read back", 1},
		"it is not seen yet":              {func(a *account) { a.late = true }, containment.CutUnknown, "still reads as not there", 1},
		"somebody changes it in between":  {func(a *account) { a.drift = "{}" }, containment.CutUnknown, "somebody else has changed it", 1},
		"something else stands there now": {func(a *account) { a.docs[ref(t)] = containment.Doc{Text: "{}"} }, containment.CutNotDone, "something else stands", 0},
	} {
		a := newAccount()
		c.by(a)
		got := cutter(a).Cut(t.Context(), event(t, orders()["a user's sessions"]))
		if got.State != c.want || !strings.Contains(got.Detail, c.says) || len(a.writes) != c.writes {
			t.Errorf("%s: got %+v and %d writes, want %s (%s) and %d", name, got, len(a.writes), c.want, c.says, c.writes)
		}
		if err := got.Err(); (err == nil) != (c.want == containment.CutDone) || errors.Is(err, containment.ErrNotDone) != (c.want == containment.CutNotDone || c.want == containment.CutThrottled) ||
			errors.Is(err, containment.ErrThrottled) != (c.want == containment.CutThrottled) {
			t.Errorf("%s: its error is %v", name, err)
		}
	}
	// Whether somebody is protected must be known.
	a := newAccount()
	a.identify = broken
	o := orders()["a block"]
	if got := cutter(a).Cut(t.Context(), event(t, o)); got.State != containment.CutNotDone || !strings.Contains(got.Detail, "one who is protected was not found out") {
		t.Errorf("got %+v", got)
	}
	// Public access has one place: what stands there is made narrower.
	a = newAccount()
	a.docs[containment.Ref{Type: containment.PublicAccessBlock, Name: "a-bucket"}] = containment.Doc{Text: `{"BlockPublicAcls":true}`}
	if got := cutter(a).Cut(t.Context(), event(t, orders()["public access"])); got.State != containment.CutDone || len(a.writes) != 1 {
		t.Errorf("got %+v", got)
	}
}

// ref is where the sessions of the tests' user are denied.
func ref(t *testing.T) containment.Ref {
	s, err := orders()["a user's sessions"].Step(newAccount().principals[users+"team/mara"], containment.Doc{Absent: true})
	if err != nil {
		t.Fatal(err)
	}
	return s.Ref
}

// Who owns the cutter's answers must not have what he likes believed.
func TestAnAnswerThatSaysNothingIsUnknown(t *testing.T) {
	for _, a := range []containment.Answer{{}, {State: "Done"}, {State: "done\n"}} {
		if err := a.Err(); err == nil || errors.Is(err, containment.ErrNotDone) {
			t.Errorf("%+v: got %v", a, err)
		}
	}
}
