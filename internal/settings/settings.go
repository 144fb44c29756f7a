// Package settings names and reads the environment of the functions: infra writes it, the functions read it, with the same code.
package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"nightlatch/internal/lazyregexp"
)

// prefix begins every setting's name; an unknown name under it is an error, so that a typo is not a default.
const prefix = "NIGHTLATCH_"

// Responder is what the responder's environment says. The zero value asks about everything and protects by the default tag.
type Responder struct {
	// Mode is observe, ask or act; "" is ask.
	Mode string
	// ObserveUntil is the last day of mode observe, in UTC, as 2026-12-31; "" where none is set.
	ObserveUntil string
	// Generation tells deployments apart: a mode that was lowered in another one is the deployment's again.
	Generation string
	// Evidence is Lake or Athena: which of the two is asked first. The other one, if it is there, is asked when that fails.
	Evidence string
	// EventDataStore is the ARN of the CloudTrail Lake event data store; "" where Lake is not asked.
	EventDataStore string
	// TrailLocation is where a trail's files lie, s3://BUCKET/[PREFIX/]AWSLogs/[ORGANIZATION/]; "" where Athena is not asked.
	TrailLocation string
	// ManagementLocation is where the files of another trail lie, which has the management events; "" where there is no other.
	ManagementLocation string
	// Management is what the evidence holds of the management events of IAM, STS and sign-in: ManagementAll or ManagementSome; "" where that is not known.
	Management string
	// Sealed is SealStated where the deployer says that nobody but CloudTrail can write there; "" where only what is read counts.
	Sealed string
	// Topic is the ARN of the team's SNS topic.
	Topic string
	// Topics are the ARNs of other SNS topics that are notified as well.
	Topics []string
	// Webhook is the ARN of the secret that holds the URL and the signing key of a webhook that is notified as well; "" where there is none.
	Webhook string
	// Slack is the ARN of the secret that holds the URL of Slack's incoming webhook; "" where there is none.
	Slack string
	// EventBus is the name of the event bus of the function's account and region that gets each message as an event; "" where none does.
	EventBus string
	// Hub is the ARN of the event bus of the security account's hub, in any account and region; "" where there is none.
	Hub string
	// Chat is the ARN of the SNS topic of which Amazon Q Developer in chat applications shows each message; "" where there is none.
	Chat string
	// Watchers are the ARNs of the topics that are notified where the team's takes nothing.
	Watchers []string
	// Accounts are the account ids that are ours.
	Accounts []string
	// Unit is the account's organizational unit, as the deployment names it; "" where it names none.
	Unit string
	// Protected are the ARNs of users and roles that are never contained without a human; a * stands for any text, as Covers has it.
	Protected []string
	// ProtectTag is the tag key whose presence protects a user or role.
	ProtectTag string
	// ScanBudget is the most bytes that one question may scan, its repeats included; 0 is no limit.
	ScanBudget int64
	// FilterID is the request-metrics configuration that a manual event reads.
	FilterID string
	// Records is what the evidence holds of S3, beside copies: WatchedReads or AllReads; "" where that is not known.
	Records string
	// Table is the name of the DynamoDB table that keeps the incidents, in the responder's own account and region. It and the three
	// below go together: without them incidents live as long as the process, and nothing follows them up.
	Table string
	// ScheduleGroup is the name of the EventBridge Scheduler group of the follow-ups.
	ScheduleGroup string
	// ScheduleRole is the ARN of the role with which Scheduler invokes the responder.
	ScheduleRole string
	// DeadLetters is the ARN of the SQS queue that gets what Scheduler could not deliver.
	DeadLetters string
	// Steps are those that the deployment enables beside turning a key off.
	Steps []string
	// StepPaths are the IAM paths in which they change users and roles; none where no step changes any.
	StepPaths []string
	// Cutter is the name of the function that does them; "" where none may be done, as in mode observe.
	Cutter string
	// LogLevel is debug, info, warn or error.
	LogLevel slog.Level
}

// The defaults of what may be left out.
const (
	DefaultProtectTag = "nightlatch:protect"
	DefaultFilterID   = "EntireBucket"
	DefaultScanBudget = 2 << 40 // about $10 at $0.005 a GB
)

// The engines that can be asked what CloudTrail has recorded: CloudTrail Lake, and Athena about a trail's files.
const Lake, Athena = "lake", "athena"

