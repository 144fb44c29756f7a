// Package hub decides what one team is told of the incidents of many accounts: once for one thief in many of them. The events come from the bus of the
// security account (report.HubEvent); it only hears and tells.
//
// Incidents are one thread, a thief's, where they suspect the same credential, or where their suspects worked from the same network, and nobody else
// did. The first message about a thread goes out at once, and then one as others join or something changes, in growing intervals. Whoever may write to
// the bus is one of our deployments, in its own account: what he writes is text, is bounded, and can make threads one that are two, or make noise. What
// is too much is left out of the account that has the most, and that is said. Each account that joins is told all the same, at most a quarter of an hour
// later, and is named in a message however long.
package hub

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// State is where an incident stands, as its deployment says.
type State string

// The states. Searching is an alarm that has fired, and no more is known.
const (
	Searching State = "searching"
	Asks      State = "asks"
	Contained State = "contained"
	Noted     State = "noted"
	Escalated State = "escalated"
	Closed    State = "closed"
	// Merged is an incident that another of its deployment reports.
	Merged State = "merged"
)

const (
	// Patience is how long an alarm may be without an answer before that is told: a deployment answers in fifteen minutes at the latest.
	Patience = 17 * time.Minute
	// Quiet is after how long without news a thread's next news is told at once again.
	Quiet = time.Hour
	// Keep is how long a thread is kept after its last event: whoever comes back is the same thief.
	Keep = 3 * 24 * time.Hour
	// Silence is how long a deployment may say nothing. It sends a test each hour.
	Silence = 3 * time.Hour
	// ahead is how far a deployment's clock may be before the hub's.
	ahead = 10 * time.Minute
	// Claim is how long a run has to send what it said it would; after that another does. No run lives as long.
	Claim = 4 * time.Minute
	// maxIncidents and maxThreads bound what is kept. maxOrdinary, maxWrongs and maxSeen bound the rest.
	maxIncidents, maxThreads        = 2000, 1000
	maxOrdinary, maxWrongs, maxSeen = 500, 50, 200
	// maxRegions is how many regions of an account are kept apart: AWS has fewer. The further ones are otherRegions.
	maxRegions, otherRegions = 40, "other regions"
	// maxOfRun is how many incidents of one account a run takes, with those merged into them.
	maxOfRun = 3000
	// maxSent is how many of its messages it remembers.
	maxSent = 20
	// maxTies is how many credentials and networks a thread has, and maxDetailed how many of a place's incidents are kept with what they say.
	maxTies, maxDetailed = 60, 6
)

// intervals are the times between two messages about one thread; the last one stays.
var intervals = []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute}

// Record is all that is kept. The zero Record is the first.
type Record struct {
	Version int64 `json:"version"`
	// Threads are in the order in which they were found; Number counts them.
	Threads []Thread `json:"threads,omitempty"`
	Number  int      `json:"number,omitempty"`
	// Ordinary are networks from which somebody worked whom no incident suspects: nothing is merged by them.
	Ordinary []string `json:"ordinary,omitempty"`
	// Heard are the deployments, and when each was heard last.
	Heard []Heard `json:"heard,omitempty"`
	// Wrongs are the events that were not believed, by kind and sender.
	Wrongs []Wrong `json:"wrongs,omitempty"`
	// Sent are when the last messages were sent.
	Sent []time.Time `json:"sent,omitempty"`
	// by are the numbers of the threads in which a credential or a network is or was, while a run takes its events.
	by map[string][]int
}

// Thread is what one thief did, as far as that is known: incidents that something ties.
type Thread struct {
	Number int `json:"number"`
	Telling
	// Keys are the credentials by which it is one, and Networks the networks.
	Keys     []string `json:"keys,omitempty"`
	Networks []string `json:"networks,omitempty"`
	Places   []Place  `json:"places"`
	// Guessed says that nothing but a network ties some of it.
	Guessed bool `json:"guessed,omitempty"`
	// With are the numbers of threads that have turned out to be this one.
	With []int `json:"with,omitempty"`
	// Changed is when an event about it came last; Lost counts incidents that are not kept any more.
	Changed time.Time `json:"changed"`
	Lost    int       `json:"lost,omitempty"`
}

