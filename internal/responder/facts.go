package responder

import (
	"math"

	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"

	"nightlatch/internal/alarm"
)

// FactsOf turns what is known of one actor into what the policy is told. It is the only place that does: a share that cannot be
// worked out is not told at all, and one that can is rounded so that doubt never helps a containment.
func FactsOf(r incident.Record, a evidence.Actor) policy.Facts {
	e := r.Evidence
	f := policy.Facts{
		Kind: a.Kind, Via: a.Via,
		Manual: r.Alarm.Source != alarm.Rang, Confirmed: r.Alarm.Confirmed,
		Complete: e.Complete, Lost: len(e.Lost) > 0, Copies: a.Copies,
		FamiliarActive: a.FamiliarActive, HistoryDays: a.HistoryDays,
		ObjectShare: percent(a.ObjectBytes, e.ObjectBytes, math.Floor),
		Presigned:   percent(unsignedBytes(a), a.Bytes, math.Ceil),
	}
	if e.Explained != nil {
		f.Explained = percent(e.Bytes, *r.Alarm.Bytes, awayFrom100)
		f.AlarmShare = percent(a.Bytes, *r.Alarm.Bytes, math.Floor)
		if a.UnfamiliarBytes != nil {
			f.Unfamiliar = percent(*a.UnfamiliarBytes, *r.Alarm.Bytes, math.Floor)
		}
	}
	return f
}

// unsignedBytes are the actor's bytes whose requests were not signed in the header. What its listed origins do not show is
// counted among them.
func unsignedBytes(a evidence.Actor) int64 {
	signed := int64(0)
	for _, o := range a.Origins {
		if !o.Presigned && !o.SigningUnknown {
			signed += o.Bytes
		}
	}
	return max(a.Bytes-signed, 0)
}

// percent is part of whole in whole per cent; nil where there is no whole.
func percent(part, whole int64, round func(float64) float64) *int64 {
	if whole <= 0 {
		return nil
	}
	n := int64(round(float64(part) / float64(whole) * 100))
	return &n
}

// awayFrom100 rounds towards the side on which the policy stops: 79.9 is 79, and 110.1 is 111.
func awayFrom100(x float64) float64 {
	if x > 100 {
		return math.Ceil(x)
	}
	return math.Floor(x)
}

// judged is the part of the bytes, in per cent, from which on an actor is judged on its own.
const judged = 1

// material reports whether an actor is judged: it took a hundredth of the bytes or of the object bytes, or copied, or it is not
// known what part it took. At midnight nobody reads a verdict about every dashboard that fetched an icon.
func material(f policy.Facts, a evidence.Actor) bool {
	if a.Copies > 0 {
		return true
	}
	if a.Bytes == 0 {
		return false
	}
	atLeast := func(p *int64) bool { return p != nil && *p >= judged }
	return f.AlarmShare == nil || atLeast(f.AlarmShare) || atLeast(f.ObjectShare)
}
