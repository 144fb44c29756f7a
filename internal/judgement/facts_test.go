package judgement

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// known is a record of which everything is known: one actor took 700 of 1000 alarmed bytes, of 900 that CloudTrail shows.
func known() (incident.Record, evidence.Actor) {
	a := evidence.Actor{
		Kind: actor.IAMUserKey, Via: "athena.amazonaws.com", Bytes: 700, ObjectBytes: 400, Copies: 3,
		Origins:     []evidence.Origin{{Network: "198.51.100.0/24", Bytes: 600}, {Network: "198.51.100.0/24", Presigned: true, Bytes: 100}},
		HistoryDays: new(int64(4)), FamiliarBytes: new(int64(50)), UnfamiliarBytes: new(int64(650)), FamiliarActive: new(true), TakenBytes: new(int64(660)),
		Habits: evidence.Habits{ObjectDays: new(int64(6)), ObjectHistory: new(int64(9000)), NewDays: new(int64(2)), UsualBytes: new(int64(100)), DayBytes: new(int64(750)),
			ThroughUsual: new(int64(650)), NewNetworks: new(int64(1)), InUse: new(false), AllOrigins: true,
			Company: new(true), OwnEndpoint: new(false), SignedIn: new(false)},
	}
	r := incident.Record{
		MetricSame: 2, MetricAt: time.Date(2026, 3, 4, 0, 2, 0, 0, time.UTC),
		Alarm:    alarm.Alarm{Source: alarm.Fired, To: time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), Bytes: new(int64(1000)), Threshold: new(500.0), Confirmed: true},
		Evidence: evidence.Evidence{Bytes: 900, ObjectBytes: 500, Explained: new(0.9), Complete: true, Lost: []string{}},
	}
	return r, a
}

