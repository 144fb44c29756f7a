package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
	"nightlatch/internal/pagestest"
)

// The reference is Cedar in Rust, compiled for Node. It and Load take the same texts and decide the same, but for the differences listed here.

// difference is a text that one takes and the other refuses: we, with this sentence, or the reference, where there is none.
type difference struct {
	name       string // as in the page
	ours, text *regexp.Regexp
}

var differences = []difference{
	{"a rule without `@id` or `@because`, or with the id of another", regexp.MustCompile(`has no @(id|because) annotation|is Nightlatch's own|there are two policies with|cannot be printed`), nil},
	{"a file without a rule", regexp.MustCompile(`holds no policy$`), nil},
	{"`has` of a fact that does not exist", regexp.MustCompile(`there is no attribute "[^"]*" that the context could have`), nil},
	{"a rule whose actions have no such target", regexp.MustCompile(`unable to find an applicable action given the policy scope`), nil},
	{"a mistake behind `is … in` or `action ==` that can never hold", regexp.MustCompile(`: policy "`), regexp.MustCompile(` is \w+ in |action == `)},
	{"a star by its number in a pattern", regexp.MustCompile(`a pattern has a star by its number`), nil},
	{"a carriage return inside a comment", regexp.MustCompile(`a comment has a carriage return inside`), nil},
	{"a zero byte in a comment", regexp.MustCompile(`there is the character U\+0000 here`), nil},
	{"a comment between `/*` and `*/`", nil, regexp.MustCompile(`/\*`)},
	{"a byte order mark at the beginning", nil, regexp.MustCompile("^\ufeff")},
}

// oneSentence begins with the file, and has no line end.
var oneSentence = regexp.MustCompile(`^(the policy does not parse: .*mine\.cedar:\d+|mine\.cedar:\d+: |mine\.cedar holds no policy).*$`)

// draws is how many policies a test plays: few where somebody waits for it, and all where NIGHTLATCH_TESTS is "all", as in .ci/run.
func draws(all int) int {
	if os.Getenv("NIGHTLATCH_TESTS") == "all" {
		return all
	}
	return all / 20
}

type (
	answer struct {
		Allow           bool
		Reasons, Errors []int
	}
	judgement struct {
		Error   string
		Answers []answer
	}
	situation struct {
		facts    Facts
		action   Action
		target   Target
		approved bool
	}
	asked struct {
		Text  string `json:"text"`
		Judge bool   `json:"judge"`
	}
)

// reference asks Cedar in Rust.
func reference(t *testing.T, policies []asked, situations []situation) []judgement {
	t.Helper()
	if _, err := os.Stat(filepath.Join(pagestest.Root(t), "node_modules/@cedar-policy/cedar-wasm")); err != nil {
		t.Skip("SKIPPED, Cedar's reference implementation: it is not in node_modules; run npm ci")
	}
	var requests []map[string]any
	for _, s := range situations {
		resource := cedar.NewEntityUID(cedar.EntityType(s.target.Type), cedar.String(s.target.ID))
		requests = append(requests, map[string]any{
			"principal": map[string]string{"type": "Responder", "id": "nightlatch"}, "action": map[string]string{"type": "Action", "id": string(s.action)},
			"resource": map[string]string{"type": string(s.target.Type), "id": s.target.ID}, "context": s.facts.context(s.approved),
			"entities": entities(resource, s.target)})
	}
	in, err := json.Marshal(map[string]any{"schema": string(schemaText), "requests": requests, "policies": policies})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "testdata/reference.mjs")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("asking the reference: %v", err)
	}
	var judged []judgement
	if err := json.Unmarshal(out, &judged); err != nil || len(judged) != len(policies) {
		t.Fatalf("the reference printed %.200q: %v", out, err)
	}
	return judged
}

// situations are requests of every action, near the numbers that the drawn policies have.
func situations(r *rand.Rand) []situation {
	var all []situation
	for i, a := range []Action{DeactivateKey, FenceOrigin, DeactivateKey, BlockOnBucket, DeactivateKey, DenyRoleSession, DeactivateKey} {
		f, target := random(r), targetOf(a)
		f.Kind = actor.Kinds()[r.IntN(len(actor.Kinds()))]
		if i%3 == 0 {
			target.Tags = map[string]string{"team": "web", "stage": "a\nb*c"}
		}
		all = append(all, situation{f, a, target, i%2 == 0})
	}
	return all
}

