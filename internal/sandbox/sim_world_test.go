package sandbox

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/report"
)

// dusk is when a simulated night begins. It lies in the real past, so that context.WithTimeout makes no timer (see virtual).
var dusk = time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)

// world is one simulated night: what is true in it, beside what the responder gets to see.
type world struct {
	timeline
	hearing
	ordering
	hub     *partition // nil in most nights
	seed    uint64
	weather weather
	// misleads counts the containments that were taken back in a night that breaks what they assume.
	misleads int
	// refusals are when requests of keys that were off came to each bucket; countsErrors says that there is a metric of them.
	refusals     map[string][]time.Time
	countsErrors bool
	// metricThen is what the metric showed when an incident wrote first.
	metricThen map[string]int64
	plot       plot

	account *Account
	// shows is the history of each setting that was changed: AWS shows a change some time after it was made.
	shows  map[containment.Ref][]change
	trail  []*entry
	bytes  minutes
	points map[string][]published
	alarms []*watched
	store  *incident.Memory
	briefs []filed

	// threads are the invocations that may still run; events what Lambda holds for the function.
	invocations int
	scheduled   map[string]bool

	// What is true, for the rules.
	guilty map[string]bool // credentials that a thief has used or minted
	mara   string          // the unique id of the stolen key's user
	jon    identity        // a colleague
	writes []write
	sent   []sent
	// stored are the incidents as they were put last, brakes the lowered modes and the holds, since when; approvals those that took effect.
	stored      map[string]incident.Record
	brakes      []brakesSince
	approvals   []granted
	deadLetters []deadLetter // what ended in the dead-letter queue
	firings     []firing
	lowered     time.Time // when a human lowered the mode
	generation  string    // of the deployment
	staff       []*person // who may decide, and who may not
	others      []*person
	broken      []breach
	calls       int
	faults      int

	plant   plant
	chances *rand.Rand
}

// weather is how badly things go in a night.
type weather struct {
	fault map[string]float64 // of a call to a service
	crash float64            // of a call
	slow  float64            // a call takes many times as long
	froze float64            // the invocation is frozen for minutes, and goes on
	// The trail: a record is delivered after least to most, and some of them much later, twice or never.
	least, most         time.Duration
	late, twice, never  float64
	lost, moved, behind float64 // datapoints
	iam                 time.Duration
	skew                time.Duration // how far a clock is off, at most
	repeat              float64       // an event is delivered twice
	clear               bool
}

// change is what a setting holds from a time on.
type change struct {
	visible time.Time
	doc     containment.Doc
}

type published struct {
	alarm.Point
	visible time.Time
}

// filed is what a list of incidents shows from a time on.
type filed struct {
	at      time.Time
	decided bool // by a human
	incident.Brief
}

// write is one change of a setting.
type write struct {
	at           time.Time
	by, incident string
	ref          containment.Ref
	before, doc  containment.Doc
}

// off reports whether it turned a key off.
func (x write) off(key string) bool {
	return x.ref.Type == containment.KeyStatus && x.ref.Name == key && x.doc.Text == containment.Inactive
}

// brakesSince is a lowered mode and the holds, since a time.
type brakesSince struct {
	at time.Time
	incident.Brakes
}

type sent struct {
	at time.Time
	by string
	report.Message
}

type deadLetter struct {
	at   time.Time
	what string
}

type firing struct {
	at time.Time
	id string
}

// breach is a rule that was broken.
type breach struct {
	rule, what string
}

func (w *world) breach(rule, format string, args ...any) {
	b := breach{rule, fmt.Sprintf(format, args...)}
	w.broken = append(w.broken, b)
	w.tell("BROKEN %s: %s", b.rule, b.what)
}

// newWorld makes the night of a seed.
func newWorld(seed uint64, tells bool) *world {
	w := &world{timeline: timeline{Rand: rand.New(rand.NewPCG(seed, 0x6e696768746c6174)), now: dusk, tells: tells}, seed: seed, account: NewAccount(accountID),
		shows: map[containment.Ref][]change{}, bytes: minutes{}, points: map[string][]published{}, store: &incident.Memory{}, scheduled: map[string]bool{}, guilty: map[string]bool{}, metricThen: map[string]int64{}, stored: map[string]incident.Record{}, generation: "1", chances: rand.New(rand.NewPCG(seed, 1)), countsErrors: seed%3 > 0}
	w.weather = w.forecast()
	w.dice, w.more = rand.New(rand.NewPCG(seed, 15)), rand.New(rand.NewPCG(seed, 16))
	w.with(w.dice, w.enable)
	w.cast()
	w.ears = rand.New(rand.NewPCG(seed, 14))
	w.with(w.ears, w.listen)
	return w
}

