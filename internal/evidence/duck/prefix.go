package duck

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// maxPrefix is how much may stand on a line before its record: a time, as an export of CloudWatch Logs has it
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/S3Export.html), a host and a program, as syslog has them.
const maxPrefix = 256

// behindPrefix says that a text's first line is a record behind something that is no JSON.
func behindPrefix(head []byte) bool {
	line, _, whole := bytes.Cut(bytes.TrimLeft(head, "\r\n"), []byte("\n"))
	at := bytes.Index(line, []byte(`{"`))
	if at <= 0 || at > maxPrefix || bytes.ContainsAny(line[:1], `{["`) || !strings.ContainsAny(string(line[at-1]), " \t:,;|") {
		return false
	}
	return !whole || json.Valid(line[at:])
}

// lineEnds gives of each line what stands from its first brace on; a line without one is a 0, which is no record.
type lineEnds struct {
	r  *bufio.Reader
	in bool // within a record
	// some: the line has something that is no blank before its brace.
	some bool
}

func (l *lineEnds) Read(p []byte) (int, error) {
	n := 0
	for n+2 <= len(p) {
		b, err := l.r.ReadByte()
		if err != nil {
			if l.some && !l.in {
				p[n], n, l.some = '0', n+1, false
			}
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		switch {
		case b == '\n':
			if l.some && !l.in {
				p[n], n = '0', n+1
			}
			p[n], n, l.in, l.some = b, n+1, false, false
		case l.in || b == '{':
			p[n], n, l.in = b, n+1, true
		case b > ' ':
			l.some = true
		}
	}
	return n, nil
}

// mayHoldRecords says of a file with another name than a trail's whether it may be one all the same.
func (s *source) mayHoldRecords() bool {
	head := bytes.TrimSpace(s.head)
	return len(head) > 0 && (head[0] == '{' || head[0] == '[' || s.prefixed) && bytes.Contains(s.head, []byte("eventName"))
}

// unreadable says of a file that holds a trail's records in no JSON what it is; "" of others.
func unreadable(s *source) string {
	magic := func(m string) bool { return bytes.HasPrefix(s.head, []byte(m)) }
	switch {
	case titled(s.head):
		return "is a table, not records"
	case magic("PAR1"), magic("ORC"):
		if bytes.Contains(bytes.ToLower(s.tail()), []byte("eventname")) {
			return "is a table in columns, not records"
		}
	case magic("PK\x03\x04"), magic("BZh"), magic("\xfd7zXZ"), magic("\x28\xb5\x2f\xfd"), magic("\x04\x22\x4d\x18"), magic("\xff\x06\x00\x00sNaPpY"):
		if packedName.MatchString(s.file.Name()) {
			return "is compressed in a way that is not read (gzip is)"
		}
	}
	return ""
}

// titled says that a text's first line has the names of a table's columns, eventName among them.
func titled(head []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimSpace(head), []byte("\n"))
	if len(line) == 0 || len(line) >= 4096 || line[0] == '{' || line[0] == '[' {
		return false
	}
	names := strings.FieldsFunc(strings.ToLower(string(line)), func(r rune) bool { return strings.ContainsRune(",;\t|", r) })
	for i := range names {
		names[i] = strings.Trim(names[i], " \"'\r")
	}
	return len(names) > 1 && slices.Contains(names, "eventname")
}

// packedName is a trail file's name with the ending of another compression than gzip.
var packedName = regexp.MustCompile(`(?i)\.(json|jsonl|ndjson)\.[a-z0-9]+$`)

// tail is the end of the file, where a table in columns names them.
func (s *source) tail() []byte {
	info, err := os.Stat(s.file.Name())
	if err != nil {
		return nil
	}
	f, err := os.Open(s.file.Name())
	if err != nil {
		return nil
	}
	defer f.Close()
	end, _ := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-1<<16), 1<<16))
	return end
}
