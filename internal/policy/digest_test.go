package policy

import (
	"bytes"
	"slices"
	"testing"
)

// Each rule of the shipped policy decides one of its cases; ask-otherwise is a reason only where no other is.
func TestTheShippedPolicysCases(t *testing.T) {
	const file = "shipped.cases.json"
	if n, failed, err := Shipped().Test(file, ShippedCases()); err != nil || len(failed) > 0 || n < 30 {
		t.Errorf("%d cases; %q, %v", n, failed, err)
	}
	cases, err := ReadCases(file, ShippedCases())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range Shipped().order {
		decides := slices.ContainsFunc(cases, func(c Case) bool {
			return slices.Contains(ids(Decide(Shipped(), c.Facts, c.Action, c.Target)), string(id))
		})
		if !decides && id != otherwise {
			t.Errorf("no case is decided by %s", id)
		}
	}
}

func TestDigestsNameTheRulesThatDiffer(t *testing.T) {
	text := ShippedText()
	digest := func(text []byte) Digest {
		p, err := Load("own.cedar", text)
		if err != nil {
			t.Fatal(err)
		}
		return DigestOf(p, text)
	}
	shipped := digest(text)
	for name, c := range map[string]struct {
		text []byte
		same bool
		want []string
	}{
		"the same":       {text, true, nil},
		"a comment":      {append([]byte("// ours\n"), text...), false, nil},
		"a number":       {bytes.Replace(text, []byte("context.of_floor >= 100 &&"), []byte("context.of_floor >= 1 &&"), 1), false, []string{"contain-stolen-key"}},
		"a rule less":    {bytes.ReplaceAll(text, []byte("ask-floor"), []byte("ask-less")), false, []string{"ask-floor", "ask-less"}},
		"another reason": {bytes.Replace(text, []byte("no other rule says what to do"), []byte("x"), 1), false, []string{"ask-otherwise"}},
	} {
		got := digest(c.text)
		if (got.SHA256 == shipped.SHA256) != c.same || !slices.Equal(got.Differ(shipped), c.want) || !slices.Equal(shipped.Differ(got), c.want) {
			t.Errorf("%s: %v differ, want %v", name, got.Differ(shipped), c.want)
		}
	}
}