func (s situation) answer(p *Policy) answer {
	allow, diagnostic := p.authorize(s.facts, s.action, s.target, s.approved)
	a := answer{allow, []int{}, []int{}}
	for i, id := range p.order {
		if slices.ContainsFunc(diagnostic.Reasons, func(r cedar.DiagnosticReason) bool { return r.PolicyID == id }) {
			a.Reasons = append(a.Reasons, i)
		}
		if slices.ContainsFunc(diagnostic.Errors, func(e cedar.DiagnosticError) bool { return e.PolicyID == id }) {
			a.Errors = append(a.Errors, i)
		}
	}
	return a
}

// TestLikeTheReference compares, over drawn policies, who takes them and what they decide.
func TestLikeTheReference(t *testing.T) {
	d := newDrawer(rand.New(rand.NewPCG(7, 12)))
	var texts []string
	for range draws(1_500) {
		texts = append(texts, d.file())
	}
	seen := compare(t, texts, situations(d.Rand))
	t.Logf("%d policies: %v", len(texts), seen)
	for _, kind := range []string{"both take it", "both refuse it"} {
		if seen[kind] < len(texts)/20 {
			t.Errorf("%q came up %d times of %d", kind, seen[kind], len(texts))
		}
	}
}

// compare counts in what the texts were the same, and by which of the differences not.
func compare(t *testing.T, texts []string, situations []situation) map[string]int {
	t.Helper()
	seen := map[string]int{}
	var policies []asked
	var loaded []*Policy
	var errs []error
	for _, text := range texts {
		p, err := Load("mine.cedar", []byte(text))
		if err != nil && !oneSentence.MatchString(err.Error()) {
			t.Errorf("refused by %q, which is no sentence with its place: %q", err, text)
		}
		policies, loaded, errs = append(policies, asked{text, p != nil}), append(loaded, p), append(errs, err)
	}
	for i, theirs := range reference(t, policies, situations) {
		kind := compared(texts[i], errs[i], theirs.Error)
		seen[kind]++
		if kind == "" {
			t.Errorf("%s\nwe say: %v\nthe reference says: %s", texts[i], errs[i], theirs.Error)
		}
		if loaded[i] == nil || len(theirs.Answers) == 0 {
			continue
		}
		for j, s := range situations {
			if diff := cmp.Diff(theirs.Answers[j], s.answer(loaded[i])); diff != "" {
				t.Errorf("%s\ndecided over %s approved %t %s (-reference +ours):\n%s", texts[i], s.action, s.approved, cmp.Diff(Facts{}, s.facts), diff)
			}
		}
	}
	return seen
}

// compared names in what both agree, or the difference; "" is one that is not listed.
func compared(text string, ours error, theirs string) string {
	switch {
	case ours == nil && theirs == "":
		return "both take it"
	case ours != nil && theirs != "":
		return "both refuse it"
	}
	for _, d := range differences {
		refused := ours != nil && d.ours != nil && d.ours.MatchString(ours.Error())
		if (refused || ours == nil && d.ours == nil) && (d.text == nil || d.text.MatchString(text)) {
			return d.name
		}
	}
	return ""
}

// drawer draws policies on our schema, most of them right.
type drawer struct {
	*rand.Rand
	facts map[string][]string // names by type
	maybe map[string]bool
	kinds []string
}

func newDrawer(r *rand.Rand) *drawer {
	d := &drawer{Rand: r, facts: map[string][]string{}, maybe: map[string]bool{}}
	context := contextOf(DeactivateKey)
	for _, name := range sorted(context) {
		a := context[types.String(name)]
		d.facts[fmt.Sprintf("%T", a.Type)] = append(d.facts[fmt.Sprintf("%T", a.Type)], name)
		d.maybe[name] = a.Optional
	}
	for _, k := range actor.Kinds() {
		d.kinds = append(d.kinds, fmt.Sprintf("Kind::%q", k))
	}
	return d
}

func (d *drawer) oneOf(list ...string) string { return list[d.IntN(len(list))] }
func (d *drawer) once(in int) bool            { return d.IntN(in) == 0 }

