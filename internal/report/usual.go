package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// usualPart is how much of the most that left through an origin in a day, in per cent, is usual there.
const usualPart = 100 * evidence.UsualTimes

// isUsual reports whether all that left through an origin is usual there. A record of an earlier build has no weights.
func isUsual(o evidence.Origin) bool {
	return o.Familiar != nil && *o.Familiar && (o.MostBytes == nil || o.Bytes/usualPart <= *o.MostBytes/100)
}

// allUsual reports it of everything that an actor took.
func allUsual(a evidence.Actor) bool {
	if a.ThroughUsual != nil {
		return *a.UnfamiliarBytes == 0 && *a.ThroughUsual <= usualPart
	}
	return *a.UnfamiliarBytes == 0 && a.OmittedOrigins == 0 && !slices.ContainsFunc(a.Origins, func(o evidence.Origin) bool { return !isUsual(o) })
}

// usual says how the actor's origins compare with its history.
func usual(a evidence.Actor) string {
	switch {
	case a.HistoryDays == nil:
		return "whether that is usual for it is NOT KNOWN"
	case *a.HistoryDays == 0 && a.OnlyLately:
		return "it read these buckets in the 24 hours before, and on no earlier day"
	case *a.HistoryDays == 0:
		return "it did not read these buckets in the 14 days before"
	case a.Kind == actor.AWSService || a.Kind == actor.ServiceForOthers:
		return usualService(a)
	case a.UnfamiliarBytes == nil || a.FamiliarBytes == nil:
		return "whether that is usual for it is NOT KNOWN"
	case a.Bytes == 0: // a copier, or one that took its bytes around the window: only the origins themselves can be compared
		return usualPlaces(a.Origins)
	case allUsual(a):
		return "USUAL for it"
	case *a.FamiliarBytes > 0 && *a.UnfamiliarBytes > 0:
		return fmt.Sprintf("%.0f %% of it NEVER SEEN for it on earlier days", 100*float64(*a.UnfamiliarBytes)/float64(a.Bytes)) + novel(a)
	}
	known := slices.DeleteFunc(slices.Clone(a.Origins), func(o evidence.Origin) bool { return o.Days == nil || *o.Days == 0 })
	if len(known) == 0 {
		return "NEVER SEEN for it on earlier days" + novel(a)
	}
	return seen(slices.MaxFunc(known, func(x, y evidence.Origin) int { return cmp.Compare(x.Bytes, y.Bytes) }))
}

// usualPlaces says it of an actor that has no bytes to weigh its origins by.
func usualPlaces(origins []evidence.Origin) string {
	known, strange := 0, 0
	for _, o := range origins {
		switch {
		case o.Familiar == nil:
		case *o.Familiar:
			known++
		default:
			strange++
		}
	}
	switch {
	case len(origins) > 0 && known == len(origins):
		return "USUAL for it"
	case len(origins) > 0 && strange == len(origins):
		return "NEVER SEEN for it on earlier days"
	}
	return "whether that is usual for it is NOT KNOWN"
}

// seen is the weight of an origin.
func seen(o evidence.Origin) string {
	most := "0 bytes"
	if *o.MostBytes > 0 {
		most = "at most " + prose.Bytes(*o.MostBytes) + " in one"
	}
	return fmt.Sprintf("seen on %d of 14 days, %s", *o.Days, most)
}

// novel says that a new network says little; "" where it does.
func novel(a evidence.Actor) string {
	var parts []string
	if a.ObjectDays != nil && a.NewDays != nil && *a.ObjectDays >= 2 && *a.NewDays*2 > *a.ObjectDays {
		parts = append(parts, fmt.Sprintf("it came from a network new to it on %d of %d earlier days", *a.NewDays, *a.ObjectDays))
		if *a.NewDays == *a.ObjectDays {
			parts[0] = fmt.Sprintf("each of its %d earlier days had a network of its own", *a.ObjectDays)
		}
	}
	if a.NewNetworks != nil && *a.NewNetworks > 0 {
		parts = append(parts, "it was used from "+prose.Plural(*a.NewNetworks, "other network")+" in the last 24 hours, new to it too")
	}
	if len(parts) == 0 {
		return ""
	}
	return ", but " + strings.Join(parts, ", and ")
}

// inShort says in a word or two how usual an actor's origin is.
func inShort(a evidence.Actor, o evidence.Origin) string {
	switch {
	case o.Familiar == nil || a.Kind == actor.AWSService || a.Kind == actor.ServiceForOthers: // a service's network says nothing
		return "?"
	case isUsual(o):
		return "yes"
	case o.Days != nil && *o.Days > 0:
		return fmt.Sprintf("%d of 14 days", *o.Days)
	case novel(a) != "":
		return "new, as others"
	}
	return "NEVER SEEN"
}

// ofDay is a time of day, of the seconds after midnight.
func ofDay(seconds int64) string { return time.Unix(seconds, 0).UTC().Format("15:04") }

// signIn says how old the password and the device of a sign-in are; "" where both are older than the history.
func signIn(r incident.Record, a evidence.Actor) string {
	var s *policy.SignIn
	for _, o := range r.Outcomes {
		if o.Key() == a.AccessKeyID && o.Step.Target.SignIn != nil {
			s = o.Step.Target.SignIn
		}
	}
	switch {
	case s == nil:
		return " How old the password and the device are is NOT KNOWN."
	case s.Before(r.Alarm.From.Add(-evidence.HistorySpan)):
		return ""
	}
	return " But it may not have been the owner: the password is of " + moment(s.Password) + ", and the newest device of " + moment(s.Device) + " UTC."
}

