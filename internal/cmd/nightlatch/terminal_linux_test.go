package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

// pty is a terminal of so many columns.
func pty(t *testing.T, columns uint16) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this machine gives no terminal: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return terminal
}

func TestATerminalGetsAsMuchAsItShows(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	rec := incident.Record{ID: "20260304-001000-0123456789abcdef", Mode: containment.ModeAct,
		Outcomes: []containment.Outcome{{Action: policy.DeactivateKey, Target: "AKIAEXAMPLESTOLEN001", State: containment.Done}}}
	rec.Note(rec.Opened, strings.Repeat("the log says much ", 20))
	whole := report.Text(rec).Body
	for columns, want := range map[uint16]int{72: 72, 40: 60, 200: 96} {
		terminal := watched{Writer: pty(t, columns)}
		for line := range strings.Lines(report.Wrapped((&respondCmd{}).overFiles(), columnsOf(terminal))) {
			if len(line)-1 > want {
				t.Errorf("on %d columns there is %q", columns, line)
			}
		}
		text := textFor(terminal, rec)
		if !strings.HasPrefix(text, green+"CONTAINED"+plain+"\n") {
			t.Errorf("it begins with %.40q", text)
		}
		longest := 0
		for line := range strings.SplitSeq(text, "\n") {
			longest = max(longest, len(line))
		}
		if longest > want || longest < want-20 {
			t.Errorf("on %d columns the longest line has %d, want about %d:\n%s", columns, longest, want, text)
		}
	}
	rec.Outcomes[0].State = containment.Asked
	if text := textFor(watched{Writer: pty(t, 80)}, rec); !strings.HasPrefix(text, red+"DECIDE"+plain) {
		t.Errorf("it begins with %.40q", text)
	}
	rec.Outcomes[0].State = containment.Done
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if text := textFor(watched{Writer: file}, rec); text != whole {
		t.Errorf("a file gets %q", text)
	}
	t.Setenv("NO_COLOR", "1")
	if text := textFor(watched{Writer: pty(t, 200)}, rec); text != whole {
		t.Errorf("without colours it gets %q", text)
	}
}
