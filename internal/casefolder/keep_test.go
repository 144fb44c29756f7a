package casefolder

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/posture"
)

// shelf keeps each version in memory, and fails as it is told.
type shelf struct {
	files  map[string][][]byte
	writes int
	fails  string // the name of a file that is not written
}

func (s *shelf) Put(_ context.Context, name string, fill func(io.Writer) error) (string, error) {
	var b bytes.Buffer
	if err := fill(&b); err != nil {
		return "", err
	}
	if name == s.fails {
		return "", errors.New("the bucket is full")
	}
	s.writes++
	s.files[name] = append(s.files[name], b.Bytes())
	return fmt.Sprintf("v%d", len(s.files[name])), nil
}

func (s *shelf) Get(_ context.Context, name string) ([]byte, string, error) {
	all := s.files[name]
	if len(all) == 0 {
		return nil, "", nil
	}
	return all[len(all)-1], fmt.Sprintf("v%d", len(all)), nil
}

// manifest is the newest, and each file that it names is held against it.
func (s *shelf) manifest(t *testing.T) (m Manifest) {
	t.Helper()
	text, _, _ := s.Get(t.Context(), manifestName)
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, f := range m.Files {
		var n int
		fmt.Sscanf(f.Version, "v%d", &n)
		if of := s.files[f.Name]; n < 1 || n > len(of) || digest(of[n-1]) != f.SHA256 || int64(len(of[n-1])) != f.Bytes {
			t.Errorf("%s is not as the manifest says: %+v", f.Name, f)
		}
	}
	return m
}

// keeps keeps a record, and returns the manifest and how many files were written.
func (s *shelf) keeps(t *testing.T, r incident.Record, each Each) (Manifest, int) {
	t.Helper()
	before := s.writes
	wrote, err := Keep(t.Context(), t.Context(), s, r, Sources{each, still, blind})
	if n := s.writes - before; err != nil || wrote != (n > 0) {
		t.Fatalf("wrote %t, %d files, %v", wrote, n, err)
	}
	return s.manifest(t), s.writes - before
}

// blind looks at nothing.
func blind(context.Context, incident.Record) []posture.Suspect { return nil }

// still draws minutes in which nothing moved.
func still(context.Context, incident.Record) ([]evidence.Slot, error) { return nil, nil }

// answered is theft, told.
func answered() incident.Record {
	r := theft()
	r.Notified = []incident.Notice{{Kind: incident.Page, Tries: 1}, {Kind: incident.Answer, Tries: 1}}
	return r
}

func TestEachStageIsKeptOnce(t *testing.T) {
	asked := 0
	each := func(ctx context.Context, q evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
		asked++
		return engine([]evidence.Row{row("a")}, "a file is lost")(ctx, q, do)
	}
	s := &shelf{files: map[string][][]byte{}}
	r := theft()
	for _, notices := range [][]incident.Notice{nil, {{Kind: incident.Page, Tries: 1}}, {{Kind: incident.Answer}}} {
		r.Notified = notices
		if wrote, err := Keep(t.Context(), t.Context(), s, r, Sources{each, still, blind}); wrote || err != nil {
			t.Errorf("of %v: wrote %t, %v", notices, wrote, err)
		}
	}
	r = answered()
	first, n := s.keeps(t, r, each)
	equal(t, []any{n, asked, first.Version, first.Stage.Name, first.Before, len(first.Files), first.Missing}, []any{6, 1, 1, Answered, (*Before)(nil), 5, []string{"a file is lost"}})
	r.Version, r.Enriched, r.Writer = 7, true, rand() // no stage
	_, n = s.keeps(t, r, each)
	equal(t, []int{n, asked}, []int{0, 1})

	r.Outcomes[0].State = containment.Intended // as it is about to be done again
	_, n = s.keeps(t, r, each)
	equal(t, n, 0)
	r.Outcomes[0].State, r.Outcomes[0].At = containment.Undone, noon.Add(20*time.Minute)
	undone, n := s.keeps(t, r, each)
	text, _ := first.text()
	equal(t, []any{n, asked, undone.Version, undone.Stage.Name, *undone.Before}, []any{5, 1, 2, Answered, Before{Version: "v1", SHA256: digest(text)}})
	equal(t, []any{undone.Files[4], undone.Taken, undone.Missing}, []any{first.Files[4], first.Taken, first.Missing})
	equal(t, undone.Files[0].Version, "v2")

	r.FollowUps = []incident.FollowUp{{At: noon}}
	followed, n := s.keeps(t, r, each)
	equal(t, []any{n, asked, followed.Stage.Name}, []any{5, 1, FollowedUp})
	r.Closed = noon.Add(time.Hour)
	closed, n := s.keeps(t, r, each)
	equal(t, []any{n, asked, closed.Stage.Name, closed.Version, closed.Files[4].Version}, []any{6, 2, Closed, 4, "v2"})
	_, n = s.keeps(t, r, each)
	equal(t, n, 0)
}

