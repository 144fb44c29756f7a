package notices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nightlatch/internal/clock"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
)

// memory is a table that takes some time, and fails as one does.
type memory struct {
	mu    sync.Mutex
	state State
	next  time.Time // the next turn
	down  bool
	lost  *rand.Rand // some answers are lost after they took effect; nil is none
}

var errDown = errors.New("no table")

func (m *memory) Load(context.Context) (State, error) {
	time.Sleep(5 * time.Millisecond)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return State{}, errDown
	}
	body, err := json.Marshal(m.state)
	var s State
	return s, errors.Join(err, json.Unmarshal(body, &s)) // as it is stored
}

func (m *memory) Put(_ context.Context, s State) error {
	time.Sleep(5 * time.Millisecond)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.down:
		return errDown
	case s.Version != m.state.Version+1:
		return incident.ErrConflict
	}
	m.state = s
	if m.lost != nil && m.lost.IntN(200) == 0 {
		return errors.New("the answer was lost")
	}
	return nil
}

func (m *memory) Turn(_ context.Context, _ string, now time.Time) (time.Time, error) {
	time.Sleep(5 * time.Millisecond)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return time.Time{}, errDown
	}
	at := now
	if m.next.After(at) {
		at = m.next
	}
	m.next = at.Add(notify.Interval)
	return at, nil
}

// published is one message that a topic took.
type published struct {
	at time.Time
	m  report.Message
}

type topic struct {
	mu    sync.Mutex
	name  string
	sent  []published
	fails func() bool
}

func (t *topic) Name() string { return t.name }

func (t *topic) Send(_ context.Context, m report.Message) error {
	time.Sleep(40 * time.Millisecond)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fails != nil && t.fails() {
		return errors.New("no topic")
	}
	t.sent = append(t.sent, published{time.Now(), m})
	return nil
}

// queue is a standard queue with Lambda's event source on it: a batch is what comes within a minute of its first message, or as many as it may hold, or six
// megabytes; two run at a time; what a run fails on comes again after the visibility timeout; some messages come twice, and in no order.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
type queue struct {
	mu        sync.Mutex
	waiting   []string
	bytes     int // of waiting
	batch     int // the most messages of a batch
	delivered int
	runs      int // at this moment
	most      int
	order     *rand.Rand
	account   chan struct{} // the account's concurrency
}

const (
	window, visibility = time.Minute, 13 * time.Minute
	batchBytes         = 6 << 20
)

func (q *queue) send(body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(body)
	if q.order.IntN(100) == 0 {
		q.add(body)
	}
}

func (q *queue) add(bodies ...string) {
	for _, b := range bodies {
		q.waiting, q.bytes = append(q.waiting, b), q.bytes+len(b)
	}
}

func (q *queue) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.waiting) && n < q.batch && bytes+len(q.waiting[n]) <= batchBytes {
		bytes += len(q.waiting[n])
		n++
	}
	batch := slices.Clone(q.waiting[:n])
	q.waiting, q.bytes = slices.Delete(q.waiting, 0, n), q.bytes-bytes
	q.order.Shuffle(n, func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	q.delivered += n
	return batch
}

func (q *queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) >= q.batch || q.bytes >= batchBytes
}

// poll is one of the two that take batches, until the end.
func (q *queue) poll(ctx context.Context, handle func(context.Context, []string) ([]int, error)) {
	for ctx.Err() == nil {
		q.mu.Lock()
		empty := len(q.waiting) == 0
		q.mu.Unlock()
		if empty {
			time.Sleep(time.Second)
			continue
		}
		for begun := time.Now(); time.Since(begun) < window && !q.full(); {
			time.Sleep(500 * time.Millisecond)
		}
		batch := q.take()
		if len(batch) == 0 {
			continue
		}
		q.account <- struct{}{}
		q.mu.Lock()
		q.runs++
		q.most = max(q.most, q.runs)
		q.mu.Unlock()
		within, cancel := context.WithTimeout(ctx, 2*time.Minute)
		again, err := handle(within, batch)
		if err == nil {
			var back []string
			for _, i := range again {
				back = append(back, batch[i])
			}
			batch = back
		}
		cancel()
		q.mu.Lock()
		q.runs--
		q.mu.Unlock()
		<-q.account
		if len(batch) > 0 && (err != nil || len(again) > 0) {
			go func() {
				time.Sleep(visibility)
				q.mu.Lock()
				q.add(batch...)
				q.mu.Unlock()
			}()
		}
	}
}

