package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Finding is one sentence about a policy file that loads.
type Finding struct {
	// Line is where it stands in the file; 0 for the file as a whole.
	Line int
	// Warning says that the file may do what its author did not mean. Other findings are what it lacks.
	Warning bool
	Text    string
}

// Rules counts the policy's rules.
func (p *Policy) Rules() int { return len(p.order) }

// Check says what the policy lacks against the shipped one, and warns of rules that contain on evidence that is not all there.
func (p *Policy) Check() []Finding {
	var all []Finding
	for _, n := range p.notes {
		all = append(all, Finding{Line: n.line, Text: n.text})
	}
	own := Shipped()
	lacks := p.Lacks()
	if len(lacks) > own.Rules()/2 {
		all = append(all, Finding{Text: "this is a policy of its own: it has no rule " + strings.Join(lacks, ", ") + " of the shipped one"})
		lacks = nil
	}
	for _, id := range lacks {
		all = append(all, Finding{Text: fmt.Sprintf("there is no rule %s as in the shipped policy: %s", id, because(own.set.Get(cedar.PolicyID(id))))})
	}
	asked := own.tested(func(rule *cedar.Policy) bool { return own.contains(rule, nil) })
	for _, id := range p.order {
		rule := p.set.Get(id)
		line := rule.Position().Line
		want := asked
		if theirs := own.set.Get(id); theirs != nil {
			want = factsOf(theirs)
		} else if !p.contains(rule, nil) {
			continue
		}
		if lacks := without(want, factsOf(rule)); len(lacks) > 0 {
			all = append(all, Finding{Line: line, Text: fmt.Sprintf("%s does not test %s, which the shipped policy tests there", id, strings.Join(lacks, ", "))})
		}
	}
	for _, id := range p.order {
		rule := p.set.Get(id)
		line := rule.Position().Line
		if p.contains(rule, given{"complete": false, "settled": false}) {
			all = append(all, Finding{line, true, fmt.Sprintf("%s permits containment while the evidence is neither settled nor complete: test context.settled or context.complete", id)})
		}
		if p.contains(rule, given{"lost": true}) {
			all = append(all, Finding{line, true, fmt.Sprintf("%s permits containment while some evidence could not be read: test !context.lost", id)})
		}
		if changing := unsettled(rule); len(changing) > 0 && p.contains(rule, given{"complete": false}) {
			all = append(all, Finding{Line: line, Text: fmt.Sprintf("%s waits for complete evidence, as it tests what may still change until then: %s", id,
				strings.Join(changing, ", "))})
		}
		if facts := factsOf(rule); slices.Contains(facts, "minted") && !slices.Contains(facts, "minted_others") && p.contains(rule, given{"minted": true}) {
			all = append(all, Finding{line, true, fmt.Sprintf("%s never contains a key for a session that it minted: test context.minted_others too", id)})
		}
	}
	return all
}

// Records that still come can only raise the facts that rise, and can raise or lower those that move. All others are of the time before the
// window, or of the alarm.
var (
	rise = []string{"alarm_share", "copies", "explained", "of_floor", "of_stored", "through_usual", "unfamiliar", "volume"}
	move = []string{"hits_others", "looked_round", "minted_others", "new_agent", "object_share", "odd_hour", "presigned", "refused_before", "spread",
		"used_ago", "used_buckets", "used_hours", "used_places", "used_services"}
)

