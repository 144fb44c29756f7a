package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// progress says how much is done, and how long the rest may take: after two seconds, and then every few seconds.
type progress struct {
	out   io.Writer
	what  string
	began time.Time
	said  time.Time
}

// patient is how long nothing is said, and again how long after that.
const patient, again = 2 * time.Second, 5 * time.Second

func (p *progress) say(what string, done, of int) {
	now := time.Now()
	if p.what != what || done == 0 {
		p.what, p.began, p.said = what, now, now.Add(patient-again)
	}
	if done == 0 || done == of || now.Sub(p.said) < again {
		return
	}
	p.said = now
	fmt.Fprintf(p.out, "%d of %d %s%s\n", done, of, what, left(now.Sub(p.began), done, of))
}

// left says how long the rest takes, if it takes as long a piece as what is done.
func left(took time.Duration, done, of int) string {
	rest := time.Duration(float64(took) / float64(done) * float64(of-done))
	switch {
	case rest < 10*time.Second:
		rest = max(rest.Round(time.Second), time.Second)
	case rest < 2*time.Minute:
		rest = rest.Round(5 * time.Second)
	default:
		rest = rest.Round(time.Minute)
	}
	text := rest.String()
	if rest >= 2*time.Minute {
		text = fmt.Sprintf("%d min", rest/time.Minute)
	}
	return ", about " + text + " left"
}

// reading says how much of some files this process has read, until the function that it returns is called. The engine reads them in one go, so the
// system is asked: Linux counts what a process reads (proc_pid_io(5)). Elsewhere it says only how long it takes.
func reading(paths []string, out io.Writer) (done func()) {
	began, before, total := time.Now(), read(), size(paths)
	stop := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for next := patient; ; next = again {
			select {
			case <-stop:
				return
			case <-time.After(next):
			}
			took, whole := time.Since(began), int(total>>10)+1
			// What is read once may be read again, or be put in order: then nothing is known of the rest.
			if n := int((read() - before) >> 10); n > 0 && n < whole*98/100 && before > 0 {
				fmt.Fprintf(out, "%d %% of the trail read%s\n", 100*n/whole, left(took, n, whole))
			} else {
				fmt.Fprintf(out, "reading the trail for %s\n", took.Round(time.Second))
			}
		}
	})
	return func() {
		close(stop)
		wait.Wait()
	}
}

// read is how many bytes this process has read so far; 0 where the system does not say.
func read() (n int64) {
	text, _ := os.ReadFile("/proc/self/io")
	_, rest, _ := strings.Cut(string(text), "rchar:")
	fmt.Sscan(rest, &n)
	return n
}

// size is how many bytes the files under some paths have.
func size(paths []string) (n int64) {
	eachFile(paths, func(_ string, info fs.FileInfo) { n += info.Size() })
	return n
}

// eachFile calls do with each file under some paths. What cannot be read is left out: it is the engine's to name.
func eachFile(paths []string, do func(name string, info fs.FileInfo)) {
	for _, path := range paths {
		filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				if info, err := os.Stat(name); err == nil {
					do(name, info)
				}
			}
			return nil
		})
	}
}
