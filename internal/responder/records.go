package responder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/incident"
)

// put stores a record after a move. A record that somebody else has changed is taken in anew: what was done is seen done.
func (w *worker) put(ctx context.Context, rec *incident.Record) bool {
	history, id := rec.History, rec.ID
	rec.Writer = w.name
	stored, err := w.store(ctx, w.Store.Put, *rec)
	if errors.Is(err, incident.ErrConflict) {
		now, err := w.Store.Load(ctx, id)
		w.takeUpAnew(ctx, id, now, err)
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.giveUp(ctx, id, fmt.Errorf("storing it: %w", err))
		return false
	}
	stored.History = history
	*rec = stored
	if w.watch != nil {
		w.watch(stored)
	}
	return true
}

// changed reports whether somebody has changed an incident since it was read: what was answered meanwhile is not asked. Where that cannot be read,
// it has not been: to be heard comes first.
func (w *worker) changed(ctx context.Context, rec *incident.Record) bool {
	now, err := w.Store.Load(ctx, rec.ID)
	if err != nil || now.Version == rec.Version {
		return false
	}
	w.takeUpAnew(ctx, rec.ID, now, nil)
	return true
}

// takeUpAnew goes on with an incident as somebody else has stored it. Where it could not be read it is listed anew.
func (w *worker) takeUpAnew(ctx context.Context, id string, now incident.Record, err error) {
	w.Log.InfoContext(ctx, "somebody else has changed the incident; taking it up anew", "incident", id)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		delete(w.open, id)
		w.listed = time.Time{}
		return
	}
	w.keep(now)
}

// keep goes on with a record as it is stored, which has no history: what was read for the one that is known is kept.
func (w *worker) keep(rec incident.Record) {
	if known := w.open[rec.ID]; known != nil {
		rec.History = known.History
	}
	w.open[rec.ID] = &rec
}

// store calls the store until it is known whether the call took effect.
func (w *worker) store(ctx context.Context, call func(context.Context, incident.Record) (incident.Record, error), rec incident.Record) (incident.Record, error) {
	for try := 1; ; try++ {
		stored, err := call(ctx, rec)
		if err == nil || errors.Is(err, incident.ErrConflict) || errors.Is(err, incident.ErrNotFound) || try == 4 || ctx.Err() != nil {
			return stored, err
		}
		if w.Clock.Wait(ctx, w.Clock.Now().Add(time.Duration(try)*time.Second)) != nil {
			return stored, err
		}
	}
}

// sorted are the open incidents, the oldest first.
func (w *worker) sorted() []*incident.Record {
	var all []*incident.Record
	for _, rec := range w.open {
		if rec.Closed.IsZero() {
			all = append(all, rec)
		}
	}
	slices.SortFunc(all, func(x, y *incident.Record) int { return cmp.Or(x.Opened.Compare(y.Opened), cmp.Compare(x.ID, y.ID)) })
	return all
}
