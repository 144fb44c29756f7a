package containment

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shell runs printed lines with an aws that prints its arguments, each ended by a NUL, in a directory that should stay empty.
type shell struct{ sh, bin, dir string }

func newShell(t *testing.T) shell {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh to run the printed commands")
	}
	s := shell{sh: sh, bin: t.TempDir(), dir: t.TempDir()}
	aws := "#!" + sh + "\nprintf '%s\\000' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(s.bin, "aws"), []byte(aws), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs one line and returns the arguments that aws got.
func (s shell) run(t *testing.T, line string) []string {
	t.Helper()
	cmd := exec.Command(s.sh, "-c", line)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + s.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + s.dir}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Errorf("%s: %v: %s", line, err, stderr.String())
	}
	if len(out) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// checkRunbook runs a runbook's commands, and then all of it at once, as somebody in a hurry would paste it.
func (s shell) checkRunbook(t *testing.T, whose string, lines []string) {
	t.Helper()
	for _, line := range lines {
		if !printable.MatchString(line) {
			t.Errorf("%s: a line holds what a terminal does not show: %q", whose, line)
		}
		if strings.HasPrefix(line, "#") {
			// zsh at its prompt runs a comment as a command: nothing may happen there either.
			if got := s.run(t, line); got != nil || strings.ContainsAny(line, "$`\\!;|&<>'\n") {
				t.Errorf("%s: a comment that a shell could act on, and got %q: %s", whose, got, line)
			}
		}
		if strings.Contains(line, "aws s3api put-bucket-policy") {
			t.Errorf("%s: a command that replaces a bucket's whole policy: %s", whose, line)
		}
		if !strings.HasPrefix(line, "aws ") {
			continue
		}
		// Each option is still one option, with one value: no name broke out of its place.
		for i, arg := range s.run(t, line) {
			known := strings.HasPrefix(arg, "--") && strings.Contains(line, " "+arg+" ")
			if i >= 2 && i%2 == 0 && !known {
				t.Errorf("%s: argument %d is %q, not an option, in %s", whose, i, arg, line)
			}
		}
	}
	paste := exec.Command(s.sh)
	paste.Dir, paste.Stdin = s.dir, strings.NewReader(strings.Join(lines, "\n")+"\n")
	paste.Env = []string{"PATH=" + s.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + s.dir}
	_ = paste.Run() // a sentence is no command: it fails, and does nothing else
}

// untouched checks that nothing but aws ran.
func (s shell) untouched(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		t.Errorf("a printed command left the file %q", f.Name())
	}
}
