package policy

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/pagestest"
)

// The names of facts in cases are the schema's, and every one reaches its field.
func TestEveryFactCanBeGiven(t *testing.T) {
	fields := factFields(&Facts{})
	for name := range contextOf(DeactivateKey) {
		if _, ok := fields[string(name)]; !ok && name != "approved" {
			t.Errorf("the fact %q has no field", name)
		}
	}
	if got, want := len(fields), reflect.TypeFor[Facts]().NumField(); got != want {
		t.Errorf("%d of %d fields can be given", got, want)
	}
}

func TestReadCases(t *testing.T) {
	const text = `{
  "facts": {"kind": "iam-user-key", "confirmed": true, "explained": 99, "via": "athena.amazonaws.com", "familiar_active": true},
  "cases": [
    {"name": "as all", "expect": "ask"},
    {"name": "others", "facts": {"explained": null, "confirmed": false, "via": "", "familiar_active": false, "object_share": 3}, "expect": "leave", "rule": "r"},
    {"name": "a role", "action": "deny-role-session", "target": {"tags": {"a": "b"}, "known": false}, "expect": "contain"}
  ]
}`
	got, err := ReadCases("mine.json", []byte("\ufeff"+text))
	if err != nil {
		t.Fatal(err)
	}
	shared := Facts{Kind: "iam-user-key", Confirmed: true, Explained: new(int64(99)), Via: "athena.amazonaws.com", FamiliarActive: new(true)}
	known := Target{Type: AccessKey, ID: "AKIAIOSFODNN7EXAMPLE", Owner: "somebody", OwnerARN: "arn:aws:iam::111122223333:user/somebody", AccountID: "111122223333", Known: true}
	role := known
	role.Type, role.ID, role.Tags, role.Known = Role, "arn:aws:iam::111122223333:role/some-role", map[string]string{"a": "b"}, false
	want := []Case{
		{Name: "as all", Line: 4, Facts: shared, Action: DeactivateKey, Target: known, Expect: Ask},
		{Name: "others", Line: 5, Facts: Facts{Kind: "iam-user-key", FamiliarActive: new(false), ObjectShare: new(int64(3))}, Action: DeactivateKey, Target: known, Expect: Leave, Rule: "r"},
		{Name: "a role", Line: 6, Facts: shared, Action: DenyRoleSession, Target: role, Expect: Contain},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cases (-want +got):\n%s", diff)
	}
}

