package sandbox

import (
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/prose"
)

// plot is what happens in a night.
type plot struct {
	mode containment.Mode
	kind string
	// begins is when the first theft does.
	begins time.Time
	// goesOn: the theft goes on until it is stopped, and not for a few minutes.
	goesOn bool
	// What the thief does beside.
	newKey, switchesOn, deletes, tagsHimself, forges, intrudes bool
	// What people do about messages: run the commands that they are asked to run, or undo what was done; or have Nightlatch do what it
	// asks for, or take back what it did.
	approve, undo, approves, restores float64

	workers int

	stolen, neighbour, second, batch string
}

// kinds are the plots; the first stands for what the product is for.
var kinds = []string{"theft", "theft", "theft", "theft of many", "two thieves", "a second thief", "neighbour at work", "nightly batch", "role", "root", "presigned", "anonymous", "nobody on the trail"}

// cast makes the people of a night, their past, and what will happen.
func (w *world) cast() {
	p := plot{kind: kinds[w.IntN(len(kinds))], begins: dusk.Add(w.between(5*time.Minute, 8*time.Minute)), goesOn: w.chance(0.4), mode: containment.ModeAct, workers: []int{0, 8}[w.IntN(2)]}
	if w.chance(0.25) {
		p.mode = []containment.Mode{containment.ModeAsk, containment.ModeAsk, containment.ModeObserve}[w.IntN(3)]
	}
	p.approve, p.undo = []float64{0, 0.3, 0.9}[w.IntN(3)], []float64{0, 0, 0.5}[w.IntN(3)]
	p.approves, p.restores, p.intrudes = []float64{0, 0.4, 0.9}[w.IntN(3)], []float64{0, 0, 0.5}[w.IntN(3)], w.chance(0.4)
	if !w.weather.clear && w.chance(0.4) || w.chance(0.1) {
		p.newKey, p.switchesOn, p.deletes, p.tagsHimself, p.forges = w.chance(0.3), w.chance(0.3), w.chance(0.3), w.chance(0.3), w.chance(0.5)
	}
	p.stolen, p.neighbour, p.second, p.batch = keyID("AKIA", w.Rand), keyID("AKIA", w.Rand), keyID("AKIA", w.Rand), keyID("AKIA", w.Rand)
	w.plot = p
	w.alarms = []*watched{{name: "nightlatch-crown-jewels", buckets: buckets, periods: 1 + 4*w.IntN(2)}}
	if p.kind == "theft of many" || w.chance(0.2) {
		w.alarms = nil
		one := w.chance(0.5) // on every bucket, each of which is a contributor
		for _, b := range buckets {
			a := &watched{name: "nightlatch-" + b, buckets: []string{b}, periods: 5}
			if one {
				a.name, a.contributor = "nightlatch-every-bucket", fmt.Sprintf("%016x", w.Uint64())
			}
			w.alarms = append(w.alarms, a)
		}
	}
	w.tell("%s, mode %s: %+v", p.kind, p.mode, p)
	w.tell("the weather: %+v", w.weather)

	mara := w.employee("mara", "203.0.113", p.stolen, 3, 5, 9)
	w.mara = mara.who.PrincipalID
	neighbour := mara
	neighbour.who.AccessKeyID = p.neighbour
	if !p.newKey { // a user has at most two keys
		w.account.AddUser("mara", nil, Key{ID: p.neighbour, Status: containment.Active, Created: dusk.AddDate(-1, 0, 0)})
		w.past(neighbour, 1<<20, 1, 2, 3, 4, 5, 6)
	}
	jon := w.employee("jon", "203.0.114", p.second, 2, 4)
	w.jon = jon.who
	batch := w.employee("svc-batch", "192.0.2", p.batch, 1, 2, 3, 4, 5, 6, 7)
	for i := range 2 {
		c := w.employee(fmt.Sprintf("svc-board-%d", i), "192.0.2", keyID("AKIA", w.Rand), 1, 2, 3)
		w.every(w.between(2*time.Minute, 5*time.Minute), func() { w.read(c, "GetObject", w.bucket(), w.size(200<<10), false) })
	}
	w.at(dusk, w.tick)

	thief := func(c caller, ip string) caller {
		c.ip, c.agent = always(ip), "aws-cli/2.31.4 md/installer#exe"
		return c
	}
	first := &thefts{world: w, caller: thief(mara, "198.51.100.77"), rate: w.rate(), until: p.begins.Add(w.length())}
	also := *first
	also.caller, also.rate, also.until = thief(jon, "198.51.100.99"), w.rate(), p.begins.Add(2*time.Minute+w.length())
	switch p.kind {
	case "theft", "theft of many":
		w.at(p.begins, first.next)
	case "neighbour at work":
		w.every(30*time.Second, func() { w.read(neighbour, "GetObject", w.bucket(), w.size(1<<20), false) })
		w.at(p.begins, first.next)
	case "two thieves":
		w.at(p.begins, first.next)
		w.at(p.begins.Add(w.between(0, 2*time.Minute)), also.next)
	case "a second thief": // begins while the alarm is in ALARM, so that nothing fires
		first.until = p.begins.Add(20 * time.Minute)
		also.until = p.begins.Add(30 * time.Minute)
		w.at(p.begins, first.next)
		w.at(p.begins.Add(w.between(5*time.Minute, 12*time.Minute)), also.next)
	case "nightly batch":
		first.caller, first.innocent = batch, true
		w.at(p.begins, first.next)
	case "role":
		w.account.AddRole("etl", nil)
		first.caller = thief(caller{who: roleSession(w.Rand, "etl", keyID("AROA", w.Rand), "i-0123456789abcdef0")}, "198.51.100.77")
		w.at(p.begins, first.next)
	case "root":
		first.caller = thief(caller{who: identity{Type: "Root", PrincipalID: accountID, ARN: "arn:aws:iam::" + accountID + ":root", AccountID: accountID, AccessKeyID: keyID("AKIA", w.Rand)}}, "198.51.100.77")
		w.at(p.begins, first.next)
	case "presigned":
		first.presigned = true
		w.at(p.begins, first.next)
	case "anonymous":
		first.caller = thief(caller{who: identity{Type: "AWSAccount", PrincipalID: "", AccountID: "anonymous"}}, "198.51.100.77")
		w.at(p.begins, first.next)
	case "nobody on the trail":
		first.unseen = true
		w.at(p.begins, first.next)
	}
	w.with(w.dice, func() { w.arm(first, mara) })
	w.people(p.begins, first.caller, mara)
	if p.forges {
		for range 1 + w.IntN(4) {
			w.at(p.begins.Add(w.between(0, 40*time.Minute)), w.forge)
		}
	}
}

