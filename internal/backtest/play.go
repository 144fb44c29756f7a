package backtest

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
	"nightlatch/internal/responder"
	"nightlatch/internal/sandbox"
	"nightlatch/internal/settings"
)

// world is what the responder finds: the trail, the metric, and the accounts as the trail shows them.
type world struct {
	trail    *memo
	series   map[string][]alarm.Point
	accounts map[string]*sandbox.Account
	ours     actor.Ours
}

func newWorld(trail evidence.Trail, all []Series) *world {
	w := &world{trail: &memo{trail: trail}, series: map[string][]alarm.Point{}, accounts: map[string]*sandbox.Account{}}
	for _, s := range all {
		w.series[s.Bucket] = s.Minutes
	}
	return w
}

// account is an account as the trail shows it, with every key on.
func (w *world) account(ctx context.Context, id string) (*sandbox.Account, error) {
	if a := w.accounts[id]; a != nil {
		for key, status := range a.Statuses() {
			if status != containment.Active {
				a.SetStatus(key, containment.Active)
			}
		}
		return a, nil
	}
	a, ours, err := sandbox.Infer(ctx, w.trail.trail, id)
	if err != nil {
		return nil, err
	}
	w.accounts[id], w.ours = a, ours
	return a, nil
}

// play has the responder answer an alarm under a policy, until the incident and all that follow from it are closed.
func (w *world) play(ctx context.Context, f Firing, p *policy.Policy) (Judged, error) {
	account, err := w.account(ctx, f.series.Account)
	if err != nil {
		return Judged{}, err
	}
	event, err := f.event(account.ID)
	if err != nil {
		return Judged{}, err
	}
	clock := sandbox.NewClock(f.since())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := responder.Responder{
		Meter: meter{w.series, clock, f.Threshold, f.points}, Trail: patient{w.trail, ctx}, Account: account, Store: &incident.Memory{}, Channels: []notify.Channel{&sandbox.Channel{}},
		Clock: clock, Scheduler: &sandbox.Scheduler{}, Log: slog.New(slog.DiscardHandler), Mode: containment.ModeAct,
		Place: incident.Place{AccountID: account.ID, Region: f.series.Region}, Ours: w.ours, Policy: policy.Ready(p),
	}
	records := map[string]incident.Record{}
	_, err = r.Handle(ctx, event, func(rec incident.Record) {
		records[rec.ID] = rec
		if w.trail.err() != nil {
			cancel() // or it would go on asking
		}
	})
	if err := cmp.Or(w.trail.err(), err); err != nil {
		return Judged{}, err
	}
	return judged(records), nil
}

// event is the alarm as CloudWatch sends it.
func (f Firing) event(account string) ([]byte, error) {
	if f.past != nil {
		return f.past.event(account, f.series.Region)
	}
	name := "nightlatch-" + f.Bucket + "-" + f.Threshold.PeriodName()
	return sandbox.AlarmEvent(sandbox.Transition{Name: name, AccountID: account, Region: f.series.Region, At: f.since(), Period: f.Threshold.Period,
		Threshold: float64(f.Threshold.Bytes), Points: []alarm.Point{f.First}, Metrics: sandbox.BucketMetrics(f.Threshold.Period, f.Bucket)})
}

// meter is the metric as CloudWatch has it at a time.
type meter struct {
	series    map[string][]alarm.Point
	clock     *sandbox.Clock
	threshold settings.Threshold
	// remembered are datapoints as CloudWatch had them, where it is known.
	remembered []alarm.Point
}

// lookback is how far before an alarm's window its metric is read.
const lookback = time.Hour

