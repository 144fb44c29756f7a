package posture

import (
	"encoding/json"
	"errors"
	"fmt"
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
	Condition               map[string]json.RawMessage
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

// lets are those whom a bucket's policy lets in who are not of the account: everybody, other accounts, and what is no principal of an account. The
// services of AWS are left out. What holds only under a condition is said to.
func lets(text, account string) (who []string, err error) {
	if text == "" {
		return nil, nil
	}
	d, err := parse(text)
	if err != nil {
		return nil, err
	}
	for _, s := range d.Statement {
		if s.Effect != "Allow" {
			continue
		}
		names, err := s.principals()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if m := twelve.FindStringSubmatch(name); m != nil && m[1] == account {
				continue
			}
			if len(s.Condition) > 0 {
				name += " under a condition"
			}
			if !slices.Contains(who, name) {
				who = append(who, name)
			}
		}
	}
	return who, nil
}

// principals are whom a statement is about, without services.
func (s statement) principals() ([]string, error) {
	if s.NotPrincipal != nil {
		return []string{"everybody but a few"}, nil
	}
	var all string
	if json.Unmarshal(s.Principal, &all) == nil {
		if all == "*" {
			all = "everybody"
		}
		return []string{all}, nil
	}
	var kinds map[string]oneOrMore[string]
	if err := json.Unmarshal(s.Principal, &kinds); err != nil {
		return nil, errors.New("a statement's principal is none")
	}
	var names []string
	for kind, of := range kinds {
		for _, name := range of {
			switch {
			case kind == "Service":
				continue
			case kind == "AWS" && name == "*":
				name = "everybody"
			case kind != "AWS":
				name = kind + " " + name
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// escalates are calls by which whoever may make them on himself gives himself every right.
var escalates = []string{"iam:AttachUserPolicy", "iam:PutUserPolicy", "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:AddUserToGroup"}

// everything reports whether a policy allows every call on everything, or a call by which its user gets there, on whatever. Denials are not weighed.
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
