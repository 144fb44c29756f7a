package policy

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
)

// stolen are the facts of the one reading that the shipped policy contains.
func stolen() Facts {
	return Facts{
		Kind: actor.IAMUserKey, Confirmed: true, Complete: true, Settled: true, Sealed: Proved,
		Explained: new(int64(99)), AlarmShare: new(int64(97)), ObjectShare: new(int64(98)), Unfamiliar: new(int64(97)),
		FamiliarActive: new(false), Presigned: new(int64(0)), HistoryDays: new(int64(14)), HistoryBytes: new(int64(5000)), OfFloor: new(int64(4000)),
		Volume: new(int64(100_000)), ThroughUsual: new(int64(0)), Novelty: new(int64(0)), NewNetworks: new(int64(0)), InUse: new(false), OriginsSeen: true,
		UsedElsewhere: new(false), UsedUnrecorded: new(false), Company: new(false), OwnEndpoint: new(false), SignedIn: new(false),
		SeesAll: new(false), LookedRound: new(true), RefusedBefore: new(true), NewAgent: new(true), OddHour: new(true), OfStored: new(int64(90)),
		UsedPlaces: new(int64(2)), UsedHours: new(int64(160)), UsedAgo: new(int64(40)), UsedServices: new(int64(3)), UsedBuckets: new(int64(1)), HitsOthers: new(int64(12)),
	}
}

// usual are the facts of a small reader who does as always.
func usual() Facts {
	f := stolen()
	f.AlarmShare, f.ObjectShare, f.Unfamiliar, f.InUse = new(int64(9)), new(int64(9)), new(int64(0)), new(true)
	f.OfFloor, f.Volume, f.ThroughUsual, f.HistoryDays = new(int64(99)), new(int64(100)), new(int64(200)), new(int64(3))
	return f
}

// key is the key of a user that the account knows.
func key() Target {
	return Target{Type: AccessKey, ID: "AKIAIOSFODNN7EXAMPLE", Owner: "backup-exports", AccountID: "111122223333", Known: true,
		OwnerARN: "arn:aws:iam::111122223333:user/backup-exports", Tags: map[string]string{"team": "data"}}
}

// targetOf is a known target that the action applies to.
func targetOf(a Action) Target {
	t := key()
	switch a {
	case FenceOrigin, DenyUserSessions, QuarantineUser:
		t.Type, t.ID = User, t.OwnerARN
	case DenyRoleSession, DenyRoleSessions:
		t.Type, t.ID = Role, "arn:aws:iam::111122223333:role/web"
	case BlockOnBucket, BlockPublicAccess:
		t.Type, t.ID = Bucket, "arn:aws:s3:::customer-exports"
	}
	return t
}

func ids(v Verdict) []string {
	var out []string
	for _, r := range v.Reasons {
		out = append(out, r.Policy)
	}
	return out
}

// judge checks a verdict's decision and the policies that it names.
func judge(t *testing.T, p *Policy, f Facts, a Action, target Target, decision Decision, reasons ...string) {
	t.Helper()
	got := Decide(p, f, a, target)
	if got.Decision != decision {
		t.Errorf("%q, want %q; reasons %v", got.Decision, decision, got.Reasons)
	}
	if diff := cmp.Diff(reasons, ids(got)); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	for _, r := range got.Reasons {
		if r.Because == "" || strings.Contains(r.Because, "\n") {
			t.Errorf("the reason %q says %q", r.Policy, r.Because)
		}
	}
	if got.Action != a || got.Target.ID != target.ID {
		t.Errorf("the verdict is about %s %s, want %s %s", got.Action, got.Target.ID, a, target.ID)
	}
}