// The suspects are gone through once a stage, and stand on the page and in a file of their own, whatever somebody called them.
func TestTheSuspectsAreKept(t *testing.T) {
	const hostile = "<script>alert(1)</script>\u202e"
	looked := 0
	look := func(_ context.Context, r incident.Record) []posture.Suspect {
		looked++
		return []posture.Suspect{{Name: "a key of it is old", Of: hostile, Answer: posture.Unread, Says: "refused by " + hostile}, {Name: "no boundary holds it", Of: r.Alarm.Buckets[0], Answer: posture.Stands, Says: "it has none", Next: "consider one"}}
	}
	s, r, each := &shelf{files: map[string][][]byte{}}, answered(), engine([]evidence.Row{row("a")})
	for range 2 {
		if _, err := Keep(t.Context(), t.Context(), s, r, Sources{each, still, look}); err != nil {
			t.Fatal(err)
		}
	}
	m := s.manifest(t)
	equal(t, []any{looked, len(m.Files), m.Files[4].Name, m.Files[5].Name, len(s.files["suspects.json"])}, []any{1, 6, "suspects.json", listName, 1})
	page, text := string(s.files["page.html"][0]), string(s.files["suspects.json"][0])
	if !strings.Contains(page, "no boundary holds it") || !strings.Contains(page, "consider one") || strings.Contains(page, "<script>alert") || strings.Contains(page, "\u202e") {
		t.Errorf("the page is %s", page)
	}
	if !strings.Contains(text, `"schema": "nightlatch.suspects/1"`) || !strings.Contains(text, `"answer": "could not be read"`) || strings.Contains(text, "<script>") {
		t.Errorf("the suspects are %s", text)
	}
}

