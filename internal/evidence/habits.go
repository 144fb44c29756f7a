package evidence

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/lazyregexp"
)

// Habits are what Usage says of an actor's principal, beside what it did now. Nil is unknown: while the history is, and where only a part of it
// was returned.
type Habits struct {
	// ObjectDays are the earlier days on which the principal took contents of these buckets, signed in the header, ObjectHistory the bytes.
	// On NewDays of these it came from a place that was new to it then, its first day among them.
	ObjectDays    *int64 `json:"object_days,omitempty"`
	ObjectHistory *int64 `json:"object_history_bytes,omitempty"`
	NewDays       *int64 `json:"new_network_days,omitempty"`
	// OnlyLately: the principal took something from these buckets in the 24 hours before, and on no earlier day.
	OnlyLately bool `json:"only_in_24_hours,omitempty"`
	// UsualBytes is the median of its three biggest days. Of two days it is the bigger.
	UsualBytes *int64 `json:"usual_bytes_in_a_day,omitempty"`
	// DayBytes is what this credential took in the window and the 24 hours before.
	DayBytes *int64 `json:"bytes_in_24_hours,omitempty"`
	// StrangeDayBytes are those of DayBytes that went to unfamiliar places.
	StrangeDayBytes *int64 `json:"unfamiliar_bytes_in_24_hours,omitempty"`
	// ThroughUsual is what it took through an origin, per cent of the most that the principal took there in a day; of all origins the highest.
	ThroughUsual *int64 `json:"through_usual,omitempty"`
	// AllOrigins: every origin of the actor was compared.
	AllOrigins bool `json:"all_origins,omitempty"`
	// NewNetworks counts the places, others than those of the window, from which the principal came in the last 24 hours for the first time.
	NewNetworks *int64 `json:"new_networks_24h,omitempty"`
	// InUse: somebody worked with this credential in the 24 hours before the edge; InUseAt says where last, and when. What left in the window
	// for places that it knows counts by its bytes only.
	InUse   *bool `json:"in_use,omitempty"`
	InUseAt *Used `json:"in_use_at,omitempty"`
	// OtherKeys are, of a user's session, the user's long-term keys with which somebody worked in those 24 hours as InUse says it of the actor's own
	// credential; nil is unknown.
	OtherKeys *[]string `json:"other_keys_in_use,omitempty"`
	// What speaks for the unfamiliar places, each where it holds of those to which at least half of the unfamiliar bytes went. Company: at least
	// three other users of ours worked there that it did not make, CompanyOf of them at the least; who took something from there now is not
	// counted. OwnEndpoint: it is a VPC endpoint of the principal's own account, at which it was seen on an earlier day. SignedIn: the principal signed in to the console
	// there with a second factor, in the 12 hours before the window, and before this credential was used there first.
	Company     *bool `json:"company,omitempty"`
	CompanyOf   int64 `json:"company_of,omitempty"`
	OwnEndpoint *bool `json:"own_endpoint,omitempty"`
	SignedIn    *bool `json:"signed_in,omitempty"`
	// SignedInBytes are contents, signed in the header, that went to unfamiliar places for which nothing but a sign-in speaks.
	SignedInBytes int64 `json:"signed_in_bytes,omitempty"`
	// SameObject is the one object that was read now and on each earlier day; SameTime says that all calls came at the same time of the day.
	SameObject string `json:"same_object,omitempty"`
	SameTime   bool   `json:"same_time,omitempty"`
	// LastRecord is the last record of this credential that was read, of a call to whatever bucket and service.
	LastRecord *time.Time `json:"last_record,omitempty"`
	// What describes, and excuses nobody. LookedRound is when the credential was last used, in the 24 hours before, to list or describe something
	// or to ask who it is, at a place that is unfamiliar and to which bytes went now. RefusedAt is when a call of it from there was refused last.
	// UsualAgents are the programs, without their versions, that its principal's callers named on earlier days, the first and the last by the
	// alphabet where they are more; OtherAgent says that one of now is none of them, NewAgent which.
	LookedRound time.Time `json:"looked_round_at,omitzero"`
	RefusedAt   time.Time `json:"refused_at,omitzero"`
	UsualAgents []string  `json:"usual_agents,omitempty"`
	OtherAgent  *bool     `json:"other_agent,omitempty"`
	NewAgent    string    `json:"new_agent,omitempty"`
	// AlsoUsed is from where else this credential was used; nil is unknown.
	AlsoUsed *AlsoUsed `json:"also_used,omitempty"`
	// Places are where the principal works on other days too, where it worked on most days first, without those of which this window makes us wonder.
	// PlacesPartial: there are more.
	Places        []Place `json:"usual_places,omitempty"`
	PlacesPartial bool    `json:"usual_places_partial,omitempty"`
	// Hours are the times of day between which the principal read these buckets on its earlier days; nil where these are fewer than three.
	Hours *Hours `json:"usual_hours,omitempty"`
}

