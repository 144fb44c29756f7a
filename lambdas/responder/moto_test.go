package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"nightlatch/internal/grant/granttest"
)

// motoAs is moto, playing one account, which the header names.
// https://docs.getmoto.org/en/latest/docs/multi_account.html
func motoAs(t *testing.T, endpoint, account string) http.Handler {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Set("X-Moto-Account-Id", account)
	}}
}

// speakCBOR stands before moto for CloudWatch alone: the SDK speaks RPC v2 CBOR, for which moto 5.2 has no route, and moto speaks
// AWS JSON. Both name the same members; only times need a hint. https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
//
// What moto has no answer to, DescribeAlarmContributors, is answered here.
func speakCBOR(t *testing.T, moto http.Handler, contributors func() cbor.List) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		operation := path.Base(r.URL.Path)
		answer := func(status int, v cbor.Value) {
			w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
			w.Header().Set("Content-Type", "application/cbor")
			w.WriteHeader(status)
			w.Write(cbor.Encode(v))
		}
		if operation == "DescribeAlarmContributors" {
			answer(http.StatusOK, cbor.Map{"AlarmContributors": contributors()})
			return
		}
		fail := func(err error) {
			t.Errorf("speaking CBOR to %s: %v", operation, err)
			w.WriteHeader(http.StatusInternalServerError)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			fail(err)
			return
		}
		in, err := granttest.Decode(r, body)
		if err != nil {
			fail(err)
			return
		}
		text, err := json.Marshal(toJSON(in))
		if err != nil {
			fail(err)
			return
		}
		said := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/", bytes.NewReader(text))
		req.Header.Set("Authorization", r.Header.Get("Authorization"))
		req.Header.Set("X-Amz-Date", r.Header.Get("X-Amz-Date"))
		req.Header.Set("Content-Type", "application/x-amz-json-1.0")
		req.Header.Set("X-Amz-Target", "GraniteServiceVersion20100801."+operation)
		moto.ServeHTTP(said, req)
		var out any
		if err := json.Unmarshal(said.Body.Bytes(), &out); err != nil {
			fail(fmt.Errorf("moto's answer: %w", err))
			return
		}
		answer(said.Code, fromJSON("", out))
	})
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
