package duck

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
)

// errEnough stops a walk that has seen what it wanted.
var errEnough = errors.New("seen enough")

// each runs do on every file, on as many threads as the engine may use.
func (e *Engine) each(ctx context.Context, files []*file, do func(context.Context, *file)) error {
	work := make(chan *file)
	var threads sync.WaitGroup
	for range e.settings.Threads {
		threads.Go(func() {
			for f := range work {
				do(ctx, f)
			}
		})
	}
	for _, f := range files {
		if ctx.Err() != nil {
			break
		}
		work <- f
	}
	close(work)
	threads.Wait()
	return ctx.Err()
}

// examine finds out a file's form. Whether it is whole is found out while it is loaded.
func examine(ctx context.Context, f *file) {
	src, err := openSource(ctx, f.real)
	if err != nil {
		f.lost = cannotRead(err)
		return
	}
	defer src.Close()
	if info, err := src.file.Stat(); err == nil {
		f.disk = info.Size()
	}
	if why := unreadable(src); why != "" {
		f.lost = why + recordsMissing
		return
	}
	if f.odd && !src.mayHoldRecords() {
		f.alien = true
		return
	}
	var broken *breakage
	if errors.As(sniff(src, f), &broken) {
		f.lost = brokenOff(f.form, broken)
	}
	f.alien = f.form == 0 && f.lost == ""
	if src.n == src.start && f.lost == "" && !f.odd {
		f.alien, f.lost = false, "is empty"+recordsMissing
	}
}

// sniff reads as much as it takes to know a file's form: to its first CloudTrail record. A file without any keeps form 0.
func sniff(src *source, f *file) error {
	err := walk(src, func(as form, record json.RawMessage) error {
		if record == nil {
			f.form = formRecords // as it stands: a list of no records is a trail file too
			return nil
		}
		if native(as, record) {
			f.form = as
			return errEnough
		}
		if u := unwrap(record); len(u.records) > 0 || u.unread > 0 {
			f.form = as
			return errEnough
		}
		if as == formRecords {
			f.form = as
			if trigger(record) {
				f.form = 0
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// isRecord tells a CloudTrail record from other JSON where it does not stand in a list "Records".
func isRecord(raw json.RawMessage) bool {
	var entry map[string]json.RawMessage
	if json.Unmarshal(raw, &entry) != nil {
		return false
	}
	return plain(entry["eventName"]) != nil || plain(entry["eventSource"]) != nil
}

// native says that a record stands as CloudTrail writes it.
func native(as form, record json.RawMessage) bool {
	return isRecord(record) && !(as == formRecords && trigger(record))
}

// trigger recognises what S3, SNS or SQS send to a Lambda function, which is also called Records, as in
// https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html. No CloudTrail eventSource begins like this.
func trigger(raw json.RawMessage) bool {
	var entry struct{ EventSource string } // json finds both eventSource and EventSource
	return json.Unmarshal(raw, &entry) == nil && strings.HasPrefix(entry.EventSource, "aws:")
}

// inspect says where a file is broken, and what of it is missing. walk is slow, and says it to the byte.
func inspect(ctx context.Context, f *file) {
	src, err := openSource(ctx, f.real)
	if err != nil {
		f.lost = cannotRead(err)
		return
	}
	defer src.Close()
	broken := &breakage{why: "it is no JSON throughout"}
	errors.As(walk(src, func(form, json.RawMessage) error { return nil }), &broken)
	f.lost = brokenOff(f.form, broken)
}
