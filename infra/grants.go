package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"nightlatch/internal/alarm/cloudwatch"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/containment/cutter"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/lake"
	"nightlatch/internal/evidence/trailbucket"
	"nightlatch/internal/grant"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/incident/scheduler"
	"nightlatch/internal/notify/events"
	"nightlatch/internal/notify/slack"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/notify/webhook"
)

// grantsOf are the permissions that the responder's code declares, each beside the call that needs it. Mode observe holds none that
// changes anything.
func grantsOf(s Settings) []grant.Grant {
	all := slices.Concat(cloudwatch.Grants(), askGrants(s), sealGrants(s), awsaccount.ReadGrants(), awsaccount.SignInGrants(), dynamo.Grants(), scheduler.Grants(), notifyGrants(s), channelGrants(s), hearingGrants())
	all = append(all, s.planGrants()...)
	if s.Mode == "observe" {
		return all
	}
	all = slices.Concat(all, awsaccount.WriteGrants(), denyProtected(awsaccount.WriteGrants(), s.Protected))
	if s.cuts() {
		all = append(all, cutter.Grants()...)
	}
	return all
}

// askGrants are for the engines that are asked.
func askGrants(s Settings) []grant.Grant { return engineGrants(s, athena.Grants()) }

// engineGrants are for the engines that are asked, where Athena's are these.
func engineGrants(s Settings, files []grant.Grant) []grant.Grant {
	var ask []grant.Grant
	if s.EventDataStore != "" {
		ask = append(ask, lake.Grants()...)
	}
	if s.managed() {
		files = athena.Beside(files)
	}
	if s.Trail != "" {
		ask = append(ask, files...)
	}
	var keys []string
	for _, k := range []struct{ key, placeholder string }{{s.Files.Key, "${TrailKey}"}, {s.Management.Key, "${ManagementKey}"}} {
		if k.key != "" {
			keys = append(keys, k.placeholder)
		}
	}
	if keys != nil {
		decrypt := athena.KeyGrants()
		decrypt[0].On = keys
		ask = append(ask, decrypt...)
	}
	return ask
}

// alsoOn adds a resource to the grants that are on another.
func alsoOn(grants []grant.Grant, on, also string) []grant.Grant {
	grants = slices.Clone(grants)
	for i, g := range grants {
		if slices.Contains(g.On, on) {
			grants[i].On = append(slices.Clone(g.On), also)
		}
	}
	return grants
}

// sealGrants are for reading who may write the trail's files. The approver decides nothing on them.
func sealGrants(s Settings) []grant.Grant {
	if s.Trail == "" {
		return nil
	}
	if s.managed() {
		return alsoOn(trailbucket.Grants(), "${TrailBucket}", "${ManagementBucket}")
	}
	return trailbucket.Grants()
}

// notifyGrants are for the team's topic, the others that are notified as well, and the watchers', which is where the team's takes nothing.
func notifyGrants(s Settings) []grant.Grant {
	publish := sns.Grants()
	for i := range publish {
		publish[i].On = append(append(publish[i].On, "${Watch}"), s.Topics...)
	}
	return publish
}

// channelSecrets are the secrets of the channels beside topics, as the settings name them.
func (s Settings) channelSecrets() (all []string) {
	for _, name := range []string{s.Webhook, s.Slack} {
		if name != "" {
			all = append(all, name)
		}
	}
	return all
}

// channelGrants are for the channels of incidents beside topics.
func channelGrants(s Settings) (all []grant.Grant) {
	if s.Webhook != "" {
		all = append(all, webhook.Grants()...)
	}
	if s.Slack != "" {
		all = append(all, slack.Grants()...)
	}
	if s.Events != "" {
		all = append(all, events.Grants()...)
	}
	if s.Hub != "" {
		all = append(all, events.HubGrants()...)
	}
	if s.Chat != "" {
		all = append(all, sns.ChatGrants()...)
	}
	return all
}

// hearingGrants are to read who hears on the team's topic and on the watchers'.
func hearingGrants() []grant.Grant {
	read := sns.SubscriptionGrants()
	for i := range read {
		read[i].On = append(read[i].On, "${Watch}")
	}
	return read
}

// denyProtected denies every write on who must never be changed, so that IAM itself refuses when the code is wrong. These are the
// principals that the deployment protects, break-glass users among them, the responder's own role, and the CDK's.
// A Deny on what an action cannot be done to would only look like protection. Today's one write, UpdateAccessKey, reaches users alone:
// roles are in no statement until a write that reaches them is granted.
func denyProtected(writes []grant.Grant, protected []string) []grant.Grant {
	var denies []grant.Grant
	untouchable := append(slices.Clone(protected), "arn:${Partition}:iam::${Account}:role/"+stackName+"-*", "arn:${Partition}:iam::${Account}:role/cdk-*")
	for _, g := range writes {
		if g.Deny {
			continue
		}
		var on []string
		for _, arn := range untouchable {
			if slices.ContainsFunc(g.On, func(pattern string) bool { return reaches(resourceOf(pattern), resourceOf(arn)) }) {
				on = append(on, arn)
			}
		}
		if len(on) > 0 {
			denies = append(denies, grant.Grant{Sid: g.Sid + "NotOfNamed", Actions: g.Actions, On: on, Deny: true})
		}
	}
	return denies
}

// resourceOf is the last part of an ARN, user/ops/break-glass; partition and account are the deployment's in all of them.
func resourceOf(arn string) string { return arn[strings.LastIndex(arn, ":")+1:] }

// reaches reports whether a pattern with a star at its end holds a resource, or some of those that a pattern stands for: one that is denied
// in vain is no harm.
func reaches(pattern, resource string) bool {
	prefix, star := strings.CutSuffix(pattern, "*")
	begins, _, open := strings.Cut(resource, "*")
	return star && strings.HasPrefix(begins, prefix) || open && strings.HasPrefix(prefix, begins) || pattern == resource
}

// render writes a grant as a statement, with the deployment's values for the placeholders. A placeholder without a value is an
// error: IAM would take ${Topic} for a policy variable that never matches.
func render(g grant.Grant, values map[string]string, protectTag string) (statement, error) {
	var missing []string
	fill := func(text string) string {
		return os.Expand(text, func(name string) string {
			v, ok := values[name]
			if !ok {
				missing = append(missing, name)
			}
			return v
		})
	}
	effect := "Allow"
	if g.Deny {
		effect = "Deny"
	}
	st := statement{"Sid": g.Sid, "Effect": effect, "Action": g.Actions}
	var on []string
	for _, arn := range g.On {
		on = append(on, fill(arn))
	}
	st["Resource"] = on
	if len(g.When) > 0 {
		when := map[string]any{}
		for operator, keys := range g.When {
			filled := map[string]any{}
			for key, value := range keys {
				// The adapter names the tag of a shipped deployment; this one may have another.
				if key == "aws:ResourceTag/"+awsaccount.ProtectTag {
					key = "aws:ResourceTag/" + protectTag
				}
				filled[key] = fill(value)
			}
			when[operator] = filled
		}
		st["Condition"] = when
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("grant %s names %q, which nothing here has a value for", g.Sid, missing)
	}
	return st, nil
}