// unsettled are the facts that a rule tests and that may be otherwise once the evidence is complete. That a fact which rises is above a number
// stays true.
func unsettled(rule *cedar.Policy) []string {
	body := condition((*ast.Policy)(rule.AST()))
	if body == nil {
		return nil
	}
	var names []string
	var look func(ast.IsNode)
	look = func(n ast.IsNode) {
		switch n := n.(type) {
		case ast.NodeTypeAnd:
			look(n.Left)
			look(n.Right)
		case ast.NodeTypeOr:
			look(n.Left)
			look(n.Right)
		case ast.NodeTypeHas:
		default:
			for _, name := range factsIn(n) {
				if (slices.Contains(move, name) || slices.Contains(rise, name) && !above(n, name)) && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	look(body)
	slices.Sort(names)
	return names
}

// above reports whether an expression says that a fact is above a number.
func above(n ast.IsNode, name string) bool {
	var op ast.BinaryNode
	switch n := n.(type) {
	case ast.NodeTypeGreaterThan:
		op = n.BinaryNode
	case ast.NodeTypeGreaterThanOrEqual:
		op = n.BinaryNode
	case ast.NodeTypeLessThan:
		op.Left, op.Right = n.Right, n.Left
	case ast.NodeTypeLessThanOrEqual:
		op.Left, op.Right = n.Right, n.Left
	}
	left, has := fact(op.Left)
	_, number := op.Right.(ast.NodeValue)
	return string(left) == name && !has && number
}

// contains reports whether the rule may permit a step that no human has approved, where these facts are so, and no rule surely forbids it.
func (p *Policy) contains(rule *cedar.Policy, facts given) bool {
	known := given{"approved": false, "manual": false, "confirmed": true}
	for name, value := range facts {
		known[name] = value
	}
	if rule.Effect() != cedar.Permit || known.of(rule)&yes == 0 {
		return false
	}
	for _, id := range p.order {
		if other := p.set.Get(id); other.Effect() == cedar.Forbid && known.of(other) == yes && covers(other, rule) {
			return false
		}
	}
	return true
}

// covers reports whether all that one rule is about is what another is about.
func covers(one, other *cedar.Policy) bool {
	a, b := (*ast.Policy)(one.AST()), (*ast.Policy)(other.AST())
	every := cedar.NewEntityUID("Action", "contain")
	in, _ := a.Action.(ast.ScopeTypeIn)
	return (a.Principal == any(ast.ScopeTypeAll{}) || a.Principal == any(b.Principal)) &&
		(a.Action == any(ast.ScopeTypeAll{}) || in.Entity == every) &&
		(a.Resource == any(ast.ScopeTypeAll{}) || a.Resource == any(b.Resource))
}

// factsOf are the facts that a rule tests, by name, in the order of the alphabet.
func factsOf(rule *cedar.Policy) []string {
	if body := condition((*ast.Policy)(rule.AST())); body != nil {
		return factsIn(body)
	}
	return nil
}

func factsIn(body ast.IsNode) []string {
	var names []string
	ast.Inspect(ast.NewNode(body), func(n ast.IsNode) bool {
		if name, _ := fact(n); name != "" && name != "approved" && !slices.Contains(names, string(name)) {
			names = append(names, string(name))
		}
		return true
	})
	slices.Sort(names)
	return names
}

// tested are the facts that these rules test.
func (p *Policy) tested(which func(*cedar.Policy) bool) []string {
	var names []string
	for _, id := range p.order {
		if rule := p.set.Get(id); which(rule) {
			names = append(names, without(factsOf(rule), names)...)
		}
	}
	slices.Sort(names)
	return names
}

func without(names, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(gone, name) })
}

// fact is the name of the fact that an expression reads, or asks for by "has"; "" if it is another expression.
func fact(n ast.IsNode) (name types.String, has bool) {
	var op ast.StrOpNode
	switch n := n.(type) {
	case ast.NodeTypeAccess:
		op = n.StrOpNode
	case ast.NodeTypeHas:
		op, has = n.StrOpNode, true
	}
	if v, ok := op.Arg.(ast.NodeTypeVariable); !ok || v.Name != "context" {
		return "", false
	}
	return op.Value, has
}

// given are facts that are known; all others may be anything.
type given map[types.String]bool

// outcome is a set of what an expression may come to.
type outcome uint8

const (
	yes outcome = 1 << iota
	no
	fails
	anything = yes | no | fails
)

func outcomeOf(b bool) outcome {
	if b {
		return yes
	}
	return no
}

// of is what a rule's conditions may come to.
func (g given) of(rule *cedar.Policy) outcome {
	if body := condition((*ast.Policy)(rule.AST())); body != nil {
		return g.expression(body)
	}
	return yes
}

// expression is what an expression may come to. What it does not know is anything, so that nothing possible is missing.
func (g given) expression(n ast.IsNode) outcome {
	switch n := n.(type) {
	case ast.NodeValue:
		if b, ok := n.Value.(types.Boolean); ok {
			return outcomeOf(bool(b))
		}
	case ast.NodeTypeAccess, ast.NodeTypeHas:
		name, has := fact(n)
		if value, ok := g[name]; ok {
			return outcomeOf(value || has)
		}
		if name != "" { // that reading it cannot fail, the schema's validator has seen to
			return yes | no
		}
	case ast.NodeTypeNot:
		return g.expression(n.Arg).then(no, yes)
	case ast.NodeTypeAnd:
		return g.expression(n.Left).then(g.expression(n.Right), no)
	case ast.NodeTypeOr:
		return g.expression(n.Left).then(yes, g.expression(n.Right))
	case ast.NodeTypeIfThenElse:
		return g.expression(n.If).then(g.expression(n.Then), g.expression(n.Else))
	case ast.NodeTypeEquals:
		return g.equal(n.Left, n.Right, yes, no)
	case ast.NodeTypeNotEquals:
		return g.equal(n.Left, n.Right, no, yes)
	}
	return anything
}

// then is what follows where this came to yes, to no, or failed.
func (o outcome) then(ifYes, ifNo outcome) outcome {
	all := o & fails
	if o&yes != 0 {
		all |= ifYes
	}
	if o&no != 0 {
		all |= ifNo
	}
	return all
}

// equal compares what is true or false on both sides.
func (g given) equal(left, right ast.IsNode, same, other outcome) outcome {
	l, r := g.expression(left), g.expression(right)
	return l.then(r.then(same, other), r.then(other, same))
}
