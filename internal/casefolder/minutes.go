package casefolder

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

// Draw asks for the minutes of an incident, which its page draws: what report.CourseOf asks. It ends by itself.
type Draw func(context.Context, incident.Record) ([]evidence.Slot, error)

// MinutesSchema names the form of minutes.json. Fields are only ever added.
const MinutesSchema = "nightlatch.minutes/1"

// minutes are the bytes of an incident by the minute, as its folder keeps them.
type minutes struct {
	Schema string `json:"schema"`
	// From and To are the time that was asked about, half open, of these buckets.
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Buckets []string  `json:"buckets"`
	// Keys are the access key ids whose bytes are told apart.
	Keys []string `json:"access_key_ids"`
	// Step is how many seconds a part has. A part in which nothing was called is missing.
	Step  int64  `json:"step_seconds"`
	Parts []part `json:"parts"`
}

type part struct {
	Start time.Time        `json:"start"`
	Bytes int64            `json:"bytes_out"`
	ByKey map[string]int64 `json:"bytes_out_by_access_key_id,omitempty"`
}

func minutesOf(r incident.Record) minutes {
	q := report.CourseOf(r)
	return minutes{Schema: MinutesSchema, From: q.From.UTC(), To: q.To.UTC(), Buckets: q.Buckets, Keys: append([]string{}, q.Keys...), Step: int64(q.Step() / time.Second), Parts: []part{}}
}

func minutesText(r incident.Record, slots []evidence.Slot) ([]byte, error) {
	m := minutesOf(r)
	for _, s := range slots {
		m.Parts = append(m.Parts, part(s))
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("the minutes of incident %q as JSON: %v", r.ID, err)
	}
	return append(text, '\n'), nil
}

// drawn are the minutes that an incident's page draws. They are asked for once, and again when it is closed, as late records may have come by then, and when what is
// to be drawn has become more; in between they are those of the folder. missing says why there are none where there could be.
func (m Manifest) drawn(ctx context.Context, shelf Shelf, r incident.Record, closes bool, draw Draw) (slots []evidence.Slot, missing string, err error) {
	if !listable(r) || !wanted(r) {
		return nil, "", nil // as the list: its line says so
	}
	if !closes && slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == minutesName }) {
		text, _, err := shelf.Get(ctx, minutesName)
		if err != nil {
			return nil, "", err
		}
		if slots := sameMinutes(text, r); slots != nil {
			return slots, "", nil
		}
	}
	slots, err = draw(ctx, r)
	if err != nil {
		return nil, noMinutes + prose.Plain(err.Error()), nil
	}
	return append([]evidence.Slot{}, slots...), "", nil
}

// noMinutes begins what a manifest says of minutes that are not there.
const noMinutes = "the picture of the minutes: "

// sameMinutes are the minutes of a file, where it has those that are asked about now; nil where it has others.
func sameMinutes(text []byte, r incident.Record) []evidence.Slot {
	now, is := minutesOf(r), minutes{}
	if json.Unmarshal(text, &is) != nil || !is.From.Equal(now.From) || !is.To.Equal(now.To) || !slices.Equal(is.Buckets, now.Buckets) || !slices.Equal(is.Keys, now.Keys) {
		return nil
	}
	slots := []evidence.Slot{}
	for _, p := range is.Parts {
		slots = append(slots, evidence.Slot(p))
	}
	return slots
}
