package hub

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

const (
	// maxNames is how many credentials and networks are named, and maxLine how long what is said of an incident is.
	maxNames, maxLine = 4, 1500
	// maxBody is how long a message is: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html takes 256 KB, of whatever comes with it too.
	maxBody = 60_000
)

// room is how much a message tells: so many threads in full, of each so many places, and so many incidents of a place. The rest is counted, and each
// account is named.
type room struct{ threads, places, incidents int }

// rooms are from the most to the least.
var rooms = []room{{8, 20, 3}, {8, 20, 1}, {4, 10, 1}, {2, 5, 1}, {1, 1, 1}}

// claimed is what a run has said it would tell.
type claimed struct {
	threads []Thread
	wrongs  []Wrong
	silent  []Heard
	tests   []Heard
}

func (r Record) claimed(version int64) (c claimed) {
	for _, t := range r.Threads {
		if t.Claim == version {
			c.threads = append(c.threads, t)
		}
	}
	for _, w := range r.Wrongs {
		if w.Claim == version {
			c.wrongs = append(c.wrongs, w)
		}
	}
	for _, h := range r.Heard {
		if h.Claim == version {
			c.silent = append(c.silent, h)
		}
		if h.Test.Claim == version {
			c.tests = append(c.tests, h)
		}
	}
	slices.SortStableFunc(c.threads, func(x, y Thread) int { return cmp.Compare(y.weight(), x.weight()) })
	fairly(c.threads, Thread.accounts)
	fairly(c.silent, Heard.accounts)
	fairly(c.tests, Heard.accounts)
	return c
}

// fairly puts what is the first of an account before what is the second of any, and so on, so that no account stands before another with all it has.
func fairly[T any](all []T, accounts func(T) []string) {
	type ranked struct {
		it   T
		rank int
	}
	var order []ranked
	had := map[string]int{}
	for _, it := range all {
		rank := len(all)
		for _, a := range accounts(it) {
			rank = min(rank, had[a])
			had[a]++
		}
		order = append(order, ranked{it, rank})
	}
	slices.SortStableFunc(order, func(x, y ranked) int { return cmp.Compare(x.rank, y.rank) })
	for i, o := range order {
		all[i] = o.it
	}
}

func (p Place) accounts() []string { return []string{p.Account} }
func (h Heard) accounts() []string { return []string{h.Account} }
func (h Heard) place() Place       { return Place{Account: h.Account, Region: h.Region} }