// Place is a deployment.
type Place struct {
	Account   string     `json:"account"`
	Alias     string     `json:"alias,omitempty"`
	Region    string     `json:"region,omitempty"`
	Incidents []Incident `json:"incidents"`
}

// Incident is one incident of a deployment. Of all but a few it is kept where it stands, and no more.
type Incident struct {
	ID string `json:"id"`
	// At is the time of the newest event about it, and First when the hub heard of it first.
	At          time.Time `json:"at"`
	First       time.Time `json:"first,omitzero"`
	State       State     `json:"state"`
	Waits       bool      `json:"waits,omitempty"`
	Confirmed   bool      `json:"confirmed,omitempty"`
	Bytes       *int64    `json:"bytes,omitempty"`
	Buckets     []string  `json:"buckets,omitempty"`
	MoreBuckets int       `json:"buckets_more,omitempty"`
	Steps       []Step    `json:"steps,omitempty"`
	MoreSteps   int       `json:"steps_more,omitempty"`
	// MergedMore counts those that it reports too, and that are not named.
	MergedMore int    `json:"merged_more,omitempty"`
	Page       string `json:"page,omitempty"`
	// Late says that its alarm was told of as one without an answer, or may be of one that is not named.
	Late bool `json:"late,omitempty"`
}

// Step is a step, and what became of it.
type Step struct {
	Action string `json:"action"`
	Target string `json:"target"`
	State  string `json:"state"`
}

// Heard is a deployment that was heard.
type Heard struct {
	Account string    `json:"account"`
	Region  string    `json:"region,omitempty"`
	Last    time.Time `json:"last"`
	Telling
	// Test is what is told of somebody's test of the way to the team.
	Test Telling `json:"test,omitzero"`
}

// wrong is what is wrong with an event.
type wrong struct {
	// What is one of the kinds, Account whose event it is, and Shown a part of it.
	What    string `json:"what"`
	Account string `json:"account,omitempty"`
	Shown   string `json:"shown,omitempty"`
}

// The kinds of what is wrong. They are stored.
const (
	forged     = "forged"
	uninvited  = "uninvited"
	unreadable = "unreadable"
	tooMany    = "too-many"
)

// Wrong counts events that were not believed.
type Wrong struct {
	wrong
	Telling
	Count int       `json:"count"`
	Since time.Time `json:"since"`
	// Seen are the ids of the last of them: what goes to the dead letters comes several times before.
	Seen []string `json:"seen,omitempty"`
}

// Telling is what is told of a thing and when. News counts what there is to tell, and Told how much of it was.
type Telling struct {
	News int `json:"news,omitempty"`
	Told int `json:"told,omitempty"`
	// At is when it was told last, and Times how often in a row.
	At    time.Time `json:"told_at,omitzero"`
	Times int       `json:"times,omitempty"`
	// Claim is the version of the run that has said it would tell, Claimed how much, and Since when.
	Claim   int64     `json:"claim,omitempty"`
	Claimed int       `json:"claimed,omitempty"`
	Since   time.Time `json:"claimed_at,omitzero"`
}

// due reports whether there is something to tell now.
func (t Telling) due(now time.Time) bool {
	switch {
	case t.News <= t.Told, t.Claim > 0 && now.Before(t.Since.Add(Claim)):
		return false
	case t.At.IsZero(), !now.Before(t.At.Add(Quiet)):
		return true
	}
	return !now.Before(t.At.Add(intervals[min(t.Times, len(intervals))-1]))
}

func (t *Telling) claim(version int64, now time.Time) {
	t.Claim, t.Claimed, t.Since = version, t.News, now
}

func (t *Telling) sent(version int64, now time.Time) {
	if t.Claim != version {
		return
	}
	if !t.At.IsZero() && !now.Before(t.At.Add(Quiet)) {
		t.Times = 0
	}
	t.Told, t.Claim, t.At = max(t.Told, t.Claimed), 0, now
	t.Times++
}

// pause is how long the next message waits for the last ones, whatever it is about: a flood of threads is few messages. What weighs most stands first
// in each of them.
func pause(sent []time.Time, now time.Time) time.Duration {
	within := func(span time.Duration) (n int) {
		for _, at := range sent {
			if at.After(now.Add(-span)) {
				n++
			}
		}
		return n
	}
	switch {
	case within(time.Hour) >= 20:
		return 5 * time.Minute
	case within(10*time.Minute) >= 4:
		return time.Minute
	}
	return 0
}

