package duck

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What is cut off an ARN changes nothing that a question finds in it.
func TestWhatIsCutOffAnARN(t *testing.T) {
	patterns := []*regexp.Regexp{regexp.MustCompile(`:::([^/]+)`), regexp.MustCompile(`:::([^/ ]+)`), regexp.MustCompile(`^arn:aws[a-z-]*:s3:::([^/*]+)`)}
	for arn, want := range map[string]string{
		"arn:aws:s3:::exports/a/b:::c/d": "arn:aws:s3:::exports/", "arn:aws:s3:::exports": "arn:aws:s3:::exports", "arn:aws:s3:::": "arn:aws:s3:::", "": "",
		"arn:aws:s3:::/a:::b/c": "arn:aws:s3:::/a:::b/c", "::::a/b": "::::a/", ":::/": ":::/", "a/b:::c/d": "a/b:::c/", "arn:aws-cn:s3:::e*/k": "arn:aws-cn:s3:::e*/",
		"arn:aws:s3:eu-west-1:111122223333:accesspoint/point/object/a/b": "arn:aws:s3:eu-west-1:111122223333:accesspoint/point/",
		"arn:aws:s3express:eu-west-1:111122223333:bucket/fast--x-s3":     "arn:aws:s3express:eu-west-1:111122223333:bucket/fast--x-s3", "a//b": "a//", "/": "/", "::: a/b:::c/d": "::: a/b:::c/d",
	} {
		got := arn[:keyless([]byte(arn))]
		if got != want || keyless([]byte(got)) != len(got) {
			t.Errorf("of %q there is %q, want %q", arn, got, want)
		}
		for _, p := range patterns {
			if whole, cut := p.FindStringSubmatch(arn), p.FindStringSubmatch(got); !slices.Equal(whole, cut) {
				t.Errorf("%s finds %q in %q, and %q in %q", p, whole, arn, cut, got)
			}
		}
	}
}

// FuzzStream holds the fast reader against walk, which is encoding/json: both find the same records, and the same texts broken.
func FuzzStream(f *testing.F) {
	a, b := event("a"), event("b")
	for _, text := range []string{
		"", " ", "{}", "[]", "null", "17", `"a"`, "[null]", "[[" + a + "]]", a, lines(a, b), records(a, b), records(), records("null", a), "[" + a + "," + b + "]", "[" + a + ",]",
		`{"x":{"Records":1},"Records":[` + a + `],"y":[1,2]}`, `{"Records":[` + a + `],"Records":[` + b + `]}`, `{"Records":{"a":1}}`, `{"Records":7,"eventName":"A"}`,
		`{"Records":[],"a"}`, records(crooked), `{"eventName":"\ud83d\ude00","userIdentity":"x"}`, `{"eventName":"é","a":-0.5e+7,"b":01}`, `{"eventName":"A","eventName":"B"}`,
		`{"eventName":"A","requestParameters":{"a":1,"a":2,"Host":"h"},"resources":[1,{"ARN":"x"},[]],"readOnly":"maybe"}`, "{\"eventName\":\"\x01\"}", "{\"eventName\":\"\xff\"}",
		`{"event\u004eame":"A","additionalEventData":{"\u0061":[1,{"b":null}]}}`, strings.Repeat("[", 200), `{"eventName":tru}`, `{"eventCategory":"Insight","eventName":"A"}`,
	} {
		f.Add([]byte(text))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(dir, "x.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, gotErr := streamed(t, path)
		want, wantErr := walked(t, path)
		if gotErr == nil && wantErr == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%q, want\n%q", got, want)
		}
		if gotErr == nil && wantErr != nil && !strings.Contains(wantErr.Error(), "Records is not a list") || gotErr != nil && wantErr == nil && json.Valid(text) && !bytes.ContainsRune(text, '\ufffd') {
			t.Errorf("got %v, want %v", gotErr, wantErr)
		}
	})
}

