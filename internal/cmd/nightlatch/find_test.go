package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/incident"
)

// A list looks back so far, and says where it has not looked.
func TestAListSaysWhereItEnds(t *testing.T) {
	store, opened := &incident.Memory{}, time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	for i := range lookBack + 1 {
		if _, err := store.Open(context.Background(), incident.Record{ID: fmt.Sprintf("x-%04d", i), Opened: opened.Add(time.Duration(i) * time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		f     filter
		found int
		all   bool
	}{
		{filter{}, 20, true},
		{filter{state: "open"}, 20, true},
		{filter{state: "closed"}, 0, false},
		{filter{state: "closed", since: opened.Add(time.Hour)}, 0, true},
	} {
		found, all, err := c.f.list(t.Context(), store, 20)
		if len(found) != c.found || all != c.all || err != nil {
			t.Errorf("%+v: got %d, %t, %v, want %d, %t", c.f, len(found), all, err, c.found, c.all)
		}
	}
	if _, err := load(t.Context(), store, "x-0"); err == nil || !strings.HasSuffix(err.Error(), " incidents begin with x-0, say which: x-0999, x-0998, x-0997, x-0996, x-0995 and 994 more") {
		t.Errorf("got %v", err)
	}
}

func TestAByteOrderMarkIsNoText(t *testing.T) {
	for _, text := range []string{"{}", "\xef\xbb\xbf{}", "\xff\xfe{\x00}\x00", "\xfe\xff\x00{\x00}", "\xff\xfe{\x00}\x00\x00"} {
		if got := string(unmarked([]byte(text))); got != "{}" {
			t.Errorf("%q: got %q", text, got)
		}
	}
	if got := string(unmarked([]byte("\xff\xfe=\xd8\x00\xde"))); got != "\U0001f600" {
		t.Errorf("got %q", got)
	}
}
