package cloudwatch

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
)

// What S3 has refused since is held against the same minutes of the days before, as far as CloudWatch has the metric of the deployment's filter.
func TestRefused(t *testing.T) {
	const day = 24 * time.Hour
	from, to := at(21), at(44) // of whole periods, 25 to 40
	both := alarm.Alarm{Source: alarm.Fired, Buckets: []string{"customer-exports", "logs"}}
	whole := series{"customer-exports", "EntireBucket"}
	minutes := func(days int, sums ...float64) map[time.Time]float64 {
		held := map[time.Time]float64{}
		for d := range days + 1 {
			for i, n := range sums {
				held[at(25+i).Add(-time.Duration(d)*day)] = n
			}
			held[at(24).Add(-time.Duration(d)*day)], held[at(40).Add(-time.Duration(d)*day)] = 1000, 1000 // around the span
		}
		return held
	}
	week := minutes(7, 1, 2, 0)
	week[at(39)] = 40
	for name, c := range map[string]struct {
		held     map[series]map[time.Time]float64
		status   types.StatusCode
		from, to time.Time
		want     alarm.Refusals
		fails    string
	}{
		"more than usual, of one bucket":   {map[series]map[time.Time]float64{whole: week}, "", from, to, alarm.Refusals{From: at(25), To: at(40), Count: 43, Usual: []int64{3, 3, 3, 3, 3, 3, 3}, Missing: []string{"logs"}}, ""},
		"a metric that is two days old":    {map[series]map[time.Time]float64{whole: minutes(2, 5)}, "", from, to, alarm.Refusals{From: at(25), To: at(40), Count: 5, Usual: []int64{5, 5}, Missing: []string{"logs"}}, ""},
		"no datapoint":                     {nil, "", from, to, alarm.Refusals{From: at(25), To: at(40), Missing: []string{"customer-exports", "logs"}, Doubt: `CloudWatch has no datapoint of 4xxErrors of filter "EntireBucket": request metrics of it are not on, or nobody asks`}, ""},
		"of another filter":                {map[series]map[time.Time]float64{{"customer-exports", "a-prefix"}: week}, "", from, to, alarm.Refusals{From: at(25), To: at(40), Missing: []string{"customer-exports", "logs"}, Doubt: `CloudWatch has no datapoint of 4xxErrors of filter "EntireBucket": request metrics of it are not on, or nobody asks`}, ""},
		"less than a period":               {map[series]map[time.Time]float64{whole: week}, "", at(21), at(29), alarm.Refusals{From: at(25), To: at(25), Doubt: "there is no whole period of the metric yet"}, ""},
		"only a part of it":                {map[series]map[time.Time]float64{whole: week}, types.StatusCodePartialData, from, to, alarm.Refusals{}, `reading 4xxErrors of bucket "customer-exports"`},
		"CloudWatch's own failure, partly": {map[series]map[time.Time]float64{whole: week}, types.StatusCodeInternalError, from, to, alarm.Refusals{}, `reading 4xxErrors of bucket "customer-exports"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.errors, f.page = c.held, 7
			if c.status != "" {
				f.status["customer-exports"] = c.status
			}
			got, err := f.meter(now, Settings{}).Refused(t.Context(), both, c.from, c.to)
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Fatalf("got %v, want %q", err, c.fails)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("refusals (-want +got):\n%s", diff)
			}
			if f.calls["GetMetricData"]+f.calls["DescribeAlarms"] > 0 {
				t.Errorf("something else was asked: %v", f.calls)
			}
		})
	}

	f := newFake(t)
	f.faults[ofErrors] = []int{403}
	if r, err := f.meter(now, Settings{}).Refused(t.Context(), both, from, to); err == nil || !cmp.Equal(r, alarm.Refusals{}) {
		t.Errorf("refused by CloudWatch: got %+v and %v, want an error and nothing beside it", r, err)
	}
}
