package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"nightlatch/internal/backtest"
	"nightlatch/internal/prose"
	"nightlatch/internal/version"
)

// keeping is what a backtest has decided so far, in a file under the user's cache: one that was stopped goes on where it was. The file is of these
// very trail files and this program, and is gone when the result is out.
type keeping struct {
	known map[string]backtest.Judged
	file  *os.File // nil where nothing can be kept
	err   io.Writer
	added int
}

// line is one decision in the file. One that was cut by a kill is no JSON, and is decided anew.
type line struct {
	Name   string          `json:"name"`
	Judged backtest.Judged `json:"judged"`
}

// keepDecisions opens what an earlier run has left. Where nothing can be kept it says so, and the backtest goes on without.
func keepDecisions(paths []string, out io.Writer) *keeping {
	k := &keeping{known: map[string]backtest.Judged{}, err: out}
	name, err := keptIn(paths)
	if err != nil {
		return k.lost(err)
	}
	text, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return k.lost(err)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	for text := range bytes.Lines(whole) {
		var l line
		if json.Unmarshal(text, &l) == nil && l.Name != "" {
			k.known[l.Name] = l.Judged
		}
	}
	if k.file, err = os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err == nil {
		err = k.file.Truncate(int64(len(whole)))
	}
	if err != nil {
		return k.lost(err)
	}
	if n := len(k.known); n > 0 {
		fmt.Fprintf(out, "going on: %s from a run that was stopped\n", prose.Plural(int64(n), "decision"))
	}
	return k
}

// lost says that nothing is kept from here on.
func (k *keeping) lost(err error) *keeping {
	fmt.Fprintf(k.err, "what is decided cannot be kept, and a run that is stopped begins anew: %s\n", prose.Plain(err.Error()))
	k.close()
	return k
}

// add keeps one decision.
func (k *keeping) add(name string, j backtest.Judged) {
	if k.file == nil {
		return
	}
	text, err := json.Marshal(line{name, j})
	if err == nil {
		_, err = k.file.Write(append(text, '\n'))
	}
	if err != nil {
		k.lost(err)
		return
	}
	k.added++
}

// goOn says of an error that the same command goes on where it was.
func (k *keeping) goOn(err error) error {
	if k.file == nil || len(k.known)+k.added == 0 {
		return err
	}
	return fmt.Errorf("%w. %s kept: the same command goes on from there", err, prose.Plural(int64(len(k.known)+k.added), "decision")+map[bool]string{true: " is", false: " are"}[len(k.known)+k.added == 1])
}

func (k *keeping) close() {
	if k.file != nil {
		k.file.Close()
		k.file = nil
	}
}

// done removes the file: the result is out.
func (k *keeping) done() {
	if k.file != nil {
		os.Remove(k.file.Name())
	}
}

// keptIn is the file for a trail: its name has the digest of the program and of all files under the paths, by name, size and time.
func keptIn(paths []string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, backtest.Schema, version.Release)
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			fmt.Fprintln(sum, s.Key, s.Value)
		}
	}
	eachFile(paths, func(name string, info fs.FileInfo) {
		fmt.Fprintf(sum, "%q %d %s\n", name, info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
	})
	dir := filepath.Join(cache, "nightlatch")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dir, fmt.Sprintf("backtest-%x.jsonl", sum.Sum(nil)[:12])), nil
}
