package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/token"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// hostile are texts that a terminal, a mail program or a log would obey.
var hostile = map[string]string{
	"ANSI":                "\x1b[2J\x1b[1;1H\x1b]0;title\x07",
	"a line of its own":   "x\nDone           everything is fine\n",
	"carriage return":     "x\r\nBcc: everybody@example.com",
	"right to left":       "\u202egpj.exe\u2066\u200f",
	"C1":                  "\u009b31m\u0085\u2028\u2029",
	"NUL and DEL":         "a\x00b\x7f\x08\x08",
	"invalid UTF-8":       "\xff\xfe\xc3\x28\xed\xa0\x80",
	"beyond the BMP":      "😀\U000e0041",
	"tabs":                "a\tb\vc\f",
	"very long":           strings.Repeat("A\n", 5000),
	"nothing":             "",
	"blanks":              "   ",
	"markup":              "<script>&amp;</script>`*_[x](javascript:1)",
	"percent":             "%s%!d(MISSING)%n",
	"a byte over a limit": strings.Repeat("é", 256),
}

// fill sets everything under v: every string to text, every list to n elements, every number to 7, every pointer to something.
func fill(v reflect.Value, text string, n int) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 3, 4, 0, 7, 0, 0, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(0.7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), text, n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, text, n)
		fill(value, text, n)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), text, n)
			}
		}
	default:
		panic("a record holds a " + v.Kind().String())
	}
}

// filled is a record of which every string is text.
func filled(text string, n int) incident.Record {
	var r incident.Record
	fill(reflect.ValueOf(&r).Elem(), text, n)
	return r
}

var states = []containment.State{containment.Intended, containment.Done, containment.Already, containment.Asked, containment.DryRun,
	containment.Skipped, containment.Failed, containment.Unknown, containment.Undone, containment.Drifted, "", "\x1b[31m"}

// printable reports a character that a report must not hold.
func printable(t *testing.T, what, text, besides string) {
	t.Helper()
	for i, c := range []byte(text) {
		if (c < 0x20 || c > 0x7e) && !strings.Contains(besides, string(rune(c))) {
			t.Fatalf("%s holds %q at %d: %q", what, c, i, text[max(0, i-40):min(len(text), i+40)])
		}
	}
}

// every is every message that there can be of a record.
func every(r incident.Record) []Message {
	all := []Message{Page([]incident.Record{r}), Page([]incident.Record{r, r})}
	for _, k := range []incident.MessageKind{incident.Answer, incident.Revised, incident.Again, incident.Reminder, incident.Escalation, incident.Closing, "?"} {
		all = append(all, Write(k, r))
	}
	return all
}

func TestReportsArePrintable(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			for _, state := range states {
				for _, kind := range append(actor.Kinds(), actor.Kind(text)) {
					r := filled(text, 2)
					r.Alarm.Refused = "" // of what is refused, there is little to say
					for i := range r.Outcomes {
						r.Outcomes[i].State = state
					}
					for i := range r.Evidence.Actors {
						r.Evidence.Actors[i].Kind = kind
					}
					all := []Message{Text(r)}
					if kind == actor.IAMUserKey { // of what the others add, the kind changes nothing
						all = every(r)
						r.Alarm.Refused = text
						all = append(all, every(r)...)
					}
					for _, m := range all {
						printable(t, "the subject", m.Subject, "")
						if len(m.Subject) >= 100 || strings.TrimSpace(m.Subject) == "" {
							t.Errorf("the subject has %d characters: %q", len(m.Subject), m.Subject)
						}
						printable(t, "the body", m.Body, "\n")
						if strings.Contains(m.Body, "\nDone           everything is fine") {
							t.Error("a caller wrote a line of the report")
						}
					}
				}
			}
		})
	}
}

func TestReportsAreBounded(t *testing.T) {
	r := filled(strings.Repeat("\n", 5000), 60)
	for i := range r.Outcomes { // commands alone are never cut
		r.Outcomes[i].Undo, r.Outcomes[i].Runbook = "undo", []string{"run"}
	}
	for i := range r.Verdicts { // as many as a policy has
		r.Verdicts[i].Reasons = r.Verdicts[i].Reasons[:20]
	}
	for i, m := range every(r) {
		if len(m.Body) > 256<<10 {
			t.Errorf("message %d of 60 of everything has %d bytes", i, len(m.Body))
		}
	}
}

