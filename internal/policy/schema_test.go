package policy

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
)

func ownSchema(t *testing.T) *resolved.Schema {
	t.Helper()
	var s schema.Schema
	if err := s.UnmarshalCedar(schemaText); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestShippedPolicyLoadsAndGivesReasons(t *testing.T) {
	p, err := Load("shipped.cedar", ShippedText())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.order) < 10 {
		t.Errorf("it has %d policies", len(p.order))
	}
	if Shipped() == nil {
		t.Error("Shipped is nil")
	}
	ShippedText()[0] = 'x'
	if got, want := ShippedText()[0], shipped[0]; got != want {
		t.Errorf("its first byte became %q, want %q", got, want)
	}
}

func TestEnumsAndActionsAreThoseOfTheCode(t *testing.T) {
	r := ownSchema(t)
	var kinds []actor.Kind
	for _, v := range r.Enums["Kind"].Values {
		kinds = append(kinds, actor.Kind(v.ID))
	}
	if diff := cmp.Diff(actor.Kinds(), kinds); diff != "" {
		t.Errorf("kinds (-code +schema):\n%s", diff)
	}
	var seals []Sealed
	for _, v := range r.Enums["Sealed"].Values {
		seals = append(seals, Sealed(v.ID))
	}
	if diff := cmp.Diff(Seals(), seals); diff != "" {
		t.Errorf("seals (-code +schema):\n%s", diff)
	}
	var actions []Action
	for uid, a := range r.Actions {
		if uid.ID == "contain" {
			continue
		}
		actions = append(actions, Action(uid.ID))
		if !a.Entity.Parents.Contains(cedar.NewEntityUID("Action", "contain")) {
			t.Errorf("action %q is not in contain", uid.ID)
		}
		want := []types.EntityType{types.EntityType(targetOf(Action(uid.ID)).Type)}
		if diff := cmp.Diff(want, a.AppliesTo.Resources); diff != "" {
			t.Errorf("the targets of %q (-want +schema):\n%s", uid.ID, diff)
		}
	}
	slices.Sort(actions)
	if diff := cmp.Diff(slices.Sorted(slices.Values(Actions())), actions); diff != "" {
		t.Errorf("actions (-code +schema):\n%s", diff)
	}
}

func full() Facts {
	f := stolen()
	f.Via, f.MintedOthers = "athena.amazonaws.com", new(false)
	f.Account, f.Unit, f.Principal = "111122223333", "Prod", "arn:aws:iam::111122223333:user/mara"
	return f
}

func TestContextHasTheAttributesOfTheSchema(t *testing.T) {
	want := ownSchema(t).Actions[cedar.NewEntityUID("Action", "deactivate-key")].AppliesTo.Context
	all, least := full().context(true).Map(), Facts{}.context(false).Map()
	for name, attribute := range want {
		if _, ok := all[name]; !ok {
			t.Errorf("the schema has %q, the facts never do", name)
		}
		if _, ok := least[name]; ok == attribute.Optional {
			t.Errorf("%q: in the least facts %t, optional in the schema %t", name, ok, attribute.Optional)
		}
	}
	for name := range all {
		if _, ok := want[name]; !ok {
			t.Errorf("the facts have %q, the schema does not", name)
		}
	}
}

func TestRequestsFitTheSchema(t *testing.T) {
	v := validate.New(ownSchema(t))
	for _, a := range Actions() {
		for _, k := range actor.Kinds() {
			for name, f := range map[string]Facts{"full": full(), "least": {}} {
				f.Kind = k
				target := targetOf(a)
				resource := cedar.NewEntityUID(cedar.EntityType(target.Type), cedar.String(target.ID))
				if err := v.Request(cedar.Request{Principal: cedar.NewEntityUID("Responder", "nightlatch"),
					Action: cedar.NewEntityUID("Action", cedar.String(a)), Resource: resource, Context: f.context(true)}); err != nil {
					t.Errorf("%s, %s, %s: the request does not fit the schema: %v", a, k, name, err)
				}
				if err := v.Entities(entities(resource, target)); err != nil {
					t.Errorf("%s: the entities do not fit the schema: %v", a, err)
				}
			}
		}
	}
	if err := v.Request(cedar.Request{Principal: cedar.NewEntityUID("Responder", "nightlatch"),
		Action: cedar.NewEntityUID("Action", "deactivate-key"), Resource: cedar.NewEntityUID("AccessKey", "x")}); err == nil {
		t.Error("the validator takes a request without facts: the test above proves nothing")
	}
}

// random are facts near the shipped policy's thresholds: any of them, or mostly those of a theft or of a usual reader.
func random(r *rand.Rand) Facts {
	f, bases := anyFacts(r), []Facts{stolen(), usual()}
	if i := r.IntN(3); i < len(bases) {
		mixed, other := reflect.ValueOf(&bases[i]).Elem(), reflect.ValueOf(f)
		for field := range mixed.NumField() {
			if r.IntN(10) == 0 {
				mixed.Field(field).Set(other.Field(field))
			}
		}
		return bases[i]
	}
	return f
}

