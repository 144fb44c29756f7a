package dynamo

// This wrote table.json. It ran in internal/incident/dynamo of a checkout of 1bf196e, together with frozen_test.go of the commit that added
// both, with internal/incident/testdata/1bf196e in its place, and with moto:
//
//	FREEZE=/where/to/write go test -run TestFreeze ./internal/incident/dynamo

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"nightlatch/internal/mototest"
)

func TestFreeze(t *testing.T) {
	moto := mototest.Start(t)
	newTable(t, mototest.Config(moto), "incidents")
	var mu sync.Mutex
	var all []exchange
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, moto+"/", bytes.NewReader(body))
		if err != nil {
			t.Error(err)
		}
		for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Target", "X-Amz-Security-Token", "Content-Type"} {
			req.Header.Set(name, r.Header.Get(name))
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		all = append(all, exchange{operation, body, resp.StatusCode, answer})
		w.WriteHeader(resp.StatusCode)
		w.Write(answer)
	}))
	defer srv.Close()
	s, err := New(mototest.Config(srv.URL), "incidents")
	if err != nil {
		t.Fatal(err)
	}
	converse(t, s)
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(os.Getenv("FREEZE"), "table.json"), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
