package incident

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// firedAt is when the incident was opened; its window ended 40 seconds earlier.
var firedAt = time.Date(2026, 3, 4, 0, 3, 40, 0, time.UTC)

func after(d time.Duration) time.Time { return firedAt.Add(d) }

// opened is an incident whose metric was read and confirmed, and is known, and nothing else yet.
func opened() Record {
	return Record{Schema: Schema, ID: "20260304-000340-0123456789abcdef", Opened: firedAt, Deadline: after(Patience), MetricRead: 2, MetricSame: 2, MetricAt: after(80 * time.Second),
		Alarm: alarm.Alarm{Source: alarm.Fired, Buckets: []string{"exports"}, From: after(-160 * time.Second), To: after(-40 * time.Second), Confirmed: true}}
}

// queried adds query rounds, each with the same answer, at these times after the alarm.
func queried(r Record, at ...time.Duration) Record {
	for _, d := range at {
		r.Rounds = append(r.Rounds, QueryRound{At: after(d), From: r.Alarm.From, To: r.Alarm.To, Digest: "same", Past: &evidence.Past{}})
	}
	return r
}

// judged is an incident that was judged a minute after the alarm, with these outcomes, and one channel to notify.
func judged(outcomes ...containment.Outcome) Record {
	r := queried(opened(), 0)
	r.Judged, r.Outcomes, r.Notified, r.Once = after(time.Minute), outcomes, []Notice{{Channel: "sns"}}, true
	return r
}

func unknown(attempts int, at time.Duration) containment.Outcome {
	return containment.Outcome{State: containment.Unknown, Attempts: attempts, At: after(at)}
}

func throttled(n int) containment.Outcome {
	return containment.Outcome{State: containment.Intended, Throttled: n, At: after(0)}
}

func wait(d time.Duration) Move { return Move{Do: Wait, At: after(d)} }

