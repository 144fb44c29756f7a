// Package deployments reads the file that describes a company's deployments: what all of them share, and what differs for each account and
// region. It is pure. Which settings there are, and what they accept, infra knows; the command goes through the same file.
package deployments

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
)

// File is what such a file says.
type File struct {
	// Deployments are in the file's order, at least one, and no two of one account and region.
	Deployments []Deployment
	// Hub is the hub's stack, nil where the file has none. Where it has one, each deployment has the setting hub, unless it says otherwise, and the hub
	// has the accounts of all of them beside its own.
	Hub *Deployment
}

// Deployment is one stack: where it goes, and with which settings.
type Deployment struct {
	// Stack is what CloudFormation calls the stack there.
	Stack string
	// Account is an account id, and Region a region of the same partition.
	Account, Region string
	// Profile is the profile of the AWS configuration with which the command reaches it, and Role the name of the role that the command assumes
	// there; "" where the human's own credentials do. The CDK uses neither: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
	Profile, Role string
	// Settings are the settings by their names, those that all share and those of its unit among them: texts, numbers and lists of texts.
	Settings map[string]any

	line  int
	lines map[string]int // of the settings
	own   map[string]bool
	file  string
}

// Name is the deployment in a few words.
func (d Deployment) Name() string {
	if d.Stack == settings.HubName {
		return "the hub in " + d.Account + " " + d.Region
	}
	return d.Account + " " + d.Region
}

// Place is where a setting stands in the file, as a compiler says it; where it stands nowhere, and for "", where the deployment does.
func (d Deployment) Place(setting string) string {
	return fmt.Sprintf("%s:%d", d.file, cmp.Or(d.lines[setting], d.line))
}

// Shared reports whether a setting is one that others have from the same place.
func (d Deployment) Shared(setting string) bool { return d.lines[setting] > 0 && !d.own[setting] }

// Policy is the path of the deployment's policy, seen from the file's folder; "" for the shipped one.
func (d Deployment) Policy() string {
	path, _ := d.Settings["policy"].(string)
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(d.file), path)
}

