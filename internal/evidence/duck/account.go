package duck

import (
	"context"
	"fmt"
	"slices"
)

// account counts what has arrived of each file in a group.
//
// Entries without eventName and eventSource are no CloudTrail records. A file with such entries is read again by rewrite, which leaves them
// out, and which also finds records that stand in lists among them, or that another tool has wrapped.
func (e *Engine) account(ctx context.Context, group []*file) error {
	strange, err := e.tally(ctx, group)
	if err != nil {
		return err
	}
	for _, f := range strange {
		if _, err := e.db.ExecContext(ctx, fmt.Sprintf("delete from trail where file = %d", f.id)); err != nil {
			return fmt.Errorf("leave out what is no record in %q: %v", f.path, err)
		}
		f.loaded, f.events, f.undated = false, 0, 0
		if err := e.rewrite(ctx, f, nil); err != nil {
			return err
		}
	}
	_, err = e.tally(ctx, strange) // what is none of them is left out
	return err
}

// tally counts the records of files and returns the files that hold entries which are none.
func (e *Engine) tally(ctx context.Context, files []*file) (strange []*file, err error) {
	loaded := slices.DeleteFunc(slices.Clone(files), func(f *file) bool { return !f.loaded })
	if len(loaded) == 0 {
		return nil, nil
	}
	byID, least := map[int]*file{}, loaded[0].id
	for _, f := range loaded {
		byID[f.id], least = f, min(least, f.id)
	}
	rows, err := e.db.QueryContext(ctx, fmt.Sprintf(`select file, count(*), count_if(eventtime is null),
		count_if(eventname is null and eventsource is null) from trail where file >= %d group by file`, least))
	if err != nil {
		return nil, fmt.Errorf("count the records: %v", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int
		var events, undated, none int64
		if err := rows.Scan(&id, &events, &undated, &none); err != nil {
			return nil, fmt.Errorf("count the records: %v", err)
		}
		f := byID[id]
		if f == nil {
			continue
		}
		f.events, f.undated = events, undated
		if none > 0 {
			strange = append(strange, f)
		}
	}
	return strange, rows.Err()
}
