package awstest

import (
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

//go:embed patterns.py
var patterns string

// Matching are, for each event, the names of the patterns of EventBridge's that match it, in order. moto matches, which is not ours.
func Matching(t *testing.T, named map[string]any, events []map[string]any) [][]string {
	t.Helper()
	var names [][]string
	Python(t, patterns, map[string]any{"patterns": named, "events": events}, &names)
	if len(names) != len(events) {
		t.Fatalf("got %q", names)
	}
	for _, list := range names {
		slices.Sort(list)
	}
	return names
}

// Python runs a program where moto is installed, with JSON at its standard input, and reads what it prints.
func Python(t *testing.T, program string, in, out any) {
	t.Helper()
	server, err := server()
	if err != nil {
		t.Skipf("SKIPPED, what moto judges: %v", err)
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(filepath.Join(filepath.Dir(server), "python"), "-c", program)
	run.Stdin, run.Stderr = strings.NewReader(string(text)), os.Stderr
	printed, err := run.Output()
	if err != nil {
		t.Fatalf("running Python: %v", err)
	}
	if err := json.Unmarshal(printed, out); err != nil {
		t.Fatalf("got %s, %v", printed, err)
	}
}
