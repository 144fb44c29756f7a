package investigation

import (
	"sync"
	"time"
)

// remembers is how long an answer of the account is kept: IAM answers some twenty questions a second. Nothing is written on such an answer
// alone: a step reads its setting again, and sees what a thief has changed in that time.
const remembers = 10 * time.Second

// moment keeps answers, each for remembers at most. The zero value is ready.
type moment[K comparable, V any] struct {
	mu    sync.Mutex
	since time.Time
	kept  map[K]V
}

// get returns what is kept, or asks. An answer with an error is not kept.
func (m *moment[K, V]) get(key K, now time.Time, ask func() (V, error)) (V, error) {
	m.mu.Lock()
	if m.kept == nil || now.Sub(m.since) >= remembers || now.Before(m.since) {
		m.since, m.kept = now, map[K]V{}
	}
	v, ok := m.kept[key]
	m.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := ask()
	if err == nil {
		m.mu.Lock()
		m.kept[key] = v
		m.mu.Unlock()
	}
	return v, err
}
