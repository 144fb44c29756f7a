package athenatest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Results is the bucket that queries write their rows to. It is the account's whose table it is.
const Results = "nightlatch-results"

// Spoil is how one reading of an object with rows fails.
type Spoil struct {
	// Code and Status are a refusal of S3's.
	Code   string
	Status int
	// Cut closes the connection after so many bytes of the part.
	Cut int
	// Anew has somebody write other rows before it is read.
	Anew bool
	// Change changes the bytes of the whole object, before a part of it is taken.
	Change func([]byte) []byte
}

// Spoil makes the next readings fail in these ways, one for each; the zero Spoil is none.
func (s *Server) Spoil(spoils ...Spoil) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.spoils = append(s.spoils, spoils...)
}

// Write has GetQueryExecution say that the rows are elsewhere.
func (s *Server) Write(where string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.elsewhere = &where
}

// File has every query answered by the rows in a file, which is as csv writes them: more than a test holds in memory.
func (s *Server) File(path string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.file = path
}

// getObject is S3's, in path style, for the objects with the rows of queries: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func (s *Server) getObject(w http.ResponseWriter, r *http.Request) {
	s.Mu.Lock()
	text, refused := s.object(r)
	var spoil Spoil
	if len(s.spoils) > 0 {
		spoil, s.spoils = s.spoils[0], s.spoils[1:]
	}
	file := s.file
	s.Mu.Unlock()
	if file != "" && refused.Code == "" {
		w.Header().Set("ETag", `"afile"`)
		http.ServeFile(w, r, file)
		return
	}
	if spoil.Code != "" {
		refused = spoil
	}
	if spoil.Anew {
		text = append(bytes.Clone(text), text[:1]...)
	}
	sum := sha256.Sum256(text)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	if match := r.Header.Get("If-Match"); match != "" && match != etag {
		refused = Spoil{Code: "PreconditionFailed", Status: http.StatusPreconditionFailed}
	}
	if refused.Code != "" {
		w.WriteHeader(refused.Status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no\u202e</Message></Error>", refused.Code)
		return
	}
	if spoil.Change != nil {
		text = spoil.Change(bytes.Clone(text))
	}
	if spoil.Cut > 0 {
		w = &cut{w, spoil.Cut}
	}
	w.Header().Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}

// object is what a request asks for, or why there is none. It is called with the lock held.
func (s *Server) object(r *http.Request) (text []byte, refused Spoil) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch id, is := strings.CutSuffix(key, ".csv"); {
	case bucket != Results:
		return nil, Spoil{Code: "NoSuchBucket", Status: http.StatusNotFound}
	case r.Header.Get("X-Amz-Expected-Bucket-Owner") != s.owner:
		return nil, Spoil{Code: "AccessDenied", Status: http.StatusForbidden}
	case is:
		for _, q := range s.queries {
			if q.ID == id && q.Status == Succeeded {
				return s.csv(q), Spoil{}
			}
		}
	}
	return nil, Spoil{Code: "NoSuchKey", Status: http.StatusNotFound}
}

// csv are a query's rows as Athena writes them: each value in quotes, a quote in it twice, NULL as nothing, and a row ends with LF.
func (s *Server) csv(q *query) []byte {
	if q.csv != nil {
		return q.csv
	}
	var b bytes.Buffer
	line := func(value func(column string) (string, bool)) {
		for i, name := range q.columns {
			if i > 0 {
				b.WriteByte(',')
			}
			if v, is := value(name); is {
				b.WriteString(`"` + strings.ReplaceAll(v, `"`, `""`) + `"`)
			}
		}
		b.WriteByte('\n')
	}
	line(func(column string) (string, bool) { return column, true })
	for _, row := range q.rows {
		line(func(column string) (string, bool) { v, is := row[column]; return v, is })
	}
	q.csv = b.Bytes()
	return q.csv
}

// cut is a connection that is closed after so many bytes of the body.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(text []byte) (int, error) {
	if n := min(c.left, len(text)); n > 0 {
		c.left -= n
		c.ResponseWriter.Write(text[:n])
	}
	if c.left == 0 {
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return len(text), nil
}
