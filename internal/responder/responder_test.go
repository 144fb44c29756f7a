package responder_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/responder"
	"nightlatch/internal/sandbox"
)

const (
	account   = "111122223333"
	stolen    = "AKIAEXAMPLESTOLEN001"
	neighbour = "AKIAEXAMPLENEIGHBOUR"
	office    = "203.0.113.9"
	elsewhere = "198.51.100.77"
)

var (
	from = time.Date(2026, 3, 4, 0, 7, 0, 0, time.UTC)
	rang = from.Add(4 * time.Minute)
)

// trail answers both questions from a few numbers, as an engine would print them. Late is when the theft becomes visible.
type trail struct {
	clock *sandbox.Clock
	late  time.Time
	// bytes is what the stolen key took.
	bytes int64
	// errs are returned by the next questions, one each.
	errs  []error
	asked []string
}

func (tr *trail) Ask(_ context.Context, q evidence.Question) (evidence.Answer, error) {
	tr.asked = append(tr.asked, q.Name())
	if len(tr.errs) > 0 {
		err := tr.errs[0]
		tr.errs = tr.errs[1:]
		if err != nil {
			return evidence.Answer{}, err
		}
	}
	answer := evidence.Answer{Engine: "test", Scanned: 1000}
	principal := "arn:aws:iam::" + account + ":user/mara"
	if q.Name() == "usage" {
		at := map[string]string{"principal": principal, "access_key_id": stolen, "network": "203.0.113", "vpc_endpoint": "",
			"vpc_endpoint_account": "", "signing": "header", "source_ip": office, "days": "4", "most_bytes": "5000.0",
			"first_seen": fmt.Sprintf("%.1f", float64(from.AddDate(0, 0, -9).Unix())), "last_seen": fmt.Sprint(from.AddDate(0, 0, -4).Unix()), "places": "1"}
		answer.Rows = []evidence.Row{with(at, "part", "principal"), with(at, "part", "origin")}
		return answer, nil
	}
	if tr.clock.Now().Before(tr.late) {
		return answer, nil
	}
	n := fmt.Sprint(float64(tr.bytes))
	row := map[string]string{"actor": "x", "name": "", "vpc_endpoint": "", "vpc_endpoint_account": "", "signing": "header", "source_ip": elsewhere,
		"type": "IAMUser", "principal_id": "AIDAEXAMPLE", "arn": principal, "account_id": account, "access_key_id": stolen, "user_name": "mara",
		"issuer_arn": "", "issuer_user_name": "", "invoked_by": "", "on_behalf_of": "", "principal": principal, "bytes": n, "object_bytes": n,
		"listing_bytes": "0", "error_bytes": "0.0", "margin_bytes": "0", "calls": "3", "unsized": "0", "copies": "0", "objects": "3",
		"first_seen": fmt.Sprint(from.Unix()), "last_seen": fmt.Sprint(from.Unix() + 50), "places": "1"}
	answer.Rows = []evidence.Row{with(row, "part", "all"), with(row, "part", "actor"), with(row, "part", "origin", "name", "198.51.100"),
		with(row, "part", "bucket", "name", "exports")}
	return answer, nil
}

func with(row map[string]string, kv ...string) evidence.Row {
	out := evidence.Row{}
	for k, v := range row {
		out[k] = v
	}
	for i := 0; i < len(kv); i += 2 {
		out[kv[i]] = kv[i+1]
	}
	return out
}

// meter counts its readings.
type meter struct {
	sandbox.Meter
	read int
	errs []error
}

func (m *meter) Read(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	m.read++
	if len(m.errs) > 0 {
		err := m.errs[0]
		m.errs = m.errs[1:]
		if err != nil {
			return alarm.Reading{}, err
		}
	}
	return m.Meter.Read(ctx, a)
}

// shipped is loaded once: that is not an incident's cost.
var shipped = sync.OnceValue(policy.Shipped)

// world is a responder in a small account: mara has two keys, one of them stolen.
type world struct {
	responder.Responder
	account *sandbox.Account
	clock   *sandbox.Clock
	trail   *trail
	meter   *meter
	channel *sandbox.Channel
}