// late is how long the last batch waits for those before it, two at a time, where they last for two seconds and a retry of their turns.
func (f flood) late() time.Duration {
	if !f.down {
		return 0
	}
	return time.Duration(f.events/f.batch/2+1) * 3 * time.Second
}

// told adds up what messages say of kinds, by rule and whether refused.
func told(all []published) (counts map[string]int, first map[string]time.Time) {
	counts, first = map[string]int{}, map[string]time.Time{}
	for _, p := range all {
		lines := strings.Split(p.m.Body, "\n")
		for i, line := range lines {
			what, ok := strings.CutPrefix(line, "What: ")
			if !ok {
				continue
			}
			kind := lines[i-1]
			what, _, _ = strings.Cut(what, ", since ")
			for part := range strings.SplitSeq(strings.TrimSuffix(what, "."), ", ") {
				n := 1
				fmt.Sscanf(part[strings.LastIndex(part, " ")+1:], "%d", &n)
				counts[kind] += n
			}
			if first[kind].IsZero() {
				first[kind] = p.at
			}
		}
	}
	return counts, first
}

// A hundred thousand calls in an hour, done and refused, large and small, reach the team in few messages: never more than one a second, the first
// of each kind within the batch, none lost, and no more than what was delivered. Whoever else runs in an account with ten concurrent executions
// is not held back.
func TestAFloodIsFewMessagesAndLosesNothing(t *testing.T) {
	few := 10_000
	if os.Getenv("NIGHTLATCH_TESTS") == "all" {
		few = 100_000
	}
	for name, f := range map[string]flood{
		"all is well": {events: 100_000, span: time.Hour, batch: 10_000},
		"answers are lost, and publishing fails at times": {events: few, span: time.Hour, batch: 10_000, faults: true},
		"without a table":                               {events: few, span: time.Hour, batch: 10_000, down: true},
		"in a minute, of large events":                  {events: few, span: time.Minute, batch: 50},
		"in a minute, of large events, without a table": {events: few, span: time.Minute, batch: 50, down: true},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f.run) })
	}
}

// flood is how many calls come in how long, how many fit a batch, and what goes wrong.
type flood struct {
	events, batch int
	span          time.Duration
	down, faults  bool // the table is away; answers of it are lost, and publishing fails
}