// A key that minted the session which took the bytes is asked about, whatever else holds, with a reason of its own. No rule contains it that was
// written for keys which take something themselves.
func TestAKeyThatMintedASession(t *testing.T) {
	of := func(change func(*Facts)) Facts {
		f := stolen()
		f.Kind, f.Minted, f.MintedOthers = actor.IAMUserSession, true, new(false)
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		change  func(*Facts)
		reasons []string
	}{
		"all that contains a key":          {func(*Facts) {}, []string{"ask-minted"}},
		"it minted others too":             {func(f *Facts) { f.MintedOthers = new(true) }, []string{"ask-minted", "ask-minted-others"}},
		"whether it did is not known":      {func(f *Facts) { f.MintedOthers = nil }, []string{"ask-minted", "ask-minted-others"}},
		"whether it is in use is not":      {func(f *Facts) { f.InUse = nil }, []string{"ask-minted", "ask-in-use"}},
		"others without a minting is none": {func(f *Facts) { f.Minted, f.MintedOthers = false, new(true) }, []string{"ask-kind"}},
	} {
		t.Run(name, func(t *testing.T) { judge(t, Shipped(), of(c.change), DeactivateKey, key(), Ask, c.reasons...) })
	}
	protected := key()
	protected.Protected = "tagged nightlatch:protect"
	judge(t, Shipped(), of(func(*Facts) {}), DeactivateKey, protected, Ask, "protected")
	const rule = `@id("mine") @because("x") permit (principal, action == Action::"deactivate-key", resource) when { `
	for when, want := range map[string]Decision{
		"context.confirmed":                   Ask,
		"context.minted":                      Ask,
		"context.minted && context.confirmed": Ask,
		"context.minted && context has minted_others && !context.minted_others": Contain,
		"context.minted && context has minted_others && context.minted_others":  Leave,
		"!context.minted && context has minted_others":                          Leave,
	} {
		p, err := Load("mine.cedar", []byte(rule+when+" };"))
		if err != nil {
			t.Fatal(err)
		}
		got := Decide(p, of(func(*Facts) {}), DeactivateKey, key())
		if got.Decision != want || want == Ask && ids(got)[0] != "minting" {
			t.Errorf("%s: %q by %v, want %q", when, got.Decision, got.Reasons, want)
		}
		if got := Decide(p, of(func(f *Facts) { f.Complete = false }), DeactivateKey, key()); got.Decision == Contain {
			t.Errorf("%s contains on incomplete evidence, where another session may still show", when)
		}
		warned := slices.ContainsFunc(p.Check(), func(f Finding) bool { return f.Warning && strings.Contains(f.Text, "minted_others") })
		if forgot := strings.HasPrefix(when, "context.minted") && !strings.Contains(when, "others"); warned != forgot {
			t.Errorf("%s: warned %t", when, warned)
		}
	}
}

