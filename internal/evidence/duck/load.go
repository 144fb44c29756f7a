package duck

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

const (
	// chunk is how many files DuckDB reads in one statement: enough to keep its threads busy, few enough that one broken
	// file does not have a whole trail read twice.
	chunk = 128
	// leastObject is DuckDB's own default for the largest JSON value, 16 MiB.
	leastObject = 16 << 20
)

// Load adds the records of files and directories. A directory is walked for *.json, *.jsonl, *.ndjson and the same with .gz, and for files
// of other names that begin like a trail's; a file that is named outright may have any name. Files that are loaded already are not loaded again, so that Load may be called again for what has come
// since; files that could not be read are tried anew.
//
// A file may hold {"Records":[…]}, several of them, a list of records, or one record after the other, gzip or not, and records in what other
// tools wrap around them (see carriers).
// One that is broken is no error: the others are loaded, and every later answer names what is lost. It is an error if a path
// does not exist or if nothing under it looks like CloudTrail's.
func (e *Engine) Load(ctx context.Context, paths ...string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	found, err := find(paths)
	if err != nil {
		return err
	}
	fresh := e.adopt(found)
	if err := e.each(ctx, fresh, examine); err != nil {
		return fmt.Errorf("read trail files: %w", err)
	}
	for _, f := range fresh {
		e.files[f.real] = f
	}
	for _, path := range paths {
		if err := e.someTrail(path, found[path]); err != nil {
			return err
		}
	}
	for _, group := range e.groups(fresh) {
		if err := e.loadGroup(ctx, group); err != nil {
			return fmt.Errorf("load trail files: %w", err)
		}
	}
	return nil
}

// adopt lists, once each, the files that are not loaded yet.
func (e *Engine) adopt(found map[string][]*file) []*file {
	seen := map[string]bool{}
	var fresh []*file
	for _, files := range found {
		for _, f := range files {
			if old := e.files[f.real]; !seen[f.real] && (old == nil || !old.loaded) {
				fresh = append(fresh, f)
			}
			seen[f.real] = true
		}
	}
	return inOrder(fresh)
}

// someTrail is an error if none of the files found under a path is a trail file, be it a broken one.
func (e *Engine) someTrail(path string, files []*file) error {
	for _, f := range files {
		if !e.files[f.real].alien {
			return nil
		}
	}
	if len(files) == 1 && files[0].path == path {
		return fmt.Errorf("trail file %q holds no CloudTrail records", path)
	}
	return noFiles(path)
}

// groups splits files into what DuckDB can read in one go: of one form, all gzip or none.
func (e *Engine) groups(files []*file) [][]*file {
	type kind struct {
		form   form
		zipped bool
	}
	open := map[kind][]*file{}
	var groups [][]*file
	for _, f := range files {
		k := kind{f.form, f.zipped}
		switch {
		case f.alien, f.lost != "" && f.form != formLines:
		case f.lost != "", f.wrapped, f.form != formLines && f.text > e.largest():
			groups = append(groups, []*file{f}) // to be rewritten
		default:
			open[k] = append(open[k], f)
			if len(open[k]) == chunk {
				groups, open[k] = append(groups, open[k]), nil
			}
		}
	}
	for _, form := range []form{formRecords, formArray, formLines} {
		for _, zipped := range []bool{true, false} {
			if rest := open[kind{form, zipped}]; len(rest) > 0 {
				groups = append(groups, rest)
			}
		}
	}
	return groups
}

// largest is the largest JSON value that DuckDB may read: each thread holds two buffers of that size, and together they may
// take half of the memory.
func (e *Engine) largest() int64 {
	return max(leastObject, int64(e.settings.MemoryMB)*1e6/int64(4*e.settings.Threads))
}

// loadGroup loads files of one form. It returns an error only when ctx has ended: everything else is a file's own loss.
func (e *Engine) loadGroup(ctx context.Context, group []*file) error {
	if first := group[0]; first.lost != "" || first.wrapped || (first.form != formLines && first.text > e.largest()) {
		if err := e.rewrite(ctx, first, nil); err != nil {
			return err
		}
		return e.account(ctx, group)
	}
	err := e.insert(ctx, group)
	if err != nil && ctx.Err() == nil {
		err = e.loadSound(ctx, group)
	}
	if err != nil {
		return err
	}
	return e.account(ctx, group)
}

// loadSound loads a group that DuckDB has refused: without the files that are broken, and the rest in ever smaller parts
// until the culprits stand alone. What DuckDB says is not asked for the file's name, which its messages may or may not give.
func (e *Engine) loadSound(ctx context.Context, group []*file) error {
	if err := e.each(ctx, group, inspect); err != nil {
		return err
	}
	var sound []*file
	for _, f := range group {
		switch {
		case f.lost == "":
			sound = append(sound, f)
		case f.form == formLines:
			if err := e.rewrite(ctx, f, nil); err != nil {
				return err
			}
		}
	}
	return e.bisect(ctx, sound)
}

func (e *Engine) bisect(ctx context.Context, files []*file) error {
	if len(files) == 0 {
		return nil
	}
	err := e.insert(ctx, files)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if len(files) == 1 {
		return e.rewrite(ctx, files[0], err)
	}
	half := len(files) / 2
	if err := e.bisect(ctx, files[:half]); err != nil {
		return err
	}
	return e.bisect(ctx, files[half:])
}

// insert has DuckDB read files of one form. It loads all of them or none.
func (e *Engine) insert(ctx context.Context, files []*file) error {
	first, object := e.nextID, int64(leastObject)
	var names []string
	for _, f := range files {
		names = append(names, quote(literal(f.real)))
		if f.form == formRecords {
			object = max(object, f.text)
		}
	}
	list := "[" + strings.Join(names, ", ") + "]"
	query := fmt.Sprintf("insert into trail by name select %s, %d + file_index as file from (%s) as s where r is not null and %s",
		trailColumns(), first, reader(files[0], list, object), noSummary())
	if _, err := e.db.ExecContext(ctx, query); err != nil {
		return err
	}
	for i, f := range files {
		f.id, f.loaded = first+i, true
	}
	e.nextID += len(files)
	return nil
}

// reader is the SELECT that gives each record of the files as r, with the file's index in the list.
func reader(of *file, list string, object int64) string {
	compression, format := "uncompressed", "unstructured"
	if of.zipped {
		compression = "gzip"
	}
	if of.form == formArray {
		format = "array"
	}
	var columns, parts []string
	for _, f := range fields {
		columns = append(columns, fmt.Sprintf("%q: %s", f.name, quote(f.sqlType())))
		parts = append(parts, fmt.Sprintf("%[1]q := %[1]q", f.name))
	}
	r := "struct_pack(" + strings.Join(parts, ", ") + ")"
	if of.form == formRecords {
		columns = append(columns, "Records: "+quote(structOf(fields)+"[]"))
		// Beside objects with a list there may be some that are records themselves.
		r = fmt.Sprintf("unnest(case when Records is not null then Records when coalesce(eventName, eventSource) is not null then [%s] end)", r)
	}
	return fmt.Sprintf("select %s as r, file_index from read_json(%s, columns={%s}, format=%s, compression=%s, maximum_object_size=%d, records=true, auto_detect=false, hive_partitioning=false)",
		r, list, strings.Join(columns, ", "), quote(format), quote(compression), object)
}

// globbing are the characters that DuckDB would expand in a file's name.
var globbing = regexp.MustCompile(`[*?\[]`)

// literal writes a path so that DuckDB takes it as the name of that one file.
func literal(path string) string { return globbing.ReplaceAllString(path, "[$0]") }
