package sandbox

// Who hears in a simulated night: topics and their endpoints, the queue of notices with the function that tells of them, the alarms on our own
// functions, and the sign of life. All of this has dice of its own, so that a night in which nothing happens to hearing goes as it would without.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/doctor"
	"nightlatch/internal/incident"
	"nightlatch/internal/notices"
	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

// hearing is what is true of it.
type hearing struct {
	ears              *rand.Rand
	team, watch, chat *topic // chat is somebody else's, and nil in most nights
	ops               caller // of the thief's, who does what is done to hearing
	heard             []hears
	news              []news
	told              notices.State
	letters           []letter // of the queue of notices, that wait for a batch
	polled            bool
	runs              int // of the function that tells
	firingSince       map[string]time.Time
	lostNotices       int // notices in the queue of failed events
	muted, unsealed   bool
	lively            time.Time // when the last sign of life was sent
	missed            time.Time // when it stayed away last, because something was found broken
	amiss             bool      // nobody has put it back yet
	mended            time.Time // when somebody did last
	stopped           time.Time // all of this ends
}

// topic is one topic, and who subscribes.
type topic struct {
	name      string
	endpoints []*endpoint
	shut      error // why it takes nothing; nil where it does
	next      time.Time
	taken     []time.Time // in the last second
}

// endpoint is a subscription of the deployment's.
type endpoint struct {
	notify.Subscription
	gone bool // and not listed
}

// hears is a message that has reached a human.
type hears struct {
	at time.Time
	report.Message
	own bool // an alarm on our own functions
}

// news is what a human has to hear of: a message that says so, after since. Until late nobody can complain.
type news struct {
	since, late time.Time
	says        string
	incident    bool   // an alarm on the responder calls a human to it too
	event       string // of a notice
}

// within reports whether a batch has what there is to hear of.
func (n news) within(batch []letter) bool {
	return n.event != "" && slices.ContainsFunc(batch, func(l letter) bool { return strings.Contains(l.body, n.event) })
}

// letter is a message of the queue of notices.
type letter struct {
	body  string
	tries int
}

const (
	// heardWithin is how soon a human has heard of what anybody can know.
	heardWithin = 20 * time.Minute
	// beatEvery is the heartbeat's pace, as a deployment has it that says nothing of it.
	beatEvery = 15 * time.Minute
	// mailsASecond is how many e-mails a second a subscription bears: https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
	mailsASecond = 10
)

func (w *world) subscribe(name, address string, more ...string) *topic {
	t := &topic{name: name}
	for _, a := range append([]string{address}, more...) {
		protocol, _, _ := strings.Cut(a, ":")
		t.endpoints = append(t.endpoints, &endpoint{Subscription: notify.Subscription{Endpoint: notify.Endpoint{Protocol: protocol, Address: a}, ARN: "arn:aws:sns:" + region + ":" + accountID + ":t:" + a,
			Confirmed: true, Authenticated: true}})
	}
	return t
}

// listen says who hears, and has what is regular happen.
func (w *world) listen() {
	w.firingSince = map[string]time.Time{}
	w.lively, w.stopped = dusk, dusk.Add(200*time.Minute)
	w.team, w.watch = w.subscribe("sns", "email:soc"), w.subscribe("sns:watch", []string{"sms:soc", "email:soc"}[w.IntN(2)])
	if w.chance(0.3) {
		w.team = w.subscribe("sns", "email:soc", "email:lead")
	}
	if w.chance(0.03) {
		w.chat = w.subscribe("sns:chat", "https:chat")
	}
	w.quiet()
	w.after(w.between(0, beatEvery), w.beat)
	w.after(w.between(0, 5*time.Minute), w.remindOfNotices)
}

// topics are all that there are.
func (w *world) topics() []*topic {
	if w.chat == nil {
		return []*topic{w.team, w.watch}
	}
	return []*topic{w.team, w.watch, w.chat}
}

// takes has a topic take a message, and says whether a human hears it. AWS deactivates an e-mail subscription that gets too many.
func (w *world) takes(t *topic, m report.Message, own bool) (human bool, err error) {
	if t.shut != nil {
		return false, t.shut
	}
	t.taken = append(slices.DeleteFunc(t.taken, func(at time.Time) bool { return !at.After(w.now.Add(-time.Second)) }), w.now)
	for _, e := range t.endpoints {
		if e.Protocol == "email" && len(t.taken) > mailsASecond && e.Confirmed {
			e.Confirmed, w.amiss = false, true
			w.tell("AWS deactivates %s, which gets more than %d messages a second", e.Address, mailsASecond)
			if !own {
				w.breach(ruleFlood, "%s is deactivated", e.Address)
			}
		}
		human = human || e.Hears() && !e.gone
	}
	if human {
		w.heard = append(w.heard, hears{w.now, m, own})
		w.with(w.ears, func() { w.alert(m) })
	}
	return human, nil
}

