package duck

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"

	fastgzip "github.com/klauspost/compress/gzip"
)

var (
	gzipMagic = []byte{0x1f, 0x8b}             // https://www.rfc-editor.org/rfc/rfc1952#page-6
	byteOrder = []byte{0xef, 0xbb, 0xbf}       // UTF-8's mark, which some Windows tools write
	errLong   = errors.New("record too large") // see maxRecord
)

// source is the text of a trail file, decompressed where it is gzip, whatever its name says.
type source struct {
	ctx    context.Context
	file   *os.File
	r      io.Reader
	zipped bool
	// prefixed: each line begins with something before its record, which is left out.
	prefixed bool
	head     []byte // of the text, as much as is looked at before it is read
	start    int64  // length of a byte order mark, which is no part of the JSON
	n        int64  // bytes of text read so far, the mark included
	err      error  // what broke the reading itself; nil for a text that was read but is no JSON
	// room says how much more may be read; nil for no limit.
	room func() error
}

func openSource(ctx context.Context, path string) (*source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &source{ctx: ctx, file: f}
	raw := bufio.NewReaderSize(f, 1<<16)
	magic, _ := raw.Peek(len(gzipMagic))
	s.r, s.zipped = raw, bytes.Equal(magic, gzipMagic)
	if s.zipped {
		unzipped, err := inflate(f, raw)
		if err != nil {
			s.r, s.err = failing{err}, err
			return s, nil
		}
		s.r = unzipped
	}
	unmarked := bufio.NewReaderSize(s.r, 1<<16)
	if mark, _ := unmarked.Peek(len(byteOrder)); bytes.Equal(mark, byteOrder) {
		unmarked.Discard(len(byteOrder))
		s.start, s.n = int64(len(byteOrder)), int64(len(byteOrder))
	}
	s.r = unmarked
	if s.head, _ = unmarked.Peek(1 << 15); behindPrefix(s.head) {
		s.prefixed, s.r = true, &lineEnds{r: unmarked}
	}
	return s, nil
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	if s.room != nil {
		if err := s.room(); err != nil {
			s.err = err
			return 0, err
		}
	}
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// broken says where the reading itself broke, after s.err was set.
func (s *source) broken() error {
	b := &breakage{at: s.n, why: oneLine(s.err), zipped: s.zipped}
	if s.err == io.ErrUnexpectedEOF {
		b.why = "it ends early"
	}
	return b
}

func (s *source) Close() error { return s.file.Close() }

// inflating is the text of gzip data. It is read by a library that is faster than the standard one, which takes over where that breaks: the two
// do not give up at the same byte, nor on the same data.
type inflating struct {
	r    io.Reader
	n    int64         // bytes of text handed out
	data io.ReadSeeker // nil once the standard library reads
}

// inflate opens gzip data, of which raw has what is read first.
func inflate(data io.ReadSeeker, raw io.Reader) (io.Reader, error) {
	s := &inflating{data: data}
	fast, err := fastgzip.NewReader(raw)
	if err != nil {
		if err := s.again(); err != nil {
			return nil, err
		}
		return s, nil
	}
	s.r = fast
	return s, nil
}

// again has the standard library read on.
func (s *inflating) again() error {
	if _, err := s.data.Seek(0, io.SeekStart); err != nil {
		return err
	}
	plain, err := gzip.NewReader(bufio.NewReaderSize(s.data, 1<<16))
	if err != nil {
		return err
	}
	s.r, s.data = plain, nil
	if _, err = io.CopyN(io.Discard, plain, s.n); err == io.EOF {
		return io.ErrUnexpectedEOF // what has been read is not there any more
	}
	return err
}

func (s *inflating) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if s.data == nil || err == nil || err == io.EOF {
		return n, err
	}
	if err := s.again(); err != nil {
		s.r, s.data = failing{err}, nil
	}
	return n, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
