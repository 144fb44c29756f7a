package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func init() { between = 10 * time.Millisecond }

// In the sandbox the canary's history, the function's rules, the real responder and the shipped policy fit together, whatever the delays.
func TestARehearsalInTheSandbox(t *testing.T) {
	for _, seed := range []string{"1", "2", "7"} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"rehearse", "--sandbox", "--seed", seed, "--json"}, streams{strings.NewReader(""), &out, &errs, &scratch{}}); code != 0 {
			t.Fatalf("seed %s: exit code %d: %s", seed, code, errs.String())
		}
		var got struct {
			Schema, Outcome, Why string
			Bytes                int64
			Stages               []struct {
				Name string
				At   time.Time
			}
			Restored time.Time
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Schema != "nightlatch.rehearsal/1" || got.Outcome != "contained" || !strings.HasPrefix(got.Why, "contain-stolen-key: ") || got.Bytes != 64<<20 || len(got.Stages) != 8 || got.Restored.IsZero() {
			t.Errorf("seed %s: got %+v, %v", seed, got, err)
		}
		for i, stage := range got.Stages[1:] {
			if stage.At.Before(got.Stages[i].At) || stage.At.Sub(got.Stages[0].At) > 20*time.Minute {
				t.Errorf("seed %s: %s at %s", seed, stage.Name, stage.At)
			}
		}
		if said := errs.String(); strings.Count(said, "  the key was seen off\n") != 1 || !strings.HasPrefix(said, "In the sandbox, in virtual time") {
			t.Errorf("seed %s: said\n%s", seed, said)
		}
	}
}
