package enroll

import (
	"slices"
	"strings"

	"nightlatch/internal/settings"
)

// Wish is what one version of a deployment wants: which buckets, or Everything, shall be counted under which id. The zero Wish
// wants nothing.
type Wish struct {
	Buckets []string
	Filter  string
	// Tag narrows Everything to the buckets that have it, KEY or KEY=VALUE; "" is all. Named are those that are wanted whatever they have.
	Tag   string
	Named []string
}

// Ours reports whether the configurations of this wish are Nightlatch's to make and to take away.
func (w Wish) Ours() bool { return w.Filter == settings.OwnFilterID }

func (w Wish) everything() bool { return slices.Contains(w.Buckets, Everything) }

// Plan is what to do, bucket by bucket, each list in order and without repetition. No bucket is in two of Enrol, Check and
// Withdraw, but that one which goes over to a filter of somebody else's is checked and then withdrawn from.
type Plan struct {
	Filter    string   // under which Enrol and Check; Withdraw is from ours alone
	Tag       string   // that those of Enrol and Check have which are not in Named, and are not enrolled yet; "" for none
	Named     []string // see Wish
	Enrol     []string // shall have a configuration of ours
	Check     []string // shall have one that somebody else makes
	Withdraw  []string // shall have none of ours any more
	Elsewhere []Bucket // are wanted with all the others, and out of this region's reach
}

// Make compares what is wanted with what was wanted before. all are the account's buckets, needed where one of the two wishes is
// for everything; region is the one that configurations can be made in.
func Make(wanted, before Wish, all []Bucket, region string) Plan {
	here, elsewhere := split(all, region)
	p := Plan{Filter: wanted.Filter, Tag: wanted.Tag, Named: wanted.Named}
	names := wanted.expand(here)
	if wanted.Ours() {
		p.Enrol = names
	} else {
		p.Check = names
	}
	if before.Ours() {
		p.Withdraw = slices.DeleteFunc(before.expand(here), func(b string) bool { return slices.Contains(p.Enrol, b) })
	}
	if wanted.everything() {
		// One that has a name of its own in the wish refuses by that name.
		p.Elsewhere = slices.DeleteFunc(elsewhere, func(b Bucket) bool { return slices.Contains(names, b.Name) })
	}
	return p
}

// Wants reports whether a bucket of the plan needs a tag.
func (p Plan) Wants(bucket string) bool { return p.Tag != "" && !slices.Contains(p.Named, bucket) }

// Tagged reports whether a bucket's tags have one, KEY or KEY=VALUE. S3's keys and values are the same in the same letters only:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html
func Tagged(tag string, tags map[string]string) bool {
	key, value, given := strings.Cut(tag, "=")
	is, there := tags[key]
	return there && (!given || is == value)
}

// expand writes Everything out.
func (w Wish) expand(here []string) []string {
	var names []string
	for _, b := range w.Buckets {
		if b == Everything {
			names = append(names, here...)
		} else {
			names = append(names, b)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// split parts the buckets of a region from the others. One whose region is not known counts as here: asking it will tell.
func split(all []Bucket, region string) (here []string, elsewhere []Bucket) {
	for _, b := range all {
		if b.Region == region || b.Region == "" {
			here = append(here, b.Name)
		} else {
			elsewhere = append(elsewhere, b)
		}
	}
	return here, elsewhere
}
