package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"nightlatch/internal/actor"
)

// Case is facts, with the decision that a policy shall come to.
type Case struct {
	Name string
	// Line is where the case begins in its file.
	Line   int
	Facts  Facts
	Action Action
	Target Target
	Expect Decision
	// Rule is the id of one of the reasons; "" for any.
	Rule string
}

// ReadCases reads the cases of a policy file from JSON. Its error is one sentence that names the file, the line and the field.
//
// The file is an object. Its "cases" are a list, and its "facts" are those that all cases share. A case has a "name", its own "facts", what
// to "expect", and what else it needs: a "rule", an "action", a "target". Facts have the names of the schema. One that is not named is false,
// 0 or not known, and null makes one not known.
func ReadCases(name string, text []byte) ([]Case, error) {
	r := caseFile{name, bytes.TrimPrefix(text, []byte(byteOrderMark))}
	var all json.RawMessage
	if err := json.Unmarshal(r.text, &all); err != nil {
		at := len(r.text)
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			at = int(syntax.Offset)
		}
		return nil, r.fail(at, "this is not JSON: %v", err)
	}
	var list, facts piece
	err := r.object(piece{0, all}, map[string]func(piece) error{"facts": facts.take, "cases": list.take})
	if err != nil {
		return nil, err
	}
	var cases []Case
	err = r.list(list, func(one piece) error {
		c, err := r.one(one, facts)
		cases = append(cases, c)
		return err
	})
	if err == nil && len(cases) == 0 {
		err = r.fail(0, `the file holds no cases: give a list "cases"`)
	}
	if err != nil {
		return nil, err
	}
	return cases, nil
}

// caseFile is a file of cases, and piece a value in it with its place.
type caseFile struct {
	name string
	text []byte
}

type piece struct {
	at   int
	text json.RawMessage
}

func (p *piece) take(value piece) error { *p = value; return nil }

func (r caseFile) line(at int) int {
	return 1 + bytes.Count(r.text[:min(at, len(r.text))], []byte("\n"))
}

func (r caseFile) fail(at int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: "+format, append([]any{r.name, r.line(at)}, args...)...)
}

// object hands each field of an object to whoever takes it.
func (r caseFile) object(p piece, fields map[string]func(piece) error) error {
	return r.members(p, func(name string, value piece) error {
		take, ok := fields[name]
		if !ok {
			return r.fail(value.at, "there is no field %q; there are %s", name, strings.Join(sorted(fields), ", "))
		}
		return take(value)
	})
}

// members goes through an object's fields.
func (r caseFile) members(p piece, each func(name string, value piece) error) error {
	dec := json.NewDecoder(bytes.NewReader(p.text))
	if t, _ := dec.Token(); p.text != nil && t != json.Delim('{') {
		return r.fail(p.at, "an object is expected, with { and }")
	}
	seen := map[string]bool{}
	for dec.More() {
		name, _ := dec.Token()
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return r.fail(p.at, "%v", err)
		}
		at := p.at + int(dec.InputOffset()) - len(value)
		if seen[name.(string)] {
			return r.fail(at, "the field %q is there twice", name)
		}
		seen[name.(string)] = true
		if err := each(name.(string), piece{at, value}); err != nil {
			return err
		}
	}
	return nil
}

// list goes through a list.
func (r caseFile) list(p piece, each func(piece) error) error {
	dec := json.NewDecoder(bytes.NewReader(p.text))
	if t, _ := dec.Token(); p.text != nil && t != json.Delim('[') {
		return r.fail(p.at, "a list is expected, with [ and ]")
	}
	for dec.More() {
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return r.fail(p.at, "%v", err)
		}
		if err := each(piece{p.at + int(dec.InputOffset()) - len(value), value}); err != nil {
			return err
		}
	}
	return nil
}

// value reads one value into a pointer.
func (r caseFile) value(name string, p piece, into any) error {
	want := reflect.TypeOf(into).Elem()
	null := string(p.text) == "null" && want.Kind() != reflect.Pointer
	if err := json.Unmarshal(p.text, into); err == nil && !null {
		return nil
	}
	if want.Kind() == reflect.Pointer {
		want = want.Elem()
	}
	kind := map[reflect.Kind]string{reflect.Bool: "true or false", reflect.Int64: "a whole number", reflect.String: "a text"}[want.Kind()]
	return r.fail(p.at, "%s is %s, and %s is expected", name, p.text, kind)
}

