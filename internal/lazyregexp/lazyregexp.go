// Package lazyregexp has regular expressions that are compiled when they are first used. A function's start waits for every table that its packages
// make, and one with {1,128} in it takes as long as a small program: see BenchmarkStart.
package lazyregexp

import (
	"regexp"
	"sync"
)

// Regexp is a regular expression, https://pkg.go.dev/regexp/syntax. Its methods are those of regexp.Regexp.
type Regexp struct {
	text     string
	compiled func() *regexp.Regexp
}

// New is the expression of a text. It panics when it is first used, where the text is none. Inlined, it took a kilobyte and a half of the
// responder for each expression.
//
//go:noinline
func New(text string) *Regexp {
	return &Regexp{text, sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })}
}

// String implements fmt.Stringer: the text, without a compilation.
func (r *Regexp) String() string { return r.text }

func (r *Regexp) MatchString(s string) bool              { return r.compiled().MatchString(s) }
func (r *Regexp) Match(b []byte) bool                    { return r.compiled().Match(b) }
func (r *Regexp) Split(s string, n int) []string         { return r.compiled().Split(s, n) }
func (r *Regexp) FindString(s string) string             { return r.compiled().FindString(s) }
func (r *Regexp) FindStringIndex(s string) []int         { return r.compiled().FindStringIndex(s) }
func (r *Regexp) FindStringSubmatch(s string) []string   { return r.compiled().FindStringSubmatch(s) }
func (r *Regexp) FindAllString(s string, n int) []string { return r.compiled().FindAllString(s, n) }
func (r *Regexp) FindAllStringSubmatch(s string, n int) [][]string {
	return r.compiled().FindAllStringSubmatch(s, n)
}
func (r *Regexp) ReplaceAllString(s, with string) string {
	return r.compiled().ReplaceAllString(s, with)
}
func (r *Regexp) ReplaceAllStringFunc(s string, with func(string) string) string {
	return r.compiled().ReplaceAllStringFunc(s, with)
}