func TestShippedPolicyOnAKey(t *testing.T) {
	const contain = "contain-stolen-key"
	for name, c := range map[string]struct {
		change   func(*Facts)
		decision Decision
		reason   string
	}{
		"a stolen key":                   {func(f *Facts) {}, Contain, contain},
		"the key that also copied":       {func(f *Facts) { f.Copies = 3 }, Contain, contain},
		"in use by its owner":            {func(f *Facts) { f.InUse = new(true) }, Ask, "ask-in-use"},
		"in use by its owner, not known": {func(f *Facts) { f.InUse = nil }, Ask, "ask-in-use"},
		"used elsewhere":                 {func(f *Facts) { f.UsedElsewhere = new(true) }, Ask, "ask-used-elsewhere"},
		"used elsewhere, not known":      {func(f *Facts) { f.UsedElsewhere = nil }, Ask, "ask-used-elsewhere"},
		"used later than is recorded":    {func(f *Facts) { f.UsedUnrecorded = new(true) }, Ask, "ask-used-unrecorded"},
		"used when is not known":         {func(f *Facts) { f.UsedUnrecorded = nil }, Ask, "ask-used-unrecorded"},
		"what describes says nothing": {func(f *Facts) {
			f.LookedRound, f.RefusedBefore, f.NewAgent, f.OddHour, f.OfStored = new(false), nil, new(false), nil, nil
		}, Contain, contain},
		"the trail's selectors not known":  {func(f *Facts) { f.SeesAll = nil }, Contain, contain},
		"where colleagues work":            {func(f *Facts) { f.Company = new(true) }, Ask, "ask-company"},
		"who works there is not known":     {func(f *Facts) { f.Company = nil }, Ask, "ask-company"},
		"through an endpoint of ours":      {func(f *Facts) { f.OwnEndpoint = new(true) }, Ask, "ask-own-endpoint"},
		"through which is not known":       {func(f *Facts) { f.OwnEndpoint = nil }, Ask, "ask-own-endpoint"},
		"where its owner signed in":        {func(f *Facts) { f.SignedIn = new(true) }, Ask, "ask-signed-in"},
		"whether he did is not known":      {func(f *Facts) { f.SignedIn = nil }, Ask, "ask-signed-in"},
		"just the floor":                   {func(f *Facts) { f.OfFloor = new(int64(100)) }, Contain, contain},
		"less than the floor":              {func(f *Facts) { f.OfFloor = new(int64(99)) }, Ask, "ask-floor"},
		"how much in a day is not known":   {func(f *Facts) { f.OfFloor = nil }, Ask, "ask-floor"},
		"three times a big day":            {func(f *Facts) { f.Volume = new(int64(300)) }, Ask, "ask-volume"},
		"more than three times":            {func(f *Facts) { f.Volume = new(int64(301)) }, Contain, contain},
		"a big day is not known":           {func(f *Facts) { f.Volume = nil }, Ask, "ask-volume"},
		"new networks on half of the days": {func(f *Facts) { f.Novelty = new(int64(50)) }, Ask, "ask-always-new"},
		"on less than half":                {func(f *Facts) { f.Novelty = new(int64(49)) }, Contain, contain},
		"its ways are not known":           {func(f *Facts) { f.Novelty = nil }, Ask, "ask-always-new"},
		"three new networks in a day":      {func(f *Facts) { f.NewNetworks = new(int64(3)) }, Ask, "ask-many-new"},
		"two new networks in a day":        {func(f *Facts) { f.NewNetworks = new(int64(2)) }, Contain, contain},
		"from how many is not known":       {func(f *Facts) { f.NewNetworks = nil }, Ask, "ask-many-new"},
		"its history is of no bytes":       {func(f *Facts) { f.HistoryBytes = new(int64(0)) }, Ask, "ask-no-history"},
		"its history's bytes not known":    {func(f *Facts) { f.HistoryBytes = nil }, Ask, "ask-no-history"},
		"the old fact of it":               {func(f *Facts) { f.FamiliarActive = nil }, Contain, contain},
		"no earlier day":                   {func(f *Facts) { f.HistoryDays = new(int64(0)) }, Ask, "ask-no-history"},
		"one earlier day":                  {func(f *Facts) { f.HistoryDays = new(int64(1)) }, Contain, contain},
		"the history is not known":         {func(f *Facts) { f.HistoryDays = nil }, Ask, "ask-no-history"},
		"its part of the alarm not known":  {func(f *Facts) { f.AlarmShare = nil }, Contain, contain},
		"through a service":                {func(f *Facts) { f.Via = "athena.amazonaws.com" }, Ask, "ask-via"},
		"by hand":                          {func(f *Facts) { f.Manual = true }, Ask, "ask-manual"},
		"not confirmed":                    {func(f *Facts) { f.Confirmed = false }, Ask, "ask-unconfirmed"},
		"settled, though not complete":     {func(f *Facts) { f.Complete = false }, Contain, contain},
		"not settled":                      {func(f *Facts) { f.Settled = false }, Ask, "ask-unsettled"},
		"some evidence lost":               {func(f *Facts) { f.Lost = true }, Ask, "ask-lost"},
		"the seal is stated":               {func(f *Facts) { f.Sealed = Stated }, Contain, contain},
		"the trail is open":                {func(f *Facts) { f.Sealed = Open }, Ask, "ask-unsealed"},
		"whether it is open is not known":  {func(f *Facts) { f.Sealed = "" }, Ask, "ask-unsealed"},
		"a seal that is none":              {func(f *Facts) { f.Sealed = "ajar" }, Ask, "ask-unsealed"},
		"a stolen key in a spread":         {func(f *Facts) { f.Spread = true }, Contain, contain},
	} {
		t.Run(name, func(t *testing.T) {
			f := stolen()
			c.change(&f)
			judge(t, Shipped(), f, DeactivateKey, key(), c.decision, c.reason)
		})
	}
	t.Run("nothing is known", func(t *testing.T) {
		judge(t, Shipped(), Facts{Kind: actor.IAMUserKey}, DeactivateKey, key(), Ask, "ask-unconfirmed", "ask-unsettled", "ask-incomplete", "ask-unsealed",
			"ask-unexplained", "ask-share", "ask-familiar", "ask-in-use", "ask-used-elsewhere", "ask-used-unrecorded", "ask-company", "ask-own-endpoint", "ask-signed-in",
			"ask-always-new", "ask-many-new", "ask-floor", "ask-volume", "ask-presigned", "ask-no-history")
	})
}

