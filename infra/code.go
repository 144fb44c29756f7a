package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	"nightlatch/internal/notify"
	"nightlatch/internal/settings"
)

// code are the directories with what is packed as each function's code.
type code struct {
	responder, approver, enroller, notices, doctor, cutter, keeper, rehearser, canary string
}

// functionsOf are the folders below lambdas of the functions that any of the stacks has.
func functionsOf(plan plan) []string {
	all := []string{"responder", "approver", "enroller", "notices", "doctor", "keeper"}
	if slices.ContainsFunc(plan, Settings.cuts) {
		all = append(all, "cutter")
	}
	if slices.ContainsFunc(plan, func(s Settings) bool { return s.Canary != "" }) {
		all = append(all, "rehearser", "canary")
	}
	return all
}

// buildAll compiles functions, and zips each, once: dir/NAME.zip.
func buildAll(root, dir string, functions []string) error {
	var packages []string
	for _, name := range functions {
		packages = append(packages, "./lambdas/"+name)
	}
	if err := build(root, dir, packages...); err != nil {
		return err
	}
	for _, name := range functions {
		if _, _, err := pack(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// code lays out below dir what is packed as the code of a stack's functions: those that were built, and beside each what it reads there.
func (s Settings) code(built, dir string) (code, error) {
	functions := functionsOf(plan{s})
	c := map[string]string{}
	for _, name := range functions {
		c[name] = filepath.Join(dir, name)
		if err := os.MkdirAll(c[name], 0o755); err != nil {
			return code{}, err
		}
		if err := os.Link(filepath.Join(built, name+".zip"), filepath.Join(c[name], "bootstrap.zip")); err != nil {
			return code{}, err
		}
	}
	put := func(file string, text []byte, beside ...string) error {
		for _, name := range beside {
			if !slices.Contains(functions, name) {
				continue
			}
			if err := os.WriteFile(filepath.Join(c[name], file), text, 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	telling := []string{"responder", "approver", "enroller", "notices", "doctor", "rehearser"}
	for _, f := range []struct {
		file   string
		holds  any
		beside []string
	}{
		{settings.WatchedFile, s.watched(), []string{"enroller", "responder", "notices", "cutter"}},
		{notify.EndpointsFile, endpoints(s.Email), telling},
		{notify.WatchersFile, endpoints(s.watching()), telling},
	} {
		text, err := json.Marshal(f.holds)
		if err != nil {
			return code{}, err
		}
		if err := put(f.file, text, f.beside...); err != nil {
			return code{}, err
		}
	}
	// The policy lies beside who decides by it, and beside who checks it with its cases.
	if err := put(settings.PolicyFile, s.PolicyText, "responder", "doctor"); err != nil {
		return code{}, err
	}
	if s.PolicyCases != nil {
		if err := put(settings.CasesFile, s.PolicyCases, "doctor"); err != nil {
			return code{}, err
		}
	}
	return code{c["responder"], c["approver"], c["enroller"], c["notices"], c["doctor"], c["cutter"], c["keeper"], c["rehearser"], c["canary"]}, nil
}
