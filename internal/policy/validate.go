package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	_ "embed"

	"github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// cedar-go's schema packages are experimental and outside its promise of compatibility: they are used in this file only.

//go:embed schema.cedarschema
var schemaText []byte

// builtIn is the schema, read once.
var builtIn = sync.OnceValue(func() *resolved.Schema {
	var s schema.Schema
	s.SetFilename("schema.cedarschema")
	err := s.UnmarshalCedar(schemaText)
	if err != nil {
		panic(err) // a test reads it
	}
	r, err := s.Resolve()
	if err != nil {
		panic(err)
	}
	return r
})

// contextOf is what the schema says of a request's facts.
func contextOf(a Action) resolved.RecordType {
	return builtIn().Actions[cedar.NewEntityUID("Action", cedar.String(a))].AppliesTo.Context
}

// checkAgainstSchema refuses policies that name what the schema does not have: attributes, entity types, actions, members of an
// enum (Kind::"root-kye"). The lines are those of the file's clauses and their conjuncts.
func checkAgainstSchema(policies []*cedar.Policy, lines [][]int) error {
	r := builtIn()
	v := validate.New(r)
	fault := func(p *ast.Policy) error {
		if err := v.Policy("", joined(p)); err != nil {
			return err
		}
		return checkNames(cedar.NewPolicyFromAST((*cedarast.Policy)(p)), r)
	}
	for _, one := range policies {
		p := (*ast.Policy)(one.AST())
		own := lines[:min(len(p.Conditions), len(lines))]
		lines = lines[len(own):]
		if err := fault(p); err != nil {
			return fmt.Errorf("%s:%d: policy %q: %s%s", p.Position.Filename, p.Position.Line, one.Annotations()["id"], firstOf(err), inLine(p, own, fault))
		}
	}
	return nil
}

// inLine says on which line the condition begins with which the policy has its fault: Cedar's syntax tree has the places of policies alone.
func inLine(p *ast.Policy, lines [][]int, fault func(*ast.Policy) error) string {
	cut := *p
	cut.Conditions = nil
	if len(lines) != len(p.Conditions) || fault(&cut) != nil {
		return ""
	}
	for i, c := range p.Conditions {
		parts := []ast.IsNode{c.Body}
		if c.Condition == ast.ConditionWhen {
			parts = conjuncts(c.Body, len(lines[i]))
		}
		for j, part := range parts {
			cut.Conditions = append(cut.Conditions, ast.ConditionType{Condition: c.Condition, Body: part})
			if fault(&cut) != nil {
				return fmt.Sprintf(", in line %d", lines[i][j])
			}
		}
	}
	return ""
}

// conjuncts are the so many that stand between the "&&" of an expression. The first may be more of them, in brackets.
func conjuncts(n ast.IsNode, count int) []ast.IsNode {
	if and, ok := n.(ast.NodeTypeAnd); ok && count > 1 {
		return append(conjuncts(and.Left, count-1), and.Right)
	}
	return []ast.IsNode{n}
}

// joined is the policy with its conditions as one. Cedar judges them so: a "has" in one clause lets the next use the attribute. The validator
// takes each by itself.
func joined(p *ast.Policy) *ast.Policy {
	if len(p.Conditions) < 2 {
		return p
	}
	one := *p
	one.Conditions = []ast.ConditionType{{Condition: ast.ConditionWhen, Body: condition(p)}}
	return &one
}

// condition is all of a policy's conditions as one expression; nil if it has none.
func condition(p *ast.Policy) ast.IsNode {
	var all *ast.Node
	for _, c := range p.Conditions {
		n := ast.NewNode(c.Body)
		if c.Condition == ast.ConditionUnless {
			n = ast.Not(n)
		}
		if all != nil {
			n = all.And(n)
		}
		all = &n
	}
	if all == nil {
		return nil
	}
	return all.AsIsNode()
}

// firstOf is the first, in the order of the alphabet, of what the validator says: it repeats itself for every action.
func firstOf(err error) string {
	lines := strings.Split(err.Error(), "\n")
	slices.Sort(lines)
	return strings.TrimSpace(lines[0])
}

// oneLine puts an error's text into one line.
func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
}

// checkNames finds what the validator lets pass, wherever it stands in the policy's JSON form
// (https://docs.cedarpolicy.com/policies/json-format.html). These are members that an enum does not have, an "is" of a type that the schema
// does not have, a "has" of an attribute that can never be there, and a decimal with a plus sign. The second and third would be quietly false.
func checkNames(p *cedar.Policy, r *resolved.Schema) error {
	text, err := p.MarshalJSON()
	if err != nil {
		return err
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return err
	}
	delete(tree, "annotations")
	var errs []error
	walk(tree, func(m map[string]any) {
		typ, ok1 := m["type"].(string)
		id, ok2 := m["id"].(string)
		if ok1 && ok2 {
			errs = append(errs, checkMember(typ, id, r))
		}
		if typ, ok := m["entity_type"].(string); ok {
			errs = append(errs, checkType(typ, r))
		}
		if arg, ok := m["decimal"].([]any); ok && strings.HasPrefix(fmt.Sprint(arg...), "map[Value:+") {
			errs = append(errs, errors.New("a decimal begins with a plus sign, which Cedar does not have"))
		}
		if has, ok := m["has"].(map[string]any); ok {
			errs = append(errs, checkAttribute(fmt.Sprint(has["attr"]), r))
		}
	})
	return errors.Join(errs...)
}

func checkType(name string, r *resolved.Schema) error {
	_, entity := r.Entities[types.EntityType(name)]
	_, enum := r.Enums[types.EntityType(name)]
	if entity || enum {
		return nil
	}
	return fmt.Errorf("there is no entity type %s", name)
}

func checkMember(typ, id string, r *resolved.Schema) error {
	var members []string
	for _, uid := range r.Enums[types.EntityType(typ)].Values {
		members = append(members, string(uid.ID))
	}
	if members == nil || slices.Contains(members, id) {
		return nil
	}
	return fmt.Errorf("%s::%q does not exist; there are %s", typ, id, strings.Join(members, ", "))
}

// checkAttribute knows the attributes of every action's context: the entities have tags, and no attributes.
func checkAttribute(name string, r *resolved.Schema) error {
	for _, a := range r.Actions {
		if a.AppliesTo == nil {
			continue
		}
		if _, ok := a.AppliesTo.Context[types.String(name)]; ok {
			return nil
		}
	}
	return fmt.Errorf("there is no attribute %q that the context could have", name)
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