// The minutes are asked for once, and again when there is more to draw and at the close. They stand on the page of each stage, and in a file of their own.
func TestTheMinutesAreDrawn(t *testing.T) {
	drawn, busy := 0, error(nil)
	draw := func(_ context.Context, r incident.Record) ([]evidence.Slot, error) {
		drawn++
		return []evidence.Slot{{Start: r.Alarm.From, Bytes: 7 << 20, ByKey: map[string]int64{key: 5 << 20}}}, busy
	}
	s, r := &shelf{files: map[string][][]byte{}}, answered()
	r.Evidence.Actors[0].Bytes = 5 << 20
	keep := func(want int) Manifest {
		t.Helper()
		if _, err := Keep(t.Context(), t.Context(), s, r, Sources{engine([]evidence.Row{row("a")}), draw, blind}); err != nil {
			t.Fatal(err)
		}
		page := string(s.files["page.html"][len(s.files["page.html"])-1])
		if equal(t, drawn, want); strings.Contains(page, "<h2>Bytes by minute</h2>") != (busy == nil) || busy == nil && !strings.Contains(page, "5.00 MiB, "+key) {
			t.Errorf("after %d the picture is not as it should be", drawn)
		}
		return s.manifest(t)
	}
	m := keep(1)
	equal(t, m.Files[3].Name, minutesName)
	var is minutes
	if err := json.Unmarshal(s.files[minutesName][0], &is); err != nil || is.Schema != MinutesSchema || is.Step != 60 || is.Keys[0] != key || len(is.Parts) != 1 || is.Parts[0].ByKey[key] != 5<<20 {
		t.Errorf("%v: %s", err, s.files[minutesName][0])
	}
	r.FollowUps = []incident.FollowUp{{At: noon.Add(15 * time.Minute)}}
	keep(1)
	r.Outcomes[0].State, r.Outcomes[0].At = containment.Done, noon.Add(50*time.Minute) // so that there is more to draw
	keep(2)
	// Where the trail cannot be asked, there is a page without them, and the manifest says so until there are some.
	busy, r.Outcomes[0].At = errors.New("ten others\nare asking"), noon.Add(55*time.Minute)
	m = keep(3)
	equal(t, []any{len(m.Files), m.Missing, m.ListDue}, []any{4, []string{`the picture of the minutes: ten others\nare asking`}, false})
	busy, r.FollowUps = nil, append(r.FollowUps, r.FollowUps[0])
	m = keep(4)
	equal(t, []any{len(m.Files), m.Missing}, []any{5, []string{}})
	s.files[minutesName] = append(s.files[minutesName], []byte("<script>")) // which nobody but the function can
	r.FollowUps = append(r.FollowUps, r.FollowUps[0])
	keep(5)
	r.Closed = noon.Add(time.Hour)
	keep(6)
}

// What is closed without an answer, as what was merged is, is kept when it is closed.
func TestWhatIsOnlyClosedIsKept(t *testing.T) {
	s, r := &shelf{files: map[string][][]byte{}}, theft()
	r.MergedInto, r.Closed = "20260304-120000-0012", noon.Add(time.Hour)
	m, n := s.keeps(t, r, engine([]evidence.Row{row("a")}))
	equal(t, []any{n, m.Stage.Name}, []any{6, Closed})
}

// An alarm that anybody can make up is worth no question: of nobody's step, until one is.
func TestAnAlarmThatNobodyConfirmsIsNotAskedAbout(t *testing.T) {
	asked := 0
	each := func(ctx context.Context, q evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
		asked++
		return engine([]evidence.Row{row("a")})(ctx, q, do)
	}
	s, r := &shelf{files: map[string][][]byte{}}, answered()
	steps := r.Outcomes
	r.Outcomes = r.Outcomes[1:] // which is skipped
	m, n := s.keeps(t, r, each)
	equal(t, []any{n, asked, len(m.Files), m.ListDue, len(m.Missing)}, []any{4, 0, 3, false, 1})
	if !strings.HasPrefix(m.Missing[0], "the list of what was taken: CloudWatch does not confirm the alarm") {
		t.Error(m.Missing)
	}
	confirmed := r
	confirmed.Alarm.Confirmed = true
	if _, n := (&shelf{files: map[string][][]byte{}}).keeps(t, confirmed, each); n != 6 || asked != 1 {
		t.Errorf("a confirmed one: %d files, asked %d times", n, asked)
	}
	r.Outcomes = steps
	m, n = s.keeps(t, r, each)
	equal(t, []any{n, asked, len(m.Files), m.Missing}, []any{6, 2, 5, []string{}})
}

