package casefolder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// Schema names the form of a manifest. Fields are only ever added.
const Schema = "nightlatch.case/1"

// Manifest says what a case folder holds, and what is missing. It is written last: a folder without one is not whole.
type Manifest struct {
	Schema   string `json:"schema"`
	Incident string `json:"incident"`
	// Version counts the folders of the incident, and Before is the one before this. In a bucket it counts the manifests.
	Version int     `json:"version"`
	Before  *Before `json:"before,omitempty"`
	// Stage is what was over when it was written; nil on a disk, where nobody waits for a stage.
	Stage *Stage `json:"stage,omitempty"`
	Files []File `json:"files"`
	Taken *Taken `json:"taken,omitempty"`
	// ListDue says that the list has to be written again, because the trail could not be asked.
	ListDue bool `json:"list_due,omitempty"`
	// ListStep is how many seconds of its window the list is asked for at once, where no row of the whole came in time; 0 is all of it.
	ListStep int64 `json:"list_step_seconds,omitempty"`
	// Missing names, a sentence each, what is not in the folder and why.
	Missing []string `json:"missing"`
}

// Before is an earlier folder of the incident: its name beside this one's, or in a bucket the version of its manifest, and that manifest's digest.
type Before struct {
	Folder  string `json:"folder,omitempty"`
	Version string `json:"manifest_version_id,omitempty"`
	SHA256  string `json:"manifest_sha256"`
}

// File is one file of the folder.
type File struct {
	Name string `json:"name"`
	// Version is the bucket's name for this version of the file; "" on a disk.
	Version string `json:"version_id,omitempty"`
	SHA256  string `json:"sha256"`
	Bytes   int64  `json:"bytes"`
	// Rows are those of the list, without its heading.
	Rows *int64 `json:"rows,omitempty"`
}

// Taken says what the list is of.
type Taken struct {
	Name string `json:"name"`
	// From and To are the list's window, half open: the alarm's with Margin around it, and up to what was contained.
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Buckets []string  `json:"buckets"`
	// Credentials are those that the list is of: access key ids, or what else names a caller without one. None are everybody's.
	Credentials []string `json:"credentials"`
	// Cut says that the time ran out before all rows had come. After is where it goes on then: the evidence.Place of the last one.
	Cut   bool     `json:"cut_off,omitempty"`
	After [][]byte `json:"after,omitempty"`
	// Split says that it was asked for in parts of its window, one after the other: an object that was read in several has rows in each, and counts in each.
	Split bool `json:"split_by_time,omitempty"`
	// Until is where the part begins that a split list goes on with. Up to there it is whole.
	Until time.Time `json:"whole_until,omitzero"`
	// Stale are files beside this list that are of an earlier one, and no part of it.
	Stale []string `json:"not_of_this_list,omitempty"`
	// Parts are the files of the list in its order, where it is in more than one.
	Parts []string `json:"parts,omitempty"`
	Sums
	Columns []Column `json:"columns"`
	Cells   string   `json:"cells"`
}

// takenOf is the question whose answer is the incident's list: its window with the margin, and up to what was contained, of the credentials that a
// step is about; of everybody's where there is no such step.
func takenOf(r incident.Record) evidence.Taken {
	q := evidence.Taken{Buckets: r.Alarm.Buckets, From: r.Alarm.From.Add(-alarm.Margin), To: r.Alarm.To}
	add := func(c actor.Credential) {
		if !slices.ContainsFunc(q.Callers, func(o actor.Credential) bool { return name(o) == name(c) }) {
			q.Callers = append(q.Callers, c)
		}
	}
	for _, o := range r.Outcomes {
		if o.State == containment.Skipped {
			continue
		}
		if o.Contained() && o.At.After(q.To) && o.At.Sub(r.Alarm.To) < mostAfter {
			q.To = o.At
		}
		for _, key := range []string{o.AccessKeyID, o.Key()} {
			if key != "" {
				add(actor.Credential{AccessKeyID: key})
			}
		}
		for _, a := range r.Evidence.Actors {
			if o.Against(a) {
				add(a.Credential())
			}
		}
	}
	q.To = q.To.Add(alarm.Margin)
	return q
}

// mostAfter is how long after its window an incident's list goes on at most.
const mostAfter = 6 * time.Hour

// name is what tells a credential from others, for people.
func name(c actor.Credential) string {
	if c.AccessKeyID != "" {
		return c.AccessKeyID
	}
	return fmt.Sprintf("no key, principal %q, account %q, by %q", c.PrincipalID, c.AccountID, c.Via)
}

