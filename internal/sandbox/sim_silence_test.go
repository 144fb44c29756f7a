package sandbox

// What a thief does in a simulated night so that nobody hears, and so that nobody sees.

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/notices"
	"nightlatch/internal/notify"
)

// quiet says what the thief does to hearing and seeing in this night, beside his theft; and which channel was dead before.
func (w *world) quiet() {
	if w.chance(0.1) {
		w.dead([]func(){
			func() { w.team.endpoints[0].Confirmed = false },
			func() { w.watch.endpoints[0].Confirmed = false },
			func() { w.team.shut = errKey },
			func() { w.topics()[len(w.topics())-1].shut = errDenied },
		}[w.IntN(4)])
	}
	if w.chance(0.85) {
		return
	}
	key := keyID("AKIA", w.Rand)
	w.ops = caller{who: iamUser(w.Rand, "ops", key), ip: always("198.51.100.99"), agent: "aws-cli/2.31.4"}
	w.account.AddUser("ops", nil, Key{ID: key, Status: containment.Active, Created: dusk.AddDate(-1, 0, 0)})
	acts := w.acting()
	for range 1 + w.IntN(2) {
		act := acts[w.IntN(len(acts))]
		at := w.plot.begins.Add(w.between(-4*time.Minute, []time.Duration{4 * time.Minute, 40 * time.Minute}[w.IntN(2)]))
		w.at(at, func() {
			if w.works(w.ops.who) {
				w.guilty[key] = true
				act()
			}
		})
	}
}

var (
	errKey    = errors.New("the topic's KMS key cannot be used")
	errDenied = errors.New("publishing is denied")
	errGone   = fmt.Errorf("there is no such topic: %w", notify.ErrGone)
)

// dead has something keep the team from hearing.
func (w *world) dead(how func()) {
	w.amiss = true
	how()
}

// done is an act on hearing, of which EventBridge hears.
func (w *world) done(rule, call, parameters string, how func()) func() {
	return func() {
		w.tell("the thief calls %s %s", call, parameters)
		w.dead(how)
		w.notice(rule, call, parameters, "")
	}
}

// acting are the acts.
func (w *world) acting() []func() {
	unsubscribe := func(t *topic) func() {
		return w.done("Subscription", "Unsubscribe", `{"subscriptionArn":"`+t.name+`"}`, func() {
			for _, e := range t.endpoints {
				e.gone, e.Confirmed = true, false
			}
		})
	}
	shut := func(rule, call string, err error, all ...*topic) func() {
		return w.done(rule, call, `{"topicArn":"`+all[0].name+`"}`, func() {
			for _, t := range all {
				t.shut = err
			}
		})
	}
	both := func(one, other func()) func() {
		return func() { one(); w.after(w.between(0, 2*time.Minute), other) }
	}
	return []func(){
		unsubscribe(w.team), unsubscribe(w.watch), both(unsubscribe(w.team), unsubscribe(w.watch)), both(unsubscribe(w.watch), unsubscribe(w.team)),
		w.done("Subscription", "SetSubscriptionAttributes", `{"attributeName":"FilterPolicy"}`, func() {
			for _, e := range w.team.endpoints {
				e.Filtered = true
			}
		}),
		shut("Key", "DisableKey", errKey, w.team), shut("Key", "DisableKey", errKey, w.watch), shut("Key", "DisableKey", errKey, w.team, w.watch),
		shut("Topic", "DeleteTopic", errGone, w.team), shut("Topic", "DeleteTopic", errGone, w.team, w.watch), shut("Topic", "SetTopicAttributes", errDenied, w.team, w.watch),
		w.done("Mute", "PutAlarmMuteRule", `{"name":"all"}`, func() { w.muted = true }),
		w.flood, w.storm, w.copies, w.replicates, w.spreads, w.forgery, w.forgery, w.forgery,
		func() {
			w.tell("the thief makes a batch job")
			w.notice(notices.Jobs, "CreateJob", `{"manifest":"x"}`, "")
		},
	}
}

