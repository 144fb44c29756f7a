package report

import (
	"strings"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// How much of the bucket was read, and at what time, is told; and neither where it says nothing.
func TestHowMuchOfTheBucketAndAtWhatHour(t *testing.T) {
	const held, came = "what the watched buckets hold", "It came at "
	for name, c := range map[string]struct {
		stored *int64
		hours  *evidence.Hours
		says   []string
		never  []string
	}{
		"nothing is known":              {nil, nil, nil, []string{held, came}},
		"two thirds, at night":          {new(int64(60 * gib)), &evidence.Hours{From: 8*3600 + 720, To: 17*3600 + 2400}, []string{"It took 66.7 % of " + held + ", 60.0 GiB by S3's metric of the last days.", "It came at 00:07; on 6 earlier days its owner read these buckets between 08:12 and 17:40 UTC only."}, nil},
		"again and again":               {new(int64(2 * gib)), nil, []string{"It took 20 times " + held + ", 2.00 GiB by"}, []string{came}},
		"next to nothing of it":         {new(int64(4001 * gib)), nil, nil, []string{held}},
		"an empty bucket":               {new(int64(0)), nil, nil, []string{held}},
		"at its owner's hours":          {nil, &evidence.Hours{From: 0, To: 3600}, nil, []string{came}},
		"its owner works day and night": {nil, &evidence.Hours{From: 60, To: 24*3600 - 60}, nil, []string{came}},
	} {
		t.Run(name, func(t *testing.T) {
			r := theft()
			r.Alarm.Stored, r.Evidence.Actors[0].Hours = c.stored, c.hours
			body := Text(r).Body
			for _, says := range c.says {
				if !strings.Contains(strings.Join(strings.Fields(body), " "), says) {
					t.Errorf("want %q in\n%s", says, body)
				}
			}
			for _, never := range c.never {
				if strings.Contains(body, never) {
					t.Errorf("never %q in\n%s", never, body)
				}
			}
		})
	}
}

// What the trail does not record of a key's use is said as far as it is known.
func TestWhatTheTrailDoesNotRecord(t *testing.T) {
	for records, says := range map[string]string{
		"": "this trail may not record the calls to other buckets", settings.WatchedReads: "this trail records no call to other buckets, but for copies",
		settings.SomeEvents: "this trail does not record every call to other buckets", settings.AllEvents: "this trail records every data event of S3",
		settings.AllReads: "this trail records the reads of every bucket of its regions, and no writes but copies", "later": "this trail may not record the calls to other buckets",
	} {
		r := messages()["contained"]
		r.Records = records
		if body := strings.Join(strings.Fields(Text(r).Body), " "); !strings.Contains(body, "what else the key is used for: "+says) {
			t.Errorf("%q: want %q in\n%s", records, says, body)
		}
	}
}

// That management events are missing is said where they are, and nowhere else: of an event data store it is not known.
func TestMissingManagementEventsAreSaid(t *testing.T) {
	for management, said := range map[string]bool{"": false, settings.ManagementAll: false, settings.ManagementSome: true, settings.ManagementSome + " of the trail beside a store": false} {
		r := messages()["contained"]
		r.Management, _, _ = strings.Cut(management, " ")
		if r.Evidence.Engine = "athena"; strings.HasSuffix(management, "store") {
			r.Evidence.Engine = evidence.StoreEngine
		}
		if body := strings.Join(strings.Fields(Text(r).Body), " "); strings.Contains(body, "what was done in IAM, STS and by sign-in: the evidence does not hold all of their calls") != said {
			t.Errorf("%q: got\n%s", management, body)
		}
	}
}

// What came before the reading, and an agent that is not the usual one, are told; and neither where it says nothing.
func TestWhatCameBeforeAndTheAgent(t *testing.T) {
	const came, agent = "Before that ", "Its agent names "
	for name, c := range map[string]struct {
		change func(*evidence.Actor)
		says   []string
		never  []string
	}{
		"nothing is known": {func(*evidence.Actor) {}, nil, []string{came, agent}},
		"all of it": {func(a *evidence.Actor) {
			a.LookedRound, a.RefusedAt, a.ListedFirst, a.NewAgent, a.UsualAgents = clockAt(-time.Hour), clockAt(-time.Minute), true, "curl\n\u202eDONE", []string{"Boto3", "aws-cli"}
		}, []string{"Before that it listed or described something from there, or asked who it is, last at " + clockAt(-time.Hour).UTC().Format(time.DateTime) +
			"; calls from there were refused, last at " + clockAt(-time.Minute).UTC().Format(time.DateTime) + "; it listed what there is, and then read.",
			agent + `curl\n\u202eDONE; on earlier days it named Boto3, aws-cli and perhaps others. The caller chooses it.`}, nil},
		"one program":   {func(a *evidence.Actor) { a.NewAgent, a.UsualAgents = "curl", []string{"aws-cli"} }, []string{"it named aws-cli. The"}, []string{came}},
		"the usual one": {func(a *evidence.Actor) { a.OtherAgent, a.UsualAgents = new(false), []string{"aws-cli"} }, nil, []string{agent}},
	} {
		t.Run(name, func(t *testing.T) {
			r := theft()
			c.change(&r.Evidence.Actors[0])
			body := strings.Join(strings.Fields(Text(r).Body), " ")
			for _, says := range c.says {
				if !strings.Contains(body, says) {
					t.Errorf("want %q in\n%s", says, body)
				}
			}
			for _, never := range c.never {
				if strings.Contains(body, never) {
					t.Errorf("never %q in\n%s", never, body)
				}
			}
		})
	}
}

// What IAM says of the key is told where it says more than the records do.
func TestALastUseAndASignIn(t *testing.T) {
	const used, signed = "IAM says that it was used last at ", "Its owner signed in to the console there"
	from := theft().Alarm.From
	old, young := from.Add(-20*24*time.Hour), from.Add(-time.Hour)
	for name, c := range map[string]struct {
		target policy.Target
		says   []string
		never  []string
	}{
		"nothing":           {policy.Target{}, []string{signed + " with a second factor, in the 12 hours before. How old the password and the device are is NOT KNOWN."}, []string{used}},
		"as recorded":       {policy.Target{LastUsed: &policy.LastUse{At: from, Service: "s3"}}, nil, []string{used}},
		"later":             {policy.Target{LastUsed: &policy.LastUse{At: from.Add(16 * time.Minute), Service: "s3\u202e"}}, []string{used + moment(from.Add(16*time.Minute)) + ` UTC (s3\u202e); the last record of it that was read is of ` + moment(from) + "."}, nil},
		"an old sign-in":    {policy.Target{SignIn: &policy.SignIn{Password: old, Device: old}}, []string{signed}, []string{"NOT KNOWN. ", "But it may"}},
		"a young password":  {policy.Target{SignIn: &policy.SignIn{Password: young, Device: old}}, []string{"But it may not have been the owner: the password is of " + moment(young) + ", and the newest device of " + moment(old) + " UTC."}, nil},
		"the key of others": {policy.Target{ID: "other", SignIn: &policy.SignIn{Password: young, Device: young}, LastUsed: &policy.LastUse{At: from.Add(time.Hour)}}, []string{"NOT KNOWN."}, []string{used, "But it may"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := theft()
			a := &r.Evidence.Actors[0]
			a.SignedIn, a.LastRecord = new(true), &from
			o := containment.Outcome{AccessKeyID: a.AccessKeyID, Step: containment.Step{Target: c.target}}
			if c.target.ID != "" {
				o.AccessKeyID = "AKIAANOTHER"
			}
			r.Outcomes = []containment.Outcome{o}
			said := strings.Join(compared(r, *a), " ")
			for _, says := range c.says {
				if !strings.Contains(said, says) {
					t.Errorf("want %q in\n%s", says, said)
				}
			}
			for _, never := range c.never {
				if strings.Contains(said, never) {
					t.Errorf("never %q in\n%s", never, said)
				}
			}
		})
	}
}