func TestReadCasesRefuses(t *testing.T) {
	one := func(fields string) string {
		return "{\"cases\": [\n{\"name\": \"n\", \"expect\": \"ask\", " + fields + "}\n]}"
	}
	facts := func(fields string) string { return one("\"facts\": {\"kind\": \"root-key\",\n" + fields + "}") }
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                       {"", "mine.json:1: this is not JSON: "},
		"no JSON":                       {"{\n\"cases\": [}", "mine.json:2: this is not JSON: "},
		"Cedar":                         {"@id(\"x\")", "mine.json:1: this is not JSON: "},
		"half of it":                    {"{\"cases\": [\n{\"name\"", "mine.json:2: this is not JSON: "},
		"a list":                        {"[]", "mine.json:1: an object is expected"},
		"no cases":                      {"{}", "mine.json:1: the file holds no cases"},
		"an empty list":                 {"{\"cases\": []}", "mine.json:1: the file holds no cases"},
		"cases that are none":           {"{\n\"cases\": {}}", "mine.json:2: a list is expected"},
		"a case that is none":           {"{\"cases\": [\n1]}", "mine.json:2: an object is expected"},
		"an unknown field":              {"{\n\"facts\": {},\n\"case\": []}", `mine.json:3: there is no field "case"; there are cases, facts`},
		"an unknown field of a case":    {one("\n\"wants\": 1"), `mine.json:3: there is no field "wants"; there are action, expect, facts, name, rule, target`},
		"a field twice":                 {one("\n\"expect\": \"ask\""), `mine.json:3: the field "expect" is there twice`},
		"no name":                       {"{\"cases\": [\n\n{\"expect\": \"ask\"}]}", `mine.json:3: the case has no "name"`},
		"no expectation":                {"{\"cases\": [{\"name\": \"n\"}]}", `mine.json:1: the case "n" has no "expect"`},
		"an unknown decision":           {strings.Replace(one("\"facts\": {}"), `"ask"`, `"deny"`, 1), `mine.json:2: expect is "deny", and is one of contain, ask, leave`},
		"an unknown action":             {one(`"action": "nuke"`), `mine.json:2: action is "nuke", and is one of deactivate-key, `},
		"a name that is a number":       {strings.Replace(one("\"facts\": {}"), `"n"`, `3`, 1), `mine.json:2: name is 3, and a text is expected`},
		"no kind":                       {one("\"facts\": {}"), `mine.json:2: the case "n" has no fact "kind"`},
		"an unknown kind":               {one("\"facts\": {\"kind\":\n \"root-kye\"}"), `mine.json:3: kind is "root-kye", and is one of iam-user-key, `},
		"an unknown fact":               {facts(`"complet": true`), `mine.json:3: there is no fact "complet"; there are account, alarm_share, `},
		"what is no fact of the case":   {facts(`"approved": true`), `mine.json:3: there is no fact "approved"`},
		"a fact in other letters":       {facts(`"Complete": true`), `mine.json:3: there is no fact "Complete"`},
		"a text for a truth":            {facts(`"complete": "yes"`), `mine.json:3: complete is "yes", and true or false is expected`},
		"a text for a number":           {facts(`"explained": "99"`), `mine.json:3: explained is "99", and a whole number is expected`},
		"a broken number":               {facts(`"explained": 99.5`), `mine.json:3: explained is 99.5, and a whole number is expected`},
		"a number for a truth":          {facts(`"familiar_active": 1`), `mine.json:3: familiar_active is 1, and true or false is expected`},
		"null for what is always known": {facts(`"complete": null`), `mine.json:3: complete is null, and true or false is expected`},
		"a wrong fact of all":           {"{\"facts\": {\n\"lost\": 1}, \"cases\": [{\"name\": \"n\", \"expect\": \"ask\"}]}", `mine.json:2: lost is 1, and true or false is expected`},
		"an unknown field of a target":  {one("\"facts\": {\"kind\": \"root-key\"}, \"target\": {\"tag\": {}}"), `mine.json:2: target: unknown field "tag"`},
		"a target of another kind":      {one("\"facts\": {\"kind\": \"root-key\"}, \"target\": {\"type\": \"User\"}"), `mine.json:2: target: its type is User, and deactivate-key is about AccessKey`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadCases("mine.json", []byte(c.text))
			if got != nil || err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("ReadCases = %v, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestCheckOfACase(t *testing.T) {
	c := Case{Name: "n", Facts: stolen(), Action: DeactivateKey, Target: key()}
	for _, x := range []struct {
		expect Decision
		rule   string
		want   string
	}{
		{Contain, "", ""},
		{Contain, "contain-stolen-key", ""},
		{Contain, "ask-manual", `"n": it is contain by contain-stolen-key, and contain by ask-manual is expected`},
		{Ask, "", `"n": it is contain by contain-stolen-key, and ask is expected`},
		{Leave, "default-deny", `"n": it is contain by contain-stolen-key, and leave by default-deny is expected`},
	} {
		c.Expect, c.Rule = x.expect, x.rule
		got := ""
		if err := c.Check(Shipped()); err != nil {
			got = err.Error()
		}
		if got != x.want {
			t.Errorf("%s by %q: %q, want %q", x.expect, x.rule, got, x.want)
		}
	}
}

// The examples load, are warned of nothing, and decide their cases; each of their rules decides one. One that contains tests what the shipped
// policy tests before it does.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("examples/*.cedar")
	if err != nil || len(files) < 5 {
		t.Fatalf("got %q, %v", files, err)
	}
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			read := func(name string) []byte {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				return text
			}
			p, err := Load(file, read(file))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range p.Check() {
				// Evidence that is complete is more than what is settled.
				if f.Warning || strings.Contains(f.Text, " does not test ") && !strings.Contains(f.Text, " does not test settled, which ") {
					t.Errorf("line %d: %s", f.Line, f.Text)
				}
			}
			cases, err := ReadCases(file, read(strings.TrimSuffix(file, ".cedar")+".cases.json"))
			if err != nil {
				t.Fatal(err)
			}
			decided := map[string]bool{}
			for _, c := range cases {
				if err := c.Check(p); err != nil {
					t.Errorf("line %d: %v", c.Line, err)
				}
				for _, reason := range Decide(p, c.Facts, c.Action, c.Target).Reasons {
					decided[reason.Policy] = true
				}
			}
			for _, id := range p.order {
				if !decided[string(id)] && string(id) != "ask-production" { // which forbids, and lets another rule ask
					t.Errorf("no case is decided by %s", id)
				}
			}
			if !strings.Contains(string(page), "("+file+")") {
				t.Errorf("README.md does not name %s", file)
			}
		})
	}
}

// What the page shows is warned of nothing either.
func TestThePagesRulesAreWarnedOfNothing(t *testing.T) {
	for _, block := range pagestest.Read(t, "internal/policy/README.md").Blocks("cedar") {
		if _, warnings := check(t, block); len(warnings) > 0 {
			t.Errorf("%q\n%s", warnings, block)
		}
	}
	for _, block := range pagestest.Read(t, "internal/policy/README.md").Blocks("json") {
		if _, err := ReadCases("README.md", []byte(block)); err != nil {
			t.Errorf("%v\n%s", err, block)
		}
	}
}
