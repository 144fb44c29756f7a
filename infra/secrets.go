package main

import (
	"fmt"
	"slices"
	"strings"

	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/outside"
)

// secretName is what a setting takes, beside an ARN, and wholeARN an ARN with the end that Secrets Manager gives it: https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
var (
	secretName = lazyregexp.New(`^[A-Za-z0-9/_+=.@-]{1,512}$`)
	wholeARN   = lazyregexp.New(`^arn:.*-[A-Za-z0-9]{6}$`)
)

func setSecret(v string, p *string) error {
	if !outside.SecretARN.MatchString(v) && !secretName.MatchString(v) {
		return errNot
	}
	*p = v
	return nil
}

// longestARN is how much longer than its name a secret's ARN may be, with what stands around it in an environment.
const longestARN = len(`"NIGHTLATCH_WEBHOOK":"arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:",`)

// checkChannels refuses channels that do not fit an environment together: see maxProtected.
func (s *Settings) checkChannels() error {
	n := len(strings.Join(s.Topics, ","))
	for _, name := range s.channelSecrets() {
		n += len(name) + longestARN
	}
	if s.Events != "" {
		n += len(s.Events) + len(`"NIGHTLATCH_EVENT_BUS":"",`)
	}
	if s.Hub != "" {
		n += len(s.Hub) + len(`"NIGHTLATCH_HUB":"",`)
	}
	if s.Chat != "" {
		n += len(s.Chat) + len(`"NIGHTLATCH_CHAT":"",`)
	}
	if slices.Contains(s.Topics, s.Chat) {
		return fmt.Errorf("chat and topics both name %q, and a chat shows nothing but a form that nobody reads in an e-mail: give the chat a topic of its own", s.Chat)
	}
	if n > maxTopics {
		return fmt.Errorf("topics, webhook, slack, events, hub and chat take %d characters together, a secret %d beside its name, and a function's environment has %d for them: send to one topic, and from there to the others, or shorten a secret's name",
			n, longestARN, maxTopics)
	}
	return nil
}

// secretARN is the ARN of a secret that a setting names, as it is asked for; "" where none is named.
func (s Settings) secretARN(named string) string {
	if named == "" || strings.HasPrefix(named, "arn:") {
		return named
	}
	return s.Home.arn("secretsmanager", "secret:"+named)
}

// secretGranted is that ARN as IAM sees it: Secrets Manager ends it with a hyphen and six characters of its own.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
func (s Settings) secretGranted(named string) string {
	arn := s.secretARN(named)
	if wholeARN.MatchString(named) || arn == "" {
		return arn
	}
	return arn + "-??????"
}

// secretCalled is how a call may name a secret, by its name or its ARN: what CloudTrail writes of it holds this.
func (s Settings) secretCalled(named string) string {
	name := s.secretARN(named)
	if wholeARN.MatchString(named) {
		name = name[:len(name)-len("-AbCdEf")]
	}
	return name[strings.LastIndex(name, ":")+1:]
}
