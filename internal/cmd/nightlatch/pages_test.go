package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/pagestest"
)

var (
	helpCommand = regexp.MustCompile(`(?m)^  ([a-z]+(?:-[a-z]+)*)\b`)
	helpFlag    = regexp.MustCompile(`(?m)^ +(?:(-[a-z]), +)?(--[a-z-]+)`)
	typed       = regexp.MustCompile(`(?:^|[ /])nightlatch ([a-z]+(?:-[a-z]+)*)\b(.*)`)
	typedFlag   = regexp.MustCompile(`(?:^| )(--?[a-z][a-z-]*)`)
)

// help is what the command says of itself.
func help(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), append(args, "--help"), streams{strings.NewReader(""), &out, &errs, &scratch{}}); code != 0 {
		t.Fatalf("%v --help: exit code %d: %s", args, code, errs.String())
	}
	return out.String()
}

// flags are each command's flags, by the command.
func flags(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	_, commands, _ := strings.Cut(help(t), "\nCommands:\n")
	for _, m := range helpCommand.FindAllStringSubmatch(commands, -1) {
		_, list, _ := strings.Cut(help(t, m[1]), "\nFlags:\n")
		for _, f := range helpFlag.FindAllStringSubmatch(list, -1) {
			all[m[1]] = append(all[m[1]], f[2])
			if f[1] != "" {
				all[m[1]] = append(all[m[1]], f[1])
			}
		}
	}
	return all
}

// Each command and each flag stands in the page of whoever is on call, and what any page has one type exists.
func TestThePagesNameTheCommands(t *testing.T) {
	const path = "lambdas/README.md"
	page, all := pagestest.Read(t, path), flags(t)
	var commands, flagged []string
	for command, flags := range all {
		commands = append(commands, command)
		for _, f := range flags {
			if !slices.Contains(flagged, f) {
				flagged = append(flagged, f)
			}
			if row := regexp.MustCompile("(?m)^\\| [^|]*`"+f+"`[^|]*\\| ([^|]*) \\|").FindAllStringSubmatch(page.Text, -1); !rowFor(row, command) {
				t.Errorf("%s has no row of %s for %s", path, f, command)
			}
		}
	}
	pagestest.Same(t, path+", flags", page.Column("flag"), flagged)
	var typedThere []string
	for _, p := range pagestest.All(t) {
		for _, code := range p.Code() {
			m := typed.FindStringSubmatch(code)
			if m == nil || strings.Contains(code, "-o nightlatch") {
				continue
			}
			if all[m[1]] == nil {
				t.Errorf("%s has one type %q, and there is no command %s", p.Path, code, m[1])
				continue
			}
			if p.Path == path && !slices.Contains(typedThere, m[1]) {
				typedThere = append(typedThere, m[1])
			}
			for _, f := range typedFlag.FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(all[m[1]], f[1]) {
					t.Errorf("%s has one type %q, and %s has no flag %s", p.Path, code, m[1], f[1])
				}
			}
		}
	}
	for _, command := range commands {
		if !slices.Contains(typedThere, command) && !slices.Contains(page.Column("command"), "nightlatch "+command) {
			t.Errorf("%s does not say how to type %s", path, command)
		}
	}
}

// rowFor reports whether one of a flag's rows is for a command, or for all.
func rowFor(rows [][]string, command string) bool {
	return slices.ContainsFunc(rows, func(row []string) bool {
		return row[1] == "all" || strings.Contains(row[1], "`"+command+"`") ||
			strings.HasPrefix(row[1], "all six") && !slices.Contains([]string{"demo", "respond", "judge", "version"}, command)
	})
}
