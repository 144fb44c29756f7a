package settings

import (
	"path"
	"strings"
	"testing"
)

func TestWhatAPatternCovers(t *testing.T) {
	const user = "arn:aws:iam::111122223333:user/"
	for _, c := range []struct {
		pattern, arn string
		want         bool
	}{
		{user + "mara", user + "mara", true}, {user + "mara", user + "mara2", false}, {user + "mara", user + "x/mara", false}, {user + "mara", "", false},
		{user + "*", user + "ops/mara", true}, {user + "*", "arn:aws:iam::111122223333:role/mara", false}, {user + "ops/*", user + "ops/", true}, {user + "ops/*", user + "op", false},
		{"arn:aws:iam::*:user/break-glass-*", user + "break-glass-1", true}, {"arn:aws:iam::*:user/break-glass-*", user + "no-break-glass-1", false},
		{user + "*-ci", user + "team-ci", true}, {user + "*-ci", user + "team-ci-2", false}, {user + "a*b*c", user + "abbc", true}, {user + "a*b*c", user + "acb", false},
		{user + "**", user + "x", true}, {user + "a*a", user + "a", false}, {"*", user, false}, {user + "M*", user + "mara", false},
		// A path may have colons in it, and whoever makes a user chooses it.
		{"arn:aws:iam::*:user/break-glass", user + "foo:user/break-glass", false}, {"arn:aws:iam::*:user/break-glass", user + "break-glass", true},
		{"arn:aws:iam::444455556666:user/*", user + "x", false}, {"arn:aws-cn:iam::*:user/*", user + "x", false}, {"arn:aws:iam::*:role/x", user + "x", false},
	} {
		if got := Covers(c.pattern, c.arn); got != c.want {
			t.Errorf("%s covers %s: %t", c.pattern, c.arn, got)
		}
	}
}

// path.Match is another reading of a star, where no slash is in the text.
func FuzzGlob(f *testing.F) {
	f.Add("a*b", "aab")
	f.Add("*a*", "b")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if strings.ContainsAny(pattern, "?[]\\/") || strings.Contains(text, "/") {
			return
		}
		if want, err := path.Match(pattern, text); err == nil && glob(pattern, text) != want {
			t.Errorf("%q covers %q: %t", pattern, text, !want)
		}
	})
}
