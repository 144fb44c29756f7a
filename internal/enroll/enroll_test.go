package enroll

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const ours, theirs, here, there = "nightlatch", "EntireBucket", "eu-west-1", "us-east-1"

func TestThePlan(t *testing.T) {
	all := []Bucket{{"c", here}, {"a", here}, {"far", there}, {"dim", ""}}
	w := func(filter string, buckets ...string) Wish { return Wish{Buckets: buckets, Filter: filter} }
	for name, c := range map[string]struct {
		wanted, before Wish
		want           Plan
	}{
		"created":              {w(ours, "b", "a"), Wish{}, Plan{Enrol: []string{"a", "b"}}},
		"named twice":          {w(ours, "a", "a", "*"), Wish{}, Plan{Enrol: []string{"a", "c", "dim"}, Elsewhere: []Bucket{{"far", there}}}},
		"nothing changes":      {w(ours, "a"), w(ours, "a"), Plan{Enrol: []string{"a"}}},
		"one added":            {w(ours, "a", "b"), w(ours, "a"), Plan{Enrol: []string{"a", "b"}}},
		"one removed":          {w(ours, "a"), w(ours, "b", "a"), Plan{Enrol: []string{"a"}, Withdraw: []string{"b"}}},
		"one renamed":          {w(ours, "b"), w(ours, "a"), Plan{Enrol: []string{"b"}, Withdraw: []string{"a"}}},
		"deleted":              {Wish{}, w(ours, "a"), Plan{Withdraw: []string{"a"}}},
		"all, deleted":         {Wish{}, w(ours, "*"), Plan{Withdraw: []string{"a", "c", "dim"}}},
		"all, then some":       {w(ours, "c", "gone"), w(ours, "*"), Plan{Enrol: []string{"c", "gone"}, Withdraw: []string{"a", "dim"}}},
		"some, then all":       {w(ours, "*"), w(ours, "c", "gone"), Plan{Enrol: []string{"a", "c", "dim"}, Withdraw: []string{"gone"}, Elsewhere: []Bucket{{"far", there}}}},
		"all, and one by name": {w(ours, "*", "far"), Wish{}, Plan{Enrol: []string{"a", "c", "dim", "far"}}},
		"theirs":               {w(theirs, "a"), Wish{}, Plan{Check: []string{"a"}}},
		"theirs, deleted":      {Wish{}, w(theirs, "a", "*"), Plan{}},
		"ours, then theirs":    {w(theirs, "a"), w(ours, "a", "b"), Plan{Check: []string{"a"}, Withdraw: []string{"a", "b"}}},
		"theirs, then ours":    {w(ours, "a"), w(theirs, "a", "b"), Plan{Enrol: []string{"a"}}},
	} {
		c.want.Filter = c.wanted.Filter
		if diff := cmp.Diff(c.want, Make(c.wanted, c.before, all, here), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// account is request metrics in memory. fail decides, before a call takes effect (after is false) and after it.
type account struct {
	mu     sync.Mutex
	states map[string]State // bucket/id
	tags   map[string]map[string]string
	fail   func(call, bucket string, after bool) error
	calls  []string
}

var errDenied = errors.New("denied")

func (a *account) do(call, bucket string, effect func()) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, call+" "+bucket)
	for _, after := range []bool{false, true} {
		if a.fail != nil {
			if err := a.fail(call, bucket, after); err != nil {
				return err
			}
		}
		if !after {
			effect()
		}
	}
	return nil
}

func (a *account) Buckets(context.Context) (all []Bucket, err error) {
	err = a.do("list", "", func() {
		for _, key := range slices.Sorted(maps.Keys(a.states)) {
			name, _, _ := strings.Cut(key, "/")
			all = append(all, Bucket{name, here})
		}
	})
	return all, err
}

func (a *account) Read(_ context.Context, bucket, id string) (s State, err error) {
	err = a.do("read", bucket, func() { s = max(a.states[bucket+"/"+id], Absent) })
	if err != nil {
		return Unknown, err
	}
	return s, nil
}

func (a *account) Tags(_ context.Context, bucket string) (tags map[string]string, err error) {
	err = a.do("tags", bucket, func() { tags = a.tags[bucket] })
	return tags, err
}

func (a *account) Enrol(_ context.Context, bucket, id string) error {
	return a.do("enrol", bucket, func() { a.states[bucket+"/"+id] = Whole })
}

func (a *account) Withdraw(_ context.Context, bucket, id string) error {
	return a.do("withdraw", bucket, func() { delete(a.states, bucket+"/"+id) })
}

func names(refusals []Refusal) (all []string) {
	for _, r := range refusals {
		all = append(all, r.Bucket)
	}
	return all
}

// Of all buckets those are enrolled that have the tag. What has a name of its own needs none, and what is enrolled stays so.
func TestATagChooses(t *testing.T) {
	a := &account{states: map[string]State{"secret/": Unknown, "plain/": Unknown, "named/": Unknown, "was/" + ours: Whole, "other/": Unknown, "dim/": Unknown},
		tags: map[string]map[string]string{"secret": {"class": "secret", "x": "y"}, "other": {"class": "Secret"}, "dim": {"class": "secret"}}}
	a.fail = func(call, bucket string, _ bool) error {
		if call == "tags" && bucket == "dim" {
			return errDenied
		}
		return nil
	}
	wanted := Wish{Buckets: []string{"named", Everything}, Filter: ours, Tag: "class=secret", Named: []string{"named"}}
	r, err := Reconcile(t.Context(), a, here, wanted, Wish{})
	if err != nil || !slices.Equal(r.Enrolled, []string{"named", "secret"}) || !slices.Equal(r.Already, []string{"was"}) || !slices.Equal(r.Untagged, []string{"other", "plain"}) || !slices.Equal(names(r.Refused), []string{"dim"}) {
		t.Errorf("got %+v, %v", r, err)
	}
	if slices.Contains(a.calls, "tags named") || slices.Contains(a.calls, "tags was") {
		t.Errorf("the calls are %q", a.calls)
	}
	// Under somebody else's configuration too: one that counts is there, or is not needed.
	r = Do(t.Context(), a, Make(Wish{Buckets: []string{"plain", "secret"}, Filter: theirs, Tag: "class"}, Wish{}, nil, here))
	if !slices.Equal(r.Untagged, []string{"plain"}) || !slices.Equal(names(r.Refused), []string{"secret"}) {
		t.Errorf("theirs: got %+v", r)
	}
	for tag, want := range map[string]bool{"class": true, "class=secret": true, "class=": false, "Class": false, "class=Secret": false, "x": true, "y": false} {
		if Tagged(tag, a.tags["secret"]) != want {
			t.Errorf("%s: %t", tag, !want)
		}
	}
}

func TestWhatIsNotOursIsNeverTouched(t *testing.T) {
	before := map[string]State{"whole/" + theirs: Whole, "part/" + theirs: Part, "odd/" + ours: Part, "odd/" + theirs: Whole}
	buckets := []string{"whole", "part", "odd", "none"}
	a := &account{states: maps.Clone(before)}
	r := Do(t.Context(), a, Make(Wish{Buckets: buckets, Filter: theirs}, Wish{}, nil, here))
	if !slices.Equal(r.Already, []string{"odd", "whole"}) || !slices.Equal(names(r.Refused), []string{"none", "part"}) || !maps.Equal(a.states, before) {
		t.Errorf("checking: got %+v and %v", r, a.states)
	}
	r = Do(t.Context(), a, Make(Wish{}, Wish{Buckets: buckets, Filter: theirs}, nil, here))
	if len(a.calls) != len(buckets) || !maps.Equal(a.states, before) {
		t.Errorf("going: got %+v after %q", r, a.calls)
	}
	// Under our own id, a filter means that somebody else made it.
	for _, plan := range []Plan{Make(Wish{Buckets: []string{"odd"}, Filter: ours}, Wish{}, nil, here), Make(Wish{}, Wish{Buckets: []string{"odd"}, Filter: ours}, nil, here)} {
		if r := Do(t.Context(), a, plan); len(r.Enrolled)+len(r.Withdrawn) > 0 || !maps.Equal(a.states, before) {
			t.Errorf("a filter under our id: got %+v and %v", r, a.states)
		}
	}
}

func TestOneThatRefusesDoesNotStopTheRest(t *testing.T) {
	var buckets []string
	for i := range 50 {
		buckets = append(buckets, fmt.Sprintf("b%02d", i))
	}
	a := &account{states: map[string]State{"b07/" + ours: Whole}, fail: func(call, bucket string, after bool) error {
		switch {
		case bucket == "b03" && call == "read", bucket == "b04" && call == "enrol" && !after:
			return errDenied
		case bucket == "b05" && call == "enrol" && after: // it fails, but it happened
			return errDenied
		case bucket == "b06":
			panic("a bug")
		}
		return nil
	}}
	r := Do(t.Context(), a, Make(Wish{Buckets: buckets, Filter: ours}, Wish{}, nil, here))
	if got := names(r.Refused); !slices.Equal(got, []string{"b03", "b04", "b06"}) {
		t.Errorf("refused: got %q", got)
	}
	if len(r.Enrolled) != 46 || !slices.Contains(r.Enrolled, "b05") || !slices.Equal(r.Already, []string{"b07"}) {
		t.Errorf("got %d enrolled, %q already", len(r.Enrolled), r.Already)
	}
}

func TestWithdrawing(t *testing.T) {
	buckets := []string{"plain", "never", "gone", "vanishes", "denied", "unanswered", "far"}
	a := &account{states: map[string]State{}, fail: func(call, bucket string, after bool) error {
		switch {
		case bucket == "gone", bucket == "vanishes" && call == "withdraw":
			return fmt.Errorf("bucket: %w", ErrGone)
		case bucket == "far":
			return fmt.Errorf("bucket: %w", ErrElsewhere)
		case bucket == "denied" && call == "withdraw" && !after, bucket == "unanswered" && call == "withdraw" && after:
			return errDenied
		}
		return nil
	}}
	for _, b := range []string{"plain", "vanishes", "denied", "unanswered"} {
		a.states[b+"/"+ours] = Whole
	}
	r := Do(t.Context(), a, Make(Wish{}, Wish{Buckets: buckets, Filter: ours}, nil, here))
	want := Result{Withdrawn: []string{"plain", "unanswered", "vanishes"}}
	if got := names(r.Left); !slices.Equal(got, []string{"denied"}) || !slices.Equal(r.Withdrawn, want.Withdrawn) || len(r.Refused) > 0 {
		t.Errorf("got %+v, want %+v and denied left", r, want)
	}
}

func TestWithoutTheList(t *testing.T) {
	broken := func(call, _ string, _ bool) error {
		if call == "list" {
			return errDenied
		}
		return nil
	}
	everything := Wish{Buckets: []string{Everything}, Filter: ours}
	a := &account{states: map[string]State{}, fail: broken}
	if r, err := Reconcile(t.Context(), a, here, everything, Wish{}); err == nil || len(a.calls) != 1 {
		t.Errorf("wanted: got %+v, %v after %q, want an error and nothing done", r, err, a.calls)
	}
	r, err := Reconcile(t.Context(), a, here, Wish{Buckets: []string{"a"}, Filter: ours}, everything)
	if err != nil || !slices.Equal(r.Enrolled, []string{"a"}) || !slices.Equal(names(r.Left), []string{Everything}) {
		t.Errorf("wanted no longer: got %+v, %v, want the named one enrolled, and what is left named", r, err)
	}
	if r, err := Reconcile(t.Context(), a, here, Wish{}, everything); err != nil || len(r.Left) != 1 {
		t.Errorf("deleted: got %+v, %v", r, err)
	}
	a = &account{states: map[string]State{}, fail: broken}
	if r, err := Reconcile(t.Context(), a, here, Wish{}, Wish{Buckets: []string{Everything}, Filter: theirs}); err != nil || len(a.calls) > 0 {
		t.Errorf("theirs, deleted: got %+v, %v after %q, want no call at all", r, err, a.calls)
	}
}

func TestWhatIsNotReachedIsNamed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := &account{states: map[string]State{}, fail: func(_, bucket string, _ bool) error {
		if bucket == "b" {
			cancel()
			return ctx.Err()
		}
		return nil
	}}
	r := Do(ctx, a, Plan{Filter: ours, Enrol: []string{"b"}, Withdraw: []string{"c", "d"}})
	if want := []string{"b", "c", "d"}; !slices.Equal(r.Unreached, want) || len(r.Refused)+len(r.Left) > 0 {
		t.Errorf("got %+v, want %q unreached", r, want)
	}
	if len(a.calls) != 1 {
		t.Errorf("called %q after the time was over", a.calls)
	}
}