func TestFactsOf(t *testing.T) {
	all := func() policy.Facts {
		return policy.Facts{Kind: actor.IAMUserKey, Via: "athena.amazonaws.com", Confirmed: true, Complete: true, Settled: true, Explained: new(int64(90)), AlarmShare: new(int64(70)),
			ObjectShare: new(int64(80)), Unfamiliar: new(int64(65)), FamiliarActive: new(true), Presigned: new(int64(15)), HistoryDays: new(int64(4)), Copies: 3,
			OfFloor: new(int64(150)), Volume: new(int64(750)), ThroughUsual: new(int64(650)), HistoryBytes: new(int64(9000)), Novelty: new(int64(20)), NewNetworks: new(int64(1)),
			InUse: new(false), OriginsSeen: true, Company: new(true), OwnEndpoint: new(false), SignedIn: new(false)}
	}
	for name, c := range map[string]struct {
		change func(*incident.Record, *evidence.Actor)
		want   func(*policy.Facts)
	}{
		"everything is known":                   {func(*incident.Record, *evidence.Actor) {}, func(*policy.Facts) {}},
		"a manual event":                        {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Source = alarm.Manual }, func(f *policy.Facts) { f.Manual = true }},
		"no source is no alarm":                 {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Source = "" }, func(f *policy.Facts) { f.Manual = true }},
		"not confirmed":                         {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Confirmed = false }, func(f *policy.Facts) { f.Confirmed, f.Settled = false, false }},
		"not complete":                          {func(r *incident.Record, _ *evidence.Actor) { r.Evidence.Complete = false }, func(f *policy.Facts) { f.Complete, f.Settled = false, false }},
		"evidence was lost":                     {func(r *incident.Record, _ *evidence.Actor) { r.Evidence.Lost = []string{"a file"} }, func(f *policy.Facts) { f.Lost, f.Settled = true, false }},
		"the metric is not known":               {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Bytes, r.Evidence.Explained = nil, nil }, func(f *policy.Facts) { f.Settled, f.Explained, f.AlarmShare, f.Unfamiliar = false, nil, nil, nil }},
		"the metric is zero":                    {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Bytes, r.Evidence.Explained = new(int64(0)), nil }, func(f *policy.Facts) { f.Settled, f.Explained, f.AlarmShare, f.Unfamiliar = false, nil, nil, nil }},
		"not all calls of IAM, STS and sign-in": {func(r *incident.Record, _ *evidence.Actor) { r.Management = settings.ManagementSome }, func(f *policy.Facts) { f.InUse, f.SignedIn = nil, nil }},
		"what they show is known all the same": {func(r *incident.Record, a *evidence.Actor) {
			r.Management, a.InUse, a.SignedIn, a.ListedFirst = settings.ManagementSome, new(true), new(true), true
		},
			func(f *policy.Facts) { f.InUse, f.SignedIn, f.LookedRound = new(true), new(true), new(true) }},
		"not all of the trail's, and a store answered": {func(r *incident.Record, _ *evidence.Actor) {
			r.Management, r.Evidence.Engine = settings.ManagementSome, evidence.StoreEngine
		}, func(*policy.Facts) {}},
		"all of them":            {func(r *incident.Record, _ *evidence.Actor) { r.Management = settings.ManagementAll }, func(*policy.Facts) {}},
		"no object data":         {func(r *incident.Record, a *evidence.Actor) { r.Evidence.ObjectBytes, a.ObjectBytes = 0, 0 }, func(f *policy.Facts) { f.ObjectShare = nil }},
		"the actor took nothing": {func(_ *incident.Record, a *evidence.Actor) { a.Bytes, a.Origins = 0, nil }, func(f *policy.Facts) { f.AlarmShare, f.Presigned = new(int64(0)), nil }},
		"the history is not known": {func(_ *incident.Record, a *evidence.Actor) {
			a.HistoryDays, a.UnfamiliarBytes, a.FamiliarActive = nil, nil, nil
		}, func(f *policy.Facts) { f.HistoryDays, f.Unfamiliar, f.FamiliarActive = nil, nil, nil }},
		"zero is not unknown": {func(_ *incident.Record, a *evidence.Actor) {
			a.HistoryDays, a.UnfamiliarBytes, a.FamiliarActive = new(int64(0)), new(int64(0)), new(false)
		}, func(f *policy.Facts) {
			f.HistoryDays, f.Unfamiliar, f.FamiliarActive = new(int64(0)), new(int64(0)), new(false)
		}},
		"theft in the margin": {func(r *incident.Record, a *evidence.Actor) {
			r.Evidence.Explained, a.MarginBytes, r.Evidence.Bytes = new(0.5), 1, 500
		}, func(f *policy.Facts) { f.Explained, f.OriginsSeen = new(int64(50)), false }},
		"of a deployment": {func(r *incident.Record, _ *evidence.Actor) { r.Place.Region = "eu-west-1" }, func(f *policy.Facts) { f.OfFloor = new(int64(0)) }},
		"of an account in a unit": {func(r *incident.Record, a *evidence.Actor) {
			r.Place, a.PrincipalARN = incident.Place{AccountID: "111122223333", Region: "eu-west-1", Unit: "Prod"}, "arn:aws:iam::111122223333:user/mara"
		}, func(f *policy.Facts) {
			f.OfFloor, f.Account, f.Unit, f.Principal = new(int64(0)), "111122223333", "Prod", "arn:aws:iam::111122223333:user/mara"
		}},
		"of a small bucket": {func(r *incident.Record, a *evidence.Actor) {
			r.Place.Region, r.Alarm.Stored, a.DayBytes = "eu-west-1", new(int64(60<<20)), new(int64(45<<20))
		}, func(f *policy.Facts) {
			f.OfFloor, f.Volume, f.OfStored = new(int64(150)), new(int64(45<<20)), new(int64(1))
		}},
		"over files, no threshold": {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Threshold = nil }, func(f *policy.Facts) { f.OfFloor = new(int64(0)) }},
		"the day is not known":     {func(_ *incident.Record, a *evidence.Actor) { a.DayBytes = nil }, func(f *policy.Facts) { f.OfFloor, f.Volume = nil, nil }},
		"no big day":               {func(_ *incident.Record, a *evidence.Actor) { a.UsualBytes = new(int64(0)) }, func(f *policy.Facts) { f.Volume = nil }},
		"no habits": {func(_ *incident.Record, a *evidence.Actor) { a.Habits = evidence.Habits{} }, func(f *policy.Facts) {
			f.OfFloor, f.Volume, f.ThroughUsual, f.HistoryBytes, f.Novelty, f.NewNetworks, f.InUse, f.OriginsSeen = nil, nil, nil, nil, nil, nil, nil, false
			f.Company, f.OwnEndpoint, f.SignedIn = nil, nil, nil
		}},
		"the sum over all origins counts": {func(_ *incident.Record, a *evidence.Actor) { a.SignedBytes = new(int64(693)) }, func(f *policy.Facts) { f.Presigned = new(int64(1)) }},
		"signed who knows how":            {func(_ *incident.Record, a *evidence.Actor) { a.Origins[0].SigningUnknown = true }, func(f *policy.Facts) { f.Presigned = new(int64(100)) }},
		"origins are not listed":          {func(_ *incident.Record, a *evidence.Actor) { a.Origins = a.Origins[:1]; a.Origins[0].Bytes = 350 }, func(f *policy.Facts) { f.Presigned = new(int64(50)) }},
		"all signed":                      {func(_ *incident.Record, a *evidence.Actor) { a.Origins = a.Origins[:1]; a.Origins[0].Bytes = 700 }, func(f *policy.Facts) { f.Presigned = new(int64(0)) }},
		"one byte was presigned":          {func(_ *incident.Record, a *evidence.Actor) { a.Origins[0].Bytes = 699 }, func(f *policy.Facts) { f.Presigned = new(int64(1)) }},
		"origins add up too high":         {func(_ *incident.Record, a *evidence.Actor) { a.Origins[0].Bytes = 7000 }, func(f *policy.Facts) { f.Presigned = new(int64(0)) }},
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

