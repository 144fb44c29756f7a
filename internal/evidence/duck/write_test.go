package duck

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a file, and the directories above it.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// event is a record with an id, from a moment in 2023.
func event(id string) string {
	return fmt.Sprintf(`{"eventVersion":"1.08","eventID":%q,"eventTime":"2023-07-10T11:42:36Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","userIdentity":{"type":"IAMUser"},"additionalEventData":{"bytesTransferredOut":100}}`, id)
}

func events(n int) []string {
	var all []string
	for i := range n {
		all = append(all, event(fmt.Sprint("event-", i)))
	}
	return all
}

func records(events ...string) string { return `{"Records":[` + strings.Join(events, ",") + `]}` }

func lines(events ...string) string { return strings.Join(events, "\n") + "\n" }

func zip(content string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(content))
	w.Close()
	return b.String()
}
