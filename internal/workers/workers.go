// Package workers does things beside each other, so many of them at a time.
package workers

import "sync"

// Pool is how many things are done at the same time, and how. The zero value does one after the other.
type Pool struct {
	// Size is how many; 0 is one.
	Size int
	// Beside does n things, size of them at a time; nil starts goroutines. The simulation has threads of its own.
	Beside func(size, n int, do func(i int))
}

// AtMost is the pool with no more than so many at a time.
func (p Pool) AtMost(size int) Pool {
	p.Size = min(p.Size, size)
	return p
}

// Each does something for each i below n, and returns when all of it is done.
func (p Pool) Each(n int, do func(i int)) {
	if p.Size <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	if p.Beside != nil {
		p.Beside(p.Size, n, do)
		return
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, p.Size)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() { defer func() { <-slots }(); do(i) })
	}
	wg.Wait()
}
