package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// Write is an incident's message of a kind. All but the first page and the close hold the whole answer, after what is new in them:
// whoever reads only the last one knows enough.
func Write(kind incident.MessageKind, r incident.Record) Message {
	m := write(kind, r).In(r.Where())
	m.Kind, m.Of = kind, []incident.Record{r}
	return m
}

func write(kind incident.MessageKind, r incident.Record) Message {
	switch {
	case kind == incident.Closing:
		return closing(r)
	case r.Alarm.Refused != "":
		return text(r, columns)
	}
	word, lines := "", []string(nil)
	switch kind {
	case incident.Revised:
		word, lines = "REVISED", []string{"Later evidence, a later alarm, or what a human has decided has changed what was said before."}
		if slices.ContainsFunc(r.Outcomes, regretted) {
			word = "REVISED, UNDO?"
		}
	case incident.Again:
		word, lines = "NOT QUIET", found(r)
		if n := len(r.FollowUps); n > 0 && !r.FollowUps[n-1].Hot && len(r.FollowUps[n-1].Found) == 0 {
			word = "WORK STOPPED?"
		}
	case incident.Reminder:
		word = "STILL OPEN"
		lines = []string{"Nobody has answered since " + r.Judged.UTC().Format(time.TimeOnly) + ". Each step to decide is below, with the line to run."}
		if !slices.ContainsFunc(r.Outcomes, containment.Outcome.Open) {
			lines = []string{"It is still not known who took these bytes: " + r.Unsolved() + ". Somebody has to find out, and the theft may go on."}
		}
	case incident.Escalation:
		word, lines = "ESCALATED", append(found(r), escalated(r)...)
	}
	var b writer
	head := headline(r)
	if word != "" {
		fmt.Fprintf(&b, "%s\n\n", word)
		if kind == incident.Revised {
			regrets(&b, r)
		}
		for _, l := range lines {
			fmt.Fprintln(&b, l)
		}
		b.WriteString("\n")
		head = word + ", " + head
	}
	fmt.Fprintf(&b, "%s\n\n", headline(r))
	glance(&b.Builder, r)
	rest(&b, r)
	return Message{Subject: subject(head, r), Body: b.String()}
}

// regretted is a step that was done, and that the complete evidence would leave to a human.
func regretted(o containment.Outcome) bool { return o.Regretted && o.Contained() && o.Undo != "" }

// regrets says which steps a human should look at, each with the line that undoes it.
func regrets(b *writer, r incident.Record) {
	for _, o := range r.Outcomes {
		if regretted(o) {
			b.lines("On the complete evidence the policy would NOT contain "+prose.Safe(o.Target)+" by itself. If it was no theft, undo it:", 0)
			fmt.Fprintf(b, "\n%s\n\n", prose.Plain(o.Undo))
		}
	}
}

// also names the incidents that were merged into one, in every message that has its steps: a louder one may take the place of the one that would have
// named them first.
func also(b *writer, r incident.Record) {
	latest, earlier := joined(r)
	for _, j := range latest {
		field(b, "Also", prose.Safe(j.Answer)+" (incident "+prose.Safe(j.ID)+")")
	}
	if earlier != "" {
		field(b, "And", earlier)
	}
}

// joined are the latest incidents that were merged into one, and the others by their ids: while no channel takes a message, any number may be
// merged, and each is an alarm of which somebody has to hear.
func joined(r incident.Record) (latest []incident.Joined, earlier string) {
	n := max(0, len(r.Joined)-maxOutcomes)
	if n == 0 {
		return r.Joined, ""
	}
	var ids []string
	for _, j := range r.Joined[:n] {
		ids = append(ids, prose.Safe(j.ID))
	}
	if r.JoinedMore > 0 {
		ids = append(ids, fmt.Sprintf("%d not named", r.JoinedMore))
	}
	return r.Joined[n:], fmt.Sprintf("%d more incidents with the same steps: %s", n+r.JoinedMore, strings.Join(ids, ", "))
}

