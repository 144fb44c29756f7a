package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	_ "embed"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// cedar-go's schema packages are experimental and outside its promise of compatibility: they are used in this file only.

//go:embed schema.cedarschema
var schemaText []byte

// checkAgainstSchema refuses policies that name what the schema does not have: attributes, entity types, actions, and, which
// the validator lets pass, members of an enum (Kind::"root-kye").
func checkAgainstSchema(policies []*cedar.Policy) error {
	var s schema.Schema
	s.SetFilename("schema.cedarschema")
	if err := s.UnmarshalCedar(schemaText); err != nil {
		return fmt.Errorf("the built-in schema does not parse: %v", err)
	}
	r, err := s.Resolve()
	if err != nil {
		return fmt.Errorf("the built-in schema does not resolve: %v", err)
	}
	v := validate.New(r)
	for _, p := range policies {
		at := fmt.Sprintf("%s:%d", p.Position().Filename, p.Position().Line)
		if err := v.Policy("", (*ast.Policy)(p.AST())); err != nil {
			return fmt.Errorf("%s: policy %q: %s", at, p.Annotations()["id"], firstOf(err))
		}
		if err := checkEnums(p, r); err != nil {
			return fmt.Errorf("%s: policy %q: %v", at, p.Annotations()["id"], err)
		}
	}
	return nil
}

// firstOf is the first, in the order of the alphabet, of what the validator says: it repeats itself for every action.
func firstOf(err error) string {
	lines := strings.Split(err.Error(), "\n")
	slices.Sort(lines)
	return strings.TrimSpace(lines[0])
}

// oneLine folds an error's text into one line.
func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
}

// checkEnums finds every entity literal of an enum type, wherever it stands in the policy, in the policy's JSON form:
// {"type": …, "id": …}. https://docs.cedarpolicy.com/policies/json-format.html
func checkEnums(p *cedar.Policy, r *resolved.Schema) error {
	text, err := p.MarshalJSON()
	if err != nil {
		return err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return err
	}
	var errs []error
	walk(tree, func(m map[string]any) {
		typ, ok1 := m["type"].(string)
		id, ok2 := m["id"].(string)
		enum, ok3 := r.Enums[types.EntityType(typ)]
		if !ok1 || !ok2 || !ok3 {
			return
		}
		var members []string
		for _, uid := range enum.Values {
			members = append(members, string(uid.ID))
		}
		if !slices.Contains(members, id) {
			errs = append(errs, fmt.Errorf("%s::%q does not exist; there are %s", typ, id, strings.Join(members, ", ")))
		}
	})
	return errors.Join(errs...)
}

func walk(node any, visit func(map[string]any)) {
	switch n := node.(type) {
	case map[string]any:
		visit(n)
		for _, child := range n {
			walk(child, visit)
		}
	case []any:
		for _, child := range n {
			walk(child, visit)
		}
	}
}
