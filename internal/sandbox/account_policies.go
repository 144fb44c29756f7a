package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
)

// What can be ordered in an account in memory, with what IAM and S3 refuse. It has every bucket that it is asked for, until that is deleted.

// newestQuarantine is AWS's newest quarantine policy that this account sees.
const newestQuarantine = "AWSCompromisedKeyQuarantineV4"

// standing is what stands on a user or role beside keys and tags: its inline policies by name, and the ARNs of its managed ones.
type standing struct {
	inline   map[string]string
	attached []string
}

// bucket is what stands on a bucket.
type bucket struct {
	policy containment.Doc // the whole
	access containment.Doc
	gone   bool
}

func (a *Account) bucket(name string) *bucket {
	if a.buckets[name] == nil {
		a.buckets[name] = &bucket{policy: containment.Doc{Absent: true}, access: containment.Doc{Absent: true}}
	}
	return a.buckets[name]
}

// SetBucketPolicy puts a bucket's policy, as somebody else than the responder does it.
func (a *Account) SetBucketPolicy(name, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bucket(name).policy = containment.Doc{Text: text}
}

// DeleteBucket takes a bucket away.
func (a *Account) DeleteBucket(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.buckets[name] = &bucket{policy: containment.Doc{Absent: true}, access: containment.Doc{Absent: true}, gone: true}
}

// Set makes a setting what somebody else than the responder makes of it, whatever that is.
func (a *Account) Set(ref containment.Ref, doc containment.Doc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(ref, doc)
}

// Quarantine is which of AWS's quarantine policies a user has, with attached true; else the newest that this account sees.
func (a *Account) Quarantine(_ context.Context, user, _ string) (name string, attached bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.called("Quarantine"); err != nil || a.users[user] == nil {
		return "", false, err
	}
	newest := 0
	for _, arn := range a.users[user].attached {
		if n, version := containment.Quarantine(arn); version > newest {
			name, newest = n, version
		}
	}
	if newest > 0 {
		return name, true, nil
	}
	return newestQuarantine, false, nil
}

// Cut implements containment.Cutter, with the faults of "Cut". As with AWS, whoever carries the tag that protects is out of its reach.
func (a *Account) Cut(_ context.Context, o containment.Order) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.called("Cut")
	if failed(err) {
		return err
	}
	t, tags := policy.Target{Type: policy.User, ID: a.arn("user", "", o.User), Owner: o.User}, map[string]string(nil)
	switch {
	case o.Bucket != "":
		t = containment.BucketTarget(o.Partition, o.Bucket)
	case o.Role != "":
		t = policy.Target{Type: policy.Role, ID: a.arn("role", "", o.Role), Owner: o.Role}
		if r := a.roles[o.Role]; r != nil {
			tags = r.Tags
		}
	case a.users[o.User] != nil:
		tags = a.users[o.User].Tags
	}
	s, wrong := o.Step(t, containment.Doc{Absent: true})
	if wrong != nil {
		return fmt.Errorf("%w: %w", containment.ErrNotDone, wrong)
	}
	if _, protected := tags[protectTag]; protected {
		return fmt.Errorf("%w: the cutter may not change %q, which is protected", containment.ErrNotDone, t.Owner)
	}
	if refused := a.write(s.Ref, s.After); refused != nil {
		return refused
	}
	return err
}

// failed reports whether a call with this fault comes to nothing.
func failed(fault error) bool {
	var after ErrAfter
	return fault != nil && !errors.As(fault, &after)
}

// get is what a setting holds.
func (a *Account) get(ref containment.Ref) (containment.Doc, error) {
	absent := containment.Doc{Absent: true}
	on := a.standing(ref)
	switch ref.Type {
	case containment.KeyStatus:
		if u, k := a.find(ref.Name); k != nil && u.Name == ref.Owner {
			return containment.Doc{Text: k.Status}, nil
		}
		return absent, nil
	case containment.UserPolicy, containment.RolePolicy:
		if on != nil && on.inline[ref.Name] != "" {
			return containment.Doc{Text: containment.Canonical(on.inline[ref.Name])}, nil
		}
		return absent, nil
	case containment.UserAttachment:
		if on != nil && slices.Contains(on.attached, ref.Name) {
			return containment.Doc{Text: containment.Attached}, nil
		}
		return absent, nil
	case containment.BucketPolicy:
		return containment.StatementOf(a.bucket(ref.Owner).policy, ref.Name)
	case containment.PublicAccessBlock:
		return a.bucket(ref.Name).access, nil
	}
	return containment.Doc{}, fmt.Errorf("the sandbox has no %q", ref.Type)
}

// standing is what stands on the user or role of a setting; nil where there is none.
func (a *Account) standing(ref containment.Ref) *standing {
	switch ref.Type {
	case containment.UserPolicy, containment.UserAttachment:
		if u := a.users[ref.Owner]; u != nil {
			return &u.standing
		}
	case containment.RolePolicy:
		if r := a.roles[ref.Owner]; r != nil {
			return &r.standing
		}
	}
	return nil
}