func newWorld() *world {
	w := &world{account: sandbox.NewAccount(account), clock: sandbox.NewClock(rang), channel: &sandbox.Channel{}}
	w.account.AddUser("mara", nil, sandbox.Key{ID: stolen, Status: "Active"}, sandbox.Key{ID: neighbour, Status: "Active"})
	w.trail = &trail{clock: w.clock, bytes: 1_000_000}
	w.meter = &meter{Meter: sandbox.Meter{Threshold: 1000, Buckets: map[string][]alarm.Point{"exports": {{Start: from, Bytes: 1_000_000}}}}}
	w.Responder = responder.Responder{Meter: w.meter, Trail: w.trail, Account: w.account, Store: &incident.Memory{},
		Channels: []notify.Channel{w.channel}, Clock: w.clock, Log: slog.New(slog.DiscardHandler), Mode: containment.ModeAct,
		Ours: actor.Accounts(account), Policy: shipped()}
	return w
}

func event(bytes int64) []byte {
	return fmt.Appendf(nil, `{"source":"aws.cloudwatch","alarmArn":"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:nightlatch-exports",
"accountId":"111122223333","region":"eu-west-1","alarmData":{"alarmName":"nightlatch-exports","state":{"value":"ALARM",
"timestamp":"2026-03-04T00:11:00.000+0000","reasonData":"{\"period\":60,\"threshold\":1000.0,\"evaluatedDatapoints\":[{\"timestamp\":\"2026-03-04T00:07:00.000+0000\",\"value\":%d.0}]}"},
"configuration":{"metrics":[{"id":"m1","returnData":true,"metricStat":{"metric":{"namespace":"AWS/S3","name":"BytesDownloaded",
"dimensions":{"BucketName":"exports","FilterId":"EntireBucket"}},"period":60,"stat":"Sum"}}]}}}`, bytes)
}

func (w *world) handle(t *testing.T) incident.Record {
	t.Helper()
	handled, err := w.Handle(context.Background(), event(1_000_000), nil)
	if err != nil {
		t.Fatal(err)
	}
	return handled.Record
}

// state is the state of the one outcome there is.
func state(t *testing.T, r incident.Record) containment.State {
	t.Helper()
	if len(r.Outcomes) != 1 {
		t.Fatalf("got %d outcomes, want 1: %+v", len(r.Outcomes), r.Outcomes)
	}
	return r.Outcomes[0].State
}

func (w *world) keys(t *testing.T, stolenStatus string) {
	t.Helper()
	if got := w.account.Status(stolen); got != stolenStatus {
		t.Errorf("the stolen key is %s, want %s", got, stolenStatus)
	}
	if got := w.account.Status(neighbour); got != "Active" {
		t.Errorf("the neighbour's key is %s, want Active", got)
	}
}

func TestAStolenKeyIsDeactivatedAndTheTeamTold(t *testing.T) {
	w := newWorld()
	r := w.handle(t)
	if got := state(t, r); got != containment.Done {
		t.Errorf("got %s, want done: %+v", got, r.Outcomes)
	}
	w.keys(t, "Inactive")
	sent := w.channel.Sent()
	if len(sent) != 1 || !strings.Contains(sent[0].Subject, "CONTAINED: "+stolen) || !strings.Contains(sent[0].Body, "--status Active") {
		t.Errorf("got messages %q, want one with the key and the undo line", sent)
	}
}

// The critical path: once the evidence is there, one bytes query, one IAM write, and at most six other calls.
func TestTheCriticalPathIsShort(t *testing.T) {
	w := newWorld()
	w.trail.late = from.Add(6 * time.Minute) // the settling time is over at 00:13
	w.handle(t)
	after := 0
	for i, q := range w.trail.asked {
		if q == "bytes" && i > 1 {
			after++
		}
	}
	if n := count(w.account.Calls(), "Write"); n != 1 {
		t.Errorf("got %d writes, want 1", n)
	}
	// One more bytes query after the one that saw the evidence first; the one before it is not on the path.
	if others := len(w.account.Calls()) - 1 + len(w.channel.Sent()); others > 6 {
		t.Errorf("got %d other calls, want at most 6: %v", others, w.account.Calls())
	}
	looks := 0
	for _, l := range func() []incident.Look { r, _ := w.Store.Load(context.Background(), id(t)); return r.Looks }() {
		if l.Bytes > 0 {
			looks++
		}
	}
	if looks != 2 {
		t.Errorf("got %d looks that saw the evidence, want the one that found it and the one that confirms it", looks)
	}
}

func id(t *testing.T) string {
	t.Helper()
	e, err := alarm.Parse(event(1_000_000))
	if err != nil {
		t.Fatal(err)
	}
	return e.Alarm.ID()
}