func TestNextBeforeTheVerdict(t *testing.T) {
	with := func(r Record, change func(*Record)) Record {
		change(&r)
		return r
	}
	history := func(r *Record) {
		r.History, r.HistoryPast, r.HistoryAsked = &evidence.History{Before: r.Edge()}, &evidence.Past{}, 1
	}
	enough := func(r *Record) {
		r.Evidence.Complete, r.Evidence.Explained = true, new(0.8)
		history(r)
	}
	little := func(r *Record) { enough(r); r.Evidence.Explained = new(0.1) }
	nothing := func(r *Record) { enough(r); r.Evidence.Explained = nil }
	manual := func(r *Record) { r.Alarm.Source = alarm.Manual }
	doubted := func(reads int) func(*Record) {
		return func(r *Record) { r.Alarm.Confirmed, r.MetricRead = false, reads }
	}
	all := func(changes ...func(*Record)) func(*Record) {
		return func(r *Record) {
			for _, c := range changes {
				c(r)
			}
		}
	}
	none := func(r *Record) { r.Alarm.Buckets = nil }
	explained := func(r *Record) { history(r); r.Evidence.Explained = new(0.8) }
	every := func(d time.Duration, n int) []time.Duration {
		var all []time.Duration
		for i := range n {
			all = append(all, time.Duration(i)*d)
		}
		return all
	}

	for name, c := range map[string]struct {
		record Record
		now    time.Duration
		want   Move
	}{
		"it fires: the metric is read first":               {with(opened(), func(r *Record) { r.MetricRead = 0 }), 0, Move{Do: ReadMetric}},
		"also when it comes late":                          {with(opened(), func(r *Record) { r.MetricRead = 0 }), time.Hour, Move{Do: ReadMetric}},
		"then the first round, at once":                    {opened(), 0, Move{Do: Query}},
		"one round is had, even after the deadline":        {opened(), time.Hour, Move{Do: Query}},
		"30 seconds to the second round":                   {queried(opened(), 0), time.Second, wait(30 * time.Second)},
		"then it is due":                                   {queried(opened(), 0), 30 * time.Second, Move{Do: Query}},
		"one falls on two minutes after the window":        {queried(opened(), 0, 50*time.Second), 51 * time.Second, wait(80 * time.Second)},
		"10 from then on":                                  {queried(opened(), 0, 80*time.Second), 81 * time.Second, wait(90 * time.Second)},
		"30 after the settling time":                       {queried(opened(), 0, 80*time.Second, 261*time.Second), 262 * time.Second, wait(291 * time.Second)},
		"of what is not confirmed they grow":               {with(queried(opened(), 0, 80*time.Second), doubted(1)), 81 * time.Second, wait(125 * time.Second)},
		"and where a human waits":                          {with(queried(opened(), 0, 80*time.Second), func(r *Record) { r.Once = true }), 81 * time.Second, wait(125 * time.Second)},
		"the next falls on the end of the settling time":   {queried(opened(), 0, 0, 0, 0, 255*time.Second), 256 * time.Second, wait(260 * time.Second)},
		"which counts from the window as it is by now":     {with(queried(opened(), 0, 0, 0, 0, 295*time.Second), func(r *Record) { r.Alarm.To = firedAt; r.MetricAt = after(3 * time.Minute) }), 296 * time.Second, wait(300 * time.Second)},
		"two minutes at last":                              {queried(opened(), every(time.Second, 446)...), 446 * time.Second, wait(565 * time.Second)},
		"no wait reaches past the deadline":                {queried(opened(), 0, 0, 0, 0, Patience-5*time.Second), Patience - 4*time.Second, wait(Patience)},
		"at the deadline there is a last round":            {queried(opened(), 0, 11*time.Minute), Patience, Move{Do: Query}},
		"after the last round it is judged":                {queried(opened(), 0, Patience), Patience, Move{Do: Judge}},
		"also if it came late":                             {queried(opened(), 0, time.Hour), time.Hour, Move{Do: Judge}},
		"a moment before, there is not":                    {queried(opened(), 0, Patience-5*time.Second), Patience - time.Nanosecond, wait(Patience)},
		"enough for the policy":                            {with(queried(opened(), 0), func(r *Record) { r.Enough = true }), 0, Move{Do: Judge}},
		"complete, explained, and the history is known":    {with(queried(opened(), 0), enough), 0, Move{Do: Judge}},
		"complete, but the history is not known":           {with(queried(opened(), 0, 21*time.Second), func(r *Record) { enough(r); r.History = nil }), 22 * time.Second, wait(260 * time.Second)},
		"complete, but too little is explained":            {with(queried(opened(), 0), func(r *Record) { enough(r); r.Evidence.Explained = new(0.79) }), 0, wait(30 * time.Second)},
		"complete, but it is not known how much":           {with(queried(opened(), 0), func(r *Record) { enough(r); r.Evidence.Explained = nil }), 0, wait(30 * time.Second)},
		"explained, but not complete":                      {with(queried(opened(), 0, 21*time.Second), func(r *Record) { enough(r); r.Evidence.Complete = false }), 22 * time.Second, wait(260 * time.Second)},
		"a clock that runs back only waits":                {queried(opened(), 0), -time.Hour, wait(30 * time.Second)},
		"a window in the future does not stop the search":  {with(queried(opened(), 0), func(r *Record) { r.Alarm.To = after(24 * time.Hour) }), Patience, Move{Do: Query}},
		"explained: only completeness is waited for":       {with(queried(opened(), 0, 21*time.Second), explained), 22 * time.Second, wait(260 * time.Second)},
		"explained, just before the settling time is over": {with(queried(opened(), 0, 259*time.Second), explained), 260 * time.Second, wait(289 * time.Second)},
		"explained, and settled: an equal round soon":      {with(queried(opened(), 0, 260*time.Second), explained), 261 * time.Second, wait(290 * time.Second)},
		"explained, a window that ends after the deadline": {with(queried(opened(), 0, 21*time.Second), func(r *Record) { explained(r); r.Once, r.Alarm.To = true, after(time.Hour) }), 22 * time.Second, wait(Patience)},
		"complete, but the metric is to be read again":     {with(queried(opened(), 0, 260*time.Second), func(r *Record) { enough(r); r.Alarm.Confirmed = false }), 260 * time.Second, wait(290 * time.Second)},
		"complete, and the metric was read often enough":   {with(queried(opened(), 0), func(r *Record) { enough(r); r.Alarm.Confirmed = false; r.MetricRead = maxMetric }), 0, Move{Do: Judge}},
		"complete, the history was asked for in vain":      {with(queried(opened(), 0), func(r *Record) { enough(r); r.History, r.HistoryAsked = nil, MaxHistory }), 0, Move{Do: Judge}},
		"complete, and asked in vain once less":            {with(queried(opened(), 0, 21*time.Second), func(r *Record) { enough(r); r.History, r.HistoryAsked = nil, MaxHistory-1 }), 22 * time.Second, wait(260 * time.Second)},
		"complete, the history is another window's":        {with(queried(opened(), 0, 21*time.Second), func(r *Record) { enough(r); r.History.Before = firedAt }), 22 * time.Second, wait(260 * time.Second)},
		"complete, ten per cent too much are no conflict":  {with(queried(opened(), 0), func(r *Record) { enough(r); r.Evidence.Explained = new(1.1) }), 0, Move{Do: Judge}},
		"complete, and more than the metric shows":         {with(queried(opened(), 0, 21*time.Second), func(r *Record) { enough(r); r.Evidence.Explained = new(1.11) }), 22 * time.Second, wait(260 * time.Second)},
		"so it stays, however often it is read":            {with(queried(opened(), 0), func(r *Record) { enough(r); r.Evidence.Explained, r.MetricRead = new(1.11), maxMetricConfirmed }), 0, Move{Do: Judge}},
		"no bucket: the metric may name one":               {with(opened(), func(r *Record) { none(r); r.MetricRead = 0 }), 0, Move{Do: ReadMetric}},
		"no bucket then: it is judged at once":             {with(opened(), none), 0, Move{Do: Judge}},
		"no bucket, and not confirmed":                     {with(opened(), all(none, doubted(1))), 0, Move{Do: Judge}},
		"an alarm claims bytes that are not seen":          {with(queried(opened(), 0, 260*time.Second), little), 261 * time.Second, wait(290 * time.Second)},
		"a manual event claims none":                       {with(queried(opened(), 0, 260*time.Second), all(little, manual)), 261 * time.Second, Move{Do: Judge}},
		"nor one of which nothing is explained":            {with(queried(opened(), 0, 260*time.Second), all(nothing, manual)), 261 * time.Second, Move{Do: Judge}},
		"a manual event that is not complete":              {with(queried(opened(), 0, 260*time.Second), func(r *Record) { little(r); manual(r); r.Evidence.Complete = false }), 261 * time.Second, wait(290 * time.Second)},
		"a manual event, the metric is to be read again":   {with(queried(opened(), 0, 260*time.Second), all(nothing, manual, doubted(maxMetric-1))), 261 * time.Second, wait(305 * time.Second)},
		"a manual event, the metric was read often enough": {with(queried(opened(), 0, 260*time.Second), all(nothing, manual, doubted(maxMetric))), 261 * time.Second, Move{Do: Judge}},
		"a manual event, the history is not known":         {with(queried(opened(), 0, 260*time.Second), func(r *Record) { little(r); manual(r); r.History = nil }), 261 * time.Second, wait(290 * time.Second)},
		"an alarm that was never confirmed":                {with(queried(opened(), 0, 260*time.Second), all(little, doubted(maxMetric))), 261 * time.Second, Move{Do: Judge}},
		"an alarm that may still be confirmed":             {with(queried(opened(), 0, 260*time.Second), all(little, doubted(maxMetric-1))), 261 * time.Second, wait(305 * time.Second)},
		"an alarm that is not of this version's sources":   {with(queried(opened(), 0), func(r *Record) { little(r); r.Alarm.Source = "" }), 0, Move{Do: Judge}},
		"a record without a deadline is judged":            {with(queried(opened(), 0), func(r *Record) { r.Deadline = time.Time{} }), 0, Move{Do: Judge}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.record.Next(after(c.now))); diff != "" {
				t.Errorf("Next (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNextAfterTheVerdict(t *testing.T) {
	state := func(s containment.State) containment.Outcome { return containment.Outcome{State: s} }
	notified := func(n ...Notice) Record {
		r := judged(state(containment.Done))
		r.Notified = n
		return r
	}
	ok := Notice{Channel: "sns", Tries: 1, At: after(0)}
	failed := func(tries int) Notice { return Notice{Channel: "sns", Tries: tries, Error: "throttled", At: after(0)} }
	with := func(r Record, change func(*Record)) Record {
		change(&r)
		return r
	}
	protected := func(r Record) Record {
		r.Verdicts = []Verdict{{}, {Protected: "tagged"}, {Protected: "tagged"}}
		return r
	}
	closed := judged(state(containment.Intended))
	closed.Closed = after(time.Hour)
	for name, c := range map[string]struct {
		record Record
		now    time.Duration
		want   Move
	}{
		"what is intended is done":                       {judged(state(containment.Intended)), 0, Move{Do: Act}},
		"the second of three":                            {judged(state(containment.Asked), state(containment.Intended), state(containment.Intended)), 0, Move{Do: Act, Outcome: 1}},
		"done before verified":                           {judged(unknown(1, 0), state(containment.Intended)), time.Hour, Move{Do: Act, Outcome: 1}},
		"two seconds to the first verification":          {judged(unknown(1, 0)), time.Second, wait(2 * time.Second)},
		"then it is due":                                 {queried(opened(), 0), 30 * time.Second, Move{Do: Query}},
		"four to the second":                             {judged(unknown(2, 0)), 2 * time.Second, wait(4 * time.Second)},
		"32 to the last":                                 {judged(unknown(5, 0)), 2 * time.Second, wait(32 * time.Second)},
		"after that the team is notified: not known":     {judged(unknown(6, 0)), 0, Move{Do: Notify}},
		"the second is verified while the first waits":   {judged(unknown(5, 0), unknown(1, 0)), 2 * time.Second, Move{Do: Verify, Outcome: 1}},
		"what was throttled waits two seconds":           {judged(throttled(1)), time.Second, wait(2 * time.Second)},
		"then it is done":                                {judged(throttled(1)), 2 * time.Second, Move{Do: Act}},
		"64 seconds before the last try":                 {judged(throttled(MaxThrottled - 1)), time.Second, wait(64 * time.Second)},
		"another step does not wait for it":              {judged(throttled(3), state(containment.Intended)), time.Second, Move{Do: Act, Outcome: 1}},
		"nor is it judged anew before it is done":        {with(judged(throttled(3)), func(r *Record) { r.Once = false; r.Deadline = time.Time{} }), time.Second, wait(8 * time.Second)},
		"the shorter wait counts":                        {judged(unknown(5, 0), unknown(1, 0)), time.Second, wait(2 * time.Second)},
		"nothing to do but notify":                       {judged(state(containment.Asked), state(containment.Skipped), state(containment.Failed)), 0, Move{Do: Notify}},
		"notified is notified":                           {notified(ok), 0, Move{Do: Close}},
		"the second channel":                             {notified(ok, Notice{Channel: "chat"}), 0, Move{Do: Notify, Notice: 1}},
		"ten seconds after the first failure":            {notified(failed(1)), time.Second, wait(10 * time.Second)},
		"then again":                                     {notified(failed(1)), 10 * time.Second, Move{Do: Notify}},
		"80 seconds after the fourth":                    {notified(failed(4)), time.Second, wait(80 * time.Second)},
		"five times and no more":                         {notified(failed(5)), 0, Move{Do: Close}},
		"a channel that fails does not hold up the next": {notified(failed(1), Notice{Channel: "chat"}), time.Second, Move{Do: Notify, Notice: 1}},
		"the first of two that fail":                     {notified(failed(3), failed(1)), time.Second, wait(10 * time.Second)},
		"nobody to notify":                               {notified(), 0, Move{Do: Close}},
		"who protects it is asked for":                   {protected(judged(state(containment.Asked))), 0, Move{Do: Enrich}},
		"once, for all of them":                          {with(protected(judged(state(containment.Asked))), func(r *Record) { r.Enriched = true }), 0, Move{Do: Notify}},
		"whatever came of it":                            {with(protected(judged(state(containment.Asked))), func(r *Record) { r.Enriched, r.Verdicts[1].TaggedBy = true, "" }), 0, Move{Do: Notify}},
		"nothing is protected":                           {with(judged(state(containment.Asked)), func(r *Record) { r.Verdicts = []Verdict{{}} }), 0, Move{Do: Notify}},
		"first comes what is to be done":                 {protected(judged(state(containment.Intended))), 0, Move{Do: Act}},
		"and seeing it done":                             {protected(judged(unknown(1, 0))), time.Second, wait(2 * time.Second)},
		"also where nobody is to be notified":            {with(protected(judged(state(containment.Asked))), func(r *Record) { r.Notified = nil }), 0, Move{Do: Enrich}},
		"closed is closed, whatever it says":             {closed, time.Hour, Move{Do: Nothing}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.record.Next(after(c.now))); diff != "" {
				t.Errorf("Next (-want +got):\n%s", diff)
			}
		})
	}
}

// After an outage of an hour, what was due meanwhile is done once.
func TestWhatIsOverdueIsDoneOnce(t *testing.T) {
	kept := func(s containment.State) Record {
		r := judged(containment.Outcome{State: s, At: after(time.Minute)})
		r.Notified, r.Once, r.Evidence.Complete, r.Enough, r.JudgedOn = nil, false, true, true, ""
		r.JudgedOn = r.Basis()
		return r
	}
	followedUp := func(r Record, at ...time.Duration) Record {
		for _, d := range at {
			r.FollowUps = append(r.FollowUps, FollowUp{At: after(time.Minute + d)})
		}
		return r
	}
	reminded := func(r Record, at ...time.Duration) (Record, bool) {
		last := false
		for _, d := range at {
			last = r.Remind(after(time.Minute + d))
		}
		return r, last
	}
	notified := func(r Record, kind MessageKind, at time.Duration) Record {
		r.Notified = append(r.Notified, Notice{Kind: kind, Tries: 1, At: after(time.Minute + at)})
		return r
	}
	for name, c := range map[string]struct {
		record Record
		due    time.Duration // after the verdict; negative is never
	}{
		"a check in time":             {followedUp(kept(containment.Done), 0), 5 * time.Minute},
		"one that is a little late":   {followedUp(kept(containment.Done), 0, 6*time.Minute), 15 * time.Minute},
		"one that stands for two":     {followedUp(kept(containment.Done), 0, 15*time.Minute), 30 * time.Minute},
		"one that stands for all":     {followedUp(kept(containment.Done), time.Hour), -1},
		"the first of what was asked": {followedUp(kept(containment.Asked), 20*time.Minute), 30 * time.Minute},
		"a check before it was done":  {followedUp(kept(containment.Done), -time.Second), 0},
	} {
		if at, ok := c.record.FollowUpDue(); ok != (c.due >= 0) || ok && !at.Equal(after(time.Minute+c.due)) {
			t.Errorf("%s: the next is due at %v, %t; want %v after the verdict", name, at, ok, c.due)
		}
	}
	for name, c := range map[string]struct {
		record Record
		at     []time.Duration
		count  int
		last   bool
	}{
		"in time":                      {kept(containment.Asked), []time.Duration{5 * time.Minute}, 1, false},
		"the second in time":           {kept(containment.Asked), []time.Duration{5 * time.Minute, 10 * time.Minute}, 2, false},
		"one was missed":               {kept(containment.Asked), []time.Duration{12 * time.Minute}, 2, false},
		"all were missed":              {kept(containment.Failed), []time.Duration{time.Hour}, 3, true},
		"it was notified only now":     {notified(kept(containment.Asked), Answer, time.Hour), []time.Duration{65 * time.Minute}, 1, false},
		"notified again, known before": {notified(notified(kept(containment.Asked), Answer, 0), Revised, 9*time.Minute), []time.Duration{10 * time.Minute}, 2, false},
		"that it fired is no ask":      {notified(kept(containment.Asked), Page, 9*time.Minute), []time.Duration{10 * time.Minute}, 2, false},
	} {
		if r, last := reminded(c.record, c.at...); r.Reminded != c.count || last != c.last {
			t.Errorf("%s: %d reminders are done, the last %t; want %d, %t", name, r.Reminded, last, c.count, c.last)
		}
	}
}

func TestComplete(t *testing.T) {
	settled := 260 * time.Second
	for name, c := range map[string]struct {
		record Record
		want   bool
	}{
		"no round":                        {opened(), false},
		"one round":                       {queried(opened(), settled), false},
		"two, the second after settling":  {queried(opened(), 0, settled), true},
		"two, both too early":             {queried(opened(), 0, settled-time.Nanosecond), false},
		"the last two of three are equal": {queried(opened(), 0, settled, settled+1), true},
		"one more answer came in":         {func() Record { r := queried(opened(), 0, settled); r.Rounds[1].Digest = "more"; return r }(), false},
		"both failed": {func() Record {
			r := queried(opened(), 0, settled)
			r.Rounds[0].Digest, r.Rounds[1].Digest = "", ""
			return r
		}(), false},
		"one failed":              {func() Record { r := queried(opened(), 0, settled); r.Rounds[1].Digest = ""; return r }(), false},
		"a failed one in between": {func() Record { r := queried(opened(), 0, 1, settled); r.Rounds[1].Digest = ""; return r }(), true},
		"a failed one after it":   {func() Record { r := queried(opened(), 0, settled, settled+1); r.Rounds[2].Digest = ""; return r }(), true},
		"a failed one after it, for a grown window": {func() Record {
			r := queried(opened(), 0, settled, settled+1)
			r.Rounds[2].Digest, r.Rounds[2].To = "", firedAt
			return r
		}(), false},
		"the window grew between the two":  {func() Record { r := queried(opened(), 0, settled); r.Rounds[0].To = firedAt; return r }(), false},
		"the window begins somewhere else": {func() Record { r := queried(opened(), 0, settled); r.Rounds[0].From = firedAt; return r }(), false},
		"the first of three differs":       {func() Record { r := queried(opened(), 0, settled, settled); r.Rounds[0].Digest = "less"; return r }(), true},
		"settling counts its own window":   {func() Record { r := queried(opened(), 0, settled); r.Alarm.To = after(time.Hour); return r }(), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.record.Complete(); got != c.want {
				t.Errorf("Complete = %t, want %t", got, c.want)
			}
		})
	}
}

