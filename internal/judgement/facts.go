package judgement

import (
	"math"
	"math/big"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// FactsOf turns what is known of one actor into the policy's facts. It is the only place that does. A share that cannot be worked out is left
// out, and one that can is rounded so that doubt never helps a containment.
//
// Keys that took much to one place that none of them knows are one theft: what they took counts together for each of them.
func FactsOf(r incident.Record, a evidence.Actor) policy.Facts {
	e, all := r.Evidence, together(r, a)
	f := policy.Facts{
		Kind: a.Kind, Via: a.Via,
		Manual: r.Alarm.Source != alarm.Fired, Confirmed: r.Alarm.Confirmed,
		Complete: e.Complete, Settled: settled(r, a), Lost: len(e.Lost) > 0, Copies: a.Copies,
		Sealed:         policy.Sealed(e.Seal.Sealed),
		FamiliarActive: a.FamiliarActive, HistoryDays: a.HistoryDays,
		ObjectShare: percent(all.objects, e.ObjectBytes, down),
		Presigned:   percent(unsignedBytes(a), a.Bytes, up),

		HistoryBytes: a.ObjectHistory, ThroughUsual: a.ThroughUsual, Novelty: novelty(a), NewNetworks: a.NewNetworks, InUse: a.InUse,
		Company: a.Company, OwnEndpoint: a.OwnEndpoint, SignedIn: a.SignedIn,
		SeesAll: seesAll(r), LookedRound: lookedRound(a), RefusedBefore: refusedBefore(a), NewAgent: a.OtherAgent, OddHour: oddHour(a),
		OriginsSeen: a.AllOrigins && e.Weight(a) == a.Bytes, // what left around the window is not compared

		Account: r.Where().AccountID, Unit: r.Where().Unit, Principal: a.PrincipalARN,
	}
	wouldBreak(&f, r, a)
	if r.DeedsMissing() {
		unheard(&f)
	}
	if all.day != nil {
		f.OfFloor = percent(*all.day, r.Floor(), down)
	}
	if a.DayBytes != nil && a.UsualBytes != nil {
		f.Volume = percent(*a.DayBytes, *a.UsualBytes, down)
	}
	if r.Alarm.Stored != nil {
		f.OfStored = percent(a.Bytes, *r.Alarm.Stored, up)
	}
	if e.Explained != nil {
		f.Explained = percent(e.Bytes, *r.Alarm.Whole(), away)
		f.AlarmShare = percent(all.bytes, *r.Alarm.Whole(), down)
		if all.unfamiliar != nil {
			f.Unfamiliar = percent(*all.unfamiliar, *r.Alarm.Whole(), down)
		}
	}
	return f
}

// unheard leaves out what the evidence cannot deny, where it does not hold all calls of IAM, STS and sign-in: that nobody worked with the credential, that
// its owner did not sign in, that nobody of ours was there.
func unheard(f *policy.Facts) {
	for _, fact := range []**bool{&f.InUse, &f.SignedIn, &f.Company, &f.LookedRound, &f.RefusedBefore, &f.MintedOthers} {
		if *fact != nil && !**fact {
			*fact = nil
		}
	}
}

// held is an actor as it is where IAM was asked about its user's sign-in. One with a password or a device that is younger than the history is none:
// a thief may have set it up, and what went where it was speaks against him as anything else does. Where their age is not known, it is not known
// whether the owner signed in.
func held(r incident.Record, a evidence.Actor, key policy.Target) evidence.Actor {
	switch {
	case a.SignedIn == nil || !*a.SignedIn:
	case key.SignIn == nil:
		a.SignedIn = nil
	case !key.SignIn.Before(r.Alarm.From.Add(-evidence.HistorySpan)):
		a.SignedIn = new(false)
		if a.TakenBytes != nil {
			a.TakenBytes = new(*a.TakenBytes + a.SignedInBytes)
		}
	}
	return a
}

// settles is the part of all that can have left, in per cent, from which on what a credential took is a theft that explains the alarm.
const settles = 60

// beyond is how much the metric may be short of, in per cent of what it shows: https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudwatch-monitoring.html
// calls request metrics best effort. More than that contradicts it.
const beyond = 110

// settled reports whether no evidence that may still come can change that a theft by this actor, or by it and its accomplices, explains the alarm.
//
// What it took for sure can only become more, and what can have left is bounded: by the metric, twice read equal, and by all that the trail
// shows. So the verdict need not wait for complete evidence. Until then each key is held against that alone, as its accomplices may turn out to
// be none; a record that came late or was corrected shows that more may come late; and who asks by hand has the time.
func settled(r incident.Record, a evidence.Actor) bool {
	e, whole, taken := r.Evidence, r.Alarm.Whole(), a.TakenBytes
	if e.Complete {
		taken = together(r, a).taken
	}
	if r.MetricSame == 0 && r.Alarm.Given == "" {
		return settledBefore(r, a)
	}
	if taken == nil || whole == nil || *whole <= 0 || len(e.Lost) > 0 || !r.MetricKnown() ||
		!e.Complete && (!r.PastKnown() || e.Amended > 0 || r.Once) {
		return false
	}
	shown, part := percent(e.Bytes, *whole, up), percent(*taken, max(*whole, e.Bytes), down)
	return *shown <= beyond && *part*100 >= settles*beyond
}

// settledBefore is settled for an incident that a build before 0.10.0 opened, by the rules of then: of its metric one reading is kept.
func settledBefore(r incident.Record, a evidence.Actor) bool {
	e, whole, all := r.Evidence, r.Alarm.Whole(), together(r, a)
	if !e.Complete || whole == nil || *whole <= 0 || all.unfamiliar == nil || a.Bytes <= 0 || e.ObjectBytes <= 0 {
		return false
	}
	shown := *percent(e.Bytes, *whole, away)
	return shown >= 80 && shown <= beyond && *percent(all.objects, e.ObjectBytes, down) > 50 &&
		*percent(*all.unfamiliar, *whole, down) >= 60 && *percent(unsignedBytes(a), a.Bytes, up) <= 10
}

// usedElsewhere reports whether IAM says of a key that it was used last in another service than S3, lately. Nil is unknown.
func usedElsewhere(r incident.Record, key policy.Target) *bool {
	last := key.LastUsed
	if last == nil {
		return nil
	}
	return new(last.Service != "" && last.Service != "s3" && last.At.After(r.Alarm.From.Add(-24*time.Hour)))
}

// usedUnrecorded reports whether IAM says that a key was used later than any record shows, and the trail may not record all. Nil is unknown.
func usedUnrecorded(r incident.Record, a evidence.Actor, key policy.Target) *bool {
	last, record := key.LastUsed, a.LastSeen
	if a.LastRecord != nil {
		record = *a.LastRecord
	}
	all := seesAll(r)
	switch {
	case all != nil && *all:
		return new(false)
	case last == nil || record.IsZero() && !last.At.IsZero():
		return nil
	}
	return new(last.At.After(record.Add(evidence.LateRecords)))
}

// wouldBreak fills in who else works with the credential. Where places are missing in the answer, nothing but their number is known.
func wouldBreak(f *policy.Facts, r incident.Record, a evidence.Actor) {
	u := a.AlsoUsed
	if u == nil {
		return
	}
	if f.UsedPlaces = &u.Places; u.Partial {
		return
	}
	f.UsedHours, f.UsedServices, f.UsedBuckets = &u.Hours, &u.Services, &u.Buckets
	if !u.Last.IsZero() {
		f.UsedAgo = new(max(int64(r.Alarm.From.Sub(u.Last)/time.Minute), 0))
	}
}

// hitsOthers counts whom a step hits beside the thief. Where the trail does not hold or show all of the time that was asked about, it is not known.
func hitsOthers(r incident.Record, s containment.Step, a evidence.Actor) *int64 {
	hit := r.Hits(s, a)
	if hit == nil || hit.Partial || hit.Short {
		return nil
	}
	all, _ := hit.Callers()
	return &all
}

// seesAll reports whether the trail takes all S3 data events. Nil is unknown.
func seesAll(r incident.Record) *bool {
	if r.Records == "" {
		return nil
	}
	return new(r.Records == settings.AllEvents)
}

// lookedRound and refusedBefore say what the actor did where its unfamiliar bytes went, before and in the window. Nil is unknown.
func lookedRound(a evidence.Actor) *bool {
	return since(a, a.ListedFirst || !a.LookedRound.IsZero())
}

func refusedBefore(a evidence.Actor) *bool {
	return since(a, len(a.Errors) > 0 || !a.RefusedAt.IsZero())
}

// since is what is known of a fact about the actor's last 24 hours.
func since(a evidence.Actor, is bool) *bool {
	if !is && a.LastRecord == nil {
		return nil
	}
	return &is
}

// oddHour reports whether the actor came at another time of the day than its principal on earlier days. Nil is unknown.
func oddHour(a evidence.Actor) *bool {
	if a.Hours == nil || a.FirstSeen.IsZero() {
		return nil
	}
	return new(!a.Hours.Hold(a.FirstSeen))
}

// enoughDays are the days from which on a principal's way to work is one. On fewer it may still be that each had its own network.
const enoughDays = 5

// novelty is the part of a principal's days, after the first, on which it came from a network that was new to it.
func novelty(a evidence.Actor) *int64 {
	switch {
	case a.ObjectDays == nil || a.NewDays == nil:
		return nil
	case *a.ObjectDays >= enoughDays:
		return percent(max(*a.NewDays-1, 0), *a.ObjectDays-1, up)
	case *a.ObjectDays >= 2 && *a.NewDays >= *a.ObjectDays:
		return new(int64(100))
	}
	return new(int64(0))
}

// unsignedBytes are the actor's bytes whose requests were not signed in the header. In a record of an earlier build what its listed origins do
// not show is counted among them.
func unsignedBytes(a evidence.Actor) int64 {
	if a.SignedBytes != nil {
		return max(a.Bytes-*a.SignedBytes, 0)
	}
	signed := int64(0)
	for _, o := range a.Origins {
		if !o.Presigned && !o.SigningUnknown {
			signed += o.Bytes
		}
	}
	return max(a.Bytes-signed, 0)
}

// rounding is which way a share is rounded.
type rounding int

const (
	down rounding = iota
	up
	// away from 100, towards the side on which the policy stops: 79.9 is 79, and 110.1 is 111.
	away
)

// percent is part of whole in whole per cent, worked out exactly; nil where there is no whole.
func percent(part, whole int64, r rounding) *int64 {
	if whole <= 0 {
		return nil
	}
	hundred := new(big.Int).Mul(big.NewInt(part), big.NewInt(100))
	n, rest := new(big.Int).DivMod(hundred, big.NewInt(whole), new(big.Int))
	if rest.Sign() > 0 && (r == up || r == away && part > whole) {
		n.Add(n, big.NewInt(1))
	}
	share := int64(math.MaxInt64)
	if n.IsInt64() {
		share = n.Int64()
	}
	return &share
}

// judged is the part of the bytes, in per cent, from which on an actor is judged on its own.
const judged = 1

// material reports whether an actor is judged on its own: it took more than the floor to places that are not known to be familiar; or it took
// a hundredth of the alarmed bytes, or of the object bytes where the alarm is about those; or it copied; or its part is not known. At midnight
// nobody reads a verdict about every dashboard that fetched an icon.
//
// Where CloudTrail does not explain the alarm, the bytes in the margin count as well: a long download, or a late metric, puts the
// theft itself there.
func material(r incident.Record, f policy.Facts, a evidence.Actor) bool {
	if a.Copies > 0 || together(r, a).strange >= r.Floor() {
		return true
	}
	total := r.Alarm.Whole()
	if f.Explained != nil && *f.Explained < 80 && a.MarginBytes*100 >= *total*judged {
		return true
	}
	if a.Bytes == 0 {
		return a.Unsized > 0 && (f.Explained == nil || *f.Explained < 80)
	}
	atLeast := func(p *int64) bool { return p != nil && *p >= judged }
	objects := total == nil || r.Evidence.ObjectBytes >= *total/10 || r.Evidence.ListingBytes >= *total/2
	return f.AlarmShare == nil || atLeast(f.AlarmShare) || (objects && atLeast(f.ObjectShare))
}
