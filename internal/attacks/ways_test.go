package attacks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlatch/internal/checks"
	"nightlatch/internal/checks/checkstest"
	"nightlatch/internal/doctor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/report"
)

// team is the function that tells, to the team: one message within the minute, which names the caller and the call, and has these words in it.
func team(subject string, says ...string) way { return messages(subject, 1, 0, says) }

// both is the function that tells, to the team and to the watchers.
func both(subject string, says ...string) way { return messages(subject, 1, 1, says) }

// watchers is the function that tells, to the watchers alone: the team's topic took nothing.
func watchers(subject string, says ...string) way {
	return messages(subject, 0, 1, append(says, "The team's topic took no message: "))
}

func messages(subject string, team, watch int, says []string) way {
	return func(p *play) {
		p.Helper()
		p.messages = true
		for _, c := range []struct {
			*channel
			want int
		}{{p.team, team}, {p.watch, watch}} {
			if len(c.sent) != c.want {
				p.Errorf("%s heard %d messages, want %d: %+v", c.name, len(c.sent), c.want, c.sent)
				continue
			}
			for _, m := range c.sent {
				p.says(m, subject, append(says, p.call.who(), p.call.name, "from: "+sourced, "event: event-0"))
			}
		}
	}
}

func (p *play) says(m report.Message, subject string, parts []string) {
	p.Helper()
	if want := "[nightlatch] " + subject; !strings.HasPrefix(m.Subject, want) {
		p.Errorf("the subject is %q, want %q", m.Subject, want)
	}
	for _, part := range parts {
		if !strings.Contains(m.Body, part) {
			p.Errorf("no %q in\n%s", part, m.Body)
		}
	}
}

// datum is a value of a metric, of the one whose dimension has a name.
type datum struct {
	metric, of string
	value      float64
}

// alarmed is an alarm on our own functions, which calls the watchers' topic without our code. What happens makes it fire, and no other.
func alarmed(name string, d datum) way {
	return func(p *play) {
		p.Helper()
		var fire []string
		for _, r := range p.stack.Resources {
			a := r.Properties
			if a.MetricName == d.metric && len(a.Dimensions) == 1 && a.Dimensions[0].Value == d.of && d.value > a.Threshold {
				fire = append(fire, a.AlarmName)
				if len(a.AlarmActions) != 1 || !strings.Contains(a.AlarmActions[0], "Nightlatch-Watch-") {
					p.Errorf("%s calls %q", a.AlarmName, a.AlarmActions)
				}
			}
		}
		if !slices.Equal(fire, []string{name}) {
			p.Errorf("%q fire, want %s", fire, name)
		}
	}
}

// fires are the alarms on the buckets that fire where so many bytes a minute leave each bucket, for so many minutes; and no other does.
func fires(minutes float64, bytes map[string]float64, names ...string) way {
	return func(p *play) {
		p.Helper()
		var fire []string
		for _, r := range p.stack.Resources {
			a := r.Properties
			if !strings.HasPrefix(a.AlarmName, "nightlatch-") {
				continue
			}
			sum, period := 0.0, a.Period
			for bucket, each := range bytes {
				if len(a.Metrics) == 1 && strings.HasPrefix(a.Metrics[0].Expression, "SELECT SUM(BytesDownloaded) ") {
					sum, period = sum+each, a.Metrics[0].Period
				}
				for _, d := range a.Dimensions {
					if d.Name == "BucketName" && d.Value == bucket {
						sum = each
					}
				}
			}
			if sum*min(minutes, period/60) > a.Threshold {
				fire = append(fire, a.AlarmName)
			}
		}
		slices.Sort(fire)
		if !slices.Equal(fire, names) {
			p.Errorf("%q fire, want %q", fire, names)
		}
	}
}

// change is what a thief does to an account. It may change what an engine refuses.
type change func(context.Context, *world) error

// world is an account with a small stack in it, and what its engine refuses.
type world struct {
	*checkstest.Account
	refuses string
}

// Ask implements evidence.Trail.
func (w *world) Ask(_ context.Context, q evidence.Question) (evidence.Answer, error) {
	if w.refuses != "" && q.Name() == w.refuses {
		return evidence.Answer{}, errors.New("the engine says: not authorized")
	}
	return evidence.Answer{Engine: "athena"}, nil
}