func TestUndelivered(t *testing.T) {
	for name, c := range map[string]struct {
		notified []Notice
		want     bool
	}{
		"no channels":                            {nil, false},
		"not notified yet":                       {[]Notice{{}}, true},
		"notified":                               {[]Notice{{Tries: 1}}, false},
		"not taken":                              {[]Notice{{Tries: 5, Error: "x"}}, true},
		"the page was delivered, not the answer": {[]Notice{{Kind: Page, Tries: 1}, {Kind: Answer, Tries: 5, Error: "x"}, {Kind: Closing, Tries: 5, Error: "x"}}, true},
		"the closing was delivered":              {[]Notice{{Kind: Page, Tries: 1}, {Kind: Answer, Tries: 5, Error: "x"}, {Kind: Closing, Tries: 1}}, false},
		"one of two was delivered":               {[]Notice{{Tries: 5, Error: "x"}, {Tries: 2}}, false},
		"only programs have it":                  {[]Notice{{Tries: 5, Error: "x"}, {Channel: WebhookChannel + "a", Tries: 1}, {Channel: EventsChannel + "a", Tries: 1}, {Channel: ChatChannel + "a", Tries: 1}, {Channel: HubChannel + "a", Tries: 1}}, true},
		"people have it, and a program has not":  {[]Notice{{Tries: 1}, {Channel: WebhookChannel + "a", Tries: 5, Error: "x"}}, false},
	} {
		if got := (Record{Notified: c.notified}).Undelivered(); got != c.want {
			t.Errorf("%s: Undelivered = %t, want %t", name, got, c.want)
		}
	}
}

