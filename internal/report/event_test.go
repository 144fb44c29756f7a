package report

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
)

var sentAt = time.Date(2026, 3, 4, 0, 16, 1, 500, time.UTC)

// decoded is an event as a program reads it that knows every field.
func decoded(t *testing.T, m Message) event {
	t.Helper()
	text, err := Event(m, sentAt)
	if err != nil {
		t.Fatal(err)
	}
	printable(t, "the event", string(text), "")
	if len(text) > maxEvent {
		t.Errorf("the event has %d bytes", len(text))
	}
	var e event
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		t.Fatal(err)
	}
	return e
}

// texts are all strings under v.
func texts(v reflect.Value) (all []string) {
	switch v.Kind() {
	case reflect.String:
		return []string{v.String()}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, texts(v.Index(i))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				all = append(all, texts(v.Field(i))...)
			}
		}
	}
	return all
}

// Whatever others chose, a program that prints a text of an event, or puts it into a log, obeys nothing in it.
func TestAnEventIsHarmless(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			for _, m := range every(filled(text, 2)) {
				for _, got := range texts(reflect.ValueOf(decoded(t, m))) {
					printable(t, "a text of the event", got, "\n")
				}
			}
		})
	}
}

func TestAnEventFits(t *testing.T) {
	r := filled(strings.Repeat("\n", 5000), 60)
	for i := range r.Outcomes {
		r.Outcomes[i].Undo, r.Outcomes[i].Runbook = strings.Repeat("u", maxCommand), []string{strings.Repeat("r", maxCommand+1), "run"}
	}
	for i := range r.Verdicts {
		r.Verdicts[i].Reasons = r.Verdicts[i].Reasons[:1]
	}
	whole := decoded(t, Write(incident.Answer, r))
	if s := whole.Incidents[0].Steps[0]; len(s.Undo) != maxCommand || !slices.Equal(s.Run, []string{"run"}) || len(whole.Incidents[0].Steps) != maxOutcomes || whole.Incidents[0].MoreSteps != 60-maxOutcomes {
		t.Errorf("got %d bytes of an undo, %d runs, %d steps and %d more, cut %t", len(s.Undo), len(s.Run), len(whole.Incidents[0].Steps), whole.Incidents[0].MoreSteps, whole.Cut)
	}
	many := decoded(t, Page(slices.Repeat([]incident.Record{r}, 60)))
	if in := many.Incidents[0]; len(many.Incidents) == 0 || many.More != 60-len(many.Incidents) || len(in.Steps) != 0 || in.MoreSteps != 60 || in.Answer == "" || !many.Cut || many.Text == "" {
		t.Errorf("got %d incidents and %d more, of the first %d steps and %d more", len(many.Incidents), many.More, len(in.Steps), in.MoreSteps)
	}
}

// What a program gets of an incident that asks.
func TestAnEventSaysWhatIsAsked(t *testing.T) {
	m := Write(incident.Reminder, messages()["two"])
	m.ID = "x-reminder-2"
	e := decoded(t, m)
	if e.Schema != "nightlatch.message/1" || e.ID != "x-reminder-2" || e.Kind != "reminder" || e.Incident != messages()["two"].ID || !e.WaitsForHuman || e.Subject != m.Subject || e.Text != m.Body || e.Cut {
		t.Errorf("got %+v", e)
	}
	if !e.Time.Equal(sentAt.Truncate(time.Second)) || e.Account != "111122223333" || e.Region != "eu-west-1" {
		t.Errorf("got %s in %s, %s", e.Time, e.Account, e.Region)
	}
	i := slices.IndexFunc(e.Incidents[0].Steps, func(s eventStep) bool { return s.State == string(containment.Asked) })
	if i < 0 {
		t.Fatalf("got %+v", e.Incidents[0].Steps)
	}
	if s := e.Incidents[0].Steps[i]; s.Number != i+1 || len(s.Run) == 0 || !strings.HasPrefix(s.Run[0], "aws ") || s.Undo != "" || e.Incidents[0].Steps[0].Undo == "" {
		t.Errorf("got %+v", s)
	}
	told := decoded(t, Message{Subject: "s", Body: "b"})
	if told.Kind != Announcement || told.Incident != "" || told.Incidents == nil || len(told.ID) != 32 {
		t.Errorf("got %+v", told)
	}
	if again := decoded(t, Message{Subject: "s", Body: "c"}); again.ID == told.ID {
		t.Error("two messages have one id")
	}
}

// paths are the fields of a type, as a page names them: incidents[].steps[].state.
func paths(v reflect.Type, under string) (all []string) {
	switch {
	case v.Kind() == reflect.Slice:
		return paths(v.Elem(), under+"[]")
	case v.Kind() == reflect.Struct && v != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Field(i).Tag.Get("json"), ",")
			if v.Field(i).Anonymous {
				all = append(all, paths(v.Field(i).Type, under)...)
				continue
			}
			all = append(all, paths(v.Field(i).Type, strings.TrimPrefix(under+"."+name, "."))...)
		}
		return all
	}
	return []string{strings.TrimSuffix(under, "[]")}
}

// The page names each field, and no other.
func TestThePageNamesTheFields(t *testing.T) {
	for section, fields := range map[string]reflect.Type{"The message as JSON": reflect.TypeFor[event](), "The event to a hub": reflect.TypeFor[HubEvent]()} {
		namesTheFields(t, section, fields)
	}
}

func namesTheFields(t *testing.T, heading string, of reflect.Type) {
	page, err := os.ReadFile("../../lambdas/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var named []string
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \|`).FindAllStringSubmatch(section, -1) {
		for _, field := range regexp.MustCompile("`([a-z_.\\[\\]]+)`").FindAllStringSubmatch(row[1], -1) {
			named = append(named, field[1])
		}
	}
	if want := paths(of, ""); !slices.Equal(slices.Sorted(slices.Values(named)), slices.Sorted(slices.Values(want))) {
		t.Errorf("%s: the page names\n%q, and there are\n%q", heading, named, want)
	}
}