// one reads a case, over the facts that all share.
func (r caseFile) one(p, shared piece) (Case, error) {
	c := Case{Line: r.line(p.at), Action: DeactivateKey}
	var facts, target piece
	text := func(name string, into *string, known ...string) func(piece) error {
		return func(p piece) error {
			if err := r.value(name, p, into); err != nil {
				return err
			}
			return r.oneOf(name, p, *into, known)
		}
	}
	var actions []string
	for _, a := range Actions() {
		actions = append(actions, string(a))
	}
	err := r.object(p, map[string]func(piece) error{
		"name": text("name", &c.Name), "rule": text("rule", &c.Rule), "facts": facts.take, "target": target.take,
		"action": text("action", (*string)(&c.Action), actions...),
		"expect": text("expect", (*string)(&c.Expect), string(Contain), string(Ask), string(Leave)),
	})
	switch {
	case err != nil:
		return c, err
	case c.Name == "":
		return c, r.fail(p.at, `the case has no "name"`)
	case c.Expect == "":
		return c, r.fail(p.at, `the case %q has no "expect": contain, ask or leave`, c.Name)
	}
	for _, facts := range []piece{shared, facts} {
		if err := r.facts(facts, &c.Facts); err != nil {
			return c, err
		}
	}
	if c.Facts.Kind == "" {
		return c, r.fail(p.at, `the case %q has no fact "kind"`, c.Name)
	}
	return c, r.target(target, &c)
}

func (r caseFile) oneOf(name string, p piece, value string, known []string) error {
	if len(known) > 0 && !slices.Contains(known, value) {
		return r.fail(p.at, "%s is %q, and is one of %s", name, value, strings.Join(known, ", "))
	}
	return nil
}

// facts sets the facts that an object names.
func (r caseFile) facts(p piece, f *Facts) error {
	fields := factFields(f)
	return r.members(p, func(name string, value piece) error {
		field, ok := fields[name]
		if !ok {
			return r.fail(value.at, "there is no fact %q; there are %s", name, strings.Join(sorted(fields), ", "))
		}
		if err := r.value(name, value, field); err != nil {
			return err
		}
		if sealed, ok := field.(*Sealed); ok {
			var seals []string
			for _, s := range Seals() {
				seals = append(seals, string(s))
			}
			return r.oneOf(name, value, string(*sealed), seals)
		}
		if kind, ok := field.(*actor.Kind); ok {
			var kinds []string
			for _, k := range actor.Kinds() {
				kinds = append(kinds, string(k))
			}
			return r.oneOf(name, value, string(*kind), kinds)
		}
		return nil
	})
}

// factFields are pointers to the facts, by the names that the schema has for them.
func factFields(f *Facts) map[string]any {
	fields := map[string]any{}
	v := reflect.ValueOf(f).Elem()
	for name := range contextOf(DeactivateKey) {
		field := v.FieldByNameFunc(func(s string) bool { return strings.EqualFold(s, strings.ReplaceAll(string(name), "_", "")) })
		if field.IsValid() { // approved is none: the decision is asked for both
			fields[string(name)] = field.Addr().Interface()
		}
	}
	return fields
}

// target is a key that the account knows, or what else the action is about, with what the case says of it.
func (r caseFile) target(p piece, c *Case) error {
	const account = "111122223333"
	c.Target = Target{Type: targetType(c.Action), Known: true, AccountID: account, Owner: "somebody", OwnerARN: "arn:aws:iam::" + account + ":user/somebody"}
	c.Target.ID = map[TargetType]string{AccessKey: "AKIAIOSFODNN7EXAMPLE", User: c.Target.OwnerARN, Role: "arn:aws:iam::" + account + ":role/some-role",
		Bucket: "arn:aws:s3:::some-bucket"}[c.Target.Type]
	if p.text == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(p.text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c.Target); err != nil {
		return r.fail(p.at, "target: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if want := targetType(c.Action); c.Target.Type != want {
		return r.fail(p.at, "target: its type is %s, and %s is about %s", c.Target.Type, c.Action, want)
	}
	return nil
}

func targetType(a Action) TargetType {
	return TargetType(builtIn().Actions[cedar.NewEntityUID("Action", cedar.String(a))].AppliesTo.Resources[0])
}

func sorted[M ~map[K]V, K ~string, V any](m M) []string {
	var names []string
	for name := range m {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names
}

// CasesFile is where the cases of a policy's file stand: beside it, those of own.cedar in own.cases.json.
func CasesFile(policy string) string {
	return strings.TrimSuffix(policy, filepath.Ext(policy)) + ".cases.json"
}

// Test decides the cases of a file with the policy. It returns how many there are, and a sentence for each that is decided otherwise, with its place.
// Its error is that of ReadCases.
func (p *Policy) Test(name string, text []byte) (n int, failed []string, err error) {
	cases, err := ReadCases(name, text)
	for _, c := range cases {
		if err := c.Check(p); err != nil {
			failed = append(failed, fmt.Sprintf("%s:%d: %v", name, c.Line, err))
		}
	}
	return len(cases), failed, err
}

// Check decides the case. Its error says what the policy decided where that is not what the case expects.
func (c Case) Check(p *Policy) error {
	v := Decide(p, c.Facts, c.Action, c.Target)
	var rules []string
	for _, reason := range v.Reasons {
		rules = append(rules, reason.Policy)
	}
	if v.Decision == c.Expect && (c.Rule == "" || slices.Contains(rules, c.Rule)) {
		return nil
	}
	want := string(c.Expect)
	if c.Rule != "" {
		want += " by " + c.Rule
	}
	return fmt.Errorf("%q: it is %s by %s, and %s is expected", c.Name, v.Decision, strings.Join(rules, ", "), want)
}
