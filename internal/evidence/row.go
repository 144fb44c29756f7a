package evidence

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// reader takes typed values out of one row and remembers what was wrong.
type reader struct {
	row Row
	err error
}

func (r *reader) text(column string) string { return clip(r.whole(column)) }

// whole is a text that is not kept but compared: cut, two of them might be the same.
func (r *reader) whole(column string) string {
	v, ok := r.row[column]
	if !ok && r.err == nil {
		r.err = fmt.Errorf("a row of the answer has no column %q", column)
	}
	return v
}

// number reads a whole number in any form that an engine prints: 17, 17.0, 4.2949672960E10.
func (r *reader) number(column string) int64 {
	s := r.text(column)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) >= 1<<62 {
		if r.err == nil {
			r.err = fmt.Errorf("column %q of the answer is %q, not a number", column, s)
		}
		return 0
	}
	return int64(math.Round(f))
}

func (r *reader) time(column string) time.Time {
	if n := r.number(column); n != 0 {
		return time.Unix(n, 0).UTC()
	}
	return time.Time{}
}
