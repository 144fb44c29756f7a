package incident

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// Memory is a Store that lives as long as its process. It keeps records in their JSON form, as a real store does, so that what does not
// survive there does not survive here. It holds the latest maxRecords, so that whoever may invoke the function does not fill a process. The
// zero value is ready.
type Memory struct {
	mu      sync.Mutex
	records map[string]kept
	order   []string // of opening
	leases  map[string]Lease
	brakes  Brakes
}

// kept is one record: its JSON form, and of it what a put is judged by and a list shows.
type kept struct {
	text   []byte
	brief  Brief
	writer string
	log    []Entry
}

const maxRecords = 2000

// Open implements Store.
func (m *Memory) Open(_ context.Context, r Record) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.records[r.ID]; ok {
		return decode(k.text)
	}
	r.Version = 1
	return m.keep(r)
}

// Load implements Store.
func (m *Memory) Load(_ context.Context, id string) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.records[id]
	if !ok {
		return Record{}, fmt.Errorf("incident %q: %w", id, ErrNotFound)
	}
	return decode(k.text)
}

// Put implements Store.
func (m *Memory) Put(_ context.Context, r Record) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.records[r.ID]
	if !ok {
		return Record{}, fmt.Errorf("incident %q: %w", r.ID, ErrNotFound)
	}
	switch again, err := r.Repeats(k.brief.Version, k.writer); {
	case err != nil:
		return Record{}, err
	case again:
		return decode(k.text)
	}
	if n := len(k.log); len(r.Log) < n || !slices.EqualFunc(r.Log[:n], k.log, sameEntry) {
		return Record{}, fmt.Errorf("incident %q: %w", r.ID, ErrRewritten)
	}
	r.Version++
	return m.keep(r)
}

// keep stores a record, and returns it as it is stored.
func (m *Memory) keep(r Record) (Record, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return Record{}, fmt.Errorf("incident %q: %v", r.ID, err)
	}
	if m.records == nil {
		m.records = map[string]kept{}
	}
	if _, known := m.records[r.ID]; !known {
		if m.order = append(m.order, r.ID); len(m.order) > maxRecords {
			delete(m.records, m.order[0])
			m.order = m.order[1:]
		}
	}
	m.records[r.ID] = kept{text, r.Brief(), r.Writer, slices.Clone(r.Log)}
	if bytes.Contains(text, []byte(`\ufffd`)) { // what is no UTF-8 is stored as another text
		return decode(text)
	}
	return r, nil
}

// Unclosed implements Store.
func (m *Memory) Unclosed(context.Context) ([]Brief, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Brief
	for _, id := range m.order {
		if b := m.records[id].brief; b.Closed.IsZero() {
			all = append(all, b)
		}
	}
	return all, nil
}

// Recent implements Store.
func (m *Memory) Recent(_ context.Context, n int) ([]Brief, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Brief
	for _, id := range slices.Backward(m.order) {
		if len(all) < n {
			all = append(all, m.records[id].brief)
		}
	}
	return all, nil
}

// Lease implements Store.
func (m *Memory) Lease(_ context.Context, l Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held, ok := m.leases[l.Name]; ok && held.Holder != l.Holder && held.Until.After(l.Now) {
		return Held{held.Until}
	}
	if m.leases == nil {
		m.leases = map[string]Lease{}
	}
	m.leases[l.Name] = l
	return nil
}

// Brakes implements Store.
func (m *Memory) Brakes(context.Context) (Brakes, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.brakes.clone(), nil
}

// SetBrakes implements Store.
func (m *Memory) SetBrakes(_ context.Context, b Brakes) (Brakes, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b.Version != m.brakes.Version {
		return Brakes{}, fmt.Errorf("the mode and the holds: version %d is stored, %d was loaded: %w", m.brakes.Version, b.Version, ErrConflict)
	}
	b.Version++
	m.brakes = b.clone()
	return b.clone(), nil
}

func (b Brakes) clone() Brakes {
	b.Holds, b.Contained = slices.Clone(b.Holds), slices.Clone(b.Contained)
	for i := range b.Holds {
		b.Holds[i].Origins = slices.Clone(b.Holds[i].Origins)
	}
	return b
}

func sameEntry(x, y Entry) bool { return x.At.Equal(y.At) && x.What == y.What }

func decode(text []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return Record{}, fmt.Errorf("a stored incident does not decode: %v", err)
	}
	return r, nil
}
