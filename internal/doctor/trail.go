package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
	"nightlatch/internal/trail"
)

// Trails reads trails and event data stores.
type Trails interface {
	trail.Reader
	trail.StoreReader
}

// Trail checks that the evidence is still recorded: the trail logs, delivers and records the reads of the watched buckets, and so does the event
// data store. A trail is not late; of a store, AWS does not say how far behind it is.
func Trail(stack Stack, trails Trails, account, region string, now func() time.Time, grants ...grant.Grant) Check {
	return onStack(TrailName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		if len(d.Buckets) == 0 || d.Trail == "" && d.Store == "" {
			return unread(errors.New("the stack names no trail, no event data store, or no bucket; see whether it is Nightlatch's"))
		}
		wish := trail.Wish{Account: account, Region: region, Buckets: d.Buckets}
		var all []Finding
		var err error
		newest := "how far behind the event data store is, AWS does not say"
		judge := func(read bool, wrong error) error {
			if wrong != nil && !read && !errors.Is(wrong, trail.ErrGone) {
				return wrong
			}
			if wrong != nil {
				all = append(all, Finding{Says: prose.Plain(wrong.Error()), Mend: "until then nobody may be found when an alarm fires"})
			}
			return nil
		}
		own := files{}
		if all := d.files(); len(all) > 0 {
			own = all[0]
		}
		switch {
		case own.given():
			newest = fmt.Sprintf("trail %s is given, not looked up: that it records the reads of the watched buckets is taken on trust", prose.Safe(d.Trail))
		case d.Trail != "":
			t, wrong := trail.Look(ctx, trails, d.Trail, wish)
			if wrong == nil {
				wrong = t.Late(now())
			}
			err = judge(t.ARN != "", wrong)
			newest = "no files of the trail have come yet"
			if t.Hidden != "" {
				newest = prose.Plain(t.Hidden) + "; that it records the reads of the watched buckets is taken on trust"
			} else if !t.Delivered.IsZero() {
				newest = fmt.Sprintf("the trail's newest files came %s ago", now().Sub(t.Delivered).Round(time.Minute))
			}
		}
		if d.ManagementTrail != "" {
			t, wrong := trail.Look(ctx, trails, d.ManagementTrail, trail.Wish{Account: account, Region: region, Management: true})
			err = errors.Join(err, judge(t.ARN != "", wrong))
		}
		if d.Deeds == settings.ManagementSome {
			all = append(all, Finding{Weekly: true, Says: "the evidence does not hold all management events of IAM, STS and sign-in: that nobody works with a key, or has signed in, is not known, and every step waits for a human",
				Mend: "deploy with managementTrail, a multi-region trail that has them, or with such a trail as trail"})
		}
		if d.Store != "" {
			s, wrong := trail.LookStore(ctx, trails, d.Store, wish)
			err = errors.Join(err, judge(s.ARN != "", wrong))
		}
		if err != nil && len(all) == 0 {
			return unread(err)
		}
		return found(all, "the evidence is recorded, with the reads of the watched buckets; %s", newest)
	})
}
