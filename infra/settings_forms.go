package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nightlatch/internal/lazyregexp"
)

// cut keeps a value that is hundreds of names from hiding what is wrong with it.
func cut(v string) string {
	const most = 200
	if len(v) <= most {
		return v
	}
	return strings.ToValidUTF8(v[:most], "") + "..."
}

// meant names the setting that a key was probably meant to be: one that two letters make of it.
func meant(key string, known []string) string {
	best := 3
	var name string
	for _, k := range known {
		if d := distance(strings.ToLower(key), strings.ToLower(k)); d < best {
			best, name = d, " (did you mean "+k+"?)"
		}
	}
	return name
}

// distance is how many letters must be put in, taken out or changed to make one word of another:
// https://en.wikipedia.org/wiki/Levenshtein_distance
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// errNot says that a value is not what is accepted, and that there is no more to say.
var errNot = fmt.Errorf("is not")

func match(v string, form *lazyregexp.Regexp, p *string) error {
	if !form.MatchString(v) {
		return errNot
	}
	*p = v
	return nil
}

func list(v string, form *lazyregexp.Regexp, p *[]string) error {
	*p = strings.Split(v, ",")
	for i, e := range *p {
		switch {
		case !form.MatchString(e):
			return fmt.Errorf("%q is not one", e)
		case slices.Contains((*p)[:i], e):
			return fmt.Errorf("%q stands there twice", e)
		}
	}
	return nil
}

func oneOf(v string, ok func(int) bool, p *int) error {
	n, err := strconv.Atoi(v)
	if err != nil || !ok(n) {
		return errNot
	}
	*p = n
	return nil
}