// file is one policy, or several, with what an editor or a copy may do to it.
func (d *drawer) file() string {
	var text string
	for i := range 1 + d.IntN(2) {
		text += d.policy(fmt.Sprintf("rule-%d", i)) + d.oneOf("\n", "\n\n// a comment\n", " // \"a comment\n")
	}
	if !d.once(4) {
		return text
	}
	blank := func(s string) string { return strings.Replace(text, d.oneOf(" ", "\n", ";"), s, 1) }
	switch d.IntN(12) {
	case 0:
		return "\ufeff" + text
	case 1:
		return blank("\u00a0 ")
	case 2:
		return blank(d.oneOf("\u2003", "\v", "\f", "\u0085", "\u2028", "\u3000") + ";")
	case 3:
		return blank(d.oneOf("\ufeff", "\u200b", "\u00ad", "“", "é", "\x00", "\x7f", "\x1b"))
	case 4:
		return strings.ReplaceAll(text, "\n", "\r\n")
	case 5:
		return "/* a comment\n of two lines */ " + text
	case 6:
		return "// a comment\rpermit (principal, action, resource);\n" + text
	case 7:
		return strings.ReplaceAll(text, "@because(\"a reason", "@because(\"a reason\n  over two lines")
	case 8:
		return strings.ReplaceAll(text, "@because(\"a reason", "@because(\"a reason\r\n  over two lines")
	case 9:
		return text[:d.IntN(len(text))]
	case 10:
		return strings.Replace(text, d.oneOf("@id", "@because", "when", "permit", "principal", "(", "}"), d.oneOf("", "@id(\"x\") @id", "unless"), 1)
	}
	return strings.ReplaceAll(text, "\n", "\r")
}

func (d *drawer) policy(id string) string {
	action := d.oneOf("action", `action in Action::"contain"`, `action == Action::"deactivate-key"`, `action in [Action::"deactivate-key", Action::"fence-origin"]`)
	resource := d.oneOf("resource", "resource", "resource is AccessKey", `resource in User::"arn:aws:iam::111122223333:user/backup-exports"`, "resource is Bucket")
	if d.once(30) {
		action = d.oneOf(`action == Action::"nuke"`, `action in []`, `action in Kind::"root-key"`)
	}
	if d.once(30) {
		resource = d.oneOf("resource is Bukket", `resource == Kind::"root-kye"`, `resource is AccessKey in User::"x"`, `resource == User::"x"`)
	}
	text := fmt.Sprintf("@id(%q)\n@because(\"a reason\")\n%s (%s, %s, %s%s)", id, d.oneOf("permit", "permit", "forbid"),
		d.oneOf("principal", "principal", `principal == Responder::"nightlatch"`), action, resource, d.oneOf("", "", ","))
	for range d.IntN(4) {
		text += fmt.Sprintf("\n%s { %s }", d.oneOf("when", "when", "unless"), d.boolean(3))
	}
	return text + ";"
}

// fact is a fact of this type, with its "has" where it may be missing; mostly.
func (d *drawer) fact(typ string) (guard, name string) {
	name = d.oneOf(d.facts["resolved."+typ]...)
	if d.maybe[name] != d.once(25) {
		guard = "context has " + name + " && "
	}
	if d.once(60) {
		name += "x"
	}
	return guard, "context." + name
}

func (d *drawer) boolean(depth int) string {
	if depth == 0 || d.once(4) {
		return d.leaf()
	}
	a, b := d.boolean(depth-1), d.boolean(depth-1)
	switch d.IntN(6) {
	case 0:
		return fmt.Sprintf("(%s || %s)", a, b)
	case 1:
		return fmt.Sprintf("!(%s)", a)
	case 2:
		return fmt.Sprintf("(if %s then %s else %s)", a, b, d.boolean(depth-1))
	case 3:
		return fmt.Sprintf("(%s) == (%s)", a, b)
	}
	return a + " && " + b
}

