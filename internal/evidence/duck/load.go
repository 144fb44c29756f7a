package duck

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/duckdb/duckdb-go/v2"
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
	e.answers.forget()
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
	if err := e.insert(ctx, fresh); err != nil {
		return fmt.Errorf("load trail files: %w", err)
	}
	return e.prepare(ctx)
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

// insert loads files, all of them or, with an error, none.
func (e *Engine) insert(ctx context.Context, files []*file) error {
	files = slices.DeleteFunc(files, func(f *file) bool { return f.alien || f.lost != "" })
	if len(files) == 0 {
		return nil
	}
	first := e.nextID
	for i, f := range files {
		f.id = first + i
	}
	e.nextID += len(files)
	c, err := newCallers(e.dir, e.nextCaller)
	if err != nil {
		return err
	}
	defer c.remove()
	err = e.within(ctx, func() error {
		forget(files)
		e.feed = &feed{ctx: ctx, threads: e.settings.Threads, rest: slices.Clone(files), callers: c}
		defer e.feed.close()
		return e.do(ctx, fmt.Sprintf("insert into trail by name select file, caller, %s from (select file, caller, json_transform(record, %s) as r from %s())",
			computed(kept(false)), quote(shape(kept(false))), fedBy))
	})
	e.feed, e.nextCaller = nil, c.next
	if err == nil {
		err = e.settle(ctx, files, first, c)
	}
	if err != nil {
		_, undo := e.db.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("delete from trail where file >= %d", first))
		switch of := new(duckdb.Error); {
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), undo)
		case undo != nil || !errors.As(err, &of) || of.Type != duckdb.ErrorTypeInvalidInput && of.Type != duckdb.ErrorTypeConversion:
			return errors.Join(err, undo)
		}
		return e.insertSome(ctx, files, err)
	}
	for _, f := range files {
		f.loaded = !f.broken || f.form == formLines
		if f.unread > 0 && f.events == 0 {
			f.loaded, f.unread, f.strangers = false, 0, 0
			f.lost = "holds CloudTrail records in a form that is not read" + recordsMissing
		}
	}
	return nil
}

// forget drops what reading the records of files has told of them.
func forget(files []*file) {
	for _, f := range files {
		f.broken, f.strangers, f.unread, f.nameless = false, 0, 0, 0
	}
}

// insertSome loads what it can of files in which there is something that DuckDB refuses.
func (e *Engine) insertSome(ctx context.Context, files []*file, refusal error) error {
	forget(files)
	if len(files) == 1 {
		files[0].lost = "is refused by DuckDB (" + oneLine(refusal) + ")" + recordsMissing
		return nil
	}
	half := len(files) / 2
	if err := e.insert(ctx, slices.Clone(files[:half])); err != nil {
		return err
	}
	return e.insert(ctx, slices.Clone(files[half:]))
}

// settle adds the callers, says what of the files is missing, and counts what has arrived. Of a list that is broken nothing stays.
func (e *Engine) settle(ctx context.Context, files []*file, first int, c *callers) error {
	if err := c.store(ctx, e); err != nil {
		return fmt.Errorf("keep who called: %w", err)
	}
	broken := slices.DeleteFunc(slices.Clone(files), func(f *file) bool { return !f.broken })
	if err := e.each(ctx, broken, inspect); err != nil {
		return err
	}
	for _, f := range broken {
		if f.form == formLines {
			continue
		}
		if _, err := e.db.ExecContext(ctx, fmt.Sprintf("delete from trail where file = %d", f.id)); err != nil {
			return fmt.Errorf("leave out %q, which is broken: %v", f.path, err)
		}
		f.strangers, f.unread, f.nameless = 0, 0, 0
	}
	return e.tally(ctx, files, first)
}

// tally counts what has arrived of each file.
func (e *Engine) tally(ctx context.Context, files []*file, first int) error {
	rows, err := e.db.QueryContext(ctx, fmt.Sprintf("select file, count(*), count_if(eventtime is null) from trail where file >= %d group by file", first))
	if err != nil {
		return fmt.Errorf("count the records: %v", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int
		var events, undated int64
		if err := rows.Scan(&id, &events, &undated); err != nil {
			return fmt.Errorf("count the records: %v", err)
		}
		files[id-first].events, files[id-first].undated = events, undated
	}
	return rows.Err()
}
