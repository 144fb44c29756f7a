package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/notify/events"
	"nightlatch/internal/policy"
	"nightlatch/internal/rehearsal"
	"nightlatch/internal/settings"
)

// Settings are what a deployment decides, each given by -c key=value or in the context of cdk.json:
// https://docs.aws.amazon.com/cdk/v2/guide/context.html
type Settings struct {
	// Buckets are the watched buckets, with the thresholds of each.
	Buckets []settings.Bucket
	// Total are the thresholds of all watched buckets together; none where they are not added up.
	Total []settings.Threshold
	// EventDataStore is the ARN of the CloudTrail Lake store that is asked, made where one is made, and "" where there is none.
	EventDataStore string
	// Trail is the same of a CloudTrail trail, whose files Athena is asked about.
	Trail string
	// Files are the trail's: as they are given, or as soon as the stack knows them.
	Files Files
	// ManagementTrail is the ARN of another trail, which has the management events; "" where there is none, or where it is given by Management, its files.
	ManagementTrail string
	Management      Files
	// Deeds is what the evidence holds of management events, as settings.Responder.Management has it.
	Deeds string
	// FilesGiven: where the files lie is given, and is not looked up.
	FilesGiven bool
	// Evidence is lake or athena: which of the two is asked first. The other one, where it is there, is asked when that fails.
	Evidence string
	// Approvers is whom the approver trusts of those who sign in outside IAM.
	Approvers []string
	// Sealed is settings.SealStated where the deployer says that nobody but CloudTrail can write the trail's files; "" otherwise.
	Sealed string
	// Home is where the stack goes.
	Home Home
	// Email are the addresses that subscribe to the team's topic.
	Email []string
	// Topics are the ARNs of SNS topics that the responder notifies as well as the team's.
	Topics []string
	// Webhook is the secret that holds the URL and the signing key of a webhook, by its name or its ARN, "" for none.
	Webhook string
	// Slack is the secret that holds the URL of Slack's incoming webhook, by its name or its ARN, "" for none.
	Slack string
	// Events is the name of the event bus that gets each message as an event, "" for none.
	Events string
	// Hub is the ARN of the event bus of the security account's hub, "" for none.
	Hub string
	// Chat is the ARN of the SNS topic of which Amazon Q Developer in chat applications shows each message, "" for none.
	Chat string
	// Watchers are the endpoints that hear the alarms on our own functions: https URLs, telephone numbers, ARNs of queues and of other topics.
	Watchers []string
	// Policy is the file of the Cedar policy, "" for the shipped one. PolicyText is what it says, and PolicyCases its cases; nil where it has none.
	Policy                  string
	PolicyText, PolicyCases []byte
	// Mode is observe, ask or act.
	Mode string
	// ObserveUntil is the last day of mode observe, "" where none is set.
	ObserveUntil string
	// WatchTag is the tag that a bucket needs to be watched by *; "" where it needs none.
	WatchTag string
	// Generation tells deployments apart: another one takes a mode up again that was lowered since.
	Generation string
	// Unit is the account's organizational unit, as the deployer names it.
	Unit string
	// Protected are the ARNs of users and roles that are never contained without a human; a * stands for any text.
	Protected []string
	// ProtectTag is the tag whose presence protects a user or role.
	ProtectTag string
	// Steps are those that are enabled beside turning a key off.
	Steps []policy.Action
	// StepPaths are the IAM paths in which they change users and roles.
	StepPaths []string
	// RetentionDays is how long the responder's log is kept.
	RetentionDays int
	// MemoryMiB is the responder's memory; its share of a CPU grows with it.
	MemoryMiB int
	LogLevel  slog.Level
	// Filter is the id of the request-metrics configuration that the alarms read: the stack's own, which it makes, or one that the
	// buckets have already, which is never changed.
	Filter string
	// Heartbeat is the secret that holds the heartbeat's URL, by its name or its ARN, "" for none; HeartbeatMinutes is the time between two.
	Heartbeat        string
	HeartbeatMinutes int
	// Records is what the evidence holds of S3: of what the stack itself makes, or as the enroller reads it of the one trail or store that is
	// asked; "" where that is not known.
	Records string
	// CaseLock is for how many days nobody can delete a version of a case folder's file; 0 where Object Lock keeps none.
	CaseLock int
	// Canary is the name of the bucket that the stack makes for its canary; "" where there is none. It is among Buckets, too.
	Canary string
	// RehearseDays are those between two rehearsals that a schedule begins; 0 where it begins none. CanaryKey counts the canary's keys.
	RehearseDays, CanaryKey int
	// MadeStore: the stack makes the store; MadeTrail: it makes the trail.
	MadeStore, MadeTrail bool
	// Given are the settings as they were given, by their names.
	Given map[string]any
	// Stack is what the CDK's command line calls the stack; "" is stackName.
	Stack string
}

