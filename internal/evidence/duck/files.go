package duck

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// file is one file that Load was given or has found.
type file struct {
	path string // as the caller will recognise it
	real string // absolute, without symbolic links: what makes it the same file

	form form
	// odd files have another name than a trail's: they are looked at, and need not be one.
	odd  bool
	disk int64 // size on disk

	id     int // trail.file
	loaded bool
	// broken files have been found to be, while they were loaded.
	broken bool
	// alien files are JSON, and not CloudTrail's.
	alien bool
	// events counts the records in the trail, undated those of them without a readable eventTime,
	// strangers the entries that were left out because they are no CloudTrail records, unread those that seem to be, and are not read,
	// nameless the records of calls without a readable userIdentity.
	events, undated, strangers, unread, nameless int64
	// lost is what is missing of it, as a sentence's end; "" for nothing.
	lost string
}

// digests holds the hashes of trail files, in JSON, beside them:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
const digests = "CloudTrail-Digest"

// trailName matches what a directory's trail files are called. Others are looked at, too: Firehose gives its files no such ending.
var trailName = regexp.MustCompile(`(?i)\.(json|jsonl|ndjson)(\.gz)?$`)

// find lists the files under each path, which may be a file of any name or a directory.
func find(paths []string) (map[string][]*file, error) {
	found := map[string][]*file{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("trail path %q: %w", path, unwrapPath(err))
		}
		switch {
		case info.IsDir():
			found[path] = findIn(path)
		case info.Mode().IsRegular():
			found[path] = []*file{newFile(path)}
		default:
			return nil, fmt.Errorf("trail path %q is neither a file nor a directory", path)
		}
		if len(found[path]) == 0 {
			return nil, noFiles(path)
		}
	}
	return found, nil
}

func noFiles(path string) error {
	return fmt.Errorf("no CloudTrail files (.json, .json.gz) under %q", path)
}

// findIn walks a directory. What it may not read becomes a lost file, not an error: the rest is evidence too.
func findIn(dir string) []*file {
	root := dir
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		root = real // WalkDir does not enter a root that is a link
	}
	var found []*file
	filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		shown := filepath.Join(dir, strings.TrimPrefix(path, root))
		hidden := path != root && strings.HasPrefix(filepath.Base(path), ".")
		switch {
		case err != nil:
			found = append(found, &file{path: shown, real: path, lost: cannotRead(err)})
			if entry != nil && entry.IsDir() {
				return filepath.SkipDir
			}
		case entry.IsDir():
			if path != root && (hidden || entry.Name() == digests) {
				return filepath.SkipDir
			}
		case hidden || strings.Contains(entry.Name(), "_"+digests+"_"):
		default:
			if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
				return nil // a pipe, or a link to a directory
			}
			f := newFile(shown)
			f.odd = !trailName.MatchString(path)
			found = append(found, f)
		}
		return nil
	})
	return found
}

func newFile(path string) *file {
	f := &file{path: path, real: path}
	if abs, err := filepath.Abs(path); err == nil {
		f.real = abs
	}
	if real, err := filepath.EvalSymlinks(f.real); err == nil {
		f.real = real
	}
	return f
}

// unwrapPath takes the path out of an error of package os, whose sentence names it already.
func unwrapPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// inOrder sorts files by path, so that ids and sentences do not depend on chance.
func inOrder(files []*file) []*file {
	slices.SortFunc(files, func(a, b *file) int { return strings.Compare(a.real, b.real) })
	return files
}
