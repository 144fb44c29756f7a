package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	// closedOutput is the exit code when nobody reads the output any more: what a shell shows of a program that SIGPIPE has ended. To be
	// ended by it would leave the scratch folder, and "go tool" would print a line about it.
	closedOutput = 128 + 13
	// patience is how long a command that is told to stop may take for its own end. DuckDB gives up a question at once; nothing ends a read
	// of standard input, or a write to a pipe that is full.
	patience = 5 * time.Second
)

// errClosed is the cause of a command's end when nobody reads its output any more.
var errClosed = errors.New("the output was closed")

// attend runs a command to its end and returns its exit code. A signal, or a closed output, ends the command's context; in all cases what
// the command has written to its scratch folder is gone afterwards.
func attend(command func(context.Context, streams) int) int {
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	signal.Ignore(syscall.SIGPIPE) // a write to a closed pipe is an error, as one to a closed connection to AWS always is
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // by nohup, for instance
			signal.Notify(signals, s)
		}
	}
	go func() { stop(fmt.Errorf("stopped by a signal: %v", <-signals)) }()

	tmp := &scratch{}
	ended := make(chan int, 1)
	go func() {
		ended <- command(ctx, streams{os.Stdin, watched{os.Stdout, ctx, stop}, watched{os.Stderr, ctx, stop}, tmp})
	}()
	code := 1
	select {
	case code = <-ended:
	case <-ctx.Done():
		select {
		case code = <-ended:
		case <-time.After(patience):
		}
	}
	if err := tmp.remove(); err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch: removing the temporary folder:", err)
	}
	if context.Cause(ctx) == errClosed {
		return closedOutput
	}
	return code
}

// watched is an output that stops the command when nobody reads it any more. Nothing is said after that, on the other output neither: the
// command is as good as ended by SIGPIPE.
type watched struct {
	io.Writer
	ctx  context.Context
	stop context.CancelCauseFunc
}

func (w watched) Write(b []byte) (int, error) {
	if context.Cause(w.ctx) == errClosed {
		return 0, errClosed
	}
	n, err := w.Writer.Write(b)
	if unread(err) {
		w.stop(errClosed)
	}
	return n, err
}

// unread reports whether a write has failed because nobody reads any more. Windows has two errors of its own for it:
// https://learn.microsoft.com/en-us/windows/win32/debug/system-error-codes--0-499-
func unread(err error) bool {
	const brokenPipe, noData = syscall.Errno(109), syscall.Errno(232)
	return errors.Is(err, syscall.EPIPE) || runtime.GOOS == "windows" && (errors.Is(err, brokenPipe) || errors.Is(err, noData))
}

// scratch is the folder for all that a command writes on this machine. It is made when it is first asked for, and goes with the command.
type scratch struct {
	mu   sync.Mutex
	path string
	gone bool
}

// dir is the folder's path.
func (s *scratch) dir() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return "", errors.New("the command has ended")
	}
	if s.path != "" {
		return s.path, nil
	}
	path, err := os.MkdirTemp("", "nightlatch-")
	if err != nil {
		return "", fmt.Errorf("making a temporary folder: %w", err)
	}
	s.path = path
	return path, nil
}

// remove removes the folder with everything in it, for good. A command that did not end in time may still write there, so that a folder is not
// empty when it is about to go: then it is tried again.
func (s *scratch) remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	if s.path == "" {
		return nil
	}
	err := os.RemoveAll(s.path)
	for range 50 {
		if !errors.Is(err, syscall.ENOTEMPTY) {
			break
		}
		time.Sleep(100 * time.Millisecond)
		err = os.RemoveAll(s.path)
	}
	return err
}
