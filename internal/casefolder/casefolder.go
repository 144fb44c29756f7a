// Package casefolder keeps an incident as a folder: its page, its JSON, its log, and the list of what was taken, with a manifest of digests
// (SHA-256) over all of them. It is what a breach notice and a later inquiry stand on, so nothing in it is overwritten, and what is missing is named.
//
// On a disk the folder of an incident is called by its id. What is written later, and differs, goes into a folder of its own: ID.2, ID.3 and so on.
// In a bucket that keeps versions it is one folder, and each manifest names the version of each file and the manifest before.
package casefolder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/posture"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/report/html"
)

const (
	manifestName = "manifest.json"
	listName     = "taken.csv.gz"
	minutesName  = "minutes.json"
)

// Each answers a question to the trail, and gives its rows to do one after the other, in their order. The Answer has no rows. What do returns as an
// error ends it, and is returned as it is.
type Each func(ctx context.Context, q evidence.Question, do func(evidence.Row) error) (evidence.Answer, error)

// Place is where an incident's files go.
type Place interface {
	// Put makes a file of what fill writes. Where that fails, there is none, or none of a new version. version is the place's name for what was
	// written; "" where a file has one version only. It does not return while fill runs.
	Put(ctx context.Context, name string, fill func(io.Writer) error) (version string, err error)
}

