package lazyregexp

import "testing"

func TestATextIsCompiledWhenItIsUsed(t *testing.T) {
	bad := New("(")
	if bad.String() != "(" {
		t.Errorf("got %q", bad)
	}
	defer func() {
		if recover() == nil {
			t.Error("a text that is no expression was used")
		}
	}()
	bad.MatchString("x")
}

func TestItAnswersAsRegexp(t *testing.T) {
	r := New(`([a-z])([0-9]+)`)
	for range 2 {
		if got := r.FindAllStringSubmatch("a1 b22", -1); len(got) != 2 || got[1][0] != "b22" || got[1][2] != "22" {
			t.Errorf("got %q", got)
		}
		if got := r.ReplaceAllString("a1 b22", "$2$1"); got != "1a 22b" {
			t.Errorf("got %q", got)
		}
	}
}