// What the evidence can hold of S3: the reads of the watched buckets, or those of every bucket.
// Of what was there already it is known whether it takes every data event, or some.
const WatchedReads, AllReads, AllEvents, SomeEvents = "watched", "reads", "all", "some"

// What the evidence can hold of the management events of IAM, STS and sign-in, which record in us-east-1 or where they are called: all of every region,
// or some. Of some, that nobody did a thing is not known.
const ManagementAll, ManagementSome = "all", "some"

// Whom the approver trusts, beside identity providers by name: IAM Identity Center, and any SAML provider. DefaultApprovers is both.
const (
	TrustIdentityCenter, TrustSAML = "identity-center", "saml"
	DefaultApprovers               = TrustIdentityCenter + "," + TrustSAML
)

// Approvers is what an entry of the setting looks like: one of the words, the ARN of an identity provider, or the name of an OpenID Connect
// issuer. AcceptedApprovers says it.
var Approvers = lazyregexp.New(`^(` + TrustIdentityCenter + `|` + TrustSAML + `|arn:aws[a-z-]*:iam::[0-9]{12}:(saml|oidc)-provider/[A-Za-z0-9._/:-]{1,256}|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(/[A-Za-z0-9._/-]*)?)$`)

// AcceptedApprovers says what the setting takes.
const AcceptedApprovers = TrustIdentityCenter + ", " + TrustSAML + ", ARNs of identity providers and names of OpenID Connect issuers, with commas between them"

// AcceptedLocation says what a location looks like.
const AcceptedLocation = "where a trail's files lie, s3://BUCKET/[PREFIX/]AWSLogs/[ORGANIZATION/]"

// SealStated is the one value of the setting Sealed.
const SealStated = "stated"

// OwnFilterID is the request-metrics configuration that the enroller makes. Whatever has this id is Nightlatch's, and
// nothing else is.
const OwnFilterID = "nightlatch"

var (
	store  = lazyregexp.New(`^arn:aws[a-z-]*:cloudtrail:[a-z0-9-]+:[0-9]{12}:eventdatastore/[0-9a-f-]{36}$`)
	trail  = lazyregexp.New(`^arn:aws[a-z-]*:cloudtrail:[a-z0-9-]+:[0-9]{12}:trail/[A-Za-z0-9._-]{3,128}$`)
	engine = lazyregexp.New(`^(` + Lake + `|` + Athena + `)$`)
	// Location is what the location of a trail's files looks like, with the bucket and what its keys begin with as groups. Control Tower's prefix is the
	// organization's id, which stands behind AWSLogs again: https://docs.aws.amazon.com/controltower/latest/userguide/logging-and-monitoring.html
	Location   = lazyregexp.New(`^s3://(` + BucketName + `)/((?:[A-Za-z0-9!_./=+:@-]{1,200}/)?AWSLogs/(?:o-[a-z0-9]{10,32}/)?)$`)
	topic      = lazyregexp.New(`^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)
	account    = lazyregexp.New(`^[0-9]{12}$`)
	iamARN     = lazyregexp.New(`^arn:aws[a-z-]*:iam::([0-9]{12}|\*):(user|role)/[\x21-\x7e]+$`)
	tagKey     = lazyregexp.New(`^[\w .:/=+@-]{1,128}$`)
	filter     = lazyregexp.New(`^[A-Za-z0-9._-]{1,64}$`)
	records    = lazyregexp.New(`^(` + WatchedReads + `|` + AllReads + `|` + AllEvents + `|` + SomeEvents + `)$`)
	management = lazyregexp.New(`^(` + ManagementAll + `|` + ManagementSome + `)$`)
	seal       = lazyregexp.New(`^` + SealStated + `$`)
	table      = lazyregexp.New(`^[A-Za-z0-9_.-]{3,255}$`)
	group      = lazyregexp.New(`^[A-Za-z0-9_.-]{1,64}$`)
	roleARN    = lazyregexp.New(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]+$`)
	bus        = lazyregexp.New(`^[A-Za-z0-9._-]{1,256}$`)
	queue      = lazyregexp.New(`^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}$`)
)

// HubARN is the ARN of an event bus: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
var HubARN = lazyregexp.New(`^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._-]{1,256}$`)

// field is one setting: how it is read, and how it is written.
type field struct {
	name     string
	required bool
	accepts  string
	set      func(string) error
	get      func() string
}

func text(name, accepts string, required bool, form *lazyregexp.Regexp, p *string) field {
	return field{name, required, accepts, func(v string) error {
		if !form.MatchString(v) {
			return fmt.Errorf("is not")
		}
		*p = v
		return nil
	}, func() string { return *p }}
}