// A trail that cannot be asked leaves all else, and is asked again.
func TestATrailThatCannotBeAskedIsAskedAgain(t *testing.T) {
	busy := errors.New("ten others are asking\n")
	refuses := func(context.Context, evidence.Question, func(evidence.Row) error) (evidence.Answer, error) {
		return evidence.Answer{}, busy
	}
	s, r := &shelf{files: map[string][][]byte{}}, answered()
	if wrote, err := Keep(t.Context(), t.Context(), s, r, Sources{refuses, still, blind}); !wrote || !errors.Is(err, busy) {
		t.Errorf("wrote %t, %v", wrote, err)
	}
	m := s.manifest(t)
	equal(t, []any{len(m.Files), m.Taken, m.ListDue, m.Missing}, []any{4, (*Taken)(nil), true, []string{`the list of what was taken: ten others are asking\n`}})
	m, n := s.keeps(t, r, engine([]evidence.Row{row("a")}))
	equal(t, []any{n, len(m.Files), m.ListDue, m.Missing, m.Version}, []any{6, 5, false, []string{}, 2})

	// When it is closed, the earlier list stands beside what is missing.
	r.Closed = noon.Add(time.Hour)
	if _, err := Keep(t.Context(), t.Context(), s, r, Sources{refuses, still, blind}); !errors.Is(err, busy) {
		t.Error(err)
	}
	m = s.manifest(t)
	equal(t, []any{len(m.Files), m.Files[4].Version, m.ListDue, len(m.Missing), m.Taken.Rows}, []any{5, "v1", true, 2, int64(1)})
	if m.Missing[1] != "what came since: the list that is here is of an earlier stage" {
		t.Error(m.Missing)
	}
}

// until gives the rows of an answer up to one, when the time for asking ends. It gives what is behind q.After and one before it, as engines may.
func until(over func(), all []evidence.Row, n int) Each {
	return func(ctx context.Context, question evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
		q := question.(evidence.Taken)
		from := max(0, slices.IndexFunc(all, func(r evidence.Row) bool { return !q.Known(q.Place(r)) })-1)
		for i, r := range all[from:] {
			if from+i == n {
				over()
				return evidence.Answer{}, fmt.Errorf("the time ended while reading: %w", ctx.Err())
			}
			if err := do(r); err != nil {
				return evidence.Answer{}, err
			}
		}
		return evidence.Answer{Lost: []string{"a file is lost"}}, nil
	}
}

// The time for asking ends among the rows, again and again: each time the list goes on where it was, until it is whole. It is the same rows as of a
// list that was never cut off, and the same sums: an object on the border counts once.
func TestAListThatIsCutOffGoesOn(t *testing.T) {
	var all []evidence.Row
	for _, key := range []string{"a", "b\r\n'; drop", "b\u202e", "c\xff", "d"} {
		for _, changes := range [][]string{{"name", "CopyObject"}, nil, {"network", "198.51.100"}, {"version", "1"}, {"version", "1", "name", "UploadPartCopy"}} {
			all = append(all, row(key, changes...))
		}
	}
	once := &shelf{files: map[string][][]byte{}}
	r := answered()
	want, _ := once.keeps(t, r, engine(all, "a file is lost"))
	wanted := parts(t, once, want)
	for cuts := range len(all) {
		s, cut := &shelf{files: map[string][][]byte{}}, 0
		for n := cuts + 1; n < len(all); n += cuts + 1 {
			cut++
			asking, over := context.WithCancel(t.Context())
			_, err := Keep(t.Context(), asking, s, r, Sources{until(over, all, n), still, blind})
			m := s.manifest(t)
			rest := m.Missing[len(m.Missing)-1]
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has %d row", n)) || !m.ListDue || !m.Taken.Cut || m.Taken.Rows != int64(n) || len(m.Missing) != 1 || !strings.HasPrefix(rest, fmt.Sprintf("the rest of the list of what was taken: the time ran out after %d row", n)) || strings.ContainsAny(rest, "\n\u202e") {
				t.Fatalf("%v, %+v", err, m)
			}
		}
		m, _ := s.keeps(t, r, until(nil, all, -1))
		equal(t, []any{m.ListDue, m.Taken.Cut, m.Taken.Sums, m.Missing, len(m.Taken.Parts), m.Taken.After}, []any{false, false, want.Taken.Sums, want.Missing, min(cut*(cut+1), cut+1), [][]byte(nil)})
		equal(t, parts(t, s, m), wanted)
		for name, versions := range s.files {
			if strings.HasPrefix(name, "taken") && len(versions) != 1 {
				t.Errorf("%s was written %d times", name, len(versions))
			}
		}
		if _, n := s.keeps(t, r, engine(all)); n != 0 {
			t.Errorf("%d files were written again", n)
		}
	}
}