// next is the record after a batch of events, in which this run has claimed what is due. Version is one more. now is the time.
func (r Record) next(events []event, now time.Time) Record {
	r = r.clone()
	r.Version++
	r.by = map[string][]int{}
	for _, t := range r.Threads {
		for _, k := range slices.Concat(t.Keys, t.Networks) {
			r.by[k] = append(r.by[k], t.Number)
		}
	}
	used := map[string]int{}
	for _, e := range events {
		switch {
		case e.tick:
		case e.wrong.What != "":
			r.refuse(e, now)
		default:
			r.believe(e, used, now)
		}
	}
	r.by = nil
	r.lateAlarms(now)
	r.silent(now)
	r.forget(now)
	r.claim(now)
	return r
}

// believe takes what a deployment says. Used counts by account what this run has taken: of one account it is bounded, so that the run ends. An event
// over which it fails changes nothing, so that the others are heard.
func (r *Record) believe(e event, used map[string]int, now time.Time) {
	before := r.clone()
	defer func() {
		if failed := recover(); failed != nil {
			before.Number = r.Number // no number is used twice
			*r = before
			e.wrong = wrong{What: unreadable, Account: e.account, Shown: cut(fmt.Sprintf("the hub failed over it: %v", failed))}
			r.refuse(e, now)
		}
	}()
	e.region = r.regionOf(e)
	r.hear(e, now)
	for _, u := range e.about {
		r.ordinary(u.ordinary)
	}
	for i, u := range e.about {
		if used[e.account] += 1 + len(u.merged); used[e.account] > maxOfRun {
			r.lose(e.account, len(e.about)-i, now)
			return
		}
		r.take(e, u, now)
	}
}

// lose notes that incidents of an account are not kept.
func (r *Record) lose(account string, n int, now time.Time) {
	w := r.refused(wrong{What: tooMany, Account: account, Shown: "Incidents of that account are not kept any more."}, now)
	w.Count += n
	w.News++
}

// hear notes that a deployment is there, and that somebody tries the way to the team: once an hour.
func (r *Record) hear(e event, now time.Time) {
	i := slices.IndexFunc(r.Heard, func(h Heard) bool { return h.Account == e.account && h.Region == e.region })
	if i < 0 {
		i = len(r.Heard)
		r.Heard = append(r.Heard, Heard{Account: e.account, Region: e.region})
	}
	h := &r.Heard[i]
	h.Last = now
	if e.test && h.Test.News == h.Test.Told && !now.Before(h.Test.At.Add(Quiet)) {
		h.Test.News++
	}
}

// regionOf is the region of an event as it is kept: an account has so many, and the further ones are one.
func (r *Record) regionOf(e event) string {
	n := 0
	for _, h := range r.Heard {
		if h.Account == e.account {
			if h.Region == e.region {
				return e.region
			}
			n++
		}
	}
	if n >= maxRegions {
		return otherRegions
	}
	return e.region
}

// silent has those told that were heard, and are not any more: each time once. Who was told long ago is not waited for.
func (r *Record) silent(now time.Time) {
	for i := range r.Heard {
		h := &r.Heard[i]
		switch gone := now.Sub(h.Last) >= Silence; {
		case !gone:
			h.News = h.Told // it was heard before that was told
		case h.News == h.Told && !h.At.After(h.Last):
			h.News++
		}
	}
	r.Heard = slices.DeleteFunc(r.Heard, func(h Heard) bool { return h.News == h.Told && now.Sub(h.Last) >= Keep })
}

// ordinary notes networks that are no thief's alone.
func (r *Record) ordinary(networks []string) {
	for _, n := range networks {
		if !slices.Contains(r.Ordinary, n) {
			r.Ordinary = append(r.Ordinary, n)
		}
	}
	r.Ordinary = r.Ordinary[max(0, len(r.Ordinary)-maxOrdinary):]
}

// refuse notes an event that is not believed.
func (r *Record) refuse(e event, now time.Time) {
	for _, w := range r.Wrongs { // it comes again before it is a dead letter
		if w.What == e.wrong.What && slices.Contains(w.Seen, e.id) {
			return
		}
	}
	w := r.refused(e.wrong, now)
	w.Seen = append(slices.Clone(w.Seen), e.id)
	w.Seen = w.Seen[max(0, len(w.Seen)-maxSeen):]
	w.Count++
	w.News++
}