// What "settled" bounds is a reason to ask where it is not settled, and none where it is.
func TestWhyItIsNotSettled(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Facts)
		reason string
	}{
		"explained, too little":             {func(f *Facts) { f.Explained = new(int64(79)) }, "ask-unexplained"},
		"explained, too much":               {func(f *Facts) { f.Explained = new(int64(111)) }, "ask-conflict"},
		"explained, not known":              {func(f *Facts) { f.Explained = nil }, "ask-unexplained"},
		"explained, nothing":                {func(f *Facts) { f.Explained = new(int64(0)) }, "ask-unexplained"},
		"half of the objects":               {func(f *Facts) { f.ObjectShare = new(int64(50)) }, "ask-share"},
		"its part of the objects not known": {func(f *Facts) { f.ObjectShare = nil }, "ask-share"},
		"too much is familiar":              {func(f *Facts) { f.Unfamiliar = new(int64(59)) }, "ask-familiar"},
		"all is familiar":                   {func(f *Facts) { f.Unfamiliar = new(int64(0)) }, "ask-familiar"},
		"what is familiar is not known":     {func(f *Facts) { f.Unfamiliar = nil }, "ask-familiar"},
		"more by presigned URLs":            {func(f *Facts) { f.Presigned = new(int64(11)) }, "ask-presigned"},
		"how it was signed is not known":    {func(f *Facts) { f.Presigned = nil }, "ask-presigned"},
	} {
		t.Run(name, func(t *testing.T) {
			f := stolen()
			c.change(&f)
			judge(t, Shipped(), f, DeactivateKey, key(), Contain, "contain-stolen-key")
			f.Settled = false
			judge(t, Shipped(), f, DeactivateKey, key(), Ask, "ask-unsettled", c.reason)
		})
	}
}

func TestShippedPolicyOnEveryKindAndStep(t *testing.T) {
	for _, k := range actor.Kinds() {
		for _, a := range Actions() {
			t.Run(string(k)+" "+string(a), func(t *testing.T) {
				f := stolen()
				f.Kind = k
				decision, reasons := Ask, []string{"ask-kind", "ask-other-step"}
				switch {
				case k == actor.AWSService:
					decision, reasons = Leave, []string{"leave-service"}
				case k == actor.IAMUserKey && a == DeactivateKey:
					decision, reasons = Contain, []string{"contain-stolen-key"}
				case k == actor.IAMUserKey:
					reasons = reasons[1:]
				case a == DeactivateKey:
					reasons = reasons[:1]
				}
				judge(t, Shipped(), f, a, targetOf(a), decision, reasons...)
			})
		}
	}
}