// FuzzInflate holds the fast reader of gzip data against the standard library's: the same text, up to the same break, of which they say the same.
func FuzzInflate(f *testing.F) {
	text := []byte(strings.Repeat(records(event("a"), event("b")), 50))
	for _, level := range []int{gzip.NoCompression, gzip.BestSpeed, gzip.BestCompression, gzip.HuffmanOnly} {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, level)
		if err != nil {
			f.Fatal(err)
		}
		w.Write(text)
		w.Close()
		zipped := b.Bytes()
		for _, data := range [][]byte{zipped, zipped[:len(zipped)/2], zipped[:len(zipped)-5], zipped[:12], slices.Concat(zipped, zipped), slices.Concat(zipped, []byte("x")), slices.Concat(zipped, make([]byte, 100))} {
			f.Add(data, 0, byte(0))
		}
		for at := range 40 {
			f.Add(zipped, at, byte(0x41))
			f.Add(zipped, at*len(zipped)/40, byte(0x10))
			f.Add(zipped, len(zipped)-1-at, byte(0x80))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, at int, flip byte) {
		data = slices.Clone(data)
		if at >= 0 && at < len(data) {
			data[at] ^= flip
		}
		want, wantErr := inflated(gzip.NewReader(bytes.NewReader(data)))
		in := bytes.NewReader(data)
		got, gotErr := inflated(inflate(in, bufio.NewReader(in)))
		if !bytes.Equal(got, want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Errorf("got %d bytes and %v, want %d and %v", len(got), gotErr, len(want), wantErr)
		}
	})
}

func inflated(r io.Reader, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, 1<<24))
}

// streamed are the records of a file, all fields in one, as the fast reader gives them.
func streamed(t *testing.T, path string) (all []map[string]any, err error) {
	src, err := openSource(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	c, err := newCallers(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.remove()
	s := newStream(&file{}, src, c, nil)
	s.in = make([]byte, 32) // so that it has to read on everywhere
	for err == nil {
		err = s.next()
	}
	from := 0
	shared := map[int32]string{}
	if err := c.lines.Flush(); err != nil {
		t.Fatal(err)
	}
	stored, unread := os.ReadFile(c.file.Name())
	if unread != nil {
		t.Fatal(unread)
	}
	for line := range bytes.Lines(stored) {
		var one struct {
			Caller int32
			Of     json.RawMessage
		}
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("DuckDB is given the caller %q: %v", line, err)
		}
		shared[one.Caller] = string(one.Of)
	}
	kept := slices.Concat(kept(false), kept(true))
	for i, end := range s.ends {
		both := map[string]any{}
		for _, part := range []string{string(s.out[from:end]), shared[s.by[i]]} {
			record := cleanObject(kept, json.RawMessage(part))
			if record == nil {
				t.Fatalf("DuckDB is given %q", part)
			}
			maps.Copy(both, record)
		}
		for _, f := range fields {
			whole := map[string]any{}
			for _, of := range f.usual {
				if v, is := both[f.usually(of)]; is {
					whole[of.name], both[f.name] = v, whole
					delete(both, f.usually(of))
				}
			}
		}
		dateless(both)
		all, from = append(all, both), end
	}
	if err == io.EOF {
		return all, nil
	}
	if !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	return all, err
}

// walked are the same as walk and cleanObject give them.
func walked(t *testing.T, path string) (all []map[string]any, err error) {
	src, err := openSource(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	err = walk(src, func(as form, raw json.RawMessage) error {
		if raw == nil {
			return nil
		}
		list := []json.RawMessage{raw}
		if !native(as, raw) {
			list = unwrap(raw).records
		}
		for _, r := range list {
			if isSummary(r) {
				continue
			}
			record := cleanObject(fields, r)
			dateless(record)
			all = append(all, record)
		}
		return nil
	})
	return all, err
}

// dateless takes out the one value that cleanObject, which is used twice here, writes otherwise than records do.
func dateless(record map[string]any) {
	who, _ := record["userIdentity"].(map[string]any)
	session, _ := who["sessionContext"].(map[string]any)
	attributes, _ := session["attributes"].(map[string]any)
	delete(attributes, "creationDate")
}
