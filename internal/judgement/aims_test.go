package judgement

import (
	"fmt"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// taking is a record in which actors took parts of a hundred thousand bytes.
func taking(actors ...evidence.Actor) incident.Record {
	at := time.Date(2026, 3, 4, 0, 7, 0, 0, time.UTC)
	return incident.Record{Alarm: alarm.Alarm{Bytes: new(int64(100_000)), From: at, To: at.Add(time.Minute), Buckets: []string{"exports"}},
		Evidence: evidence.Evidence{Engine: "test", Bytes: 100_000, ObjectBytes: 100_000, Explained: new(1.0), Actors: actors}}
}

func sessionOf(user string, bytes int64) evidence.Actor {
	return evidence.Actor{Kind: actor.IAMUserSession, AccessKeyID: "ASIAEXAMPLE" + user, UserName: user, PrincipalARN: "arn:aws:iam::111122223333:user/" + user, PrincipalID: "AIDAEXAMPLE" + user, Bytes: bytes, ObjectBytes: bytes,
		Buckets: map[string]int64{"exports": bytes}}
}

// What is asked of is what those who are judged would have done to them, each once, where it hits more than one credential and is not known.
func TestAims(t *testing.T) {
	nobody := evidence.Actor{Kind: actor.Anonymous, Bytes: 40_000, ObjectBytes: 40_000, Buckets: map[string]int64{"exports": 40_000}}
	one := evidence.Actor{Kind: actor.RoleSession, AccessKeyID: "ASIAEXAMPLEROLE", RoleName: "etl", Session: "x", PrincipalID: "AROAEXAMPLEETL:x", PrincipalARN: "arn:aws:iam::111122223333:role/etl", Bytes: 40_000}
	both := taking(sessionOf("MARA", 60_000), nobody)
	known := both
	known.Bystanders = []evidence.Hit{{Reach: evidence.Reach{Bucket: "exports"}}}
	merged, tired, done, left := both, both, taking(), taking()
	merged.MergedInto, tired.BystandersAsked = "another", incident.MaxHistory
	step := containment.Outcome{Action: policy.QuarantineUser, State: containment.Asked, Step: containment.Step{Action: policy.QuarantineUser, Target: policy.Target{Type: policy.User, ID: "arn:aws:iam::111122223333:user/eve"}}}
	done.Outcomes = []containment.Outcome{step}
	step.State = containment.Skipped
	left.Outcomes = []containment.Outcome{step}
	var many []evidence.Actor
	for i := range 9 {
		many = append(many, sessionOf(fmt.Sprint("U", i), 10_000))
	}
	for name, c := range map[string]struct {
		rec  incident.Record
		want string
	}{
		"a user's session, and nobody": {both, "[{AIDAEXAMPLEMARA arn:aws:iam::111122223333:user/MARA } {  exports}]"},
		"two sessions of one user":     {taking(sessionOf("MARA", 60_000), sessionOf("MARA", 40_000)), "[{AIDAEXAMPLEMARA arn:aws:iam::111122223333:user/MARA }]"},
		"one session of a role":        {taking(one), "[]"},
		"who takes too little":         {taking(one, sessionOf("MARA", 60)), "[]"},
		"what is known":                {known, "[{AIDAEXAMPLEMARA arn:aws:iam::111122223333:user/MARA }]"},
		"merged":                       {merged, "[]"},
		"asked often enough":           {tired, "[]"},
		"a step of the verdict":        {done, "[{ arn:aws:iam::111122223333:user/eve }]"},
		"one that is left":             {left, "[]"},
		"before the first answer":      {taking(), "[]"},
	} {
		reaches := []evidence.Reach{}
		for _, aim := range Aims(c.rec) {
			reaches = append(reaches, aim.Reach)
		}
		if got := fmt.Sprint(reaches); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	if n := len(Aims(taking(many...))); n != 5 {
		t.Errorf("%d are asked about at once", n)
	}
}

// The fact is not known where the trail was not asked, does not hold all of the time, or could not be read in part.
func TestHitsOthers(t *testing.T) {
	rec := taking(sessionOf("MARA", 60_000))
	hit := evidence.Hit{Reach: evidence.Reach{PrincipalID: "AIDAEXAMPLEMARA"}, By: map[evidence.Sort]evidence.Counted{evidence.ByName: {Callers: 3}, evidence.ByKey: {Callers: 2}}}
	deny, quarantine := containment.Step{Action: policy.DenyUserSessions}, containment.Step{Action: policy.QuarantineUser}
	for name, c := range map[string]struct {
		change func(*incident.Record)
		step   containment.Step
		want   any
	}{
		"sessions":                  {nil, deny, int64(3)},
		"the user":                  {nil, quarantine, int64(5)},
		"one credential":            {nil, containment.Step{Action: policy.DeactivateKey}, nil},
		"not asked":                 {func(r *incident.Record) { r.Bystanders = nil }, deny, nil},
		"a part could not be read":  {func(r *incident.Record) { r.Bystanders[0].Partial = true }, deny, nil},
		"a trail that is younger":   {func(r *incident.Record) { r.Bystanders[0].Short = true }, deny, nil},
		"nobody else, and it is so": {func(r *incident.Record) { r.Bystanders[0].By = nil }, deny, int64(0)},
	} {
		r := rec
		if r.Bystanders = []evidence.Hit{hit}; c.change != nil {
			c.change(&r)
		}
		var got any
		if n := hitsOthers(r, c.step, r.Evidence.Actors[0]); n != nil {
			got = *n
		}
		if got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// Whether the key of a user's session is in use is known where it is known of all of the user's keys, and the key is that user's.
func TestTheMintingKeysUse(t *testing.T) {
	const key = "AKIAEXAMPLEROOTKEY01"
	for name, c := range map[string]struct {
		change func(*evidence.Actor, *evidence.Minting)
		want   any
	}{
		"in use":              {func(a *evidence.Actor, _ *evidence.Minting) { a.OtherKeys = &[]string{"AKIAEXAMPLEANOTHER01", key} }, true},
		"another is in use":   {func(a *evidence.Actor, _ *evidence.Minting) { a.OtherKeys = &[]string{"AKIAEXAMPLEANOTHER01"} }, false},
		"none is":             {nil, false},
		"not known":           {func(a *evidence.Actor, _ *evidence.Minting) { a.OtherKeys = nil }, nil},
		"another user's key":  {func(_ *evidence.Actor, m *evidence.Minting) { m.UserName = "OTTO" }, nil},
		"a session of a role": {func(a *evidence.Actor, _ *evidence.Minting) { a.Kind = actor.RoleSession }, nil},
	} {
		session, minting := sessionOf("MARA", 60_000), evidence.Minting{Key: key, UserName: "MARA"}
		if session.OtherKeys = &[]string{}; c.change != nil {
			c.change(&session, &minting)
		}
		var got any
		if f := mintedFacts(taking(session), policy.Facts{}, session, minting, policy.Target{}); f.InUse != nil {
			got = *f.InUse
		}
		if got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
