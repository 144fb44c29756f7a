package posture

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// document is a policy as far as it is read here.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type document struct {
	Statement oneOrMore[statement]
}

type statement struct {
	Effect                  string
	Principal, NotPrincipal json.RawMessage
	Action, NotAction       oneOrMore[string]
	Resource, NotResource   oneOrMore[string]
	Condition               map[string]map[string]json.RawMessage
}

// oneOrMore is a list, or its only element.
type oneOrMore[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *oneOrMore[T]) UnmarshalJSON(text []byte) error {
	if strings.HasPrefix(strings.TrimSpace(string(text)), "[") {
		return json.Unmarshal(text, (*[]T)(l))
	}
	var one T
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*l = oneOrMore[T]{one}
	return nil
}

func parse(text string) (d document, err error) {
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return d, fmt.Errorf("it is no policy: %v", err)
	}
	if len(d.Statement) == 0 {
		return d, errors.New("it has no statement")
	}
	return d, nil
}

var twelve = regexp.MustCompile(`^(?:arn:aws[a-z-]*:(?:iam|sts)::)?([0-9]{12})(?::.*)?$`)

// named is a principal of a policy: its kind, which is AWS, Service, Federated or CanonicalUser, and what it is called there.
type named struct{ kind, name string }

// of reports whether a principal is of an account.
func (n named) of(account string) bool {
	m := twelve.FindStringSubmatch(n.name)
	return n.kind == "AWS" && m != nil && m[1] == account
}

// said is how a principal is spoken of, with a condition where there is one.
func (n named) said(s statement) string {
	name := n.name
	if n.kind != "AWS" {
		name = n.kind + " " + name
	}
	if len(s.Condition) > 0 {
		name += " under a condition"
	}
	return name
}

// lets are those whom a bucket's policy lets in who are not of the account: everybody, other accounts, and what is no principal of an account. The
// services of AWS are left out. What holds only under a condition is said to.
func lets(text, account string) (who []string, err error) {
	if text == "" {
		return nil, nil
	}
	err = everyAllowed(text, func(s statement, n named) {
		if said := n.said(s); n.kind != "Service" && !n.of(account) && !slices.Contains(who, said) {
			who = append(who, said)
		}
	})
	return who, err
}

// trust is whom a role's policy lets assume it.
type trust struct {
	// others are not of the account, open are federated providers of which everybody may, and ours are all else.
	others, open, ours []string
}

func trusts(text, account string) (t trust, err error) {
	err = everyAllowed(text, func(s statement, n named) {
		list := &t.others
		switch {
		case n.kind == "Federated" && !s.narrows(n.name):
			list = &t.open
		case n.kind != "AWS" || n.of(account):
			list = &t.ours
		}
		if said := n.said(s); !slices.Contains(*list, said) {
			*list = append(*list, said)
		}
	})
	return t, err
}

// narrows reports whether a statement that trusts a federated provider has a condition on who comes from there. Of a provider of SAML, which is the account's own and
// vouches for its people, any will do. Of any other it is one on the token's subject that names somebody: its audience says only for which service it was
// made, and what is not so, or may be anything, names nobody.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html
func (s statement) narrows(provider string) bool {
	for operator, keys := range s.Condition {
		for key, value := range keys {
			if strings.Contains(provider, ":saml-provider/") {
				return true
			}
			if positive.MatchString(operator) && strings.HasSuffix(strings.ToLower(key), ":sub") && naming(value) {
				return true
			}
		}
	}
	return false
}

// positive are the operators that let in what they name, and nothing where the key is missing.
var positive = regexp.MustCompile(`(?i)^(ForAnyValue:)?String(Equals|EqualsIgnoreCase|Like)$`)

// anySubject is a subject that may be anybody's: a star from the beginning, or after the word that begins all of a provider's, such as GitHub's repo:*.
var anySubject = regexp.MustCompile(`^([a-z_]*:)?\*`)