// takenIn says of a list what it is of.
func takenIn(q evidence.Taken) *Taken {
	t := &Taken{Name: listName, From: q.From, To: q.To, Buckets: []string{}, Credentials: []string{}, Cells: cellRule}
	for _, b := range q.Buckets {
		t.Buckets = append(t.Buckets, prose.Safe(b))
	}
	if !q.Everybody() {
		for _, c := range q.Callers {
			t.Credentials = append(t.Credentials, prose.Safe(name(c)))
		}
	}
	for _, c := range columns {
		t.Columns = append(t.Columns, c.Column)
	}
	return t
}

// goesOn reports whether an earlier list is the beginning of this one, that of q.
func (t *Taken) goesOn(earlier *Taken) bool {
	begun := earlier != nil && (len(earlier.After) == len(evidence.Taken{}.Place(nil)) || !earlier.Until.IsZero())
	return begun && earlier.From.Equal(t.From) && earlier.To.Equal(t.To) && slices.Equal(earlier.Buckets, t.Buckets) && slices.Equal(earlier.Credentials, t.Credentials)
}

// goOn has the list go on with an earlier one, and the question q with its answer. It returns the name of the file for what comes.
func (t *Taken) goOn(earlier Taken, q *evidence.Taken) (name string) {
	for _, column := range earlier.After {
		q.After = append(q.After, string(column))
	}
	if !earlier.Until.IsZero() {
		q.From = earlier.Until
	}
	t.Sums, t.Split, t.Parts = earlier.Sums, earlier.Split, earlier.files()
	name = fmt.Sprintf("taken.%d.csv.gz", len(t.Parts)+1)
	t.Parts = append(t.Parts, name)
	return name
}

// files are the names of the list's files, in its order.
func (t Taken) files() []string {
	if t.Parts == nil {
		return []string{t.Name}
	}
	return slices.Clone(t.Parts)
}

// replaces has the list know which files stand beside it of an earlier one. Nobody deletes in the folder.
func (t *Taken) replaces(earlier Taken) {
	t.Stale = nil
	for _, name := range append(earlier.files(), earlier.Stale...) {
		if !slices.Contains(t.files(), name) && !slices.Contains(t.Stale, name) {
			t.Stale = append(t.Stale, name)
		}
	}
}

// missing says what an incident's list cannot hold, beside what the engine has lost.
func missing(r incident.Record, q evidence.Taken, lost []string) (all []string) {
	add := func(format string, args ...any) { all = append(all, prose.Plain(fmt.Sprintf(format, args...))) }
	for _, l := range lost {
		add("%s", l)
	}
	if q.Everybody() && len(q.Callers) > 0 {
		add("the choice of credentials: they are too many for one question, and the list has everybody's reads")
	}
	for _, part := range r.Evidence.Unheld(alarm.Margin) {
		add("%s: the trail that was read holds no calls of that time", prose.Window(part[0], part[1]))
	}
	switch e := r.Evidence; {
	case e.Unexplained == nil:
		add("how much is missing: CloudWatch's count of the alarmed bytes is not known")
	case *e.Unexplained > 0:
		add("%s of the alarmed bytes: CloudWatch counted them, and no record shows who took which object", prose.Bytes(*e.Unexplained))
	}
	return all
}

// lists are the files of the list.
func (m Manifest) lists() []File {
	return slices.DeleteFunc(slices.Clone(m.Files), func(f File) bool { return f.Rows == nil })
}

// lacks is what is missing by the manifest, but for what begins in some way.
func (m Manifest) lacks(but ...string) []string {
	return slices.DeleteFunc(slices.Clone(m.Missing), func(what string) bool {
		return what == sinceThen || slices.ContainsFunc(but, func(begin string) bool { return strings.HasPrefix(what, begin) })
	})
}

// earlier reads a manifest that was written before. ours is whether it is one of the same incident.
func (m *Manifest) earlier(text []byte) (last Manifest, ours bool) {
	err := json.Unmarshal(text, &last)
	return last, err == nil && last.Schema == Schema && last.Incident == m.Incident
}

// digest is a text's SHA-256.
func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// put writes the manifest, of which it is no part itself.
func (m *Manifest) put(ctx context.Context, to Place) error {
	text, err := m.text()
	if err != nil {
		return err
	}
	_, err = to.Put(ctx, manifestName, func(w io.Writer) error { _, err := w.Write(text); return err })
	return err
}

// text is the manifest as it is written.
func (m Manifest) text() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if m.Missing == nil {
		m.Missing = []string{}
	}
	err := encoder.Encode(m)
	return b.Bytes(), err
}