func list(name, accepts string, required bool, form *lazyregexp.Regexp, p *[]string) field {
	return field{name, required, accepts, func(v string) error {
		*p = strings.Split(v, ",")
		if slices.ContainsFunc(*p, func(e string) bool { return !form.MatchString(e) }) {
			return fmt.Errorf("is not")
		}
		return nil
	}, func() string { return strings.Join(*p, ",") }}
}

// AcceptedDay says what a day looks like.
const AcceptedDay = "a day, like 2026-12-31"

// IsDay reports whether a text is one.
func IsDay(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

func day(name string, p *string) field {
	return field{name, false, AcceptedDay, func(v string) error {
		if !IsDay(v) {
			return fmt.Errorf("is not")
		}
		*p = v
		return nil
	}, func() string { return *p }}
}

func logLevel(p *slog.Level) field {
	return field{"LOG_LEVEL", false, "debug, info, warn or error", func(v string) error { return p.UnmarshalText([]byte(v)) },
		func() string { return strings.ToLower(p.String()) }}
}

func (s *Responder) fields() []field {
	return []field{
		text("MODE", "observe, ask or act", false, lazyregexp.New(`^(observe|ask|act)$`), &s.Mode),
		day("OBSERVE_UNTIL", &s.ObserveUntil),
		text("EPOCH", "up to 64 letters, digits, dots, hyphens and underscores", false, filter, &s.Generation),
		text("EVIDENCE", "lake or athena", false, engine, &s.Evidence),
		text("EVENT_DATA_STORE", "the ARN of an event data store", false, store, &s.EventDataStore),
		text("TRAIL_LOCATION", AcceptedLocation, false, Location, &s.TrailLocation),
		text("MANAGEMENT_LOCATION", AcceptedLocation, false, Location, &s.ManagementLocation),
		text("MANAGEMENT", "all or some", false, management, &s.Management),
		text("SEALED", "stated, or not there", false, seal, &s.Sealed),
		text("TOPIC", "the ARN of an SNS topic", true, topic, &s.Topic),
		list("TOPICS", "ARNs of SNS topics, with commas between them", false, topic, &s.Topics),
		text("WEBHOOK", "the ARN of a secret", false, secret, &s.Webhook),
		text("SLACK", "the ARN of a secret", false, secret, &s.Slack),
		text("EVENT_BUS", "the name of an event bus", false, bus, &s.EventBus),
		text("HUB", "the ARN of an event bus", false, HubARN, &s.Hub),
		text("CHAT", "the ARN of an SNS topic", false, topic, &s.Chat),
		list("WATCHERS", "ARNs of SNS topics, with commas between them", false, topic, &s.Watchers),
		list("ACCOUNTS", "12-digit account ids, with commas between them", true, account, &s.Accounts),
		text("UNIT", AcceptedUnit, false, Unit, &s.Unit),
		list("PROTECTED", "ARNs of IAM users and roles, with commas between them", false, iamARN, &s.Protected),
		text("PROTECT_TAG", "a tag key", false, tagKey, &s.ProtectTag),
		text("FILTER_ID", "the id of a request-metrics configuration", false, filter, &s.FilterID),
		{"SCAN_BUDGET", false, "a number of bytes, 0 or more", func(v string) (err error) {
			s.ScanBudget, err = strconv.ParseInt(v, 10, 64)
			if s.ScanBudget < 0 {
				return fmt.Errorf("is not")
			}
			return err
		}, func() string { return strconv.FormatInt(s.ScanBudget, 10) }},
		text("RECORDS", "watched, reads, all or some", false, records, &s.Records),
		text("TABLE", "the name of a DynamoDB table", false, table, &s.Table),
		text("SCHEDULE_GROUP", "the name of a schedule group", false, group, &s.ScheduleGroup),
		text("SCHEDULE_ROLE", "the ARN of an IAM role", false, roleARN, &s.ScheduleRole),
		text("DEAD_LETTERS", "the ARN of an SQS queue", false, queue, &s.DeadLetters),
		list("STEPS", AcceptedSteps, false, Step, &s.Steps),
		list("STEP_PATHS", AcceptedStepPaths, false, StepPath, &s.StepPaths),
		text("CUTTER", "the name of a Lambda function", false, group, &s.Cutter),
		logLevel(&s.LogLevel),
	}
}

// Parse reads an environment, a list of NAME=value. An unknown name, a missing one or a value that does not fit is one
// sentence that names it, what was given, and what is accepted; several are several lines.
func Parse(environ []string) (Responder, error) {
	s := Responder{ProtectTag: DefaultProtectTag, FilterID: DefaultFilterID, ScanBudget: DefaultScanBudget}
	w := read(s.fields(), environ)
	s.together(&w)
	if err := w.err(); err != nil {
		return Responder{}, err
	}
	return s, nil
}

// wrong is what is wrong with an environment, all of it: whoever corrects one setting after the other deploys as often.
type wrong struct {
	says  []error
	names []string // of the settings that were given and do not fit
}

func (w *wrong) say(format string, args ...any) { w.says = append(w.says, fmt.Errorf(format, args...)) }

// any reports whether one of these settings does not fit: then nothing is said of how they go together.
func (w *wrong) any(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(w.names, name) })
}