// TestReportsOfLittle takes away one field after the other: a record that an older version stored may lack any.
func TestReportsOfLittle(t *testing.T) {
	try := func(what string, r incident.Record) {
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s: panic: %v", what, p)
			}
		}()
		every(r)
		if _, err := JSON(r); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	try("nothing at all", incident.Record{})
	var walk func(path string, of func(*incident.Record) reflect.Value)
	walk = func(path string, of func(*incident.Record) reflect.Value) {
		r := filled("x", 1)
		v := of(&r)
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
					walk(path+"."+v.Type().Field(i).Name, func(r *incident.Record) reflect.Value { return of(r).Field(i) })
				}
			}
		case reflect.Slice:
			walk(path+"[0]", func(r *incident.Record) reflect.Value { return of(r).Index(0) })
		}
		v.SetZero()
		try("without "+path, r)
	}
	walk("Record", func(r *incident.Record) reflect.Value { return reflect.ValueOf(r).Elem() })
}

func TestJSONIsASCIIAndRoundTrips(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			r := filled(text, 2)
			got, err := JSON(r)
			if err != nil {
				t.Fatal(err)
			}
			printable(t, "the JSON", string(got), "\n")
			var back incident.Record
			if err := json.Unmarshal(got, &back); err != nil {
				t.Fatal(err)
			}
			if !utf8.ValidString(text) {
				return
			}
			r.History = nil
			if diff := cmp.Diff(r, back, cmp.FilterPath(func(p cmp.Path) bool {
				f, ok := p.Last().(cmp.StructField)
				return ok && !token.IsExported(f.Name())
			}, cmp.Ignore())); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestJSONIsTheContract(t *testing.T) {
	r := filled("x", 1)
	r.Schema = incident.Schema
	r.Alarm.Bytes, *r.Alarm.Threshold = new(int64(42949672960)), 40_000_000_000
	r.Evidence.Bytes, r.Evidence.BytesScanned = 42949672960, 9007199254740993
	r.Evidence.Actors[0].Bytes, r.Evidence.Actors[0].Origins[0].Bytes = 42949672960, 42949672960
	text, err := JSON(r)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var root map[string]any
	if err := decoder.Decode(&root); err != nil {
		t.Fatal(err)
	}
	at := func(path string) any {
		var v any = root
		for _, k := range strings.Split(path, ".") {
			if list, ok := v.([]any); ok {
				v = list[0]
			}
			m, _ := v.(map[string]any)
			next, ok := m[k]
			if !ok {
				t.Errorf("%s: there is no %q", path, k)
				return nil
			}
			v = next
		}
		return v
	}
	for parent, fields := range map[string]string{
		"":                          "schema id mode alarm evidence verdicts outcomes notified answer",
		"alarm.":                    "buckets from to bytes threshold confirmed",
		"evidence.":                 "engine from to bytes explained complete queries bytes_scanned lost actors others",
		"evidence.actors.":          "kind via access_key_id principal_arn account_id bytes object_bytes share objects calls origins user_agents first_seen last_seen",
		"evidence.actors.origins.":  "network vpc_endpoint presigned bytes familiar",
		"verdicts.":                 "action target decision reasons",
		"outcomes.":                 "action target access_key_id state undo",
		"notified.":                 "channel",
		"evidence.others.":          "actors bytes object_bytes copies_out",
		"evidence.actors.buckets.x": "",
	} {
		for _, f := range strings.Fields(fields) {
			at(parent + f)
		}
	}
	for path, want := range map[string]string{"schema": "nightlatch.incident/1", "alarm.bytes": "42949672960", "alarm.threshold": "40000000000",
		"evidence.bytes": "42949672960", "evidence.bytes_scanned": "9007199254740993", "evidence.actors.bytes": "42949672960",
		"evidence.actors.origins.bytes": "42949672960", "evidence.explained": "0.7", "alarm.from": "2026-03-04T00:07:00Z", "evidence.complete": "true"} {
		if got := fmt.Sprint(at(path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if _, ok := root["history"]; ok {
		t.Error("the working memory is printed")
	}
}

// TestEmptyListsAreLists: a reader that loops over null fails.
func TestEmptyListsAreLists(t *testing.T) {
	text, err := JSON(incident.Record{})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"verdicts", "outcomes", "notified", "looks", "log", "lost", "actors", "buckets"} {
		if !strings.Contains(string(text), fmt.Sprintf("%q: []", list)) {
			t.Errorf("an empty %q is not []", list)
		}
	}
}

func FuzzSafe(f *testing.F) {
	for _, text := range hostile {
		if len(text) < 1000 {
			f.Add(text)
		}
	}
	f.Add(strings.Repeat("a", 299) + "\n")
	f.Add(strings.Repeat("a", 298) + "\\\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := prose.Safe(s)
		printable(t, "safe text", got, "")
		if len(got) > 300 {
			t.Errorf("prose.Safe(%q) has %d characters", s, len(got))
		}
		if again := prose.Safe(got); again != got {
			t.Errorf("prose.Safe(%q) is %q, and %q when applied again", s, got, again)
		}
		printable(t, "an escaped command", prose.Plain(s), "")
		printable(t, "a list", prose.List([]string{s, s, s, s, s}), "")
	})
}
