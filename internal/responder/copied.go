package responder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/settings"
)

const (
	// copiesSpan is how far back a look for copies goes. One comes each hour, and a record is some minutes late.
	copiesSpan = 2 * time.Hour
	// maxCopied is how many incidents a look opens. What it leaves, the next one finds again.
	maxCopied = 10
	// maxDestination is how much of a destination's name is kept: no bucket's is longer.
	maxDestination = 255
)

// copied looks through the trail for copies out of the watched buckets to where none was copied before, and opens an incident for each such
// source and destination. A server-side copy moves no byte that the metric counts, so that no alarm fires for it. It returns the ids of those
// that are open, and an error where there is more than it opens.
func (w *worker) copied(ctx context.Context) (open []string, err error) {
	if len(w.Watched) == 0 {
		return nil, errors.New("looking for copies: which buckets are watched is not known; deploy again")
	}
	every := slices.Contains(w.Watched, settings.EveryBucket)
	now := w.Clock.Now()
	q := evidence.Copied{Buckets: w.Watched, From: now.Add(-copiesSpan), To: now}
	if every {
		q.Buckets = nil
	}
	all, more, err := w.ask.Copied(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("looking for copies: %w", err)
	}
	opened := 0
	for _, c := range all {
		inside := slices.Contains(w.Watched, c.Destination)
		if every {
			inside = c.Owner != "" && w.Ours[c.Owner]
		}
		if inside || !every && !slices.Contains(w.Watched, c.Source) || settings.CheckBucket(c.Source) != nil {
			continue
		}
		if opened == maxCopied {
			more = true
			break
		}
		rec, err := w.fired(ctx, alarm.Copied(c.Source, c.Destination[:min(len(c.Destination), maxDestination)], c.First, c.Last.Add(time.Second)))
		if err != nil {
			return open, err
		}
		if !rec.Opened.Before(now) {
			w.Log.WarnContext(ctx, "objects were copied to a place that is new", "incident", rec.ID, "source", c.Source, "destination", c.Destination, "who", c.Who, "copies", c.Copies)
			opened++
		}
		if rec.Closed.IsZero() {
			open = append(open, rec.ID)
		}
	}
	if more {
		err = fmt.Errorf("looking for copies: objects of the watched buckets were copied to more new places than the %d that one look opens incidents for; "+
			"see CopyObject and UploadPartCopy in the trail since %s", maxCopied, q.From.UTC().Format("2006-01-02 15:04"))
	}
	return open, err
}