// Hours are a part of the day, in seconds after midnight UTC, both included.
type Hours struct {
	From int64 `json:"from_s"`
	To   int64 `json:"to_s"`
}

// Hold reports whether a time is within the hours, or near them.
func (h Hours) Hold(t time.Time) bool {
	const day = int64(24 * time.Hour / time.Second)
	slack := int64(sameTime / time.Second)
	return h.To-h.From+2*slack >= day || (t.Unix()%day-h.From+day+slack)%day <= h.To-h.From+2*slack
}

const (
	// A place that the principal worked at on familiarDays excuses what leaves there now, if it worked there at least half as often as anywhere,
	// or took more than a littlePart of it in a day. So does one where it took a familiarPart of it in a day. What is less was perhaps the thief
	// himself, looking round.
	familiarDays = 3
	familiarPart = 100
	littlePart   = 1000
	// justBefore is how long before the window a thief may change his network in the course of one theft.
	justBefore = time.Hour
	// enoughUsers are the other users that make a place one of ours, and signInLasts is how long a sign-in speaks for what comes after it.
	enoughUsers = 3
	signInLasts = 12 * time.Hour
	// keptUsual is how many of a principal's usual places an incident keeps.
	keptUsual = 10
	// maxOtherKeys is how many keys of a user can be in use: IAM gives him two at a time.
	maxOtherKeys = 10
	// sameTime is how far apart calls may come to come at the same time of the day.
	sameTime = 15 * time.Minute
)

// addPlace adds the weight of a place. An IPv6 network may be written in two ways, and is one.
func (p *PrincipalHistory) addPlace(at Origin, days, most int64) {
	for i, known := range p.Places {
		if known.Place.place() == at.place() {
			p.Places[i].Days, p.Places[i].MostBytes = known.Days+days, max(known.MostBytes, most)
			return
		}
	}
	at.Presigned, at.SigningUnknown = false, false
	p.Places = append(p.Places, PlaceHistory{at, days, most})
}

// at is the weight of a place; nil is unknown.
func (p *PrincipalHistory) at(place place) *PlaceHistory {
	for _, known := range p.Places {
		if known.Place.place() == place {
			return &known
		}
	}
	if p.PlacesPartial {
		return nil
	}
	return &PlaceHistory{}
}

// excuses reports whether so much may be the principal's own at a place of such weight. Where it works as often as anywhere, and takes what it
// takes on a big day, is its own place, be it for one day.
func (p *PrincipalHistory) excuses(w PlaceHistory, bytes int64) bool {
	most := w.Days
	for _, known := range p.Places {
		most = max(most, known.Days)
	}
	usual := p.usual()
	often, took := 2*w.Days >= most, w.MostBytes > 0
	return took && (often && w.MostBytes >= usual/2 || bytes/familiarPart <= w.MostBytes) || w.Days >= familiarDays && (often || took && bytes/littlePart <= w.MostBytes)
}

// usual is the median of the principal's three biggest days. Of two days it is the bigger.
func (p *PrincipalHistory) usual() int64 {
	if p.ObjectDays >= 3 {
		return p.SecondBusiest
	}
	return p.Busiest
}

