package duck

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// encoded is a record that cleanObject has made, as JSON.
func encoded(record map[string]any) []byte {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	lines.Encode(record) // of maps, lists, texts and flags; nothing else is in it
	return bytes.TrimSpace(b.Bytes())
}

// cleanObject keeps the fields of an object that have columns, each in the type of its column, and leaves out what does not fit.
func cleanObject(of []field, raw json.RawMessage) map[string]any {
	var given map[string]json.RawMessage
	if json.Unmarshal(raw, &given) != nil || given == nil {
		return nil
	}
	clean := map[string]any{}
	for _, f := range of {
		if v, ok := given[f.name]; ok && !f.unread {
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
			if !slices.Contains(f.without, k) {
				clean[k] = plain(v)
			}
		}
		return clean
	case arn:
		if s, ok := plain(raw).(string); ok {
			return s[:keyless([]byte(s))]
		}
		return nil
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

// keyless is how much of an ARN there is before the key of an object, in a bucket (arn:aws:s3:::bucket/key) or behind an access point
// (arn:aws:s3:eu-west-1:111122223333:accesspoint/point/object/key). The questions look for what stands between the first ":::" and a slash.
func keyless(arn []byte) int {
	if before, of, found := bytes.Cut(arn, []byte(":::")); found {
		if slash := bytes.IndexByte(of, '/'); slash > 0 && of[0] != ' ' {
			return len(before) + len(":::") + slash + 1
		}
		return len(arn)
	}
	if point, rest, found := bytes.Cut(arn, []byte("/")); found {
		if slash := bytes.IndexByte(rest, '/'); slash >= 0 {
			return len(point) + slash + 2
		}
	}
	return len(arn)
}