// also names the accounts of places that are not told one by one, where none of theirs is.
func also(places []Place, told int) string {
	var all []string
	for _, p := range places[told:] {
		if name := prose.Safe(p.Account); !slices.Contains(all, name) && !slices.ContainsFunc(places[:told], func(o Place) bool { return o.Account == p.Account }) {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ", also of " + strings.Join(all, ", ")
}

func (c claimed) empty() bool { return len(c.threads)+len(c.wrongs)+len(c.silent)+len(c.tests) == 0 }

// hearing reports whether it is about what may keep the hub from hearing.
func (c claimed) hearing() bool { return len(c.wrongs)+len(c.silent) > 0 }

// split says which threads are told in full: the first, and of the others those in which somebody has to decide, which CloudWatch confirms, or which
// are in several accounts.
func (c claimed) split(most int) (full, more []Thread) {
	for _, t := range c.threads {
		if len(full) == 0 || len(full) < most && t.weight() >= 1<<59 {
			full = append(full, t)
		} else {
			more = append(more, t)
		}
	}
	return full, more
}

// weight is that of its heaviest incident; a thread in many accounts weighs more.
func (t Thread) weight() (w int64) {
	for _, p := range t.Places {
		for _, in := range p.Incidents {
			w = max(w, in.weight())
		}
	}
	if len(t.accounts()) > 1 {
		w += 1 << 61
	}
	return w
}

func (t Thread) accounts() (all []string) {
	for _, p := range t.Places {
		if len(p.Incidents) > 0 && !slices.Contains(all, p.Account) {
			all = append(all, p.Account)
		}
	}
	return all
}

// sums are what a message counts.
type sums struct {
	merged, incidents, waits, escalated, contained, searching, closed, unanswered int
	bytes                                                                         int64
	unknown                                                                       int // whose bytes are not known
}

func (s *sums) add(in Incident) {
	if in.State == Merged { // the one that reports it is counted
		s.merged++
		return
	}
	s.merged += in.MergedMore
	s.incidents++
	switch {
	case in.State == Closed && in.Waits:
		s.unanswered++
	case in.State == Closed:
		s.closed++
	case in.State == Escalated:
		s.escalated++
	case in.Waits:
		s.waits++
	case in.State == Contained:
		s.contained++
	case in.State == Searching:
		s.searching++
	}
	if in.Bytes == nil {
		s.unknown++
	} else {
		s.bytes = min(s.bytes, 1<<62) + min(max(*in.Bytes, 0), 1<<60)
	}
}

func (t Thread) sums() (s sums) {
	for _, p := range t.Places {
		for _, in := range p.Incidents {
			s.add(in)
		}
	}
	return s
}

// verdict is how a thread stands, the worst first.
func (s sums) verdict() string {
	var parts []string
	for _, p := range []struct {
		n    int
		text string
	}{{s.escalated, "%d NOT ANSWERED"}, {s.waits, "%d TO DECIDE"}, {s.unanswered, "%d CLOSED, NOBODY ANSWERED"}, {s.contained, "%d contained"}, {s.searching, "%d searching"}, {s.closed, "%d closed"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf(p.text, p.n))
		}
	}
	if len(parts) == 0 {
		return "nothing to decide"
	}
	return strings.Join(parts, ", ")
}

func (s sums) taken() string {
	text := prose.Bytes(s.bytes)
	if s.unknown == s.incidents {
		return "an unknown number of bytes"
	}
	if s.unknown > 0 {
		text += " and more"
	}
	return text
}

// message is one message about all that is claimed: first what may keep the hub from hearing, then the answer, where and who decides, by what it is one
// thief's, and what is not known. Where it is too long, it tells less of each, and says so. here is the hub's own place.
func message(c claimed, here incident.Place) report.Message {
	var body string
	for i, most := range rooms {
		if body = c.body(most, i > 0, here); len(body) <= maxBody {
			break
		}
	}
	return report.Message{Subject: subject(c), Body: body, Place: here}
}

// body is the text of a message for which there is so much room; less says that there is more to tell.
func (c claimed) body(most room, less bool, here incident.Place) string {
	var b strings.Builder
	full, more := c.split(most.threads)
	var lines []string
	for _, w := range c.wrongs {
		lines = append(lines, w.headline())
	}
	if len(c.silent) > 0 {
		lines = append(lines, unheard(c.silent))
	}
	for _, t := range full {
		lines = append(lines, t.headline())
	}
	if len(more) > 0 {
		lines = append(lines, fmt.Sprintf("and %d more, below", len(more)))
	}
	if len(c.tests) > 0 {
		lines = append(lines, tried(c.tests))
	}
	if len(lines) > 1 {
		fmt.Fprintf(&b, "- %s\n\n", strings.Join(lines, "\n- "))
	}
	for i, w := range c.wrongs {
		if i == 2*most.places {
			fmt.Fprintf(&b, "and %d more that were not believed or are not kept, above\n\n", len(c.wrongs)-i)
			break
		}
		b.WriteString(w.section())
		b.WriteString("\n")
	}
	if len(c.silent) > 0 {
		b.WriteString(silence(c.silent, most))
		b.WriteString("\n")
	}
	for _, t := range full {
		b.WriteString(t.section(most))
		b.WriteString("\n")
	}
	if len(more) > 0 {
		b.WriteString(rest(more, most))
		b.WriteString("\n")
	}
	if len(c.tests) > 0 {
		b.WriteString(tests(c.tests, most))
		b.WriteString("\n")
	}
	if less {
		fmt.Fprintf(&b, "Left out for room: more than %s in full, %s of each and %s of a place. Each account is named: ask there with nightlatch incidents.\n",
			prose.Plural(int64(most.threads), "thread"), prose.Plural(int64(most.places), "place"), prose.Plural(int64(most.incidents), "incident"))
	}
	if len(c.threads) > 0 {
		b.WriteString("Who decides: whoever has rights in that account. The hub has none, and knows no more than the deployments say.\n")
	}
	fmt.Fprintf(&b, "Told by the hub in account %s, region %s. Times are UTC.\n", prose.Safe(here.AccountID), prose.Safe(here.Region))
	return b.String()
}

func unheard(silent []Heard) string {
	return prose.Plural(int64(len(silent)), "DEPLOYMENT") + " NOT HEARD"
}

func tried(all []Heard) string {
	return "TEST of " + prose.Plural(int64(len(all)), "deployment")
}

// tests says who tried whether the team hears.
func tests(all []Heard, most room) string {
	return "TEST\n" + listed(all, most, func(h Heard) string { return "- " + h.place().name() }) +
		"Means: somebody there ran nightlatch test-notify, and this is what came of it. Nothing has happened, and nothing is to be done.\n"
}

// listed are deployments, a line each, and the accounts of those that are more.
func listed(all []Heard, most room, line func(Heard) string) string {
	var b strings.Builder
	var places []Place
	for _, h := range all {
		places = append(places, h.place())
	}
	for i, h := range all {
		if i == 2*most.places {
			fmt.Fprintf(&b, "- and %d more%s\n", len(all)-i, also(places, i))
			break
		}
		b.WriteString(line(h) + "\n")
	}
	return b.String()
}

func subject(c claimed) string {
	var s string
	switch {
	case len(c.threads) > 0:
		s = c.threads[0].headline()
		if n := len(c.threads) - 1; n > 0 {
			s = fmt.Sprintf("(+%d) ", n) + s
		}
	case len(c.wrongs) > 0:
		s = c.wrongs[0].headline()
	case len(c.silent) > 0:
		s = unheard(c.silent)
	default:
		s = tried(c.tests)
	}
	s = "[nightlatch hub] " + s
	if len(s) > 99 { // https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
		s = s[:96] + "..."
	}
	return s
}

// headline is a thread in a line.
func (t Thread) headline() string {
	s, accounts := t.sums(), t.accounts()
	if s.incidents == 0 {
		return fmt.Sprintf("thread %d: what was known of it is not kept any more", t.Number)
	}
	where := ""
	for _, p := range t.Places {
		if len(p.Incidents) > 0 && where == "" {
			where = p.name()
		}
	}
	what, one := "ALARM in "+where, "ONE THIEF"
	if t.Guessed {
		one = "PROBABLY ONE THIEF"
	}
	if len(accounts) > 1 {
		what = fmt.Sprintf("%s IN %d ACCOUNTS", one, len(accounts))
	} else if len(t.Places) > 1 {
		what = fmt.Sprintf("%s in %d regions of %s", one, len(t.Places), accounts[0])
	}
	return fmt.Sprintf("%s: %s, %s", what, s.verdict(), s.taken())
}

func (p Place) name() string {
	return strings.Join(slices.DeleteFunc([]string{prose.Safe(p.Account), prose.Safe(p.Alias), prose.Safe(p.Region)}, func(s string) bool { return s == "" }), " ")
}

// section is what is said of one thread.
func (t Thread) section(most room) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", t.headline())
	if !t.At.IsZero() {
		fmt.Fprintf(&b, "Thread %d, told before at %s. What is new since is marked NEW.\n", t.Number, t.At.UTC().Format(time.TimeOnly))
	} else {
		fmt.Fprintf(&b, "Thread %d.\n", t.Number)
	}
	places := slices.Clone(t.Places)
	for i := range places {
		places[i].Incidents = slices.Clone(places[i].Incidents)
		slices.SortStableFunc(places[i].Incidents, func(x, y Incident) int { return cmp.Compare(y.weight(), x.weight()) })
	}
	places = slices.DeleteFunc(places, func(p Place) bool { return len(p.Incidents) == 0 })
	slices.SortStableFunc(places, func(x, y Place) int { return cmp.Compare(y.Incidents[0].weight(), x.Incidents[0].weight()) })
	fairly(places, Place.accounts)
	for i, p := range places {
		if i == most.places {
			fmt.Fprintf(&b, "\nand %s more%s\n", prose.Plural(int64(len(places)-i), "place"), also(places, i))
			break
		}
		b.WriteString("\n")
		b.WriteString(p.section(t.At, most))
	}
	b.WriteString("\n")
	if t.Lost > 0 {
		fmt.Fprintf(&b, "%s of it is not kept any more.\n", prose.Plural(int64(t.Lost), "incident"))
	}
	if why := t.ties(); why != "" {
		fmt.Fprintf(&b, "One thief because: %s.\n", why)
	}
	if len(t.With) > 0 {
		var with []string
		for _, n := range t.With {
			with = append(with, fmt.Sprint(n))
		}
		fmt.Fprintf(&b, "Told before as thread %s too.\n", prose.List(with))
	}
	return b.String()
}