// parts are the rows of a list, of all its files.
func parts(t *testing.T, s *shelf, m Manifest) (rows [][]string) {
	t.Helper()
	for i, f := range m.lists() {
		var n int
		fmt.Sscanf(f.Version, "v%d", &n)
		if len(m.Taken.Parts) > 0 && m.Taken.Parts[i] != f.Name || len(m.Taken.Parts) == 0 && f.Name != listName {
			t.Errorf("part %d is %s: %q", i, f.Name, m.Taken.Parts)
		}
		zip, err := gzip.NewReader(bytes.NewReader(s.files[f.Name][n-1]))
		if err != nil {
			t.Fatal(err)
		}
		all, err := csv.NewReader(zip).ReadAll()
		if err != nil || int64(len(all)) != *f.Rows+1 || all[0][0] != "bucket" {
			t.Fatalf("%s: %d rows, %v", f.Name, len(all), err)
		}
		rows = append(rows, all[1:]...)
	}
	return rows
}

// A list that is begun goes on with the same question alone, and stays beside what is missing where the trail cannot be asked.
func TestWhatAListDoesNotGoOnWith(t *testing.T) {
	all := []evidence.Row{row("a"), row("b"), row("c")}
	begun := func() (*shelf, incident.Record) {
		s, r := &shelf{files: map[string][][]byte{}}, answered()
		asking, over := context.WithCancel(t.Context())
		if _, err := Keep(t.Context(), asking, s, r, Sources{until(over, all, 2), still, blind}); err == nil {
			t.Fatal("it is not cut off")
		}
		return s, r
	}
	busy := errors.New("ten others are asking")
	refuses := func(context.Context, evidence.Question, func(evidence.Row) error) (evidence.Answer, error) {
		return evidence.Answer{}, busy
	}
	const rest = "the rest of the list of what was taken"
	begins := func(m Manifest) (all []string) {
		for _, what := range m.Missing {
			what, _, _ = strings.Cut(what, ":")
			all = append(all, what)
		}
		return all
	}
	t.Run("a trail that cannot be asked", func(t *testing.T) {
		s, r := begun()
		for range 2 {
			if _, err := Keep(t.Context(), t.Context(), s, r, Sources{refuses, still, blind}); !errors.Is(err, busy) {
				t.Error(err)
			}
			m := s.manifest(t)
			equal(t, []any{begins(m), m.ListDue, m.Taken.Cut, m.Taken.Rows, len(m.lists())}, []any{[]string{"the list of what was taken", rest}, true, true, int64(2), 1})
		}
		m, _ := s.keeps(t, r, until(nil, all, -1))
		equal(t, []any{m.Missing, m.Taken.Rows, m.Taken.Parts}, []any{[]string{"a file is lost"}, int64(3), []string{listName, "taken.2.csv.gz"}})
	})
	t.Run("another stage with the same question", func(t *testing.T) {
		s, r := begun()
		r.FollowUps = []incident.FollowUp{{At: noon}}
		m, _ := s.keeps(t, r, until(nil, all, -1))
		equal(t, []any{m.Taken.Rows, len(m.lists()), len(s.files[listName])}, []any{int64(3), 2, 1})
	})
	t.Run("another question", func(t *testing.T) {
		s, r := begun()
		r.Outcomes[1].State = containment.Done
		m, _ := s.keeps(t, r, until(nil, all, -1))
		equal(t, []any{m.Taken.Rows, len(m.lists()), len(s.files[listName]), m.Taken.Parts}, []any{int64(3), 1, 2, []string(nil)})
	})
	t.Run("the close", func(t *testing.T) {
		s, r := begun()
		r.Closed = noon.Add(time.Hour)
		for range 2 {
			if _, err := Keep(t.Context(), t.Context(), s, r, Sources{refuses, still, blind}); !errors.Is(err, busy) {
				t.Error(err)
			}
			m := s.manifest(t)
			equal(t, []any{begins(m), m.ListDue, m.Taken.Rows}, []any{[]string{"the list of what was taken", rest, "what came since"}, true, int64(2)})
		}
		m, _ := s.keeps(t, r, until(nil, all, -1))
		equal(t, []any{m.Missing, m.Taken.Rows, len(m.lists()), len(s.files[listName])}, []any{[]string{"a file is lost"}, int64(3), 1, 2})
	})
	t.Run("a manifest of somebody's", func(t *testing.T) {
		s, r := begun()
		m := s.manifest(t)
		m.Taken.After = m.Taken.After[:2]
		text, _ := m.text()
		s.files[manifestName] = append(s.files[manifestName], text)
		m, _ = s.keeps(t, r, until(nil, all, -1))
		equal(t, []any{m.Taken.Rows, len(m.lists()), len(s.files[listName])}, []any{int64(3), 1, 2})
	})
	t.Run("before the first row", func(t *testing.T) {
		s, r := &shelf{files: map[string][][]byte{}}, answered()
		asking, over := context.WithCancel(t.Context())
		_, err := Keep(t.Context(), asking, s, r, Sources{until(over, all, 0), still, blind})
		if m := s.manifest(t); !errors.Is(err, context.Canceled) || m.Taken != nil || !m.ListDue {
			t.Errorf("%v, %+v", err, m)
		}
	})
}