// found is what the last follow-up found.
func found(r incident.Record) []string {
	if len(r.FollowUps) == 0 {
		return nil
	}
	f := r.FollowUps[len(r.FollowUps)-1]
	if f.Quiet() && len(f.Broken) == 0 {
		return nil
	}
	lines := []string{"At " + f.At.UTC().Format(time.TimeOnly) + " Nightlatch followed up:"}
	for i, p := range parts(f) {
		if i == maxOutcomes {
			lines = append(lines, fmt.Sprintf("- and %d more", len(parts(f))-i))
			break
		}
		lines = append(lines, "- "+p)
	}
	for i, o := range r.Outcomes {
		if i == maxOutcomes {
			break
		}
		if o.Tried() && o.State != containment.Skipped && o.State != containment.Asked {
			lines = append(lines, "Tried: "+prose.Safe(string(o.Action))+" "+prose.Safe(o.Target)+", "+prose.Safe(string(o.State))+" at "+o.At.UTC().Format(time.TimeOnly)+".")
		}
	}
	return lines
}

func escalated(r incident.Record) []string {
	for _, o := range r.Outcomes {
		if o.Open() {
			return []string{"NOBODY HAS ANSWERED, and Nightlatch does not ask again. Somebody with rights in this account has to decide now."}
		}
	}
	if why := r.Unsolved(); why != "" {
		return []string{"NOBODY KNOWS who took these bytes: " + why + ". Nightlatch does not ask again. Somebody with rights in this account has to find out now."}
	}
	what := "It has NOT STOPPED"
	if slices.ContainsFunc(r.Outcomes, containment.Outcome.Tried) {
		what = "What was done has NOT STOPPED it"
	}
	return []string{what + ", and Nightlatch does no more by itself. Somebody with rights in this account has to come now."}
}

// FollowUp is one check after the verdict, in a sentence.
func FollowUp(f incident.FollowUp) string {
	all := parts(f)
	if f.Quiet() {
		all = append([]string{"quiet"}, all...)
	}
	return strings.Join(all, "; ")
}

// parts are what a follow-up has found, and what it could not see.
func parts(f incident.FollowUp) []string {
	var all []string
	if f.Hot {
		all = append(all, "the bytes STILL FLOW")
	}
	for _, found := range f.Found {
		all = append(all, prose.Safe(found))
	}
	for _, broken := range f.Broken {
		all = append(all, prose.Safe(broken))
	}
	for _, u := range f.Unknown {
		all = append(all, "not known: "+prose.Safe(u))
	}
	return all
}

// Page is the first message, of every alarm that has fired: what, how much, whether it is true, and that the search is on.
func Page(fired []incident.Record) Message {
	var b writer
	confirmed := 0
	for _, r := range fired {
		if r.Alarm.Confirmed {
			confirmed++
		}
	}
	if len(fired) == 0 {
		return Message{}
	}
	fmt.Fprintf(&b, "ALARM FIRED: %s, %d confirmed by CloudWatch\n\n", prose.Plural(int64(len(fired)), "alarm"), confirmed)
	for i, r := range fired {
		if i == maxPaged {
			fmt.Fprintf(&b, "and %s more\n", prose.Plural(int64(len(fired)-i), "alarm"))
			break
		}
		b.WriteString("- ")
		b.lines(prose.List(r.Alarm.Buckets)+": "+alarmLine(r), 2)
	}
	b.WriteString("\n")
	b.lines("Nightlatch asks CloudTrail now who takes them; it is about five minutes behind. The answer follows, in fifteen minutes at the latest. "+
		"Nothing was done yet.", 0)
	b.WriteString("\n")
	b.lines(signature(fired[0]), 0)
	what := prose.List(fired[0].Alarm.Buckets)
	if n := len(fired); n > 1 {
		what = prose.Plural(int64(n), "alarm")
	} else if fired[0].Alarm.Bytes != nil {
		what = prose.Bytes(*fired[0].Alarm.Bytes) + " from " + what
	}
	return Message{Subject: clipped("[nightlatch] FIRED: " + what + ", searching"), Body: b.String(), Kind: incident.Page, Of: fired}.In(fired[0].Where())
}

// maxPaged is how many alarms one page names.
const maxPaged = 20

