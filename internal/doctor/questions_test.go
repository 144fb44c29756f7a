package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/evidence"
)

// Every question that there is is asked, but for those that only a laptop asks; a new one has to be here too.
func TestEveryQuestionIsAsked(t *testing.T) {
	files, err := filepath.Glob("../evidence/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^func \(\w+\) Name\(\) string +{ return "([a-z]+)" }`).FindAllStringSubmatch(string(text), -1) {
			want[m[1]] = true
		}
	}
	delete(want, "minutes")
	got := map[string]bool{}
	for _, q := range Asked(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)) {
		got[q.Name()] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" || len(got) < 6 {
		t.Errorf("want -, asked +:\n%s", diff)
	}
}

// No question of the daily run looks at a day before the one that it is about: that day has no records, and its partition no files.
func TestTheDailyQuestionsAreAboutADayWithoutRecords(t *testing.T) {
	at := time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)
	for _, q := range Asked(at) {
		dated := 0
		for _, m := range regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}`).FindAllString(q.SQL(evidence.Schema{}), -1) {
			if dated++; m < "2026-03-05" {
				t.Errorf("%s is about %s", q.Name(), m)
			}
		}
		if dated < 2 {
			t.Errorf("%s names no days", q.Name())
		}
	}
}

// engine answers as the test says.
type engine func(evidence.Question) (evidence.Answer, error)

func (e engine) Ask(_ context.Context, q evidence.Question) (evidence.Answer, error) { return e(q) }

func TestWhatAnEngineRefusesIsToldInItsWords(t *testing.T) {
	takes := engine(func(evidence.Question) (evidence.Answer, error) {
		return evidence.Answer{Engine: "athena", Scanned: 1 << 20}, nil
	})
	refuses := func(name string, err error) engine {
		return func(q evidence.Question) (evidence.Answer, error) {
			if q.Name() == name {
				return evidence.Answer{}, err
			}
			return evidence.Answer{Engine: "cloudtrail-lake"}, nil
		}
	}
	busy := fmt.Errorf("ten others: %w", evidence.ErrBusy)
	for says, c := range map[string]struct {
		engines []evidence.Trail
		state   State
		found   int
	}{
		"athena takes 14 questions (14.0 MiB scanned)":                             {[]evidence.Trail{takes}, Holds, 0},
		"cloudtrail-lake does not take the question usage: SYNTAX_ERROR: line 1:8": {[]evidence.Trail{refuses("usage", errors.New("SYNTAX_ERROR: line 1:8")), takes}, Broken, 1},
		"athena takes 14 questions (14.0 MiB scanned)the second engine takes no question: no table": {[]evidence.Trail{takes, engine(func(evidence.Question) (evidence.Answer, error) {
			return evidence.Answer{}, errors.New("no table")
		})}, Broken, 1},
		"the first engine does not take the question bytes: no":                        {[]evidence.Trail{refuses("bytes", errors.New("no"))}, Broken, 1},
		"the question since to cloudtrail-lake: ten others: no query slot was free":    {[]evidence.Trail{refuses("since", busy)}, Unread, 0},
		"there is no engine to ask; deploy again, with a trail or an event data store": {nil, Unread, 0},
	} {
		a := Questions(c.engines, time.Now()).Run(t.Context())
		text := a.Says
		for _, f := range a.Found {
			text += f.Says
		}
		if a.checked().State != c.state || len(a.Found) != c.found || !strings.Contains(text, says) {
			t.Errorf("want %q, got %+v", says, a)
		}
	}
}