// refused is where what is wrong is counted: by kind and account. Strangers may be many, and are one then.
func (r *Record) refused(what wrong, now time.Time) *Wrong {
	find := func() int {
		return slices.IndexFunc(r.Wrongs, func(w Wrong) bool { return w.What == what.What && w.Account == what.Account })
	}
	i := find()
	if i < 0 && what.What == uninvited && len(r.Wrongs) >= maxWrongs {
		what.Account = ""
		i = find()
	}
	if i < 0 {
		i = len(r.Wrongs)
		r.Wrongs = append(r.Wrongs, Wrong{wrong: what})
	}
	w := &r.Wrongs[i]
	if w.News == w.Told {
		w.Shown, w.Since, w.Count = what.Shown, now, 0
	}
	return w
}

// take takes what an event says of one incident: an older event changes nothing that a newer one has said.
func (r *Record) take(e event, u update, now time.Time) {
	if late := now.Add(ahead); u.At.After(late) { // whoever is far ahead of the hub could never be corrected
		u.At = late
	}
	i, p, j := r.find(e, u.ID)
	tied, guessed := r.tied(u)
	if i < 0 {
		if len(tied) == 0 {
			r.Number++
			r.Threads = append(r.Threads, Thread{Number: r.Number})
			tied = []int{len(r.Threads) - 1}
		}
		i = tied[0]
		t := &r.Threads[i]
		p = slices.IndexFunc(t.Places, func(p Place) bool { return p.Account == e.account && p.Region == e.region })
		if p < 0 {
			p = len(t.Places)
			t.Places = append(t.Places, Place{Account: e.account, Region: e.region})
		}
		u.First = now
		t.Places[p].Incidents = append(t.Places[p].Incidents, u.Incident)
		t.Changed = now
		if u.State != Searching {
			t.News++
		}
	} else if t, was := &r.Threads[i], r.Threads[i].Places[p].Incidents[j]; u.At.After(was.At) || was.State == Searching {
		u.First, u.Late = was.First, was.Late
		if u.State == Searching { // a page that comes late
			u.State = was.State
		}
		t.Places[p].Incidents[j] = u.Incident
		t.Changed = now
		if u.State != was.State || u.Waits != was.Waits {
			t.News++
		}
	}
	t := &r.Threads[i]
	t.Places[p].Alias = cmp.Or(e.alias, t.Places[p].Alias)
	if r.tie(t, &t.Keys, u.keys) && t.Told > 0 {
		t.News++ // a credential more, also of an incident that is known
	}
	r.tie(t, &t.Networks, slices.DeleteFunc(slices.Clone(u.networks), r.isOrdinary))
	if len(tied) > 0 {
		into := &r.Threads[r.merge(append(slices.Clone(tied), i))]
		into.Guessed = into.Guessed || guessed
	}
	r.absorb(e, u, now)
}

// absorb puts the incidents that another reports too beside it, from wherever their alarms have put them: nobody waits for their answers. Where some of
// them are not named, any alarm of the deployment may be one of those.
func (r *Record) absorb(e event, u update, now time.Time) {
	if u.MergedMore > 0 {
		for i := range r.Threads {
			for p := range r.Threads[i].Places {
				place := &r.Threads[i].Places[p]
				for j := range place.Incidents {
					if place.Account == e.account && place.Region == e.region && place.Incidents[j].State == Searching && !place.Incidents[j].At.After(u.At) {
						place.Incidents[j].Late = true
					}
				}
			}
		}
	}
	for _, id := range u.merged {
		one := Incident{ID: id, At: u.At, First: now, State: Merged}
		if i, p, j := r.find(e, id); i >= 0 {
			place := &r.Threads[i].Places[p]
			if place.Incidents[j].State != Searching {
				continue // it has been told for itself
			}
			one.First = place.Incidents[j].First
			place.Incidents = slices.Delete(slices.Clone(place.Incidents), j, j+1)
		}
		i, p, _ := r.find(e, u.ID)
		place := &r.Threads[i].Places[p]
		place.Incidents = append(place.Incidents, one)
	}
	if len(u.merged) > 0 {
		r.Threads = slices.DeleteFunc(r.Threads, func(t Thread) bool { return t.Lost == 0 && len(t.accounts()) == 0 })
	}
}