// compare says how usual it is for the actor's principal what the actor does.
func (a *Actor) compare(h *History, from time.Time) {
	p := h.Principals[a.principal]
	if p == nil {
		p = &PrincipalHistory{}
	}
	a.HistoryDays, a.MostBytesInADay = &p.Days, &p.MostBytes
	if !p.LastUsed.IsZero() {
		a.LastUsed = &p.LastUsed
	}
	a.ObjectDays, a.ObjectHistory, a.NewDays, a.UsualBytes = &p.ObjectDays, &p.ObjectBytes, &p.NewDays, new(p.usual())
	a.OnlyLately = p.Days == 0 && slices.ContainsFunc(p.Uses, func(u Used) bool { return u.Bytes > 0 })
	if late, ok := p.Keys[a.AccessKeyID]; ok || !p.KeysPartial {
		a.DayBytes = new(late + a.Bytes)
	}
	if p.Object != "" && p.Object == a.Object {
		a.SameObject = p.Object
	}
	if p.Days >= familiarDays {
		a.Hours = &Hours{p.FirstClock, p.LastClock}
	}
	a.SameTime = p.Days > 0 && !a.FirstSeen.IsZero() && near(p.FirstClock, p.LastClock, a.FirstSeen) && near(p.FirstClock, p.LastClock, a.LastSeen)

	familiar, unfamiliar, through := int64(0), int64(0), new(int64(0))
	active, unknown := false, false
	here, strange := map[place]bool{}, map[place]bool{}
	for i, o := range a.Origins {
		here[o.place()] = true
		w := p.at(o.place())
		if w == nil {
			unknown, through = true, nil
			continue
		}
		f := p.excuses(*w, o.Bytes)
		a.Origins[i].Days, a.Origins[i].MostBytes, a.Origins[i].Familiar = &w.Days, &w.MostBytes, &f
		if f {
			familiar += o.Bytes
			active = active || o.Calls > 0
		} else {
			unfamiliar += o.Bytes
			strange[o.place()] = o.Bytes > 0 || strange[o.place()]
		}
		switch share := percentUp(o.Bytes, w.MostBytes); {
		case share == nil && o.Bytes > 0:
			through = nil
		case share != nil && through != nil:
			through = new(max(*through, *share))
		}
	}
	a.Neighbours = h.neighbours(a.principal, a.Origins)
	if !unknown {
		a.FamiliarBytes, a.UnfamiliarBytes = &familiar, &unfamiliar
	}
	if a.unlisted["origin"] == 0 {
		a.ThroughUsual, a.AllOrigins = through, !unknown
	}
	a.usualPlaces(p, strange)
	a.lately(p, from, here, strange, active)
	if _, called := h.Principals[a.principal]; called && a.Kind == actor.IAMUserSession {
		a.OtherKeys = p.keysInUse(from, here, strange)
	}
	a.describe(p, from, strange)
}

// usualPlaces keeps where the principal works on other days too.
func (a *Actor) usualPlaces(p *PrincipalHistory, strange map[place]bool) {
	known := slices.SortedStableFunc(slices.Values(p.Places), func(x, y PlaceHistory) int { return cmp.Compare(y.Days, x.Days) })
	a.PlacesPartial = p.PlacesPartial
	for _, w := range known {
		at := Place{w.Place.Network, w.Place.VPCEndpoint, w.Place.VPCEndpointAccount}
		switch {
		case strange[w.Place.place()] || !p.excuses(w, 0):
		case len(a.Places) == keptUsual:
			a.PlacesPartial = true
		default:
			a.Places = append(a.Places, at)
		}
	}
}

// describe says what the credential did before at the strange places, and how its agent compares with those of its principal's earlier days.
func (a *Actor) describe(p *PrincipalHistory, from time.Time, strange map[place]bool) {
	last := a.LastSeen
	later := func(at *time.Time, t time.Time) {
		if t.After(*at) {
			*at = t
		}
	}
	for i, list := range [][]Used{p.Uses, p.Refused} {
		for _, u := range list {
			if u.AccessKeyID != a.AccessKeyID {
				continue
			}
			later(&last, u.Last)
			switch {
			case !strange[u.Origin.place()] || !u.Last.After(from.Add(-earlier)):
			case i == 1:
				later(&a.RefusedAt, u.Last)
			case u.Looked.After(from.Add(-earlier)):
				later(&a.LookedRound, u.Looked)
			}
		}
	}
	if !last.IsZero() && !p.LatePartial {
		a.LastRecord = &last
	}
	if p.Product == "" {
		return
	}
	a.UsualAgents = slices.Compact([]string{p.Product, p.OtherProduct})
	unknown := a.unlisted["agent"] > 0
	for _, agent := range a.Agents {
		switch now := product(agent); {
		case slices.Contains(a.UsualAgents, now):
		case now != "" && (now < p.Product || now > p.OtherProduct):
			a.OtherAgent, a.NewAgent = new(true), now
			return
		default: // it names none, or one between two, where there may be more
			unknown = true
		}
	}
	if !unknown {
		a.OtherAgent = new(false)
	}
}