func TestWhatIsNotOursStopsIt(t *testing.T) {
	ask := engine([]evidence.Row{row("a")})
	for name, c := range map[string]struct {
		spoil func(*shelf, *incident.Record)
		want  string
	}{
		"another's manifest": {func(s *shelf, _ *incident.Record) {
			s.files[manifestName] = [][]byte{[]byte(`{"schema":"nightlatch.case/1","incident":"20260304-120000-0012","stage":{}}`)}
		}, "is no manifest of this incident"},
		"no manifest":                {func(s *shelf, _ *incident.Record) { s.files[manifestName] = [][]byte{[]byte("<script>")} }, "is no manifest of this incident"},
		"a name of a path":           {func(_ *shelf, r *incident.Record) { r.ID = "../x" }, "cannot be the name of a folder"},
		"a list that is not written": {func(s *shelf, _ *incident.Record) { s.fails = listName }, "the bucket is full"},
		"no manifest is written":     {func(s *shelf, _ *incident.Record) { s.fails = manifestName }, "the bucket is full"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := &shelf{files: map[string][][]byte{}}, answered()
			c.spoil(s, &r)
			if _, err := Keep(t.Context(), t.Context(), s, r, Sources{ask, still, blind}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			if n := len(s.files[manifestName]); n > 1 {
				t.Errorf("%d manifests", n)
			}
		})
	}
}

func TestStages(t *testing.T) {
	r := answered()
	first := StageOf(r)
	for name, change := range map[string]func(*incident.Record){
		"a step's state": func(r *incident.Record) { r.Outcomes[0].State = containment.Drifted },
		"a step's time":  func(r *incident.Record) { r.Outcomes[0].At = noon },
		"one more step":  func(r *incident.Record) { r.Outcomes = append(r.Outcomes, r.Outcomes[0]) },
		"a follow-up":    func(r *incident.Record) { r.FollowUps = []incident.FollowUp{{At: noon}} },
		"its close":      func(r *incident.Record) { r.Closed = noon },
	} {
		r := answered()
		if change(&r); StageOf(r) == first || StageOf(r) == (Stage{}) {
			t.Errorf("%s is no other stage: %+v", name, StageOf(r))
		}
	}
	for name, change := range map[string]func(*incident.Record){
		"a line of the log": func(r *incident.Record) { r.Note(noon, "x") },
		"another message": func(r *incident.Record) {
			r.Notified = append(r.Notified, incident.Notice{Kind: incident.Reminder, Tries: 1})
		},
	} {
		if change(&r); StageOf(r) != first {
			t.Errorf("%s is another stage: %+v", name, StageOf(r))
		}
	}
	equal(t, first.Name, Answered)
}
