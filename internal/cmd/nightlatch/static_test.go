package main

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"nightlatch/internal/version"
)

// static builds the program for whoever is on call, as it is built without a C compiler, and returns its path.
func static(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "nightlatch")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func TestTheStaticProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED, the static program: it is read as an ELF file, which Linux has")
	}
	program := static(t)
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(30 << 20); info.Size() > most { // with DuckDB it has 90 MB
		t.Errorf("it has %d bytes, want at most %d", info.Size(), most)
	}
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 || file.Section(".interp") != nil {
		t.Errorf("it is not static: %q, %v", libraries, err)
	}

	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"demo"}, 2, "nightlatch: demo needs DuckDB, and this program was built without it: with Go and a C compiler, run go tool nightlatch demo in a checkout of Nightlatch\n"},
		{[]string{"respond", "--event", "-", "--trail", "."}, 2, "nightlatch: respond needs DuckDB, and this program was built without it: with Go and a C compiler, run go tool nightlatch respond in a checkout of Nightlatch\n"},
		{[]string{"incidents", "--region", "Europe"}, 2, "nightlatch: --region \"Europe\" is not an AWS region; write it as eu-west-1\n"},
		{[]string{"version"}, 0, "nightlatch " + version.Release + "\n"},
		{[]string{"--help"}, 0, "  approve "},
	} {
		cmd := exec.Command(program, c.args...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if got := cmd.ProcessState.ExitCode(); got != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("%q: exit code %d, %s; want %d, %s", c.args, got, out, c.code, c.says)
		}
	}
}