func (r *Record) isOrdinary(n string) bool { return slices.Contains(r.Ordinary, n) }

// tie adds what ties incidents to a thread, and reports whether there is something new.
func (r *Record) tie(t *Thread, list *[]string, more []string) (added bool) {
	for _, m := range more {
		if len(*list) < maxTies && !slices.Contains(*list, m) {
			*list, added = append(*list, m), true
			r.by[m] = append(r.by[m], t.Number)
		}
	}
	return added
}

// find finds an incident that is known.
func (r *Record) find(e event, id string) (thread, place, at int) {
	for i := range r.Threads {
		for p := range r.Threads[i].Places {
			place := &r.Threads[i].Places[p]
			if place.Account != e.account || place.Region != e.region {
				continue
			}
			if j := slices.IndexFunc(place.Incidents, func(in Incident) bool { return in.ID == id }); j >= 0 {
				return i, p, j
			}
		}
	}
	return -1, 0, 0
}

// tied are the threads to which an incident belongs, in order, and whether nothing but a network ties it to one of them.
func (r *Record) tied(u update) (all []int, guessed bool) {
	among := func(ties []string) (at []int) {
		for _, k := range ties {
			for _, number := range r.by[k] {
				if i, is := slices.BinarySearchFunc(r.Threads, number, func(t Thread, n int) int { return cmp.Compare(t.Number, n) }); is {
					at = append(at, i)
				}
			}
		}
		slices.Sort(at)
		return slices.Compact(at)
	}
	all = among(u.keys)
	surely := len(all)
	all = append(all, among(slices.DeleteFunc(slices.Clone(u.networks), r.isOrdinary))...)
	slices.Sort(all)
	all = slices.Compact(all)
	return all, len(all) > surely
}

// merge makes threads one, which has the first's number, and returns where it is.
func (r *Record) merge(which []int) int {
	slices.Sort(which)
	which = slices.Compact(which)
	if len(which) < 2 {
		return which[0]
	}
	into := &r.Threads[which[0]]
	for _, i := range which[1:] {
		t := r.Threads[i]
		r.tie(into, &into.Keys, t.Keys)
		r.tie(into, &into.Networks, t.Networks)
		into.With = append(append(slices.Clone(into.With), t.Number), t.With...)
		into.With = into.With[max(0, len(into.With)-maxTies):]
		into.Lost, into.Guessed = into.Lost+t.Lost, into.Guessed || t.Guessed
		if t.Changed.After(into.Changed) {
			into.Changed = t.Changed
		}
		if t.At.After(into.At) {
			into.At, into.Times = t.At, max(into.Times, t.Times)
		}
		if t.Told > 0 || t.News > t.Told {
			into.News++
		}
		for _, place := range t.Places {
			p := slices.IndexFunc(into.Places, func(o Place) bool { return o.Account == place.Account && o.Region == place.Region })
			if p < 0 {
				into.Places = append(into.Places, place)
				continue
			}
			into.Places[p].Incidents = append(slices.Clone(into.Places[p].Incidents), place.Incidents...)
			into.Places[p].Alias = cmp.Or(into.Places[p].Alias, place.Alias)
		}
	}
	n := -1
	r.Threads = slices.DeleteFunc(r.Threads, func(Thread) bool { n++; return slices.Contains(which[1:], n) })
	return which[0]
}

// lateAlarms has those told that fired, and of which nothing was heard since.
func (r *Record) lateAlarms(now time.Time) {
	for i := range r.Threads {
		t := &r.Threads[i]
		for p := range t.Places {
			for j := range t.Places[p].Incidents {
				if in := &t.Places[p].Incidents[j]; in.State == Searching && !in.Late && now.Sub(in.First) >= Patience {
					in.Late = true
					t.News++
				}
			}
		}
	}
}