// Write keeps an incident in a folder under dir, and returns that folder. The slots are for the page. Where the last folder of the incident says the
// same, it is that one, and nothing is written. A folder is whole or is not there: until then it is called ID.unfinished-NUMBER.
//
// Where the trail cannot be asked, there is a folder without the list, whose manifest says why, and an error.
func Write(ctx context.Context, dir string, r incident.Record, slots []evidence.Slot, each Each) (folder string, err error) {
	if !alarm.IncidentID.MatchString(r.ID) {
		return "", fmt.Errorf("incident %q cannot be the name of a folder", r.ID)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing the case folder: %w", err)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	draft, err := os.MkdirTemp(dir, r.ID+".unfinished-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(draft) // which is not there any more where all went well
	r.Writer = ""             // one run has another name than the next, and says the same
	m := Manifest{Schema: Schema, Incident: r.ID}
	if err := m.texts(ctx, disk(draft), r, slots, nil, nil); err != nil {
		return "", err
	}
	asked, err := m.list(ctx, ctx, disk(draft), r, each, Manifest{})
	if err != nil {
		return "", err
	}
	folder, err = m.settle(ctx, dir, draft)
	return folder, errors.Join(err, asked)
}

// texts writes the page, the JSON and the log, and the minutes, the suspects and the narrowed policy, where there are any. The page has more to do, too.
func (m *Manifest) texts(ctx context.Context, to Place, r incident.Record, slots []evidence.Slot, suspects []posture.Suspect, narrowed []byte, more ...report.Todo) error {
	page, err := html.Page(r, slots, suspects, more...)
	if err != nil {
		return err
	}
	of, err := report.JSON(r)
	if err != nil {
		return err
	}
	var log bytes.Buffer
	for _, e := range r.Log {
		fmt.Fprintf(&log, "%s  %s\n", e.At.UTC().Format("2006-01-02T15:04:05Z"), prose.Plain(e.What))
	}
	texts := []text{{"page.html", page}, {"incident.json", of}, {"log.txt", log.Bytes()}}
	if slots != nil {
		of, err := minutesText(r, slots)
		if err != nil {
			return err
		}
		texts = append(texts, text{minutesName, of})
	}
	if len(suspects) > 0 {
		of, err := posture.JSON(suspects)
		if err != nil {
			return err
		}
		texts = append(texts, text{"suspects.json", of})
	}
	if narrowed != nil {
		texts = append(texts, text{narrowedName, narrowed})
	}
	for _, text := range texts {
		err := m.write(ctx, to, text.name, func(w io.Writer) error { _, err := w.Write(text.of); return err })
		if err != nil {
			return err
		}
	}
	return nil
}

// text is a short file.
type text struct {
	name string
	of   []byte
}

// The beginnings of what a manifest says of its list.
const (
	listOf = "the list of what was taken: "
	restOf = "the rest of the list of what was taken: "
)

// list writes the list of what was taken, or goes on with that of an earlier manifest, which is zero where there is none. asked is why the trail could
// not be asked, or that there is more. asking is the time for that: a list whose rows come when it ends is cut off there, and says so. Where not one row
// comes in that time, half of the window is asked for at once from then on, part after part; where it is too much for the engine, at once.
func (m *Manifest) list(ctx, asking context.Context, to Place, r incident.Record, each Each, earlier Manifest) (asked, err error) {
	if !listable(r) {
		m.Missing = append(m.Missing, listOf+"of the alarm no bucket and no time is known")
		return nil, nil
	}
	q := takenOf(r)
	taken, name, part := takenIn(q), listName, q
	if earlier.Taken != nil {
		name = taken.goOn(*earlier.Taken, &part)
	}
	part.To = m.partEnd(part.From, q)
	taken.Split = taken.Split || part.To.Before(q.To)
	var lost []string
	var l *list
	cut := false
	err = m.write(ctx, to, name, func(w io.Writer) (err error) {
		if l, err = newList(w, taken.Sums, part); err != nil {
			return err
		}
		for first := true; ; {
			answer, err := each(asking, l.q, l.take)
			lost = append(lost, answer.Lost...)
			ends := !l.q.To.Before(q.To)
			switch ours := l.failed != nil || ctx.Err() != nil; {
			case err == nil && ends:
				return l.end()
			case err == nil:
				l.begin(evidence.Taken{Buckets: q.Buckets, Callers: q.Callers, From: l.q.To, To: m.partEnd(l.q.To, q)})
				first = false
				continue
			case !ours && asking.Err() == nil && l.at == nil && errors.Is(err, evidence.ErrTooMuch) && m.halve(l.q):
				l.q.To, taken.Split = m.partEnd(l.q.From, q), true
				continue
			case !ours && asking.Err() != nil && first && l.at == nil && m.halve(l.q):
				asked = fmt.Errorf("no row came in time; when the function is called again it asks for %s at once, part by part: %w", time.Duration(m.ListStep)*time.Second, err)
			case !ours && (asking.Err() != nil && l.rows > 0 || !first):
				cut, asked = true, fmt.Errorf("the list of what was taken has %s so far, and goes on behind them when the function is called again: %w", prose.Plural(l.sums.Rows, "row"), err)
				return l.end()
			case !ours:
				asked = err
			}
			return err
		}
	})
	if asked != nil && !cut {
		m.Missing = append(m.Missing, prose.Plain(listOf+asked.Error()))
		return asked, nil
	}
	if err != nil {
		return nil, err
	}
	m.Files[len(m.Files)-1].Rows = &l.rows
	m.Files = slices.Insert(m.Files, len(m.Files)-1, earlier.lists()...)
	taken.Sums = l.sums
	m.Taken, m.Missing = taken, append(m.Missing, earlier.lacks(listOf, restOf, noMinutes, noNarrowed)...)
	for _, what := range missing(r, q, lost) {
		if !slices.Contains(m.Missing, what) {
			m.Missing = append(m.Missing, what)
		}
	}
	if cut {
		taken.Cut, taken.After = true, l.place()
		if taken.Split {
			taken.Until = l.q.From.UTC()
		}
		m.Missing = append(m.Missing, taken.rest(l, r.ID))
	}
	return asked, nil
}

// leastPart is the shortest part of a window that is asked for by itself.
const leastPart = time.Minute

// partEnd is where the part of a list's window ends that begins at from.
func (m *Manifest) partEnd(from time.Time, q evidence.Taken) time.Time {
	if end := from.Add(time.Duration(m.ListStep) * time.Second); m.ListStep > 0 && end.Before(q.To) {
		return end
	}
	return q.To
}

// halve has half of a part asked for at once from now on, of which no row came, and reports whether there is a shorter one.
func (m *Manifest) halve(part evidence.Taken) bool {
	half := part.To.Sub(part.From) / 2
	if half < leastPart {
		return false
	}
	m.ListStep = int64(half / time.Second)
	return true
}

// listable reports whether it is known what a list of what was taken would be of.
func listable(r incident.Record) bool { return !r.Alarm.From.IsZero() && len(r.Alarm.Buckets) > 0 }

// write makes a file, and takes it into the manifest.
func (m *Manifest) write(ctx context.Context, to Place, name string, fill func(io.Writer) error) error {
	sum, bytes := sha256.New(), counter(0)
	version, err := to.Put(ctx, name, func(w io.Writer) error { return fill(io.MultiWriter(w, sum, &bytes)) })
	if err == nil {
		m.Files = append(m.Files, File{Name: name, Version: version, SHA256: hex.EncodeToString(sum.Sum(nil)), Bytes: int64(bytes)})
	}
	return err
}

// disk is a folder on a disk, by its path.
type disk string

// Put implements Place.
func (d disk) Put(_ context.Context, name string, fill func(io.Writer) error) (string, error) {
	path := filepath.Join(string(d), name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return "", err
}

// counter counts the bytes that are written.
type counter int64

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

// settle gives the draft the incident's next name, with the manifest in it, unless the last folder says the same.
func (m *Manifest) settle(ctx context.Context, dir, draft string) (string, error) {
	for m.Version = 1; ; m.Version++ {
		folder := filepath.Join(dir, folderOf(m.Incident, m.Version))
		text, err := os.ReadFile(filepath.Join(folder, manifestName))
		switch {
		case err == nil:
			last, ours := m.earlier(text)
			if !ours {
				return "", fmt.Errorf("%s is no case folder of this incident: move it away", prose.Safe(folder))
			}
			mine := *m
			mine.Version, mine.Before = last.Version, last.Before
			if same, err := mine.text(); err == nil && bytes.Equal(same, text) && !m.more(dir) {
				return folder, last.holds(folder)
			}
			m.Before = &Before{Folder: folderOf(m.Incident, m.Version), SHA256: digest(text)}
			continue
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
		if _, err := os.Lstat(folder); err == nil {
			return "", fmt.Errorf("%s is no case folder: it has no manifest; move it away", prose.Safe(folder))
		}
		if err := m.put(ctx, disk(draft)); err != nil {
			return "", err
		}
		return folder, os.Rename(draft, folder)
	}
}

// more reports whether there is a later folder of the incident.
func (m *Manifest) more(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, folderOf(m.Incident, m.Version+1)))
	return err == nil
}

func folderOf(incident string, version int) string {
	if version == 1 {
		return incident
	}
	return fmt.Sprintf("%s.%d", incident, version)
}

// holds is an error where the files of a folder are not those that its manifest names.
func (m Manifest) holds(folder string) error {
	var wrong []string
	for _, of := range m.Files {
		f, err := os.Open(filepath.Join(folder, of.Name))
		sum := sha256.New()
		if err == nil {
			_, err = io.Copy(sum, f)
			f.Close()
		}
		if err != nil || hex.EncodeToString(sum.Sum(nil)) != of.SHA256 {
			wrong = append(wrong, of.Name)
		}
	}
	if wrong != nil {
		return fmt.Errorf("%s is not as it was written: somebody has changed %s; move the folder away", prose.Safe(folder), strings.Join(wrong, ", "))
	}
	return nil
}
