package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/backtest"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
	"nightlatch/internal/sandbox"
	"nightlatch/internal/settings"
)

// backtestCmd says what Nightlatch would have done over a trail's files.
type backtestCmd struct {
	Trail   []string `required:"" sep:"none" placeholder:"PATH" help:"A CloudTrail file or a folder of them (.json, .json.gz). May be given more than once."`
	More    []string `arg:"" optional:"" name:"path" help:"More of the trail, as a shell's pattern gives it after --trail."`
	Buckets string   `placeholder:"NAME[=SIZE/PERIOD+…],…" help:"The watched buckets with their thresholds, as the deployment's setting buckets. Without it, every bucket of the trail with the default thresholds."`
	Since   string   `placeholder:"30d|2026-11-28" help:"Only alarms since then: so many hours (h) or days (d) before the trail's last call, or a day or a time in UTC. What lies before it is the past that each alarm is compared with."`
	Policy  []string `sep:"none" placeholder:"FILE" help:"A Cedar policy instead of the one that ships. Given more than once, the policies stand side by side; the word shipped is the one that ships."`
	History string   `placeholder:"FILE" help:"Judge the alarms that have fired, as aws cloudwatch describe-alarm-history prints them, and not those that the trail would have fired."`
	AtMost  int      `default:"2" placeholder:"N" help:"Propose for each bucket the lowest threshold that would have fired at most so often a month."`
	JSON    bool     `name:"json" help:"Print the result as nightlatch.backtest/1."`
	Page    string   `placeholder:"FILE" help:"Write the result as one HTML file with pictures, too."`
}

// Run judges the past, and prints the result.
func (c *backtestCmd) Run(ctx context.Context, s streams) error {
	b, err := c.asked(time.Now())
	if err != nil {
		return badInput{err}
	}
	engine, err := openTrail(ctx, slices.Concat(c.Trail, c.More), true, s)
	if err != nil {
		return err
	}
	defer engine.Close()
	b.Trail, b.Lost = engine, engine.Lost()
	b.From, b.To, _, err = sandbox.Reach(ctx, engine)
	switch {
	case err != nil:
		return err
	case b.From.IsZero():
		return badInput{errors.New("no record of the trail has a time")}
	}
	if b.Since, err = since(c.Since, b.To); err != nil {
		return badInput{err}
	}
	if b.Since.After(b.To) {
		return badInput{fmt.Errorf("--since %s is after the trail's last call, at %s", b.Since.Format(time.RFC3339), b.To.Format(time.RFC3339))}
	}
	kept := keepDecisions(slices.Concat(c.Trail, c.More), s.err)
	defer kept.close()
	b.Known, b.Keep, b.Progress = kept.known, kept.add, (&progress{out: s.err}).say
	result, err := b.Run(ctx)
	if err != nil {
		return kept.goOn(err)
	}
	if err := c.print(result, s.out); err != nil {
		return kept.goOn(err)
	}
	kept.done()
	return nil
}

func (c *backtestCmd) print(r backtest.Result, out io.Writer) error {
	if c.Page != "" {
		html, err := backtest.Page(r)
		if err != nil {
			return err
		}
		if err := write(c.Page, html); err != nil {
			return fmt.Errorf("writing the page: %w", err)
		}
	}
	text := []byte(backtest.Text(r))
	if c.JSON {
		var err error
		if text, err = backtest.JSON(r); err != nil {
			return err
		}
		text = append(text, '\n')
	}
	_, err := out.Write(text)
	return err
}

// write puts a file in the place of what was there, or leaves that: a disk that is full cuts nothing. What is no file is written to.
func write(name string, text []byte) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(name, text, 0o600)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".nightlatch-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// asked is what can be understood without the trail. now bounds what may be asked.
func (c *backtestCmd) asked(now time.Time) (b backtest.Backtest, err error) {
	if at, err := since(c.Since, now); err != nil {
		return b, err
	} else if at.After(now) {
		return b, fmt.Errorf("--since %s is in the future", at.Format(time.RFC3339))
	}
	if c.Buckets != "" {
		if b.Watched, err = settings.ParseBuckets(c.Buckets); err != nil {
			return b, fmt.Errorf("--buckets: %w; it takes %s", err, settings.AcceptedBuckets)
		}
	}
	if c.History != "" {
		text, err := os.ReadFile(c.History)
		if err != nil {
			return b, fmt.Errorf("reading the history: %w", err)
		}
		if b.History, err = backtest.ReadHistory(unmarked(text)); err != nil {
			return b, fmt.Errorf("%s: %w", c.History, err)
		}
	}
	if b.AtMost = c.AtMost; b.AtMost < 0 {
		return b, fmt.Errorf("--at-most is %d, and an alarm cannot fire less than never", b.AtMost)
	}
	if len(c.Policy) == 0 {
		c.Policy = []string{shipped}
	}
	for _, file := range c.Policy {
		p, text := policy.Shipped(), policy.ShippedText()
		if file != shipped {
			if p, text, err = readPolicy(file); err != nil {
				return b, err
			}
		}
		named := backtest.Policy{Name: filepath.Base(file), ID: fmt.Sprintf("%x", sha256.Sum256(text)), Policy: p}
		if slices.ContainsFunc(b.Policies, func(p backtest.Policy) bool { return p.Name == named.Name }) {
			named.Name = file
		}
		b.Policies = append(b.Policies, named)
	}
	return b, nil
}

// shipped names the policy that ships, beside a policy of one's own.
const shipped = "shipped"

// inS3 is the answer to a trail that is still in its bucket.
func inS3(path string) error {
	return fmt.Errorf("%s is in S3, and the trail is read from files here; copy it first, then give --trail ./trail:\n  aws s3 sync %s ./trail --exclude '*CloudTrail-Digest*' --exclude '*CloudTrail-Insight*'",
		prose.Safe(path), quoted(path))
}

// quoted is a word for a shell.
func quoted(word string) string {
	return "'" + strings.ReplaceAll(prose.Plain(word), "'", `'\''`) + "'"
}