// employee is a user with a key and a past of so many days ago.
func (w *world) employee(name, network, key string, ago ...int) caller {
	c := caller{who: iamUser(w.Rand, name, key), ip: within(network), agent: "aws-cli/2.31.4 md/prompt#off"}
	w.account.AddUser(name, nil, Key{ID: key, Status: containment.Active, Created: dusk.AddDate(-1, 0, 0)})
	w.past(c, 5<<20, ago...)
	return c
}

func (w *world) past(c caller, size int64, ago ...int) {
	for _, days := range ago {
		for range 1 + w.IntN(3) {
			at := dusk.AddDate(0, 0, -days).Add(-w.between(2*time.Hour, 20*time.Hour))
			w.record(c.call(w.Rand, at, "GetObject", w.bucket(), "reports/q1", w.size(size)))
		}
	}
}

func (w *world) bucket() string { return buckets[w.IntN(len(buckets))] }

func (w *world) size(mean int64) int64 { return mean/2 + w.Int64N(mean) }

func (w *world) rate() int64 { return threshold * (3 + w.Int64N(6)) }

func (w *world) length() time.Duration {
	if w.plot.goesOn {
		return 90 * time.Minute
	}
	return w.between(3*time.Minute, 8*time.Minute)
}

// every has something happen again and again, all night.
func (w *world) every(d time.Duration, do func()) {
	w.after(w.between(d/2, d), func() {
		do()
		if w.now.Before(dusk.Add(90 * time.Minute)) {
			w.every(d, do)
		}
	})
}

// thefts are the calls that take a lot.
type thefts struct {
	*world
	caller
	rate                        int64 // bytes a minute
	until                       time.Time
	innocent, presigned, unseen bool
	taken                       int64
	refused                     int
	spare                       *identity // that he has made for when he is cut
}

