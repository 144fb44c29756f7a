package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/policy"
)

func engine(ctx context.Context) (Engine, error) {
	return duck.Open(ctx, duck.Settings{MemoryMB: 400, Threads: 1})
}

// The shipped policy over the styles: plain, one of each; in the gate, 500.
func TestJudge(t *testing.T) {
	scenarios := uint64(len(Styles()))
	if os.Getenv("NIGHTLATCH_TESTS") == "all" {
		scenarios = 500
	}
	began := time.Now()
	results, err := Run(t.Context(), 1, scenarios, "", policy.Shipped(), engine, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := Print(&table, results); err != nil {
		t.Fatal(err)
	}
	_, all := Sum(results)
	if all.Wronged > 0 || all.Silent > 0 || all.AlikeAsked < all.Alike || all.ShownContained*10 < all.Shown*9 {
		t.Error("honest principals are contained, thefts left in silence, what nobody can tell apart is not asked, or under 90 % of what is shown is contained; " +
			"go tool nightlatch judge --scenarios 1 --seed S --style NAME shows one of those that the table names")
	}
	t.Logf("the policy was judged in %v:\n%s", time.Since(began).Round(time.Second), table.String())
}

// A seed tells one story, whatever is played beside it, and another seed another.
func TestAScenarioIsItsSeed(t *testing.T) {
	text := func(s Style, seed uint64) string {
		one := New(s, seed)
		event, err := one.event()
		if err != nil {
			t.Fatal(err)
		}
		records, err := json.Marshal(one.Records)
		if err != nil {
			t.Fatal(err)
		}
		return string(event) + string(records)
	}
	for _, s := range Styles() {
		seven := text(s, 7)
		if again := text(s, 7); again != seven {
			t.Errorf("%s: seed 7 tells two stories", s.Name)
		}
		if text(s, 8) == seven {
			t.Errorf("%s: seeds 7 and 8 tell one story", s.Name)
		}
	}
}

// Each scenario makes its alarm fire in each minute of the window, keeps within its own time, and has somebody whom it is about.
func TestScenariosAreWhole(t *testing.T) {
	for _, style := range Styles() {
		for seed := range uint64(5) {
			s := New(style, seed)
			for at := s.From; at.Before(s.To); at = at.Add(time.Minute) {
				if float64(s.Minutes[at]) <= s.Threshold || s.Threshold <= 0 {
					t.Errorf("%s, seed %d: %d bytes in the minute %v, and the threshold is %v", style.Name, seed, s.Minutes[at], at, s.Threshold)
				}
			}
			for _, r := range s.Records {
				if at := r["eventTime"].(string); at < s.From.Add(-14*day).Format(time.RFC3339) || at >= s.To.Format(time.RFC3339) {
					t.Errorf("%s, seed %d: a call at %s, outside of its two weeks", style.Name, seed, at)
				}
			}
			subjects, guilty := 0, 0
			for _, c := range s.Cast {
				if c.Subject {
					subjects++
				}
				if c.Guilty {
					guilty++
				}
			}
			if subjects == 0 || (guilty > 0) != (style.Truth == Thief) {
				t.Errorf("%s, seed %d: it is about %d, and %d are guilty", style.Name, seed, subjects, guilty)
			}
		}
	}
}