// program begins an agent, as Usage reads it. S3 writes agents in brackets.
var program = lazyregexp.New(`^\[?([A-Za-z0-9._-]+)`)

// product is the program that an agent names, without its version; "" where it names none.
func product(agent string) string {
	if m := program.FindStringSubmatch(agent); m != nil {
		return m[1]
	}
	return ""
}

// lately says who used the credential in the 24 hours before, apart from the places of which the window's bytes make us wonder. active says
// that a familiar place used it in the window.
func (a *Actor) lately(p *PrincipalHistory, from time.Time, here, strange map[place]bool, active bool) {
	inUse, unsure := false, false
	fresh, strangely := map[place]bool{}, int64(0)
	for _, u := range p.Uses {
		at := u.Origin.place()
		if !u.Last.After(from.Add(-earlier)) {
			continue
		}
		w, mine := p.at(at), u.AccessKeyID == a.AccessKeyID
		if mine && (strange[at] || w != nil && w.Days == 0) {
			strangely += u.Bytes
		}
		switch {
		case strange[at]:
		case w == nil:
			unsure = unsure || mine
		case w.Days > 0:
			if mine {
				active, inUse = true, true
				a.usedAt(u)
			}
		case u.First.After(from.Add(-earlier)) && !u.First.After(from.Add(-justBefore)) && !here[at]:
			fresh[at] = true
			if mine && u.Bytes > 0 {
				inUse = true
				a.usedAt(u)
			}
		}
	}
	if n := int64(len(fresh)); !p.LatePartial {
		a.NewNetworks = &n
		if a.UnfamiliarBytes != nil {
			a.StrangeDayBytes = new(*a.UnfamiliarBytes + strangely)
		}
	}
	cut := a.unlisted["origin"] > 0 // an origin beyond those returned may be a familiar one
	if active || !p.Partial && !cut && !unsure {
		a.FamiliarActive = &active
	}
	if inUse || !p.LatePartial && !unsure {
		a.InUse = &inUse
	}
}

// keysInUse are the long-term keys with which somebody worked in the 24 hours before, at a place that the principal knows, or at another new one where
// it took something; nil is unknown.
func (p *PrincipalHistory) keysInUse(from time.Time, here, strange map[place]bool) *[]string {
	keys := []string{}
	for _, u := range p.Uses {
		at := u.Origin.place()
		if !strings.HasPrefix(u.AccessKeyID, "AKIA") || !u.Last.After(from.Add(-earlier)) || strange[at] || slices.Contains(keys, u.AccessKeyID) {
			continue
		}
		switch w := p.at(at); {
		case w == nil:
			return nil
		case w.Days > 0, u.Bytes > 0 && u.First.After(from.Add(-earlier)) && !u.First.After(from.Add(-justBefore)) && !here[at]:
			keys = append(keys, u.AccessKeyID)
		}
	}
	if p.LatePartial || len(keys) > maxOtherKeys {
		return nil
	}
	return &keys
}

func (a *Actor) usedAt(u Used) {
	if a.InUseAt == nil || u.Last.After(a.InUseAt.Last) {
		a.InUseAt = &u
	}
}

// addCompany adds users of ours that worked at a place. An IPv6 network may be written in two ways: their users may be the same.
func (h *History) addCompany(c Company) {
	for i, known := range h.Company {
		if known.Place.place() == c.Place.place() && known.MadeBy == c.MadeBy {
			h.Company[i].Users = max(known.Users, c.Users)
			return
		}
	}
	c.Place.Presigned, c.Place.SigningUnknown = false, false
	h.Company = append(h.Company, c)
}

