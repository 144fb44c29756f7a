package scenarios

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// The account of all scenarios. Each plays in a time of its own, so that one engine can hold many: no question asks about two of them.
const (
	account = "111122223333"
	region  = "eu-central-1"
	watched = "exports"
	other   = "archive"
	apart   = 45 * 24 * time.Hour
	day     = 24 * time.Hour
)

// epoch is when the first scenario of a batch plays.
var epoch = time.Date(2020, 1, 6, 0, 0, 0, 0, time.UTC)

// Scenario is one story: what CloudTrail and the metric will show, and the truth.
type Scenario struct {
	Style Style
	Seed  uint64
	// From and To are the alarm's window, Fired when the alarm fires, Threshold its threshold in bytes a minute.
	From, To, Fired time.Time
	Threshold       float64
	// BucketBytes is how much the watched bucket holds.
	BucketBytes int64
	Records     []map[string]any
	// Minutes is the metric of the watched bucket.
	Minutes map[time.Time]int64
	// Cast is everybody, by credential.
	Cast map[string]*Player

	dice     dice
	people   map[string]int
	made     map[string]string // credentials, by who and name
	networks map[string]string
	taken    map[string]bool
	biggest  map[string]map[string]int64 // bytes by who and day
	endpoint string
	minutes  int
	window   int64 // bytes so far
}

// Player is one credential of a principal: its name, its unique id, and "" for a user's key, or role or session.
type Player struct {
	Who, ID, Credential, As string
	// Guilty: a thief reads with it. Subject: the story is about it.
	Guilty, Subject bool
	// Last is its last call before the window.
	Last time.Time
	Made time.Time // zero: long ago
}

// New writes the scenario of a seed.
func New(style Style, seed uint64) *Scenario {
	w := shipped().World
	s := &Scenario{Style: style, Seed: seed, Minutes: map[time.Time]int64{}, Cast: map[string]*Player{}, dice: throw(style.Name, seed), people: map[string]int{}, made: map[string]string{},
		networks: map[string]string{}, taken: map[string]bool{}, biggest: map[string]map[string]int64{}}
	s.minutes = s.dice.whole(w.WindowMinutes, 1)
	s.From = epoch.Add(time.Duration(seed%Batch) * apart).Add(time.Duration(s.dice.even(w.Hour) * float64(time.Hour))).Truncate(time.Minute)
	s.To = s.From.Add(time.Duration(s.minutes) * time.Minute)
	s.Fired = s.To.Add(time.Duration(60+s.dice.IntN(140)) * time.Second)
	s.BucketBytes = int64(s.dice.scaled(w.BucketGiB) * (1 << 30))
	s.endpoint = fmt.Sprintf("vpce-%017x", s.dice.Uint64()>>4)
	for _, late := range []bool{false, true} { // who is around in the window takes a share of what the others take there
		for _, p := range w.Around {
			if p.inWindow() == late {
				s.perform(p, false)
			}
		}
		if !late {
			for _, p := range style.Plays {
				s.perform(p, true)
			}
		}
	}
	slices.SortStableFunc(s.Records, func(x, y map[string]any) int {
		return cmp.Compare(x["eventTime"].(string), y["eventTime"].(string))
	})
	s.measure(w)
	return s
}

// measure makes the metric of the records, and a threshold that each minute of the window breaches.
func (s *Scenario) measure(w world) {
	weakest := int64(math.MaxInt64)
	for t := s.From; t.Before(s.To); t = t.Add(time.Minute) {
		weakest = min(weakest, s.Minutes[t])
	}
	s.Threshold = math.Floor(float64(weakest) * s.dice.even(w.ThresholdOfMean))
	times := make([]time.Time, 0, len(s.Minutes))
	for t := range s.Minutes {
		times = append(times, t)
	}
	slices.SortFunc(times, time.Time.Compare)
	for _, t := range times {
		s.Minutes[t] = int64(float64(s.Minutes[t]) * s.dice.even(w.MetricOfRecords))
	}
}

// perform writes what a play's people do.
func (s *Scenario) perform(p play, subject bool) {
	names := []string{p.Who}
	if p.People != (span{}) {
		if s.people[p.Who] == 0 {
			s.people[p.Who] = s.dice.whole(p.People, 1)
		}
		names = nil
		for i := range s.people[p.Who] {
			names = append(names, fmt.Sprintf("%s-%d", p.Who, i+1))
		}
	}
	for _, who := range names {
		c := s.player(p, who)
		c.Guilty = c.Guilty || p.Guilty
		c.Subject = c.Subject || p.Guilty || subject && p.inWindow() && s.Style.Truth != Thief
		amount := s.amount(p, who, len(names))
		for i, at := range s.times(p) {
			bytes := amount
			if p.Vary != (span{}) {
				bytes = int64(float64(bytes) * s.dice.scaled(p.Vary))
			}
			s.run(p, c, i, at, bytes)
		}
	}
}

// amount is what a run takes.
func (s *Scenario) amount(p play, who string, people int) int64 {
	switch {
	case p.Times != (span{}):
		most := int64(0)
		for _, n := range s.biggest[who] {
			most = max(most, n)
		}
		return int64(float64(most) * s.dice.scaled(p.Times))
	case p.Share != (span{}):
		return int64(float64(s.window) * s.dice.scaled(p.Share))
	}
	return int64(s.dice.scaled(p.MiB) * (1 << 20))
}