// Accounts are the accounts of the deployments, each once, in order.
func (f File) Accounts() []string {
	var all []string
	for _, d := range f.Deployments {
		all = append(all, d.Account)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// What stands beside a deployment's settings.
const (
	accountKey, regionKey, profileKey, roleKey = "account", "region", "profile", "role"
	sharedKey, unitsKey, unitKey               = "shared", "units", "unit"
	hubKey, accountsKey, deploymentsKey        = "hub", "accounts", "deployments"
)

var (
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
	regionName = regexp.MustCompile(`^[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}$`)
	profile    = regexp.MustCompile(`^[^\s"']{1,128}$`)
	// https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html, with a path before the name.
	role = regexp.MustCompile(`^([\w+=,.@-]+/)*[\w+=,.@-]{1,64}$`)
)

// Parse reads a file. What is wrong is a line for each mistake, FILE:LINE: and a sentence; settings themselves are not judged here.
func Parse(name string, text []byte) (File, error) {
	root, twice, err := read(name, text)
	if err != nil {
		return File{}, err
	}
	p := parser{name: name, mistakes: twice}
	p.only(root, "the file", sharedKey, unitsKey, hubKey, deploymentsKey)
	shared := p.common(p.object(root, sharedKey), sharedKey)
	units := p.object(root, unitsKey)
	for _, name := range slices.Sorted(maps.Keys(units.members)) {
		units.members[name] = p.common(p.object(units, name), "unit "+prose.Safe(name))
	}
	used := map[string]bool{}
	var f File
	list, ok := root.members[deploymentsKey]
	switch {
	case !ok:
		p.wrong(root.line, "deployments is missing: a list with account, region and settings of each")
	case list.kind != listKind || len(list.items) == 0:
		p.wrong(list.line, "deployments should be a list of one deployment or more, each with account, region and settings")
	}
	first := map[string]int{}
	for i, item := range list.items {
		if item.kind != objectKind {
			p.wrong(item.line, "deployments[%d] should be an object with account, region and settings", i)
			continue
		}
		unit := node{}
		if name, ok := item.members[unitKey].value.(string); ok && len(units.members) > 0 {
			if unit, ok = units.members[name]; !ok {
				p.wrong(item.members[unitKey].line, "deployments[%d] is of unit %+.100q, and units has none of that name", i, name)
			}
			used[name] = true
		}
		d := p.deployment(fmt.Sprintf("deployments[%d]", i), item, shared, unit)
		if before, twice := first[d.Name()]; twice && d.Account != "" && d.Region != "" {
			p.wrong(item.line, "account %s has region %s twice, first in line %d: one deployment watches all buckets of an account in a region; put them together", d.Account, d.Region, before)
		} else {
			first[d.Name()] = item.line
		}
		f.Deployments = append(f.Deployments, d)
	}
	for _, name := range slices.Sorted(maps.Keys(units.members)) {
		if !used[name] {
			p.wrong(units.members[name].line, "no deployment is of unit %s", prose.Safe(name))
		}
	}
	if _, ok := root.members[hubKey]; ok {
		hub := p.deployment(hubKey, p.object(root, hubKey))
		hub.Stack = settings.HubName
		given, _ := settings.Text(hub.Settings[accountsKey])
		accounts := f.Accounts()
		if given != "" {
			accounts = append(accounts, strings.Split(given, ",")...)
		}
		slices.Sort(accounts)
		hub.Settings[accountsKey] = strings.Join(slices.Compact(accounts), ",")
		f.Hub = &hub
		for i, d := range f.Deployments {
			if d.lines[hubKey] == 0 { // or it has another, or null
				f.Deployments[i].Settings[hubKey] = "arn:" + settings.PartitionOf(hub.Region) + ":events:" + hub.Region + ":" + hub.Account + ":event-bus/" + settings.HubName
			}
		}
	}
	if err := errors.Join(p.mistakes...); err != nil {
		return File{}, err
	}
	return f, nil
}

// parser collects what is wrong.
type parser struct {
	name     string
	mistakes []error
}

func (p *parser) wrong(line int, format string, a ...any) {
	p.mistakes = append(p.mistakes, fmt.Errorf("%s:%d: "+format, append([]any{p.name, line}, a...)...))
}

// only finds members that an object does not have.
func (p *parser) only(n node, what string, known ...string) {
	for _, key := range slices.Sorted(maps.Keys(n.members)) {
		if !slices.Contains(known, key) {
			p.wrong(n.members[key].line, "%s has no %s; it has %s", what, prose.Safe(key), strings.Join(known, ", "))
		}
	}
}

// object is a member that is an object; without members where it is not there.
func (p *parser) object(n node, key string) node {
	m, ok := n.members[key]
	if ok && m.kind != objectKind {
		p.wrong(m.line, "%s should be an object, {…}", key)
	}
	if !ok || m.kind != objectKind {
		return node{kind: objectKind, line: n.line, members: map[string]node{}}
	}
	return m
}

// common finds what only a deployment itself can have among settings of several.
func (p *parser) common(n node, what string) node {
	for _, key := range []string{accountKey, regionKey, unitKey} {
		if m, ok := n.members[key]; ok {
			p.wrong(m.line, "%s stands in %s: each deployment has its own", key, what)
			delete(n.members, key)
		}
	}
	return n
}

// deployment reads one deployment over what it shares with others, of which the later counts more. A null leaves a setting out.
func (p *parser) deployment(what string, n node, common ...node) Deployment {
	d := Deployment{Stack: settings.StackName, Settings: map[string]any{}, line: n.line, lines: map[string]int{}, own: map[string]bool{}, file: p.name}
	for i, from := range append(common, n) {
		for _, key := range slices.Sorted(maps.Keys(from.members)) {
			m := from.members[key]
			delete(d.Settings, key)
			if d.lines[key], d.own[key] = m.line, i == len(common); m.kind == nullKind {
				continue
			}
			value, ok := m.setting()
			if !ok {
				if d.own[key] || what == "deployments[0]" { // what is shared is wrong once
					p.wrong(m.line, "%s should be a text, a number, or a list of texts", prose.Safe(key))
				}
				continue
			}
			d.Settings[key] = value
		}
	}
	for _, k := range []struct {
		key, accepts string
		required     bool
		form         *regexp.Regexp
		into         *string
	}{
		{accountKey, "an account id of 12 digits, in quotation marks", true, accountID, &d.Account},
		{regionKey, "an AWS region, such as eu-west-1", true, regionName, &d.Region},
		{profileKey, "the name of a profile of the AWS configuration", false, profile, &d.Profile},
		{roleKey, "the name of a role that the command assumes in the account, without its ARN", false, role, &d.Role},
	} {
		given, there := d.Settings[k.key]
		delete(d.Settings, k.key)
		text, _ := given.(string)
		switch {
		case !there && k.required:
			p.wrong(n.line, "%s has no %s: give %s", what, k.key, k.accepts)
		case there && !k.form.MatchString(text):
			shown, ok := settings.Text(given)
			if !ok {
				shown = fmt.Sprint(given)
			}
			p.wrong(d.lines[k.key], "%s of %s is %+.100q, and should be %s", k.key, what, shown, k.accepts)
		default:
			*k.into = text
		}
	}
	if d.Profile != "" && d.Role != "" && d.own[profileKey] == d.own[roleKey] {
		p.wrong(d.lines[roleKey], "%s has a profile and a role: give one of them", what)
	}
	// Of what is shared and what is the deployment's own, its own counts.
	if d.Profile != "" && d.Role != "" {
		if d.own[profileKey] {
			d.Role = ""
		} else {
			d.Profile = ""
		}
	}
	return d
}

// Difference is a setting that two readings of the settings do not have alike; nil is one that is not given.
type Difference struct {
	Key            string
	File, Deployed *string
}

// Differences are the settings in which a file and a deployment differ, both as settings.Given has them.
func Differences(file, deployed map[string]string) (all []Difference) {
	keys := slices.Sorted(maps.Keys(file))
	for key := range deployed {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	at := func(m map[string]string, key string) *string {
		if v, ok := m[key]; ok {
			return &v
		}
		return nil
	}
	for _, key := range slices.Compact(keys) {
		f, d := at(file, key), at(deployed, key)
		if f == nil || d == nil || *f != *d {
			all = append(all, Difference{key, f, d})
		}
	}
	return all
}
