package evidence

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"

	"nightlatch/internal/alarm"
)

const gib = 1 << 30

// placed is a place, used is a key there.
func placed(network string) Origin { return Origin{Network: network} }

func usedAt(key, network string, first, last time.Duration, bytes int64) Used {
	return Used{AccessKeyID: key, Origin: placed(network), First: noon.Add(-first), Last: noon.Add(-last), Bytes: bytes}
}

// taking is mara's key K, which takes so much from each network.
func taking(bytes int64, networks ...string) Actor {
	a := Actor{AccessKeyID: "K", principal: "P", AccountID: "111122223333", FirstSeen: noon.Add(10 * time.Second), LastSeen: noon.Add(20 * time.Second)}
	for _, n := range networks {
		a.Bytes, a.Origins = a.Bytes+bytes, append(a.Origins, Origin{Network: n, Bytes: bytes, Calls: 1})
	}
	return a
}

// compared reconciles one actor with a history of its principal.
func compared(a Actor, p PrincipalHistory, h History) Actor {
	h.Principals = map[string]*PrincipalHistory{"P": &p}
	return Reconcile(alarm.Alarm{From: noon}, Tally{Actors: []Actor{a}}, &h).Actors[0]
}

const day = 24 * time.Hour

// A place excuses what leaves there by its weight: on how many days, and with how many bytes.
func TestTheWeightOfAPlace(t *testing.T) {
	for name, c := range map[string]struct {
		days, most, bytes int64
		want              bool
	}{
		"never":                     {0, 0, 1, false},
		"one HEAD the day before":   {1, 0, 40 * gib, false},
		"two days of calls":         {2, 0, 1, false},
		"three days of calls":       {3, 0, 40 * gib, true},
		"as much, on one day":       {1, 1000, 1000, true},
		"a hundred times as much":   {1, 1000, 100_000, true},
		"a thousand times as much":  {1, 1000, 1_000_000, false},
		"a byte over a hundred":     {1, 1000, 100_100, false},
		"no bytes now, bytes then":  {1, 1000, 0, true},
		"no bytes now, nor earlier": {1, 0, 0, false},
	} {
		a := compared(taking(c.bytes, "x"), PrincipalHistory{Days: 4, Places: []PlaceHistory{{placed("x"), c.days, c.most}, {placed("home"), 4, 5000}}}, History{})
		if o := a.Origins[0]; *o.Familiar != c.want || *o.Days != c.days || *o.MostBytes != c.most || (*a.UnfamiliarBytes == 0) != (c.want || c.bytes == 0) {
			t.Errorf("%s: got %+v, %d bytes unfamiliar", name, o, *a.UnfamiliarBytes)
		}
	}
	// Days count beside those of the place where it works most: a thief may look round for three days.
	for home, want := range map[int64]bool{3: true, 6: true, 7: false} {
		p := PrincipalHistory{Days: 9, Places: []PlaceHistory{{placed("x"), 3, 0}, {placed("home"), home, 1000}}}
		if got := *compared(taking(gib, "x"), p, History{}).Origins[0].Familiar; got != want {
			t.Errorf("three days beside %d at home: got %t", home, got)
		}
	}
}

// Where the principal works as often as anywhere, and takes as much, is its own place, whatever it takes there now. A few days count where it
// took more than a little.
func TestAPlaceAmongOthers(t *testing.T) {
	const now = 40_000 << 20
	for name, c := range map[string]struct {
		days, most  int64 // at the place
		home, usual int64 // days elsewhere, and what it takes on a big one
		want        bool
	}{
		"its only place, once":              {1, 1000, 0, 1000, true},
		"its only place, twice":             {2, 1000, 0, 1000, true},
		"half as often, and as much":        {1, 500, 2, 1000, true},
		"half as often, and less":           {1, 499, 2, 1000, false},
		"a HEAD, on one of two days":        {1, 0, 1, 1000, false},
		"as much, on one of four days":      {1, 1000, 3, 1000, false},
		"three of ten days with a little":   {3, 10, 7, 1000, false},
		"three of nine days with a little":  {3, 10, 6, 1000, true},
		"three of ten days, a thousandth":   {3, 40 << 20, 7, 100 << 20, true},
		"three of ten days, less than that": {3, 39 << 20, 7, 100 << 20, false},
		"two of nine days, a thousandth":    {2, 40 << 20, 7, 100 << 20, false},
	} {
		p := PrincipalHistory{Days: c.days + c.home, ObjectDays: c.days + c.home, Busiest: c.usual, SecondBusiest: c.usual,
			Places: []PlaceHistory{{placed("x"), c.days, c.most}, {placed("home"), c.home, c.usual}}}
		if a := compared(taking(now, "x"), p, History{}); *a.Origins[0].Familiar != c.want {
			t.Errorf("%s: got familiar %t", name, !c.want)
		}
	}
}

