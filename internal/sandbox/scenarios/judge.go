package scenarios

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
	"nightlatch/internal/sandbox"
	"nightlatch/internal/workers"
)

// Batch is how many scenarios one engine holds. More records make each question dearer, fewer make more engines.
const Batch = 50

// Engine is a trail over files that ends.
type Engine interface {
	sandbox.Engine
	Close() error
}

// Opening opens an engine that has read nothing yet.
type Opening func(context.Context) (Engine, error)

// Run plays so many scenarios, with seeds from first on. Each is of the next style, or all are of one where style names it. dir is for the trails.
func Run(ctx context.Context, first, scenarios uint64, style string, p *policy.Policy, open Opening, dir string) ([]Result, error) {
	styles := Styles()
	if style != "" {
		styles = slices.DeleteFunc(styles, func(s Style) bool { return s.Name != style })
	}
	if len(styles) == 0 {
		return nil, fmt.Errorf("there is no style %q", style)
	}
	var all []Result
	for seed := first; seed < first+scenarios; {
		n := min(Batch, first+scenarios-seed)
		var batch []*Scenario
		for i := range n {
			batch = append(batch, New(styles[(seed+i)%uint64(len(styles))], seed+i))
		}
		results, err := playBatch(ctx, batch, p, open, filepath.Join(dir, fmt.Sprintf("from-%d.jsonl", seed)))
		if err != nil {
			return nil, err
		}
		all = append(all, results...)
		seed += n
	}
	return all, nil
}

// remembering is a trail that answers the same question once: its records are all there, so that a second query round has the same answer.
type remembering struct {
	evidence.Trail
	answers map[string]evidence.Answer
	mu      sync.Mutex
}

// Ask implements evidence.Trail.
func (r *remembering) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	sql := q.SQL(evidence.Schema{Table: "events"})
	r.mu.Lock()
	answer, known := r.answers[sql]
	r.mu.Unlock()
	if known {
		return answer, nil
	}
	answer, err := r.Trail.Ask(ctx, q)
	if err == nil {
		r.mu.Lock()
		r.answers[sql] = answer
		r.mu.Unlock()
	}
	return answer, err
}

// atOnce is how many scenarios are played at a time: one works while another's question waits for the engine.
const atOnce = 3

// playBatch plays scenarios that one engine holds.
func playBatch(ctx context.Context, batch []*Scenario, p *policy.Policy, open Opening, file string) (results []Result, err error) {
	if err := write(batch, file); err != nil {
		return nil, err
	}
	engine, err := open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close(), os.Remove(file)) }()
	if err := engine.Load(ctx, file); err != nil {
		return nil, err
	}
	results = make([]Result, len(batch))
	failed := make([]error, len(batch))
	workers.Pool{Size: atOnce}.Each(len(batch), func(i int) {
		results[i], failed[i] = Play(ctx, batch[i], &remembering{Trail: engine, answers: map[string]evidence.Answer{}}, p)
	})
	return results, errors.Join(failed...)
}

// write writes the scenarios' records into one file, one a line.
func write(batch []*Scenario, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	lines := json.NewEncoder(w)
	for _, s := range batch {
		for _, r := range s.Records {
			if err := lines.Encode(r); err != nil {
				return err
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
