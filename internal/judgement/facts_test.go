package judgement

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// known is a record of which everything is known: one actor took 700 of 1000 alarmed bytes, of 900 that CloudTrail shows.
func known() (incident.Record, evidence.Actor) {
	a := evidence.Actor{
		Kind: actor.IAMUserKey, Via: "athena.amazonaws.com", Bytes: 700, ObjectBytes: 400, Copies: 3,
		Origins:     []evidence.Origin{{Network: "198.51.100.0/24", Bytes: 600}, {Network: "198.51.100.0/24", Presigned: true, Bytes: 100}},
		HistoryDays: new(int64(4)), FamiliarBytes: new(int64(50)), UnfamiliarBytes: new(int64(650)), FamiliarActive: new(true),
	}
	r := incident.Record{
		Alarm:    alarm.Alarm{Source: alarm.Fired, Bytes: new(int64(1000)), Confirmed: true},
		Evidence: evidence.Evidence{Bytes: 900, ObjectBytes: 500, Explained: new(0.9), Complete: true, Lost: []string{}},
	}
	return r, a
}

func TestFactsOf(t *testing.T) {
	all := func() policy.Facts {
		return policy.Facts{Kind: actor.IAMUserKey, Via: "athena.amazonaws.com", Confirmed: true, Complete: true, Explained: new(int64(90)), AlarmShare: new(int64(70)),
			ObjectShare: new(int64(80)), Unfamiliar: new(int64(65)), FamiliarActive: new(true), Presigned: new(int64(15)), HistoryDays: new(int64(4)), Copies: 3}
	}
	for name, c := range map[string]struct {
		change func(*incident.Record, *evidence.Actor)
		want   func(*policy.Facts)
	}{
		"everything is known":     {func(*incident.Record, *evidence.Actor) {}, func(*policy.Facts) {}},
		"a manual event":          {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Source = alarm.Manual }, func(f *policy.Facts) { f.Manual = true }},
		"no source is no alarm":   {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Source = "" }, func(f *policy.Facts) { f.Manual = true }},
		"not confirmed":           {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Confirmed = false }, func(f *policy.Facts) { f.Confirmed = false }},
		"not complete":            {func(r *incident.Record, _ *evidence.Actor) { r.Evidence.Complete = false }, func(f *policy.Facts) { f.Complete = false }},
		"evidence was lost":       {func(r *incident.Record, _ *evidence.Actor) { r.Evidence.Lost = []string{"a file"} }, func(f *policy.Facts) { f.Lost = true }},
		"the metric is not known": {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Bytes, r.Evidence.Explained = nil, nil }, func(f *policy.Facts) { f.Explained, f.AlarmShare, f.Unfamiliar = nil, nil, nil }},
		"the metric is zero":      {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Bytes, r.Evidence.Explained = new(int64(0)), nil }, func(f *policy.Facts) { f.Explained, f.AlarmShare, f.Unfamiliar = nil, nil, nil }},
		"no object data":          {func(r *incident.Record, a *evidence.Actor) { r.Evidence.ObjectBytes, a.ObjectBytes = 0, 0 }, func(f *policy.Facts) { f.ObjectShare = nil }},
		"the actor took nothing":  {func(_ *incident.Record, a *evidence.Actor) { a.Bytes, a.Origins = 0, nil }, func(f *policy.Facts) { f.AlarmShare, f.Presigned = new(int64(0)), nil }},
		"the history is not known": {func(_ *incident.Record, a *evidence.Actor) {
			a.HistoryDays, a.UnfamiliarBytes, a.FamiliarActive = nil, nil, nil
		}, func(f *policy.Facts) { f.HistoryDays, f.Unfamiliar, f.FamiliarActive = nil, nil, nil }},
		"zero is not unknown": {func(_ *incident.Record, a *evidence.Actor) {
			a.HistoryDays, a.UnfamiliarBytes, a.FamiliarActive = new(int64(0)), new(int64(0)), new(false)
		}, func(f *policy.Facts) {
			f.HistoryDays, f.Unfamiliar, f.FamiliarActive = new(int64(0)), new(int64(0)), new(false)
		}},
		"signed who knows how":    {func(_ *incident.Record, a *evidence.Actor) { a.Origins[0].SigningUnknown = true }, func(f *policy.Facts) { f.Presigned = new(int64(100)) }},
		"origins are not listed":  {func(_ *incident.Record, a *evidence.Actor) { a.Origins = a.Origins[:1]; a.Origins[0].Bytes = 350 }, func(f *policy.Facts) { f.Presigned = new(int64(50)) }},
		"all signed":              {func(_ *incident.Record, a *evidence.Actor) { a.Origins = a.Origins[:1]; a.Origins[0].Bytes = 700 }, func(f *policy.Facts) { f.Presigned = new(int64(0)) }},
		"one byte was presigned":  {func(_ *incident.Record, a *evidence.Actor) { a.Origins[0].Bytes = 699 }, func(f *policy.Facts) { f.Presigned = new(int64(1)) }},
		"origins add up too high": {func(_ *incident.Record, a *evidence.Actor) { a.Origins[0].Bytes = 7000 }, func(f *policy.Facts) { f.Presigned = new(int64(0)) }},
	} {
		t.Run(name, func(t *testing.T) {
			r, a := known()
			c.change(&r, &a)
			want := all()
			c.want(&want)
			if diff := cmp.Diff(want, FactsOf(r, a)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestDoubtNeverHelps: each share is rounded to the side on which the shipped policy stops.
func TestDoubtNeverHelps(t *testing.T) {
	const gib = 1 << 30
	for name, c := range map[string]struct{ part, whole, explained, floor, ceil int64 }{
		"79.9 %":              {799, 1000, 79, 79, 80},
		"80 % exactly":        {80, 100, 80, 80, 80},
		"80 % of 40 GiB":      {32 * gib, 40 * gib, 80, 80, 80},
		"29 % exactly":        {29, 100, 29, 29, 29},
		"57 % exactly":        {57, 100, 57, 57, 57},
		"58 % exactly":        {58, 100, 58, 58, 58},
		"100 % exactly":       {7, 7, 100, 100, 100},
		"100.4 %":             {1004, 1000, 101, 100, 101},
		"a byte over 100 %":   {40*gib + 1, 40 * gib, 101, 100, 101},
		"a byte under 100 %":  {40*gib - 1, 40 * gib, 99, 99, 100},
		"110 % exactly":       {110, 100, 110, 110, 110},
		"110 % of 40 GiB":     {44 * gib, 40 * gib, 110, 110, 110},
		"a byte over 110 %":   {44*gib + 1, 40 * gib, 111, 110, 111},
		"a byte under 80 %":   {32*gib - 1, 40 * gib, 79, 79, 80},
		"nothing":             {0, 1000, 0, 0, 0},
		"next to nothing":     {1, 40 * gib, 0, 0, 1},
		"a great deal more":   {25_000, 1000, 2500, 2500, 2500},
		"as much as ever was": {1 << 60, 1 << 61, 50, 50, 50},
	} {
		t.Run(name, func(t *testing.T) {
			got := []*int64{percent(c.part, c.whole, away), percent(c.part, c.whole, down), percent(c.part, c.whole, up)}
			if diff := cmp.Diff([]*int64{&c.explained, &c.floor, &c.ceil}, got); diff != "" {
				t.Errorf("away from 100, down, up (-want +got):\n%s", diff)
			}
		})
	}
	for _, whole := range []int64{0, -1} {
		if got := percent(5, whole, down); got != nil {
			t.Errorf("5 of %d is %d %%, want unknown", whole, *got)
		}
	}
}

func TestMaterial(t *testing.T) {
	// of is a record of an alarm over 100,000 bytes of which CloudTrail shows so many per cent, all of it object data.
	of := func(explained int64) incident.Record {
		return incident.Record{Alarm: alarm.Alarm{Bytes: new(int64(100_000))}, Evidence: evidence.Evidence{ObjectBytes: explained * 1000}}
	}
	shares := func(explained, alarmed, object int64) policy.Facts {
		return policy.Facts{Explained: &explained, AlarmShare: &alarmed, ObjectShare: &object}
	}
	listings := of(100)
	listings.Evidence = evidence.Evidence{ObjectBytes: 900, ListingBytes: 40_000}
	for name, c := range map[string]struct {
		record incident.Record
		facts  policy.Facts
		actor  evidence.Actor
		want   bool
	}{
		"a hundredth of the bytes":             {of(100), shares(100, 1, 0), evidence.Actor{Bytes: 1000}, true},
		"a hundredth of the object bytes":      {of(100), shares(100, 0, 1), evidence.Actor{Bytes: 999}, true},
		"of object bytes that are next to nil": {listings, shares(41, 0, 50), evidence.Actor{Bytes: 450}, false},
		"an icon":                              {of(100), shares(100, 0, 0), evidence.Actor{Bytes: 10}, false},
		"an icon, no object data at all":       {of(100), policy.Facts{AlarmShare: new(int64(0))}, evidence.Actor{Bytes: 10}, false},
		"an unknown part":                      {incident.Record{}, policy.Facts{ObjectShare: new(int64(0))}, evidence.Actor{Bytes: 10}, true},
		"no bytes, the alarm not known":        {incident.Record{}, policy.Facts{}, evidence.Actor{}, false},
		"no bytes":                             {of(100), shares(100, 0, 0), evidence.Actor{}, false},
		"no bytes, little explained":           {of(10), shares(10, 0, 0), evidence.Actor{}, false},
		"no bytes, but a copy out":             {of(100), shares(100, 0, 0), evidence.Actor{Copies: 1}, true},
		"the margin, all explained":            {of(80), shares(80, 0, 0), evidence.Actor{MarginBytes: 90_000}, false},
		"the margin, little explained":         {of(79), shares(79, 0, 0), evidence.Actor{MarginBytes: 1000}, true},
		"an icon in the margin":                {of(79), shares(79, 0, 0), evidence.Actor{MarginBytes: 999}, false},
		"the margin, the alarm not known":      {incident.Record{}, policy.Facts{}, evidence.Actor{MarginBytes: 10}, false},
		"more than was alarmed":                {of(300), shares(300, 300, 100), evidence.Actor{Bytes: 300_000}, true},
	} {
		if got := material(c.record, c.facts, c.actor); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