// flood has many calls refused.
func (w *world) flood() {
	w.tell("the thief floods")
	for range 20 + w.IntN(100) {
		w.after(w.between(0, 3*time.Minute), func() { w.notice("Topic", "DeleteTopic", "{}", "AccessDenied") })
	}
}

// storm has our own alarms fire, so that CloudWatch itself publishes more than an e-mail subscription bears.
func (w *world) storm() {
	w.tell("the thief sets the states of our alarms")
	for i := range 15 {
		w.after(time.Duration(i)*50*time.Millisecond, func() {
			w.ring("throttles")
			w.notice("Alarm", "SetAlarmState", `{"alarmName":"watch-nightlatch-throttles"}`, "")
		})
	}
}

// copies has S3 copy objects to a bucket of the thief's. No byte of it is in the metric; the hourly look finds it.
func (w *world) copies() {
	w.tell("the thief copies")
	source := w.bucket()
	for range 1 + w.IntN(5) {
		w.record(w.ops.copy(w.Rand, w.now, source, "loot"))
	}
	found := false
	for i := range 3 {
		w.after(time.Duration(i)*time.Hour+w.between(0, time.Hour), func() {
			found = found || slices.ContainsFunc(w.heard, func(h hears) bool { return strings.Contains(h.Body, "loot") })
			if !found && len(copiedRows(seen(w.trail, w.now), evidence.Copied{Buckets: buckets, From: w.now.Add(-2 * time.Hour), To: w.now})) > 0 {
				found = true
				w.news = append(w.news, news{w.now, w.now.Add(heardWithin), "loot", true, ""})
			}
			w.invoke(&event{what: "a look for copies", text: []byte(`{"nightlatch":{"copies":{}}}`)})
		})
	}
}

// copy is a call that has S3 copy an object.
func (c caller) copy(rng *rand.Rand, at time.Time, from, to string) record {
	r := c.call(rng, at, "CopyObject", to, "k", 300)
	r.RequestParameters["x-amz-copy-source"] = "/" + from + "/k"
	return r
}

// replicates has a bucket replicated.
func (w *world) replicates() {
	b := w.bucket()
	r := w.ops.call(w.Rand, w.now, "PutBucketReplication", b, "", 0)
	r.EventCategory, r.ManagementEvent, r.ReadOnly = "Management", true, false
	r.RequestParameters["ReplicationConfiguration"] = `{"Rule":{"Destination":{"Bucket":"arn:aws:s3:::loot","Account":"444455556666"}}}`
	w.record(r)
	w.tell("the thief has %s replicated", b)
	w.notice(notices.WaysOut, "PutBucketReplication", `{"bucketName":"`+b+`"}`, "")
}

// spreads takes from every bucket less than its alarm's threshold: the one over all of them fires.
func (w *world) spreads() {
	if len(w.alarms) > 1 {
		w.alarms = append(slices.Clone(w.alarms), &watched{name: "nightlatch-all-buckets", buckets: buckets, periods: 5})
	}
	f := &thefts{world: w, caller: w.ops, rate: threshold * 3 / 2, until: w.now.Add(w.between(3*time.Minute, 20*time.Minute))}
	f.next()
}

// forgery opens the trail's bucket, and writes into its files that a colleague has taken what the thief took.
func (w *world) forgery() {
	w.tell("the thief forges the trail")
	w.unsealed = true
	w.notice("Bucket", "PutBucketPolicy", `{"bucketName":"trail"}`, "")
	w.after(w.between(time.Minute, 4*time.Minute), func() {
		for _, e := range w.trail {
			if e.UserIdentity.AccessKeyID == w.plot.stolen && e.data && e.EventTime.After(dusk) {
				forged := e.record
				forged.UserIdentity = w.jon
				w.trail = append(w.trail, enter(forged, w.now))
				e.due = nil
			}
		}
	})
}

// seal is what the adapter reads of the trail's bucket.
func (w *world) seal() evidence.Seal {
	if w.unsealed && w.plant != blindSeal {
		return evidence.Seal{Sealed: evidence.Open, Why: []string{"user ops may write there"}}
	}
	return evidence.Seal{Sealed: evidence.Proved}
}
