package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"nightlatch/internal/deployments"
	"nightlatch/internal/settings"
)

// plan are the stacks of one synthesis, and the hub's, nil where there is none.
type plan struct {
	stacks []Settings
	hub    *Hub
}

// deploymentsKey is the context's key for a file of deployments.
const deploymentsKey = "deployments"

// planned is what a CDK context asks for: one stack by its settings, for the account and the region of the caller's credentials where those are
// known, or by -c deployments=FILE one for each account and region in the file. What is wrong is a line for each mistake.
func planned(context map[string]any, account, region string) (plan, error) {
	file, ok := context[deploymentsKey]
	if !ok {
		s, err := Read(context)
		if err != nil {
			return plan{}, err
		}
		return plan{stacks: []Settings{s}}, s.deployTo(account, region)
	}
	name, _ := file.(string)
	if name == "" {
		return plan{}, fmt.Errorf("deployments is %v, and should be the path of a file that lists deployments", file)
	}
	var s Settings
	for _, f := range s.fields() {
		if _, beside := context[f.key]; beside {
			return plan{}, fmt.Errorf("%s is given beside deployments=%s: put it into that file, for one deployment or for all as shared", f.key, name)
		}
	}
	rest := maps.Clone(context)
	delete(rest, deploymentsKey)
	if wrong := s.unknown(rest); len(wrong) > 0 {
		return plan{}, errors.Join(wrong...)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return plan{}, fmt.Errorf("reading the deployments: %v", err)
	}
	return planFile(name, text)
}

// commandLine makes of what is said for a command line what holds for a file.
var commandLine = strings.NewReplacer("give -c ", "give ", "or -c ", "or ")

// planFile makes the stacks of a file of deployments. Paths in it are seen from its folder.
func planFile(name string, text []byte) (plan, error) {
	f, err := deployments.Parse(name, text)
	if err != nil {
		return plan{}, err
	}
	var p plan
	var mistakes []error
	said := map[string]bool{}
	say := func(d deployments.Deployment, what string, wrong []error) {
		for _, err := range wrong {
			var m misset
			key := ""
			if errors.As(err, &m) {
				key = m.key
			}
			text := commandLine.Replace(err.Error())
			line := fmt.Sprintf("%s: %s", d.Place(key), text)
			if !d.Shared(key) {
				line = fmt.Sprintf("%s: %s (%s %s): %s", d.Place(key), what, d.Account, d.Region, text)
			}
			if !said[line] { // what several share is wrong once
				mistakes = append(mistakes, errors.New(line))
			}
			said[line] = true
		}
	}
	for i, d := range f.Deployments {
		context := maps.Clone(d.Settings)
		if path := d.Policy(); path != "" {
			context["policy"] = path
		}
		s, wrong := readFor(homeIn(d), context)
		s.Stack = stackName + "-" + d.Account + "-" + d.Region
		s.Given = d.Settings // with paths as they stand there
		p.stacks = append(p.stacks, s)
		say(d, fmt.Sprintf("deployments[%d]", i), wrong)
	}
	if d := f.Hub; d != nil {
		h, wrong := readHub(homeIn(*d), d.Settings)
		p.hub = &h
		say(*d, "hub", wrong)
	}
	if len(mistakes) > 0 {
		return plan{}, errors.Join(mistakes...)
	}
	return p, nil
}

// homeIn is where a deployment of a file goes.
func homeIn(d deployments.Deployment) Home {
	return Home{settings.PartitionOf(d.Region), d.Region, d.Account}
}

// warn says what is worth a second look before any of the stacks is deployed, each sentence once, with the stacks that it is about.
func (p plan) warn(out io.Writer) {
	var said []string
	about := map[string][]string{}
	for _, s := range p.stacks {
		without := ""
		if len(s.Watchers) == 0 {
			without = noWatchers
		}
		elsewhere := ""
		if len(p.stacks) == 1 { // a file says where each stack goes
			elsewhere = s.elsewhere()
		}
		for _, text := range []string{s.policyLacks(), without, elsewhere, s.lacksDeeds(), s.administrates()} {
			if text == "" {
				continue
			}
			if about[text] == nil {
				said = append(said, text)
			}
			about[text] = append(about[text], s.name())
		}
	}
	for _, text := range said {
		fmt.Fprintln(out, text)
		if stacks := about[text]; len(p.stacks) > 1 && len(stacks) < len(p.stacks) {
			slices.Sort(stacks)
			fmt.Fprintf(out, "Nightlatch: this is about %s\n", strings.Join(stacks, ", "))
		}
	}
}