func TestThroughUsual(t *testing.T) {
	p := PrincipalHistory{Days: 4, Places: []PlaceHistory{{placed("x"), 4, 1000}, {placed("y"), 4, 500}, {placed("z"), 4, 0}}}
	cut := taking(900, "x")
	cut.unlisted = map[string]int64{"origin": 1}
	for name, c := range map[string]struct {
		actor Actor
		want  *int64
		all   bool
	}{
		"as much as ever":          {taking(1000, "x"), new(int64(100)), true},
		"a byte more":              {taking(1001, "x"), new(int64(101)), true},
		"the highest of two":       {taking(1000, "x", "y"), new(int64(200)), true},
		"where it never took any":  {taking(10, "x", "z"), nil, true},
		"where it never was":       {taking(10, "w"), nil, true},
		"not all origins returned": {cut, nil, false},
	} {
		a := compared(c.actor, p, History{})
		if diff := cmp.Diff([]any{c.want, c.all}, []any{a.ThroughUsual, a.AllOrigins}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	p.PlacesPartial = true
	if a := compared(taking(10, "w"), p, History{}); a.ThroughUsual != nil || a.AllOrigins || a.UnfamiliarBytes != nil {
		t.Errorf("a place that may be among those not returned: got %+v", a)
	}
}

// Somebody uses the key: from a familiar place, or from another new one where something was read. The thief's own place is not meant.
func TestInUse(t *testing.T) {
	office := PlaceHistory{placed("office"), 5, 1000}
	for name, c := range map[string]struct {
		uses        []Used
		partial     bool
		active, use *bool
		fresh       *int64
		strange     int64
	}{
		"nobody":                                 {nil, false, new(false), new(false), new(int64(0)), gib},
		"the office, an hour ago":                {[]Used{usedAt("K", "office", 9*day, time.Hour, 10)}, false, new(true), new(true), new(int64(0)), gib},
		"the office, with another key":           {[]Used{usedAt("L", "office", 9*day, time.Hour, 10)}, false, new(false), new(false), new(int64(0)), gib},
		"the office, a day ago":                  {[]Used{usedAt("K", "office", 9*day, day, 10)}, false, new(false), new(false), new(int64(0)), gib},
		"where the theft is, before":             {[]Used{usedAt("K", "x", 5*time.Hour, time.Hour, 7)}, false, new(false), new(false), new(int64(0)), gib + 7},
		"another new network, which read":        {[]Used{usedAt("K", "cafe", 5*time.Hour, 4*time.Hour, 7)}, false, new(false), new(true), new(int64(1)), gib + 7},
		"another new network, which looked":      {[]Used{usedAt("K", "cafe", 5*time.Hour, 4*time.Hour, 0)}, false, new(false), new(false), new(int64(1)), gib},
		"another, with another key":              {[]Used{usedAt("L", "cafe", 5*time.Hour, 4*time.Hour, 7)}, false, new(false), new(false), new(int64(1)), gib},
		"another, a moment before":               {[]Used{usedAt("K", "exit", time.Hour-time.Second, time.Minute, 7)}, false, new(false), new(false), new(int64(0)), gib + 7},
		"thirteen":                               {many(13), false, new(false), new(true), new(int64(13)), gib + 13*7},
		"not all were returned":                  {many(2)[:1], true, new(false), new(true), nil, gib},
		"not all were returned, and none is use": {nil, true, new(false), nil, nil, gib},
	} {
		t.Run(name, func(t *testing.T) {
			a := compared(taking(gib, "x"), PrincipalHistory{Days: 5, Uses: c.uses, LatePartial: c.partial, Places: []PlaceHistory{office}}, History{})
			if diff := cmp.Diff([]any{c.active, c.use, c.fresh}, []any{a.FamiliarActive, a.InUse, a.NewNetworks}); diff != "" {
				t.Errorf("familiar active, in use, new networks (-want +got):\n%s", diff)
			}
			if c.fresh != nil && *a.StrangeDayBytes != c.strange {
				t.Errorf("%d bytes to strange places, want %d", *a.StrangeDayBytes, c.strange)
			}
			if (a.InUseAt != nil) != (c.use != nil && *c.use) {
				t.Errorf("in use at %+v", a.InUseAt)
			}
		})
	}
}

// Of a user's session it is known with which of the user's keys somebody worked, where the answer has all of the last day.
func TestKeysInUse(t *testing.T) {
	const key = "AKIAEXAMPLEROOTKEY01"
	office := PlaceHistory{placed("office"), 5, 1000}
	some := func(keys ...string) *[]string { return &keys }
	for name, c := range map[string]struct {
		kind    actor.Kind
		uses    []Used
		partial bool
		want    *[]string
	}{
		"from the office":                   {actor.IAMUserSession, []Used{usedAt(key, "office", time.Hour, time.Hour, 0)}, false, some(key)},
		"by the thief, who minted with it":  {actor.IAMUserSession, []Used{usedAt(key, "x", time.Hour, time.Hour, 0)}, false, &[]string{}},
		"from a new place, to look round":   {actor.IAMUserSession, []Used{usedAt(key, "y", 2*time.Hour, 2*time.Hour, 0)}, false, &[]string{}},
		"from a new place, to take a thing": {actor.IAMUserSession, []Used{usedAt(key, "y", 2*time.Hour, 2*time.Hour, 9)}, false, some(key)},
		"the day before":                    {actor.IAMUserSession, []Used{usedAt(key, "office", 25*time.Hour, 25*time.Hour, 0)}, false, &[]string{}},
		"another session is no key":         {actor.IAMUserSession, []Used{usedAt("ASIAEXAMPLEANOTHER01", "office", time.Hour, time.Hour, 0)}, false, &[]string{}},
		"there is more":                     {actor.IAMUserSession, nil, true, nil},
		"a session of a role":               {actor.RoleSession, []Used{usedAt(key, "office", time.Hour, time.Hour, 0)}, false, nil},
	} {
		a := taking(10, "x")
		a.Kind = c.kind
		if a = compared(a, PrincipalHistory{Days: 5, Uses: c.uses, LatePartial: c.partial, Places: []PlaceHistory{office}}, History{}); cmp.Diff(c.want, a.OtherKeys) != "" {
			t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(c.want, a.OtherKeys))
		}
	}

	// Whoever never called these buckets has no history in the answer, so that nothing is known of his keys.
	a := taking(10, "x")
	a.Kind, a.principal = actor.IAMUserSession, "NOBODY"
	if a = compared(a, PrincipalHistory{}, History{}); a.OtherKeys != nil {
		t.Errorf("got %v", *a.OtherKeys)
	}
}

func many(n int) (uses []Used) {
	for i := range n {
		uses = append(uses, usedAt("K", string(rune('A'+i)), time.Duration(n+1-i)*time.Hour+time.Minute, time.Duration(n+1-i)*time.Hour, 7))
	}
	return uses
}

func TestVolume(t *testing.T) {
	for name, c := range map[string]struct {
		history  PrincipalHistory
		usual    int64
		day      *int64
		sameTime bool
	}{
		"the median of three":      {PrincipalHistory{ObjectDays: 3, Busiest: 900, SecondBusiest: 500}, 500, new(int64(100)), false},
		"the bigger of two":        {PrincipalHistory{ObjectDays: 2, Busiest: 900, SecondBusiest: 500}, 900, new(int64(100)), false},
		"what went before it":      {PrincipalHistory{Keys: map[string]int64{"K": 50, "L": 70}}, 0, new(int64(150)), false},
		"its key is not returned":  {PrincipalHistory{KeysPartial: true, Keys: map[string]int64{"L": 70}}, 0, nil, false},
		"always at noon":           {PrincipalHistory{Days: 3, FirstClock: 12*3600 - 60, LastClock: 12*3600 + 60}, 0, new(int64(100)), true},
		"always some time earlier": {PrincipalHistory{Days: 3, FirstClock: 11*3600 - 60, LastClock: 11*3600 + 60}, 0, new(int64(100)), false},
		"all day":                  {PrincipalHistory{Days: 3, FirstClock: 8 * 3600, LastClock: 17 * 3600}, 0, new(int64(100)), false},
	} {
		a := compared(taking(100, "x"), c.history, History{})
		if diff := cmp.Diff([]any{&c.usual, c.day, c.sameTime}, []any{a.UsualBytes, a.DayBytes, a.SameTime}); diff != "" {
			t.Errorf("%s: usual, of the day, the same time (-want +got):\n%s", name, diff)
		}
	}
	if !near(0, 120, time.Date(2026, 3, 4, 23, 55, 0, 0, time.UTC)) {
		t.Error("five minutes before midnight is not near two minutes after it")
	}
}

func TestReadInTheLast24HoursOnly(t *testing.T) {
	for name, c := range map[string]struct {
		history PrincipalHistory
		want    bool
	}{
		"with another key":          {PrincipalHistory{Uses: []Used{usedAt("L", "office", 2*time.Hour, time.Hour, 7)}}, true},
		"it took nothing":           {PrincipalHistory{Uses: []Used{usedAt("K", "office", 2*time.Hour, time.Hour, 0)}}, false},
		"on an earlier day as well": {PrincipalHistory{Days: 1, Uses: []Used{usedAt("K", "office", 2*time.Hour, time.Hour, 7)}}, false},
		"never":                     {PrincipalHistory{}, false},
	} {
		if got := compared(taking(100, "x"), c.history, History{}).OnlyLately; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestHours(t *testing.T) {
	office := Hours{8 * 3600, 17 * 3600}
	for clock, want := range map[string]bool{"07:44": false, "07:45": true, "08:00": true, "12:00": true, "17:15": true, "17:16": false, "00:00": false, "23:59": false} {
		at, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		if got := office.Hold(at.AddDate(2026, 1, 1)); got != want {
			t.Errorf("%s: got %t", clock, got)
		}
	}
	for _, at := range []time.Duration{0, 12 * time.Hour, 24*time.Hour - 1} {
		if !(Hours{60, 24*3600 - 60}.Hold(time.Unix(0, 0).Add(at))) {
			t.Errorf("%v is not within a whole day", at)
		}
	}
	for days, known := range map[int64]bool{0: false, 2: false, 3: true} {
		if a := compared(taking(100, "x"), PrincipalHistory{Days: days, FirstClock: 60, LastClock: 120}, History{}); (a.Hours != nil) != known {
			t.Errorf("%d days: got the hours %+v", days, a.Hours)
		}
	}
}

func TestWhatSpeaksForAPlace(t *testing.T) {
	through := taking(10)
	through.Bytes, through.Origins = 10, []Origin{{VPCEndpoint: "vpce-1", VPCEndpointAccount: "111122223333", Bytes: 10, Calls: 1}}
	foreign := taking(10)
	foreign.Bytes, foreign.Origins = 10, []Origin{{VPCEndpoint: "vpce-1", VPCEndpointAccount: "444455556666", Bytes: 10, Calls: 1}}
	in := func(ago time.Duration) Used {
		return Used{Origin: placed("x"), First: noon.Add(-ago), Last: noon.Add(-ago), SignedIn: noon.Add(-ago)}
	}
	endpoint := func(account string, days int64) []PlaceHistory {
		return []PlaceHistory{{Origin{VPCEndpoint: "vpce-1", VPCEndpointAccount: account}, days, 0}}
	}
	no := new(false)
	for name, c := range map[string]struct {
		actor                       Actor
		principal                   PrincipalHistory
		history                     History
		company, endpoint, signedIn *bool
	}{
		"nothing":                         {taking(10, "x"), PrincipalHistory{}, History{}, no, no, no},
		"three colleagues":                {taking(10, "x"), PrincipalHistory{}, History{Company: []Company{{placed("x"), 3, ""}}}, new(true), no, no},
		"two colleagues":                  {taking(10, "x"), PrincipalHistory{}, History{Company: []Company{{placed("x"), 2, ""}}}, no, no, no},
		"two, and the actor himself":      {taking(10, "x"), PrincipalHistory{Uses: []Used{usedAt("K", "x", time.Hour, time.Hour, 0)}}, History{Company: []Company{{placed("x"), 3, ""}}}, no, no, no},
		"three, and the actor himself":    {taking(10, "x"), PrincipalHistory{Uses: []Used{usedAt("K", "x", time.Hour, time.Hour, 0)}}, History{Company: []Company{{placed("x"), 4, ""}}}, new(true), no, no},
		"three, and two that it made":     {taking(10, "x"), PrincipalHistory{}, History{Company: []Company{{placed("x"), 3, ""}, {placed("x"), 2, "P"}}}, new(true), no, no},
		"three, of whom it made one":      {taking(10, "x"), PrincipalHistory{}, History{Company: []Company{{placed("x"), 2, ""}, {placed("x"), 1, "P"}}}, no, no, no},
		"three, one made by another":      {taking(10, "x"), PrincipalHistory{}, History{Company: []Company{{placed("x"), 2, ""}, {placed("x"), 1, "AIDAEXAMPLEOTHER"}}}, new(true), no, no},
		"at one of two places":            {taking(10, "x", "y"), PrincipalHistory{}, History{Company: []Company{{placed("x"), 3, ""}}}, new(true), no, no},
		"at one of three places":          {taking(10, "x", "y", "z"), PrincipalHistory{}, History{Company: []Company{{placed("x"), 3, ""}}}, no, no, no},
		"perhaps":                         {taking(10, "x"), PrincipalHistory{}, History{CompanyPartial: true}, nil, no, no},
		"an endpoint it was seen at":      {through, PrincipalHistory{Places: endpoint("111122223333", 1)}, History{}, no, new(true), no},
		"an endpoint it was never at":     {through, PrincipalHistory{}, History{}, no, no, no},
		"another account's endpoint":      {foreign, PrincipalHistory{Places: endpoint("444455556666", 1)}, History{}, no, no, no},
		"signed in an hour before":        {taking(10, "x"), PrincipalHistory{Uses: []Used{in(time.Hour)}}, History{}, no, no, new(true)},
		"signed in yesterday":             {taking(10, "x"), PrincipalHistory{Uses: []Used{in(12 * time.Hour)}}, History{}, no, no, no},
		"signed in after the first calls": {taking(10, "x"), PrincipalHistory{Uses: []Used{in(time.Hour), usedAt("K", "x", 2*time.Hour, time.Hour, 0)}}, History{}, no, no, no},
		"signed in elsewhere":             {taking(10, "y"), PrincipalHistory{Uses: []Used{in(time.Hour)}}, History{}, no, no, no},
		"signed in, perhaps":              {taking(10, "x"), PrincipalHistory{LatePartial: true}, History{}, no, no, nil},
		"nothing is unfamiliar":           {taking(10, "x"), PrincipalHistory{Places: []PlaceHistory{{placed("x"), 5, 10}}}, History{Company: []Company{{placed("x"), 9, ""}}}, no, no, no},
	} {
		t.Run(name, func(t *testing.T) {
			a := compared(c.actor, c.principal, c.history)
			if diff := cmp.Diff([]*bool{c.company, c.endpoint, c.signedIn}, []*bool{a.Company, a.OwnEndpoint, a.SignedIn}); diff != "" {
				t.Errorf("company, endpoint, signed in (-want +got):\n%s", diff)
			}
		})
	}
}

func TestShortNamesAreNoOthers(t *testing.T) {
	const sql = `select principal_id, 'principal_id', 'it''s principal_id', "access_key_id".access_key_id from t`
	want := "select " + shorter["principal_id"] + `, 'principal_id', 'it''s principal_id', "access_key_id".` + shorter["access_key_id"] + " from t"
	if got := shorten(sql); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What one alarm may name fits every engine, also with the longest names.
func TestUsageFits(t *testing.T) {
	var names []string
	for i := range 10 {
		names = append(names, string(rune('a'+i))+longName[:62])
	}
	if q := (Usage{Buckets: names, Before: noon}); !q.Fits() {
		t.Errorf("ten buckets with names of %d characters make a statement of %d", len(names[0]), len(q.SQL(Schema{})))
	}
	for q := (Usage{Buckets: names, Before: noon}); ; q.Buckets = append(q.Buckets, fmt.Sprintf("bucket-%d", len(q.Buckets))) {
		if n := len(q.SQL(Schema{})) + tableRoom; q.Fits() != (n <= MaxStatement) {
			t.Fatalf("%d buckets make a statement of %d, and it is said to fit: %v", len(q.Buckets), n, q.Fits())
		} else if n > MaxStatement {
			break
		}
	}
}

const longName = "-bucket-with-a-name-of-sixty-three-characters-as-they-are-today"
