package enroll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"nightlatch/internal/settings"
)

// atOnce is how many buckets are worked on at the same time. A thousand buckets, at two calls of a tenth of a second each, take half a
// minute, and S3 is not pressed.
const atOnce = 8

// Refusal is a bucket that is not as it shall be, and why: one sentence that names it. Everything stands for buckets that could
// not even be listed.
type Refusal struct {
	Bucket string
	Err    error
}

// Result is what became of a plan, each list in order.
type Result struct {
	Enrolled  []string  // were not, and are now
	Already   []string  // are as they shall be, and were
	Withdrawn []string  // had a configuration of ours, and have none now
	Untagged  []string  // are not enrolled, for want of the tag
	Refused   []Refusal // are not enrolled
	Left      []Refusal // still have a configuration of ours that is not wanted any more
	Elsewhere []Bucket  // are not watched from this region
	Unreached []string  // were not done with before the time was over
}

// change is one bucket's part of a result.
type change int

const (
	nothing change = iota
	enrolled
	already
	withdrawn
	untagged
)

// Reconcile makes the account as wanted, where before was wanted until now. One bucket that refuses does not stop the others. The
// error says that the buckets which are wanted could not be listed, so that nothing was done.
func Reconcile(ctx context.Context, m Metrics, region string, wanted, before Wish) (Result, error) {
	if !wanted.everything() && !(before.everything() && before.Ours()) {
		return Do(ctx, m, Make(wanted, before, nil, region)), nil
	}
	all, err := m.Buckets(ctx)
	switch {
	case err != nil && wanted.everything():
		return Result{}, err
	case err != nil: // what is wanted is known by name, and goes on
		r := Do(ctx, m, Make(wanted, Wish{}, nil, region))
		r.Left = append(r.Left, Refusal{Everything, err})
		return r, nil
	}
	return Do(ctx, m, Make(wanted, before, all, region)), nil
}

// Do carries a plan out. What is wanted comes first, so that no bucket is unwatched for a moment that need not be.
func Do(ctx context.Context, m Metrics, p Plan) Result {
	r := Result{Elsewhere: p.Elsewhere}
	r.each(ctx, &r.Refused, p.Enrol, func(b string) (change, error) { return enrol(ctx, m, b, p) })
	r.each(ctx, &r.Refused, p.Check, func(b string) (change, error) { return check(ctx, m, b, p) })
	r.each(ctx, &r.Left, p.Withdraw, func(b string) (change, error) { return withdraw(ctx, m, b) })
	for _, list := range [][]Refusal{r.Refused, r.Left} {
		slices.SortFunc(list, func(a, b Refusal) int { return cmp.Compare(a.Bucket, b.Bucket) })
	}
	for _, list := range [][]string{r.Enrolled, r.Already, r.Withdrawn, r.Untagged, r.Unreached} {
		slices.Sort(list)
	}
	return r
}

// each does one thing to every bucket, several at a time. Those that refuse go to a list.
func (r *Result) each(ctx context.Context, refused *[]Refusal, buckets []string, do func(string) (change, error)) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, b := range buckets {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			c, err := nothing, ctx.Err()
			if err == nil {
				c, err = guarded(b, do)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil && ctx.Err() != nil:
				r.Unreached = append(r.Unreached, b)
			case err != nil:
				*refused = append(*refused, Refusal{b, err})
			default:
				r.note(b, c)
			}
		})
	}
	wg.Wait()
}

// guarded makes a panic one bucket's trouble: in a goroutine of its own it would end the program, and nobody would be notified.
func guarded(bucket string, do func(string) (change, error)) (c change, err error) {
	defer func() {
		if p := recover(); p != nil {
			c, err = nothing, fmt.Errorf("bucket %q: the enroller broke on it (%v); report it as a bug", bucket, p)
		}
	}()
	return do(bucket)
}

func (r *Result) note(bucket string, c change) {
	switch c {
	case enrolled:
		r.Enrolled = append(r.Enrolled, bucket)
	case already:
		r.Already = append(r.Already, bucket)
	case withdrawn:
		r.Withdrawn = append(r.Withdrawn, bucket)
	case untagged:
		r.Untagged = append(r.Untagged, bucket)
	}
}

// enrol makes a configuration of ours where there is none. Where writing fails, what stands there afterwards decides.
//
// What is enrolled stays so, whatever tag it has lost: whoever may write tags would have a bucket emptied unseen.
func enrol(ctx context.Context, m Metrics, bucket string, p Plan) (change, error) {
	const id = settings.OwnFilterID
	switch state, err := m.Read(ctx, bucket, id); {
	case err != nil:
		return nothing, err
	case state == Whole:
		return already, nil
	case state != Absent:
		return nothing, fmt.Errorf("bucket %q: its request-metrics configuration %q has a filter, so that Nightlatch did not make it and leaves it alone; "+
			"delete it, and the bucket can be enrolled", bucket, id)
	}
	if p.Wants(bucket) {
		if tags, err := m.Tags(ctx, bucket); err != nil {
			return nothing, err
		} else if !Tagged(p.Tag, tags) {
			return untagged, nil
		}
	}
	if err := m.Enrol(ctx, bucket, id); err != nil {
		if state, readErr := m.Read(ctx, bucket, id); readErr != nil || state != Whole {
			return nothing, err
		}
	}
	return enrolled, nil
}

// check sees whether somebody else's configuration does what the alarms need.
func check(ctx context.Context, m Metrics, bucket string, p Plan) (change, error) {
	id := p.Filter
	switch state, err := m.Read(ctx, bucket, id); {
	case err != nil:
		return nothing, err
	case state == Absent && p.Wants(bucket):
		if tags, err := m.Tags(ctx, bucket); err != nil {
			return nothing, err
		} else if !Tagged(p.Tag, tags) {
			return untagged, nil
		}
		fallthrough
	case state == Absent:
		return nothing, fmt.Errorf("bucket %q: it has no request-metrics configuration %q, and Nightlatch makes only its own; "+
			"create it, or let the deployment use %q", bucket, id, settings.OwnFilterID)
	case state != Whole:
		return nothing, fmt.Errorf("bucket %q: its request-metrics configuration %q has a filter, and does not count the whole bucket; "+
			"name one without a filter, or let the deployment use %q", bucket, id, settings.OwnFilterID)
	}
	return already, nil
}

// withdraw takes away what is ours, and is content where nothing is.
func withdraw(ctx context.Context, m Metrics, bucket string) (change, error) {
	const id = settings.OwnFilterID
	switch state, err := m.Read(ctx, bucket, id); {
	case errors.Is(err, ErrGone), errors.Is(err, ErrElsewhere): // and with it what we made, or never made
		return nothing, nil
	case err != nil:
		return nothing, err
	case state != Whole:
		return nothing, nil
	}
	if err := m.Withdraw(ctx, bucket, id); err != nil && !errors.Is(err, ErrGone) {
		if state, readErr := m.Read(ctx, bucket, id); !errors.Is(readErr, ErrGone) && (readErr != nil || state != Absent) {
			return nothing, err
		}
	}
	return withdrawn, nil
}