// forget drops what is old, and what is more than is kept: first details, then incidents and threads of the accounts that have the most. It says how
// much.
func (r *Record) forget(now time.Time) {
	r.Threads = slices.DeleteFunc(r.Threads, func(t Thread) bool { return t.News <= t.Told && now.Sub(t.Changed) >= Keep })
	have := map[string]int{}
	for i := range r.Threads {
		for p := range r.Threads[i].Places {
			place := &r.Threads[i].Places[p]
			have[place.Account] += len(place.Incidents)
			if len(place.Incidents) <= maxDetailed {
				continue
			}
			slices.SortStableFunc(place.Incidents, func(x, y Incident) int { return cmp.Compare(y.weight(), x.weight()) })
			for j := range place.Incidents[maxDetailed:] {
				in := &place.Incidents[maxDetailed+j]
				in.Steps, in.MoreSteps, in.Page, in.Buckets, in.MoreBuckets = nil, 0, "", nil, 0 // where it stands is kept
			}
		}
	}
	most := share(have, maxIncidents)
	for account, n := range have {
		have[account] = n - most
	}
	r.dropIncidents(have, now)
	r.dropTo(maxThreads, now)
}

// share is how many each account may have, so that all have at most so many together: who has fewer keeps them all.
func share(have map[string]int, all int) int {
	counts, left := slices.Sorted(maps.Values(have)), all
	for i, n := range counts {
		if each := left / (len(counts) - i); n > each {
			return max(each, 1)
		}
		left -= n
	}
	return all
}

// dropIncidents drops so many incidents of each account: first what is closed, then what waits for nobody, each time the oldest threads first.
func (r *Record) dropIncidents(more map[string]int, now time.Time) {
	lost := map[string]int{}
	for _, over := range []func(Incident) bool{func(in Incident) bool { return in.State == Closed || in.State == Merged }, func(in Incident) bool { return !in.Waits }, func(Incident) bool { return true }} {
		for i := range r.Threads {
			t := &r.Threads[i]
			for p := range t.Places {
				account := t.Places[p].Account
				if more[account] <= 0 {
					continue
				}
				kept := t.Places[p].Incidents[:0:0]
				for _, in := range t.Places[p].Incidents {
					if more[account] > 0 && over(in) {
						more[account]--
						lost[account]++
						t.Lost++
						continue
					}
					kept = append(kept, in)
				}
				t.Places[p].Incidents = kept
			}
		}
	}
	r.Threads = slices.DeleteFunc(r.Threads, func(t Thread) bool { return len(t.accounts()) == 0 })
	r.loseAll(lost, now)
}

// loseAll notes what is not kept any more, by account.
func (r *Record) loseAll(lost map[string]int, now time.Time) {
	for _, account := range slices.Sorted(maps.Keys(lost)) {
		r.lose(account, lost[account], now)
	}
}

// weight orders the incidents of a place: what waits for a human first, then what CloudWatch confirms, then bytes.
func (in Incident) weight() (w int64) {
	if in.State == Merged {
		return -1
	}
	if in.Bytes != nil {
		w = min(max(*in.Bytes, 0), 1<<58)
	}
	if in.Confirmed {
		w += 1 << 59
	}
	if in.Waits && in.State != Closed {
		w += 1 << 60
	}
	return w
}

// claim claims all that is due, unless the last messages are too near.
func (r *Record) claim(now time.Time) {
	if n := len(r.Sent); n > 0 && now.Before(r.Sent[n-1].Add(pause(r.Sent, now))) {
		return
	}
	for _, t := range r.tellings() {
		if t.due(now) {
			t.claim(r.Version, now)
		}
	}
}

// tellings are all that is told of.
func (r *Record) tellings() (all []*Telling) {
	for i := range r.Threads {
		all = append(all, &r.Threads[i].Telling)
	}
	for i := range r.Wrongs {
		all = append(all, &r.Wrongs[i].Telling)
	}
	for i := range r.Heard {
		all = append(all, &r.Heard[i].Telling, &r.Heard[i].Test)
	}
	return all
}

// sent is the record after the run of a version has sent what it had claimed.
func (r Record) sent(version int64, now time.Time) Record {
	r = r.clone()
	r.Version++
	for _, t := range r.tellings() {
		t.sent(version, now)
	}
	r.Sent = append(r.Sent, now)
	r.Sent = r.Sent[max(0, len(r.Sent)-maxSent):]
	return r
}

