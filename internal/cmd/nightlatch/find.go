package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

const (
	// latest stands for the id of the incident that was opened last.
	latest = "latest"
	// lookBack is how many incidents are looked through at most, the latest: for an id's beginning, and for what is asked of a list.
	lookBack = 1000
	// maxNamed is how many incidents one sentence names.
	maxNamed = 5
)

// load reads one incident, by its id, by the beginning of one that no other has, or the latest.
func load(ctx context.Context, store incident.Store, id string) (incident.Record, error) {
	if !alarm.IncidentID.MatchString(id) {
		return incident.Record{}, badInput{fmt.Errorf("%q is not the id of an incident; nightlatch incidents lists them", id)}
	}
	if id == latest {
		briefs, err := store.Recent(ctx, 1)
		switch {
		case err != nil:
			return incident.Record{}, err
		case len(briefs) == 0:
			return incident.Record{}, errors.New("there is no incident in this table yet")
		}
		return store.Load(ctx, briefs[0].ID)
	}
	rec, err := store.Load(ctx, id)
	if errors.Is(err, incident.ErrNotFound) {
		return beginning(ctx, store, id)
	}
	return rec, err
}

// beginning reads the one incident whose id begins so.
func beginning(ctx context.Context, store incident.Store, id string) (incident.Record, error) {
	briefs, err := store.Recent(ctx, lookBack)
	if err != nil {
		return incident.Record{}, err
	}
	var ids []string
	for _, b := range briefs {
		if strings.HasPrefix(b.ID, id) {
			ids = append(ids, b.ID)
		}
	}
	switch n := len(ids); {
	case n == 0:
		return incident.Record{}, fmt.Errorf("there is no incident %s in this table; nightlatch incidents lists those that there are", id)
	case n > maxNamed:
		return incident.Record{}, badInput{fmt.Errorf("%d incidents begin with %s, say which: %s and %d more", n, id, strings.Join(ids[:maxNamed], ", "), n-maxNamed)}
	case n > 1:
		return incident.Record{}, badInput{fmt.Errorf("%d incidents begin with %s, say which: %s", n, id, strings.Join(ids, ", "))}
	}
	return store.Load(ctx, ids[0])
}

// wanted says which incidents a list shall have.
type wanted struct {
	Since  string `placeholder:"24h|2026-11-28" help:"Only those opened since then: so many hours (h) or days (d) ago, or a day or a time in UTC."`
	Bucket string `placeholder:"NAME" help:"Only those whose alarm is about this bucket."`
	State  string `placeholder:"STATE" help:"Only those that are open, escalated or closed."`
}

// filter is wanted as it was understood.
type filter struct {
	since         time.Time
	bucket, state string
}

// ago is a time before now.
var ago = regexp.MustCompile(`^([0-9]{1,5})([hd])$`)

// read understands what is wanted.
func (w wanted) read(now time.Time) (filter, error) {
	f := filter{bucket: w.Bucket, state: strings.ToLower(w.State)}
	if !slices.Contains([]string{"", "open", "escalated", "closed"}, f.state) {
		return f, badInput{fmt.Errorf("--state %q is none of open, escalated and closed", w.State)}
	}
	var err error
	if f.since, err = since(w.Since, now); err != nil {
		return f, badInput{err}
	}
	if f.since.After(now) {
		return f, badInput{fmt.Errorf("--since %q is yet to come: no incident was opened since then", w.Since)}
	}
	return f, nil
}

// since understands a time before now, or any time; "" is the zero time.
func since(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if m := ago.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return time.Time{}, err
		}
		return now.Add(-time.Duration(n) * map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour}[m[2]]), nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if at, err := time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since %q is no time; write it as 24h, 7d, 2026-11-28 or 2026-11-28T23:50Z", text)
}

// any reports whether every incident is wanted.
func (f filter) any() bool { return f == filter{} }

// list reads the latest n incidents that are wanted, newest first. all is false where older ones were not looked at: lookBack of them at most are.
func (f filter) list(ctx context.Context, store incident.Store, n int) (found []incident.Brief, all bool, err error) {
	if f.any() {
		found, err = store.Recent(ctx, n)
		return found, n < lookBack || len(found) < n, err
	}
	briefs, err := store.Recent(ctx, lookBack)
	if err != nil {
		return nil, false, err
	}
	for _, b := range briefs {
		if b.Opened.Before(f.since) {
			return found, true, nil
		}
		if f.state != "" && b.State() != f.state {
			continue
		}
		if f.bucket != "" { // a list does not know it
			rec, err := store.Load(ctx, b.ID)
			if err != nil {
				return nil, false, err
			}
			if !slices.Contains(rec.Alarm.Buckets, f.bucket) {
				continue
			}
		}
		if found = append(found, b); len(found) == n && n < lookBack {
			return found, true, nil
		}
	}
	return found, len(briefs) < lookBack, nil
}

// older is said where not every incident was looked at.
var older = fmt.Sprintf("Only the latest %s were looked at.", prose.Plural(lookBack, "incident"))