// next takes one object, and comes back for the next.
func (f *thefts) next() {
	w, key := f.world, f.who.AccessKeyID
	if w.now.After(f.until) {
		w.tell("%s is gone, with %s", key, prose.Bytes(f.taken))
		return
	}
	if f.taken == 0 {
		w.tell("%s begins to take %s a minute", key, prose.Bytes(f.rate))
		if !f.innocent && (f.who.Type == "IAMUser" || len(w.steps) > 0) && !f.unseen && !f.presigned {
			w.guilty[f.who.id()] = true
		}
	}
	n := w.size(f.rate / 6)
	switch {
	case f.unseen:
		c := f.call(w.Rand, w.now, "GetObject", w.bucket(), "x", n)
		w.bytes.add(c)
		f.taken += n
	case w.read(f.caller, "GetObject", w.bucket(), n, f.presigned):
		f.taken += n
		w.goesOn(f.who, n)
		f.digIn()
		w.with(w.dice, f.prepare)
	default:
		if f.refused++; f.refused == 1 {
			w.tell("%s is refused, after %s", key, prose.Bytes(f.taken))
		}
		f.comeBack()
		w.with(w.dice, f.counter)
	}
	w.after(w.between(8*time.Second, 12*time.Second), f.next)
}

// digIn is what a thief does while his key works.
func (f *thefts) digIn() {
	w, p := f.world, f.plot
	if f.innocent || f.who.UserName != "mara" || !w.chance(0.05) {
		return
	}
	switch {
	case p.tagsHimself && w.chance(0.3):
		if w.manage(f.caller, "TagUser", map[string]string{"userName": "mara", "tags": `[{"key":"nightlatch:protect","value":"please"}]`}) {
			w.account.users["mara"].Tags = map[string]string{protectTag: "please"}
		}
	case p.newKey && w.guilty[w.plot.stolen] && len(w.account.users["mara"].Keys) < 2:
		if w.manage(f.caller, "CreateAccessKey", map[string]string{"userName": "mara"}) {
			w.account.AddUser("mara", nil, Key{ID: keyID("AKIA", w.Rand), Status: containment.Active, Created: w.now})
		}
	}
}

// comeBack is what he does when it does not.
func (f *thefts) comeBack() {
	w, p := f.world, f.plot
	if keys := w.account.users["mara"].Keys; p.newKey && f.who.UserName == "mara" && len(keys) == 2 && f.who.AccessKeyID == p.stolen {
		f.who.AccessKeyID, f.refused = keys[1].ID, 0
		w.guilty[keys[1].ID] = true
		w.tell("the thief goes on with %s", keys[1].ID)
		if p.deletes && w.manage(f.caller, "DeleteAccessKey", map[string]string{"userName": "mara", "accessKeyId": p.stolen}) {
			w.remove("the thief", p.stolen)
		} else if p.switchesOn && w.manage(f.caller, "UpdateAccessKey", map[string]string{"userName": "mara", "accessKeyId": p.stolen, "status": containment.Active}) {
			w.turn("the thief", p.stolen, containment.Active)
		}
	}
}

// forge sends the function an event that the thief has made up, or seen before.
func (w *world) forge() {
	a := w.alarms[w.IntN(len(w.alarms))]
	at := []time.Time{w.now, a.changed, w.now.Add(-30 * time.Minute), w.now.AddDate(0, 0, -1), w.now.AddDate(1, 0, 0)}[w.IntN(5)]
	if at.IsZero() {
		at = w.now
	}
	other := *a
	switch w.IntN(4) {
	case 0:
		other.name = "nightlatch-other"
	case 1:
		other.buckets = []string{"finance-ledger"}
	}
	start := at.Truncate(time.Minute).Add(-2 * time.Minute)
	texts := [][]byte{
		other.transition(at, []alarm.Point{{Start: start, Bytes: 5 * threshold}}),
		fmt.Appendf(nil, `{"nightlatch":{"investigate":{"bucket":%q,"from":%q,"to":%q,"access_key_id":%q,"bytes":1}}}`, buckets[0],
			w.plot.begins.Format(time.RFC3339), w.now.Add(time.Minute).Format(time.RFC3339), w.plot.neighbour),
		[]byte(`{"nightlatch":{"advance":{"incident":"20240304-000000-0000000000000000"}}}`),
		[]byte(`{"Records":[]}`), []byte(`[1,2`), []byte(`{"alarmData":{"state":{"value":"ALARM"}}}`),
	}
	for _, r := range w.firings {
		texts = append(texts, fmt.Appendf(nil, `{"nightlatch":{"advance":{"incident":%q}}}`, r.id))
	}
	text := texts[w.IntN(len(texts))]
	w.tell("the thief calls the function with %.150s", strings.Join(strings.Fields(string(text)), " "))
	w.invoke(&event{what: "a forged event", text: text})
}