// alert is a human who hears that something keeps him from hearing, and often mends it.
func (w *world) alert(m report.Message) {
	about := slices.ContainsFunc(notices.Rules(), func(r notices.Rule) bool { return r.Hearing && strings.Contains(m.Subject+m.Body, r.Subject) })
	if about && w.amiss && w.chance(0.5) {
		w.after(w.between(3*time.Minute, 40*time.Minute), w.mend)
	}
}

// mend puts back what keeps the team from hearing.
func (w *world) mend() {
	w.tell("a human puts back all that keeps the team from hearing")
	w.muted, w.amiss, w.mended = false, false, w.now
	for _, t := range w.topics() {
		t.shut = nil
		for _, e := range t.endpoints {
			e.Confirmed, e.Filtered, e.gone = true, false, false
		}
	}
}

// subscriptions are what SNS lists.
func (w *world) subscriptions(t *topic) (all []notify.Subscription, err error) {
	if errors.Is(t.shut, notify.ErrGone) {
		return nil, t.shut
	}
	for _, e := range t.endpoints {
		s := e.Subscription
		if w.plant == believed {
			s.Confirmed, s.Filtered = true, false
		} else if e.gone {
			continue
		}
		all = append(all, s)
	}
	return all, nil
}

// deployed are the endpoints as the deployment names them.
func (t *topic) deployed() (all []notify.Endpoint) {
	for _, e := range t.endpoints {
		all = append(all, e.Endpoint)
	}
	return all
}

// channels are those of a function of ours, as sns.Deployment makes them: a message to the team has arrived where somebody hears it, and each waits
// for its turn.
func (in *invocation) channels() (team, watchers []notify.Channel) {
	log := slog.New(simLog{in})
	team = []notify.Channel{notify.Heard(simChannel{in, in.team}, in.team.deployed(), func(context.Context) ([]notify.Subscription, error) {
		if in.deaf("channel") {
			return nil, errors.New("it cannot be read")
		}
		return in.subscriptions(in.team)
	}, simClock{in}.Now, log)}
	if in.chat != nil {
		team = append(team, simChannel{in, in.chat})
	}
	watchers = []notify.Channel{notify.Heard(simChannel{in, in.watch}, in.watch.deployed(), func(context.Context) ([]notify.Subscription, error) {
		if in.deaf("channel") {
			return nil, errors.New("it cannot be read")
		}
		return in.subscriptions(in.watch)
	}, simClock{in}.Now, log)}
	return notify.Paced(team, simTurns{in}, simClock{in}, log), notify.Paced(watchers, simTurns{in}, simClock{in}, log)
}

// orWatchers are the channels of those who notify the team of incidents: where its topic takes nothing, the watchers hear.
func (in *invocation) orWatchers() []notify.Channel {
	team, watchers := in.channels()
	team[0] = notify.OrElse(team[0], watchers, slog.New(simLog{in}))
	if in.hub != nil {
		team = append(team, simHub{in})
	}
	return team
}

// deaf is whether a call to a service fails that has no time of its own here.
func (w *world) deaf(service string) (fails bool) {
	w.with(w.ears, func() { fails = w.chance(w.weather.fault[service]) })
	return fails
}

// simTurns are the turns in the table.
type simTurns struct{ *invocation }

func (s simTurns) Turn(_ context.Context, channel string, now time.Time) (time.Time, error) {
	if s.deaf("store") {
		return time.Time{}, errors.New("the table does not answer")
	}
	t := s.topics()[slices.IndexFunc(s.topics(), func(t *topic) bool { return t.name == channel })]
	if t.next.After(now) {
		now = t.next
	}
	t.next = now.Add(notify.Interval)
	return now, nil
}