func TestShippedPolicyLeavesWhatIsUsualAndSmall(t *testing.T) {
	usual := func(change func(*Facts)) Facts {
		f := usual()
		change(&f)
		return f
	}
	asked := []string{"ask-share", "ask-familiar", "ask-in-use", "ask-floor", "ask-volume"}
	for name, c := range map[string]struct {
		change   func(*Facts)
		decision Decision
		reasons  []string
	}{
		"a dashboard":                       {func(f *Facts) {}, Leave, []string{"leave-usual"}},
		"of any kind":                       {func(f *Facts) { f.Kind = actor.RootKey }, Leave, []string{"leave-usual"}},
		"a tenth of the alarm":              {func(f *Facts) { f.AlarmShare = new(int64(10)) }, Ask, asked},
		"a tenth of the objects":            {func(f *Facts) { f.ObjectShare = new(int64(10)) }, Ask, asked},
		"a byte to somewhere new":           {func(f *Facts) { f.Unfamiliar = new(int64(1)) }, Ask, asked},
		"it copied as well":                 {func(f *Facts) { f.Copies = 1 }, Ask, slices.Concat([]string{"ask-copies"}, asked)},
		"its part of the alarm not known":   {func(f *Facts) { f.AlarmShare = nil }, Ask, asked},
		"its part of the objects not known": {func(f *Facts) { f.ObjectShare = nil }, Ask, asked},
		"what is familiar is not known":     {func(f *Facts) { f.Unfamiliar = nil }, Ask, asked},
		"by hand":                           {func(f *Facts) { f.Manual = true }, Leave, []string{"leave-usual"}},
		"more than twice as much as there":  {func(f *Facts) { f.ThroughUsual = new(int64(201)) }, Ask, asked},
		"what it takes there is not known":  {func(f *Facts) { f.ThroughUsual = nil }, Ask, asked},
		"as much as the floor":              {func(f *Facts) { f.OfFloor = new(int64(100)) }, Ask, slices.Concat(asked[:3], asked[4:])},
		"how much in a day is not known":    {func(f *Facts) { f.OfFloor = nil }, Ask, asked},
		"two days of history":               {func(f *Facts) { f.HistoryDays = new(int64(2)) }, Ask, asked},
		"an unknown history":                {func(f *Facts) { f.HistoryDays = nil }, Ask, append(slices.Clip(asked), "ask-no-history")},
		"not all of its origins":            {func(f *Facts) { f.OriginsSeen = false }, Ask, asked},
		"one of many that add up":           {func(f *Facts) { f.Spread = true }, Ask, slices.Concat([]string{"ask-spread"}, asked)},
		"one of many, of any kind":          {func(f *Facts) { f.Spread, f.Kind = true, actor.RootKey }, Ask, slices.Concat([]string{"ask-kind", "ask-spread"}, asked)},
		"one of many, and unfamiliar":       {func(f *Facts) { f.Spread, f.Unfamiliar, f.InUse = true, new(int64(5)), new(false) }, Ask, []string{"ask-spread", "ask-share", "ask-familiar", "ask-floor", "ask-volume"}},
	} {
		t.Run(name, func(t *testing.T) {
			judge(t, Shipped(), usual(c.change), DeactivateKey, key(), c.decision, c.reasons...)
		})
	}
	t.Run("a service that is small too", func(t *testing.T) {
		f := usual(func(f *Facts) { f.Kind = actor.AWSService })
		judge(t, Shipped(), f, BlockOnBucket, targetOf(BlockOnBucket), Leave, "leave-service", "leave-usual")
		f.Spread = true
		judge(t, Shipped(), f, BlockOnBucket, targetOf(BlockOnBucket), Leave, "leave-service")
	})
	for name, c := range map[string]struct {
		through, floor *int64
		decision       Decision
	}{
		"twice what it always takes":     {new(int64(200)), new(int64(9000)), Leave},
		"more than twice":                {new(int64(201)), new(int64(9000)), Ask},
		"forty times":                    {new(int64(4000)), nil, Ask},
		"forty times of next to nothing": {new(int64(4000)), new(int64(99)), Leave},
		"it never read, and little now":  {nil, new(int64(99)), Leave},
		"it never read, and much now":    {nil, new(int64(100)), Ask},
		"nothing is known":               {nil, nil, Ask},
	} {
		t.Run("a service that took "+name, func(t *testing.T) {
			f := stolen()
			f.Kind, f.ThroughUsual, f.OfFloor = actor.AWSService, c.through, c.floor
			reasons := map[Decision][]string{Leave: {"leave-service"}, Ask: {"ask-kind", "ask-service", "ask-other-step"}}[c.decision]
			if c.floor == nil && c.decision == Ask {
				reasons = append(reasons, "ask-floor")
			}
			judge(t, Shipped(), f, BlockOnBucket, targetOf(BlockOnBucket), c.decision, reasons...)
		})
	}
	for name, c := range map[string]struct {
		change   func(*Facts)
		decision Decision
		reasons  []string
	}{
		"a small part":                     {func(f *Facts) {}, Leave, []string{"leave-unattributed"}},
		"one of many parts":                {func(f *Facts) { f.Spread = true }, Ask, []string{"ask-kind", "ask-other-step", "ask-spread"}},
		"a copy":                           {func(f *Facts) { f.Copies = 1 }, Ask, []string{"ask-kind", "ask-copies", "ask-other-step"}},
		"a tenth":                          {func(f *Facts) { f.AlarmShare = new(int64(10)) }, Ask, []string{"ask-kind", "ask-other-step"}},
		"a part of which it is not known":  {func(f *Facts) { f.AlarmShare = nil }, Ask, []string{"ask-kind", "ask-other-step"}},
		"a copy by a service, and little ": {func(f *Facts) { f.Kind, f.OfFloor, f.Copies = actor.AWSService, new(int64(1)), 1 }, Ask, []string{"ask-kind", "ask-copies", "ask-other-step", "ask-floor"}},
	} {
		t.Run("nobody to stop took "+name, func(t *testing.T) {
			f := stolen()
			f.Kind, f.AlarmShare = actor.Unattributed, new(int64(9))
			c.change(&f)
			judge(t, Shipped(), f, BlockOnBucket, targetOf(BlockOnBucket), c.decision, c.reasons...)
		})
	}
}