// name is what the CDK's command line calls the stack. In its account and region each is called stackName.
func (s Settings) name() string { return cmp.Or(s.Stack, stackName) }

// field is one setting: its context key, what it accepts in words, its default, and how it is read.
type field struct {
	key, accepts string
	fallback     string // "" where the setting must be given, or may be empty
	required     bool
	set          func(string) error
}

// maxProtected and maxTopics bound the characters of these ARNs: a function's whole environment holds 4 KB
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html), and the role repeats the users.
//
// managementRoom is what the location of a second trail takes of it, at its longest.
const maxProtected, maxTopics, managementRoom = 1640, 700, 63 + 200 + 60 + len(`"NIGHTLATCH_MANAGEMENT_LOCATION":"s3://",`)

var (
	storeARN  = lazyregexp.New(`^arn:(aws[a-z-]*):cloudtrail:([a-z0-9-]+):([0-9]{12}):eventdatastore/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	trailARN  = lazyregexp.New(`^arn:(aws[a-z-]*):cloudtrail:([a-z0-9-]+):([0-9]{12}):trail/[A-Za-z0-9._-]{3,128}$`)
	keyARN    = lazyregexp.New(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/(mrk-)?[0-9a-f-]{32,36}$`)
	engine    = lazyregexp.New(`^(` + settings.Lake + `|` + settings.Athena + `)$`)
	seal      = lazyregexp.New(`^` + settings.SealStated + `$`)
	address   = lazyregexp.New(`^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
	topicARN  = lazyregexp.New(`^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)
	watcher   = lazyregexp.New(`^(https://[^\s,"<>@]{4,400}|\+[1-9][0-9]{6,14}|arn:aws[a-z-]*:s[nq]s:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256})$`)
	mode      = lazyregexp.New(`^(observe|ask|act)$`)
	principal = lazyregexp.New(`^arn:aws[a-z-]*:iam::([0-9]{12}|\*):(user|role)/[\x21-\x23\x25-\x3e\x40-\x7e]+$`) // no ? and $: IAM would expand them
	filterID  = lazyregexp.New(`^[A-Za-z0-9._-]{1,64}$`)
	tagKey    = lazyregexp.New(`^[\w.:/=+@-]{1,128}$`)
)

