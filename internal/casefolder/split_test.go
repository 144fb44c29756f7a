package casefolder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/evidence"
)

// slow is an engine that gives no row of a window that is longer than fits before over is called, and of a shorter one the calls that it has: one a minute,
// each of another object, but for the last object, which is read in every minute. It has the time for so many parts.
func slow(over func(), fits time.Duration, parts int, asked *[]string) Each {
	return func(ctx context.Context, question evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
		q := question.(evidence.Taken)
		*asked = append(*asked, q.From.Format("15:04")+"-"+q.To.Format("15:04"))
		if parts--; parts < 0 || q.To.Sub(q.From) > fits {
			over()
			return evidence.Answer{}, fmt.Errorf("waiting: %w", ctx.Err())
		}
		n := 0
		for at := q.From.Add(time.Minute - 1).Truncate(time.Minute); at.Before(q.To); at = at.Add(time.Minute) {
			if err := do(row("a"+at.Format("15:04"), "times", "1")); err != nil {
				return evidence.Answer{}, err
			}
			n++
		}
		return evidence.Answer{Lost: []string{"a file is lost"}}, do(row("z", "times", fmt.Sprint(n)))
	}
}

// A list whose query has no first row in time is asked for by half of its window, until that fits; then part by part. What is missing is named until nothing is.
func TestAListThatGivesNothingInTimeIsSplitByTime(t *testing.T) {
	s, r := &shelf{files: map[string][][]byte{}}, answered()
	q := takenOf(r)
	whole := q.To.Sub(q.From)
	minutes := int(whole / time.Minute)
	var asked []string
	keep := func(parts int) (Manifest, error) {
		t.Helper()
		asked = nil
		asking, over := context.WithCancel(t.Context())
		defer over()
		_, err := Keep(t.Context(), asking, s, r, Sources{slow(over, whole/4, parts, &asked), still, blind})
		return s.manifest(t), err
	}
	for turn, want := range []time.Duration{whole / 2, whole / 4} {
		m, err := keep(1)
		if !errors.Is(err, context.Canceled) || !m.ListDue || m.Taken != nil || m.ListStep != int64(want/time.Second) || len(asked) != 1 || len(s.files[listName]) != 0 || len(m.Missing) != 1 || !strings.HasPrefix(m.Missing[0], "the list of what was taken: no row came in time; when the function is called again it asks for ") {
			t.Fatalf("turn %d: %v, %+v, asked %q", turn, err, m, asked)
		}
	}
	// Two parts fit into the next time, none into the one behind it, and the rest into the last.
	m, err := keep(2)
	at := func(quarters int) string { return q.From.Add(whole / 4 * time.Duration(quarters)).Format(time.RFC3339) }
	if err == nil || !m.ListDue || !m.Taken.Cut || !m.Taken.Split || m.Taken.Until.Format(time.RFC3339) != at(2) || m.Taken.After != nil || len(m.Missing) != 2 || !strings.Contains(m.Missing[1], "it is whole for the calls up to "+at(2)) {
		t.Fatalf("%v, %+v, %+v", err, m, m.Taken)
	}
	equal(t, len(asked), 3)
	stands := m.Taken
	m, err = keep(0)
	equal(t, []any{err != nil, m.ListDue, m.Taken, len(m.lists()), m.ListStep}, []any{true, true, stands, 1, int64(whole / 8 / time.Second)}) // not even that quarter came
	if all := strings.Join(m.Missing, "\n"); !strings.Contains(all, "no row came in time") || !strings.Contains(all, "up to "+at(2)) {
		t.Errorf("missing is %q", m.Missing)
	}
	m, err = keep(100)
	if err != nil || m.ListDue || m.Taken.Cut || !m.Taken.Until.IsZero() || !m.Taken.Split {
		t.Fatalf("%v, %+v, %+v", err, m, m.Taken)
	}
	equal(t, []any{len(asked), m.Missing, m.Taken.Parts}, []any{4, []string{"a file is lost"}, []string{"taken.csv.gz", "taken.2.csv.gz"}})
	var objects []string
	calls := 0
	for _, row := range parts(t, s, m) {
		objects = append(objects, row[1])
		n := 0
		fmt.Sscan(row[5], &n)
		calls += n
	}
	if n := len(objects) - len(slices.Compact(slices.Sorted(slices.Values(objects)))); n != 5 || calls != 2*minutes || int(m.Taken.Reads) != calls || int(m.Taken.Objects) != minutes+6 {
		t.Errorf("%d of %d rows are there twice, %d of %d calls, %+v", n, len(objects), calls, 2*minutes, m.Taken.Sums)
	}
	// The list of the close begins anew, by the part that fitted, and says which file is of the one before.
	r.Closed = noon.Add(time.Hour)
	m, err = keep(100)
	equal(t, []any{err, len(asked), m.Taken.Parts, m.Taken.Stale, len(m.lists()), m.Taken.Reads}, []any{nil, 8, []string(nil), []string{"taken.2.csv.gz"}, 1, int64(2 * minutes)})
}

// What an engine says is too much for it is halved at once, until it fits; what is too much by the minute is an error as any other.
func TestAListThatIsTooMuchIsSplitAtOnce(t *testing.T) {
	r := answered()
	q := takenOf(r)
	whole := q.To.Sub(q.From)
	for fits, want := range map[time.Duration]int{whole: 1, whole / 4: 2 + 4, time.Second: 5} {
		var asked []string
		gives := slow(nil, whole, 100, &asked)
		each := func(ctx context.Context, question evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
			if q := question.(evidence.Taken); q.To.Sub(q.From) > fits {
				asked = append(asked, "")
				return evidence.Answer{}, fmt.Errorf("it ended: %w", evidence.ErrTooMuch)
			}
			return gives(ctx, question, do)
		}
		s := &shelf{files: map[string][][]byte{}}
		_, err := Keep(t.Context(), t.Context(), s, r, Sources{each, still, blind})
		m := s.manifest(t)
		if len(asked) != want || (err == nil) != (fits > time.Second) || err != nil && !errors.Is(err, evidence.ErrTooMuch) || err == nil && (m.Taken.Split != (fits < whole) || m.Taken.Reads != 40 || m.ListDue || len(m.Missing) != 1) {
			t.Errorf("where %s fit: %v, asked %d times, %+v, %+v", fits, err, len(asked), m, m.Taken)
		}
	}
}

// A part that began to give rows is gone on with as it is, and one of a minute is not halved.
func TestWhatIsNotSplit(t *testing.T) {
	s, r := &shelf{files: map[string][][]byte{}}, answered()
	q := takenOf(r)
	all := []evidence.Row{row("a"), row("b"), row("c")}
	asking, over := context.WithCancel(t.Context())
	Keep(t.Context(), asking, s, r, Sources{until(over, all, 2), still, blind})
	for range 2 { // nothing more comes in time
		asking, over = context.WithCancel(t.Context())
		Keep(t.Context(), asking, s, r, Sources{until(over, all, 1), still, blind})
		if m := s.manifest(t); m.ListStep != 0 || m.Taken.Split || len(m.Taken.After) == 0 || m.Taken.Rows != 2 || !m.ListDue {
			t.Errorf("%+v, %+v", m, m.Taken)
		}
	}
	m := Manifest{}
	for range 20 {
		part := q
		part.To = m.partEnd(q.From, q)
		m.halve(part)
	}
	if step := time.Duration(m.ListStep) * time.Second; step < leastPart || step >= 2*leastPart {
		t.Errorf("the shortest part has %s", step)
	}
}