// What is asked while no channel takes anything is not delivered by what one took before.
func TestAnAskThatNobodyHeardIsUndelivered(t *testing.T) {
	asked := []containment.Outcome{{State: containment.Asked}}
	told := func(kind MessageKind, minutes int, why string) Notice {
		return Notice{Kind: kind, Tries: 1, Error: why, At: after(time.Duration(minutes) * time.Minute)}
	}
	chat := func(n Notice) Notice { n.Channel = "chat"; return n }
	program := func(n Notice) Notice { n.Channel = WebhookChannel + "a"; return n }
	for name, c := range map[string]struct {
		outcomes []containment.Outcome
		notified []Notice
		want     bool
	}{
		"a later message failed":                         {asked, []Notice{told(Answer, 0, ""), told(Again, 5, "gone")}, true},
		"a step was done, and its message failed":        {[]containment.Outcome{{State: containment.Done, Undo: "undo it"}}, []Notice{told(Answer, 0, ""), told(Revised, 5, "gone")}, true},
		"and the close alone failed":                     {asked, []Notice{told(Answer, 0, ""), told(Closing, 5, "gone")}, false},
		"and nothing is asked":                           {nil, []Notice{told(Answer, 0, ""), told(Again, 5, "gone")}, false},
		"another channel took it":                        {asked, []Notice{told(Answer, 0, ""), chat(told(Again, 5, "")), told(Again, 9, "gone")}, false},
		"another one of its kind was accepted before it": {asked, []Notice{told(Answer, 0, ""), told(Revised, 5, ""), told(Revised, 9, "gone")}, true},
		"on every channel":                               {asked, []Notice{told(Revised, 5, ""), chat(told(Revised, 5, "")), told(Revised, 9, "gone"), chat(told(Revised, 9, "gone"))}, true},
		"a still later one was accepted":                 {asked, []Notice{told(Answer, 0, ""), told(Again, 5, "gone"), told(Reminder, 9, "")}, false},
		"a program's failed":                             {asked, []Notice{told(Answer, 0, ""), program(told(Again, 5, "gone"))}, false},
		"people's failed, and a program's did not":       {asked, []Notice{told(Answer, 0, ""), told(Again, 5, "gone"), program(told(Again, 6, ""))}, true},
		"a page that failed says nothing of it":          {asked, []Notice{told(Answer, 0, ""), told(Page, 5, "gone")}, false},
	} {
		if got := (Record{Outcomes: c.outcomes, Notified: c.notified}).Undelivered(); got != c.want {
			t.Errorf("%s: Undelivered = %t, want %t", name, got, c.want)
		}
	}
}

