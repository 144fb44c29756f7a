package pagestest

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

var (
	rule    = regexp.MustCompile(`(?s)@id\("([a-z-]+)"\)\n@because\("[^"]*"\)\n(.*?);\n`)
	number  = regexp.MustCompile(`\b[0-9]+\b`)
	factOf  = regexp.MustCompile(`context\.([a-z_]+)`)
	fact    = regexp.MustCompile(`(?m)^  ([a-z_]+)\??: `)
	ownName = regexp.MustCompile(`"([a-z-]+)": true`)
)

const policyPage = "internal/policy/README.md"

// Each rule has its section, which names the facts and the numbers that it tests.
func TestThePolicysRules(t *testing.T) {
	page := Read(t, policyPage)
	var ids []string
	for _, m := range rule.FindAllStringSubmatch(string(policy.ShippedText()), -1) {
		id, section := m[1], page.Section("### "+m[1])
		ids = append(ids, id)
		tests, example, _ := strings.Cut(section, "- **Example:**")
		if !strings.Contains(tests, "- **Tests:**") || example == "" {
			t.Errorf("%s: the section of %s has no tests, or no example", policyPage, id)
		}
		for _, n := range number.FindAllString(m[2], -1) {
			if !slices.Contains(number.FindAllString(tests, -1), n) {
				t.Errorf("%s: the section of %s does not name %s, which it tests", policyPage, id, n)
			}
		}
		for _, f := range factOf.FindAllStringSubmatch(m[2], -1) {
			if f[1] != "approved" && !strings.Contains(tests, "`"+f[1]+"`") {
				t.Errorf("%s: the section of %s does not name %s, which it tests", policyPage, id, f[1])
			}
		}
	}
	Same(t, policyPage+", rules", page.Headings(3), ids)
	for _, p := range All(t) {
		for _, code := range p.Code() {
			if regexp.MustCompile(`^(ask|contain|leave)-[a-z-]+$`).MatchString(code) && !slices.Contains(ids, code) {
				t.Errorf("%s names the rule %s, which does not exist", p.Path, code)
			}
		}
	}
}

func TestThePolicysFactsAndReasons(t *testing.T) {
	page := Read(t, policyPage)
	source := func(name string) string {
		text, err := os.ReadFile(filepath.Join(Root(t), "internal/policy", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	Same(t, policyPage+", facts", page.Column("fact"), firsts(fact, source("schema.cedarschema")))
	_, reserved, _ := strings.Cut(source("policy.go"), "var reserved =")
	reserved, _, _ = strings.Cut(reserved, "}\n")
	Same(t, policyPage+", reasons", page.Column("reason"), firsts(ownName, reserved))
	for _, a := range policy.Actions() {
		if !strings.Contains(page.Section("## Your own policy"), "`"+string(a)+"`") {
			t.Errorf("%s does not name the action %s", policyPage, a)
		}
	}
	for _, block := range page.Blocks("cedar") {
		if _, err := policy.Load("README.md", []byte(block)); err != nil {
			t.Errorf("%s: %v\n%s", policyPage, err, block)
		}
	}
}

func firsts(r *regexp.Regexp, text string) (all []string) {
	for _, m := range r.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

var variable = regexp.MustCompile(`NIGHTLATCH_[A-Z_]*[A-Z]`)

// Each variable of the functions stands in the page, and what else a page names of that kind is read by the tests.
func TestTheEnvironment(t *testing.T) {
	const path = "infra/README.md"
	var code []string
	for _, s := range []interface{ Environ() map[string]string }{&settings.Responder{}, &settings.Approver{}, &settings.Enroller{}, &settings.Notices{}, &settings.Doctor{}, &settings.Cutter{}, &settings.Hub{}, &settings.Rehearser{}} {
		fill(reflect.ValueOf(s).Elem())
		for name := range s.Environ() {
			if !slices.Contains(code, name) {
				code = append(code, name)
			}
		}
	}
	Same(t, path+", variables", Read(t, path).Column("variable"), code)
	tests := []string{"NIGHTLATCH_TESTS", "NIGHTLATCH_MOTO", "NIGHTLATCH_MOTO_HOME", "NIGHTLATCH_TRINO", "NIGHTLATCH_TRINO_HOME"}
	gate, err := os.ReadFile(filepath.Join(Root(t), ".ci/run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tests {
		if !strings.Contains(string(gate), name) {
			t.Errorf(".ci/run does not know %s", name)
		}
	}
	for _, p := range All(t) {
		for _, name := range variable.FindAllString(p.Text, -1) {
			if !slices.Contains(slices.Concat(code, tests), name) {
				t.Errorf("%s names %s, which does not exist", p.Path, name)
			}
		}
	}
}

// fill gives every field a value, so that Environ writes it.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Struct:
			fill(f)
		case reflect.String:
			f.SetString("x")
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"x"}))
		case reflect.Int64:
			f.SetInt(1)
		}
	}
}