// examine runs all checks, and says whether the heartbeat would be sent.
func (w *world) examine(t *testing.T) (reports []doctor.Report, beats bool) {
	t.Helper()
	table, err := dynamo.New(w.Config, checkstest.Table)
	if err != nil {
		t.Fatal(err)
	}
	list, err := checks.Of(w.Config, checks.Deployment{Stack: "Nightlatch", Account: w.ID, Region: "eu-west-1", Memory: checks.Memory(table), Hearing: checks.Hearing(table), Tried: checks.Tried(table), Incidents: table,
		Engines: []evidence.Trail{w}, Minute: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	reports = doctor.Run(t.Context(), time.Now, list)
	vital := doctor.Vital(list)
	return reports, doctor.Well(slices.DeleteFunc(slices.Clone(reports), func(r doctor.Report) bool {
		return !slices.ContainsFunc(vital, func(c doctor.Check) bool { return c.Name == r.Name })
	}))
}

// daily is the doctor's check of a name: once a day, until it is mended. The heartbeat goes on.
func daily(name, says string, does change) way { return checked(name, says, does, false) }

// weekly is the same of what works today and may not tomorrow.
func weekly(name, says string, does change) way { return checked(name, says, does, false) }

// dailyAndHeartbeat is the same of a check without which no heartbeat is sent: whoever waits for that outside the account hears it within its
// interval, and the team then too.
func dailyAndHeartbeat(name, says string, does change) way { return checked(name, says, does, true) }

// found keeps what the checks have found, by what they say: several attacks come to one.
var found sync.Map

// examined is what the checks say of an account to which something was done.
type examined struct {
	reports []doctor.Report
	beats   bool
}

func checked(name, says string, does change, vital bool) way {
	return func(p *play) {
		p.Helper()
		once, _ := found.LoadOrStore(says, sync.OnceValue(func() (e examined) {
			w := &world{Account: checkstest.New(p.T)}
			if err := does(p.Context(), w); err != nil {
				p.Fatal(err)
			}
			e.reports, e.beats = w.examine(p.T)
			return e
		}))
		got := once.(func() examined)()
		reports, beats := got.reports, got.beats
		now := time.Now()
		m, due, kept := doctor.Kept{}.Tell(now, reports)
		if !due || m.Subject != "[nightlatch] DOES NOT HOLD: "+name || !strings.Contains(m.Body, says) {
			p.Errorf("the doctor tells %q, want %s:\n%s", m.Subject, name, m.Body)
		}
		if again, due, _ := kept.Tell(now.Add(time.Hour), reports); due {
			p.Errorf("an hour later it tells %q", again.Subject)
		}
		if beats == vital {
			p.Errorf("a heartbeat is sent: %t", beats)
		}
	}
}

// noHeartbeat is who waits for it outside the account: nothing else is left that could tell.
func noHeartbeat(does change) way {
	return func(p *play) {
		p.Helper()
		w := &world{Account: checkstest.New(p.T)}
		if _, beats := w.examine(p.T); !beats {
			p.Error("before it, no heartbeat is sent")
		}
		if err := does(p.Context(), w); err != nil {
			p.Fatal(err)
		}
		if _, beats := w.examine(p.T); beats {
			p.Error("a heartbeat is sent")
		}
	}
}

// denied is a statement of the stack's own, which refuses the call whatever else allows it: who wants it has to take that away first.
func denied(sid, action string) way {
	return func(p *play) {
		p.Helper()
		for _, r := range p.stack.Resources {
			for _, s := range append(r.Properties.PolicyDocument.Statement, r.Properties.ResourcePolicy.PolicyDocument.Statement...) {
				if s.Sid == sid && s.Effect == "Deny" && strings.Contains(fmt.Sprint(s.Action), action) {
					return
				}
			}
		}
		p.Errorf("no statement %s denies %s", sid, action)
	}
}

// elsewhere is a test that plays it, in its own room.
func elsewhere(file, test string) way {
	return func(p *play) {
		p.Helper()
		text, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil || !strings.Contains(string(text), "func "+test+"(") {
			p.Errorf("%s has no %s: %v", file, test, err)
		}
	}
}

// unheard is what nothing hears. SECURITY.md says so in these words.
func unheard(words string) way {
	return func(p *play) {
		p.Helper()
		text, err := os.ReadFile(filepath.Join("..", "..", "SECURITY.md"))
		if plain := strings.Join(strings.Fields(string(text)), " "); err != nil || !strings.Contains(plain, words) {
			p.Errorf("SECURITY.md does not say %q: %v", words, err)
		}
	}
}

// harmless is what keeps nobody from hearing or seeing, so that nothing need hear it.
func harmless(why string) way {
	return func(p *play) {
		if why == "" {
			p.Error("why not?")
		}
	}
}