func TestMetricDue(t *testing.T) {
	for reads, want := range map[int][2]bool{0: {true, true}, 1: {true, true}, maxMetric - 1: {true, true}, maxMetric: {false, true},
		maxMetricConfirmed - 1: {false, true}, maxMetricConfirmed: {}, 2 * maxMetricConfirmed: {}} {
		r := opened()
		r.Alarm.Confirmed, r.MetricRead = false, reads
		if got := r.MetricDue(); got != want[0] {
			t.Errorf("after %d readings: MetricDue = %t, want %t", reads, got, want[0])
		}
		r.Alarm.Confirmed = true
		if r.MetricDue() {
			t.Errorf("confirmed after %d readings, and due again", reads)
		}
		for explained, conflict := range map[float64]bool{0: false, 0.5: false, 1: false, 1.1: false, 1.1001: true, 25: true} {
			r.Evidence.Explained = &explained
			if got := r.MetricDue(); got != (want[1] && conflict) {
				t.Errorf("confirmed after %d readings, %v explained: MetricDue = %t, want %t", reads, explained, got, want[1] && conflict)
			}
		}
	}
}

func TestHistoryDue(t *testing.T) {
	other := &evidence.History{Before: firedAt}
	for asked, want := range map[int]bool{0: true, 1: true, MaxHistory - 1: true, MaxHistory: false, MaxHistory + 5: false} {
		for name, h := range map[string]*evidence.History{"not known": nil, "of another window": other} {
			r := opened()
			r.History, r.HistoryAsked = h, asked
			if got := r.HistoryDue(); got != want {
				t.Errorf("%s, asked %d times: HistoryDue = %t, want %t", name, asked, got, want)
			}
		}
		r := opened()
		r.History, r.HistoryAsked = &evidence.History{Before: r.Edge().In(time.FixedZone("here", 3600))}, asked
		if r.HistoryDue() {
			t.Errorf("known, asked %d times: due again", asked)
		}
	}
}