func (f flood) run(t *testing.T) {
	events, span, down, faults := f.events, f.span, f.down, f.faults
	random := rand.New(rand.NewPCG(14, uint64(len(t.Name()))))
	table, team, watch := &memory{down: down}, &topic{name: "sns:team"}, &topic{name: "sns:watch"}
	if faults {
		table.lost = rand.New(rand.NewPCG(1, 2))
		failing := rand.New(rand.NewPCG(3, 4))
		team.fails = func() bool { return failing.IntN(5) == 0 }
	}
	log := slog.New(slog.DiscardHandler)
	channels := notify.Paced([]notify.Channel{team, watch}, table, clock.System{}, log)
	teller := Teller{Store: table, Team: channels[0], Watchers: channels[1:], Clock: clock.System{}, Log: log}
	q := &queue{order: rand.New(rand.NewPCG(15, uint64(len(t.Name())))), batch: f.batch, account: make(chan struct{}, 10)}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { q.poll(ctx, teller.Handle) })
	}
	all.Go(func() { // the schedule
		for ctx.Err() == nil {
			time.Sleep(5 * time.Minute)
			q.send(`{"rule":"` + Tick + `"}`)
		}
	})
	var worst time.Duration // that the responder waits for a place, which it has eight of
	all.Go(func() {
		for ctx.Err() == nil {
			time.Sleep(10 * time.Second)
			for range 8 {
				asked := time.Now()
				q.account <- struct{}{}
				worst = max(worst, time.Since(asked))
			}
			time.Sleep(time.Second)
			for range 8 {
				<-q.account
			}
		}
	})
	rules := Rules()[:20]
	sent, begun := map[string]int{}, map[string]time.Time{}
	large := strings.Repeat("x", 4_000)
	for i := range events {
		rule := rules[random.IntN(len(rules))]
		kind, refused, padding := rule.Subject, "", ""
		if random.IntN(2) == 0 {
			kind, refused = kind+" (refused)", `,"errorCode":"AccessDenied"`
		}
		if random.IntN(10) == 0 {
			padding = large
		}
		if sent[kind]++; sent[kind] == 1 {
			begun[kind] = time.Now()
		}
		q.send(fmt.Sprintf(`{"rule":%q,"event":{"detail":{"eventID":"%d","eventName":"Call%d","requestParameters":{"name":"%s"},"userIdentity":{"arn":"arn:%d"}%s}}}`,
			rule.Name, i, random.IntN(30), padding, random.IntN(1000), refused))
		time.Sleep(span / time.Duration(events))
	}
	time.Sleep(25 * time.Hour) // refused calls alone are told once a day
	cancel()
	all.Wait()

	heard := slices.Concat(team.sent, watch.sent)
	counts, first := told(team.sent)
	if faults || down { // what the team's topic did not take, the watchers heard; of hearing they hear all
		both, _ := told(heard)
		for kind, n := range both {
			counts[kind] = max(counts[kind], n)
		}
	}
	for kind, n := range sent {
		if counts[kind] < n {
			t.Errorf("%s: %d were sent, and %d told", kind, n, counts[kind])
		}
		if most := n + n/20 + 50; !faults && !down && counts[kind] > most { // one of a hundred came twice
			t.Errorf("%s: %d were sent, and %d told", kind, n, counts[kind])
		}
		if waited := first[kind].Sub(begun[kind]); !faults && !strings.Contains(kind, "refused") && waited > window+10*time.Second+f.late() {
			t.Errorf("%s: the first was told after %s", kind, waited)
		}
	}
	for _, to := range []*topic{team, watch} {
		for i := range to.sent {
			j := i
			for j+1 < len(to.sent) && to.sent[j+1].at.Sub(to.sent[i].at) < time.Second {
				j++
			}
			// Without a table there are no turns: two runs at a time that last two seconds each are one a second, and two at once at most.
			if most := map[bool]int{false: 1, true: 2}[down]; j-i+1 > most {
				t.Fatalf("%s: %d messages within a second of %s", to.name, j-i+1, to.sent[i].at)
			}
		}
	}
	if q.most > 2 || worst > 0 {
		t.Errorf("%d ran at a time, and the responder waited for %s", q.most, worst)
	}
	if n := len(team.sent); n == 0 || !down && n > 500 {
		t.Errorf("the team got %d messages", n)
	}
	t.Logf("%d events in %s, delivered %d times: %d messages to the team, %d to the watchers", events, span, q.delivered, len(team.sent), len(watch.sent))
}

// What can be neither stored nor told is tried again while the run lasts, so that the heartbeat knows of it as soon as the table is back (simulation,
// seed 20743).
func TestWhatIsNeitherStoredNorToldIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, team := &memory{down: true}, &topic{name: "sns:team", fails: func() bool { return true }}
		teller := Teller{Store: table, Team: team, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		batch := []string{`{"rule":"Topic","event":{"detail":{"eventID":"1","eventName":"DeleteTopic"}}}`}
		if _, err := teller.Handle(ctx, batch); err == nil || ctx.Err() != nil {
			t.Errorf("neither: got %v, and the run's time: %v", err, ctx.Err())
		}
		ctx, cancel = context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		time.AfterFunc(time.Minute, func() {
			table.mu.Lock()
			defer table.mu.Unlock()
			table.down = false
		})
		if _, err := teller.Handle(ctx, batch); err != nil || table.state.Unsent().IsZero() {
			t.Errorf("the table is back: got %v, and %+v is stored", err, table.state)
		}
	})
}

// What was told is noted as told while the run lasts, or it would be told again every five minutes as long as the table fails often (simulation, seed
// 13105).
func TestWhatWasToldIsNotedWhenTheTableIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, team := &memory{}, &topic{name: "sns:team"}
		team.fails = func() bool {
			table.mu.Lock()
			defer table.mu.Unlock()
			table.down = true
			time.AfterFunc(time.Minute, func() {
				table.mu.Lock()
				defer table.mu.Unlock()
				table.down = false
			})
			return false
		}
		teller := Teller{Store: table, Team: team, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		_, err := teller.Handle(ctx, []string{`{"rule":"Topic","event":{"detail":{"eventID":"1","eventName":"DeleteTopic"}}}`})
		if err != nil || len(team.sent) != 1 || len(table.state.Due) > 0 {
			t.Errorf("got %v, %d messages, and %+v is due still", err, len(team.sent), table.state.Due)
		}
	})
}