// section is a place: its state, what was taken there, what was done, and the line that shows it.
func (p Place) section(told time.Time, most room) string {
	var b strings.Builder
	var s sums
	for _, in := range p.Incidents {
		s.add(in)
	}
	mark := ""
	if !told.IsZero() && slices.ContainsFunc(p.Incidents, func(in Incident) bool { return in.First.After(told) }) {
		mark = "NEW "
	}
	fmt.Fprintf(&b, "%s%s: %s\n", mark, p.name(), s.verdict())
	for i, in := range p.Incidents[:s.incidents] { // those that others report are the last
		if i == most.incidents {
			fmt.Fprintf(&b, "and %s more there: %s\n", prose.Plural(int64(s.incidents-i), "incident"), p.list())
			break
		}
		b.WriteString(in.line())
		fmt.Fprintf(&b, "nightlatch incident %s%s\n", in.ID, p.flags())
		if in.Page != "" {
			fmt.Fprintf(&b, "%s\n", in.Page)
		}
	}
	if s.merged > 0 {
		fmt.Fprintf(&b, "with %s more that fired for the same: %s\n", prose.Plural(int64(s.merged), "alarm"), p.list())
	}
	return b.String()
}

// flags are what a printed command needs, so that it finds the deployment from any machine.
func (p Place) flags() string {
	if p.Region == "" || p.Region == otherRegions {
		return ""
	}
	return " --region " + p.Region
}

