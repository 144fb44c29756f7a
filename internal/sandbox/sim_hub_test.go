package sandbox

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

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence/enginetest"
	"nightlatch/internal/hub"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
)

// partition is a night's hub: when it does not answer, and what it has taken.
type partition struct {
	from, to time.Time
	took     []took
	refused  int
	said     int // messages to people that say so
}

// checkUnheard sees that a message to people says where the hub did not hear the last one about its incident.
func (w *world) checkUnheard(m report.Message) {
	if w.hub == nil || len(m.Of) != 1 || m.Kind == incident.Page || m.Of[0].HubUnheard() == nil {
		return
	}
	if w.hub.said++; !strings.Contains(strings.Join(strings.Fields(m.Body), " "), "THE HUB DID NOT HEAR") {
		w.breach(ruleTrue, "a message does not say that the hub did not hear: %s", m.Subject)
	}
}

// took is an event that the hub's bus has taken.
type took struct {
	at   time.Time
	kind incident.MessageKind
	of   []string
	body []byte
}

// simHub is the channel to it.
type simHub struct{ *invocation }

func (simHub) Name() string {
	return incident.HubChannel + "arn:aws:events:eu-central-1:222233334444:event-bus/NightlatchHub"
}

func (h simHub) Send(_ context.Context, m report.Message) error {
	p := h.world.hub
	if len(m.Of) == 0 { // as the channel has it
		return nil
	}
	_, err := call(h.invocation, "channel", "tell the hub "+m.Subject, func() (struct{}, error) {
		if !h.now.Before(p.from) && h.now.Before(p.to) {
			p.refused++
			h.pause(2 * time.Second)
			return struct{}{}, errors.New("the hub does not answer")
		}
		body, err := report.ForHub(m, h.now)
		if err != nil {
			h.breach(ruleNotified, "no event for the hub: %v", err)
		}
		t := took{at: h.now, kind: m.Kind, body: body}
		for _, r := range m.Of {
			t.of = append(t.of, r.ID)
		}
		p.took = append(p.took, t)
		return struct{}{}, nil
	})
	return err
}

// hubNight plays the night of a seed with a hub from which it is cut off for some time.
func hubNight(seed uint64) *world {
	w := newWorld(seed, false)
	rng := rand.New(rand.NewPCG(seed, 18))
	w.hub = &partition{}
	if rng.IntN(4) > 0 {
		w.hub.from = dusk.Add(time.Duration(rng.Int64N(int64(40 * time.Minute))))
		w.hub.to = w.hub.from.Add(time.Minute + time.Duration(rng.Int64N(int64([]time.Duration{10 * time.Minute, time.Hour, 20 * time.Hour}[rng.IntN(3)]))))
	}
	if !w.run(dusk.Add(16 * time.Hour)) {
		w.breach(ruleEnd, "something still happens after sixteen hours")
	}
	w.checkNight()
	return w
}

// hubMemory is a hub in memory, whose clock the test moves.
type hubMemory struct {
	rec hub.Record
	now time.Time
	all []sent
	rng *rand.Rand
}

func (h *hubMemory) Load(context.Context) (hub.Record, error) { return h.rec, nil }

// Put loses some answers after it took effect.
func (h *hubMemory) Put(_ context.Context, r hub.Record) error {
	if r.Version != h.rec.Version+1 {
		return incident.ErrConflict
	}
	h.rec = r
	if h.rng.IntN(200) == 0 {
		return errors.New("the answer was lost")
	}
	return nil
}
func (h *hubMemory) Now() time.Time                             { return h.now }
func (h *hubMemory) Wait(_ context.Context, at time.Time) error { return nil }
func (*hubMemory) Name() string                                 { return "sns:hub" }
func (h *hubMemory) Send(_ context.Context, m report.Message) error {
	h.all = append(h.all, sent{at: h.now, Message: m})
	return nil
}

