package doctor

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"nightlatch/internal/grant"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// Deployed is what the stack says was deployed, its nested stacks included.
type Deployed struct {
	Topics []Topic
	Alarms []Alarm
	Roles  []Role
	Queues []Queue
	Rules  []Rule
	// Resources are what else is held against the template, setting by setting.
	Resources []Resource
	// Trail and Store are the ARNs of the trail and the event data store that are asked; "" where there is none.
	Trail, Store string
	// MadeTrail says that the stack has made the trail. Location is where its files lie; it holds Unknown where that was looked up.
	MadeTrail bool
	Location  string
	// ManagementTrail and ManagementLocation are those of another trail, which has the management events; "" where there is none, and the ARN is "" where
	// the location is given. Deeds is what the evidence holds of them, as settings.Responder.Management has it.
	ManagementTrail, ManagementLocation, Deeds string
	// Stated says that the deployer states that nobody but CloudTrail writes the trail's files.
	Stated bool
	// Buckets are the watched buckets by name; trail.Everything stands for all.
	Buckets []string
	// Filter is the id of the request-metrics configurations that the alarms read.
	Filter string
	// BucketTag is the tag that buckets need to be watched without a name in the setting; "" where they need none.
	BucketTag string
	// Mode is how far it goes by itself, and ObserveUntil the last day of mode observe, as 2026-12-31; "" where none is set.
	Mode, ObserveUntil string
	// Channels are what messages of incidents go to: topics, secrets, a bus, as the settings name them.
	Channels []string
	// Heartbeat says that a sign of life is sent.
	Heartbeat bool
	// Changing says that a deployment is going on: what is there is between two templates.
	Changing bool
	// Policy is the policy that was deployed; the zero Digest where the template does not say.
	Policy policy.Digest
}

// Topic is a topic to which the team's messages go.
type Topic struct {
	ARN string
	// Endpoints are those that the deployment subscribes. A topic of somebody else's has none: whoever hears there is his to say.
	Endpoints []notify.Endpoint
}

// Alarm is an alarm of the deployment's, as it was deployed or as it is.
type Alarm struct {
	Name string
	// Settings say when it fires and what it does then, by the names of CloudFormation's properties: "Threshold". A value may hold Unknown.
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html
	Settings map[string]string
	// Idle says why it does nothing now, a sentence each: it is muted, say. None of an alarm as it was deployed.
	Idle []string
}

// Role is a role of the deployment's, as it was deployed or as it is. Documents are JSON in one form, as Canonical writes it.
type Role struct {
	// ID is its logical id in the template.
	ID, ARN     string
	Name, Trust string
	// Policies are its inline policies by name.
	Policies map[string]string
	// Attached are the ARNs of managed policies, and Boundary that of its permissions boundary; "" for none.
	Attached []string
	Boundary string
}

// Queue is a queue of the deployment's.
type Queue struct {
	URL, Name string
	// Consumed says that a function takes its messages. What is in any other waits for a human.
	Consumed bool
	// Redrive is what becomes of messages that fail, as JSON in one form; "" for nothing.
	Redrive string
	// Waiting counts the messages in it, of a queue as it is.
	Waiting int
}

// Stack reads what was deployed. Errors are one sentence.
type Stack interface {
	Deployed(context.Context) (Deployed, error)
}

// onStack is a check that looks at what was deployed.
func onStack(name string, stack Stack, grants []grant.Grant, run func(context.Context, Deployed) Answer) Check {
	return Check{Name: name, Grants: grants, Mend: readable, Run: func(ctx context.Context) Answer {
		d, err := stack.Deployed(ctx)
		if err != nil {
			return unread(err)
		}
		return run(ctx, d)
	}}
}

// part is a resource of the stack's: as it was deployed, it says how it differs from what is there now. id is by what it is read, and name what it is
// called.
type part[T any] interface {
	names() (id, name string)
	differs(is T) []Finding
}

// asDeployed reads all of the stack's parts of a kind as they are, and holds each against what was deployed. gone says what comes of it where one is
// not there any more, mend how it comes back, and well what holds.
func asDeployed[T part[T]](ctx context.Context, kind string, deployed []T, read func(context.Context, string) (T, error), gone, mend, well string) Answer {
	if len(deployed) == 0 {
		return unread(fmt.Errorf("the stack has no %s; see whether it is Nightlatch's", kind))
	}
	var all []Finding
	for _, was := range deployed {
		id, name := was.names()
		is, err := read(ctx, id)
		switch {
		case errors.Is(err, ErrGone):
			all = append(all, Finding{Says: fmt.Sprintf("%s %s is gone: %s", kind, prose.Safe(name), gone), Mend: mend})
		case err != nil:
			return unread(err)
		default:
			all = append(all, was.differs(is)...)
		}
	}
	return found(all, "%s %s", prose.Plural(int64(len(deployed)), kind), well)
}

// Once makes one reading of a stack serve all checks of a list.
func Once(s Stack) Stack { return &once{stack: s} }

type once struct {
	stack Stack
	mu    sync.Mutex
	read  bool
	got   Deployed
	err   error
}

// Deployed implements Stack. The first who asks reads.
func (o *once) Deployed(ctx context.Context) (Deployed, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.read {
		o.got, o.err = o.stack.Deployed(ctx)
		o.read = true
	}
	return o.got, o.err
}

// Unknown stands in a deployed value for what only CloudFormation knows, such as what a custom resource has answered. It is text without a
// wildcard in it, so that it cannot stand for more than one thing.
const Unknown = "\uE000"

// same reports whether a value is as deployed.
func same(deployed, is string) bool {
	if !strings.Contains(deployed, Unknown) {
		return deployed == is
	}
	parts := strings.Split(deployed, Unknown)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`^` + strings.Join(parts, `[^"*?]*`) + `$`).MatchString(is)
}
