package policy

import (
	"fmt"
	"strings"
	"testing"
)

func TestLoadRefuses(t *testing.T) {
	head := "// a comment\n@id(\"mine\")\n@because(\"b\")\n"
	when := func(condition string) string {
		return head + "permit (principal, action, resource)\nwhen { " + condition + " };"
	}
	for name, c := range map[string]struct{ text, want string }{
		"an empty file":                      {"", "mine.cedar holds no policy"},
		"nothing but comments":               {"// permit (principal, action, resource);\n", "mine.cedar holds no policy"},
		"half a policy":                      {head + "permit (principal, action, resource", "mine.cedar:4:"},
		"no Cedar":                           {"allow everything", "mine.cedar:1:"},
		"a template":                         {head + "permit (principal == ?principal, action, resource);", "mine.cedar:4:"},
		"an attribute that does not exist":   {when("context.explaind > 3"), "mine.cedar:2: policy \"mine\": attribute `explaind`"},
		"an attribute of the target":         {when(`resource.team == "x"`), "mine.cedar:2: policy \"mine\": attribute `team`"},
		"an attribute that may be missing":   {when("context.explained > 80"), "unable to guarantee safety of access to optional attribute `explained`"},
		"has, of what can never be there":    {when("!(context has vai)"), `mine.cedar:2: policy "mine": there is no attribute "vai" that the context could have`},
		"has, of the target":                 {when("resource has owner"), `there is no attribute "owner"`},
		"a tag that may be missing":          {when(`resource.getTag("team") == "x"`), "unable to guarantee safety of access to tag"},
		"a kind that does not exist":         {when(`context.kind == Kind::"root-kye"`), `mine.cedar:2: policy "mine": Kind::"root-kye" does not exist; there are iam-user-key,`},
		"not a kind that does not exist":     {when(`context.kind != Kind::"root-kye"`), `Kind::"root-kye" does not exist`},
		"a kind in a set":                    {when(`[Kind::"root-key", Kind::"root-kye"].contains(context.kind)`), `Kind::"root-kye" does not exist`},
		"a kind after in":                    {when(`context.kind in Kind::"root-kye"`), `Kind::"root-kye" does not exist`},
		"a kind in a branch never taken":     {when(`false && context.kind == Kind::"root-kye"`), `Kind::"root-kye" does not exist`},
		"a kind in a record":                 {when(`{k: Kind::"root-kye"}.k == context.kind`), `Kind::"root-kye" does not exist`},
		"a kind as text":                     {when(`context.kind == "root-key"`), "not compatible"},
		"two kinds that do not exist":        {when(`context.kind == Kind::"a" || context.kind == Kind::"b"`), `Kind::"a" does not exist`},
		"an action that does not exist":      {head + `permit (principal, action == Action::"nuke", resource);`, `mine.cedar:2: policy "mine": unable to find an applicable action`},
		"a list with an action that doesn't": {head + `permit (principal, action in [Action::"nuke", Action::"deactivate-key"], resource);`, "unable to find an applicable action"},
		"an action in a condition":           {when(`action == Action::"nuke"`), "unrecognized action"},
		"an entity type that does not exist": {head + `permit (principal == Human::"x", action, resource);`, `mine.cedar:2: policy "mine": unable to find`},
		"a target type that does not exist":  {head + "permit (principal, action, resource is Bukket);", `policy "mine": unable to find`},
		"a type in a condition":              {when("resource is Bukket"), `mine.cedar:2: policy "mine": there is no entity type Bukket`},
		"a parent type in a condition":       {when(`resource in Team::"x"`), "unrecognized entity type `Team`"},
		"a condition that is a number":       {when("1"), "expected Bool but saw Long"},
		"no id":                              {"\n@because(\"b\")\npermit (principal, action, resource);", "mine.cedar:2: the policy has no @id annotation"},
		"no reason":                          {"@id(\"mine\")\npermit (principal, action, resource);", `mine.cedar:1: policy "mine" has no @because annotation`},
		"an empty id":                        {"@id(\"\")\n@because(\"b\")\npermit (principal, action, resource);", "mine.cedar:1: the policy has no @id annotation"},
		"the id of the responder itself":     {"@id(\"self\")\n@because(\"b\")\npermit (principal, action, resource);", `mine.cedar:1: the @id "self" is Nightlatch's own; choose another`},
		"that id on the second policy":       {head + "permit (principal, action, resource);\n@id(\"by-hand\")\n@because(\"b\")\nforbid (principal, action, resource);", `mine.cedar:5: the @id "by-hand" is Nightlatch's own`},
		"one id twice":                       {head + "permit (principal, action, resource);\n" + head + "forbid (principal, action, resource);", `mine.cedar:6: there are two policies with the @id "mine"`},
		"an annotation twice":                {"@id(\"a\") @id(\"b\") @because(\"b\")\npermit (principal, action, resource);", "duplicate annotation"},
		"the second of two": {head + "permit (principal, action, resource);\n@id(\"second\")\n@because(\"b\")\nforbid (principal, action, resource) when { context.x };",
			`mine.cedar:5: policy "second": attribute`},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Load("mine.cedar", []byte(c.text))
			if p != nil || err == nil {
				t.Fatalf("Load = %v, %v, want an error with %s", p, err, c.want)
			}
			if text := err.Error(); !strings.Contains(text, c.want) || !strings.Contains(text, "mine.cedar") || strings.Contains(text, "\n") {
				t.Errorf("Load = %v, want one line with %s", err, c.want)
			}
		})
	}
}

// A policy whose reasons read like Nightlatch's own would be believed like them.
func TestLoadRefusesReservedIDs(t *testing.T) {
	const text = "@id(%q)\n@because(\"b\")\npermit (principal, action, resource);"
	for _, id := range []string{"self", "protected", "no-policy", "default-deny", "manual", "unconfirmed", "unknown-target", "by-hand", "not-yet"} {
		if p, err := Load("mine.cedar", fmt.Appendf(nil, text, id)); p != nil || err == nil || !strings.Contains(err.Error(), fmt.Sprintf("mine.cedar:1: the @id %q is Nightlatch's own", id)) {
			t.Errorf("Load of a policy %q = %v, %v, want it refused", id, p, err)
		}
	}
	for _, id := range []string{"ask-manual", "Self", "selfish", "by-hand-2"} {
		if _, err := Load("mine.cedar", fmt.Appendf(nil, text, id)); err != nil {
			t.Errorf("Load of a policy %q = %v", id, err)
		}
	}
}

func TestLoadTakesWhatFits(t *testing.T) {
	for name, condition := range map[string]string{
		"an optional attribute with has": "context has via && context.via like \"*.amazonaws.com\"",
		"a kind that exists":             `[Kind::"root-key", Kind::"root-session"].contains(context.kind)`,
		"a type that exists":             "resource is AccessKey",
		"a tag with hasTag":              `resource.hasTag("a b") && resource.getTag("a b") == "Kind::x"`,
		"the spread":                     "context.spread",
		"a whole share":                  "context has explained && context.explained > 3",
	} {
		text := fmt.Sprintf("@id(\"root-kye\") @because(\"b\") @type(\"Kind\")\npermit (principal, action, resource) when { %s };", condition)
		if _, err := Load("mine.cedar", []byte(text)); err != nil {
			t.Errorf("%s: Load = %v", name, err)
		}
	}
}
