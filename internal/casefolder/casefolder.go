// Package casefolder keeps an incident as a folder: its page, its JSON, its log, and the list of what was taken, with a manifest of digests
// (SHA-256) over all of them. It is what a breach notice and a later inquiry stand on, so nothing in it is overwritten, and what is missing is named.
//
// The folder of an incident is called by its id. What is written later, and differs, goes into a folder of its own: ID.2, ID.3 and so on.
package casefolder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/report/html"
)

const (
	manifestName = "manifest.json"
	listName     = "taken.csv.gz"
)

// Each answers a question to the trail, and gives its rows to do one after the other, in their order. The Answer has no rows. What do returns as an
// error ends it, and is returned as it is.
type Each func(ctx context.Context, q evidence.Question, do func(evidence.Row) error) (evidence.Answer, error)

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
	if err := m.texts(draft, r, slots); err != nil {
		return "", err
	}
	asked, err := m.list(ctx, draft, r, each)
	if err != nil {
		return "", err
	}
	folder, err = m.settle(dir, draft)
	return folder, errors.Join(err, asked)
}

// texts writes the page, the JSON and the log.
func (m *Manifest) texts(draft string, r incident.Record, slots []evidence.Slot) error {
	page, err := html.Page(r, slots)
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
	for _, text := range []struct {
		name string
		of   []byte
	}{{"page.html", page}, {"incident.json", of}, {"log.txt", log.Bytes()}} {
		err := m.write(draft, text.name, func(w io.Writer) error { _, err := w.Write(text.of); return err })
		if err != nil {
			return err
		}
	}
	return nil
}

// list writes the list of what was taken. asked is why the trail could not be asked.
func (m *Manifest) list(ctx context.Context, draft string, r incident.Record, each Each) (asked, err error) {
	if r.Alarm.From.IsZero() || len(r.Alarm.Buckets) == 0 {
		m.Missing = append(m.Missing, "the list of what was taken: of the alarm no bucket and no time is known")
		return nil, nil
	}
	q := takenOf(r)
	var answer evidence.Answer
	var sums Sums
	err = m.write(draft, listName, func(w io.Writer) error {
		l, err := newList(w)
		if err != nil {
			return err
		}
		var writing error
		answer, err = each(ctx, q, func(row evidence.Row) error {
			t, err := evidence.ReadTaking(row)
			if err == nil {
				writing = l.add(t)
			}
			return errors.Join(err, writing)
		})
		if err != nil {
			if writing == nil && ctx.Err() == nil {
				asked = err
			}
			return err
		}
		sums = l.sums
		return l.end()
	})
	if asked != nil {
		m.Missing = append(m.Missing, prose.Plain("the list of what was taken: "+asked.Error()))
		return asked, os.Remove(filepath.Join(draft, listName))
	}
	if err != nil {
		return nil, err
	}
	m.Files[len(m.Files)-1].Rows = &sums.Rows
	m.Taken, m.Missing = takenIn(q, sums), missing(r, q, answer.Lost)
	return nil, nil
}

// write makes a file, and takes it into the manifest.
func (m *Manifest) write(draft, name string, fill func(io.Writer) error) (err error) {
	f, err := os.OpenFile(filepath.Join(draft, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum, bytes := sha256.New(), counter(0)
	err = fill(io.MultiWriter(f, sum, &bytes))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		m.Files = append(m.Files, File{Name: name, SHA256: hex.EncodeToString(sum.Sum(nil)), Bytes: int64(bytes)})
	}
	return err
}

// counter counts the bytes that are written.
type counter int64

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

// settle gives the draft the incident's next name, with the manifest in it, unless the last folder says the same.
func (m *Manifest) settle(dir, draft string) (string, error) {
	for m.Version = 1; ; m.Version++ {
		folder := filepath.Join(dir, folderOf(m.Incident, m.Version))
		text, err := os.ReadFile(filepath.Join(folder, manifestName))
		switch {
		case err == nil:
			var last Manifest
			if json.Unmarshal(text, &last) != nil || last.Schema != Schema || last.Incident != m.Incident {
				return "", fmt.Errorf("%s is no case folder of this incident: move it away", prose.Safe(folder))
			}
			sum := sha256.Sum256(text)
			mine := *m
			mine.Version, mine.Before = last.Version, last.Before
			if same, err := mine.text(); err == nil && bytes.Equal(same, text) && !m.more(dir) {
				return folder, last.holds(folder)
			}
			m.Before = &Before{folderOf(m.Incident, m.Version), hex.EncodeToString(sum[:])}
			continue
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
		if _, err := os.Lstat(folder); err == nil {
			return "", fmt.Errorf("%s is no case folder: it has no manifest; move it away", prose.Safe(folder))
		}
		text, err = m.text()
		if err != nil {
			return "", err
		}
		if err := m.write(draft, manifestName, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
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