func (d *drawer) leaf() string {
	if d.once(25) {
		return d.wrong()
	}
	compare := d.oneOf("<", "<=", ">", ">=", "==", "!=")
	switch d.IntN(14) {
	case 0, 1:
		guard, name := d.fact("BoolType")
		return guard + name
	case 2, 3, 4:
		guard, name := d.fact("LongType")
		return fmt.Sprintf("(%s%s %s %s)", guard, name, compare, d.long(2))
	case 5:
		return fmt.Sprintf("context.kind %s %s", d.oneOf("==", "!=", "in"), d.oneOf(d.kinds...))
	case 6:
		return fmt.Sprintf("[%s, %s].contains(context.kind)", d.oneOf(d.kinds...), d.oneOf(d.kinds...))
	case 7:
		return fmt.Sprintf("(resource.hasTag(%q) && resource.getTag(%[1]q) %s)", d.oneOf("team", "stage"), d.oneOf(`== "data"`, `like "d*"`, "== \"a\nb*c\"", `like "a*\*c"`))
	case 8:
		return d.oneOf("resource is AccessKey", "action in Action::\"contain\"", `action == Action::"deactivate-key"`, `resource in User::"x"`,
			`resource is AccessKey in User::"arn:aws:iam::111122223333:user/backup-exports"`, `principal == Responder::"x"`)
	case 9:
		guard, name := d.fact("StringType")
		return fmt.Sprintf("(%s%s %s)", guard, name, d.oneOf(`like "*.amazonaws.com"`, `== "x"`, `like "athena*\u{41}"`, `!= "\u{2a}"`))
	case 10:
		return d.oneOf(`duration("1h") < duration("90m")`, `datetime("2026-03-04") <= datetime("2026-03-04T00:00:00+0100")`,
			`datetime("2026-03-04").offset(duration("1d")).toDate() > datetime("2026-03-04")`, `decimal("1.5").lessThan(decimal("2.0"))`,
			`ip("10.0.0.1").isInRange(ip("10.0.0.0/8"))`, `duration("2d").toDays() == 2`)
	case 11:
		return fmt.Sprintf("{a: %s, \"b c\": true}.a %s %s", d.long(1), compare, d.long(1))
	case 12:
		return fmt.Sprintf("[%s, %s].%s([%s])", d.long(0), d.long(1), d.oneOf("containsAll", "containsAny"), d.long(0))
	}
	return d.oneOf("true", "false", "context has via", "!(context has explained)", "[1].isEmpty()", `context["manual"]`, "!!context.manual", "[1, 2,].contains(1)")
}

// wrong is what the schema, or Cedar, does not take, or takes in one of the implementations.
func (d *drawer) wrong() string {
	return d.oneOf(`context.kind == Kind::"root-kye"`, `context.copies < duration("1h")`, `datetime("2026-03-04") > context.copies`, `duration("1h") >= datetime("2026-03-04")`,
		`duration("1h") < 3600`, `context.copies == duration("1h")`, `context.kind == "root-key"`, "context has explaind", "context.explaind > 1", "resource has owner", "resource is Bukket",
		`resource in Team::"x"`, "1", `context.copies + "1" > 2`, "[].isEmpty()", `[1, "a"].contains(1)`, `"a" < "b"`, `"a" == 1`, `context.copies == "a"`, `decimal("1.00001").lessThan(decimal("2.0"))`,
		`decimal("1.0") < decimal("2.0")`, `duration("1x") < duration("1h")`, `datetime("2026-13-04") < datetime("2026-03-04")`, `ip("300.1.1.1").isIpv4()`,
		`"a*" like "a\u{2a}"`, `"ab" like "\x2A"`, "context.via == \"x\"", `resource.getTag("team") == "x"`, `action == Action::"nuke"`, "context has via.x", `resource.team == "x"`,
		"if context.manual then 1 else 2", "context", "!context", "-context.manual", "context.copies && true", "principal.x", `Kind::"root-kye" in [context.kind]`,
		"9223372036854775808 > 1", "context.manual in context.kind", "foo(1)", "!!!!!context.manual", "1 > -----1", "1 - ----1 > 2", "! !! !context.manual", `decimal("+1.0") == decimal("1.0")`, "context has kind.x", `context.kind.isIpv4()`, "a long text without sense", `"unterminated`)
}

func (d *drawer) long(depth int) string {
	if depth == 0 || d.once(2) {
		return d.oneOf("0", "1", "10", "59", "60", "80", "110", "-1", "9223372036854775807", "-9223372036854775808", "context.copies")
	}
	a, b := d.long(depth-1), d.long(depth-1)
	return d.oneOf(fmt.Sprintf("(%s + %s)", a, b), fmt.Sprintf("(%s - %s)", a, b), fmt.Sprintf("(%s * %s)", a, b), fmt.Sprintf("-(%s)", a), fmt.Sprintf("(if context.manual then %s else %s)", a, b))
}

func TestThePageNamesTheDifferences(t *testing.T) {
	section := pagestest.Read(t, "internal/policy/README.md").Section("## Beside Cedar's own tools")
	for _, d := range differences {
		if !strings.Contains(section, "\n| "+d.name+" | ") {
			t.Errorf("README.md does not name %s", d.name)
		}
	}
	if got, want := strings.Count(section, "\n|"), len(differences)+2; got != want {
		t.Errorf("the table has %d lines, want %d", got, want)
	}
}
