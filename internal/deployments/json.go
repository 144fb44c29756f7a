package deployments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"nightlatch/internal/prose"
)

// kind is what a node of JSON is.
type kind int

const (
	nullKind kind = iota
	scalarKind
	listKind
	objectKind
)

// node is a value of JSON with the line on which it begins, the first being 1. encoding/json says no lines of what it has read.
type node struct {
	kind    kind
	line    int
	value   any // of a scalar: string, float64 or bool
	items   []node
	members map[string]node
}

// setting is a value that a setting may have: a text, a number, or a list of texts.
func (n node) setting() (any, bool) {
	switch n.kind {
	case scalarKind:
		_, truth := n.value.(bool)
		return n.value, !truth
	case listKind:
		list := make([]any, 0, len(n.items))
		for _, item := range n.items {
			text, ok := item.value.(string)
			if item.kind != scalarKind || !ok {
				return nil, false
			}
			list = append(list, text)
		}
		return list, len(list) > 0
	}
	return nil, false
}

// read reads a whole file as one object.
//
// A member that stands twice is a mistake that does not end the reading.
func read(name string, text []byte) (n node, twice []error, err error) {
	r := reader{name: name, text: text, decoder: json.NewDecoder(bytes.NewReader(text))}
	n, err = r.value()
	if err == nil {
		if _, more := r.decoder.Token(); !errors.Is(more, io.EOF) {
			err = fmt.Errorf("%s:%d: something stands behind the end of the object", name, r.line())
		}
	}
	switch {
	case err != nil:
		return node{}, nil, err
	case n.kind != objectKind:
		return node{}, nil, fmt.Errorf("%s:%d: the file should be an object, {…}, with deployments in it", name, n.line)
	}
	return n, r.twice, nil
}

type reader struct {
	name    string
	twice   []error
	text    []byte
	decoder *json.Decoder
	depth   int
}

// maxDepth is how many lists and objects stand within each other; a file of ours has three.
const maxDepth = 20

// line is the line of the token that was read last.
func (r *reader) line() int {
	return 1 + bytes.Count(r.text[:r.decoder.InputOffset()], []byte("\n"))
}

func (r *reader) token() (json.Token, error) {
	token, err := r.decoder.Token()
	if err == nil {
		return token, nil
	}
	line := r.line()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line = 1 + bytes.Count(r.text[:min(int(syntax.Offset), len(r.text))], []byte("\n"))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%s:%d: the file ends here, and its JSON does not: a bracket or a quotation mark is missing", r.name, line)
	}
	return nil, fmt.Errorf("%s:%d: this is not JSON: %+.200q", r.name, line, err.Error())
}

func (r *reader) value() (node, error) {
	token, err := r.token()
	if err != nil {
		return node{}, err
	}
	return r.from(token)
}

// from reads the value that begins with a token.
func (r *reader) from(token json.Token) (node, error) {
	n := node{kind: scalarKind, line: r.line(), value: token}
	delim, ok := token.(json.Delim)
	switch {
	case token == nil:
		n.kind = nullKind
		return n, nil
	case !ok:
		return n, nil
	case r.depth >= maxDepth:
		return node{}, fmt.Errorf("%s:%d: more than %d lists and objects stand within each other", r.name, n.line, maxDepth)
	}
	r.depth++
	defer func() { r.depth-- }()
	n.value, n.kind = nil, listKind
	if delim == '{' {
		n.kind, n.members = objectKind, map[string]node{}
	}
	for r.decoder.More() {
		if n.kind == listKind {
			item, err := r.value()
			if err != nil {
				return node{}, err
			}
			n.items = append(n.items, item)
			continue
		}
		key, err := r.token()
		if err != nil {
			return node{}, err
		}
		name, line := key.(string), r.line()
		if before, twice := n.members[name]; twice {
			r.twice = append(r.twice, fmt.Errorf("%s:%d: %s stands there twice, first in line %d", r.name, line, prose.Safe(name), before.line))
		}
		if n.members[name], err = r.value(); err != nil {
			return node{}, err
		}
	}
	_, err := r.token() // the end
	return n, err
}