func (p Place) list() string { return "nightlatch incidents" + p.flags() }

// line is an incident: what was taken, and what was done.
func (in Incident) line() string {
	what := "an unknown number of bytes"
	if in.Bytes != nil {
		what = prose.Bytes(max(*in.Bytes, 0))
	}
	if len(in.Buckets) > 0 {
		what += " of " + prose.List(in.Buckets)
	}
	if in.MoreBuckets > 0 {
		what += fmt.Sprintf(" and %s more", prose.Plural(int64(in.MoreBuckets), "bucket"))
	}
	if in.Confirmed {
		what += ", confirmed"
	} else {
		what += ", NOT CONFIRMED"
	}
	var steps []string
	for _, s := range in.Steps {
		steps = append(steps, prose.Safe(s.State)+": "+prose.Safe(s.Action)+" "+prose.Safe(s.Target))
	}
	if in.MoreSteps > 0 {
		steps = append(steps, prose.Plural(int64(in.MoreSteps), "step")+" more")
	}
	switch {
	case in.State == Searching:
		what += ". It fired, and NO ANSWER came"
	case len(steps) > 0:
		what += ". " + strings.Join(steps, "; ")
	case in.Waits:
		what += ". Who took them is NOT KNOWN, and somebody has to find out"
	}
	if len(what) > maxLine {
		what = what[:maxLine] + "..."
	}
	return what + "\n"
}

// ties says by what the incidents are one thief's.
func (t Thread) ties() string {
	if len(t.Places) < 2 && t.sums().incidents < 2 {
		return ""
	}
	var parts []string
	if len(t.Keys) > 0 {
		parts = append(parts, "they suspect "+some(t.Keys))
	}
	if len(t.Networks) > 0 {
		parts = append(parts, "who is suspected called from "+some(t.Networks)+", which two thieves may share")
	}
	return strings.Join(parts, "; ")
}