// retentions are the days that CloudWatch Logs takes:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func (s *Settings) fields() []field {
	return []field{
		{"buckets", settings.AcceptedBuckets, "", true, func(v string) (err error) { s.Buckets, err = parseBuckets(v); return err }},
		{"total", "what may leave all watched buckets together in a minute and in an hour, like 2GiB/1m+50GiB/1h, or " + settings.NoTotal, "", false,
			func(v string) (err error) { s.Total, err = settings.ParseTotal(v); return err }},
		{"watchTag", settings.AcceptedBucketTag + ", with buckets=*", "", false, func(v string) error { return match(v, settings.BucketTag, &s.WatchTag) }},
		{"canary", "the name of a bucket that is not there yet, of lowercase letters, digits and hyphens: the stack makes it, for rehearsals", "", false, s.setCanary},
		{"rehearseDays", acceptedDays, "", false,
			func(v string) error {
				return oneOf(v, func(n int) bool { return n >= rehearsal.LeastDays && n <= rehearsal.MostDays }, &s.RehearseDays)
			}},
		{"canaryKey", "a number, 1 or more; another one gives the canary another key", "1", false,
			func(v string) error { return oneOf(v, func(n int) bool { return n >= 1 && n <= 10000 }, &s.CanaryKey) }},
		{"eventDataStore", "the ARN of an existing CloudTrail Lake event data store, or create", "", false,
			func(v string) error { return s.setSource("eventDataStore", v, storeARN, &s.EventDataStore) }},
		{"trail", "the ARN of an existing CloudTrail trail, or create", "", false,
			func(v string) error { return s.setSource("trail", v, trailARN, &s.Trail) }},
		{"trailLocation", settings.AcceptedLocation + ", of a trail that cannot be looked up from the deployment's account", "", false, s.setLocation},
		{"trailKey", "the ARN of the KMS key that encrypts the files of trailLocation", "", false, func(v string) error { return match(v, keyARN, &s.Files.Key) }},
		{"managementTrail", "the ARN of another trail, which records the management events of IAM, STS and sign-in, or " + settings.AcceptedLocation, "", false, s.setManagement},
		{"managementKey", "the ARN of the KMS key that encrypts the files of managementTrail, where that is a location", "", false, func(v string) error { return match(v, keyARN, &s.Management.Key) }},
		{"evidence", "lake or athena", "", false, func(v string) error { return match(v, engine, &s.Evidence) }},
		{"sealed", settings.SealStated + ", or nothing", "", false, func(v string) error { return match(v, seal, &s.Sealed) }},
		{"email", "e-mail addresses with commas between them", "", true, func(v string) error { return list(v, address, &s.Email) }},
		{"topics", "ARNs of standard SNS topics with commas between them, up to " + strconv.Itoa(maxTopics) + " characters", "", false, s.setTopics},
		{"webhook", "the name or the ARN of a secret in Secrets Manager", "", false, func(v string) error { return setSecret(v, &s.Webhook) }},
		{"slack", "the name or the ARN of a secret in Secrets Manager", "", false, func(v string) error { return setSecret(v, &s.Slack) }},
		{"events", "the name of an event bus of the deployment's account and region, such as default", "", false, func(v string) error { return match(v, events.BusName, &s.Events) }},
		{"hub", "the ARN of the event bus of a hub, such as arn:aws:events:eu-west-1:111122223333:event-bus/NightlatchHub", "", false, func(v string) error { return match(v, settings.HubARN, &s.Hub) }},
		{"chat", "the ARN of a standard SNS topic", "", false, func(v string) error { return match(v, topicARN, &s.Chat) }},
		{"watchers", "https URLs, telephone numbers like +4915123456789, and ARNs of SQS queues and of standard SNS topics of the deployment's region, with commas between them, up to " +
			strconv.Itoa(maxTopics) + " characters and 4 topics", "", false, s.setWatchers},
		{"policy", "the path of a Cedar policy file that fits internal/policy/schema.cedarschema", "", false, s.setPolicy},
		{"mode", "observe, ask or act", "ask", false, func(v string) error { return match(v, mode, &s.Mode) }},
		{"observeUntil", settings.AcceptedDay + ", with mode observe", "", false, func(v string) error {
			if !settings.IsDay(v) {
				return errNot
			}
			s.ObserveUntil = v
			return nil
		}},
		{"epoch", "up to 64 letters, digits, dots, hyphens and underscores", "", false, func(v string) error { return match(v, filterID, &s.Generation) }},
		{"protected", "ARNs of IAM users and roles of the deployment's account with commas between them, in which a * stands for any text, without ? and $, up to " +
			strconv.Itoa(maxProtected) + " characters", "", false, s.setProtected},
		{"unit", settings.AcceptedUnit, "", false, func(v string) error { return match(v, settings.Unit, &s.Unit) }},
		{"approvers", settings.AcceptedApprovers + ", up to " + strconv.Itoa(maxTopics) + " characters", settings.DefaultApprovers, false, s.setApprovers},
		{"protectTag", "a tag key", settings.DefaultProtectTag, false, func(v string) error { return match(v, tagKey, &s.ProtectTag) }},
		{"steps", settings.AcceptedSteps, "", false, s.setSteps},
		{"stepPaths", settings.AcceptedStepPaths + ", up to " + strconv.Itoa(maxStepPaths) + " characters; / is all users and roles, which makes the cutter an administrator of the account", "", false, s.setStepPaths},
		{"retention", "one of the numbers of days that CloudWatch Logs takes: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 or up to 3653", "365", false,
			func(v string) error {
				return oneOf(v, func(n int) bool { return slices.Contains(retentions, n) }, &s.RetentionDays)
			}},
		{"memory", "a number of MiB, 128 to 10240", "512", false,
			func(v string) error {
				return oneOf(v, func(n int) bool { return n >= 128 && n <= 10240 }, &s.MemoryMiB)
			}},
		{"caseLock", "a number of days, 1 to " + strconv.Itoa(maxLock), "", false,
			func(v string) error {
				return oneOf(v, func(n int) bool { return n >= 1 && n <= maxLock }, &s.CaseLock)
			}},
		{"metricsFilter", "the id of a request-metrics configuration that counts the whole of every watched bucket already", settings.OwnFilterID, false,
			func(v string) error { return match(v, filterID, &s.Filter) }},
		{"heartbeat", "the name or the ARN of a secret in Secrets Manager", "", false, func(v string) error { return setSecret(v, &s.Heartbeat) }},
		{"heartbeatMinutes", "a number of minutes, 5 to 1440", "15", false,
			func(v string) error {
				return oneOf(v, func(n int) bool { return n >= 5 && n <= 1440 }, &s.HeartbeatMinutes)
			}},
		{"logLevel", "debug, info, warn or error", "info", false, s.setLogLevel},
	}
}

