package incident

import (
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/prose"
)

// Brakes is what holds the responder back without a deployment. It can only be held back further: the mode is lowered, never raised.
type Brakes struct {
	// Version counts the puts, as a Record's does.
	Version int64 `json:"version"`
	// Mode lowers the deployment's mode; "" leaves it. Generation is the deployment generation that it was lowered for; another is not
	// lowered. By and At say who did, and when.
	Mode       containment.Mode `json:"mode,omitempty"`
	Generation string           `json:"epoch,omitempty"`
	By         string           `json:"by,omitempty"`
	At         time.Time        `json:"at,omitzero"`
	// Until is when it is not lowered any more; zero is until another deployment generation.
	Until time.Time `json:"until,omitzero"`
	// Holds are the keys that were restored lately.
	Holds []Hold `json:"holds,omitempty"`
	// Contained are the times of the containments of the last hour, for the cap on them.
	Contained []time.Time `json:"contained,omitempty"`
}

// Hold keeps a restored key from being contained again for what a human has cleared: the next alarm asks about it.
type Hold struct {
	AccessKeyID string    `json:"access_key_id"`
	Incident    string    `json:"incident"`
	By          string    `json:"by"`
	Until       time.Time `json:"until"`
	// Origins are the networks and VPC endpoints that were cleared; from any other it is contained all the same.
	Origins []string `json:"origins"`
}

// Holding returns the hold under which an actor is not contained at a time, and whether there is one. It is of the actor's key, it is not
// over, and it covers every place that the actor's bytes went to.
func (b Brakes) Holding(a evidence.Actor, now time.Time) (Hold, bool) {
	for _, h := range b.Holds {
		if h.AccessKeyID != a.AccessKeyID || !now.Before(h.Until) || a.OmittedOrigins > 0 {
			continue
		}
		if !slices.ContainsFunc(a.Origins, func(o evidence.Origin) bool { return !slices.Contains(h.Origins, o.Place()) }) {
			return h, true
		}
	}
	return Hold{}, false
}

// In is what is left of the brakes in a deployment generation: a mode that was lowered in another one is not lowered any more. An
// invocation that a deployment finds at work goes on in its own generation, for as long as a function may run: fifteen minutes. What is lowered
// meanwhile in the next one holds it back too, which the responder sees to.
func (b Brakes) In(generation string) Brakes {
	if b.Generation != generation {
		b.Mode, b.Generation, b.By, b.At, b.Until = "", "", "", time.Time{}, time.Time{}
	}
	return b
}

// Lasting is what is left of the brakes at a time: a mode whose time is over is not lowered any more.
func (b Brakes) Lasting(now time.Time) Brakes {
	if !b.Until.IsZero() && !now.Before(b.Until) {
		b.Mode = ""
	}
	return b
}

// Lower is the mode that is left of the deployment's. A mode that this build does not know is a later build's, before a rollback: whatever it
// means there, it is no leave to act.
func (b Brakes) Lower(deployed containment.Mode) containment.Mode {
	order := []containment.Mode{containment.ModeObserve, containment.ModeAsk, containment.ModeAct}
	lowered := b.Mode
	if lowered != "" && !slices.Contains(order, lowered) {
		lowered = containment.ModeAsk
	}
	if i := slices.Index(order, lowered); i >= 0 && i < slices.Index(order, deployed) {
		return lowered
	}
	return deployed
}

// Left is the mode that is left of the deployment's at a time: in its own generation it may have been lowered, for ever or until then.
func (b Brakes) Left(generation string, deployed containment.Mode, now time.Time) containment.Mode {
	return b.Lasting(now).In(generation).Lower(deployed)
}

// Count counts a containment among those of the hour. It returns why it must not be made, where there were as many as may be, and whether the
// brakes have changed. Where an answer was lost, it is counted already.
func (b Brakes) Count(now time.Time, most int) (counted Brakes, why string, changed bool) {
	if slices.ContainsFunc(b.Contained, now.Equal) {
		return b, "", false
	}
	b.Contained = slices.DeleteFunc(slices.Clone(b.Contained), func(t time.Time) bool { return t.Before(now.Add(-time.Hour)) })
	if len(b.Contained) >= most {
		return b, fmt.Sprintf("%d were contained in the last hour already, and no more than that are without a human", len(b.Contained)), false
	}
	b.Contained = append(b.Contained, now)
	return b, "", true
}

// HoldingAll is the hold on the key of a step, where it covers every use of it that an incident shows, or of the session that it is for.
func (b Brakes) HoldingAll(r Record, o containment.Outcome, now time.Time) (hold Hold, held bool) {
	for _, a := range r.Evidence.Actors {
		if a.AccessKeyID == "" || a.AccessKeyID != o.Key() && a.AccessKeyID != o.AccessKeyID {
			continue
		}
		a.AccessKeyID = o.Key()
		h, is := b.Holding(a, now)
		if !is {
			return Hold{}, false
		}
		hold, held = h, true
	}
	return hold, held
}

// Why says why the key is held.
func (h Hold) Why() string {
	return prose.Safe(h.By) + " restored this key after incident " + prose.Safe(h.Incident) + " and cleared these origins until " +
		prose.Minute(h.Until)
}