// everything permits every step, as a careless team might.
func everything(t *testing.T) *Policy {
	t.Helper()
	p, err := Load("careless.cedar", []byte("@id(\"all\")\n@because(\"we trust it\")\npermit (principal, action, resource);"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNoPolicyContainsMoreThanItMay(t *testing.T) {
	p := everything(t)
	judge(t, p, Facts{Confirmed: true, Kind: actor.Unattributed}, BlockOnBucket, targetOf(BlockOnBucket), Contain, "all")
	for name, c := range map[string]struct {
		change func(*Facts, *Target)
		reason string
	}{
		"the responder's own credential":   {func(_ *Facts, t *Target) { t.Self = true }, "self"},
		"a protected principal":            {func(_ *Facts, t *Target) { t.Protected = "tagged nightlatch:protect" }, "protected"},
		"itself, and protected":            {func(_ *Facts, t *Target) { t.Self, t.Protected = true, "named in the deployment" }, "self"},
		"a target nobody knows":            {func(_ *Facts, t *Target) { t.Known = false }, "unknown-target"},
		"a record that contradicts itself": {func(_ *Facts, t *Target) { t.Doubt = "the record names two users" }, "contradicts"},
		"a manual event":                   {func(f *Facts, _ *Target) { f.Manual = true }, "manual"},
		"an alarm that is not confirmed":   {func(f *Facts, _ *Target) { f.Confirmed = false }, "unconfirmed"},
	} {
		for _, a := range Actions() {
			t.Run(name+", "+string(a), func(t *testing.T) {
				f, target := stolen(), targetOf(a)
				c.change(&f, &target)
				judge(t, p, f, a, target, Ask, c.reason)
			})
		}
	}
	t.Run("nothing that is protected is left in silence", func(t *testing.T) {
		f, target := stolen(), key()
		f.Kind, target.Protected = actor.AWSService, "named in the deployment"
		judge(t, Shipped(), f, DeactivateKey, target, Ask, "protected")
	})
	t.Run("no policy", func(t *testing.T) {
		judge(t, nil, stolen(), DeactivateKey, key(), Ask, "no-policy")
	})
}

func TestDecideOfPoliciesThatFail(t *testing.T) {
	overflow := "context.copies * 9223372036854775807 > 1"
	for name, c := range map[string]struct {
		text     string
		decision Decision
		reasons  []string
	}{
		"a permit that fails does not hide": {`@id("p") @because("b") permit (principal, action, resource) when { ` + overflow + ` };`, Ask,
			[]string{"default-deny", "p"}},
		"a forbid that fails does not permit": {`@id("p") @because("b") permit (principal, action, resource);
			@id("f") @because("b") forbid (principal, action, resource) when { ` + overflow + ` };`, Ask, []string{"p", "f"}},
		"one that fails once it is approved": {`@id("p") @because("b") permit (principal, action, resource) when { context.approved && ` + overflow + ` };`,
			Ask, []string{"default-deny", "p"}},
		"one forbids and one fails": {`@id("b") @because("b") forbid (principal, action, resource) when { ` + overflow + ` };
			@id("a") @because("b") forbid (principal, action, resource);`, Ask, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Load("failing.cedar", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			f := stolen()
			f.Copies = 2
			judge(t, p, f, DeactivateKey, key(), c.decision, c.reasons...)
		})
	}
}

func TestPoliciesSeeTagsAndOwners(t *testing.T) {
	p, err := Load("tags.cedar", []byte(`
@id("data") @because("the data team wants it so")
permit (principal, action, resource) when { resource.hasTag("team") && resource.getTag("team") == "data" };
@id("night") @because("its owner may be asked")
permit (principal, action in Action::"contain", resource in User::"arn:aws:iam::111122223333:user/night") when { context.approved };`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change   func(*Target)
		decision Decision
		reason   string
	}{
		"tagged":                  {func(*Target) {}, Contain, "data"},
		"tagged otherwise":        {func(t *Target) { t.Tags = map[string]string{"team": "ops"} }, Leave, "default-deny"},
		"not tagged":              {func(t *Target) { t.Tags = nil }, Leave, "default-deny"},
		"tagged in another case":  {func(t *Target) { t.Tags = map[string]string{"Team": "data"} }, Leave, "default-deny"},
		"a hostile tag":           {func(t *Target) { t.Tags = map[string]string{"team": "data\" || true"} }, Leave, "default-deny"},
		"a key of somebody named": {func(t *Target) { t.Tags, t.OwnerARN = nil, "arn:aws:iam::111122223333:user/night" }, Ask, "night"},
		"a key without an owner":  {func(t *Target) { t.Tags, t.OwnerARN = nil, "" }, Leave, "default-deny"},
	} {
		t.Run(name, func(t *testing.T) {
			target := key()
			c.change(&target)
			judge(t, p, stolen(), DeactivateKey, target, c.decision, c.reason)
		})
	}
}

// facts are the facts that may be missing, and how each is taken away.
var facts = map[string]func(*Facts){
	"explained": func(f *Facts) { f.Explained = nil }, "alarm_share": func(f *Facts) { f.AlarmShare = nil }, "object_share": func(f *Facts) { f.ObjectShare = nil },
	"unfamiliar": func(f *Facts) { f.Unfamiliar = nil }, "familiar_active": func(f *Facts) { f.FamiliarActive = nil }, "presigned": func(f *Facts) { f.Presigned = nil },
	"history_days": func(f *Facts) { f.HistoryDays = nil }, "of_floor": func(f *Facts) { f.OfFloor = nil }, "volume": func(f *Facts) { f.Volume = nil },
	"through_usual": func(f *Facts) { f.ThroughUsual = nil }, "history_bytes": func(f *Facts) { f.HistoryBytes = nil }, "novelty": func(f *Facts) { f.Novelty = nil },
	"new_networks": func(f *Facts) { f.NewNetworks = nil }, "in_use": func(f *Facts) { f.InUse = nil },
	"sees_all": func(f *Facts) { f.SeesAll = nil }, "used_unrecorded": func(f *Facts) { f.UsedUnrecorded = nil }, "looked_round": func(f *Facts) { f.LookedRound = nil },
	"refused_before": func(f *Facts) { f.RefusedBefore = nil }, "new_agent": func(f *Facts) { f.NewAgent = nil }, "odd_hour": func(f *Facts) { f.OddHour = nil }, "of_stored": func(f *Facts) { f.OfStored = nil },
	"used_elsewhere": func(f *Facts) { f.UsedElsewhere = nil }, "company": func(f *Facts) { f.Company = nil }, "own_endpoint": func(f *Facts) { f.OwnEndpoint = nil }, "signed_in": func(f *Facts) { f.SignedIn = nil },
	"used_places": func(f *Facts) { f.UsedPlaces = nil }, "used_hours": func(f *Facts) { f.UsedHours = nil }, "used_ago": func(f *Facts) { f.UsedAgo = nil },
	"used_services": func(f *Facts) { f.UsedServices = nil }, "used_buckets": func(f *Facts) { f.UsedBuckets = nil }, "hits_others": func(f *Facts) { f.HitsOthers = nil },
	// These cannot be missing: not known, they are so.
	"confirmed": func(f *Facts) { f.Confirmed = false }, "complete": func(f *Facts) { f.Complete = false }, "settled": func(f *Facts) { f.Settled = false }, "lost": func(f *Facts) { f.Lost = true },
	"sealed": func(f *Facts) { f.Sealed = "" },
	"manual": func(f *Facts) { f.Manual = true }, "origins_seen": func(f *Facts) { f.OriginsSeen = false },
	"minted": func(f *Facts) { f.Minted = false }, "minted_others": func(f *Facts) { f.MintedOthers = nil },
}

// exemptions speak against a theft, and each is set as strongly as it can be.
var exemptions = map[string]func(*Facts){
	"used_unrecorded": func(f *Facts) { f.UsedUnrecorded = new(true) },
	"used_elsewhere":  func(f *Facts) { f.UsedElsewhere = new(true) }, "in_use": func(f *Facts) { f.InUse = new(true) }, "company": func(f *Facts) { f.Company = new(true) }, "own_endpoint": func(f *Facts) { f.OwnEndpoint = new(true) },
	"signed_in": func(f *Facts) { f.SignedIn = new(true) }, "novelty": func(f *Facts) { f.Novelty = new(int64(100)) }, "new_networks": func(f *Facts) { f.NewNetworks = new(int64(13)) },
	"of_floor": func(f *Facts) { f.OfFloor = new(int64(0)) }, "volume": func(f *Facts) { f.Volume = new(int64(0)) }, "via": func(f *Facts) { f.Via = "athena.amazonaws.com" },
	"history_bytes": func(f *Facts) { f.HistoryBytes = new(int64(0)) },
}

// describing are the facts that excuse nobody, and are in the shipped policy's way nowhere, each as far to both sides as it can be.
var describing = map[string]func(*Facts, bool){
	"looked_round": func(f *Facts, is bool) { f.LookedRound = &is }, "refused_before": func(f *Facts, is bool) { f.RefusedBefore = &is }, "new_agent": func(f *Facts, is bool) { f.NewAgent = &is },
	"odd_hour": func(f *Facts, is bool) { f.OddHour = &is }, "sees_all": func(f *Facts, is bool) { f.SeesAll = &is },
	"of_stored":   func(f *Facts, is bool) { f.OfStored = new(map[bool]int64{true: 1 << 40}[is]) },
	"used_places": func(f *Facts, is bool) { f.UsedPlaces = new(map[bool]int64{true: 1 << 40}[is]) },
	"used_hours":  func(f *Facts, is bool) { f.UsedHours = new(map[bool]int64{true: 168}[is]) }, "used_ago": func(f *Facts, is bool) { f.UsedAgo = new(map[bool]int64{true: 10_080}[is]) },
	"used_services": func(f *Facts, is bool) { f.UsedServices = new(map[bool]int64{true: 1 << 40}[is]) }, "used_buckets": func(f *Facts, is bool) { f.UsedBuckets = new(map[bool]int64{true: 1 << 40}[is]) },
	"hits_others": func(f *Facts, is bool) { f.HitsOthers = new(map[bool]int64{true: 1 << 40}[is]) },
}

// notRead are the facts that contain-stolen-key does not read: "settled" bounds the last five, those before "minted" describe, and two are of another step.
var notRead = []string{"hits_others", "used_places", "used_hours", "used_ago", "used_services", "used_buckets", "sees_all", "looked_round", "refused_before", "new_agent", "odd_hour", "of_stored", "minted", "minted_others", "alarm_share", "familiar_active", "through_usual", "origins_seen", "complete", "explained", "object_share", "unfamiliar", "presigned"}

// What is missing, and what speaks for the caller, turns a containment into a question, and nothing into silence.
func TestNoExemptionSilences(t *testing.T) {
	p, r := Shipped(), rand.New(rand.NewPCG(3, 4))
	tried := map[Decision]int{}
	for range 3_000 {
		f := random(r)
		before := Decide(p, f, DeactivateKey, key()).Decision
		tried[before]++
		for name, set := range describing {
			for _, is := range []bool{false, true} {
				g := f
				if set(&g, is); Decide(p, g, DeactivateKey, key()).Decision != before {
					t.Fatalf("%s is %t: %s becomes another decision: %s", name, is, before, cmp.Diff(Facts{}, f))
				}
			}
		}
		if before == Leave {
			continue
		}
		for what, changes := range map[string]map[string]func(*Facts){"without": facts, "exempted by": exemptions} {
			for name, change := range changes {
				g := f
				change(&g)
				if what == "exempted by" && name == "of_floor" && (before == Ask || leftAsUsual(g)) {
					continue // that somebody took little is no exemption, and leave-usual may read it: who has settled a theft took something to unfamiliar places
				}
				switch after := Decide(p, g, DeactivateKey, key()).Decision; {
				case after == Leave, before == Ask && after == Contain:
					t.Fatalf("%s %s: %s becomes %s of %s", what, name, before, after, cmp.Diff(Facts{}, f))
				case before == Contain && after == Contain && !slices.Contains(notRead, name):
					t.Fatalf("%s %s: it is still contained: %s", what, name, cmp.Diff(Facts{}, f))
				}
			}
		}
	}
	if tried[Contain] < 20 || tried[Ask] < 500 {
		t.Errorf("tried %v", tried)
	}
}

// A step that no rule speaks of is asked about: the rules that leave are named.
func TestWhatNoRuleNamesIsAsked(t *testing.T) {
	p, err := Load("few.cedar", []byte(strings.ReplaceAll(string(ShippedText()), "context.approved && !context.settled", "false")))
	if err != nil {
		t.Fatal(err)
	}
	f := stolen()
	f.Settled = false
	judge(t, p, f, DeactivateKey, key(), Ask, "ask-otherwise")
}
