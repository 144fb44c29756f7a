package sandbox

import (
	"math/rand/v2"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/rehearsal"
)

// The canary of the sandbox.
const canaryUser, canaryBucket = "Nightlatch-CanaryUser", "nightlatch-canary"

// Rehearsal is a world in which a canary has its history, and has just taken what a rehearsal takes.
type Rehearsal struct {
	*Midnight
	// Run is the rehearsal as it began. Canary is the user whose key it is.
	Run    rehearsal.Run
	Canary string
}

// NewRehearsal writes the trail of a canary into dir: its history is laid, and the rehearsal begun, as the deployed function does it. The metric is
// one to five minutes late, and CloudTrail two to seven, which are the delays that AWS names; each seed has others.
func NewRehearsal(seed uint64, dir string) (*Rehearsal, error) {
	s := &story{Midnight: &Midnight{Account: NewAccount(accountID)}, rng: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)), past: map[time.Time][]record{}, metric: minutes{}}
	s.Stolen, s.Owner = keyID("AKIA", s.rng), canaryUser
	s.Account.AddUser(canaryUser, nil, Key{ID: s.Stolen, Status: containment.Active})
	home := caller{who: iamUser(s.rng, canaryUser, s.Stolen), ip: always("10.255.255.11"), agent: "aws-sdk-go-v2/1.41.1 os/linux lang/go#1.26", endpoint: "vpce-0f1e2d3c4b5a69788", account: accountID}
	away := home
	away.ip, away.endpoint, away.account = within("198.51.100"), "", ""
	takes := func(c caller, at time.Time, bytes int64) record {
		r := c.call(s.rng, at, "GetObject", canaryBucket, rehearsal.Key, bytes)
		s.metric.add(r)
		s.Events++
		return r
	}
	var state rehearsal.State
	now := midnight.AddDate(0, 0, -days)
	for ; ; now = now.Add(15 * time.Minute) {
		seen := rehearsal.Seen{Active: true}
		if state.Lays(now, seen) {
			day := now.Truncate(24 * time.Hour)
			s.past[day] = append(s.past[day], takes(home, now, rehearsal.Sip))
			state = state.Lay(now)
		} else if state.NotYet(now, seen) == "" {
			break
		}
	}
	state = state.Begin(now, s.Stolen, false)
	for taken := 0; taken < rehearsal.Taken; taken += rehearsal.Object {
		s.night = append(s.night, takes(away, now.Add(time.Duration(len(s.night))*time.Second), rehearsal.Object))
	}
	s.Meter = s.metric.meter(rehearsal.Threshold)
	s.Meter.Stored = new(int64(rehearsal.Object))
	if err := s.write(dir); err != nil {
		return nil, err
	}
	fires := now.Truncate(time.Minute).Add(2*time.Minute + time.Duration(s.rng.Int64N(int64(4*time.Minute))))
	s.Clock = NewClock(fires)
	var points []alarm.Point
	for _, p := range s.Meter.Buckets[canaryBucket] {
		if !p.Start.Before(now.Truncate(time.Minute)) {
			points = append(points, p)
		}
	}
	event, err := alarmEvent("nightlatch-"+canaryBucket+"-1m", fires, rehearsal.Threshold, points, BucketMetrics(time.Minute, canaryBucket))
	s.Event = event
	run := state.Last.Took(rehearsal.Taken, nil)
	return &Rehearsal{s.Midnight, run, canaryUser}, err
}

// Place is the account and region of the world.
func (r *Rehearsal) Place() (account, in string) { return accountID, region }
