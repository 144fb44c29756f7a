package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// speakCBOR stands before moto for CloudWatch alone: the SDK speaks RPC v2 CBOR, for which moto 5.2 has no route, and moto speaks
// AWS JSON. Both name the same members; only times need a hint. https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
func speakCBOR(t *testing.T, moto string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail := func(err error) {
			t.Logf("speaking CBOR: %v", err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		content := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				fail(err)
				return
			}
			content = z
		}
		body, err := io.ReadAll(content)
		if err != nil {
			fail(err)
			return
		}
		in, err := cbor.Decode(body)
		if err != nil {
			fail(err)
			return
		}
		text, err := json.Marshal(toJSON(in))
		if err != nil {
			fail(err)
			return
		}
		req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, moto+"/", bytes.NewReader(text))
		if err != nil {
			fail(err)
			return
		}
		req.Header.Set("Authorization", r.Header.Get("Authorization"))
		req.Header.Set("X-Amz-Date", r.Header.Get("X-Amz-Date"))
		req.Header.Set("Content-Type", "application/x-amz-json-1.0")
		req.Header.Set("X-Amz-Target", "GraniteServiceVersion20100801."+path.Base(r.URL.Path))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			fail(err)
			return
		}
		defer resp.Body.Close()
		var out any
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			fail(fmt.Errorf("moto's answer to %s: %w", r.URL.Path, err))
			return
		}
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		w.Header().Set("Content-Type", "application/cbor")
		w.WriteHeader(resp.StatusCode)
		w.Write(cbor.Encode(fromJSON("", out)))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func toJSON(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Map:
		m := map[string]any{}
		for k, e := range v {
			m[k] = toJSON(e)
		}
		return m
	case cbor.List:
		l := []any{}
		for _, e := range v {
			l = append(l, toJSON(e))
		}
		return l
	case *cbor.Tag:
		return toJSON(v.Value)
	case cbor.String:
		return string(v)
	case cbor.Bool:
		return bool(v)
	case cbor.Uint:
		return uint64(v)
	case cbor.Float32:
		return float64(v)
	case cbor.Float64:
		return float64(v)
	}
	if n, err := cbor.AsInt64(v); err == nil {
		return n
	}
	return nil
}

func fromJSON(name string, v any) cbor.Value {
	switch v := v.(type) {
	case map[string]any:
		m := cbor.Map{}
		for k, e := range v {
			if e != nil {
				m[k] = fromJSON(k, e)
			}
		}
		return m
	case []any:
		l := cbor.List{}
		for _, e := range v {
			l = append(l, fromJSON(name, e))
		}
		return l
	case string:
		return cbor.String(v)
	case bool:
		return cbor.Bool(v)
	case float64:
		switch {
		case strings.Contains(name, "Timestamp"):
			return &cbor.Tag{ID: 1, Value: cbor.Float64(v)}
		case v == math.Trunc(v) && v >= 0 && name != "Values" && name != "Threshold":
			return cbor.Uint(v)
		}
		return cbor.Float64(v)
	}
	return &cbor.Nil{}
}

// within is a context that ends with the test.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