// lastUse says that IAM knows of a use later than any record that was read; "" where it does not.
func lastUse(r incident.Record, a evidence.Actor) string {
	for _, o := range r.Outcomes {
		last := o.Step.Target.LastUsed
		if o.Key() == a.AccessKeyID && last != nil && a.LastRecord != nil && last.At.After(a.LastRecord.Add(evidence.LateRecords)) {
			return "IAM says that it was used last at " + moment(last.At) + " UTC (" + prose.Safe(cmp.Or(last.Service, "no service named")) +
				"); the last record of it that was read is of " + moment(*a.LastRecord) + "."
		}
	}
	return ""
}

// before says what the credential did before it read, where its unfamiliar bytes went; "" where nothing is known to have been.
func before(a evidence.Actor) string {
	var did []string
	if !a.LookedRound.IsZero() {
		did = append(did, "it listed or described something from there, or asked who it is, last at "+a.LookedRound.UTC().Format(time.DateTime))
	}
	if !a.RefusedAt.IsZero() {
		did = append(did, "calls from there were refused, last at "+a.RefusedAt.UTC().Format(time.DateTime))
	}
	if a.ListedFirst {
		did = append(did, "it listed what there is, and then read")
	}
	if len(did) == 0 {
		return ""
	}
	return "Before that " + strings.Join(did, "; ") + "."
}

// agents are the usual ones: the first and the last of more.
func agents(usual []string) string {
	var names []string
	for _, u := range usual {
		names = append(names, prose.Safe(u))
	}
	if len(names) > 1 {
		return strings.Join(names, ", ") + " and perhaps others"
	}
	return strings.Join(names, ", ")
}

// compared says how an actor's doings compare with its earlier ones, and with what there is to take, a sentence each.
func compared(r incident.Record, a evidence.Actor) []string {
	var lines []string
	if stored := r.Alarm.Stored; stored != nil && *stored > 0 && a.Bytes >= *stored/100 {
		part := percent(float64(a.Bytes) / float64(*stored))
		if !strings.HasSuffix(part, "times") {
			part += " of"
		}
		lines = append(lines, fmt.Sprintf("It took %s what the watched buckets hold, %s by S3's metric of the last days.", part, prose.Bytes(*stored)))
	}
	if h := a.Hours; h != nil && a.HistoryDays != nil && !a.FirstSeen.IsZero() && !h.Hold(a.FirstSeen) {
		lines = append(lines, fmt.Sprintf("It came at %s; on %d earlier days its owner read these buckets between %s and %s UTC only.", a.FirstSeen.UTC().Format("15:04"),
			*a.HistoryDays, ofDay(h.From), ofDay(h.To)))
	}
	if before := before(a); before != "" {
		lines = append(lines, before)
	}
	if a.NewAgent != "" {
		lines = append(lines, "Its agent names "+prose.Safe(a.NewAgent)+"; on earlier days it named "+agents(a.UsualAgents)+". The caller chooses it.")
	}
	if a.DayBytes != nil && a.UsualBytes != nil && *a.UsualBytes > 0 {
		lines = append(lines, fmt.Sprintf("In 24 hours it took %s; on a big day its owner takes %s.", prose.Bytes(*a.DayBytes), prose.Bytes(*a.UsualBytes)))
	}
	var same []string
	if a.UsualBytes != nil && a.Bytes > 0 && a.Bytes <= 2**a.UsualBytes && *a.UsualBytes <= 2*a.Bytes {
		same = append(same, "the amount")
	}
	if a.SameObject != "" {
		same = append(same, "the object ("+prose.Safe(a.SameObject)+")")
	}
	if a.SameTime {
		same = append(same, "the time of the day ("+a.FirstSeen.UTC().Format("15:04")+")")
	}
	if len(same) > 0 {
		lines = append(lines, "As on every earlier day: "+prose.List(same)+".")
	}
	if a.FamiliarBytes != nil && *a.FamiliarBytes > 0 && a.UnfamiliarBytes != nil && *a.UnfamiliarBytes > 0 {
		lines = append(lines, "In use: places that it used on earlier days took "+prose.Bytes(*a.FamiliarBytes)+
			" of it in the window; what works with it there stops when it is turned off.")
	}
	if u := a.InUseAt; u != nil {
		lines = append(lines, "In use: it was used from "+place(u.Origin)+" at "+u.Last.UTC().Format(time.DateTime)+
			"; what works with it there stops when it is turned off.")
	}
	if last := lastUse(r, a); last != "" {
		lines = append(lines, last)
	}
	if a.CompanyOf > 0 {
		lines = append(lines, prose.Plural(a.CompanyOf, "other user")+" of yours worked in the last 14 days where most of its bytes went.")
	}
	if a.SignedIn != nil && *a.SignedIn {
		lines = append(lines, "Its owner signed in to the console there with a second factor, in the 12 hours before."+signIn(r, a))
	}
	if a.OwnEndpoint != nil && *a.OwnEndpoint {
		lines = append(lines, "Most of it went through a VPC endpoint of its own account, which its owner has used before.")
	}
	for i, o := range a.Origins {
		if i < 3 && o.Days != nil && *o.Days > 0 && !isUsual(o) {
			lines = append(lines, prose.Capital(place(o))+" was "+seen(o)+".")
		}
	}
	return lines
}
