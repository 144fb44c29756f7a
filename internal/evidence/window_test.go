package evidence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// store is a table's name as Lake has them.
var store = Schema{Table: "0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"}

const margin = 5 * time.Minute

// at is a window of one minute, so long after noon.
func at(id string, after time.Duration, buckets ...string) Window {
	return Window{ID: id, Buckets: buckets, From: noon.Add(after), To: noon.Add(after + time.Minute)}
}

// long is a bucket's name of n characters, the i-th.
func long(i, n int) string { return fmt.Sprintf("b%04d%s", i, strings.Repeat("x", n-5)) }

// alarms are n windows of one bucket each, with names of so many characters.
func alarms(n, name int, when func(i int) time.Duration) Bytes {
	q := Bytes{Margin: margin}
	for i := range n {
		q.Windows = append(q.Windows, at(fmt.Sprintf("20260304-120000-%016x", i), when(i), long(i, name)))
	}
	return q
}

func sameMinute(int) time.Duration { return 0 }

// ids lists, question by question, the windows' ids.
func ids(batches []Bytes) [][]string {
	var all [][]string
	for _, b := range batches {
		var one []string
		for _, w := range b.Windows {
			one = append(one, w.ID)
		}
		all = append(all, one)
	}
	return all
}

func TestBatchesFitLake(t *testing.T) {
	apart := func(i int) time.Duration { return time.Duration(i%60) * time.Minute }
	for name, q := range map[string]Bytes{
		"1,000 alarms of a minute, names of 20":             alarms(1000, 20, sameMinute),
		"1,000 alarms of a minute, names of 63":             alarms(1000, 63, sameMinute),
		"1,000 alarms of 60 different minutes, names of 20": alarms(1000, 20, apart),
		"1,000 alarms of 60 different minutes, names of 63": alarms(1000, 63, apart),
		"1,000 windows that begin each at another second":   alarms(1000, 20, func(i int) time.Duration { return time.Duration(i) * time.Second }),
	} {
		batches := q.Batches()
		most, longest := 0, 0
		for i, b := range batches {
			n := len([]rune(b.SQL(store)))
			if n > MaxStatement {
				t.Errorf("%s: question %d has %d characters", name, i, n)
			}
			most, longest = max(most, len(b.Windows)), max(longest, n)
		}
		t.Logf("%s: %d questions, at most %d windows in one, at most %d characters", name, len(batches), most, longest)
		if longest < MaxStatement-300 {
			t.Errorf("%s: the longest has %d characters: there is room left", name, longest)
		}
		if diff := cmp.Diff(slices.Concat(ids([]Bytes{q})...), slices.Sorted(slices.Values(slices.Concat(ids(batches)...)))); diff != "" {
			t.Errorf("%s: asked for (-) and in the batches (+):\n%s", name, diff)
		}
	}
}