// clone is the record with lists of its own.
func (r Record) clone() Record {
	r.Threads, r.Ordinary, r.Heard, r.Wrongs, r.Sent = slices.Clone(r.Threads), slices.Clone(r.Ordinary), slices.Clone(r.Heard), slices.Clone(r.Wrongs), slices.Clone(r.Sent)
	for i := range r.Threads {
		t := &r.Threads[i]
		t.Keys, t.Networks, t.Places = slices.Clone(t.Keys), slices.Clone(t.Networks), slices.Clone(t.Places)
		for p := range t.Places {
			t.Places[p].Incidents = slices.Clone(t.Places[p].Incidents)
		}
	}
	return r
}

// Smaller is the record with less in it, for where it is too large to be stored. The account of which most is stored has less: first without what its
// incidents say and with fewer ties, then without half of its threads, then without half of its incidents.
func (r Record) Smaller() Record {
	r = r.clone()
	size := func(v any) int {
		text, _ := json.Marshal(v)
		return len(text)
	}
	sizes, own := map[string]int{}, map[string]int{}
	var now time.Time
	for i := range r.Threads {
		t := &r.Threads[i]
		if t.Changed.After(now) {
			now = t.Changed
		}
		for _, p := range t.Places {
			sizes[p.Account] += size(p)
		}
		if accounts := t.accounts(); len(accounts) == 1 {
			own[accounts[0]]++
			sizes[accounts[0]] += size(t.Keys) + size(t.Networks) + size(t.With)
		}
	}
	heavy := ""
	for _, account := range slices.Sorted(maps.Keys(sizes)) {
		if sizes[account] > sizes[heavy] {
			heavy = account
		}
	}
	const few = 6
	less, incidents := false, 0
	for i := range r.Threads {
		t := &r.Threads[i]
		if !slices.Contains(t.accounts(), heavy) {
			continue
		}
		less = less || len(t.Keys) > few || len(t.Networks) > few || len(t.With) > few
		t.Keys, t.Networks, t.With = t.Keys[:min(len(t.Keys), few)], t.Networks[:min(len(t.Networks), few)], t.With[:min(len(t.With), few)]
		for p := range t.Places {
			if t.Places[p].Account != heavy {
				continue
			}
			incidents += len(t.Places[p].Incidents)
			for j := range t.Places[p].Incidents {
				in := &t.Places[p].Incidents[j]
				less = less || len(in.Steps)+len(in.Buckets)+len(in.Page) > 0
				in.Steps, in.Page, in.Buckets = nil, "", nil
			}
		}
	}
	switch {
	case less:
	case own[heavy] > 1:
		r.drop(len(r.Threads)-own[heavy]/2, func(account string) int {
			if account == heavy {
				return 1
			}
			return len(r.Threads)
		}, now)
	default:
		r.dropIncidents(map[string]int{heavy: incidents / 2}, now)
		r.Ordinary = r.Ordinary[:len(r.Ordinary)/2]
	}
	return r
}

// dropTo keeps so many threads: of the accounts that have the most it drops those without news, and then the oldest.
func (r *Record) dropTo(most int, now time.Time) {
	if len(r.Threads) <= most {
		return
	}
	have := map[string]int{}
	for _, t := range r.Threads {
		for _, a := range t.accounts() {
			have[a]++
		}
	}
	each := share(have, most)
	r.drop(most, func(string) int { return each }, now)
}

// drop drops threads until there are so many, and none of which an account has no more than it may.
func (r *Record) drop(most int, may func(account string) int, now time.Time) {
	have := map[string]int{}
	for _, t := range r.Threads {
		for _, a := range t.accounts() {
			have[a]++
		}
	}
	worth := func(t Thread) int {
		if t.News <= t.Told {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(r.Threads, func(x, y Thread) int { return cmp.Or(cmp.Compare(worth(x), worth(y)), x.Changed.Compare(y.Changed)) })
	left, lost := len(r.Threads), map[string]int{}
	r.Threads = slices.DeleteFunc(r.Threads, func(t Thread) bool {
		accounts := t.accounts()
		if left <= most || slices.ContainsFunc(accounts, func(a string) bool { return have[a] <= may(a) }) {
			return false
		}
		left--
		for _, a := range accounts {
			have[a]--
		}
		for _, p := range t.Places {
			lost[p.Account] += len(p.Incidents)
		}
		return true
	})
	slices.SortFunc(r.Threads, func(x, y Thread) int { return cmp.Compare(x.Number, y.Number) })
	r.loseAll(lost, now)
}
