package duck_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/evidence/enginetest"
)

// plain is a question as an engine is asked that knows nothing of which records are of one call.
type plain struct{ evidence.Question }

func (q plain) SQL(evidence.Schema) string { return q.Question.SQL(evidence.Schema{Table: duck.Table}) }

// anyDays are calls of all kinds on days before noon: on the buckets and elsewhere, refused, corrected, and delivered twice.
func anyDays(rnd *rand.Rand, n int) []record {
	all := append(anyRecords(rnd, n), given()...)
	for i, r := range all {
		if i%4 == 0 { // on the edge of a part, and beside it
			at(noon.AddDate(0, 0, -rnd.IntN(17)).Truncate(evidence.PartSpan).Add(time.Duration(rnd.IntN(3)-1) * time.Second))(r)
		} else {
			at(noon.Add(-time.Duration(rnd.Int64N(int64(17 * 24 * time.Hour)))))(r)
		}
		switch rnd.IntN(8) {
		case 0:
			session("deploy", "ASIAEXAMPLESESSION02")(r)
		case 1:
			set("addendum", map[string]any{"reason": "UPDATED_DATA", "originalEventID": fmt.Sprintf("any-%04d", rnd.IntN(n))})(r)
		case 2:
			set("vpcEndpointId", "vpce-1")(r)
		case 3:
			set("eventSource", "ec2.amazonaws.com")(r)
		}
	}
	for range n / 5 { // a time that differs is forged: what is then taken is the first
		all = append(all, all[rnd.IntN(len(all))])
	}
	return all
}

// What is put together before, part by part, and what is known of the records of a call change no answer, whenever it is asked.
func TestAnswersOfPartsAreTheSame(t *testing.T) {
	for seed := range enginetest.Draws(2, 6) {
		rnd := rand.New(rand.NewPCG(uint64(seed), 11))
		records := anyDays(rnd, 400)
		path := filepath.Join(t.TempDir(), "trail.jsonl")
		load := func(e *duck.Engine, records []record) {
			var lines []byte
			for i, r := range records {
				if r["eventID"] == nil {
					r["eventID"] = fmt.Sprintf("event-%04d", i)
				}
				line, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				lines = append(append(lines, line...), '\n')
			}
			if err := os.WriteFile(path, lines, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := e.Load(t.Context(), path); err != nil {
				t.Fatal(err)
			}
		}
		if seed%2 == 1 { // many callers, of which a question needs few
			duck.SetMaxCallers(t, 20)
		}
		var engines [2]*duck.Engine
		for i := range engines {
			e, err := duck.Open(t.Context(), duck.Settings{Threads: 1, Parts: i == 1})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			engines[i] = e
			load(e, records)
		}
		some := 0
		for n := range 12 {
			buckets, before := [][]string{{bucket}, {"images", "ledger"}, {"other"}}[rnd.IntN(3)], noon.Add(-time.Duration(rnd.IntN(3*24*3600))*time.Second)
			if n%3 == 0 {
				before = before.Truncate(evidence.PartSpan).Add(time.Duration(n%2) * time.Second)
			}
			var q evidence.Question = evidence.Usage{Buckets: buckets, Before: before}
			if rnd.IntN(3) == 0 {
				q = evidence.Callers{Buckets: buckets, Credentials: []string{key}, Before: before}
			}
			if n == 8 { // what comes later changes what was put together
				path = filepath.Join(t.TempDir(), "more.jsonl")
				for _, e := range engines {
					load(e, records[:50])
				}
			}
			var answers [3][]evidence.Row
			for i, ask := range []func() (evidence.Answer, error){
				func() (evidence.Answer, error) { return engines[0].Ask(t.Context(), plain{q}) },
				func() (evidence.Answer, error) { return engines[0].Ask(t.Context(), q) },
				func() (evidence.Answer, error) { return engines[1].Ask(t.Context(), q) },
			} {
				a, err := ask()
				if err != nil {
					t.Fatal(err)
				}
				answers[i] = a.Rows
			}
			some += len(answers[0])
			if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
				t.Fatalf("seed %d, %#v (plain -, known records +):\n%s", seed, q, diff)
			}
			if diff := cmp.Diff(answers[0], answers[2]); diff != "" {
				t.Fatalf("seed %d, %#v (plain -, parts +):\n%s", seed, q, diff)
			}
		}
		if some < 100 {
			t.Errorf("only %d rows were compared", some)
		}
	}
}
