package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
	"nightlatch/internal/version"
)

// setSource reads the ARN of an event data store or a trail, or that one is made. It comes after the buckets, whose reads one that is made
// must hold. Where nobody says where the stack goes, it goes to the first that exists.
func (s *Settings) setSource(key, v string, form *lazyregexp.Regexp, p *string) error {
	m := form.FindStringSubmatch(v)
	switch {
	case v == made:
		selectors := selectorsFor("aws", s.Buckets)
		if key == "trail" {
			selectors = trailSelectors("aws", s.Buckets, true)
		}
		if n := values(selectors); n > maxValues {
			return fmt.Errorf("the %d buckets are %d more than its selectors hold; watch *, or give the ARN of one that you have made", len(s.Buckets), n-maxValues)
		}
	case m == nil:
		return errNot
	case s.Home == Home{}:
		s.Home = homeOf(v)
	case m[1] != s.Home.Partition:
		return fmt.Errorf("it is of the partition %s, and the eventDataStore of %s", m[1], s.Home.Partition)
	}
	*p = v
	return nil
}

// setLocation reads where the files of a trail lie.
func (s *Settings) setLocation(v string) error {
	m := settings.Location.FindStringSubmatch(v)
	if m == nil {
		return errNot
	}
	s.Files.Bucket, s.Files.Folder, s.FilesGiven = m[1], m[2], true
	return nil
}

// setManagement reads another trail, by its ARN or by where its files lie.
func (s *Settings) setManagement(v string) error {
	if m := settings.Location.FindStringSubmatch(v); m != nil {
		s.Management.Bucket, s.Management.Folder = m[1], m[2]
		return nil
	}
	return match(v, trailARN, &s.ManagementTrail)
}

// managed reports whether another trail has the management events.
func (s Settings) managed() bool { return s.ManagementTrail != "" || s.Management.Bucket != "" }

// noDeeds is what is said where the only evidence is a trail of one region that the stack makes, and the mode is act.
const noDeeds = "Nightlatch: the trail that is made records one region, so what IAM, STS and sign-in do elsewhere is not known, and mode act asks about everything: " +
	"give -c managementTrail= the ARN of a multi-region trail with management events, the organization's or one of the account"

// lacksDeeds is noDeeds where it holds, "" elsewhere.
func (s Settings) lacksDeeds() string {
	if s.Mode == "act" && s.Trail == made && s.EventDataStore == "" && !s.managed() {
		return noDeeds
	}
	return ""
}

// deeds is what the evidence holds of management events, where a trail that is looked up answers so.
func (s Settings) deeds(answered string) string {
	switch {
	case s.Trail == "":
		return ""
	case s.managed():
		return settings.ManagementAll
	case s.MadeTrail:
		return settings.ManagementSome
	}
	return answered
}

// checkLocation finds the location of no trail, the key of no location, and another trail that is none.
func (s *Settings) checkLocation() error {
	switch {
	case s.managed() && s.Trail == "":
		return errors.New("managementTrail is given, and trail is not: it is asked beside it; give -c trail=ARN or -c trail=create, or leave it out")
	case s.managed() && (s.ManagementTrail == s.Trail || s.FilesGiven && s.Management.location() == s.Files.location()):
		return errors.New("managementTrail is the same as trail: a trail that has the management events needs no other; leave it out")
	case s.managed() && len(strings.Join(s.Protected, ",")) > maxProtected-managementRoom:
		return fmt.Errorf("protected has %d characters, and with managementTrail a function's environment has room for %d: use the tag instead", len(strings.Join(s.Protected, ",")), maxProtected-managementRoom)
	case s.Management.Key != "" && s.Management.Bucket == "":
		return fmt.Errorf("managementKey is %q, and managementTrail is no location: a trail that is looked up says its key itself; leave it out", s.Management.Key)
	case s.FilesGiven && (s.Trail == "" || s.Trail == made):
		return fmt.Errorf("trailLocation is %q, and trail names none: give -c trail=ARN, the trail whose files these are, or leave it out", s.Files.location())
	case s.Files.Key != "" && !s.FilesGiven:
		return fmt.Errorf("trailKey is %q, and trailLocation is not given: a trail that is looked up says its key itself; leave it out", s.Files.Key)
	}
	return nil
}