// Three accounts whose hub is gone for some time: each works every incident as before and by every rule, and says that the hub did not hear; the hub
// tells of each account, at most late, and never what is not so.
func TestSimHubs(t *testing.T) {
	begin := time.Now()
	accounts := []string{"111122223333", "444455556666", "777788889999"}
	nights, refused, unheard, told, late := 0, 0, 0, 0, 0
	for group := range uint64(enginetest.Draws(20, 60)) {
		type arrival struct {
			took
			account string
		}
		var arrivals []arrival
		worlds := map[string]*world{}
		for i, account := range accounts {
			w := hubNight(50_000 + group*3 + uint64(i))
			nights++
			worlds[account] = w
			refused += w.hub.refused
			for _, b := range w.broken {
				t.Errorf("seed %d: %v", w.seed, b)
			}
			unheard += w.hub.said
			for _, e := range w.hub.took {
				e.body = []byte(strings.ReplaceAll(string(e.body), accountID, account))
				arrivals = append(arrivals, arrival{e, account})
			}
		}
		// EventBridge and the queue bring them at least once, and in no order.
		rng := rand.New(rand.NewPCG(group, 19))
		for _, a := range slices.Clone(arrivals) {
			if rng.IntN(20) == 0 {
				arrivals = append(arrivals, a)
			}
		}
		for i := range arrivals {
			arrivals[i].at = arrivals[i].at.Add(time.Duration(rng.Int64N(int64(20 * time.Second))))
		}
		slices.SortStableFunc(arrivals, func(x, y arrival) int { return x.at.Compare(y.at) })
		end := dusk
		if n := len(arrivals); n > 0 {
			end = arrivals[n-1].at.Add(time.Hour)
		}
		h := &hubMemory{rng: rng}
		teller := hub.Teller{Store: h, Team: []notify.Channel{h}, Watchers: []notify.Channel{h}, Accounts: accounts, Here: incident.Place{AccountID: "222233334444", Region: "eu-central-1"}, Clock: h, Log: slog.New(slog.DiscardHandler)}
		first := map[string]time.Time{} // when the hub had more of an account than a page
		for h.now = dusk; h.now.Before(end); h.now = h.now.Add(time.Minute) {
			batch := []string{hub.Tick}
			for len(arrivals) > 0 && !arrivals[0].at.After(h.now) {
				a := arrivals[0]
				arrivals = arrivals[1:]
				body, err := json.Marshal(map[string]any{"id": fmt.Sprint(rng.Uint64()), "source": "nightlatch", "detail-type": report.HubDetailType, "account": a.account, "detail": json.RawMessage(a.body)})
				if err != nil {
					t.Fatal(err)
				}
				if a.kind != incident.Page && first[a.account].IsZero() {
					first[a.account] = h.now
				}
				batch = append(batch, string(body))
			}
			if again, err := teller.Handle(t.Context(), batch); err != nil || len(again) > 0 {
				t.Fatalf("group %d: %v, and %v comes again", group, err, again)
			}
		}
		told += len(h.all)
		for account, at := range first {
			i := slices.IndexFunc(h.all, func(m sent) bool { return strings.Contains(m.Body, account) && !m.at.Before(at.Add(-hub.Patience)) })
			if i < 0 {
				t.Errorf("group %d: the hub's team never heard of account %s", group, account)
			} else if wait := h.all[i].at.Sub(at); wait > 20*time.Minute {
				t.Errorf("group %d: the hub's team heard of account %s after %v", group, account, wait)
			} else if wait > time.Minute {
				late++
			}
		}
		checkHub(t, group, h.rec, worlds)
	}
	if unheard == 0 || refused == 0 {
		t.Errorf("%d calls were refused, and %d messages said so", refused, unheard)
	}
	t.Logf("%d nights of three accounts with a hub in %v: %d calls refused, %d messages that say so, %d messages of the hub, %d accounts told later than a minute", nights, time.Since(begin).Round(time.Millisecond), refused, unheard, told, late)
}

// checkHub compares what the hub holds with what is true: of what it has heard last.
func checkHub(t *testing.T, group uint64, rec hub.Record, worlds map[string]*world) {
	known := map[string]hub.State{}
	for _, th := range rec.Threads {
		for _, p := range th.Places {
			for _, in := range p.Incidents {
				if _, twice := known[p.Account+in.ID]; twice {
					t.Errorf("group %d: incident %s of %s stands there twice", group, in.ID, p.Account)
				}
				known[p.Account+in.ID] = in.State
			}
		}
	}
	for account, w := range worlds {
		for id, r := range w.stored {
			state, ok := known[account+id]
			heard := slices.ContainsFunc(w.hub.took, func(e took) bool { return slices.Contains(e.of, id) })
			if ok && !heard && (state != hub.Merged || r.MergedInto == "") {
				t.Errorf("group %d: the hub knows incident %s of %s, of which it has not heard", group, id, account)
			}
			switch last := r.Notified; {
			case !ok || r.HubUnheard() != nil:
			case state == hub.Contained && !slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool {
				return o.Contained() || o.State == containment.Already || o.State == containment.Undone || o.State == containment.Drifted
			}):
				t.Errorf("group %d: the hub says that incident %s of %s was contained: %+v", group, id, account, r.Outcomes)
			case state == hub.Closed && r.Closed.IsZero() && !slices.ContainsFunc(last, func(n incident.Notice) bool { return n.Kind == incident.Closing }):
				t.Errorf("group %d: the hub says that incident %s of %s is closed", group, id, account)
			}
		}
	}
}
