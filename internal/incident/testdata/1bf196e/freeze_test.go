package responder_test

// This wrote the nights beside it. It ran in internal/responder of a checkout of 1bf196e, together with frozen_test.go of the commit that
// added both:
//
//	FREEZE=/where/to/write go test -run TestFreeze ./internal/responder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/storetest"
	"nightlatch/internal/sandbox"
)

// leases is a store that remembers the last lease.
type leases struct {
	incident.Store
	last incident.Lease
}

func (l *leases) Lease(ctx context.Context, lease incident.Lease) error {
	err := l.Store.Lease(ctx, lease)
	if err == nil {
		l.last = lease
	}
	return err
}

// frozenNow is what is stored now.
func frozenNow(t *testing.T, w *world) stopped {
	t.Helper()
	s := stopped{Now: w.clock.Now(), Keys: w.account.Statuses()}
	if l := w.Store.(*leases).last; l.Until.After(s.Now) {
		s.Holder, s.Until = l.Holder, l.Until
	}
	b, err := w.Store.Brakes(context.Background())
	if err == nil && b.Version > 0 {
		s.Brakes, err = json.Marshal(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range w.everything(t) {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		s.Records = append(s.Records, text)
	}
	return s
}

// stopAt handles an event, and returns what is stored when something is so.
func stopAt(t *testing.T, w *world, event []byte, when func(incident.Record) bool) (s stopped) {
	t.Helper()
	_, err := w.Handle(context.Background(), event, func(r incident.Record) {
		if s.Records == nil && when(r) {
			s = frozenNow(t, w)
		}
	})
	if s.Records == nil {
		t.Fatalf("that never was, %v", err)
	}
	return s
}

// anotherHas has somebody else sit at the desk for a second.
func anotherHas(t *testing.T, w *world) {
	now := w.clock.Now()
	if err := w.Store.Lease(context.Background(), incident.Lease{Name: "desk", Holder: "another", Now: now, Until: now.Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
}

func stateIs(state containment.State) func(incident.Record) bool {
	return func(r incident.Record) bool { return len(r.Outcomes) > 0 && r.Outcomes[0].State == state }
}

func answered(r incident.Record) bool { return !r.Told(incident.Answer).IsZero() }

func TestFreeze(t *testing.T) {
	timeout := errors.New("the connection timed out")
	ring := event(1_000_000)
	lowered := func(t *testing.T, w *world) stopped {
		return stopAt(t, w, ring, func(r incident.Record) bool {
			if !stateIs(containment.Intended)(r) {
				return false
			}
			if _, err := w.LowerMode(t.Context(), ops, containment.ModeAsk); err != nil {
				t.Fatal(err)
			}
			return true
		})
	}
	for name, c := range map[string]struct {
		says  string
		begin func(t *testing.T, w *world) stopped
	}{
		"opened": {"it has just rung, and another is at the desk", func(t *testing.T, w *world) stopped {
			anotherHas(t, w)
			w.deliver(t, ring)
			return frozenNow(t, w)
		}},
		"searching": {"the trail shows nothing yet", func(t *testing.T, w *world) stopped {
			w.trail.late = from.Add(20 * time.Minute)
			return stopAt(t, w, ring, func(r incident.Record) bool { return len(r.Looks) == 2 && !r.Told(incident.Page).IsZero() })
		}},
		"intended": {"a step is intended, and not done", func(t *testing.T, w *world) stopped { return stopAt(t, w, ring, stateIs(containment.Intended)) }},
		"written": {"a step was done, and the invocation died before it said so", func(t *testing.T, w *world) stopped {
			w.Account = &dying{Account: w.account}
			w.Handle(context.Background(), ring, nil)
			return frozenNow(t, w)
		}},
		"done": {"a step is done, and was looked after once", func(t *testing.T, w *world) stopped {
			return stopAt(t, w, ring, func(r incident.Record) bool { return len(r.FollowUps) == 1 })
		}},
		"asked": {"a step is asked, and was reminded of once", func(t *testing.T, w *world) stopped {
			return stopAt(t, w, ring, func(r incident.Record) bool { return r.Reminded == 1 && !r.Told(incident.Reminder).IsZero() })
		}},
		"escalated": {"nobody has answered, and it was escalated", func(t *testing.T, w *world) stopped {
			return stopAt(t, w, ring, func(r incident.Record) bool { return !r.Escalated.IsZero() })
		}},
		"approved": {"a human has approved a step, and it is not done", func(t *testing.T, w *world) stopped {
			return stopAt(t, w, ring, func(r incident.Record) bool {
				if !answered(r) {
					return false
				}
				if _, err := w.Approve(t.Context(), ops, shown(r, 1)); err != nil {
					t.Fatal(err)
				}
				return true
			})
		}},
		"unknown": {"a write has timed out after it took effect, and was not read back", func(t *testing.T, w *world) stopped {
			w.account.Fail("Write", sandbox.ErrAfter{Err: timeout})
			w.account.Fail("Read", nil, timeout, timeout, timeout, timeout)
			return stopAt(t, w, ring, stateIs(containment.Unknown))
		}},
		"throttled": {"AWS has refused a write twice for now", func(t *testing.T, w *world) stopped {
			w.account.Fail("Write", slices.Repeat([]error{fmt.Errorf("calling iam:UpdateAccessKey: %w", containment.ErrThrottled)}, 5)...)
			return stopAt(t, w, ring, func(r incident.Record) bool { return len(r.Outcomes) > 0 && r.Outcomes[0].Throttled == 2 })
		}},
		"failed": {"a write was refused, and the team told", func(t *testing.T, w *world) stopped {
			w.account.Fail("Write", fmt.Errorf("%w: AccessDenied", containment.ErrNotDone))
			return stopAt(t, w, ring, answered)
		}},
		"already": {"the key was off already", func(t *testing.T, w *world) stopped {
			w.account.SetStatus(stolen, containment.Inactive)
			return stopAt(t, w, ring, answered)
		}},
		"drifted": {"somebody has turned the key on again", func(t *testing.T, w *world) stopped {
			return stopAt(t, w, ring, func(r incident.Record) bool {
				if len(r.FollowUps) == 1 {
					w.account.SetStatus(stolen, containment.Active)
				}
				return stateIs(containment.Drifted)(r)
			})
		}},
		"undone": {"a human has restored the key, and holds it", func(t *testing.T, w *world) stopped {
			return stopAt(t, w, ring, func(r incident.Record) bool {
				if len(r.FollowUps) < 2 {
					return false
				}
				w.account.SetStatus(stolen, containment.Active)
				if _, err := w.Hold(t.Context(), ops, shown(r, 1)); err != nil {
					t.Fatal(err)
				}
				return true
			})
		}},
		"unheard": {"nobody could be told, and all is told again", func(t *testing.T, w *world) stopped {
			w.channel.Err = errors.New("no such topic")
			return stopAt(t, w, ring, func(r incident.Record) bool { return r.ToldAgain == 1 })
		}},
		"closed": {"it is over", func(t *testing.T, w *world) stopped {
			w.handle(t)
			return frozenNow(t, w)
		}},
		"observed": {"in mode observe, and the team told", func(t *testing.T, w *world) stopped { return stopAt(t, w, ring, answered) }},
		"lowered":  {"the mode was lowered after a step was intended", lowered},
		"raised":   {"the same, and a deployment has taken the mode up again", lowered},
		"folded": {"one of two incidents is folded into the other", func(t *testing.T, w *world) stopped {
			for _, e := range [][]byte{w.ringAt("bucket-1", 1_000_000), w.ringAt("bucket-2", 950_000)} {
				anotherHas(t, w)
				w.deliver(t, e)
			}
			w.clock.Wait(t.Context(), w.clock.Now().Add(2*time.Second))
			return stopAt(t, w, []byte(advanceAll), func(r incident.Record) bool { return r.Folded != "" })
		}},
		"continued": {"the window has moved on to a second thief", func(t *testing.T, w *world) stopped {
			return stopAt(t, w, ring, func(r incident.Record) bool { return r.Follows != "" && !r.Judged.IsZero() })
		}},
		"once": {"a human has asked, and is not answered yet", func(t *testing.T, w *world) stopped {
			w.trail.late = from.Add(20 * time.Minute)
			return stopAt(t, w, []byte(`{"nightlatch":{"investigate":{"bucket":"bucket-m","from":"2026-03-04T00:07:00Z","to":"2026-03-04T00:08:00Z"}}}`),
				func(r incident.Record) bool { return r.Once && len(r.Looks) == 1 })
		}},
		"second": {"the store fails, and the files were asked", func(t *testing.T, w *world) stopped { return stopAt(t, w, ring, stateIs(containment.Done)) }},
		"protected": {"the target is protected, and who tagged it is not asked yet", func(t *testing.T, w *world) stopped {
			return stopAt(t, w, ring, func(r incident.Record) bool { return !r.Judged.IsZero() })
		}},
		"sessions": {"two sessions of a role are asked about", func(t *testing.T, w *world) stopped { return stopAt(t, w, ring, answered) }},
		"policy":   {"there is no policy, and everything is asked", func(t *testing.T, w *world) stopped { return stopAt(t, w, ring, answered) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := frozenWorld(name)
			if name == "raised" {
				w = frozenWorld("lowered")
			}
			w.account.AddUser("olga", nil, sandbox.Key{ID: opsKey, Status: "Active", Created: from.AddDate(-1, 0, 0)})
			w.Store = &leases{Store: w.Store}
			s := c.begin(t, w)
			s.Says = c.says
			again := frozenWorld(name)
			s.load(t, again)
			s.End = again.takeUp(t, &again.Responder)
			writeFrozen(t, name, s)
		})
	}
	whole, err := json.Marshal(storetest.Whole())
	if err != nil {
		t.Fatal(err)
	}
	brakes, err := json.Marshal(incident.Brakes{Version: 3, Mode: containment.ModeAsk, Epoch: "1", By: ops.ARN, At: rang, Contained: []time.Time{rang},
		Holds: []incident.Hold{{AccessKeyID: stolen, Incident: "20260303-000000-0", By: ops.ARN, Until: rang, Origins: []string{"203.0.113.0/24"}}}})
	if err != nil {
		t.Fatal(err)
	}
	writeFrozen(t, "whole", stopped{Says: "something is in every field, and it makes no sense", Records: []json.RawMessage{whole}, Brakes: brakes})
}

// writeFrozen writes a night, each record on a line as it was stored.
func writeFrozen(t *testing.T, name string, s stopped) {
	t.Helper()
	var records [][]byte
	for _, r := range s.Records {
		records = append(records, r)
	}
	s.Records = nil
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.Concat([]byte("\"records\": [\n"), bytes.Join(records, []byte(",\n")), []byte("\n  ]"))
	text = append(bytes.Replace(text, []byte(`"records": null`), lines, 1), '\n')
	if err := os.WriteFile(filepath.Join(os.Getenv("FREEZE"), name+".json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
}