func (s *Settings) setApprovers(v string) error {
	if len(v) > maxTopics {
		return fmt.Errorf("these are %d characters", len(v))
	}
	return list(v, settings.Approvers, &s.Approvers)
}

func (s *Settings) setTopics(v string) error {
	if len(v) > maxTopics {
		return fmt.Errorf("these are %d characters", len(v))
	}
	return list(v, topicARN, &s.Topics)
}

// setWatchers reads the endpoints of the alarms on our own functions. An alarm has five actions at most, one of which is the stack's own topic:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
func (s *Settings) setWatchers(v string) error {
	if len(v) > maxTopics {
		return fmt.Errorf("these are %d characters", len(v))
	}
	if err := list(v, watcher, &s.Watchers); err != nil {
		return err
	}
	topics := 0
	for _, e := range s.Watchers {
		if protocolOf(e) == "" {
			topics++
		}
	}
	if topics > 4 {
		return fmt.Errorf("these are %d topics", topics)
	}
	return nil
}

// checkWatchers finds the topic of another region, as soon as the region is known: an alarm calls none.
func (s Settings) checkWatchers() error {
	for _, e := range s.Watchers {
		if region := strings.Split(e+":::", ":")[3]; protocolOf(e) == "" && s.Home.Region != "" && region != s.Home.Region {
			return fmt.Errorf("%q is in region %s, and the alarms in %s", e, region, s.Home.Region)
		}
	}
	return nil
}

// setPolicy reads the policy now: one that does not load would make the responder ask about everything, in silence until an alarm fires. Its cases
// stand beside it, where it has some.
func (s *Settings) setPolicy(v string) error {
	body, err := os.ReadFile(v)
	if err != nil {
		return err
	}
	p, err := policy.Load(v, body)
	if err != nil {
		return err
	}
	file := policy.CasesFile(v)
	cases, err := os.ReadFile(file)
	switch {
	case err == nil:
		n, failed, err := p.Test(file, cases)
		if err != nil {
			return err
		}
		if len(failed) > 0 {
			return fmt.Errorf("%d of its %d cases are decided otherwise: %s", len(failed), n, failed[0])
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	s.Policy, s.PolicyText, s.PolicyCases = v, body, cases
	return nil
}

// policyDigest is policy.Digest as the template has it.
func (s Settings) policyDigest() map[string]any {
	p, err := policy.Load(s.Policy, s.PolicyText)
	if err != nil {
		panic(err) // Read has loaded it
	}
	d := policy.DigestOf(p, s.PolicyText)
	return map[string]any{"SHA256": d.SHA256, "Rules": d.Rules}
}

// policyLacks says which rules of the shipped policy the team's own has none of by that name, and what else a check of it finds, one a line; ""
// where there is nothing. One that was copied from an earlier version does not know what came since.
func (s Settings) policyLacks() string {
	p, err := policy.Load(s.Policy, s.PolicyText)
	if err != nil || s.Policy == "" {
		return ""
	}
	var lines []string
	if lacks := p.Lacks(); len(lacks) > 0 {
		lines = append(lines, fmt.Sprintf("Nightlatch: %s has no rule %s of the policy that version %s ships; internal/policy/README.md says what each does", s.Policy,
			strings.Join(lacks, ", "), version.Release))
	}
	for _, f := range p.Check() {
		if f.Line > 0 { // the others are the rules above
			lines = append(lines, fmt.Sprintf("Nightlatch: %s:%d: %s", s.Policy, f.Line, f.Text))
		}
	}
	return strings.Join(lines, "\n")
}

func (s *Settings) setProtected(v string) error {
	if len(v) > maxProtected {
		return fmt.Errorf("these are %d characters; use the tag instead", len(v))
	}
	return list(v, principal, &s.Protected)
}

// checkProtected finds the principal of another account: it can never be met, so its ARN is a mistake that protects nobody.
func (s Settings) checkProtected() error {
	for _, arn := range s.Protected {
		if account := principal.FindStringSubmatch(arn)[1]; s.Home.Account != "" && account != s.Home.Account && account != "*" {
			return fmt.Errorf("%q is not of account %s", arn, s.Home.Account)
		}
	}
	return nil
}

func (s *Settings) setLogLevel(v string) error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, v) { // slog would also take INFO+2
		return errNot
	}
	return s.LogLevel.UnmarshalText([]byte(v))
}
