package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is the command itself, in a process with a temporary folder and a home of its own.
type process struct {
	*exec.Cmd
	home, tmp string
	out       *os.File // where its standard output is read
	errs      bytes.Buffer
}

// command is this test's program under the name that TestMain runs the command for.
func command(t *testing.T, args ...string) *process {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has neither signals nor SIGPIPE")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(program, args...), home: t.TempDir(), tmp: t.TempDir()}
	p.Args[0] = "nightlatch"
	p.Dir = p.home
	p.Env = append(os.Environ(), "TMPDIR="+p.tmp, "HOME="+p.home)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close(); in.Close() })
	p.out, p.Stdout, p.Stderr = out, in, &p.errs
	return p
}

func (p *process) start(t *testing.T) {
	t.Helper()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.Stdout.(*os.File).Close()
	t.Cleanup(func() { p.Process.Kill() })
}

// until waits for something in the temporary folder.
func (p *process) until(t *testing.T, pattern string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if found, _ := filepath.Glob(filepath.Join(p.tmp, pattern)); found != nil {
			return
		}
	}
	t.Fatalf("no %s after a minute; %s", pattern, &p.errs)
}

// ends waits for the end, and checks the exit code, what was said and what was left.
func (p *process) ends(t *testing.T, code int, said string) {
	t.Helper()
	var exit *exec.ExitError
	if err := p.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := p.ProcessState.ExitCode(); got != code {
		t.Errorf("ended with %v, want exit code %d", p.ProcessState, code)
	}
	if got := p.errs.String(); !strings.Contains(got, said) || said == "" && got != "" {
		t.Errorf("said %q, want %q", got, said)
	}
	for _, dir := range []string{p.tmp, p.home} {
		if left, err := fs.Glob(os.DirFS(dir), "*"); err != nil || left != nil {
			t.Errorf("left %q, %v", left, err)
		}
	}
}

func TestAClosedOutputLeavesNothing(t *testing.T) {
	event, trail := longTrail(t, 1000)
	for name, args := range map[string][]string{
		"demo":         {"demo"},
		"demo --json":  {"demo", "--json"},
		"respond":      {"respond", "--event", event, "--trail", trail},
		"help":         {"--help"},
		"of a command": {"respond", "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := command(t, args...)
			p.out.Close()
			if args[0] == "respond" || name == "demo --json" { // they say on standard error what they do
				p.Stderr = io.Discard
			}
			p.start(t)
			p.ends(t, closedOutput, "")
		})
	}
	t.Run("after a line", func(t *testing.T) {
		t.Parallel()
		p := command(t, "demo")
		p.start(t)
		if _, err := p.out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		p.out.Close()
		p.ends(t, closedOutput, "")
	})
	t.Run("standard error", func(t *testing.T) {
		t.Parallel()
		p := command(t, "respond", "--event", event, "--trail", trail)
		p.Stdout, p.Stderr = os.Stdout, p.Stdout
		p.out.Close()
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		p.ends(t, closedOutput, "")
	})
}

func TestASignalLeavesNothing(t *testing.T) {
	event, trail := longTrail(t, 60000)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		for _, args := range [][]string{{"demo"}, {"respond", "--event", event, "--trail", trail}} {
			t.Run(fmt.Sprint(args[0], " ", s), func(t *testing.T) {
				t.Parallel()
				p := command(t, args...)
				p.start(t)
				p.until(t, "nightlatch-*/nightlatch-duck-*")
				p.Process.Signal(s)
				p.ends(t, 1, "nightlatch: stopped by a signal: "+s.String())
			})
		}
	}
}

// Nothing ends a write to a pipe that is full and that nobody reads.
func TestASignalWhileNobodyReads(t *testing.T) {
	t.Parallel()
	p := command(t, "demo")
	full := p.Stdout.(*os.File)
	full.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err := error(nil); err == nil; {
		_, err = full.Write(make([]byte, 1<<10))
	}
	p.start(t)
	p.until(t, "nightlatch-*")
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 1, "")
}

// Nor does anything end a read of standard input.
func TestASignalWhileNobodyWrites(t *testing.T) {
	t.Parallel()
	p := command(t, "respond", "--event", "-", "--trail", ".")
	in, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	p.start(t)
	time.Sleep(time.Second) // so that it reads
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 1, "")
}

// longTrail writes an alarm, and a trail of so many records for it.
func longTrail(t *testing.T, records int) (event, trail string) {
	t.Helper()
	dir := t.TempDir()
	event, trail = filepath.Join(dir, "event.json"), filepath.Join(dir, "trail.jsonl")
	var lines bytes.Buffer
	for i := range records {
		fmt.Fprintf(&lines, `{"eventID":"%d","eventTime":"2026-03-04T00:07:30Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventCategory":"Data","managementEvent":false,`+
			`"awsRegion":"eu-west-1","sourceIPAddress":"198.51.100.9","recipientAccountId":%q,"requestParameters":{"bucketName":"ledger","key":"k%d"},"additionalEventData":{"bytesTransferredOut":4096},`+
			`"userIdentity":{"type":"IAMUser","accountId":%q,"userName":"mara","accessKeyId":"AKIAEXAMPLE1"}}`+"\n", i, ours, i, ours)
	}
	investigate := `{"nightlatch":{"investigate":{"bucket":"ledger","from":"2026-03-04T00:07:00Z","to":"2026-03-04T00:08:00Z"}}}`
	if err := errors.Join(os.WriteFile(trail, lines.Bytes(), 0o600), os.WriteFile(event, []byte(investigate), 0o600)); err != nil {
		t.Fatal(err)
	}
	return event, trail
}
