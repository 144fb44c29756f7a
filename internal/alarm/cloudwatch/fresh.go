package cloudwatch

import (
	"cmp"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"nightlatch/internal/alarm"
)

// Whoever may invoke the function can send an old event again, or invent one. So a transition is believed only while it is
// new, and only if the state that CloudWatch itself shows changed when the event says.
const (
	// maxAge is how old a transition may be. CloudWatch sends at once. Lambda retries an asynchronous event for up to 6
	// hours, but a human should look at what comes after the first hour.
	maxAge = time.Hour
	// maxAhead is how far a transition may lie in the future: clocks differ, though never by so much.
	maxAhead = 5 * time.Minute
	// drift is how far apart the two times of one transition may be, the event's and the alarm's own.
	drift = 2 * time.Minute
	// lateness is how far before the transition a window may begin, beside the alarm's own periods. Datapoints come late, and a
	// reading stretches the window over a run of breaching ones for up to three hours.
	lateness = 3 * time.Hour
)

// stale says that a transition is too old, or yet to come; "" if it is new. The windows that we open ourselves, while the alarm
// stays in ALARM, may lie any time after it.
func (m *Meter) stale(a alarm.Alarm) string {
	if age := m.now().Sub(a.Since); age > maxAge && a.Part == 0 || age < -maxAhead {
		return fmt.Sprintf("it fired at %s, which is not within the last hour", clock(a.Since))
	}
	return ""
}

// neverFired says why an alarm cannot have fired when the event says; "" if it did.
func neverFired(a types.MetricAlarm, since time.Time) string {
	changed := cmp.Or(a.StateTransitionedTimestamp, a.StateUpdatedTimestamp)
	switch {
	case changed == nil:
		return fmt.Sprintf("CloudWatch does not say when the alarm's state changed, so that it fired at %s cannot be checked", clock(since))
	case a.StateValue == types.StateValueAlarm && changed.Sub(since).Abs() > drift:
		return fmt.Sprintf("the alarm fired at %s, not at %s as the event claims", clock(*changed), clock(since))
	case a.StateValue != types.StateValueAlarm && !changed.After(since.Add(-drift)): // after it, the burst is over: it fired and went back
		return fmt.Sprintf("the alarm is in %q since %s, so it did not fire at %s as the event claims", a.StateValue, clock(*changed), clock(since))
	}
	return ""
}

// longAgo says that the window which an event claims is not the one that the alarm evaluates when it fires: its evaluation periods,
// and lateness. A true transition could otherwise carry yesterday's datapoints, and a neighbour's bytes in them.
func (m *Meter) longAgo(a types.MetricAlarm, period time.Duration, claimed alarm.Alarm) string {
	periods := time.Duration(max(1, aws.ToInt32(a.EvaluationPeriods)))
	earliest, latest := claimed.Since.Add(-(periods+5)*period-lateness), claimed.Since.Add(period)
	if claimed.Part > 0 {
		latest = m.now().Add(period)
	}
	if claimed.From.Before(earliest) || claimed.To.After(latest) {
		return fmt.Sprintf("the window from %s to %s is not what the alarm evaluated when it fired at %s", clock(claimed.From), clock(claimed.To), clock(claimed.Since))
	}
	return ""
}

// contributorNeverFired is neverFired for one series of an alarm over many buckets. Only contributors in ALARM are listed.
func contributorNeverFired(c types.AlarmContributor, since time.Time) string {
	switch changed := c.StateTransitionedTimestamp; {
	case changed == nil:
		return fmt.Sprintf("CloudWatch does not say when contributor %+q changed its state, so that it fired at %s cannot be checked", *c.ContributorId, clock(since))
	case changed.Sub(since).Abs() > drift:
		return fmt.Sprintf("contributor %+q of the alarm fired at %s, not at %s as the event claims", *c.ContributorId, clock(*changed), clock(since))
	}
	return ""
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
