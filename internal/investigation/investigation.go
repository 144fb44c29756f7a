// Package investigation asks: the metric again, the trail about many incidents at once, what is usual, who a credential belongs to, who gave
// it out, and what was done with it since. It returns answers. It decides nothing, puts no record, and knows no incident.
//
// It may import alarm, evidence, policy and containment, and the leaves below them. It must not import incident, another room, the
// responder or an SDK.
//
// What CloudTrail and CloudWatch are asked, and how late they answer: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
package investigation

import (
	"context"
	"log/slog"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/clock"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
	"nightlatch/internal/workers"
)

// Investigation asks the account's metric, trail and IAM.
type Investigation struct {
	meter         alarm.Meter
	first, second evidence.Trail
	account       containment.Account
	ours          actor.Ours
	clock         clock.Clock
	workers       workers.Pool
	log           *slog.Logger

	targets moment[actor.Credential, policy.Target]
	docs    moment[containment.Ref, containment.Doc]
}

// New makes an investigation. second is asked where first fails, has no room, or stays behind; nil where there is none. meter may be nil where
// no metric is read, as in the approver.
func New(meter alarm.Meter, first, second evidence.Trail, account containment.Account, ours actor.Ours, c clock.Clock, w workers.Pool, log *slog.Logger) *Investigation {
	return &Investigation{meter: meter, first: first, second: second, account: account, ours: ours, clock: c, workers: w, log: log}
}

// Metric reads an alarm's metric again.
func (i *Investigation) Metric(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	return i.meter.Read(ctx, a)
}

// Refused counts what S3 has refused of the requests to an alarm's buckets, whoever sent them.
func (i *Investigation) Refused(ctx context.Context, a alarm.Alarm, from, to time.Time) (alarm.Refusals, error) {
	return i.meter.Refused(ctx, a, from, to)
}

// RefusedCalls says whose calls were refused since. The answer has what it cost, also beside an error.
func (i *Investigation) RefusedCalls(ctx context.Context, q evidence.Refused) (evidence.Refusals, evidence.Answer, error) {
	answer, err := i.ask(ctx, q)
	var refused evidence.Refusals
	if err == nil {
		refused, err = evidence.ReadRefused(answer.Rows)
	}
	return refused, answer, err
}

// Targets says of each credential whom it belongs to, and of a key how it is set. It has an entry for each of them, whatever failed. An answer
// is kept for a moment: in a storm of alarms a hundred incidents are about one key.
func (i *Investigation) Targets(ctx context.Context, credentials []actor.Credential) map[actor.Credential]containment.Owned {
	all := map[actor.Credential]containment.Owned{}
	for _, c := range credentials {
		all[c] = i.target(ctx, c)
	}
	return all
}

func (i *Investigation) target(ctx context.Context, who actor.Credential) (o containment.Owned) {
	o.Target, o.Err = i.targets.get(who, i.clock.Now(), func() (policy.Target, error) { return i.account.Identify(ctx, who) })
	if !o.Target.Known && o.Err != nil {
		o.Target = policy.Target{}
	}
	if who.Kind == actor.IAMUserKey && o.Target.Known {
		ref := containment.KeyRef(o.Target)
		o.Status, o.StatusErr = i.docs.get(ref, i.clock.Now(), func() (containment.Doc, error) { return i.account.Read(ctx, ref) })
	}
	return o
}

// Since says what credentials and principals have done since. The answer has what it cost, also beside an error.
func (i *Investigation) Since(ctx context.Context, q evidence.Since) (evidence.Deeds, evidence.Answer, error) {
	answer, err := i.ask(ctx, q)
	var deeds evidence.Deeds
	if err == nil {
		deeds, err = evidence.ReadSince(answer.Rows)
	}
	return deeds, answer, err
}

// Callers says from where credentials were used before a time. The answer has what it cost, also beside an error.
func (i *Investigation) Callers(ctx context.Context, q evidence.Callers) (*evidence.Uses, evidence.Answer, error) {
	answer, err := i.ask(ctx, q)
	var uses *evidence.Uses
	if err == nil {
		uses, err = evidence.ReadCallers(answer.Rows, q)
	}
	return uses, answer, err
}

// Copied says where to objects were copied, and whether there is more than it says.
func (i *Investigation) Copied(ctx context.Context, q evidence.Copied) ([]evidence.Copy, bool, error) {
	answer, err := i.ask(ctx, q)
	if err != nil {
		return nil, false, err
	}
	return evidence.ReadCopied(answer.Rows)
}

// Trust says who has made or changed what lets somebody into a role by an identity provider, within the history; nil where the trail shows nobody.
func (i *Investigation) Trust(ctx context.Context, role, provider string) (*evidence.Tagger, error) {
	now := i.clock.Now()
	answer, err := i.ask(ctx, evidence.Trust{Role: role, Provider: provider, From: now.Add(-evidence.HistorySpan), To: now})
	if err != nil {
		return nil, err
	}
	return evidence.ReadTrust(answer.Rows)
}

// Tagged says who put the tag there that protects a target; nil where the trail does not show it. The answer has what it cost, also beside an
// error.
func (i *Investigation) Tagged(ctx context.Context, target policy.Target) (*evidence.Tagger, evidence.Answer, error) {
	now := i.clock.Now()
	q := evidence.Tagged{User: target.Owner, Tag: target.ProtectTag, From: now.Add(-evidence.HistorySpan), To: now}
	if target.Type == policy.Role {
		q.User, q.Role = "", target.Owner
	}
	answer, err := i.ask(ctx, q)
	var tagger *evidence.Tagger
	if err == nil {
		tagger, err = evidence.ReadTagged(answer.Rows)
	}
	return tagger, answer, err
}
