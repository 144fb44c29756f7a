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
	server, err := server()
	if err != nil {
		t.Skipf("SKIPPED, the rules' patterns: %v", err)
	}
	in, err := json.Marshal(map[string]any{"patterns": named, "events": events})
	if err != nil {
		t.Fatal(err)
	}
	matching := exec.Command(filepath.Join(filepath.Dir(server), "python"), "-c", patterns)
	matching.Stdin, matching.Stderr = strings.NewReader(string(in)), os.Stderr
	out, err := matching.Output()
	if err != nil {
		t.Fatalf("matching: %v", err)
	}
	var names [][]string
	if err := json.Unmarshal(out, &names); err != nil || len(names) != len(events) {
		t.Fatalf("got %s, %v", out, err)
	}
	for _, list := range names {
		slices.Sort(list)
	}
	return names
}