// Read makes the settings of a CDK context. What is wrong is one sentence that names the field, what was given, and what is accepted; several
// are several lines.
func Read(context map[string]any) (Settings, error) {
	s, wrong := readFor(Home{}, context)
	return s, errors.Join(wrong...)
}

// misset is what is wrong with one setting.
type misset struct {
	key string
	error
}

// readFor is Read for a stack whose home is known, with each mistake for itself.
func readFor(home Home, context map[string]any) (Settings, []error) {
	s := Settings{PolicyText: policy.ShippedText(), PolicyCases: policy.ShippedCases(), Home: home, Given: map[string]any{}}
	wrong := s.unknown(context)
	sources, steps := true, true // what says where the evidence is can be read, and what says which steps are done where
	for _, f := range s.fields() {
		if value, ok := context[f.key]; ok {
			s.Given[f.key] = value
		}
		if err := f.read(context); err != nil {
			wrong = append(wrong, misset{f.key, err})
			sources = sources && !slices.Contains([]string{"eventDataStore", "trail", "trailLocation", "trailKey", "managementTrail", "managementKey", "evidence"}, f.key)
			steps = steps && !slices.Contains([]string{"steps", "stepPaths", "buckets", "mode"}, f.key)
		}
	}
	if steps {
		wrong = append(wrong, s.checkSteps()...)
	}
	if home != (Home{}) {
		wrong = append(wrong, s.wrongHere()...)
	}
	wrong = append(wrong, s.checkChannels(), s.checkCanary())
	if sources {
		wrong = append(wrong, s.chooseEngine(), s.checkLocation())
	}
	// Under a filter that others use too, buckets that are not watched would be added up as well.
	if s.Total == nil && (s.Filter == settings.OwnFilterID || s.every()) {
		s.Total = settings.DefaultTotal(s.withoutCanary())
	}
	if s.WatchTag != "" && s.Buckets != nil && !s.every() {
		wrong = append(wrong, misset{"watchTag", fmt.Errorf("watchTag is %q, and buckets has no *: it says which buckets beside those that are named; leave it out, or add *", s.WatchTag)})
	}
	if s.ObserveUntil != "" && s.Mode != "observe" && s.Mode != "" {
		wrong = append(wrong, fmt.Errorf("observeUntil is %q, and mode is %q: it says when mode observe ends; leave it out", s.ObserveUntil, s.Mode))
	}
	if sources && s.Sealed != "" && s.Trail == "" {
		wrong = append(wrong, errors.New("sealed is \"stated\", and no trail is given: it is about the bucket of a trail's files; leave it out"))
	}
	if wrong = slices.DeleteFunc(wrong, func(err error) bool { return err == nil }); len(wrong) > 0 {
		return Settings{}, wrong
	}
	return s, nil
}

// unknown finds the keys of a context that are no settings.
func (s *Settings) unknown(context map[string]any) []error {
	return unknown(s.fields(), context, deploymentsKey)
}

// unknown finds the keys of a context that are none of the fields; also are others that may have been meant.
func unknown(fields []field, context map[string]any, also ...string) (wrong []error) {
	var known []string
	for _, f := range fields {
		known = append(known, f.key)
	}
	for _, key := range slices.Sorted(maps.Keys(context)) {
		// The CDK's own keys have a colon or a slash in them, but for the one that `cdk acknowledge` writes.
		if !slices.Contains(known, key) && !strings.ContainsAny(key, ":/") && key != "acknowledged-issue-numbers" {
			wrong = append(wrong, misset{key, fmt.Errorf("%s is not a setting%s; the settings are %s", key, meant(key, append(slices.Clone(known), also...)), strings.Join(known, ", "))})
		}
	}
	return wrong
}

// read sets one setting from a context.
func (f field) read(context map[string]any) error {
	given, there := context[f.key]
	v, ok := settings.Text(given)
	switch {
	case !there && f.required:
		return fmt.Errorf("%s is missing: give -c %s=…, %s", f.key, f.key, f.accepts)
	case !there && f.fallback == "":
		return nil
	case !there:
		v = f.fallback
	case !ok:
		return fmt.Errorf("%s is %v, and should be %s", f.key, given, f.accepts)
	}
	switch err := f.set(v); err {
	case nil:
		return nil
	case errNot:
		return fmt.Errorf("%s is %q, and should be %s", f.key, cut(v), f.accepts)
	default:
		return fmt.Errorf("%s is %q, and should be %s: %v", f.key, cut(v), f.accepts, err)
	}
}

