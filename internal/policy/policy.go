// Package policy decides, without any I/O, what may be done about one actor: contain it, ask a human, or leave it.
//
// Policies are written in Cedar, AWS's own policy language (https://docs.cedarpolicy.com): default deny, forbid over permit, and
// every answer names the policies that decided it. The schema is schema.cedarschema, Nightlatch's own policy shipped.cedar.
package policy

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"unicode"

	_ "embed"

	"github.com/cedar-policy/cedar-go"
)

//go:embed shipped.cedar
var shipped []byte

//go:embed shipped.cases.json
var shippedCases []byte

// Policy is a set of policies that parsed and fits the schema. A nil *Policy asks about everything.
type Policy struct {
	set *cedar.PolicySet
	// order is the ids as they stand in the file.
	order []cedar.PolicyID
	// notes are about its text.
	notes []note
}

// ShippedText is the policy that Nightlatch ships with, as it is written.
func ShippedText() []byte { return slices.Clone(shipped) }

// ShippedCases are the cases of the shipped policy.
func ShippedCases() []byte { return slices.Clone(shippedCases) }

// Shipped is the policy that Nightlatch ships with.
func Shipped() *Policy { return loaded() }

// Ready is what loads a policy that is there already.
func Ready(p *Policy) func() (*Policy, error) {
	return func() (*Policy, error) { return p, nil }
}

// loaded is the shipped policy, read once: nothing changes a policy that is loaded.
var loaded = sync.OnceValue(func() *Policy {
	p, err := Load("shipped.cedar", shipped)
	if err != nil {
		panic(err) // a test loads it
	}
	return p
})

// reserved are the reasons that Decide gives by itself: a policy that took one of their names could speak in its voice.
var reserved = map[string]bool{"self": true, "protected": true, "no-policy": true, "default-deny": true, "manual": true, "unconfirmed": true,
	"unknown-target": true, "contradicts": true, "by-hand": true, "not-yet": true, "minting": true}

// Load reads a policy file. Its error is one sentence that names the file and the line.
// Every policy needs an @id, which verdicts name, and a @because, which they quote.
func Load(name string, text []byte) (*Policy, error) {
	src, err := plain(name, text)
	if err != nil {
		return nil, err
	}
	list, err := cedar.NewPolicyListFromBytes(name, src.text)
	if err != nil {
		return nil, fmt.Errorf("the policy does not parse: %s", inWords(name, src.text, err))
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no policy", name)
	}
	p := &Policy{set: cedar.NewPolicySet(), notes: src.notes}
	for _, one := range list {
		id := cedar.PolicyID(one.Annotations()["id"])
		line := one.Position().Line
		switch {
		case id == "":
			return nil, fmt.Errorf("%s:%d: the policy has no @id annotation", name, line)
		case reserved[string(id)]:
			return nil, fmt.Errorf("%s:%d: the @id %q is Nightlatch's own; choose another", name, line, id)
		case strings.ContainsFunc(string(id), func(r rune) bool { return !unicode.IsPrint(r) }):
			return nil, fmt.Errorf("%s:%d: the @id %q goes over a line's end, or has what cannot be printed", name, line, id)
		case because(one) == "":
			return nil, fmt.Errorf("%s:%d: policy %q has no @because annotation", name, line, id)
		case !p.set.Add(id, one):
			return nil, fmt.Errorf("%s:%d: there are two policies with the @id %q", name, line, id)
		}
		p.order = append(p.order, id)
	}
	if err := checkAgainstSchema(list, src.clauses); err != nil {
		return nil, err
	}
	return p, nil
}

// inWords is the parser's error as one line with its place: it names no file, leaves out what it found, and now and then says no line.
func inWords(name string, text []byte, err error) string {
	words := strings.NewReplacer("<input>", name, "parser error: ", "", "exact got want", "expected").Replace(oneLine(err))
	if strings.Contains(words, name+":") {
		return words
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	line := 1 + sort.Search(len(lines)-1, func(i int) bool {
		_, cut := cedar.NewPolicyListFromBytes(name, bytes.Join(lines[:i+1], nil))
		return cut != nil && cut.Error() == err.Error()
	})
	return fmt.Sprintf("%s:%d: %s", name, line, words)
}

// Lacks are the ids of the shipped policy's rules that this one has none of by that id, in the shipped order. A team's own policy may well mean
// to; one that was copied from an earlier version does not know what came since.
func (p *Policy) Lacks() []string {
	var ids []string
	for _, id := range Shipped().order {
		if p.set.Get(id) == nil {
			ids = append(ids, string(id))
		}
	}
	return ids
}

// otherwise is the rule that asks about what no other rule names. It is no reason beside another that asks.
const otherwise = "ask-otherwise"

// reasons are the determining policies, in the file's order.
func (p *Policy) reasons(diagnostic cedar.Diagnostic) []Reason {
	var out []Reason
	for _, id := range p.order {
		if slices.ContainsFunc(diagnostic.Reasons, func(r cedar.DiagnosticReason) bool { return r.PolicyID == id }) {
			out = append(out, Reason{Policy: string(id), Because: because(p.set.Get(id))})
		}
	}
	if slices.ContainsFunc(out, func(r Reason) bool { return strings.HasPrefix(r.Policy, "ask-") && r.Policy != otherwise }) {
		out = slices.DeleteFunc(out, func(r Reason) bool { return r.Policy == otherwise })
	}
	return out
}

// because is a policy's @because, which may go over several lines, in one.
func because(one *cedar.Policy) string {
	return strings.Join(strings.Fields(string(one.Annotations()["because"])), " ")
}