func count(list []string, what string) int {
	n := 0
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

func TestObserveAndAskWriteNothing(t *testing.T) {
	for mode, want := range map[containment.Mode]containment.State{containment.ModeObserve: containment.DryRun,
		containment.ModeAsk: containment.Asked, "": containment.Asked} {
		w := newWorld()
		w.Mode = mode
		if got := state(t, w.handle(t)); got != want {
			t.Errorf("mode %q: got %s, want %s", mode, got, want)
		}
		if n := count(w.account.Calls(), "Write"); n != 0 {
			t.Errorf("mode %q: got %d writes, want none", mode, n)
		}
		w.keys(t, "Active")
		if len(w.channel.Sent()) != 1 {
			t.Errorf("mode %q: the team heard %d messages, want 1", mode, len(w.channel.Sent()))
		}
	}
}

func TestASecondDeliveryChangesNothing(t *testing.T) {
	w := newWorld()
	first := w.handle(t)
	calls := len(w.account.Calls())
	second := w.handle(t)
	if first.ID != second.ID || first.Version != second.Version {
		t.Errorf("got incident %s version %d, want %s version %d again", second.ID, second.Version, first.ID, first.Version)
	}
	if len(w.account.Calls()) != calls || len(w.channel.Sent()) != 1 {
		t.Errorf("the second delivery made calls or sent messages")
	}
	// In a new process nothing is remembered; the account still is as it shall be.
	w.Store = &incident.Memory{}
	w.clock = sandbox.NewClock(rang.Add(time.Hour))
	w.Clock, w.trail.clock = w.clock, w.clock
	if got := state(t, w.handle(t)); got != containment.Already {
		t.Errorf("in a new process: got %s, want already", got)
	}
	if n := count(w.account.Calls(), "Write"); n != 1 {
		t.Errorf("got %d writes, want 1", n)
	}
}

func TestFaults(t *testing.T) {
	timeout := errors.New("the connection timed out")
	refused := fmt.Errorf("the responder may not call iam:UpdateAccessKey: %w", containment.ErrNotDone)
	many := func(n int, err error) []error { return slices.Repeat([]error{err}, n) }
	for name, c := range map[string]struct {
		break_    func(*world)
		state     containment.State
		key       string
		says      string
		unwritten bool
	}{
		"a write that times out after it took effect": {func(w *world) { w.account.Fail("Write", sandbox.ErrAfter{Err: timeout}) },
			containment.Done, "Inactive", "CONTAINED", false},
		"a write that times out and did not happen": {func(w *world) { w.account.Fail("Write", timeout) },
			containment.Unknown, "Active", "tried, and not seen done", false},
		"a write that is refused": {func(w *world) { w.account.Fail("Write", refused) },
			containment.Failed, "Active", "may not call iam:UpdateAccessKey", false},
		"a read-back that fails for a while": {func(w *world) { w.account.Fail("Read", nil, timeout, timeout) },
			containment.Done, "Inactive", "CONTAINED", false},
		"a read-back that never works": {func(w *world) { w.account.Fail("Read", append([]error{nil}, many(20, timeout)...)...) },
			containment.Unknown, "Inactive", "STATE UNKNOWN", false},
		"an identification that is denied": {func(w *world) { w.account.Fail("Identify", errors.New("the responder may not call iam:GetUser")) },
			containment.Asked, "Active", "may not call iam:GetUser", true},
		"a metric that cannot be read": {func(w *world) {
			w.meter.errs = many(9, errors.New("the responder may not call cloudwatch:GetMetricData"))
		},
			containment.Asked, "Active", "may not call cloudwatch:GetMetricData", true},
		"a metric that can be read later": {func(w *world) { w.meter.errs = many(2, timeout) },
			containment.Done, "Inactive", "CloudWatch confirms", false},
		"a policy that did not load": {func(w *world) { w.Policy, w.PolicyError = nil, "policy.cedar:3: it does not parse" },
			containment.Asked, "Active", "policy.cedar:3: it does not parse", true},
		"evidence that comes late": {func(w *world) { w.trail.late = rang.Add(9 * time.Minute) },
			containment.Done, "Inactive", "CONTAINED", false},
		"evidence that comes too late to be looked at twice": {func(w *world) { w.trail.late = rang.Add(incident.Patience) },
			containment.Asked, "Active", "NOT COMPLETE", true},
		"query slots that are full for a while": {func(w *world) { w.trail.errs = many(6, evidence.ErrBusy) },
			containment.Done, "Inactive", "somebody may be filling them", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			c.break_(w)
			r := w.handle(t)
			if got := state(t, r); got != c.state {
				t.Errorf("got %s, want %s: %+v", got, c.state, r.Outcomes)
			}
			w.keys(t, c.key)
			if sent := w.channel.Sent(); len(sent) != 1 || !strings.Contains(unwrap(sent[0].Body), c.says) {
				t.Errorf("got messages %q, want one that says %q", sent, c.says)
			}
			if n := count(w.account.Calls(), "Write"); (n == 0) != c.unwritten {
				t.Errorf("got %d writes, want none: %v", n, c.unwritten)
			}
			if r.Closed.IsZero() {
				t.Error("the incident is not closed")
			}
		})
	}
}