func (w *wrong) err() error { return errors.Join(w.says...) }

// engines refuses an environment that names no engine, and says which is first where nobody has.
func (s *Responder) engines(w *wrong) {
	switch {
	case w.any("EVENT_DATA_STORE", "TRAIL_LOCATION", "EVIDENCE"):
	case s.EventDataStore == "" && s.TrailLocation == "":
		w.say("%[1]sEVENT_DATA_STORE and %[1]sTRAIL_LOCATION are missing: give one of them, or both", prefix)
	case s.Evidence == Lake && s.EventDataStore == "":
		w.say("%[1]sEVIDENCE is %[2]q, and %[1]sEVENT_DATA_STORE is missing", prefix, Lake)
	case s.Evidence == Athena && s.TrailLocation == "":
		w.say("%[1]sEVIDENCE is %[2]q, and %[1]sTRAIL_LOCATION is missing", prefix, Athena)
	case s.Evidence == "" && s.EventDataStore != "":
		s.Evidence = Lake
	case s.Evidence == "":
		s.Evidence = Athena
	}
}

// together refuses some of what goes together without the rest.
func (s *Responder) together(w *wrong) {
	s.engines(w)
	all := [...]string{s.Table, s.ScheduleGroup, s.ScheduleRole, s.DeadLetters}
	if !w.any("TABLE", "SCHEDULE_GROUP", "SCHEDULE_ROLE", "DEAD_LETTERS") && slices.Contains(all[:], "") && all != [len(all)]string{} {
		w.say("%[1]sTABLE, %[1]sSCHEDULE_GROUP, %[1]sSCHEDULE_ROLE and %[1]sDEAD_LETTERS go together: give all of them, or none", prefix)
	}
	if s.ManagementLocation != "" && s.TrailLocation == "" && !w.any("TRAIL_LOCATION", "MANAGEMENT_LOCATION") {
		w.say("%[1]sMANAGEMENT_LOCATION is %[2]q, and %[1]sTRAIL_LOCATION is missing: it is asked beside that", prefix, s.ManagementLocation)
	}
	if s.ObserveUntil != "" && s.Mode != "observe" && !w.any("MODE", "OBSERVE_UNTIL") {
		w.say("%[1]sOBSERVE_UNTIL is %[2]q, and %[1]sMODE is not observe: it says when that mode ends", prefix, s.ObserveUntil)
	}
	if s.Cutter != "" && s.Steps == nil && !w.any("STEPS") {
		w.say("%[1]sCUTTER is %[2]q, and %[1]sSTEPS is missing: it does the steps that are enabled", prefix, s.Cutter)
	}
}

// read sets the fields from an environment, and says what is wrong with it.
func read(fields []field, environ []string) wrong {
	given := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if short, ours := strings.CutPrefix(name, prefix); ours {
			given[short] = value
		}
	}
	var w wrong
	for _, f := range fields {
		v, ok := given[f.name]
		delete(given, f.name)
		switch {
		case !ok && f.required:
			w.say("%s%s is missing: it is %s", prefix, f.name, f.accepts)
		case ok && f.set(v) != nil:
			w.say("%s%s is %q, and should be %s", prefix, f.name, v, f.accepts)
			w.names = append(w.names, f.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		w.say("%s%s is not a setting", prefix, name)
	}
	return w
}

// Environ writes the settings as the environment that Parse reads.
func (s Responder) Environ() map[string]string { return write(s.fields()) }

func write(fields []field) map[string]string {
	out := map[string]string{}
	for _, f := range fields {
		if v := f.get(); v != "" {
			out[prefix+f.name] = v
		}
	}
	return out
}
