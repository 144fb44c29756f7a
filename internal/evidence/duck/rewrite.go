package duck

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// rewrite loads a file that DuckDB will not read as it stands, or not whole, by way of a copy with one clean record a line. It serves texts
// that are JSON and yet too much for DuckDB: a string where an object was due, half a surrogate pair, a list larger than the read buffers.
// It also serves lines that end in a break. refusal is what DuckDB said, nil if it was not asked. It returns an error only when ctx has
// ended.
func (e *Engine) rewrite(ctx context.Context, f *file, refusal error) error {
	clean := filepath.Join(e.dir, "clean.json")
	defer os.Remove(clean)
	left, err := copyRecords(ctx, f, clean)
	var broken *breakage
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &broken):
		f.lost = brokenOff(f.form, broken)
		if f.form != formLines {
			return nil
		}
	case err != nil:
		f.lost = cannotRead(err)
		return nil
	}
	if left.unread > 0 && left.copied == 0 {
		f.lost = "holds CloudTrail records in a form that is not read" + recordsMissing
		return nil
	}
	copied := &file{real: clean, form: formLines}
	if err := e.insert(ctx, []*file{copied}); err != nil {
		if refusal == nil {
			refusal = err
		}
		f.lost = "is refused by DuckDB (" + oneLine(refusal) + ")" + recordsMissing
		return ctx.Err()
	}
	f.id, f.loaded, f.strangers, f.unread, f.nameless = copied.id, true, left.strangers, left.unread, left.nameless
	return nil
}

// left counts what of a file was copied, how much of that without its userIdentity, and what was left out.
type left struct{ copied, nameless, strangers, unread int64 }

// copyRecords writes the records of f to a file, one a line, up to the first break, which it returns.
// It counts the entries that are no CloudTrail records, and leaves them out.
func copyRecords(ctx context.Context, f *file, to string) (n left, err error) {
	src, err := openSource(ctx, f.real)
	if err != nil {
		return left{}, err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return left{}, err
	}
	defer dst.Close()
	w := bufio.NewWriter(dst)
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	walkErr := walk(src, func(as form, raw json.RawMessage) error {
		if raw == nil {
			return nil
		}
		u := unwrapped{records: []json.RawMessage{raw}}
		if !native(as, raw) {
			u = unwrap(raw)
			if n.unread += u.unread; len(u.records) == 0 && u.unread == 0 && !u.wrapper && !isSummary(raw) {
				n.strangers++
			}
		}
		for _, r := range u.records {
			record := cleanObject(fields, r)
			if who, given := record["userIdentity"]; given && who == nil && record["eventName"] != nil {
				n.nameless++
			}
			n.copied++
			if err := lines.Encode(record); err != nil {
				return err
			}
		}
		return nil
	})
	if err := w.Flush(); err != nil {
		return left{}, err
	}
	return n, walkErr
}

// cleanObject keeps the known fields of an object, each in the type of its column, and leaves out what does not fit.
func cleanObject(of []field, raw json.RawMessage) map[string]any {
	var given map[string]json.RawMessage
	if json.Unmarshal(raw, &given) != nil || given == nil {
		return nil
	}
	clean := map[string]any{}
	for _, f := range of {
		if v, ok := given[f.name]; ok {
			clean[f.name] = f.clean(v)
		}
	}
	return clean
}

func (f field) clean(raw json.RawMessage) any {
	switch f.kind {
	case flag:
		return cleanFlag(raw)
	case moment:
		var t time.Time
		if json.Unmarshal(raw, &t) != nil || t.IsZero() {
			return nil
		}
		return t.UTC().Format("2006-01-02 15:04:05.000")
	case table:
		var given map[string]json.RawMessage
		if json.Unmarshal(raw, &given) != nil || given == nil {
			return nil
		}
		clean := map[string]any{}
		for k, v := range given {
			clean[k] = plain(v)
		}
		return clean
	case object:
		if o := cleanObject(f.of, raw); o != nil {
			return o
		}
		return nil
	case list:
		var given []json.RawMessage
		if json.Unmarshal(raw, &given) != nil || given == nil {
			return nil
		}
		clean := []any{}
		for _, v := range given {
			if o := cleanObject(f.of, v); o != nil {
				clean = append(clean, o)
			}
		}
		return clean
	default:
		return plain(raw)
	}
}

// cleanFlag takes true and false, also where they are written as strings.
func cleanFlag(raw json.RawMessage) any {
	switch plain(raw) {
	case "true":
		return true
	case "false":
		return false
	}
	return nil
}

// plain is a value as text: a string itself, null as nil, anything else as the JSON that stands there.
func plain(raw json.RawMessage) any {
	var s *string
	if json.Unmarshal(raw, &s) == nil {
		if s == nil {
			return nil
		}
		return *s
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return nil
	}
	return b.String()
}