// services are what an invocation calls.
var services = []string{"store", "meter", "trail", "account", "channel", "scheduler"}

// forecast says how bad the night is: a quarter are without a fault.
func (w *world) forecast() weather {
	f := weather{fault: map[string]float64{}, least: 2 * time.Minute, most: 5 * time.Minute, iam: 3 * time.Second}
	level := []float64{0, 0.01, 0.05, 0.2}[w.IntN(4)]
	if level == 0 {
		f.clear = true
		return f
	}
	for _, s := range services {
		f.fault[s] = level
	}
	if w.chance(0.2) {
		f.fault[services[w.IntN(len(services))]] = 0.6
	}
	f.crash, f.slow, f.froze = level/4, level, level/20
	f.iam = w.between(0, []time.Duration{10 * time.Second, time.Minute, 4 * time.Minute}[w.IntN(3)])
	if f.repeat = 0.3; w.chance(0.5) {
		f.skew = w.between(0, 5*time.Second)
	}
	if w.chance(0.6) {
		f.most, f.late, f.twice = w.between(6*time.Minute, 15*time.Minute), w.Float64()*0.1, 0.1
	}
	if w.chance(0.3) {
		f.never = w.Float64() * 0.1
	}
	if w.chance(0.4) {
		f.lost, f.moved, f.behind = w.Float64()*0.2, w.Float64()*0.3, w.Float64()*0.3
	}
	return f
}

// --- the account

// put makes a setting something. Everybody sees it once it has spread.
func (w *world) put(by, incident string, ref containment.Ref, doc containment.Doc) error {
	before, err := w.account.get(ref)
	if err == nil {
		err = w.account.write(ref, doc)
	}
	if err == nil {
		w.changed(by, incident, ref, before, doc)
	}
	return err
}

// changed notes that a setting is something else now.
func (w *world) changed(by, incident string, ref containment.Ref, before, doc containment.Doc) {
	w.writes = append(w.writes, write{w.now, by, incident, ref, before, doc})
	if w.shows[ref] == nil {
		w.shows[ref] = []change{{doc: before}}
	}
	w.shows[ref] = append(w.shows[ref], change{w.now.Add(w.between(0, w.weather.iam)), doc})
	w.tell("%s: %s %s is %+v now", by, ref.Type, ref.Name, doc)
}

// turn sets a key's status, where there is such a key.
func (w *world) turn(by, key, status string) {
	if err := w.put(by, "", w.keyRef(key), containment.Doc{Text: status}); err != nil {
		w.tell("%s: key %s: %v", by, key, err)
	}
}

// keyRef is the setting that is a key's status.
func (w *world) keyRef(key string) containment.Ref {
	ref := containment.Ref{Type: containment.KeyStatus, Name: key}
	if u, _ := w.account.find(key); u != nil {
		ref.Owner = u.Name
	}
	return ref
}

// remove deletes a key: IAM keeps nothing of it.
func (w *world) remove(by, key string) {
	if u, _ := w.account.find(key); u != nil {
		u.Keys = slices.DeleteFunc(u.Keys, func(k Key) bool { return k.ID == key })
		w.tell("%s: key %s is deleted", by, key)
	}
}

// brakesAt is the lowered mode and the holds as they were at a time.
func (w *world) brakesAt(at time.Time) incident.Brakes {
	for _, b := range slices.Backward(w.brakes) {
		if !b.at.After(at) {
			return b.Brakes
		}
	}
	return incident.Brakes{}
}

// spread is what a setting holds as it has spread by now. What holds says is what it holds in truth.
func (w *world) spread(ref containment.Ref, holds containment.Doc) containment.Doc {
	for _, c := range w.shows[ref] {
		if !c.visible.After(w.now) {
			holds = c.doc
		}
	}
	return holds
}

// on reports whether there is such a key, and it is on as far as that has spread.
func (w *world) on(key string) bool {
	u, k := w.account.find(key)
	return k != nil && w.spread(containment.Ref{Type: containment.KeyStatus, Owner: u.Name, Name: key}, containment.Doc{Text: containment.Active}).Text == containment.Active
}

// --- traffic, the trail and the metric

// works reports whether a call with this identity goes through. A refused key leaves no record.
func (w *world) works(who identity) bool {
	return !strings.HasPrefix(who.AccessKeyID, "AKIA") || who.Type == "Root" || w.on(who.AccessKeyID)
}