// Doubted is the answer to several alarms that CloudWatch does not confirm, none of which asks anything of anybody. To one it is the whole
// answer.
func Doubted(fired []incident.Record) Message {
	switch len(fired) {
	case 0:
		return Message{}
	case 1:
		return Write(incident.Answer, fired[0])
	}
	var b writer
	what := prose.Plural(int64(len(fired)), "alarm") + " NOT CONFIRMED, nothing to do"
	fmt.Fprintf(&b, "%s\n\n", what)
	for i, r := range fired {
		if i == maxPaged {
			fmt.Fprintf(&b, "and %d more since\n", len(fired)-i)
			break
		}
		why := ". NOT CONFIRMED: " + prose.Safe(r.Alarm.Doubt)
		if r.Alarm.Refused != "" {
			why = ""
		}
		b.WriteString("- ")
		b.lines(Answer(r)+why+". Incident "+prose.Safe(r.ID), 2)
	}
	b.WriteString("\n")
	list := strings.Join(append([]string{"nightlatch incidents"}, flags(fired[0].Where())...), " ")
	b.lines("Whoever may invoke the function can make such alarms up: look who may, and who does. "+list+" lists them all. "+
		"What CloudWatch confirms, or a human has to decide, is reported at once and by itself.", 0)
	fmt.Fprintf(&b, "\nIn %s. Times are UTC.\n", modeOf(fired[0]))
	return Message{Subject: clipped("[nightlatch] " + what), Body: b.String(), Kind: incident.Answer, Of: fired}.In(fired[0].Where())
}

// alarmLine is one alarm in a line of the page.
func alarmLine(r incident.Record) string {
	a := r.Alarm
	text := "an unknown number of bytes"
	if a.Bytes != nil {
		text = prose.Bytes(*a.Bytes)
	}
	text += " " + prose.Window(a.From, a.To)
	if a.Threshold != nil {
		text += ", threshold " + prose.Bytes(int64(*a.Threshold))
	}
	if a.Counts != "" {
		text += ", of a part of the bucket"
	}
	if a.Confirmed {
		return text + ", confirmed"
	}
	return text + ", NOT CONFIRMED: " + prose.Safe(a.Doubt)
}

// closing is the last message: how it ended, and when was what.
func closing(r incident.Record) Message {
	var b writer
	open := 0
	for _, o := range r.Outcomes {
		if o.Open() {
			open++
		}
	}
	end := "QUIET"
	switch n := len(r.FollowUps); {
	case open > 0, r.Unsolved() != "":
		end = "CLOSED, NOBODY ANSWERED"
	case n > 0 && !r.FollowUps[n-1].Quiet():
		end = "CLOSED, NOT ALL SEEN"
	case n > 0 && len(r.FollowUps[n-1].Broken) > 0:
		end = "QUIET, WORK STOPPED?"
	}
	fmt.Fprintf(&b, "%s\n\n", end)
	b.lines(Answer(r)+".", 0)
	fmt.Fprintln(&b)
	for i := range r.Outcomes[:min(len(r.Outcomes), maxOutcomes)] {
		outcome(&b, r, i)
	}
	also(&b, r)
	if n := len(r.FollowUps); n > 0 {
		f := r.FollowUps[n-1]
		for _, broken := range f.Broken {
			field(&b, "Work stopped?", prose.Safe(broken))
		}
		if f.Refused != "" {
			field(&b, "Refused since", prose.Safe(f.Refused))
		}
		for _, u := range f.Unknown {
			field(&b, "NOT KNOWN", prose.Safe(u))
		}
	}
	b.WriteString("\n")
	for _, t := range Times(r) {
		fmt.Fprintf(&b, "%-*s%s\n", indent, t.What, t.At.UTC().Format("15:04:05"))
	}
	if link := linkLine(r); link != "" {
		fmt.Fprintf(&b, "\n%s\n", link)
	}
	b.WriteString("\n")
	hub(&b, r)
	b.lines(signature(r), 0)
	return Message{Subject: subject(end+", "+headline(r), r), Body: b.String()}
}

// Time is when something happened first.
type Time struct {
	What string
	At   time.Time
}

// Times are when it fired, when the evidence was there, when the first step was done and seen done, and when it was quiet.
func Times(r incident.Record) []Time {
	times := []Time{{"Fired", r.Alarm.Since}}
	for _, l := range r.Rounds {
		if r.Alarm.Bytes != nil && float64(l.Bytes) >= evidence.ExplainedEnough*float64(*r.Alarm.Bytes) {
			times = append(times, Time{"Evidence", l.At})
			break
		}
	}
	if !r.Judged.IsZero() {
		times = append(times, Time{"Judged", r.Judged})
	}
	for _, o := range r.Outcomes {
		if o.State == containment.Done {
			times = append(times, Time{"Contained", o.At})
			break
		}
	}
	if n := len(r.FollowUps); n > 0 {
		times = append(times, Time{"Last follow-up", r.FollowUps[n-1].At})
	}
	return times
}
