package sandbox

import (
	"context"
	"fmt"
	"sync"

	"nightlatch/internal/evidence"
)

// Engine is a trail over files.
type Engine interface {
	evidence.Trail
	// Load adds files; those that are there already are not added twice.
	Load(ctx context.Context, paths ...string) error
}

// Lagging is a trail that is behind, as CloudTrail is: a question sees the files that were due when it was asked.
type Lagging struct {
	Engine Engine
	Clock  *Clock
	Files  []File

	mu     sync.RWMutex
	loaded int
}

// Ask implements evidence.Trail.
func (l *Lagging) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	if err := l.load(ctx); err != nil {
		return evidence.Answer{}, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.Engine.Ask(ctx, q)
}

func (l *Lagging) load(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Clock.Now()
	var due []string
	for _, f := range l.Files[l.loaded:] {
		if f.Due.After(now) {
			break
		}
		due = append(due, f.Path)
	}
	if len(due) == 0 {
		return nil
	}
	if err := l.Engine.Load(ctx, due...); err != nil {
		return fmt.Errorf("loading the trail: %w", err)
	}
	l.loaded += len(due)
	return nil
}