// A metric that may still rise is read again before the verdict, and is known where two readings were equal, the last of them late enough.
func TestMetricKnown(t *testing.T) {
	for name, c := range map[string]struct {
		change     func(*Record)
		known, due bool
	}{
		"twice the same, two minutes after":     {func(*Record) {}, true, false},
		"a second too early":                    {func(r *Record) { r.MetricAt = r.MetricAt.Add(-time.Second) }, false, true},
		"once":                                  {func(r *Record) { r.MetricSame = 1 }, false, true},
		"of an earlier build":                   {func(r *Record) { r.MetricSame, r.MetricAt = 0, time.Time{} }, false, true},
		"not confirmed":                         {func(r *Record) { r.Alarm.Confirmed = false }, false, true},
		"given":                                 {func(r *Record) { r.MetricSame, r.Alarm.Given = 1, "the alarm claims" }, true, false},
		"once, and the next round is too early": {func(r *Record) { r.MetricSame, r.Rounds[0].At = 1, after(0) }, false, false},
		"read as often as may be":               {func(r *Record) { r.MetricSame, r.MetricRead = 1, maxMetricConfirmed }, false, false},
		"judged on one that has risen since":    {func(r *Record) { r.MetricSame, r.Judged = 1, firedAt }, false, true},
		"a human asked":                         {func(r *Record) { r.MetricSame, r.Alarm.Source = 1, alarm.Manual }, false, false},
		"it counts a part":                      {func(r *Record) { r.MetricSame, r.Alarm.Counts = 1, "the filter exports" }, false, false},
		"it is no number of bytes":              {func(r *Record) { r.MetricSame, r.Alarm.Bytes = 1, nil }, false, false},
	} {
		r := queried(opened(), 75*time.Second) // the next round is late enough
		r.Alarm.Bytes = new(int64(100))
		c.change(&r)
		if r.MetricKnown() != c.known || r.MetricDue() != c.due {
			t.Errorf("%s: known %t, due %t, want %t and %t", name, r.MetricKnown(), r.MetricDue(), c.known, c.due)
		}
	}
}

// What is usual is known where the hour before the edge was the same in two answers, the last of them late enough. Where it has grown, the history
// is asked for again.
func TestPastKnown(t *testing.T) {
	// The edge is 160 + 120 seconds before the alarm, and the past whole 300 seconds after it.
	for name, c := range map[string]struct {
		change     func(*Record)
		known, due bool
	}{
		"the same twice":                  {func(*Record) {}, true, false},
		"a second too early":              {func(r *Record) { r.Rounds[1].At = after(19 * time.Second) }, false, false},
		"seen once":                       {func(r *Record) { r.Rounds = r.Rounds[1:] }, false, false},
		"it has grown":                    {func(r *Record) { r.Rounds[1].Past = &evidence.Past{Calls: 1} }, false, true},
		"it has grown, and is young":      {func(r *Record) { r.Rounds[1].Past, r.Rounds[1].At = &evidence.Past{Calls: 1}, after(19*time.Second) }, false, false},
		"it has grown, after the verdict": {func(r *Record) { r.Rounds[1].Past, r.Judged = &evidence.Past{Calls: 1}, firedAt }, false, false},
		"asked again often enough":        {func(r *Record) { r.Rounds[1].Past, r.HistoryAsked = &evidence.Past{Calls: 1}, MaxHistory }, false, false},
		"the history came alone":          {func(r *Record) { r.HistoryPast = nil }, false, true},
		"the last round failed":           {func(r *Record) { r.Rounds = append(r.Rounds, QueryRound{At: after(time.Minute), Error: "busy"}) }, true, false},
		"an earlier build's round":        {func(r *Record) { r.Rounds[1].Past = nil }, false, false},
		"no history":                      {func(r *Record) { r.History, r.HistoryPast = nil, nil }, false, true},
	} {
		r := queried(opened(), 0, 20*time.Second)
		r.History, r.HistoryPast = &evidence.History{Before: r.Edge()}, &evidence.Past{}
		c.change(&r)
		if r.PastKnown() != c.known || r.HistoryDue() != c.due {
			t.Errorf("%s: known %t, due %t, want %t and %t", name, r.PastKnown(), r.HistoryDue(), c.known, c.due)
		}
	}
}

func TestNotifyAgain(t *testing.T) {
	r := judged(containment.Outcome{State: containment.Done, At: after(0)})
	r.Notified = []Notice{{Channel: "sns", Tries: maxTries, Error: "gone", At: after(0)}, {Channel: "chat", Tries: 2, Error: "gone", At: after(0)}}
	r.Closed = after(time.Minute)
	again := r.NotifyAgain(after(time.Hour))
	if !again.Undelivered() {
		t.Error("it counts as delivered before anybody was notified")
	}
	for i := range again.Notified {
		if want := (Move{Do: Notify, Notice: i}); again.Next(after(time.Hour)) != want {
			t.Errorf("Next = %+v, want %+v", again.Next(after(time.Hour)), want)
		}
		again.Notified[i].Tries, again.Notified[i].Error = 1, ""
	}
	if got := again.Next(after(time.Hour)); got.Do != Close {
		t.Errorf("Next = %+v, want the close: nothing is done or judged again", got)
	}
	if n := len(again.Log); n != 1 || again.Log[0].At != after(time.Hour) || again.Log[0].What != "delivered to nobody: notifying again" {
		t.Errorf("the log says %+v", again.Log)
	}
	if again.Outcomes[0].State != containment.Done || again.Judged.IsZero() {
		t.Errorf("what was done is forgotten: %+v", again)
	}
}