// Read implements alarm.Meter. As CloudWatch's own, it keeps the phase of the window: a day's datapoints begin on any minute.
func (m meter) Read(_ context.Context, a alarm.Alarm) (alarm.Reading, error) {
	r := alarm.Reading{Buckets: a.Buckets, Period: m.threshold.Period, Threshold: float64(m.threshold.Bytes)}
	now := m.clock.Now().Add(-Late)
	from := a.From.Truncate(time.Minute).Add(-max(lookback, 2*m.threshold.Period))
	sums := map[int64]int64{}
	for _, b := range a.Buckets {
		for _, p := range between(m.series[b], from, now.Add(-time.Minute)) {
			sums[int64(p.Start.Sub(from)/m.threshold.Period)] += p.Bytes
		}
	}
	for _, p := range m.remembered {
		sums[int64(p.Start.Sub(from)/m.threshold.Period)] = p.Bytes
	}
	for n, bytes := range sums {
		r.Points = append(r.Points, alarm.Point{Start: from.Add(time.Duration(n) * m.threshold.Period), Bytes: bytes})
	}
	slices.SortFunc(r.Points, func(x, y alarm.Point) int { return x.Start.Compare(y.Start) })
	return r, nil
}

// Refused implements alarm.Meter: what S3 has refused without a name is in no trail.
func (meter) Refused(context.Context, alarm.Alarm, time.Time, time.Time) (alarm.Refusals, error) {
	return alarm.Refusals{Doubt: "no CloudWatch was asked"}, nil
}

// between are the points that begin in [from, to].
func between(points []alarm.Point, from, to time.Time) []alarm.Point {
	begins := func(p alarm.Point, t time.Time) int { return p.Start.Compare(t) }
	first, _ := slices.BinarySearchFunc(points, from, begins)
	last, there := slices.BinarySearchFunc(points, to, begins)
	if there {
		last++
	}
	return points[first:max(first, last)]
}

// judged puts together what became of an alarm: of its first incident, and of those that followed while it stayed in ALARM.
func judged(records map[string]incident.Record) Judged {
	var all []incident.Record
	for _, rec := range records {
		all = append(all, rec)
	}
	slices.SortFunc(all, func(x, y incident.Record) int { return cmp.Or(x.Opened.Compare(y.Opened), cmp.Compare(x.ID, y.ID)) })
	j := Judged{Decision: Left, Steps: []Step{}}
	for _, rec := range all {
		j.Answers = append(j.Answers, report.Answer(rec))
		for i, v := range rec.Verdicts {
			s := step(rec, v, rec.Outcomes[i])
			known := slices.IndexFunc(j.Steps, func(k Step) bool { return k.Action == s.Action && k.Target == s.Target && k.Who == s.Who })
			switch {
			case known < 0:
				j.Steps = append(j.Steps, s)
			case weight(s.Decision) > weight(j.Steps[known].Decision):
				s.Bytes += j.Steps[known].Bytes
				j.Steps[known] = s
			default:
				j.Steps[known].Bytes += s.Bytes
			}
			if weight(s.Decision) > weight(j.Decision) {
				j.Decision = s.Decision
			}
		}
	}
	slices.SortStableFunc(j.Steps, func(x, y Step) int {
		return cmp.Or(weight(y.Decision)-weight(x.Decision), cmp.Compare(y.Bytes, x.Bytes))
	})
	return j
}

func step(rec incident.Record, v incident.Verdict, o containment.Outcome) Step {
	s := Step{Action: string(o.Action), Target: o.Target, AccessKeyID: o.AccessKeyID, Who: o.Who, Owner: o.Step.Target.Owner, Decision: decided(v, o), Reasons: v.Reasons}
	for _, a := range rec.Evidence.Actors {
		if a.AccessKeyID == o.AccessKeyID && a.Who() == o.Who {
			s.Kind, s.Bytes, s.Owner = string(a.Kind), s.Bytes+a.Bytes, cmp.Or(s.Owner, a.UserName, a.RoleName)
		}
	}
	s.Owner = cmp.Or(s.Owner, s.Who, s.AccessKeyID, s.Target)
	return s
}

// decided is what became of a step. One that is off already was turned off by an earlier window of the same alarm: the account begins with every
// key on.
func decided(v incident.Verdict, o containment.Outcome) Decision {
	switch {
	case v.Decision == policy.Leave:
		return Left
	case v.Decision == policy.Contain && o.State != containment.Asked && o.State != containment.Failed:
		return Contained
	}
	return Asked
}

func weight(d Decision) int { return slices.Index([]Decision{Left, Asked, Contained}, d) }