// times are when the runs of a play begin, oldest first.
func (s *Scenario) times(p play) []time.Time {
	var all []time.Time
	ago := func(days float64) time.Time { return s.From.Add(-time.Duration(days * float64(day))) }
	switch {
	case p.Every > 0:
		for k := p.Every; k < 14; k += p.Every {
			all = append(all, ago(float64(k)).Add(s.drift()))
		}
	case p.Hours != (span{}):
		runs := s.dice.whole(p.Runs, 1)
		slot := (p.Hours[1] - p.Hours[0]) / float64(runs)
		for i := range runs {
			all = append(all, ago((p.Hours[0]+slot*(float64(i)+s.dice.even(span{0.1, 0.7})))/24))
		}
	case p.Days != (span{}):
		for k := range 14 {
			at := ago(float64(k))
			switch {
			case p.Hour != (span{}):
				at = at.Truncate(day).Add(time.Duration(s.dice.even(p.Hour) * float64(time.Hour)))
			case k == 0:
				at = ago(s.dice.even(span{min(p.Ago[0], 1), 1}))
			default:
				at = at.Add(s.drift())
			}
			if !at.After(ago(p.Ago[0])) && !at.Before(ago(p.Ago[1])) {
				all = append(all, at)
			}
		}
		s.dice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:min(len(all), s.dice.whole(p.Days, 1))]
	default:
		return []time.Time{s.From}
	}
	for i := range all {
		all[i] = all[i].Truncate(time.Second)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

func (s *Scenario) drift() time.Duration {
	return time.Duration(s.dice.even(span{-20, 20}) * float64(time.Minute))
}

// run writes the calls of one run.
func (s *Scenario) run(p play, c *Player, n int, at time.Time, bytes int64) {
	calls, lasts := s.dice.whole(p.Calls, 1), time.Duration(s.dice.even(p.Lasts)*float64(time.Minute))
	if p.inWindow() {
		lasts = s.To.Sub(s.From)
		if p.Share == (span{}) && p.Call == "" { // each minute has its part, or the alarm would fire for less
			calls = max(calls, 2*s.minutes)
		}
	}
	spread := s.dice.whole(p.Networks, 1)
	presigned := s.dice.even(p.Presigned)
	left := bytes
	for i := range calls {
		size := left
		if i < calls-1 {
			size = int64(float64(bytes) / float64(calls) * s.dice.even(span{0.7, 1.3}))
			size = min(size, left)
		}
		left -= size
		// Evenly over the time, each at a random moment of its part: no call comes after the run.
		when := at.Add(time.Duration((float64(i) + s.dice.Float64()) / float64(calls) * float64(lasts))).Truncate(time.Second)
		network := p.From
		if p.Daily {
			network = fmt.Sprintf("%s#%d", p.From, n)
		}
		if spread > 1 {
			network = fmt.Sprintf("%s#%d", p.From, i%spread)
		}
		s.call(p, c, network, when, size, s.dice.Float64() < presigned)
	}
}

// call writes one call.
func (s *Scenario) call(p play, c *Player, network string, at time.Time, size int64, presigned bool) {
	if p.Makes != "" {
		made := &Player{Who: c.Who, ID: c.ID, Made: at}
		made.Credential, made.As = s.dice.id("AKIA"), ""
		if p.Call != "CreateAccessKey" {
			made.Credential, made.As = s.dice.id("ASIA"), "session"
		}
		s.made[c.Who+"/"+p.Makes] = made.Credential
		s.Cast[made.Credential] = made
	}
	r := s.record(p, c, network, at)
	switch name := cmp.Or(p.Call, "GetObject"); name {
	case "ConsoleLogin", "CreateAccessKey", "GetSessionToken", "GetCallerIdentity":
		s.manage(r, name, c, s.made[c.Who+"/"+p.Makes])
	case "CopyObject":
		s.copyOut(r, p.Source)
	default:
		s.read(r, name, p, size, presigned)
		if p.Bucket == "" {
			s.Minutes[at.Truncate(time.Minute)] += size
			if p.inWindow() {
				s.window += size
			}
		}
		if !p.inWindow() && p.Error == "" {
			by := s.biggest[c.Who]
			if by == nil {
				by = map[string]int64{}
				s.biggest[c.Who] = by
			}
			by[at.Format(time.DateOnly)] += size
		}
	}
	if at.Before(s.From) && at.After(c.Last) {
		c.Last = at
	}
	s.Records = append(s.Records, r)
}

// player is the credential with which a play is played.
func (s *Scenario) player(p play, who string) *Player {
	if p.Key != "" {
		return s.Cast[s.made[who+"/"+p.Key]]
	}
	if id := s.made[who]; id != "" {
		return s.Cast[id]
	}
	c := &Player{Who: who, As: p.As, ID: s.dice.id("AIDA"), Credential: s.dice.id("AKIA")}
	if p.As == "role" {
		c.ID, c.Credential = s.dice.id("AROA"), s.dice.id("ASIA")
	} else {
		c.As = "" // who signs in to the console has a key too
	}
	s.made[who] = c.Credential
	s.Cast[c.Credential] = c
	return c
}

// address is one in a network, which is drawn when it is first named.
func (s *Scenario) address(network, kind string) string {
	prefix := s.networks[network]
	for prefix == "" {
		switch kind {
		case "v6":
			prefix = fmt.Sprintf("2001:db8:%x", 1+s.dice.IntN(0xfffe))
		case "endpoint":
			prefix = fmt.Sprintf("10.%d.%d", s.dice.IntN(256), s.dice.IntN(256))
		default:
			prefix = fmt.Sprintf("198.%d.%d", 18+s.dice.IntN(2), s.dice.IntN(256))
		}
		if s.taken[prefix] {
			prefix = ""
			continue
		}
		s.taken[prefix], s.networks[network] = true, prefix
	}
	if kind == "v6" {
		return fmt.Sprintf("%s:%x::%x", prefix, s.dice.IntN(0x100), 1+s.dice.IntN(0xfff0))
	}
	return fmt.Sprintf("%s.%d", prefix, 1+s.dice.IntN(254))
}
