package backtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"nightlatch/internal/evidence"
)

// hours asks in which hours a trail has any record, of whatever service.
type hours struct{}

func (hours) Name() string { return "hours" }

func (hours) SQL(s evidence.Schema) string {
	return `select date_diff('second', timestamp '1970-01-01 00:00:00', eventtime) / 3600 as hour from ` + s.Table + ` where eventtime is not null group by 1 order by 1`
}

// Hole is a time [From, To) in which the trail has no record at all.
type Hole struct{ From, To time.Time }

// holes asks where the trail has holes.
func (b Backtest) holes(ctx context.Context) ([]Hole, error) {
	answer, err := b.Trail.Ask(ctx, hours{})
	if err != nil {
		return nil, err
	}
	var seen []time.Time
	for _, row := range answer.Rows {
		n, err := strconv.ParseInt(row["hour"], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading in which hours the trail has records: %w", err)
		}
		seen = append(seen, time.Unix(3600*n, 0).UTC())
	}
	return Holes(seen), nil
}

// Holes are the gaps between the hours in which a trail has records, which are in time order. A day without any record is one. Where the trail has
// records in nine of ten hours, an hour without any is one too: in a quiet trail that says nothing.
func Holes(seen []time.Time) []Hole {
	if len(seen) == 0 {
		return nil
	}
	const day = 24 * time.Hour
	var gaps []Hole
	quiet := 0 // hours without records, but for those of whole days
	for i, next := range seen[1:] {
		gap := Hole{seen[i].Add(time.Hour), next}
		if !gap.From.Before(gap.To) {
			continue
		}
		gaps = append(gaps, gap)
		first := gap.From.Add(day - 1).Truncate(day)
		quiet += int(gap.To.Sub(gap.From)/time.Hour) - 24*max(int(gap.To.Sub(first)/day), 0)
	}
	busy := len(seen) >= 9*quiet
	return slices.DeleteFunc(gaps, func(h Hole) bool {
		first := h.From.Add(day - 1).Truncate(day)
		return !busy && h.To.Sub(first) < day
	})
}