// notice has EventBridge write a call to the queue of notices, as a rule of the stack has it. What was done has to be heard of: at once, or Wait
// after the same was told.
func (w *world) notice(rule, call, parameters, refused string) {
	who := w.ops.who
	w.after(w.between(time.Second, 30*time.Second), func() {
		id := fmt.Sprint(w.Uint64())
		event := fmt.Sprintf(`{"id":%q,"detail-type":"AWS API Call via CloudTrail","time":%q,"detail":{"eventID":%q,"eventName":%q,"errorCode":%q,"eventTime":%q,"sourceIPAddress":"198.51.100.7",`+
			`"userIdentity":{"type":"IAMUser","arn":%q,"accessKeyId":%q},"requestParameters":%s}}`, id, w.now.Format(time.RFC3339), fmt.Sprint(w.Uint64()), call, refused,
			w.now.Format(time.RFC3339), who.ARN, who.AccessKeyID, parameters)
		w.arrive(letter{body: strings.Replace(notices.Template(rule), "<aws.events.event.json>", event, 1)})
		i := slices.IndexFunc(notices.Rules(), func(r notices.Rule) bool { return r.Name == rule })
		if refused != "" {
			return
		}
		n := news{since: w.now, late: w.now, says: notices.Rules()[i].Subject, event: id}
		for _, h := range w.heard {
			if again := h.at.Add(notices.Wait); strings.Contains(h.Body, n.says) && again.After(n.late) {
				n.late = again
			}
		}
		n.late = n.late.Add(heardWithin)
		w.news = append(w.news, n)
	})
}

// arrive is a message that comes to the queue, or comes again. Lambda takes what has come within a minute, two batches at a time.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
func (w *world) arrive(l letter) {
	w.letters = append(w.letters, l)
	if !w.polled {
		w.polled = true
		w.after(time.Minute, w.batch)
	}
}

// remindOfNotices is the rule that has what is due told. Where nothing is, a run would note its time, and no more.
func (w *world) remindOfNotices() {
	s := w.told
	if len(s.Due) > 0 || slices.ContainsFunc(s.Tallies, func(t notices.Tally) bool { return t.Count > 0 }) {
		w.arrive(letter{body: `{"rule":"` + notices.Tick + `"}`})
	} else {
		w.told.Ticked = w.now
	}
	if w.now.Before(w.stopped) || len(s.Due) > 0 {
		w.after(5*time.Minute, w.remindOfNotices)
	}
}

// batch has the function told of what has come. What it fails on comes again when nobody sees it any more, five times in all.
func (w *world) batch() {
	const tellers, lives, unseen, most = 2, 2 * time.Minute, 13 * time.Minute, 5
	if w.runs == tellers {
		w.after(time.Second, w.batch)
		return
	}
	letters := w.letters
	w.letters, w.polled, w.runs = nil, false, w.runs+1
	var bodies []string
	for _, l := range letters {
		bodies = append(bodies, l.body)
	}
	in, deadline := w.invocation("&"), w.now.Add(lives)
	w.tell("%s begins: %s", in.name, prose.Plural(int64(len(bodies)), "notice"))
	in.thread = w.start(func(t *thread) {
		var again []int
		err := errDead
		defer func() {
			w.tell("%s ends: %v, %v", in.name, again, err)
			w.runs--
			if err == errDead { // nobody can know what is in a batch that died with its run, until it is seen again
				for i, n := range w.news {
					if again := w.now.Add(unseen + heardWithin); n.within(letters) && again.After(n.late) {
						w.news[i].late = again
					}
				}
			}
			if err != nil {
				w.fails("teller-errors")
				again = nil
				for i := range letters {
					again = append(again, i)
				}
			}
			for _, i := range again {
				if l := letters[i]; l.tries+1 < most {
					w.after(unseen, func() { w.arrive(letter{l.body, l.tries + 1}) })
				} else {
					w.lostNotices++
					w.fails("failed-events")
				}
			}
		}()
		in.thread = t
		again, err = in.teller().Handle(in.context(deadline), bodies)
	})
	w.at(deadline, func() {
		if !in.ended {
			in.kill()
		}
	})
}

// teller is the real one, as lambdas/notices builds it.
func (in *invocation) teller() notices.Teller {
	team, watchers := in.channels()
	return notices.Teller{Store: simNotices{in}, Team: team[0], Watchers: watchers, Watched: buckets, Clock: simClock{in}, Log: slog.New(simLog{in}),
		Suspects: func(context.Context) (all []string, err error) {
			for _, r := range in.stored {
				for _, a := range r.Evidence.Actors {
					if r.Closed.IsZero() {
						all = append(all, a.AccessKeyID, a.PrincipalARN)
					}
				}
			}
			return all, nil
		}}
}

// simNotices is what the table keeps of notices.
type simNotices struct{ *invocation }

func (s simNotices) Load(context.Context) (notices.State, error) {
	return call(s.invocation, "store", "load the notices", func() (notices.State, error) { return s.told, nil })
}

func (s simNotices) Put(_ context.Context, is notices.State) error {
	_, err := call(s.invocation, "store", "put the notices", func() (struct{}, error) {
		if is.Version != s.told.Version+1 {
			return struct{}{}, incident.ErrConflict
		}
		s.told = is
		return struct{}{}, nil
	})
	return err
}