// users are the IAM users that worked at a place, as far as it matters, without those that the principal made; nil is unknown.
func (h *History) users(at place, principal string) *int64 {
	self, _, _ := strings.Cut(principal, "|")
	users, known := int64(0), !h.CompanyPartial
	for _, c := range h.Company {
		if c.Place.place() == at && (c.MadeBy == "" || c.MadeBy != self) {
			users += c.Users
			known = true
		}
	}
	if !known {
		return nil
	}
	return &users
}

// speakFor says what speaks for the places that are unfamiliar to the actor. all are the actors of the window.
func (a *Actor) speakFor(h *History, from time.Time, all []Actor) {
	if a.UnfamiliarBytes == nil {
		return
	}
	p := h.Principals[a.principal]
	if p == nil {
		p = &PrincipalHistory{}
	}
	var company, endpoint, signedIn, unsure, taken int64
	fewest := int64(0)
	for _, o := range a.Origins {
		if *o.Familiar || o.Bytes == 0 {
			continue
		}
		spoken := false // for this place, or perhaps
		if users := h.users(o.place(), a.principal); users == nil {
			spoken = true
			unsure += o.Bytes
		} else if n := *users - h.takers(all, o.place()); n >= enoughUsers {
			spoken = true
			company += o.Bytes
			if fewest == 0 || n < fewest {
				fewest = n
			}
		}
		if o.VPCEndpoint != "" && o.VPCEndpointAccount == a.AccountID && a.AccountID != "" && *o.Days > 0 {
			spoken = true
			endpoint += o.Bytes
		}
		if p.signedIn(a, o.place(), from) {
			if !spoken && o.signing() == "header" {
				a.SignedInBytes += o.ObjectBytes
			}
			spoken = true
			signedIn += o.Bytes
		}
		if !spoken && o.signing() == "header" {
			taken += o.ObjectBytes
		}
	}
	a.TakenBytes = &taken
	most := func(part int64) *bool { return new(part > 0 && part >= *a.UnfamiliarBytes-part) }
	if a.OwnEndpoint, a.SignedIn = most(endpoint), most(signedIn); p.LatePartial && !*a.SignedIn {
		a.SignedIn = nil
	}
	if a.Company = most(company); *a.Company {
		a.CompanyOf = fewest
	} else if *most(company + unsure) {
		a.Company = nil
	}
}

// takers counts those of the users of a place that called from there now.
func (h *History) takers(all []Actor, at place) int64 {
	users := map[string]bool{}
	for _, a := range all {
		p := h.Principals[a.principal]
		called := slices.ContainsFunc(a.Origins, func(o Origin) bool { return o.place() == at && o.Calls > 0 })
		if called && p != nil && slices.ContainsFunc(p.Uses, func(u Used) bool { return u.Origin.place() == at }) {
			users[a.principal] = true
		}
	}
	return int64(len(users))
}

// signedIn reports whether the principal signed in at a place before the actor's credential was used there.
func (p *PrincipalHistory) signedIn(a *Actor, at place, from time.Time) bool {
	var in time.Time
	first := a.FirstSeen
	for _, u := range p.Uses {
		if u.Origin.place() != at {
			continue
		}
		if u.SignedIn.After(in) {
			in = u.SignedIn
		}
		if u.AccessKeyID == a.AccessKeyID && u.First.Before(first) {
			first = u.First
		}
	}
	return !in.IsZero() && in.Before(first) && in.After(from.Add(-signInLasts))
}

// near reports whether a time is at the time of the day at which all earlier calls came.
func near(first, last int64, t time.Time) bool {
	return last-first <= int64(sameTime/time.Second) && Hours{first, last}.Hold(t)
}

// oneObject is the object that an actor read, where it was one.
func oneObject(r *reader) string {
	if object := r.text("object"); object == r.text("other_object") {
		return object
	}
	return ""
}

// percentUp is part of whole in per cent, rounded up; nil where there is no whole.
func percentUp(part, whole int64) *int64 {
	if whole <= 0 {
		return nil
	}
	n, rest := new(big.Int).DivMod(new(big.Int).Mul(big.NewInt(part), big.NewInt(100)), big.NewInt(whole), new(big.Int))
	if rest.Sign() > 0 {
		n.Add(n, big.NewInt(1))
	}
	if !n.IsInt64() {
		return new(int64(math.MaxInt64))
	}
	return new(n.Int64())
}
