package main

import (
	"debug/buildinfo"
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

// released runs .ci/release for this machine's platform, and returns the folder that it fills.
func released(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "release")
	cmd := exec.Command("../../../.ci/release", dir, runtime.GOOS+"/"+runtime.GOARCH)
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=true -ldflags=-X=main.x=y")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// What is released is checked as whoever fetches it checks it.
func TestARelease(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED, a release: this test runs what is built on Linux, with bash and sha256sum")
	}
	dir := released(t)
	name := "nightlatch-" + version.Release + "-linux-" + runtime.GOARCH
	check := exec.Command("sha256sum", "-c", "SHA256SUMS")
	check.Dir = dir
	out, err := check.CombinedOutput()
	if want := "LICENSE: OK\nNOTICES.md: OK\n" + name + ": OK\n"; err != nil || string(out) != want {
		t.Errorf("got %s, %v, want %s", out, err, want)
	}
	// The same bytes come of the same source, wherever it lies and whatever was committed.
	built, err := buildinfo.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range built.Settings {
		settings[s.Key] = s.Value
	}
	if settings["-trimpath"] != "true" || settings["CGO_ENABLED"] != "0" || settings["vcs.revision"] != "" || settings["vcs"] != "" {
		t.Errorf("built with %v", settings)
	}
	program(t, filepath.Join(dir, name))
	if again := exec.Command("../../../.ci/release", dir); again.Run() == nil {
		t.Error("it was built into a folder with other files")
	}
}

// program checks the static program for whoever is on call: everything but the local engine.
func program(t *testing.T, program string) {
	t.Helper()
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(52 << 20); info.Size() > most { // the doctor reads eleven services, the suspects one more, by clients that go.mod holds back; with DuckDB it has 90 MB
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
		{[]string{"respond"}, 2, "nightlatch: respond needs DuckDB, and this program was built without it: "},
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
