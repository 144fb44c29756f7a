package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/backtest"
)

// What was decided survives a kill in the middle of a line, and serves no other trail.
func TestDecisionsAreKept(t *testing.T) {
	cache, trail := t.TempDir(), t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	file := filepath.Join(trail, "a.json")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	open := func() *keeping {
		said.Reset()
		return keepDecisions([]string{trail}, &said)
	}
	one := backtest.Judged{Decision: backtest.Asked, Answers: []string{"somebody"}, Steps: []backtest.Step{{Target: "AKIA", Bytes: 5}}}
	k := open()
	k.add("first", one)
	k.add("second", one)
	if err := k.goOn(errors.New("stopped")); err.Error() != "stopped. 2 decisions are kept: the same command goes on from there" {
		t.Errorf("got %v", err)
	}
	k.close()
	names, err := filepath.Glob(filepath.Join(cache, "*", "backtest-*.jsonl"))
	if err != nil || len(names) != 1 {
		names, err = filepath.Glob(filepath.Join(cache, "*", "*", "*", "backtest-*.jsonl")) // as macOS has it
	}
	if err != nil || len(names) != 1 {
		t.Fatalf("got %q, %v", names, err)
	}
	whole, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		if err := os.WriteFile(names[0], whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		k := open()
		k.add("third", one)
		k.close()
		k = open()
		k.close()
		want := map[string]backtest.Judged{"third": one}
		if bytes.Count(whole[:cut], []byte("\n")) == 1 {
			want["first"] = one
		}
		if diff := cmp.Diff(want, k.known); diff != "" || !strings.HasPrefix(said.String(), "going on: ") {
			t.Fatalf("cut at byte %d (want -, got +), %q:\n%s", cut, said.String(), diff)
		}
	}
	if err := os.WriteFile(file, []byte("{ }"), 0o600); err != nil {
		t.Fatal(err)
	}
	k = open()
	if len(k.known) > 0 {
		t.Errorf("another trail knows %v", k.known)
	}
	k.add("fourth", one)
	k.done()
	k.close()
	if k = open(); len(k.known) > 0 {
		t.Errorf("after the result %v is known", k.known)
	}
	k.close()
}

// A cache that cannot be written holds nobody up.
func TestDecisionsThatCannotBeKept(t *testing.T) {
	notADirectory := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notADirectory, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", notADirectory)
	t.Setenv("HOME", notADirectory)
	var said bytes.Buffer
	k := keepDecisions(nil, &said)
	k.add("first", backtest.Judged{})
	if err := k.goOn(errors.New("stopped")); err.Error() != "stopped" {
		t.Errorf("got %v", err)
	}
	k.done()
	k.close()
	if !strings.HasPrefix(said.String(), "what is decided cannot be kept") {
		t.Errorf("got %q", said.String())
	}
}
