package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
)

var midnight = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)

const (
	prod, test, data, stranger = "111122223333", "444455556666", "777788889999", "999900001111"
	stolen, other              = "AKIAEXAMPLESTOLEN001", "AKIAEXAMPLEOTHER0001"
	thiefs, office             = "198.51.100.0/24", "203.0.113.0/24"
)

// says is an incident of an account in a message of a kind.
type says struct {
	account, region, id string
	kind                incident.MessageKind
	key, arn, network   string // of the suspect; "" where nobody is suspected
	bystander           string // a network of somebody who is not
	bytes               int64
	step                string // its state; "" where there is none
	confirmed           bool
	claims              string // the account that the detail names; "" is the envelope's
	at                  time.Duration
}

func (s says) event() report.HubEvent {
	in := report.HubIncident{ID: s.id, State: "open", Judged: s.kind != incident.Page, Page: "https://eu-west-1.console.aws.amazon.com/s3/object/nightlatch-cases-x?region=eu-west-1&prefix=" + s.id + "/page.html"}
	in.Alarm.Buckets, in.Alarm.Bytes, in.Alarm.Confirmed = []string{"exports-" + s.id}, &s.bytes, s.confirmed
	if s.kind == incident.Closing {
		in.State = "closed"
	}
	if s.key+s.arn != "" {
		a := report.HubActor{Networks: []report.HubNetwork{{Network: s.network, Bytes: s.bytes}}}
		a.Kind, a.AccessKeyID, a.PrincipalARN, a.Suspected = "iam-user-key", s.key, s.arn, true
		in.Actors = append(in.Actors, a)
	}
	if s.bystander != "" {
		a := report.HubActor{Networks: []report.HubNetwork{{Network: s.bystander, Bytes: 1}}}
		a.Kind, a.AccessKeyID = "role-session", "ASIAEXAMPLEBYSTANDER"
		in.Actors = append(in.Actors, a)
	}
	if s.step != "" {
		in.Steps = []report.HubStep{{Number: 1, Action: "deactivate-key", Target: s.key, State: s.step, Approvable: s.step == "asked"}}
		in.WaitsForHuman = s.step == "asked"
	}
	claims := s.claims
	if claims == "" {
		claims = s.account
	}
	return report.HubEvent{Schema: report.HubSchema, ID: s.id + "-1", Kind: s.kind, Time: midnight.Add(s.at), Account: claims, Region: s.region, Subject: "s", Incidents: []report.HubIncident{in}}
}

// enveloped is an event as EventBridge brings it.
func enveloped(account string, detail any) string {
	text, err := json.Marshal(detail)
	if err != nil {
		panic(err)
	}
	id := fmt.Sprintf("%x", rand.Uint64())
	all, err := json.Marshal(map[string]any{"version": "0", "id": id, "source": "nightlatch", "detail-type": "Nightlatch Incident", "account": account, "time": midnight, "region": "eu-central-1", "resources": []string{}, "detail": json.RawMessage(text)})
	if err != nil {
		panic(err)
	}
	return string(all)
}

func (s says) body() string { return enveloped(s.account, s.event()) }

// night is a hub whose clock a test moves.
type night struct {
	t   *testing.T
	now time.Time
	rec Record
	// down: the table is gone. Loses is how many puts are stored, and answered as if they were not.
	down  bool
	loses int
	team  *channel
	watch *channel
	Teller
	again []int
}

type channel struct {
	name string
	err  error
	sent []report.Message
}

func (c *channel) Name() string { return c.name }
func (c *channel) Send(_ context.Context, m report.Message) error {
	if c.err == nil {
		c.sent = append(c.sent, m)
	}
	return c.err
}

func (n *night) Now() time.Time { return n.now }
func (n *night) Wait(_ context.Context, at time.Time) error {
	if at.After(n.now) {
		n.now = at
	}
	return nil
}

func (n *night) Load(context.Context) (Record, error) {
	if n.down {
		return Record{}, errors.New("no table")
	}
	return stored(n.t, n.rec), nil
}

func (n *night) Put(_ context.Context, r Record) error {
	switch {
	case n.down:
		return errors.New("no table")
	case r.Version != n.rec.Version+1:
		return incident.ErrConflict
	}
	n.rec = stored(n.t, r)
	if n.loses > 0 {
		n.loses--
		return errors.New("the answer was lost")
	}
	return nil
}