// fails is an alarm on our own functions that fires, if it does not already. CloudWatch publishes to the watchers without our code, and
// EventBridge writes to the queue of notices.
func (w *world) fails(name string) {
	w.with(w.ears, func() {
		rings := !w.firingSince[name].After(w.now.Add(-6 * time.Minute))
		w.firingSince[name] = w.now
		if rings {
			w.after(w.between(30*time.Second, 3*time.Minute), func() { w.ring(name) })
		}
	})
}

func (w *world) ring(name string) {
	w.tell("alarm watch-nightlatch-%s FIRES", name)
	if _, err := w.takes(w.watch, report.Message{Subject: `ALARM: "watch-nightlatch-` + name + `"`}, true); err != nil {
		w.tell("the watchers' topic takes no message: %v", err)
	}
}

// Deployed implements doctor.Stack.
func (w *world) Deployed(context.Context) (doctor.Deployed, error) {
	d := doctor.Deployed{Queues: []doctor.Queue{{Name: "FailedEvents", URL: "failed"}, {Name: "Notices", URL: "notices", Consumed: true}}, Buckets: buckets, Heartbeat: true}
	for _, t := range w.topics() {
		of := doctor.Topic{ARN: t.name, Endpoints: t.deployed()}
		if t == w.chat {
			of.Endpoints = nil
		}
		d.Topics = append(d.Topics, of)
	}
	for _, a := range w.alarms {
		d.Alarms = append(d.Alarms, doctor.Alarm{Name: a.name})
	}
	return d, nil
}

// simIncidents are the incidents, read at once.
type simIncidents struct {
	stored map[string]incident.Record
	unread error
}

func (i simIncidents) Unclosed(context.Context) ([]incident.Brief, error) {
	var all []incident.Brief
	for _, r := range i.stored {
		if r.Closed.IsZero() {
			all = append(all, r.Brief())
		}
	}
	slices.SortFunc(all, byOpening)
	return all, i.unread
}

func (i simIncidents) Load(_ context.Context, id string) (incident.Record, error) {
	return i.stored[id], nil
}

// beat is the heartbeat: what it needs is looked at, and if all of it holds, it is sent.
func (w *world) beat() {
	var unread [5]error // the checks run beside each other, so their luck is decided before
	for i := range unread {
		if w.chance(w.weather.fault["channel"]) {
			unread[i] = errors.New("it cannot be read")
		}
	}
	now := func() time.Time { return w.now }
	all := []doctor.Check{
		doctor.Endpoints(w, func(_ context.Context, name string) ([]notify.Subscription, error) {
			if unread[0] != nil {
				return nil, unread[0]
			}
			return w.subscriptions(w.topics()[slices.IndexFunc(w.topics(), func(t *topic) bool { return t.name == name })])
		}),
		doctor.Alarms(w, func(context.Context, []string) (is []doctor.Alarm, err error) {
			for _, a := range w.alarms {
				now := doctor.Alarm{Name: a.name}
				if w.muted {
					now.Idle = []string{"is muted"}
				}
				is = append(is, now)
			}
			return is, unread[1]
		}),
		doctor.Queues(w, func(_ context.Context, url string) (doctor.Queue, error) {
			return doctor.Queue{Waiting: len(w.deadLetters) + w.lostNotices}, unread[2]
		}),
		doctor.Notices(func(context.Context) (doctor.Hearing, error) {
			return doctor.Hearing{Ticked: w.told.Ticked, Unsent: w.told.Unsent()}, unread[3]
		}, now),
		doctor.Delivery(simIncidents{w.stored, unread[4]}, now),
	}
	sent := false
	ctx := virtual{context.Background(), w.now.Add(time.Minute)}
	reports := doctor.Beat(ctx, now, all, func(context.Context) error { sent = true; return nil })
	if w.acts(heartless, 1) {
		sent = true
	}
	w.tell("the heartbeat: %s; sent: %t", doctor.Headline(reports), sent)
	if !sent && doctor.Count(reports, doctor.Broken) > 0 {
		w.missed = w.now
	}
	if sent {
		w.lively = w.now
		w.checkBeat()
	} else if w.now.Sub(w.lively) >= 2*beatEvery { // whoever is outside calls a human
		w.tell("the sign of life stays away: a human is called")
		w.lively = w.now
		w.after(w.between(5*time.Minute, 40*time.Minute), w.mend)
	}
	if w.now.Before(w.stopped) {
		w.after(beatEvery, w.beat)
	}
}
