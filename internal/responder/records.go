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
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case errors.Is(err, incident.ErrConflict):
		w.Log.InfoContext(ctx, "somebody else has changed the incident; taking it up anew", "incident", id)
		delete(w.open, id)
		w.listed = time.Time{}
		return false
	case err != nil:
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