// stored is a record as it comes out of the table.
func stored(t *testing.T, r Record) (out Record) {
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func newNight(t *testing.T) *night {
	n := &night{t: t, now: midnight, team: &channel{name: "sns:team"}, watch: &channel{name: "sns:watch"}}
	n.Teller = Teller{Store: n, Team: []notify.Channel{n.team}, Watchers: []notify.Channel{n.watch}, Accounts: []string{prod, test, data}, Here: incident.Place{AccountID: "222233334444", Region: "eu-central-1"},
		Clock: n, Log: slog.New(slog.DiscardHandler)}
	return n
}

// hears has a batch come so long after midnight, and returns what the team is told.
func (n *night) hears(after time.Duration, bodies ...string) []report.Message {
	n.t.Helper()
	n.now = midnight.Add(after)
	had := len(n.team.sent)
	var err error
	if n.again, err = n.Handle(n.t.Context(), bodies); err != nil {
		n.t.Fatal(err)
	}
	return n.team.sent[had:]
}

// one is the one message, which has these in it.
func (n *night) one(got []report.Message, subject string, parts ...string) {
	n.t.Helper()
	if len(got) != 1 {
		n.t.Fatalf("the team got %d messages, want one with %q: %q", len(got), subject, got)
	}
	if !strings.Contains(got[0].Subject, subject) || len(got[0].Subject) > 99 {
		n.t.Errorf("got %q, want %q", got[0].Subject, subject)
	}
	for _, p := range parts {
		if !strings.Contains(got[0].Body, p) {
			n.t.Errorf("it does not say %q:\n%s", p, got[0].Body)
		}
	}
}

func (n *night) none(got []report.Message) {
	n.t.Helper()
	if len(got) != 0 {
		n.t.Errorf("the team got %q, want nothing", got)
	}
}

// One thief in three accounts is one thread: at once, then one message as others join, in growing intervals, to the end.
func TestOneThiefInThreeAccountsIsToldOnce(t *testing.T) {
	n := newNight(t)
	a := says{account: prod, region: "eu-west-1", id: "20260304-a", kind: incident.Answer, key: stolen, network: thiefs, bytes: 14 << 30, step: "done", confirmed: true}
	b := says{account: test, region: "us-east-1", id: "20260304-b", kind: incident.Answer, key: other, network: thiefs, bytes: 3 << 30, step: "asked", confirmed: true, at: 20 * time.Second}
	c := says{account: data, region: "eu-west-1", id: "20260304-c", kind: incident.Answer, key: stolen, network: "192.0.2.0/24", bytes: 1 << 30, step: "asked", at: 40 * time.Second}
	page := a
	page.kind, page.key, page.step = incident.Page, "", ""
	n.none(n.hears(0, page.body()))
	n.one(n.hears(5*time.Second, a.body()), "[nightlatch hub] ALARM in 111122223333 eu-west-1: 1 contained, 14.0 GiB", "done: deactivate-key "+stolen, "nightlatch incident 20260304-a --region eu-west-1\nhttps://eu-west-1.console")
	n.none(n.hears(25*time.Second, b.body(), b.body()))
	n.none(n.hears(45*time.Second, c.body()))
	got := n.hears(66*time.Second, Tick)
	n.one(got, "PROBABLY ONE THIEF IN 3 ACCOUNTS: 2 TO DECIDE, 1 contained, 18.0 GiB", "NEW 444455556666 us-east-1: 1 TO DECIDE\n", "NEW 777788889999 eu-west-1: 1 TO DECIDE\n", "\n111122223333 eu-west-1: 1 contained\n",
		"1.00 GiB of exports-20260304-c, NOT CONFIRMED. asked: deactivate-key "+stolen, "nightlatch incident 20260304-b --region us-east-1\n",
		"One thief because: they suspect "+stolen+", "+other+"; who is suspected called from "+thiefs+", 192.0.2.0/24, which two thieves may share.\n")
	t.Log("\n" + got[0].String())
	n.none(n.hears(70*time.Second, a.body(), page.body(), Tick)) // old news, in any order
	b.kind, b.step, b.at = incident.Revised, "done", 2*time.Minute
	n.none(n.hears(130*time.Second, b.body()))
	n.one(n.hears(190*time.Second, Tick), "PROBABLY ONE THIEF IN 3 ACCOUNTS: 1 TO DECIDE, 2 contained", "told before at 00:01:06")
	for i, s := range []says{a, b, c} {
		s.kind, s.at = incident.Closing, time.Hour
		n.hears(time.Hour+time.Duration(i)*time.Second, s.body())
	}
	got = n.hears(2*time.Hour, Tick)
	n.one(got, "PROBABLY ONE THIEF IN 3 ACCOUNTS: 1 CLOSED, NOBODY ANSWERED, 2 closed")
	n.none(n.hears(3*time.Hour-time.Minute, Tick))
	if len(n.team.sent) > 6 || len(n.watch.sent) != 0 {
		t.Errorf("the team got %d messages, and the watchers %d", len(n.team.sent), len(n.watch.sent))
	}
}

// What nothing ties stays apart, and neither the company's own network nor a service's nor a private one ties.
func TestWhatStaysApart(t *testing.T) {
	base := says{account: prod, region: "eu-west-1", id: "a", kind: incident.Answer, key: stolen, network: thiefs, step: "asked"}
	for name, c := range map[string]struct {
		one, two says
		threads  int
	}{
		"another key and another network":      {base, says{account: test, id: "b", key: other, network: "192.0.2.0/24"}, 2},
		"the same key":                         {base, says{account: test, id: "b", key: stolen, network: "192.0.2.0/24"}, 1},
		"the same principal":                   {says{account: prod, id: "a", arn: "arn:aws:iam::111122223333:user/mara"}, says{account: test, id: "b", arn: "arn:aws:iam::111122223333:user/mara"}, 1},
		"the same network":                     {base, says{account: test, id: "b", key: other, network: thiefs}, 1},
		"where others of the company work":     {says{account: prod, id: "a", key: stolen, network: office, bystander: office}, says{account: test, id: "b", key: other, network: office}, 2},
		"where others work, as is heard later": {says{account: prod, id: "a", key: stolen, network: office}, says{account: test, id: "b", key: other, network: office, bystander: office}, 2},
		"a private network":                    {says{account: prod, id: "a", key: stolen, network: "10.0.0.0/24"}, says{account: test, id: "b", key: other, network: "10.0.0.0/24"}, 2},
		"a service":                            {says{account: prod, id: "a", key: stolen, network: "athena.amazonaws.com"}, says{account: test, id: "b", key: other, network: "athena.amazonaws.com"}, 2},
		"all of the internet":                  {says{account: prod, id: "a", key: stolen, network: "0.0.0.0/0"}, says{account: test, id: "b", key: other, network: "0.0.0.0/0"}, 2},
		"nobody is suspected":                  {says{account: prod, id: "a", bystander: thiefs}, says{account: test, id: "b", bystander: thiefs}, 2},
		"no key and no name":                   {says{account: prod, id: "a", key: "x", network: "192.0.2.0/24"}, says{account: test, id: "b", key: "x", network: thiefs}, 2},
		"two accounts with one incident's id":  {base, says{account: test, id: "a", key: other, network: "192.0.2.0/24"}, 2},
	} {
		n := newNight(t)
		c.one.kind, c.two.kind = incident.Answer, incident.Answer
		n.hears(0, c.one.body(), c.two.body())
		if got := len(n.rec.Threads); got != c.threads {
			t.Errorf("%s: %d threads, want %d: %+v", name, got, c.threads, n.rec.Threads)
		}
		both := n.rec
		n = newNight(t)
		n.hears(0, c.one.body())
		n.hears(time.Second, c.two.body())
		if got := len(n.rec.Threads); got != len(both.Threads) {
			t.Errorf("%s: %d threads one after the other, and %d at once", name, got, len(both.Threads))
		}
	}
}

// While an incident is searched, nobody is suspected in it yet. The thief's network is no place where others work for that.
func TestASearchMakesNoNetworkOrdinary(t *testing.T) {
	n := newNight(t)
	for i, account := range []string{prod, test} {
		n.hears(0, says{account: account, id: "a", kind: incident.Page, bystander: thiefs}.body())
		n.hears(time.Second, says{account: account, id: "a", kind: incident.Answer, key: []string{stolen, other}[i], network: thiefs, step: "done", at: time.Second}.body())
	}
	if len(n.rec.Threads) != 1 || len(n.rec.Ordinary) > 0 {
		t.Errorf("%d threads, and ordinary are %q", len(n.rec.Threads), n.rec.Ordinary)
	}
}

// Two threads turn out to be one when an incident has what both have.
func TestTwoThreadsTurnOutToBeOne(t *testing.T) {
	n := newNight(t)
	n.one(n.hears(0, says{account: prod, id: "a", kind: incident.Answer, key: stolen, network: thiefs, step: "asked"}.body(), says{account: test, id: "b", kind: incident.Answer, key: other, network: "192.0.2.0/24", step: "asked"}.body()),
		"(+1) ALARM in", "- ALARM in 111122223333", "- ALARM in 444455556666")
	n.none(n.hears(30*time.Second, says{account: data, id: "c", kind: incident.Answer, key: stolen, network: "192.0.2.0/24", step: "asked"}.body()))
	n.one(n.hears(time.Minute, Tick), "ONE THIEF IN 3 ACCOUNTS: 3 TO DECIDE", "Told before as thread 2 too.", "NEW 777788889999")
	if len(n.rec.Threads) != 1 {
		t.Errorf("got %+v", n.rec.Threads)
	}
}

// The account is the envelope's. What says otherwise is told, to the watchers too, and nothing of it is believed.
func TestAForgedAccountIsRefusedLoudly(t *testing.T) {
	n := newNight(t)
	evil := says{account: test, region: "eu-west-1", id: "x", kind: incident.Closing, key: stolen, network: thiefs, claims: prod}
	n.hears(0, says{account: prod, region: "eu-west-1", id: "x", kind: incident.Answer, key: stolen, network: thiefs, step: "asked"}.body())
	got := n.hears(time.Second, evil.body())
	n.one(got, "FORGED EVENT OF ACCOUNT 444455556666", "it says that it is of account 111122223333", "take that account for broken into")
	t.Log("\n" + got[0].String())
	if len(n.watch.sent) != 1 || len(n.again) != 0 {
		t.Errorf("the watchers got %q, and %v comes again", n.watch.sent, n.again)
	}
	if th := n.rec.Threads; len(th) != 1 || th[0].Places[0].Incidents[0].State != Asks {
		t.Errorf("got %+v", th)
	}
	n.none(n.hears(30*time.Second, evil.body()))
	n.one(n.hears(time.Minute+time.Second, evil.body()), "FORGED EVENT OF ACCOUNT 444455556666", "2 events, since")
	n.one(n.hears(2*time.Minute, enveloped(stranger, evil.event())), "EVENT OF A STRANGER OF ACCOUNT 999900001111", "deploy the hub again")
}

// What cannot be read is told once, however often it comes again, and goes to the dead letters.
func TestAPoisonedEventGoesToTheDeadLetters(t *testing.T) {
	good := says{account: prod, region: "eu-west-1", id: "a", kind: incident.Answer, key: stolen, network: thiefs, step: "asked"}
	newer, named := good.event(), good.event()
	newer.Schema = "nightlatch.hub/2"
	named.Incidents[0].ID = "../x\n"
	for name, body := range map[string]string{"no JSON": "\x1b[2J{", "another's event": strings.Replace(good.body(), `"source":"nightlatch"`, `"source":"aws.s3"`, 1), "a newer schema": enveloped(prod, newer), "a name that is none": enveloped(prod, named),
		"no account": strings.Replace(good.body(), prod, "1", 1), "nothing": ""} {
		n := newNight(t)
		got := n.hears(0, body, good.body())
		n.one(got, "", "CANNOT BE READ", "ALARM in 111122223333")
		if strings.ContainsAny(got[0].Body, "\x1b\r") || !slices.Equal(n.again, []int{0}) || len(n.watch.sent) != 1 {
			t.Errorf("%s: %v comes again, the watchers got %d, the team %q", name, n.again, len(n.watch.sent), got)
		}
		for i := range 4 {
			n.none(n.hears(time.Duration(i+1)*20*time.Minute, body))
			if !slices.Equal(n.again, []int{0}) {
				t.Errorf("%s: it does not come again", name)
			}
		}
	}
}

// A thousand incidents that nothing ties are few messages, and the one that CloudWatch confirms stands first.
func TestAFloodHidesNothing(t *testing.T) {
	n := newNight(t)
	var all []string
	for i := range 1000 {
		all = append(all, says{account: test, region: "eu-west-1", id: fmt.Sprint("flood-", i), kind: incident.Answer, key: fmt.Sprintf("AKIAFLOOD%011d", i), network: fmt.Sprintf("100.%d.%d.0/24", 70+i/256, i%256), bytes: 1 << 40}.body())
	}
	all = slices.Insert(all, 700, says{account: prod, region: "us-east-1", id: "real", kind: incident.Answer, key: stolen, network: thiefs, bytes: 5 << 30, step: "asked", confirmed: true}.body())
	var told []report.Message
	i := 0
	for chunk := range slices.Chunk(all, 40) {
		told = append(told, n.hears(time.Duration(i)*5*time.Second, chunk...)...)
		i++
	}
	for range 60 {
		told = append(told, n.hears(time.Duration(i)*5*time.Second+time.Minute, Tick)...)
		i += 12
	}
	first := slices.IndexFunc(told, func(m report.Message) bool { return strings.Contains(m.Body, "real") })
	if first < 0 || !strings.Contains(told[first].Subject, "ALARM in 111122223333 us-east-1: 1 TO DECIDE") {
		t.Fatalf("the one is in message %d of %d", first, len(told))
	}
	if len(told) > 20 {
		t.Errorf("the team got %d messages", len(told))
	}
	for _, m := range told {
		if len(m.Body) > 30000 {
			t.Errorf("a message of %d bytes", len(m.Body))
		}
	}
	t.Logf("%d messages, the one in number %d:\n%s", len(told), first, told[first])
	if left := slices.ContainsFunc(n.rec.Threads, func(t Thread) bool { return t.News > t.Told }); left || len(n.rec.Threads) > maxThreads {
		t.Errorf("%d threads, something of which is not told: %t", len(n.rec.Threads), left)
	}
}

// An alarm without an answer is told after a while, and one that has one is not.
func TestAnAlarmWithoutAnAnswerIsTold(t *testing.T) {
	n := newNight(t)
	page := says{account: prod, region: "eu-west-1", id: "a", kind: incident.Page, bytes: 7 << 30, confirmed: true}
	n.none(n.hears(0, page.body()))
	n.none(n.hears(Patience-time.Second, Tick))
	n.one(n.hears(Patience, Tick), "ALARM in 111122223333 eu-west-1: 1 searching", "It fired, and NO ANSWER came")
	n.none(n.hears(Patience+time.Hour, Tick))
}

// A deployment that was heard and is not any more is told once, and again after it was back.
func TestSilenceIsTold(t *testing.T) {
	n := newNight(t)
	test := enveloped(prod, report.HubEvent{Schema: report.HubSchema, Kind: report.Test, Subject: report.HubTest, Account: prod, Region: "eu-west-1"})
	for hour := range 3 {
		n.none(n.hears(time.Duration(hour)*time.Hour, test))
	}
	n.none(n.hears(5*time.Hour-time.Second, Tick))
	got := n.hears(5*time.Hour, Tick)
	n.one(got, "1 DEPLOYMENT NOT HEARD", "111122223333 eu-west-1, last at 2026-03-04 02:00 UTC: nightlatch doctor --region eu-west-1")
	t.Log("\n" + got[0].String())
	n.none(n.hears(30*time.Hour, Tick))
	n.none(n.hears(31*time.Hour, test))
	n.one(n.hears(34*time.Hour, Tick), "1 DEPLOYMENT NOT HEARD")
}

// Without a table all of a batch is told at once; without a topic the watchers hear it, and without both it is kept.
func TestWithoutATableAndATopic(t *testing.T) {
	n := newNight(t)
	one := says{account: prod, region: "eu-west-1", id: "a", kind: incident.Answer, key: stolen, network: thiefs, step: "asked"}
	n.down = true
	for i := range 2 {
		n.one(n.hears(time.Duration(i)*time.Minute, one.body()), "ALARM in 111122223333 eu-west-1: 1 TO DECIDE")
	}
	n = newNight(t)
	n.team.err = errors.New("no topic")
	n.hears(0, one.body())
	if len(n.watch.sent) != 1 || !strings.Contains(n.watch.sent[0].Body, "The team's topic took no message: ") {
		t.Errorf("the watchers got %q", n.watch.sent)
	}
	n = newNight(t)
	n.team.err, n.watch.err = errors.New("no topic"), errors.New("no topic")
	n.hears(0, one.body(), Tick)
	if !slices.Equal(n.again, []int{1}) {
		t.Errorf("%v comes again, want the tick", n.again)
	}
	if _, err := n.Handle(t.Context(), []string{Tick}); err != nil {
		t.Errorf("while another run has claimed it: %v", err)
	}
	n.now = n.now.Add(Claim)
	if _, err := n.Handle(t.Context(), []string{Tick}); err == nil {
		t.Error("nobody hears, and the run does not fail")
	}
	n.team.err = nil
	n.one(n.hears(2*Claim+time.Second, Tick), "ALARM in 111122223333")
	n = newNight(t) // an answer that is lost is told again, and nothing is lost
	n.loses = 1
	n.hears(0, one.body())
	if len(n.team.sent) == 0 {
		t.Error("nothing was told")
	}
}

// Any order and any repeats of the same events end in the same record, and the team has heard of each account.
func TestAnyOrderEndsTheSame(t *testing.T) {
	var bodies []string
	for i := range 30 {
		s := says{account: []string{prod, test, data}[i%3], region: "eu-west-1", id: fmt.Sprint("i", i/2%10), kind: incident.Answer, key: fmt.Sprintf("AKIAEXAMPLE%09d", i%4), network: thiefs, step: []string{"asked", "done"}[i%2], at: time.Duration(i) * time.Second}
		if i >= 24 {
			s.kind = incident.Closing
		}
		bodies = append(bodies, s.body())
	}
	end := func(seed uint64) string {
		n := newNight(t)
		rng := rand.New(rand.NewPCG(seed, 1))
		all := append(slices.Clone(bodies), bodies[rng.IntN(30)], bodies[rng.IntN(30)])
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for i, b := range all {
			n.hears(time.Duration(i)*time.Second, b)
		}
		n.hears(time.Hour, Tick)
		n.hears(2*time.Hour, Tick)
		var lines []string
		for _, th := range n.rec.Threads {
			for _, p := range th.Places {
				for _, in := range p.Incidents {
					lines = append(lines, p.Account+in.ID+string(in.State)+in.At.String())
				}
			}
		}
		slices.Sort(lines)
		heard := ""
		for _, m := range n.team.sent {
			heard += m.Body
		}
		for _, account := range n.Accounts {
			if !strings.Contains(heard, account) {
				t.Errorf("seed %d: the team has not heard of %s", seed, account)
			}
		}
		return fmt.Sprint(len(n.rec.Threads)) + strings.Join(lines, "\n")
	}
	want := end(0)
	for seed := range uint64(50) {
		if got := end(seed); got != want {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, got, want)
		}
	}
}

