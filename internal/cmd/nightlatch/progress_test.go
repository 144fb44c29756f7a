package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheTimeLeft(t *testing.T) {
	for _, c := range []struct {
		took     time.Duration
		done, of int
		want     string
	}{
		{10 * time.Second, 10, 20, ", about 10s left"},
		{10 * time.Second, 19, 20, ", about 1s left"},
		{100 * time.Second, 10, 20, ", about 1m40s left"},
		{10 * time.Minute, 10, 40, ", about 30 min left"},
		{time.Hour, 1, 4, ", about 180 min left"},
	} {
		if got := left(c.took, c.done, c.of); got != c.want {
			t.Errorf("%v for %d of %d: got %q, want %q", c.took, c.done, c.of, got, c.want)
		}
	}
}

func TestProgressIsSaidNowAndThen(t *testing.T) {
	var said bytes.Buffer
	p := &progress{out: &said}
	for n := range 1001 {
		if n == 500 {
			p.began, p.said = p.began.Add(-time.Minute), p.said.Add(-time.Minute)
		}
		p.say("alarms judged", n, 1000)
	}
	if got := said.String(); !strings.HasPrefix(got, "500 of 1000 alarms judged, about ") || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q", got)
	}
}

func TestAPageTakesThePlaceOfAnother(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "page.html")
	for _, text := range []string{"one", "another"} {
		if err := write(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		files, _ := os.ReadDir(dir)
		if err != nil || string(got) != text || len(files) != 1 {
			t.Errorf("got %q, %v, beside %d files", got, err, len(files))
		}
	}
	if err := write(filepath.Join(name, "page.html"), nil); err == nil {
		t.Error("a page was written into a file")
	}
}
