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
	var all []string
	if plan.hub != nil {
		all = append(all, hubFunction)
	}
	if len(plan.stacks) > 0 {
		all = append(all, "responder", "approver", "enroller", "notices", "doctor", "keeper")
	}
	if slices.ContainsFunc(plan.stacks, Settings.cuts) {
		all = append(all, "cutter")
	}
	if slices.ContainsFunc(plan.stacks, func(s Settings) bool { return s.Canary != "" }) {
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
	type files = map[string]any
	told := files{notify.EndpointsFile: endpoints(s.Email), notify.WatchersFile: endpoints(s.watching())}
	watched := files{settings.WatchedFile: s.watched()}
	// The policy lies beside who decides by it, and beside who checks it with its cases.
	policy, cases := files{settings.PolicyFile: s.PolicyText}, files{}
	if s.PolicyCases != nil {
		cases[settings.CasesFile] = s.PolicyCases
	}
	beside := map[string][]files{"responder": {told, watched, policy}, "approver": {told}, "enroller": {told, watched}, "notices": {told, watched},
		"doctor": {told, policy, cases}, "cutter": {watched}, "rehearser": {told}}
	c := map[string]string{}
	for _, name := range functionsOf(plan{stacks: []Settings{s}}) {
		var err error
		if c[name], err = layOut(built, dir, name, beside[name]...); err != nil {
			return code{}, err
		}
	}
	return code{c["responder"], c["approver"], c["enroller"], c["notices"], c["doctor"], c["cutter"], c["keeper"], c["rehearser"], c["canary"]}, nil
}

// hubFunction is the folder below lambdas of the hub's function.
const hubFunction = "hub"

// code lays out the same for the hub's function.
func (h Hub) code(built, dir string) (string, error) {
	return layOut(built, dir, hubFunction, map[string]any{notify.EndpointsFile: endpoints(h.Email), notify.WatchersFile: endpoints(h.watching())})
}

// layOut makes the folder of one function: its bootstrap, and files beside it, which are texts or written as JSON.
func layOut(built, dir, name string, beside ...map[string]any) (string, error) {
	folder := filepath.Join(dir, name)
	err := os.MkdirAll(folder, 0o755)
	if err == nil {
		err = os.Link(filepath.Join(built, name+".zip"), filepath.Join(folder, "bootstrap.zip"))
	}
	for _, files := range beside {
		for file, holds := range files {
			text, is := holds.([]byte)
			if !is && err == nil {
				text, err = json.Marshal(holds)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, file), text, 0o644)
			}
		}
	}
	return folder, err
}