// Whatever stands in a detail, a message is printable, and no command or address in it is a sender's.
func TestADetailIsUntrusted(t *testing.T) {
	for _, evil := range []string{"\x1b[2J", "\u202egpj", "a\r\nBcc: x", "<https://evil.example.com|x>", "aws iam delete-user --user-name mara", strings.Repeat("x", 9000), "\xff"} {
		e := says{account: prod, region: "eu-west-1", id: "a", kind: incident.Answer, key: stolen, network: thiefs, step: "asked"}.event()
		e.Subject, e.Alias, e.Region, e.ID = evil, evil, evil, evil
		in := &e.Incidents[0]
		in.Page, in.Headline, in.Answer, in.Alarm.Buckets = "https://evil.example.com/"+evil, evil, evil, slices.Repeat([]string{evil}, 50)
		in.Steps = slices.Repeat([]report.HubStep{{Action: evil, Target: evil, State: evil, Undo: evil}}, 50)
		for i := range 50 {
			a := report.HubActor{Networks: slices.Repeat([]report.HubNetwork{{Network: evil}}, 50)}
			a.AccessKeyID, a.PrincipalARN, a.Suspected, a.Kind = fmt.Sprintf("AKIA%016d", i), "arn:aws:iam::111122223333:user/"+evil, true, "iam-user-key"
			in.Actors = append(in.Actors, a)
		}
		n := newNight(t)
		got := n.hears(0, enveloped(prod, e))
		if len(got) != 1 || len(got[0].Body) > 6000 {
			t.Fatalf("%.20q: got %d messages", evil, len(got))
		}
		for i, c := range []byte(got[0].String()) {
			if (c < 0x20 || c > 0x7e) && c != '\n' {
				t.Fatalf("%.20q: %q at %d of\n%s", evil, c, i, got[0])
			}
		}
		for line := range strings.Lines(got[0].Body) {
			if strings.HasPrefix(line, "aws ") || strings.HasPrefix(line, "https://") || strings.HasPrefix(line, "nightlatch ") && line != "nightlatch incident a\n" {
				t.Errorf("%.20q: a line is %q", evil, line)
			}
		}
		if th := n.rec.Threads[0]; len(th.Keys) > maxKeys || len(th.Networks) > 1 {
			t.Errorf("%d keys and %d networks", len(th.Keys), len(th.Networks))
		}
	}
}

