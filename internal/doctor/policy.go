package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlatch/internal/grant"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// PolicyName is the check of the policy.
const PolicyName = "policy"

// PolicyFile is a policy as it lies somewhere.
type PolicyFile struct {
	// Name is what it is called.
	Name string
	// Text is the policy, and Cases its cases; nil where it has none.
	Text, Cases []byte
}

// PolicyRead reads the policy that is judged. Errors are one sentence.
type PolicyRead func() (PolicyFile, error)

// shippedFile is the policy that this version ships with.
func shippedFile() PolicyFile {
	return PolicyFile{Name: "shipped.cedar", Text: policy.ShippedText(), Cases: policy.ShippedCases()}
}

// Policy checks that a policy loads, fits the schema, decides its cases as they expect, and is the one that was deployed.
func Policy(stack Stack, read PolicyRead, grants ...grant.Grant) Check {
	return onStack(PolicyName, stack, grants, func(_ context.Context, d Deployed) Answer {
		f, err := read()
		if err != nil {
			return unread(err)
		}
		return f.judge(d.Policy)
	})
}

// PolicyLately is Policy where no file of it is here: if the shipped policy was deployed, that is judged, and otherwise the doctor's function has.
func PolicyLately(stack Stack, memory Memory, now func() time.Time, grants ...grant.Grant) Check {
	lately := Lately(PolicyName, memory, now)
	return onStack(PolicyName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		if f := shippedFile(); policy.DigestOf(policy.Shipped(), f.Text).SHA256 == d.Policy.SHA256 {
			return f.judge(d.Policy)
		}
		return lately.Run(ctx)
	})
}

const deployPolicy = "mend the file, and deploy it with -c policy=FILE: nightlatch policy check and nightlatch policy test say where"

// judge says whether the policy works and was deployed.
func (f PolicyFile) judge(deployed policy.Digest) Answer {
	name := prose.Safe(f.Name)
	p, err := policy.Load(f.Name, f.Text)
	if err != nil {
		return Answer{Found: []Finding{{Says: "the policy does not load, so that the responder asks about everything: " + prose.Plain(err.Error()), Mend: deployPolicy}}}
	}
	var all []Finding
	tested := "it has no cases"
	if f.Cases != nil {
		n, failed, err := p.Test(policy.CasesFile(f.Name), f.Cases)
		switch {
		case err != nil:
			all = append(all, Finding{Says: "the policy's cases do not load: " + prose.Plain(err.Error()), Mend: deployPolicy})
		case len(failed) > 0:
			all = append(all, Finding{Says: fmt.Sprintf("%s decides %d of %s otherwise: %s", name, len(failed), prose.Plural(int64(n), "case"), prose.Plain(failed[0])), Mend: deployPolicy})
		}
		tested = prose.Plural(int64(n), "case") + " decided as expected"
	}
	is := policy.DigestOf(p, f.Text)
	switch {
	case deployed.SHA256 == "" && len(all) == 0:
		return unread(errors.New("the stack does not say which policy was deployed, as it is of an earlier version; deploy this one"))
	case deployed.SHA256 != "" && deployed.SHA256 != is.SHA256:
		all = append(all, Finding{Says: fmt.Sprintf("%s is not the policy that was deployed: its SHA-256 is %s, and that one's %s; %s", name, is.SHA256, prose.Safe(deployed.SHA256), differing(is, deployed)),
			Mend: "deploy it with -c policy=FILE, or judge the file that was deployed: nightlatch doctor --policy FILE"})
	}
	return found(all, "%s was deployed, fits the schema, and has %s; %s", name, prose.Plural(int64(p.Rules()), "rule"), tested)
}

// differing says in which rules two policies differ.
func differing(a, b policy.Digest) string {
	ids := a.Differ(b)
	if len(ids) == 0 {
		return "no rule differs"
	}
	return "the rules differ that are called " + prose.List(ids)
}