func TestWindowsFarApartAreAskedApart(t *testing.T) {
	day := func(id string, after time.Duration) Window {
		return Window{ID: id, Buckets: []string{"exports"}, From: noon.Add(after), To: noon.Add(after + 24*time.Hour)}
	}
	for name, c := range map[string]struct {
		windows []Window
		want    [][]string
	}{
		"nothing is asked":                         {nil, nil},
		"68 minutes apart":                         {[]Window{at("a", 0, "exports"), at("b", 68*time.Minute, "exports")}, [][]string{{"a", "b"}}},
		"a second more":                            {[]Window{at("a", 0, "exports"), at("b", 68*time.Minute+time.Second, "exports")}, [][]string{{"a"}, {"b"}}},
		"the later one first":                      {[]Window{at("b", 68*time.Minute+time.Second, "exports"), at("a", 0, "exports")}, [][]string{{"b"}, {"a"}}},
		"a chain does not grow":                    {[]Window{at("a", 0, "exports"), at("b", 40*time.Minute, "exports"), at("c", 85*time.Minute, "exports")}, [][]string{{"a", "b"}, {"c"}}},
		"one joins the first that it fits":         {[]Window{at("a", 0, "exports"), at("b", 9*time.Hour, "exports"), at("c", time.Minute, "exports")}, [][]string{{"a", "c"}, {"b"}}},
		"a minute does not wait for a day":         {[]Window{at("a", time.Hour, "exports"), day("b", 0)}, [][]string{{"a"}, {"b"}}},
		"nor where the day came first":             {[]Window{day("b", 0), at("a", time.Hour, "exports")}, [][]string{{"b"}, {"a"}}},
		"two days that touch":                      {[]Window{day("a", 0), day("b", 24*time.Hour)}, [][]string{{"a", "b"}}},
		"days that overlap do not add up":          {[]Window{day("a", 0), day("b", 12*time.Hour), day("c", 26*time.Hour), day("d", 27*time.Hour)}, [][]string{{"a", "b"}, {"c", "d"}}},
		"a window that begins before all is still": {[]Window{at("a", 0, "exports"), at("b", -time.Hour, "exports")}, [][]string{{"a", "b"}}},
	} {
		if diff := cmp.Diff(c.want, ids(Bytes{c.windows, margin}.Batches())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Of random windows, none is lost, the first are asked first, and for none is much more scanned than it needs.
func TestBatchesOfAnyWindows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		q := Bytes{Margin: margin}
		for i := range rnd.IntN(300) {
			w := at(fmt.Sprintf("%04d", i), time.Duration(rnd.IntN(1+rnd.IntN(100_000)))*time.Second)
			w.To = w.From.Add(time.Duration(rnd.IntN(1+rnd.IntN(86400))) * time.Second)
			for range rnd.IntN(11) {
				w.Buckets = append(w.Buckets, long(rnd.IntN(500), 5+rnd.IntN(59)))
			}
			q.Windows = append(q.Windows, w)
		}
		batches := q.Batches()
		first := ""
		for i, b := range batches {
			if n := len(b.SQL(store)); n > MaxStatement {
				t.Fatalf("question %d has %d characters", i, n)
			}
			if b.Margin != q.Margin || b.Windows[0].ID <= first {
				t.Fatalf("question %d begins with window %q after %q", i, b.Windows[0].ID, first)
			}
			first = b.Windows[0].ID
			from, to := b.hull()
			for j, w := range b.Windows {
				alone := w.To.Sub(w.From) + Edge + LastHour + margin
				if scanned := to.Sub(from); scanned > alone+max(alone, time.Hour) || from.After(w.From.Add(-Edge-LastHour)) || to.Before(w.To.Add(margin)) {
					t.Fatalf("%s to %s is scanned for %s to %s", from, to, w.From, w.To)
				}
				if j > 0 && b.Windows[j-1].ID >= w.ID {
					t.Fatal("the order of the windows has changed")
				}
			}
		}
		all := slices.Concat(ids(batches)...)
		if slices.Sort(all); !slices.Equal(all, slices.Concat(ids([]Bytes{q})...)) {
			t.Fatalf("%d windows were asked for, and %d are", len(q.Windows), len(all))
		}
	}
}

func TestAWindowThatIsTooLongIsAskedAlone(t *testing.T) {
	huge := at("huge", 0)
	for i := range 300 {
		huge.Buckets = append(huge.Buckets, long(i, 63))
	}
	q := Bytes{[]Window{at("a", 0, "exports"), huge, at("b", 0, "images")}, margin}
	if diff := cmp.Diff([][]string{{"a", "b"}, {"huge"}}, ids(q.Batches())); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestNumbers(t *testing.T) {
	q := Bytes{[]Window{at("a", 0, "exports"), at("b", time.Second, "exports"), at("c", 0, "images", "exports"), at("d", 0, "exports", "exports"),
		at("e", 0, "exports", "images"), at("f", time.Second), at("g", time.Second, hostile, "x y", "x/y", "")}, margin}
	want := map[string]int64{"a": 1, "d": 1, "c": 2, "e": 2, "b": 3, "f": 4, "g": 4}
	if diff := cmp.Diff(want, q.Numbers()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got, want := q.values(), "(0,3720,3780,'exports exports/images'),(2,3721,3781,'exports ')"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What names a bucket in a window is a bucket's name, whatever the window says.
func FuzzWindowNames(f *testing.F) {
	for _, s := range []string{"", "exports", "x' OR 1=1 --", "a b", "a/b", "a\nb", "''", "exports\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		values := Bytes{[]Window{at("a", 0, s, "exports"), at("b", 0, "images", s)}, margin}.values()
		value, rest, ok := literal(strings.TrimPrefix(values, "(0,3720,3780,"))
		lists := strings.Split(value, " ")
		if !ok || rest != ")" || len(lists) != 2 || !slices.Contains(strings.Split(lists[0], "/"), "exports") || !slices.Contains(strings.Split(lists[1], "/"), "images") {
			t.Errorf("%q is %s", s, values)
		}
		for _, id := range uniqueIDs([]string{s}) {
			if strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
				t.Errorf("%q is asked for", id)
			}
		}
	})
}

func TestReadBytesOfSeveralWindows(t *testing.T) {
	in := func(window string, rows ...Row) []Row {
		for _, r := range rows {
			r["window_no"] = window
		}
		return rows
	}
	q := Bytes{[]Window{at("a", 0, "exports"), at("b", 0, "images"), at("nobody", 0, "quiet"), at("a too", 0, "exports")}, margin}
	eve := []Row{row("all", ""), row("actor", "EVE000"), row("call", "EVE000", "name", "GetObject")}
	got, err := ReadBytes(slices.Concat(in("2", eve...), in("1", answer()...)), q, ours)
	if err != nil {
		t.Fatal(err)
	}
	alone, _ := readOne(answer())
	nothing, _ := readOne(nil)
	if len(got) != 4 || got["a"].Digest != alone.Digest || got["a too"].Digest != alone.Digest || got["b"].Actors[0].UserName != "EVE000" || nothing.Digest == "" {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(Tally{Digest: nothing.Digest}, got["nobody"]); diff != "" {
		t.Errorf("a window without rows (-want +got):\n%s", diff)
	}
	got["a"].Actors[0].Calls["GetObject"] = 99
	if got["a too"].Actors[0].Calls["GetObject"] != 3 {
		t.Error("two windows share what they hold")
	}
	same := Bytes{[]Window{at("a", 0, "exports"), at("a", 0, "images")}, margin}
	for name, c := range map[string]struct {
		rows []Row
		q    Bytes
	}{
		"a window that was not asked for": {append(answer(), in("4", row("all", ""))...), q},
		"window 0":                        {in("0", answer()...), q},
		"windows of the same id":          {answer(), same},
		"one window's rows are in order, the other's are not": {append(answer(), in("2", row("bucket", "EVE000"))...), q},
		"a detail about another window's actor":               {slices.Concat(answer(), in("2", row("all", ""), row("call", "MARA00")), nil), q},
	} {
		if got, err := ReadBytes(c.rows, c.q, ours); err == nil || got != nil {
			t.Errorf("%s: got %+v, %v, want an error and nothing beside it", name, got, err)
		}
	}
}