// noEvidence is what to give, and what it costs, by the prices of this folder's README.
const noEvidence = "neither trail nor eventDataStore is given, and Nightlatch asks one of them who read the buckets: give -c trail=ARN or -c trail=create " +
	"(CloudTrail writes files, $1.00 a million reads, and Athena reads them, $5.00 a TB), or, in an account that has CloudTrail Lake already, " +
	"-c eventDataStore=ARN or -c eventDataStore=create ($0.75 a GB, about $1.35 a million reads, and $0.005 a GB asked)"

// noWatchers is what is said where nobody but the team's own addresses hears that our code fails.
const noWatchers = "Nightlatch: watchers is not given, so when Nightlatch's own code fails nobody hears it but the addresses of email, by a second mail that each must confirm, " +
	"and that a flood switches off: give -c watchers= a telephone number, an https URL, the ARN of a queue or of another topic"

// chooseEngine says which engine is asked first: as given, or Lake where there is a store.
func (s *Settings) chooseEngine() error {
	switch {
	case s.EventDataStore == "" && s.Trail == "":
		return errors.New(noEvidence)
	case s.Evidence == settings.Lake && s.EventDataStore == "":
		return errors.New("evidence is \"lake\", and no eventDataStore is given: give -c eventDataStore=ARN, or leave evidence out and Athena is asked about the trail's files")
	case s.Evidence == settings.Athena && s.Trail == "":
		return errors.New("evidence is \"athena\", and no trail is given: give -c trail=ARN or -c trail=create, or leave evidence out and CloudTrail Lake is asked")
	case s.Evidence == "" && s.EventDataStore != "":
		s.Evidence = settings.Lake
	case s.Evidence == "":
		s.Evidence = settings.Athena
	}
	return nil
}

// made is the value of a store or a trail that the stack makes.
const made = "create"

// deployTo takes the account and region to which the caller's credentials deploy; "" is unknown, and then the stack goes to its evidence. A store or a
// trail may be elsewhere: it is asked, or read, where it is. What must be of the stack's own account and region is checked here.
func (s *Settings) deployTo(account, region string) error {
	if account != "" {
		s.Home = Home{s.Home.Partition, region, account}
	}
	return errors.Join(s.wrongHere()...)
}

// wrongHere are the settings that cannot be of the account and region to which the stack goes.
func (s Settings) wrongHere() (wrong []error) {
	if err := s.checkProtected(); err != nil {
		wrong = append(wrong, misset{"protected", fmt.Errorf("protected is %q, and should be ARNs of the account that is deployed to: %v", cut(strings.Join(s.Protected, ",")), err)})
	}
	if err := s.checkWatchers(); err != nil {
		wrong = append(wrong, misset{"watchers", fmt.Errorf("watchers is %q: %v", cut(strings.Join(s.Watchers, ",")), err)})
	}
	if err := s.checkRegion(); err != nil {
		wrong = append(wrong, misset{"steps", err})
	}
	for _, of := range []struct{ key, arn string }{{"trail", s.Trail}, {"eventDataStore", s.EventDataStore}, {"managementTrail", s.ManagementTrail}, {"hub", s.Hub}} {
		here, there := settings.PartitionOf(s.Home.Region), homeOf(of.arn).Partition
		if s.Home.Region != "" && there != "" && there != here {
			wrong = append(wrong, misset{of.key, fmt.Errorf("%s is %q, of the partition %s, and the stack goes to %s, of %s: no call leads from one to the other", of.key, of.arn, there, s.Home.Region, here)})
		}
	}
	return wrong
}

// elsewhere says of each source of evidence that is not of the stack's account and region where it is; "" where there is none.
func (s Settings) elsewhere() string {
	var lines []string
	for _, source := range []struct{ key, arn, where string }{{"trail", s.Trail, "its files are read where they lie"}, {"eventDataStore", s.EventDataStore, "it is asked there"}} {
		if at := homeOf(source.arn); at != (Home{}) && (at.Account != s.Home.Account || at.Region != s.Home.Region) {
			lines = append(lines, fmt.Sprintf("Nightlatch: the stack goes to account %s and region %s; %s is of account %s and region %s, and %s", s.Home.Account, s.Home.Region, source.key, at.Account, at.Region, source.where))
		}
	}
	return strings.Join(lines, "\n")
}
