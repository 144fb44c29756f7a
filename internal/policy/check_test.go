package policy

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/google/go-cmp/cmp"
)

func check(t *testing.T, text string) (notes, warnings []string) {
	t.Helper()
	p, err := Load("mine.cedar", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Check() {
		if f.Warning {
			warnings = append(warnings, f.Text)
		} else {
			notes = append(notes, f.Text)
		}
	}
	return notes, warnings
}

func TestTheShippedPolicyIsWhole(t *testing.T) {
	if got := Shipped().Check(); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

func TestCheckSaysWhatIsLacking(t *testing.T) {
	without := strings.Replace(string(ShippedText()), `@id("ask-manual")`, `@id("ours")`, 1)
	without = strings.Replace(without, " && !context.lost &&", " &&", 1)
	notes, warnings := check(t, without)
	want := []string{"there is no rule ask-manual as in the shipped policy: a human asked for this investigation; no alarm fired",
		"contain-stolen-key does not test lost, which the shipped policy tests there"}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "contain-stolen-key permits containment while some evidence could not be read") {
		t.Errorf("the warnings are %q", warnings)
	}
}

// A rule of a team's own that contains is held against all that the shipped one tests before it does.
func TestCheckOfARuleOfOnesOwn(t *testing.T) {
	notes, _ := check(t, `@id("mine") @because("b") permit (principal, action == Action::"deactivate-key", resource) when { context.complete && !context.lost };`)
	last := notes[len(notes)-1]
	for _, name := range []string{"confirmed", "history_days", "settled"} {
		if !strings.HasPrefix(last, "mine does not test ") || !strings.Contains(last, name) || strings.Contains(last, "complete") || strings.Contains(last, "approved") {
			t.Errorf("got %q, want %s among them", last, name)
		}
	}
	notes, _ = check(t, `@id("mine") @because("b") permit (principal, action, resource) when { context.approved };`)
	if len(notes) != 1 || !strings.HasPrefix(notes[0], "this is a policy of its own: it has no rule contain-stolen-key, ") {
		t.Errorf("got %q of a policy without a shipped rule", notes)
	}
	for _, n := range notes {
		if strings.HasPrefix(n, "mine ") {
			t.Errorf("got %q for a rule that asks", n)
		}
	}
}

func TestEarlierPoliciesAreToldWhatTheyLack(t *testing.T) {
	text, err := os.ReadFile("testdata/1bf196e.cedar")
	if err != nil {
		t.Fatal(err)
	}
	notes, warnings := check(t, string(text))
	if len(warnings) > 0 {
		t.Errorf("got the warnings %q: the policy of then waits for complete evidence", warnings)
	}
	for _, want := range []string{"there is no rule ask-company as in the shipped policy: ", "contain-stolen-key does not test company, ", "leave-usual does not test "} {
		if !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, want) }) {
			t.Errorf("got %q, want %q", notes, want)
		}
	}
}