// write changes a setting, or refuses as the real account does.
func (a *Account) write(ref containment.Ref, doc containment.Doc) error {
	if why := a.refusal(ref, doc); why != "" {
		return fmt.Errorf("%w: %s", containment.ErrNotDone, why)
	}
	if ref.Type == containment.BucketPolicy {
		b := a.bucket(ref.Owner)
		next, err := containment.WithStatement(b.policy, ref.Owner, ref.Name, doc)
		switch {
		case err != nil:
			return fmt.Errorf("%w: bucket %q: %w", containment.ErrNotDone, ref.Owner, err)
		case next == b.policy:
			return nil
		case b.gone:
			return fmt.Errorf("%w: there is no bucket %q", containment.ErrNotDone, ref.Owner)
		case len(next.Text) > containment.MaxBucketPolicy:
			return fmt.Errorf("%w: the policy of bucket %q has no room for it", containment.ErrNotDone, ref.Owner)
		case len(containment.Dangling(next)) > 0:
			return fmt.Errorf("%w: the policy of bucket %q names a principal that was deleted", containment.ErrNotDone, ref.Owner)
		}
		b.policy = next
	} else {
		a.put(ref, doc)
	}
	a.writes++
	return nil
}

// refusal is why a setting cannot be that; "" where it can.
func (a *Account) refusal(ref containment.Ref, doc containment.Doc) string {
	on := a.standing(ref)
	switch ref.Type {
	case containment.KeyStatus:
		u, k := a.find(ref.Name)
		switch {
		case doc.Absent || doc.Text != containment.Active && doc.Text != containment.Inactive:
			return fmt.Sprintf("the sandbox cannot write %+v to %+v", doc, ref)
		case k == nil || u.Name != ref.Owner:
			return fmt.Sprintf("user %q has no key %q", ref.Owner, ref.Name)
		}
	case containment.UserPolicy, containment.RolePolicy:
		return a.refusesInline(ref, doc, on)
	case containment.UserAttachment:
		name, _ := containment.Quarantine(ref.Name)
		switch {
		case name == "" || !doc.Absent && doc.Text != containment.Attached:
			return fmt.Sprintf("%q is no quarantine that could be attached or detached", ref.Name)
		case doc.Absent:
		case on == nil:
			return fmt.Sprintf("there is no user %q", ref.Owner)
		case len(on.attached) >= containment.MaxAttached && !slices.Contains(on.attached, ref.Name):
			return fmt.Sprintf("user %q has %d policies already", ref.Owner, containment.MaxAttached)
		}
	case containment.PublicAccessBlock:
		if doc.Absent {
			return ""
		}
		if _, err := containment.ReadAccessBlock(doc.Text); err != nil {
			return err.Error()
		}
		if a.bucket(ref.Name).gone {
			return fmt.Sprintf("there is no bucket %q", ref.Name)
		}
	case containment.BucketPolicy:
	default:
		return fmt.Sprintf("the sandbox cannot write %+v to %+v", doc, ref)
	}
	return ""
}

// refusesInline is why an inline policy cannot be that.
func (a *Account) refusesInline(ref containment.Ref, doc containment.Doc, on *standing) string {
	most := containment.MaxUserPolicies
	if ref.Type == containment.RolePolicy {
		r := a.roles[ref.Owner]
		most = containment.MaxRolePolicies
		// What Identity Center and services made is theirs.
		if r != nil && (strings.HasPrefix(r.Name, "AWSReservedSSO_") || strings.HasPrefix(r.Path, "/aws-reserved/") || strings.HasPrefix(r.Path, "/aws-service-role/")) {
			return fmt.Sprintf("role %q is only modifiable by AWS", r.Name)
		}
	}
	switch {
	case doc.Absent:
		return ""
	case !containment.Denies(doc.Text):
		return fmt.Sprintf("%q is no denial", doc.Text)
	case on == nil:
		return fmt.Sprintf("there is no %q that could have a %s", ref.Owner, ref.Type)
	case on.inline[ref.Name] != "" && containment.Canonical(on.inline[ref.Name]) != containment.Canonical(doc.Text):
		return fmt.Sprintf("%q has another policy of the name %q", ref.Owner, ref.Name)
	}
	size := characters(doc.Text)
	for name, text := range on.inline {
		if name != ref.Name {
			size += characters(text)
		}
	}
	if size > most {
		return fmt.Sprintf("the inline policies of %q would have %d characters, and have %d at most", ref.Owner, size, most)
	}
	return ""
}

// characters counts a policy as IAM does.
func characters(text string) (n int) {
	for _, c := range text {
		if !unicode.IsSpace(c) {
			n++
		}
	}
	return n
}

// put makes a setting a document, where there is whose it is.
func (a *Account) put(ref containment.Ref, doc containment.Doc) {
	on := a.standing(ref)
	switch ref.Type {
	case containment.KeyStatus:
		if _, k := a.find(ref.Name); k != nil {
			k.Status = doc.Text
		}
	case containment.UserPolicy, containment.RolePolicy:
		if on == nil {
			return
		}
		if on.inline == nil {
			on.inline = map[string]string{}
		}
		on.inline[ref.Name] = doc.Text
		if doc.Absent {
			delete(on.inline, ref.Name)
		}
	case containment.UserAttachment:
		if on == nil {
			return
		}
		on.attached = slices.DeleteFunc(on.attached, func(arn string) bool { return arn == ref.Name })
		if !doc.Absent {
			on.attached = append(on.attached, ref.Name)
		}
	case containment.PublicAccessBlock:
		if b := a.bucket(ref.Name); !b.gone {
			b.access = doc
		}
	}
}