// Of the messages that a channel has not accepted since the last that it has, one is sent again.
func TestNotifyAgainSendsOne(t *testing.T) {
	failed := func(kind MessageKind, channel string) Notice {
		return Notice{Kind: kind, Channel: channel, Tries: maxTries, Error: "gone", At: after(0)}
	}
	accepted := Notice{Kind: Answer, Channel: "sns", Tries: 1, At: after(0)}
	for name, c := range map[string]struct {
		notified []Notice
		want     string // those that wait
	}{
		"the answer, and not what was reminded of": {[]Notice{failed(Page, "sns"), failed(Answer, "sns"), failed(Reminder, "sns"), failed(Escalation, "sns")}, "answer sns "},
		"since the last that was accepted":         {[]Notice{accepted, failed(Again, "sns"), failed(Escalation, "sns")}, "again sns "},
		"each channel its own":                     {[]Notice{accepted, failed(Answer, "chat"), failed(Again, "sns"), failed(Again, "chat")}, "answer chat again sns "},
		"nothing":                                  {[]Notice{accepted}, ""},
	} {
		r := Record{Notified: c.notified}.NotifyAgain(after(time.Hour))
		got := ""
		for _, n := range r.Notified {
			if n.Tries == 0 {
				got += string(n.Kind) + " " + n.Channel + " "
			}
		}
		if got != c.want {
			t.Errorf("%s: %q waits, want %q", name, got, c.want)
		}
	}
}

