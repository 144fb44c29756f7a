package evidence

import "time"

// UsualTimes is how many times the most that a principal took in a day is usual for it.
const UsualTimes = 2

// UsualReader reports whether an actor did only what its principal does: it took its bytes through places that it used on earlier days, and no
// more than twice what it took there in a day. Where anything of that is not known it is no usual reader. That excuses nobody: a thief in the owner's
// network reads like the owner.
func (a Actor) UsualReader() bool {
	return a.UnfamiliarBytes != nil && *a.UnfamiliarBytes == 0 && a.ThroughUsual != nil && *a.ThroughUsual <= 100*UsualTimes && a.OmittedOrigins == 0 &&
		a.Bytes > 0 && a.MostBytesInADay != nil && a.MarginBytes/UsualTimes <= *a.MostBytesInADay && a.Copies == 0 && a.Unsized == 0
}

// OutsideTrail reports whether the window lies where the trail holds no call at all, its margin included.
func (e Evidence) OutsideTrail(margin time.Duration) bool {
	return !e.TrailFrom.IsZero() && (e.To.Add(margin).Before(e.TrailFrom) || e.From.Add(-margin).After(e.TrailTo))
}

// Unheld are the parts of the window, longer than slack, that lie before the first or after the last call of the trail: whether nothing happened
// in them or the trail does not go that far, nobody can tell.
func (e Evidence) Unheld(slack time.Duration) (parts [][2]time.Time) {
	if e.TrailFrom.IsZero() || e.OutsideTrail(slack) {
		return nil
	}
	if e.TrailFrom.Sub(e.From) > slack {
		parts = append(parts, [2]time.Time{e.From, e.TrailFrom})
	}
	if e.To.Sub(e.TrailTo) > slack {
		parts = append(parts, [2]time.Time{e.TrailTo, e.To})
	}
	return parts
}

// Past is how much of the time before the window the trail holds, of the HistorySpan that is asked for.
func (e Evidence) Past() time.Duration {
	if e.TrailFrom.IsZero() {
		return HistorySpan
	}
	return min(max(e.From.Sub(e.TrailFrom), 0), HistorySpan)
}
