package cloudwatch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"nightlatch/internal/alarm"
)

// refusedPeriod is the period of 4xxErrors: seven days of a bucket are some 2,000 datapoints then, and ten buckets a few pages.
const refusedPeriod = 5 * time.Minute

// Refused implements alarm.Meter. It reads the metric of the deployment's filter, whatever the alarm is on, in whole periods within [from, to).
func (m *Meter) Refused(ctx context.Context, a alarm.Alarm, from, to time.Time) (alarm.Refusals, error) {
	from, to = ceil(from, refusedPeriod), to.Truncate(refusedPeriod)
	if !from.Before(to) || len(a.Buckets) == 0 {
		return alarm.Refusals{From: from, To: to, Doubt: "there is no whole period of the metric yet"}, nil
	}
	var all []series
	for _, b := range a.Buckets {
		all = append(all, series{b, m.filterID})
	}
	got, err := m.columns(ctx, refused, all, span{from.Add(-alarm.UsualDays * 24 * time.Hour), to}, refusedPeriod)
	if err != nil {
		return alarm.Refusals{}, err
	}
	points, err := sum(got)
	if err != nil {
		return alarm.Refusals{}, err
	}
	r := alarm.CountRefusals(points, from, to)
	for _, c := range slices.Collect(maps.Values(got)) {
		if len(c.values) == 0 {
			r.Missing = append(r.Missing, c.series.bucket)
		}
	}
	if slices.Sort(r.Missing); len(r.Missing) == len(a.Buckets) {
		r.Doubt = fmt.Sprintf("CloudWatch has no datapoint of %s of filter %q: request metrics of it are not on, or nobody asks", refused, m.filterID)
	}
	return r, nil
}