// An incident comes to its end whatever fails, each move is possible, and time never stands still.
func TestEveryIncidentCloses(t *testing.T) {
	for seed := range uint64(300) {
		chance := rand.New(rand.NewPCG(seed, 1))
		r, now := opened(), firedAt
		r.MetricRead, r.Alarm.Confirmed = 0, chance.IntN(2) == 0
		if chance.IntN(3) == 0 {
			r.Alarm.Source = alarm.Manual
		}
		if chance.IntN(5) == 0 {
			r.Alarm.Buckets = nil
		}
		r.Once = chance.IntN(2) == 0
		for moves := 0; ; moves++ {
			if moves > 200 {
				t.Fatalf("seed %d: no end after %d moves; the next is %+v, judged on %q, now on %q", seed, moves, r.Next(now), r.JudgedOn, r.Basis())
			}
			m := r.Next(now)
			if m.Do == Nothing {
				break
			}
			if m.Do == Wait {
				if !m.At.After(now) {
					t.Fatalf("seed %d: a wait until %v at %v", seed, m.At, now)
				}
				now = m.At
				continue
			}
			if err := play(&r, m, now, chance); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		limit := Patience + 5*time.Minute
		if !r.Once {
			limit += 2 * time.Hour // a step that late evidence brings is watched for 30 minutes too
		}
		if now.After(after(limit)) {
			t.Errorf("seed %d: it took until %v", seed, now.Sub(firedAt))
		}
		for i, n := range r.Notified {
			if !n.Settled() {
				t.Errorf("seed %d: message %d was never sent", seed, i)
			}
		}
	}
}

// play has the effect of a move, as luck will have it.
func play(r *Record, m Move, now time.Time, chance *rand.Rand) error {
	luck := func() bool { return chance.IntN(2) == 0 }
	switch m.Do {
	case ReadMetric:
		r.MetricRead++
	case Query:
		if len(r.Alarm.Buckets) == 0 {
			return errors.New("a query round about no bucket")
		}
		if len(r.Rounds) > 0 && r.MetricDue() {
			r.MetricRead++
			r.Alarm.Confirmed = luck()
		}
		if r.HistoryDue() && luck() {
			r.HistoryAsked++
		}
		*r = queried(*r, now.Sub(firedAt))
		r.Evidence.Complete = r.Complete()
		if luck() {
			r.Evidence.Explained = new([]float64{0.1, 0.9, 1.5}[chance.IntN(3)])
		}
		if luck() {
			r.History, r.HistoryPast = &evidence.History{Before: r.Edge()}, &evidence.Past{}
		}
		r.Enough = chance.IntN(8) == 0
	case Judge:
		if !r.Judged.IsZero() && r.Once {
			return errors.New("it is judged twice, and nobody asks again")
		}
		if r.Judged.IsZero() {
			r.Judged = now
		}
		r.JudgedOn, r.Enough = r.Basis(), false
		for range chance.IntN(3) {
			state := []containment.State{containment.Intended, containment.Asked}[chance.IntN(2)]
			r.Outcomes = append(r.Outcomes, containment.Outcome{State: state, At: now})
			r.Verdicts = append(r.Verdicts, Verdict{Protected: []string{"", "tagged"}[chance.IntN(2)]})
		}
		r.Notify(Answer, time.Time{}, make([]string, chance.IntN(3))...)
	case Follow:
		r.FollowUps = append(r.FollowUps, FollowUp{At: now, Hot: luck()})
		if luck() {
			r.Notify(Again, now.Add(time.Minute), "sns")
		}
	case Remind:
		r.Remind(now)
		r.Notify(Reminder, time.Time{}, "sns")
	case Act, Verify:
		o := &r.Outcomes[m.Outcome]
		if (m.Do == Act) != (o.State == containment.Intended) {
			return errors.New("a step is done twice, or verified before it is done")
		}
		if m.Do == Act && luck() {
			if o.Throttled, o.At = o.Throttled+1, now; o.Throttled == MaxThrottled {
				o.State = containment.Failed
			}
			return nil
		}
		o.Attempts, o.At, o.State = o.Attempts+1, now, containment.Unknown
		if luck() {
			o.State = containment.Done
		}
	case Enrich:
		if r.Enriched {
			return errors.New("it is asked twice who protects something")
		}
		r.Enriched = true
	case Notify:
		n := &r.Notified[m.Notice]
		n.Tries, n.At, n.Error = n.Tries+1, now, "throttled"
		if luck() {
			n.Error = ""
		}
	case Close:
		r.Closed = now
	default:
		return errors.New("an unknown move " + string(m.Do))
	}
	return nil
}

// A storm goes on while an escalation waits its turn: what another incident adds must not take its place.
func TestALouderMessageIsNotReplaced(t *testing.T) {
	for _, c := range []struct{ waits, comes MessageKind }{{Escalation, Revised}, {Closing, Revised}, {Again, Revised}, {Reminder, Answer}} {
		var r Record
		r.Notify(c.waits, time.Time{}, "sns")
		r.Notify(c.comes, time.Time{}.Add(time.Hour), "sns")
		if len(r.Notified) != 2 || r.Notified[0].Kind != c.waits || r.Notified[1].Kind != c.comes {
			t.Errorf("%s waits, %s comes: %+v, want both", c.waits, c.comes, r.Notified)
		}
	}
	var r Record
	for _, k := range []MessageKind{Page, Answer, Revised, Revised, Again, Escalation} {
		if r.Notify(k, time.Time{}, "sns", "chat"); len(r.Notified) != 2 || r.Notified[0].Kind != k || r.Notified[1].Kind != k {
			t.Errorf("%s comes: %+v, want it in the place of the quieter one", k, r.Notified)
		}
	}
}

// Two equal answers that explain too little are not the end of the search: until its deadline nobody is told that it is not known who took the bytes. The
// demo's thief was contained when CloudTrail showed two thirds, and the team was reminded of the last third a minute before it came.
func TestNobodyWaitsWhileTheSearchGoesOn(t *testing.T) {
	short := func(at ...time.Duration) Record {
		r := queried(opened(), at...)
		r.Judged, r.Evidence.Engine, r.Evidence.Actors, r.Evidence.Explained, r.Evidence.Complete = after(4*time.Minute), "duckdb", []evidence.Actor{{}}, new(0.67), true
		return r
	}
	for name, c := range map[string]struct {
		record Record
		says   string
	}{
		"two equal answers":    {short(0, 6*time.Minute), ""},
		"the deadline is over": {short(0, 6*time.Minute, Patience), "CloudTrail shows less than 80 % of them"},
	} {
		if got := c.record.Unsolved(); got != c.says || c.record.Searching() != (c.says == "") {
			t.Errorf("%s: %q, searching %t, want %q", name, got, c.record.Searching(), c.says)
		}
	}
}

// The hub is told when nothing else is due, and of several messages the last alone: each says all, and a late one would take back what is newer.
func TestTheHubIsToldLast(t *testing.T) {
	const settled = 8 * time.Minute
	hub, people := HubChannel+"a", "sns:a"
	r := queried(opened(), 0, settled)
	r.Judged, r.JudgedOn, r.Enriched = after(settled), r.Basis(), true
	next := func(notified ...Notice) Move {
		r.Notified = notified
		return r.Next(after(settled + time.Second))
	}
	failed := Notice{Kind: Answer, Channel: hub, Tries: 1, At: after(0), Error: "gone"}
	if m := next(Notice{Kind: Answer, Channel: hub}, Notice{Kind: Answer, Channel: people}); m.Do != Notify || m.Notice != 1 {
		t.Errorf("people come first: %+v", m)
	}
	if m := next(Notice{Kind: Answer, Channel: hub}, Notice{Kind: Answer, Channel: people, Tries: 1}); m.Do == Notify {
		t.Errorf("the hub is no channel of people: %+v", m)
	}
	r.Once = true // nothing else is due of one that a human asked
	for name, c := range map[string]struct {
		notified []Notice
		want     Move
	}{
		"the hub":               {[]Notice{{Kind: Answer, Channel: hub}}, Move{Do: TellHub}},
		"the last":              {[]Notice{failed, {Kind: Closing, Channel: hub}}, Move{Do: TellHub, Notice: 1}},
		"one try":               {[]Notice{failed}, Move{Do: Close}},
		"the last has heard":    {[]Notice{failed, {Kind: Closing, Channel: hub, Tries: 1}}, Move{Do: Close}},
		"another hub of before": {[]Notice{{Kind: Answer, Channel: HubChannel + "b"}, {Kind: Closing, Channel: hub}}, Move{Do: TellHub, Notice: 1}},
	} {
		if m := next(c.notified...); m != c.want {
			t.Errorf("%s: got %+v, want %+v", name, m, c.want)
		}
	}
	for name, c := range map[string]struct {
		notified []Notice
		unheard  bool
	}{
		"never tried":  {[]Notice{{Channel: hub}}, false},
		"not heard":    {[]Notice{failed}, true},
		"heard since":  {[]Notice{failed, {Kind: Closing, Channel: hub, Tries: 1, At: after(time.Minute)}}, false},
		"not people's": {[]Notice{{Channel: people, Tries: 5, Error: "gone"}}, false},
	} {
		if got := (Record{Notified: c.notified}).HubUnheard() != nil; got != c.unheard {
			t.Errorf("%s: unheard %t", name, got)
		}
	}
}