func anyFacts(r *rand.Rand) Facts {
	share := func(near ...int64) *int64 {
		if r.IntN(12) == 0 {
			return nil
		}
		return new(near[r.IntN(len(near))])
	}
	yes := func(of int) bool { return r.IntN(of) != 0 }
	f := Facts{
		Kind: actor.IAMUserKey, Manual: !yes(12), Confirmed: yes(12), Complete: yes(12), Settled: yes(8), Lost: !yes(12), Sealed: Seals()[max(r.IntN(24)-21, 0)], Spread: !yes(3), Copies: int64(r.IntN(2)),
		Explained: share(0, 79, 80, 95, 100, 110, 111, 400), AlarmShare: share(0, 9, 10, 50, 97), ObjectShare: share(0, 9, 10, 50, 51, 100),
		Unfamiliar: share(0, 0, 59, 60, 97), Presigned: share(0, 10, 11, 100), HistoryDays: share(0, 1, 3, 14),
		OfFloor: share(0, 99, 100, 500, 4000), Volume: share(0, 100, 301, 900, 10_000), ThroughUsual: share(0, 100, 200, 201), HistoryBytes: share(0, 1, 1000, 5000), Novelty: share(0, 0, 49, 50),
		NewNetworks: share(0, 0, 2, 3), OriginsSeen: yes(12),
	}
	if yes(12) {
		f.FamiliarActive, f.InUse, f.Company, f.OwnEndpoint, f.SignedIn, f.UsedElsewhere, f.UsedUnrecorded = new(r.IntN(3) == 0), new(r.IntN(3) == 0), new(r.IntN(3) == 0), new(r.IntN(3) == 0), new(r.IntN(3) == 0), new(r.IntN(3) == 0), new(r.IntN(3) == 0)
	}
	for _, describes := range []**bool{&f.SeesAll, &f.LookedRound, &f.RefusedBefore, &f.NewAgent, &f.OddHour} {
		if yes(6) {
			*describes = new(r.IntN(2) == 0)
		}
	}
	f.UsedPlaces, f.UsedHours, f.UsedAgo, f.UsedServices, f.UsedBuckets = share(0, 1, 20), share(0, 7, 168), share(0, 40, 10_080), share(0, 1, 9), share(0, 1, 9)
	f.HitsOthers = share(0, 1, 2000)
	if f.OfStored = share(0, 50, 100, 4000); !yes(12) {
		f.Via = "athena.amazonaws.com"
	}
	return f
}

// leftAsUsual and containable say, in Go, what the shipped policy says in Cedar.
func leftAsUsual(f Facts) bool {
	below := func(p *int64, n int64) bool { return p != nil && *p < n }
	return below(f.AlarmShare, 10) && below(f.ObjectShare, 10) && below(f.Unfamiliar, 1) && f.Copies == 0 && !f.Spread &&
		f.OriginsSeen && below(f.ThroughUsual, 201) && below(f.OfFloor, 100) && f.HistoryDays != nil && *f.HistoryDays >= 3
}

func containable(f Facts) bool {
	between := func(p *int64, low, high int64) bool { return p != nil && *p >= low && *p <= high }
	const most = 1 << 40
	no := func(p *bool) bool { return p != nil && !*p }
	return f.Via == "" && !f.Manual && f.Confirmed && f.Settled && !f.Lost && (f.Sealed == Proved || f.Sealed == Stated) && no(f.InUse) && between(f.HistoryDays, 1, most) &&
		between(f.HistoryBytes, 1, most) && between(f.OfFloor, 100, most) && between(f.Volume, 301, most) && between(f.Novelty, 0, 49) && between(f.NewNetworks, 0, 2) &&
		no(f.Company) && no(f.OwnEndpoint) && no(f.SignedIn) && no(f.UsedElsewhere) && no(f.UsedUnrecorded)
}

// Nothing falls between the policies: a key is contained, asked about for a reason, or left as usual.
func TestShippedPolicyIsExhaustive(t *testing.T) {
	p, r := Shipped(), rand.New(rand.NewPCG(1, 2))
	seen := map[Decision]int{}
	for range 5_000 {
		f := random(r)
		want := Ask
		switch {
		case leftAsUsual(f):
			want = Leave
		case containable(f):
			want = Contain
		}
		got := Decide(p, f, DeactivateKey, key())
		seen[got.Decision]++
		if got.Decision != want || len(got.Reasons) == 0 || got.Reasons[0].Policy == "default-deny" {
			t.Fatalf("Decide(%s) = %q for %v, want %q", cmp.Diff(Facts{}, f), got.Decision, got.Reasons, want)
		}
	}
	for _, d := range []Decision{Contain, Ask, Leave} {
		if seen[d] < 20 {
			t.Errorf("%q came up %d times only: %v", d, seen[d], seen)
		}
	}
}
