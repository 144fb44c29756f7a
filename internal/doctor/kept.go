package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

// Kept is what is remembered from one run to the next.
type Kept struct {
	// Version counts the writes, as a Record's does.
	Version int64 `json:"version"`
	// Reports are the latest of each check, by its name.
	Reports map[string]Report `json:"reports,omitempty"`
	// Told is what the team was told of each check that did not hold, by its name.
	Told map[string]Told `json:"told,omitempty"`
}

// Told is what the team was told last of a check.
type Told struct {
	// Since is when it was found first, and At when it was told last.
	Since time.Time `json:"since"`
	At    time.Time `json:"at"`
	// Found is how much was broken then, but for what is told weekly; Weekly how much of that.
	Found  int `json:"found"`
	Weekly int `json:"weekly,omitempty"`
}

// Memory keeps what is remembered. Save fails where another has saved since Load. Errors are one sentence.
type Memory interface {
	Load(context.Context) (Kept, error)
	Save(context.Context, Kept) error
}

// The times after which what is still broken is told again. A daily run is never quite a day after the last.
const (
	daily  = 23 * time.Hour
	weekly = 7*24*time.Hour - time.Hour
)

// Tell is the message about these reports, whether there is one, and what to remember once it is sent. Everything that is broken or could not be
// read is told once a day, and at once where there is more of it; what works today and may not tomorrow once a week. What holds again is told
// once.
func (k Kept) Tell(now time.Time, reports []Report) (m report.Message, due bool, next Kept) {
	next = Kept{Version: k.Version, Reports: maps.Clone(k.Reports), Told: maps.Clone(k.Told)}
	if next.Reports == nil {
		next.Reports = map[string]Report{}
	}
	if next.Told == nil {
		next.Told = map[string]Told{}
	}
	var bad, mended []Report
	for _, r := range reports {
		told, was := k.Told[r.Name]
		next.Reports[r.Name] = r
		switch {
		case r.State == Holds && was:
			mended = append(mended, r)
			delete(next.Told, r.Name)
		case r.State == Holds:
		default:
			bad = append(bad, r)
			loud, quiet := r.weigh()
			due = due || loud > told.Found || quiet > told.Weekly || loud > 0 && !now.Before(told.At.Add(daily)) || !now.Before(told.At.Add(weekly))
			if !was {
				told.Since = now
			}
			next.Told[r.Name] = Told{Since: told.Since, At: told.At, Found: loud, Weekly: quiet}
		}
	}
	if due = due || len(mended) > 0; !due {
		return report.Message{}, false, next
	}
	for _, r := range bad {
		told := next.Told[r.Name]
		told.At = now
		next.Told[r.Name] = told
	}
	return write(bad, mended, k), true, next
}

// weigh counts what is told daily, and what is told weekly. What could not be read is told daily.
func (r Report) weigh() (loud, quiet int) {
	for _, f := range r.Found {
		if f.Weekly {
			quiet++
		}
	}
	if loud = len(r.Found) - quiet; r.State == Unread {
		loud++
	}
	return loud, quiet
}

// write is the message about what does not hold, and what holds again.
func write(bad, mended []Report, before Kept) report.Message {
	m := report.Message{Subject: "[nightlatch] HOLDS AGAIN: " + names(mended)}
	var b strings.Builder
	if len(bad) > 0 {
		m.Subject = "[nightlatch] DOES NOT HOLD: " + names(bad)
		b.WriteString("Nightlatch may not work tonight. What is broken is told once a day until it is mended.\n")
	}
	for _, r := range bad {
		b.WriteString(r.text())
		if told, was := before.Told[r.Name]; was {
			fmt.Fprintf(&b, "  So since %s UTC.\n", prose.Minute(told.Since))
		}
	}
	for _, r := range mended {
		fmt.Fprintf(&b, "\n%s holds again: %s\n", prose.Capital(r.Name), prose.Plain(r.Says))
		for _, f := range before.Reports[r.Name].Found {
			fmt.Fprintf(&b, "  It was: %s\n", prose.Plain(f.Says))
		}
	}
	b.WriteString("\nLook again: nightlatch doctor\n")
	m.Body = strings.TrimPrefix(b.String(), "\n")
	return m
}

func names(reports []Report) string {
	var all []string
	for _, r := range reports {
		all = append(all, r.Name)
	}
	return strings.Join(all, ", ")
}

// stale is how long ago a kept report may be; the daily run makes a new one every day.
const stale = 26 * time.Hour

// Lately is a check that only the function can run: it answers what that has found, where it is not too long ago.
func Lately(name string, memory Memory, now func() time.Time) Check {
	return Check{Name: name, Mend: "see the log of the doctor's function, and whether its rule is there", Run: func(ctx context.Context) Answer {
		kept, err := memory.Load(ctx)
		if err != nil {
			return unread(err)
		}
		r, there := kept.Reports[name]
		switch {
		case !there:
			return unread(errors.New("the doctor's function has not said anything of it yet"))
		case now().Sub(r.At) > stale:
			return unread(fmt.Errorf("the function said it last at %s UTC", prose.Minute(r.At)))
		}
		r.Says = strings.TrimSuffix(r.Says, ".") + " (at " + prose.Minute(r.At) + " UTC)"
		return r.Answer
	}}
}