// some names the first of several.
func some(all []string) string {
	var names []string
	for _, s := range all[:min(len(all), maxNames)] {
		names = append(names, prose.Safe(s))
	}
	text := strings.Join(names, ", ")
	if n := len(all) - len(names); n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// rest counts the threads that are not told in full, by place.
func rest(threads []Thread, most room) string {
	var places []Place
	for _, t := range threads {
		for _, p := range t.Places {
			i := slices.IndexFunc(places, func(o Place) bool { return o.Account == p.Account && o.Region == p.Region })
			if i < 0 {
				i = len(places)
				places = append(places, Place{Account: p.Account, Region: p.Region, Alias: p.Alias})
			}
			places[i].Incidents = append(places[i].Incidents, p.Incidents...)
		}
	}
	slices.SortStableFunc(places, func(x, y Place) int { return cmp.Compare(len(y.Incidents), len(x.Incidents)) })
	fairly(places, Place.accounts)
	var b strings.Builder
	fmt.Fprintf(&b, "%d more, which nothing ties to these:\n", len(threads))
	for i, p := range places {
		if i == 2*most.places {
			fmt.Fprintf(&b, "- and %s more%s\n", prose.Plural(int64(len(places)-i), "place"), also(places, i))
			break
		}
		var s sums
		for _, in := range p.Incidents {
			s.add(in)
		}
		fmt.Fprintf(&b, "- %s: %s, %s, %s. %s\n", p.name(), prose.Plural(int64(s.incidents), "incident"), s.verdict(), s.taken(), p.list())
	}
	return b.String()
}

// headline is what was not believed, in a line.
func (w Wrong) headline() string {
	from := ""
	if w.Account != "" {
		from = " OF ACCOUNT " + w.Account
	}
	switch w.What {
	case forged:
		return "FORGED EVENT" + from
	case uninvited:
		return "EVENT OF A STRANGER" + from
	case tooMany:
		return "TOO MANY INCIDENTS" + from
	}
	return "EVENT CANNOT BE READ" + from
}

// section says what was not believed, what that means, and what to do.
func (w Wrong) section() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", w.headline())
	what := prose.Plural(int64(w.Count), "event")
	if w.What == tooMany {
		what = prose.Plural(int64(w.Count), "incident")
	}
	if w.Count > 1 {
		what += ", since " + prose.Minute(w.Since) + " UTC"
	}
	fmt.Fprintf(&b, "What: %s. %s\n", what, prose.Safe(w.Shown))
	switch w.What {
	case forged:
		b.WriteString("Means: whoever has the role of that account's responder or approver writes what is not true of another account. Nothing of it was believed.\n" +
			"Do: take that account for broken into. See who used those roles, in its CloudTrail, and what its own incidents say.\n")
	case uninvited:
		b.WriteString("Means: the bus took an event of an account that is not among the hub's, so its policy is not the hub's any more. Nothing of it was believed.\n" +
			"Do: deploy the hub again, and see in CloudTrail who called PutPermission or UpdateEventBus.\n")
	case tooMany:
		b.WriteString("Means: the hub keeps so much of all accounts that it has left out the oldest of the account with the most. Of the others it keeps what it has.\n" +
			"Do: see in that account what is there: nightlatch incidents. Where there is less, somebody has the role of its responder or approver.\n")
	default:
		b.WriteString("Means: it may say of an incident what nobody hears here. A deployment that is newer than the hub, or somebody who has one's role, wrote it.\n" +
			"Do: deploy the hub with the newest version; what cannot be read waits in the queue of failed events.\n")
	}
	return b.String()
}

// silence says who is not heard any more.
func silence(all []Heard, most room) string {
	return "NOT HEARD FOR HOURS\n" + listed(all, most, func(h Heard) string {
		return fmt.Sprintf("- %s, last at %s UTC: nightlatch doctor%s", h.place().name(), prose.Minute(h.Last), h.place().flags())
	}) + "Means: a deployment tells the hub each hour that it is there. It was removed, fails, or somebody keeps it from telling.\n"
}