// What may still come is bounded, and what it took for sure is not taken back: then the verdict does not wait.
func TestSettled(t *testing.T) {
	early := func() (incident.Record, evidence.Actor) {
		r, a := known()
		r.Alarm.From = r.Alarm.To.Add(-time.Minute)
		at := r.Alarm.To.Add(10 * time.Minute)
		r.Evidence.Complete, r.HistoryPast = false, &evidence.Past{}
		r.Rounds = []incident.QueryRound{{At: at, Digest: "x", Past: &evidence.Past{}}, {At: at, Digest: "y", Past: &evidence.Past{}}}
		return r, a
	}
	for name, c := range map[string]struct {
		change          func(*incident.Record, *evidence.Actor)
		early, complete bool
	}{
		"60 % of 1.1 times the metric":  {func(*incident.Record, *evidence.Actor) {}, true, true},
		"a byte less":                   {func(_ *incident.Record, a *evidence.Actor) { a.TakenBytes = new(int64(659)) }, false, false},
		"the trail shows more than all": {func(r *incident.Record, _ *evidence.Actor) { r.Evidence.Bytes = 1001 }, false, false},
		"and it took of that":           {func(r *incident.Record, a *evidence.Actor) { r.Evidence.Bytes, a.TakenBytes = 1100, new(int64(726)) }, true, true},
		"the two contradict each other": {func(r *incident.Record, a *evidence.Actor) { r.Evidence.Bytes, a.TakenBytes = 1101, new(int64(1101)) }, false, false},
		"what it took is not known":     {func(_ *incident.Record, a *evidence.Actor) { a.TakenBytes = nil }, false, false},
		"some evidence is lost":         {func(r *incident.Record, _ *evidence.Actor) { r.Evidence.Lost = []string{"a file"} }, false, false},
		"a record came late":            {func(r *incident.Record, _ *evidence.Actor) { r.Evidence.Amended = 1 }, false, true},
		"a human asked":                 {func(r *incident.Record, _ *evidence.Actor) { r.Once = true }, false, true},
		"the past is not known":         {func(r *incident.Record, _ *evidence.Actor) { r.HistoryPast = nil }, false, true},
		"the metric may rise":           {func(r *incident.Record, _ *evidence.Actor) { r.MetricSame = 1 }, false, false},
		"the metric counts a part":      {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Counts, r.Evidence.Explained = "a part", nil }, false, false},
		"the metric is nothing":         {func(r *incident.Record, _ *evidence.Actor) { r.Alarm.Bytes, r.Evidence.Explained = new(int64(0)), nil }, false, false},
		"an earlier build's: by its own way": {func(r *incident.Record, a *evidence.Actor) {
			r.MetricSame, a.TakenBytes, a.Origins = 0, nil, a.Origins[:1]
			a.Origins[0].Bytes = 700
		}, false, true},
		"that: less than it asked for": {func(r *incident.Record, a *evidence.Actor) {
			r.MetricSame, a.TakenBytes, a.UnfamiliarBytes = 0, nil, new(int64(599))
		}, false, false},
	} {
		r, a := early()
		c.change(&r, &a)
		if got := FactsOf(r, a).Settled; got != c.early {
			t.Errorf("%s, early: settled %t, want %t", name, got, c.early)
		}
		r.Evidence.Complete = len(r.Evidence.Lost) == 0
		if got := FactsOf(r, a).Settled; got != c.complete {
			t.Errorf("%s, complete: settled %t, want %t", name, got, c.complete)
		}
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

func TestNovelty(t *testing.T) {
	for _, c := range []struct{ days, fresh, want int64 }{
		{0, 0, 0}, {1, 1, 0}, {2, 1, 0}, {2, 2, 100}, {4, 3, 0}, {4, 4, 100}, // too few to say more
		{5, 1, 0}, {5, 2, 25}, {5, 3, 50}, {11, 11, 100}, {14, 7, 47}, {12, 0, 0},
	} {
		if got := novelty(evidence.Actor{Habits: evidence.Habits{ObjectDays: &c.days, NewDays: &c.fresh}}); *got != c.want {
			t.Errorf("%d of %d days: got %d, want %d", c.fresh, c.days, *got, c.want)
		}
	}
	if got := novelty(evidence.Actor{Habits: evidence.Habits{ObjectDays: new(int64(9))}}); got != nil {
		t.Errorf("of what is not known: got %d", *got)
	}
}

// Three keys that take a third each to one address are one theft. Who reads a little there is not judged with them.
func TestKeysAtOneNetworkAreJudgedTogether(t *testing.T) {
	thief := func(key string, bytes int64, changes ...func(*evidence.Actor)) evidence.Actor {
		a := evidence.Actor{Kind: actor.IAMUserKey, AccessKeyID: key, Bytes: bytes, ObjectBytes: bytes, UnfamiliarBytes: &bytes,
			Origins: []evidence.Origin{{Network: "198.51.100.0/24", Bytes: bytes, Familiar: new(false)}}, Habits: evidence.Habits{DayBytes: &bytes}}
		for _, change := range changes {
			change(&a)
		}
		return a
	}
	elsewhere := func(a *evidence.Actor) { a.Origins[0].Network = "203.0.113.0/24" }
	session := func(a *evidence.Actor) { a.Kind = actor.RoleSession }
	home := func(a *evidence.Actor) { a.Origins[0].Familiar, a.UnfamiliarBytes = new(true), new(int64(0)) }
	for name, c := range map[string]struct {
		actors  []evidence.Actor
		share   int64 // of the first, per cent
		ofFloor int64
	}{
		"three thirds":                {[]evidence.Actor{thief("A", 300), thief("B", 300), thief("C", 300)}, 90, 180},
		"a reader of a little":        {[]evidence.Actor{thief("A", 800), thief("B", 79)}, 80, 160},
		"the reader of a little":      {[]evidence.Actor{thief("A", 79), thief("B", 800)}, 7, 15},
		"one at another network":      {[]evidence.Actor{thief("A", 400), thief("B", 500, elsewhere)}, 40, 80},
		"one to whom it is familiar":  {[]evidence.Actor{thief("A", 400), thief("B", 500, home)}, 40, 80},
		"a session is another matter": {[]evidence.Actor{thief("A", 400), thief("B", 500, session)}, 40, 80},
	} {
		t.Run(name, func(t *testing.T) {
			r := incident.Record{Alarm: alarm.Alarm{Source: alarm.Fired, Bytes: new(int64(1000)), Threshold: new(500.0)},
				Evidence: evidence.Evidence{Bytes: 1000, ObjectBytes: 1000, Explained: new(1.0), Actors: c.actors}}
			f := FactsOf(r, c.actors[0])
			if diff := cmp.Diff([]*int64{&c.share, &c.share, &c.share, &c.ofFloor}, []*int64{f.ObjectShare, f.Unfamiliar, f.AlarmShare, f.OfFloor}); diff != "" {
				t.Errorf("object share, unfamiliar, share of the alarm, of the floor (-want +got):\n%s", diff)
			}
		})
	}
}

// Whoever takes more than the floor to places that it does not know is judged, however much others take.
func TestWhatIsAboveTheFloorIsMaterial(t *testing.T) {
	const gib = 1 << 30
	r := incident.Record{Place: incident.Place{Region: "eu-west-1"}, Alarm: alarm.Alarm{Bytes: new(int64(403 * gib))}, Evidence: evidence.Evidence{ObjectBytes: 403 * gib}}
	small := policy.Facts{Explained: new(int64(100)), AlarmShare: new(int64(0)), ObjectShare: new(int64(0))}
	for name, c := range map[string]struct {
		actor evidence.Actor
		want  bool
	}{
		"3.9 GiB beside a job of 400": {evidence.Actor{Bytes: 39 * gib / 10, UnfamiliarBytes: new(int64(39 * gib / 10))}, true},
		"the floor to the byte":       {evidence.Actor{Bytes: gib, UnfamiliarBytes: new(int64(gib))}, true},
		"a byte less":                 {evidence.Actor{Bytes: gib - 1, UnfamiliarBytes: new(int64(gib - 1))}, false},
		"all of it to the office":     {evidence.Actor{Bytes: 3 * gib, UnfamiliarBytes: new(int64(0))}, false},
		"who knows where":             {evidence.Actor{Bytes: 3 * gib}, true},
		"over several windows":        {evidence.Actor{Bytes: 9 * gib / 10, UnfamiliarBytes: new(int64(9 * gib / 10)), Habits: evidence.Habits{StrangeDayBytes: new(int64(18 * gib / 10))}}, true},
	} {
		if got := material(r, small, c.actor); got != c.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestLastUseInAnotherService(t *testing.T) {
	from := time.Date(2026, 3, 4, 0, 7, 0, 0, time.UTC)
	r := incident.Record{Alarm: alarm.Alarm{From: from}}
	for name, c := range map[string]struct {
		last *policy.LastUse
		want *bool
	}{
		"not asked":                {nil, nil},
		"never used":               {&policy.LastUse{}, new(false)},
		"in S3, by the thief":      {&policy.LastUse{At: from, Service: "s3"}, new(false)},
		"in another service":       {&policy.LastUse{At: from.Add(-23 * time.Hour), Service: "ec2"}, new(true)},
		"in another, since":        {&policy.LastUse{At: from.Add(5 * time.Minute), Service: "ec2"}, new(true)},
		"in another, two days ago": {&policy.LastUse{At: from.Add(-48 * time.Hour), Service: "ec2"}, new(false)},
	} {
		if diff := cmp.Diff(c.want, usedElsewhere(r, policy.Target{LastUsed: c.last})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLastUseThatNoRecordShows(t *testing.T) {
	at := time.Date(2026, 3, 4, 0, 7, 30, 0, time.UTC)
	thief := evidence.Actor{LastSeen: at, Habits: evidence.Habits{LastRecord: &at}}
	use := func(after time.Duration) *policy.LastUse { return &policy.LastUse{At: at.Add(after), Service: "s3"} }
	for name, c := range map[string]struct {
		records string
		actor   evidence.Actor
		last    *policy.LastUse
		want    *bool
	}{
		"not asked":                              {"", thief, nil, nil},
		"not asked, and all is recorded":         {settings.AllEvents, thief, nil, new(false)},
		"never used":                             {"", thief, &policy.LastUse{}, new(false)},
		"as recorded":                            {"", thief, use(0), new(false)},
		"the theft goes on":                      {settings.WatchedReads, thief, use(15 * time.Minute), new(false)},
		"longer than records are late":           {settings.WatchedReads, thief, use(15*time.Minute + time.Second), new(true)},
		"the reads of every bucket are recorded": {settings.AllReads, thief, use(time.Hour), new(true)},
		"what is recorded is not known":          {"", thief, use(time.Hour), new(true)},
		"all is recorded":                        {settings.AllEvents, thief, use(time.Hour), new(false)},
		"the history is not known":               {"", evidence.Actor{LastSeen: at}, use(time.Hour), new(true)},
		"no record":                              {"", evidence.Actor{}, use(0), nil},
		"no record, and no use":                  {"", evidence.Actor{}, &policy.LastUse{}, new(false)},
	} {
		if diff := cmp.Diff(c.want, usedUnrecorded(incident.Record{Records: c.records}, c.actor, policy.Target{LastUsed: c.last})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A sign-in speaks for the owner only where it is older than the history; where that is not known, it is not known whether he signed in.
func TestASignInIsHeldByItsAge(t *testing.T) {
	from := time.Date(2026, 3, 4, 0, 7, 0, 0, time.UTC)
	r := incident.Record{Alarm: alarm.Alarm{From: from}}
	old, young := from.Add(-15*24*time.Hour), from.Add(-13*24*time.Hour)
	for name, c := range map[string]struct {
		signedIn *bool
		sign     *policy.SignIn
		want     *bool
		taken    int64
	}{
		"nobody signed in":      {new(false), nil, new(false), 10},
		"not known who":         {nil, &policy.SignIn{Password: young, Device: young}, nil, 10},
		"their age not known":   {new(true), nil, nil, 10},
		"both old":              {new(true), &policy.SignIn{Password: old, Device: old}, new(true), 10},
		"a young password":      {new(true), &policy.SignIn{Password: young, Device: old}, new(false), 40},
		"a young second factor": {new(true), &policy.SignIn{Password: old, Device: young}, new(false), 40},
	} {
		a := evidence.Actor{TakenBytes: new(int64(10)), Habits: evidence.Habits{SignedIn: c.signedIn, SignedInBytes: 30}}
		got := held(r, a, policy.Target{SignIn: c.sign})
		if diff := cmp.Diff(c.want, got.SignedIn); diff != "" || *got.TakenBytes != c.taken || *a.TakenBytes != 10 {
			t.Errorf("%s: taken %d of %d (-want +got):\n%s", name, *got.TakenBytes, *a.TakenBytes, diff)
		}
	}
}

func TestWhatDescribesIsKnownOrNot(t *testing.T) {
	at := time.Date(2026, 3, 4, 0, 7, 30, 0, time.UTC)
	known := evidence.Habits{LastRecord: &at}
	for name, c := range map[string]struct {
		actor evidence.Actor
		want  [3]*bool // looked round, refused before, odd hour
	}{
		"nothing":             {evidence.Actor{}, [3]*bool{}},
		"nothing to tell":     {evidence.Actor{Habits: known}, [3]*bool{new(false), new(false), nil}},
		"listed first":        {evidence.Actor{ListedFirst: true}, [3]*bool{new(true), nil, nil}},
		"looked round before": {evidence.Actor{Habits: evidence.Habits{LastRecord: &at, LookedRound: at, RefusedAt: at}}, [3]*bool{new(true), new(true), nil}},
		"refused now":         {evidence.Actor{Errors: map[string]int64{"AccessDenied": 1}, Habits: known}, [3]*bool{new(false), new(true), nil}},
		"by day":              {evidence.Actor{FirstSeen: at, Habits: evidence.Habits{Hours: &evidence.Hours{From: 9 * 3600, To: 17 * 3600}}}, [3]*bool{nil, nil, new(true)}},
		"at its hours":        {evidence.Actor{FirstSeen: at, Habits: evidence.Habits{Hours: &evidence.Hours{From: 0, To: 3600}}}, [3]*bool{nil, nil, new(false)}},
	} {
		if diff := cmp.Diff(c.want, [3]*bool{lookedRound(c.actor), refusedBefore(c.actor), oddHour(c.actor)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	r := incident.Record{Alarm: alarm.Alarm{Stored: new(int64(1000))}, Evidence: evidence.Evidence{}}
	if f := FactsOf(r, evidence.Actor{Bytes: 501}); f.OfStored == nil || *f.OfStored != 51 || f.SeesAll != nil {
		t.Errorf("got %v, %v", f.OfStored, f.SeesAll)
	}
}

// What would break is what is known of the very credential that is cut: of a session's key only where that is an actor too.
func TestWhatWouldBreak(t *testing.T) {
	from := time.Date(2026, 3, 4, 0, 7, 0, 0, time.UTC)
	r := incident.Record{Alarm: alarm.Alarm{From: from}}
	used := &evidence.AlsoUsed{Places: 2, Hours: 160, Services: 3, Buckets: 1, Last: from.Add(-40 * time.Minute)}
	partly := *used
	partly.Partial = true
	for name, c := range map[string]struct {
		used *evidence.AlsoUsed
		want []int64 // -1 is not known
	}{
		"known":       {used, []int64{2, 160, 40, 3, 1}},
		"not known":   {nil, []int64{-1, -1, -1, -1, -1}},
		"nobody else": {&evidence.AlsoUsed{}, []int64{0, 0, -1, 0, 0}},
		"partly":      {&partly, []int64{2, -1, -1, -1, -1}},
	} {
		f := FactsOf(r, evidence.Actor{AccessKeyID: "ASIAEXAMPLESESSION01", Habits: evidence.Habits{AlsoUsed: c.used}})
		for i, got := range []*int64{f.UsedPlaces, f.UsedHours, f.UsedAgo, f.UsedServices, f.UsedBuckets} {
			if known := c.want[i] >= 0; known != (got != nil) || known && *got != c.want[i] {
				t.Errorf("%s: number %d is %v, want %d", name, i, got, c.want[i])
			}
		}
		if key := mintedFacts(r, f, evidence.Actor{}, evidence.Minting{Key: "AKIAEXAMPLEROOTKEY01"}, policy.Target{}); key.UsedPlaces != nil || key.UsedHours != nil || key.UsedAgo != nil {
			t.Errorf("%s: what is known of the session is taken for the key's", name)
		}
	}
}
