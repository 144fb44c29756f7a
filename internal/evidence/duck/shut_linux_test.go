package duck

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// A folder that may not be read is named, and what lies beside it is found.
func TestAFolderThatMayNotBeRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.json", records(event("a")))
	write(t, dir, "shut/b.json", records(event("b")))
	if err := os.Chmod(filepath.Join(dir, "shut"), 0); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 { // root may read it: this thread looks as nobody does
		if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
			t.Fatal(err)
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer syscall.Setfsuid(0)
	}
	var got []string
	for _, f := range findIn(dir) {
		got = append(got, filepath.Base(f.path)+" "+f.lost)
	}
	same(t, got, []string{"a.json ", "shut cannot be read (permission denied): its records are missing"})
}