// read is one call that moves bytes.
func (w *world) read(c caller, name, bucket string, n int64, presigned bool) bool {
	refused := func() {
		if w.refusals == nil {
			w.refusals = map[string][]time.Time{}
		}
		w.refusals[bucket] = append(w.refusals[bucket], w.now)
	}
	if !w.works(c.who) { // it leaves no record, and has no name in the metric
		refused()
		return false
	}
	r := c.call(w.Rand, w.now, name, bucket, "exports/2024/part-"+fmt.Sprint(w.IntN(5000)), n)
	if presigned {
		r.AdditionalData["AuthenticationMethod"] = "QueryString"
	}
	denied := w.refuses(r)
	if denied {
		refused()
		r.ErrorCode, r.AdditionalData["bytesTransferredOut"] = "AccessDenied", int64(243)
	}
	w.record(r)
	w.bytes.add(r)
	return !denied
}

// record has CloudTrail deliver a record, at some time.
func (w *world) record(r record) {
	f := w.weather
	var due []time.Time
	if r.EventTime.Before(dusk) {
		due = []time.Time{r.EventTime}
	} else if !w.chance(f.never) {
		lag := w.between(f.least, f.most)
		if w.chance(f.late) {
			lag += w.between(0, 40*time.Minute)
		}
		due = append(due, r.EventTime.Add(lag))
		if w.chance(f.twice) {
			due = append(due, r.EventTime.Add(lag+w.between(0, 5*time.Minute)))
		}
	}
	w.trail = append(w.trail, enter(r, due...))
}

// manage is one call to IAM or STS by a credential, on the record.
func (w *world) manage(c caller, name string, parameters map[string]string) bool {
	return w.works(c.who) && w.managed(c, w.now, name, parameters, nil)
}

// managed is one that was made at a time, with what it gave out. It is false where a policy refused it.
func (w *world) managed(c caller, at time.Time, name string, parameters map[string]string, gave map[string]any) bool {
	r := c.call(w.Rand, at, name, "", "", 0)
	r.EventSource, r.AWSRegion, r.RequestParameters, r.AdditionalData, r.Resources, r.ResponseElements = "iam.amazonaws.com", "us-east-1", parameters, nil, nil, gave
	r.ManagementEvent, r.EventCategory, r.ReadOnly = true, "Management", false
	if gave["credentials"] != nil {
		r.EventSource, r.AWSRegion, r.ReadOnly = "sts.amazonaws.com", region, true
	}
	denied := w.refuses(r)
	if denied {
		r.ErrorCode, r.ResponseElements = "AccessDenied", nil
	}
	w.record(r)
	w.tell("%s calls %s %v %s", c.who.AccessKeyID, name, parameters, r.ErrorCode)
	return !denied
}

// publish ends a minute: its sums become datapoints, late, in another minute, or never.
func (w *world) publish(minute time.Time) {
	for _, b := range buckets {
		n := w.bytes[b][minute]
		if n == 0 || w.chance(w.weather.lost) {
			continue
		}
		p := published{alarm.Point{Start: minute, Bytes: n}, w.now.Add(w.between(30*time.Second, 90*time.Second))}
		if w.chance(w.weather.moved) {
			p.Start = p.Start.Add(time.Minute)
		}
		if w.chance(w.weather.behind) {
			p.visible = p.visible.Add(w.between(0, 10*time.Minute))
		}
		w.points[b] = append(w.points[b], p)
	}
}

// metric are the datapoints that CloudWatch shows by now.
func (w *world) metric(of []string, from, to time.Time) []alarm.Point {
	sums := map[time.Time]int64{}
	for _, b := range of {
		for _, p := range w.points[b] {
			if !p.visible.After(w.now) && !p.Start.Before(from) && p.Start.Before(to) {
				sums[p.Start] += p.Bytes
			}
		}
	}
	var list []alarm.Point
	for t, n := range sums {
		list = append(list, alarm.Point{Start: t, Bytes: n})
	}
	sortPoints(list)
	return list
}

// watched is an alarm.
type watched struct {
	name    string
	buckets []string
	periods int
	alarmed bool
	changed time.Time
	// contributor is the id of the one series of an alarm on a Metrics Insights query; "" where the alarm is on one sum.
	contributor string
}

func (a *watched) arn() string {
	return "arn:aws:cloudwatch:" + region + ":" + accountID + ":alarm:" + a.name
}