// unwrap undoes the wrapping of a body's lines.
func unwrap(body string) string { return strings.Join(strings.Fields(body), " ") }

func TestATrailThatNeverAnswersIsHeard(t *testing.T) {
	w := newWorld()
	w.trail.errs = slices.Repeat([]error{evidence.ErrBusy}, 100)
	r := w.handle(t)
	if len(r.Outcomes) != 0 || len(w.channel.Sent()) != 1 {
		t.Fatalf("got outcomes %v and %d messages, want none and 1", r.Outcomes, len(w.channel.Sent()))
	}
	if body := unwrap(w.channel.Sent()[0].Body); !strings.Contains(body, "CloudTrail could not be asked: no query slot was free") {
		t.Errorf("the message does not say that CloudTrail could not be asked:\n%s", body)
	}
}

func TestTheTeamNotToldIsAnError(t *testing.T) {
	w := newWorld()
	w.channel.Err = errors.New("the topic is gone")
	handled, err := w.Handle(context.Background(), event(1_000_000), nil)
	if !errors.Is(err, responder.ErrUnheard) {
		t.Errorf("got error %v, want ErrUnheard: a retry can help", err)
	}
	if got := state(t, handled.Record); got != containment.Done {
		t.Errorf("got %s, want done: the key is off all the same", got)
	}
}

func TestItCanBeStoppedAnywhere(t *testing.T) {
	// Each move is made by another process: a new Responder that shares nothing but the store and the world.
	w := newWorld()
	rec, err := w.Open(context.Background(), *must(alarm.Parse(event(1_000_000))).Alarm)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		next := newWorld()
		next.Store, next.Account, next.Channels, next.Clock, next.trail.clock = w.Store, w.Account, w.Channels, w.Clock, w.clock
		r, move, err := next.Advance(context.Background(), rec.ID)
		if err != nil {
			t.Fatal(err)
		}
		if move.Do == incident.Wait {
			if err := w.clock.Wait(context.Background(), move.At); err != nil {
				t.Fatal(err)
			}
		}
		if rec = r; move.Do == incident.Nothing {
			break
		}
	}
	if got := state(t, rec); got != containment.Done || rec.Closed.IsZero() {
		t.Errorf("got %s, closed %v; want done and closed", got, rec.Closed)
	}
}

func TestACrashBetweenWriteAndPutDoesNotWriteTwice(t *testing.T) {
	w := newWorld()
	w.Store = &crashing{Store: &incident.Memory{}, account: w.account}
	_, err := w.Handle(context.Background(), event(1_000_000), nil)
	if !errors.Is(err, errCrash) {
		t.Fatalf("got %v, want the crash", err)
	}
	w.keys(t, "Inactive")
	r := w.handle(t)
	if got := state(t, r); got != containment.Done {
		t.Errorf("got %s, want done: it was us", got)
	}
	if n := w.account.Writes(); n != 1 {
		t.Errorf("got %d writes that took effect, want 1", n)
	}
	if r.Outcomes[0].Undo == "" {
		t.Error("the undo line is lost")
	}
}

var errCrash = errors.New("crash")

// crashing is a store whose process dies before the first put after a write to the account.
type crashing struct {
	incident.Store
	account *sandbox.Account
	dead    bool
}

func (c *crashing) Put(ctx context.Context, r incident.Record) (incident.Record, error) {
	if c.account.Writes() > 0 && !c.dead {
		c.dead = true
		return incident.Record{}, errCrash
	}
	return c.Store.Put(ctx, r)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
