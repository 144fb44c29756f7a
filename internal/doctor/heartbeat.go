package doctor

import (
	"context"
	"slices"
	"time"
)

// Vital are those checks of a list without which no sign of life is sent.
func Vital(all []Check) []Check {
	return slices.DeleteFunc(slices.Clone(all), func(c Check) bool { return !slices.Contains(vital, c.Name) })
}

var vital = []string{EndpointsName, AlarmsName, QueuesName, RulesName, NoticesName, DeliveryName, FunctionsName}

// Beat runs what a sign of life needs, sends it if all of that holds, and returns what was found.
func Beat(ctx context.Context, now func() time.Time, all []Check, send func(context.Context) error) []Report {
	reports := Run(ctx, now, Vital(all))
	if Well(reports) {
		reports = append(reports, Run(ctx, now, []Check{Heartbeat(send)})...)
	}
	return reports
}

// Heartbeat is the check that a sign of life reaches whoever waits for it outside the account. To run it is to send it.
func Heartbeat(send func(context.Context) error) Check {
	return Check{Name: HeartbeatName, Run: func(ctx context.Context) Answer {
		if err := send(ctx); err != nil {
			return Answer{State: Broken, Found: []Finding{{Says: err.Error(), Mend: "until then whoever is behind it rings, as if Nightlatch were dead"}}}
		}
		return holds("a sign of life was sent")
	}}
}

// Beats is what the last heartbeat came to, where one is set.
func Beats(stack Stack, memory Memory, now func() time.Time) Check {
	lately := Lately(HeartbeatName, memory, now)
	last := lately.Run
	lately.Run = func(ctx context.Context) Answer {
		d, err := stack.Deployed(ctx)
		switch {
		case err != nil:
			return unread(err)
		case !d.Heartbeat:
			return holds("none is set: nobody outside the account rings when Nightlatch is dead")
		}
		return last(ctx)
	}
	return lately
}