// evaluate is what CloudWatch does once a minute.
func (w *world) evaluate(a *watched) {
	end := w.now.Truncate(time.Minute)
	points := w.metric(a.buckets, end.Add(-time.Duration(a.periods+1)*time.Minute), end)
	fires := slices.ContainsFunc(points, func(p alarm.Point) bool { return float64(p.Bytes) > threshold })
	if fires == a.alarmed {
		return
	}
	a.alarmed, a.changed = fires, w.now
	if !fires {
		w.tell("alarm %s is OK", a.name)
		return
	}
	direct := a.transition(w.now, points)
	parsed, err := alarm.Parse(direct)
	if err != nil {
		panic(err)
	}
	id := parsed.Alarm.ID()
	w.firings = append(w.firings, firing{w.now, id})
	w.tell("alarm %s FIRES: %s", a.name, id)
	if !w.muted {
		w.deliver("direct", id, direct)
	}
	w.deliver("EventBridge", id, a.bridge(direct))
}

// transition is the event that goes straight to the function.
func (a *watched) transition(at time.Time, points []alarm.Point) []byte {
	if a.contributor != "" {
		return a.contribution(at, points)
	}
	var metrics []any
	for i, b := range a.buckets {
		metrics = append(metrics, map[string]any{"id": fmt.Sprintf("m%d", i+1), "returnData": false, "metricStat": map[string]any{
			"metric": map[string]any{"namespace": "AWS/S3", "name": "BytesDownloaded", "dimensions": map[string]string{"BucketName": b, "FilterId": "EntireBucket"}},
			"period": 60, "stat": "Sum"}})
	}
	text, err := alarmEvent(a.name, at, threshold, points, metrics)
	if err != nil {
		panic(err)
	}
	return text
}

// contribution is that of one contributor: it names one datapoint, in the reason's text.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
func (a *watched) contribution(at time.Time, points []alarm.Point) []byte {
	last := points[0]
	for _, p := range points {
		if float64(p.Bytes) > threshold {
			last = p
		}
	}
	text, err := json.Marshal(map[string]any{"source": "aws.cloudwatch", "alarmArn": a.arn(), "accountId": accountID, "time": at.Format(awsTime), "region": region,
		"alarmData": map[string]any{
			"alarmName": a.name, "alarmContributor": map[string]any{"id": a.contributor, "attributes": map[string]string{"BucketName": a.buckets[0]}},
			"state": map[string]string{"value": "ALARM", "timestamp": at.Format(awsTime), "reason": fmt.Sprintf("Threshold Crossed: 1 datapoint was greater than the threshold "+
				"(%d.0). The most recent datapoint which crossed the threshold: [%d.0 (%s)].", threshold, last.Bytes, last.Start.Format("02/01/06 15:04:05"))},
			"configuration": map[string]any{"metrics": []any{map[string]any{"id": "q1", "returnData": true, "period": 60,
				"expression": `SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) WHERE FilterId = 'EntireBucket' GROUP BY BucketName ORDER BY SUM() DESC`}}},
		}})
	if err != nil {
		panic(err)
	}
	return text
}

// bridge is the same event as EventBridge sends it.
func (a *watched) bridge(direct []byte) []byte {
	var in struct {
		Time      string          `json:"time"`
		AlarmData json.RawMessage `json:"alarmData"`
	}
	if err := json.Unmarshal(direct, &in); err != nil {
		panic(err)
	}
	kind := "CloudWatch Alarm State Change"
	if a.contributor != "" {
		kind = "CloudWatch Alarm Contributor State Change"
	}
	out, err := json.Marshal(map[string]any{"version": "0", "detail-type": kind, "source": "aws.cloudwatch", "account": accountID,
		"region": region, "time": in.Time, "resources": []string{a.arn()}, "detail": in.AlarmData})
	if err != nil {
		panic(err)
	}
	return out
}

// deliver has an event reach the function, and sometimes twice.
func (w *world) deliver(way, id string, text []byte) {
	for range 1 + map[bool]int{true: 1}[w.chance(w.weather.repeat)] {
		lag := w.between(100*time.Millisecond, 3*time.Second)
		if w.chance(w.weather.slow) {
			lag += w.between(0, 5*time.Minute)
		}
		w.after(lag, func() { w.invoke(&event{what: way + " " + id, incident: id, text: text}) })
	}
}

// tick is the end of a minute.
func (w *world) tick() {
	w.publish(w.now.Truncate(time.Minute).Add(-time.Minute))
	for _, a := range w.alarms {
		w.after(w.between(time.Second, 40*time.Second), func() { w.evaluate(a) })
	}
	if next := w.now.Add(time.Minute); next.Before(dusk.Add(150 * time.Minute)) {
		w.at(next, w.tick)
	}
}
