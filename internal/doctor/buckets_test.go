package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/enroll"
)

// metered are buckets of one region with their tags; those that are counted stand among them.
type metered struct {
	tags    map[string]map[string]string
	counted []string
	err     error
}

func (m metered) Buckets(context.Context) (all []enroll.Bucket, err error) {
	for name := range m.tags {
		all = append(all, enroll.Bucket{Name: name, Region: "eu-west-1"})
	}
	return all, nil
}

func (m metered) Read(_ context.Context, bucket, _ string) (enroll.State, error) {
	if slices.Contains(m.counted, bucket) {
		return enroll.Whole, nil
	}
	return enroll.Absent, nil
}

func (m metered) Tags(_ context.Context, bucket string) (map[string]string, error) {
	return m.tags[bucket], m.err
}

// Where a tag chooses, a bucket without it needs no request metrics, and one with it does. Whether it has it may not be known.
func TestBucketsWithoutTheTagAreNotWatched(t *testing.T) {
	stack := fixed{Buckets: []string{"*", "named"}, Filter: "nightlatch", BucketTag: "class=secret"}
	m := metered{tags: map[string]map[string]string{"secret": {"class": "secret"}, "plain": nil, "was": nil, "named": nil}, counted: []string{"secret", "was", "named"}}
	check := func() Answer {
		return Buckets(stack, m, func(context.Context, string) ([]string, error) { return m.counted, nil }, "eu-west-1").Run(t.Context())
	}
	if a := check(); a.State != Holds || !strings.Contains(a.Says, "3 buckets there") || !strings.Contains(a.Says, "1 bucket not watched, for want of the tag class=secret") {
		t.Errorf("got %+v", a)
	}
	m.counted = []string{"was"}
	if a := check(); a.State != Broken || len(a.Found) != 2 || !strings.Contains(a.Found[0].Says, "bucket named has no request metrics") || !strings.Contains(a.Found[1].Says, "bucket secret has no request metrics") {
		t.Errorf("got %+v", a)
	}
	m.counted, m.err = []string{"was", "named", "secret"}, errors.New("bucket plain: denied")
	if a := check(); a.State != Unread || !strings.Contains(a.Says, "denied") {
		t.Errorf("got %+v", a)
	}
}