func TestCheckWarnsOfIncompleteEvidence(t *testing.T) {
	const complete, lost = "neither settled nor complete", "could not be read"
	permit := func(condition string) string {
		return `@id("mine") @because("b") permit (principal, action, resource) ` + condition + `;`
	}
	forbid := func(scope, condition string) string {
		return `@id("no") @because("b") forbid (principal, ` + scope + `) ` + condition + `;`
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"no condition":                       {permit(""), []string{complete, lost}},
		"something else":                     {permit("when { context.confirmed }"), []string{complete, lost}},
		"complete":                           {permit("when { context.complete }"), []string{lost}},
		"not lost":                           {permit("when { !context.lost }"), []string{complete}},
		"both":                               {permit("when { context.complete && !context.lost }"), nil},
		"both, in two clauses":               {permit("when { context.complete } unless { context.lost }"), nil},
		"both, last":                         {permit(`when { context.copies == 0 && context.kind == Kind::"role-session" && context.complete && !context.lost }`), nil},
		"both, as equations":                 {permit("when { context.complete == true && false == context.lost }"), nil},
		"both, as inequations":               {permit("when { context.complete != false && context.lost != true }"), nil},
		"both, in one of two ways":           {permit("when { (context.complete && !context.lost) || context.copies == 0 }"), []string{complete, lost}},
		"both, in both ways":                 {permit("when { (context.complete && !context.lost && context.manual) || (!context.lost && context.complete) }"), nil},
		"both, by if":                        {permit("when { if context.complete then !context.lost else context.approved }"), nil},
		"the other way round":                {permit("when { !context.complete }"), []string{complete, lost}},
		"by what is always so":               {permit("when { context.complete || context has complete }"), []string{complete, lost}},
		"in a set, which is not looked into": {permit("when { [true].contains(context.complete) && !context.lost }"), []string{complete}},
		"only if approved":                   {permit("when { context.approved }"), nil},
		"if approved, or without":            {permit("when { context.approved || context.confirmed }"), []string{complete, lost}},
		"only by hand, which never contains": {permit("when { context.manual }"), nil},
		"only if not confirmed":              {permit("unless { context.confirmed }"), nil},
		"never":                              {permit("when { false }"), nil},
		"a rule that forbids":                {forbid("action, resource", ""), nil},
		"a permit behind a forbid":           {permit("") + forbid("action, resource", "when { !context.complete || context.lost } unless { context.approved }"), nil},
		"behind a forbid of half":            {permit("") + forbid("action, resource", "when { !context.complete } unless { context.approved }"), []string{lost}},
		"behind a forbid of every step":      {permit("") + forbid(`action in Action::"contain", resource`, "when { !context.complete || context.lost }"), nil},
		"behind a forbid of some steps":      {permit("") + forbid(`action == Action::"deactivate-key", resource`, "when { !context.complete || context.lost }"), []string{complete, lost}},
		"behind a forbid of some targets":    {permit("") + forbid("action, resource is AccessKey", "when { !context.complete || context.lost }"), []string{complete, lost}},
		"behind a forbid that may fail":      {permit("") + forbid("action, resource", "when { context.copies * 2 > 1 || !context.complete || context.lost }"), []string{complete, lost}},
		"behind a forbid of its own target": {`@id("mine") @because("b") permit (principal, action, resource is AccessKey);` +
			forbid("action, resource is AccessKey", "when { !context.complete || context.lost }"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, warnings := check(t, c.text)
			var got []string
			for _, w := range warnings {
				for _, s := range []string{complete, lost} {
					if strings.Contains(w, s) && strings.HasPrefix(w, "mine permits containment") {
						got = append(got, s)
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" || len(warnings) != len(got) {
				t.Errorf("warnings %q (-want +got):\n%s", warnings, diff)
			}
		})
	}
}

// Evidence that is settled is enough.
func TestSettledIsEnough(t *testing.T) {
	for condition, want := range map[string]outcome{"context.settled": no, "context.settled || context.complete": no, "context.settled && context.manual": no,
		"!context.settled": yes, "context.manual || context.settled": yes | no} {
		list, err := cedar.NewPolicyListFromBytes("mine.cedar", []byte("permit (principal, action, resource) when { "+condition+" };"))
		if err != nil {
			t.Fatal(err)
		}
		if got := (given{"complete": false, "settled": false}).of(list[0]); got != want {
			t.Errorf("%s: %b, want %b", condition, got, want)
		}
	}
}

// A rule that would forbid a step if the evidence grew holds it back until it has.
func TestForbidsWaitForWhatMayChange(t *testing.T) {
	for condition, want := range map[string]Decision{"context.copies > 0": Ask, "context has volume && context.volume > 1000000": Ask,
		"context has alarm_share && context.alarm_share < 10": Contain, "context.manual": Contain} {
		p := mustLoad(t, `@id("mine") @because("b") permit (principal, action, resource); @id("no") @because("b") forbid (principal, action, resource) when { `+condition+` };`)
		f := stolen()
		judge(t, p, f, DeactivateKey, key(), Contain, "mine")
		f.Complete = false
		judge(t, p, f, DeactivateKey, key(), want, map[Decision]string{Ask: "not-yet", Contain: "mine"}[want])
	}
}

// A rule that tests what may still change does not contain before the evidence is complete.
func TestRulesWaitForWhatMayChange(t *testing.T) {
	for name, c := range map[string]struct {
		condition string
		want      []string
	}{
		"nothing of the window":         {`context.kind == Kind::"iam-user-key" && context has history_days && context.history_days >= 1`, nil},
		"what rises, above":             {"context has unfamiliar && context.unfamiliar >= 60 && context.copies > -1", nil},
		"what rises, the other way":     {"context has unfamiliar && 60 <= context.unfamiliar && (-1 < context.copies || context.copies > 3)", nil},
		"what rises, below":             {"context has explained && context.explained <= 110", []string{"explained"}},
		"what rises, not above":         {"!(context.copies > 3)", []string{"copies"}},
		"what rises, as much as":        {"context.copies == 0 && !context.manual", []string{"copies"}},
		"what rises, against another":   {"context has explained && context has unfamiliar && context.unfamiliar < context.explained + 1", []string{"explained", "unfamiliar"}},
		"what moves":                    {"context has object_share && context.object_share > 50", []string{"object_share"}},
		"what moves, in one of two":     {"context.confirmed || context.spread", []string{"spread"}},
		"what moves, behind a question": {"if context.confirmed then true else context.spread", []string{"spread"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := `@id("mine") @because("b") permit (principal, action, resource) when { ` + c.condition + ` };`
			p, err := Load("mine.cedar", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, unsettled(p.set.Get("mine"))); diff != "" {
				t.Errorf("what may change (-want +got):\n%s", diff)
			}
			f := stolen()
			judge(t, p, f, DeactivateKey, key(), Contain, "mine")
			f.Complete = false
			decision, reason := Contain, "mine"
			if c.want != nil {
				decision, reason = Ask, "not-yet"
			}
			judge(t, p, f, DeactivateKey, key(), decision, reason)
			judge(t, mustLoad(t, text+`@id("other") @because("b") permit (principal, action, resource);`), f, DeactivateKey, key(), Contain,
				map[bool][]string{true: {"other"}, false: {"mine", "other"}}[c.want != nil]...)
			notes, _ := check(t, text)
			if got := strings.Contains(notes[len(notes)-1], "mine waits for complete evidence"); got != (c.want != nil) {
				t.Errorf("that it waits is said: %t; %q", got, notes)
			}
		})
	}
}

func mustLoad(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := Load("mine.cedar", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The facts of the window that may change are facts of the schema.
func TestWhatMayChangeExists(t *testing.T) {
	for _, name := range slices.Concat(rise, move) {
		if _, ok := factFields(&Facts{})[name]; !ok {
			t.Errorf("there is no fact %s", name)
		}
	}
}