// naming reports whether each of a condition's values names somebody.
func naming(value json.RawMessage) bool {
	var all oneOrMore[string]
	err := json.Unmarshal(value, &all)
	return err == nil && len(all) > 0 && !slices.ContainsFunc(all, func(v string) bool { return v == "" || anySubject.MatchString(v) })
}

// everyAllowed gives do each principal whom a policy allows something, with the statement.
func everyAllowed(text string, do func(statement, named)) error {
	d, err := parse(text)
	if err != nil {
		return err
	}
	for _, s := range d.Statement {
		if s.Effect != "Allow" {
			continue
		}
		all, err := s.principals()
		if err != nil {
			return err
		}
		for _, n := range all {
			do(s, n)
		}
	}
	return nil
}

// principals are whom a statement is about.
func (s statement) principals() (all []named, err error) {
	if s.NotPrincipal != nil {
		return []named{{"AWS", "everybody but a few"}}, nil
	}
	var one string
	if json.Unmarshal(s.Principal, &one) == nil {
		if one == "*" {
			one = "everybody"
		}
		return []named{{"AWS", one}}, nil
	}
	var kinds map[string]oneOrMore[string]
	if err := json.Unmarshal(s.Principal, &kinds); err != nil {
		return nil, errors.New("a statement's principal is none")
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		for _, name := range kinds[kind] {
			if kind == "AWS" && name == "*" {
				name = "everybody"
			}
			all = append(all, named{kind, name})
		}
	}
	return all, nil
}

// escalates are calls by which whoever may make them on himself, or on a role that he may assume, gives himself every right.
var escalates = []string{"iam:AttachUserPolicy", "iam:PutUserPolicy", "iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:AddUserToGroup"}

// everything reports whether a policy allows every call on everything, or a call by which its user or role gets there, on whatever. Denials are not weighed.
func everything(d document) bool {
	return slices.ContainsFunc(d.Statement, func(s statement) bool {
		return s.allows("any-service:AnyCall") && s.onAll() || slices.ContainsFunc(escalates, s.allows)
	})
}

// everyBucket reports whether a policy allows the reading of objects in every bucket.
func everyBucket(d document) bool {
	return slices.ContainsFunc(d.Statement, func(s statement) bool { return s.allows("s3:GetObject") && s.onAll() })
}

// allows reports whether a statement allows an action. A pattern is one of IAM's: * and ?, whatever the case.
func (s statement) allows(action string) bool {
	is := func(pattern string) bool { return matches(strings.ToLower(pattern), strings.ToLower(action)) }
	if s.Effect != "Allow" {
		return false
	}
	if s.NotAction != nil {
		return !slices.ContainsFunc(s.NotAction, is)
	}
	return slices.ContainsFunc(s.Action, is)
}

// onAll reports whether a statement is about the objects of every bucket, whatever they are called.
func (s statement) onAll() bool {
	const one, other = "arn:aws:s3:::any-bucket/any/key", "arn:aws:s3:::other/x"
	plain := func(p string) string { return partition.ReplaceAllString(p, "arn:aws:") }
	if s.NotResource != nil {
		return !slices.ContainsFunc(s.NotResource, func(p string) bool { return matches(plain(p), one) || matches(plain(p), other) })
	}
	return slices.ContainsFunc(s.Resource, func(p string) bool { return matches(plain(p), one) && matches(plain(p), other) })
}

// partition is how ARNs begin elsewhere.
var partition = regexp.MustCompile(`^arn:aws-[a-z-]+:`)

// matches compares a text with a pattern of IAM's. path.Match would let no star cross a slash, so that there are none left.
func matches(pattern, text string) bool {
	flat := strings.NewReplacer("/", "\x00", "[", `\[`, `\`, `\\`)
	ok, err := path.Match(flat.Replace(pattern), strings.ReplaceAll(text, "/", "\x00"))
	return ok && err == nil
}