// However much there is, the record gets smaller until it is small.
func TestTheRecordGetsSmaller(t *testing.T) {
	n := newNight(t)
	for i := range 30 {
		var batch []event
		for j := range 100 {
			batch = append(batch, read(says{account: prod, id: fmt.Sprint("i", 100*i+j), kind: incident.Answer, key: fmt.Sprintf("AKIA%016d", (100*i+j)/3)}.body(), n.Accounts))
		}
		n.rec = n.rec.next(batch, midnight.Add(time.Duration(i)*time.Second))
	}
	all := 0
	for _, th := range n.rec.Threads {
		all += th.sums().incidents
	}
	if all > maxIncidents || len(n.rec.Threads) > maxThreads {
		t.Errorf("%d incidents of %d threads are kept", all, len(n.rec.Threads))
	}
	for range 20 {
		n.rec = n.rec.Smaller()
	}
	if text, _ := json.Marshal(n.rec); len(text) > 2000 {
		t.Errorf("%d bytes are left", len(text))
	}
}

// Incidents that another of their deployment reports are told with it, and nobody waits for their answers, in whatever order the events come.
func TestWhatIsMergedIsToldWithItsLead(t *testing.T) {
	lead := says{account: prod, region: "eu-west-1", id: "lead", kind: incident.Answer, key: stolen, network: thiefs, bytes: 1 << 30, step: "done", confirmed: true, at: time.Second}
	answer := lead.event()
	answer.Incidents[0].Merged, answer.Incidents[0].MergedMore = []string{"a", "b", "c", "lead", "../x"}, 4
	page := func(id string) string {
		return says{account: prod, region: "eu-west-1", id: id, kind: incident.Page}.body()
	}
	for _, order := range [][]string{{page("lead"), page("a"), page("b"), enveloped(prod, answer), page("c")}, {enveloped(prod, answer), page("a"), page("lead"), page("b"), page("c")}} {
		n := newNight(t)
		var got []report.Message
		for _, body := range order {
			got = append(got, n.hears(time.Second, body)...)
		}
		n.one(got, "ALARM in 111122223333 eu-west-1: 1 contained, 1.00 GiB", "with 7 alarms more that fired for the same: nightlatch incidents --region eu-west-1\n")
		if len(n.rec.Threads) != 1 {
			t.Errorf("%d threads: %+v", len(n.rec.Threads), n.rec.Threads)
		}
		n.none(n.hears(time.Hour, Tick))
	}
	// What the lead is tied to stands behind what goes.
	n := newNight(t)
	n.hears(0, page("a"), page("b"), says{account: test, region: "eu-west-1", id: "x", kind: incident.Answer, key: stolen, network: thiefs, step: "asked"}.body())
	n.hears(30*time.Second, enveloped(prod, answer))
	n.one(n.hears(time.Minute, Tick), "ONE THIEF IN 2 ACCOUNTS: 1 TO DECIDE, 1 contained", "with 7 alarms more")
	if len(n.rec.Threads) != 1 {
		t.Errorf("%d threads: %+v", len(n.rec.Threads), n.rec.Threads)
	}
	// Of another deployment nobody is merged.
	n = newNight(t)
	n.hears(0, says{account: test, region: "eu-west-1", id: "a", kind: incident.Page}.body(), enveloped(prod, answer))
	n.one(n.hears(Patience, Tick), "ALARM in 444455556666 eu-west-1: 1 searching")
}
