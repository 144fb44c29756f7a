package duck

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"nightlatch/internal/evidence"
)

func TestBrokenFiles(t *testing.T) {
	text := records(events(50)...)
	many := lines(events(50)...)
	zipped, zippedMany := zip(text), zip(many)
	badSum := []byte(zipped)
	badSum[len(badSum)-6] ^= 0xff
	half := strings.Index(text, `event-7"`) + 6 // inside of an id
	cases := []struct {
		name, content string
		events        int64
		want          string
	}{
		{"cut.json", text[:half], 0, fmt.Sprintf("breaks at byte %d (the text ends too early): its records are missing", half)},
		{"cut-list.json", "[" + event("a") + ",", 0, fmt.Sprintf("breaks at byte %d (the text ends too early): its records are missing", len(event("a"))+2)},
		{"cut.json.gz", zip(text[:half]), 0, fmt.Sprintf("breaks at byte %d (the text ends too early): its records are missing", half)},
		{"comma.json", `{"Records":[` + event("a") + " " + event("b") + "]}", 0, fmt.Sprintf("breaks at byte %d (", len(`{"Records":[ `)+len(event("a")))},
		{"inner.json", `{"Records":[` + event("a") + `,{"eventName":nope}]}`, 0, fmt.Sprintf("breaks at byte %d (invalid character 'o'", len(`{"Records":[,{"eventName":n`)+len(event("a")))},
		{"tail.json", text + "garbage", 0, fmt.Sprintf("breaks at byte %d (invalid character 'g'", len(text))},
		{"zeros.json", text + "\x00\x00", 0, fmt.Sprintf("breaks at byte %d (", len(text))},
		{"utf8.json", strings.Replace(text, "event-7\"", "event-\xff\"", 1), 0, fmt.Sprintf("breaks at byte %d (invalid UTF-8)", half)},
		{"marked.json", "\xef\xbb\xbf" + text[:half], 0, fmt.Sprintf("breaks at byte %d (", half+3)},
		{"garbage.json", "\x00\x01\x02 no JSON", 0, "breaks at byte 0 (invalid character"},
		{"prose.json", "Dear analyst,", 0, "breaks at byte 0 (invalid character 'D'"},
		{"utf16.json", "\xff\xfe{\x00", 0, "breaks at byte 0 (invalid character"},
		{"empty.json", "", 0, "is empty: its records are missing"},
		{"empty.json.gz", zip(""), 0, "is empty: its records are missing"},
		{"half.json.gz", zipped[:len(zipped)/2], 0, "breaks in its gzip data, after "},
		{"header.json.gz", "\x1f\x8b", 0, "breaks in its gzip data, after 0 bytes of text (it ends early): its records are missing"},
		{"end.json.gz", zipped[:len(zipped)-8], 0, fmt.Sprintf("breaks in its gzip data, after %d bytes of text (it ends early): its records are missing", len(text))},
		{"sum.json.gz", string(badSum), 0, fmt.Sprintf("breaks in its gzip data, after %d bytes of text (gzip: invalid checksum): its records are missing", len(text))},
		{"records.json", `{"Records":{"eventName":"A"}}`, 0, "breaks at byte 12 (Records is not a list)"},
		{"lines.json", lines(event("a"), event("b"), `{"eventName":`, event("c")), 2, "its records from there on are missing"},
		{"cut-lines.json", lines(event("a"), event("b")) + event("c")[:20], 2, fmt.Sprintf("breaks at byte %d (the text ends too early): its records from there on are missing", len(lines(event("a"), event("b")))+20)},
		{"end-lines.json.gz", zippedMany[:len(zippedMany)-8], 50, fmt.Sprintf("breaks in its gzip data, after %d bytes of text (it ends early): its records from there on are missing", len(many))},
		{"strangers.json", lines(event("a"), `{"hello":1}`, event("b"), `{"hello":2}`), 2, "holds 2 entries that are no CloudTrail records: they were left out"},
		{"strange-list.json", "[" + event("a") + `,{"hello":1},17]`, 1, "holds 2 entries that are no CloudTrail records"},
	}
	together := t.TempDir()
	var sum int64
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "good.json", records(event("good-records")))
			write(t, dir, "good.json.gz", zip(records(event("good-zipped"))))
			write(t, dir, "good-lines.json", lines(event("good-lines"), event("good-line")))
			write(t, dir, "good-list.json", "["+event("good-list")+"]")
			path := write(t, dir, c.name, c.content)
			e := loaded(t, dir)
			got := lost(t, e)
			if len(got) != 1 || !strings.HasPrefix(got[0], fmt.Sprintf("trail file %q ", path)) || !strings.Contains(got[0], c.want) || strings.ContainsAny(got[0], "\n\x00") {
				t.Errorf("lost\n %q, want one sentence with\n %q", got, c.want)
			}
			if e.Events() != 5+c.events {
				t.Errorf("got %d events, want 5 and %d", e.Events(), c.events)
			}
		})
		write(t, together, filepath.Join("all", c.name), c.content)
		sum += c.events
	}
	e := loaded(t, together)
	if got := lost(t, e); len(got) != len(cases) || e.Events() != sum {
		t.Errorf("all in one directory: %d sentences and %d events, want %d and %d", len(got), e.Events(), len(cases), sum)
	}
}

// TestCutAnywhere cuts a file of each form at many bytes: no record may go missing without a word.
func TestCutAnywhere(t *testing.T) {
	const n = 12
	for name, content := range map[string]string{
		"records": records(events(n)...), "list": "[" + strings.Join(events(n), ",") + "]", "lines": lines(events(n)...),
		"zipped records": zip(records(events(n)...)), "zipped lines": zip(lines(events(n)...)),
	} {
		e := open(t, Settings{MemoryMB: 400, Threads: 2})
		dir := t.TempDir()
		for at := 1; at < len(content); at += max(1, len(content)/60) {
			before := e.Events()
			path := write(t, dir, fmt.Sprintf("cut-%05d.json", at), content[:at])
			e.Load(t.Context(), path)
			arrived := e.Events() - before
			var named bool
			for _, l := range lost(t, e) {
				named = named || strings.Contains(l, fmt.Sprintf("%q", path))
			}
			// Lines cut between two records are whole as far as anybody can tell.
			whole := name == "lines" && (content[at-1] == '}' || content[at-1] == '\n' || content[at] == '\n')
			if arrived < n && !named && !whole {
				t.Errorf("%s cut at byte %d of %d: %d of %d records arrived, and nothing was said", name, at, len(content), arrived, n)
			}
		}
	}
}

// TestManyFilesAndOneBroken loads more files than are read at once.
func TestManyFilesAndOneBroken(t *testing.T) {
	dir := t.TempDir()
	const n = 391
	for i := range n {
		write(t, dir, fmt.Sprintf("%04d.json", i), records(event(fmt.Sprint(i))))
	}
	write(t, dir, "0200-broken.json", `{"Records":[{"eventName":`)
	write(t, dir, "0300-crooked.json", records(crooked))
	e := loaded(t, dir)
	if got := lost(t, e); len(got) != 1 || !strings.Contains(got[0], "0200-broken.json") {
		t.Errorf("lost %q", got)
	}
	same(t, ask(t, e, "SELECT count(*) AS n, count(DISTINCT eventid) AS ids FROM events"),
		[]evidence.Row{{"n": fmt.Sprint(n + 1), "ids": fmt.Sprint(n + 1)}})
	if e.Files() != n+1 {
		t.Errorf("got %d files, want %d", e.Files(), n+1)
	}
}
