package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/casefolder"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/posture"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/report/html"
	"nightlatch/internal/responder"
	"nightlatch/internal/sandbox"
)

// respondCmd runs the responder over files.
type respondCmd struct {
	Event   string   `required:"" placeholder:"FILE|-" help:"The event: an alarm in any of CloudWatch's shapes, or {\"nightlatch\":{\"investigate\":{\"bucket\":…,\"from\":…,\"to\":…}}}. - reads standard input."`
	Trail   []string `required:"" sep:"none" placeholder:"PATH" help:"A CloudTrail file or a folder of them (.json, .json.gz). May be given more than once."`
	More    []string `arg:"" optional:"" name:"path" help:"More of the trail, as a shell's pattern gives it after --trail."`
	Account string   `placeholder:"FILE" help:"The account as JSON: users with keys, roles, the metric. Without it, the account is what the trail shows, and the alarm's metric is taken at its word."`
	Policy  string   `placeholder:"FILE" help:"A Cedar policy instead of the one that ships."`
	Mode    string   `default:"ask" help:"How far to go: observe, ask or act. It concerns the account in memory only."`
	Steps   []string `placeholder:"STEP,…" help:"The steps beside turning a key off that a deployment would enable: ${steps}. They are done to the account in memory only."`
	Page    string   `placeholder:"FILE" help:"Write the incident as one HTML file with pictures, too."`
	Case    string   `placeholder:"DIR" help:"Keep the incident in a folder of its own under DIR, too: page, JSON, log, and the list of what was taken."`
	JSON    bool     `name:"json" help:"Print the incident as nightlatch.incident/1."`
	Verbose bool     `short:"v" help:"Log what happens to standard error."`

	course []evidence.Slot // for the page
	kept   error           // what became of the case folder
}

// Run answers one event, and prints the answer.
func (c *respondCmd) Run(ctx context.Context, s streams) error {
	rec, ignored, err := c.answer(ctx, s)
	switch {
	case err != nil:
		return err
	case ignored != "":
		fmt.Fprintf(s.out, "Nothing to do: %s.\n", ignored)
		return nil
	case !c.JSON:
		io.WriteString(s.out, report.Wrapped(c.overFiles(), columnsOf(s.out))+"\n")
	}
	return errors.Join(printIncident(s.out, rec, c.JSON), writePage(c.Page, rec, c.course), c.kept)
}

// answer is the incident of one event, or why the event starts none.
func (c *respondCmd) answer(ctx context.Context, s streams) (rec incident.Record, ignored string, err error) {
	mode, err := containment.ParseMode(strings.ToLower(c.Mode))
	if err != nil {
		return rec, "", badInput{err}
	}
	steps, err := containment.ParseSteps(c.Steps)
	if err != nil {
		return rec, "", badInput{fmt.Errorf("--steps: %w", err)}
	}
	p, err := loadPolicy(c.Policy)
	if err != nil {
		return rec, "", badInput{err}
	}
	event, err := readEvent(c.Event, s.in)
	if err != nil {
		return rec, "", badInput{err}
	}
	parsed, err := alarm.Parse(event)
	switch {
	case err != nil:
		return rec, "", badInput{err}
	case parsed.Ignored != "":
		return rec, parsed.Ignored, nil
	case parsed.Copies:
		return rec, "", badInput{errors.New("the event looks for copies to new places, which a deployment remembers: give an alarm or an investigation")}
	case parsed.Alarm == nil:
		return rec, "", badInput{errors.New("the event continues an incident, and this machine keeps none: give an alarm or an investigation")}
	case parsed.Alarm.Refused != "":
		return rec, "", badInput{fmt.Errorf("alarm %+q cannot be answered: %s", parsed.Alarm.Name, parsed.Alarm.Refused)}
	case parsed.Alarm.Composite != "":
		return rec, "", badInput{below(parsed)}
	}
	engine, err := openTrail(ctx, slices.Concat(c.Trail, c.More), false, s)
	if err != nil {
		return rec, "", err
	}
	defer engine.Close()
	first, last, lost, err := sandbox.Reach(ctx, engine)
	switch {
	case err != nil:
		return rec, "", err
	case first.IsZero() && len(lost) > 0:
		return rec, "", badInput{fmt.Errorf("nothing of the trail could be read: %s", strings.Join(lost[:min(len(lost), 5)], "; "))}
	}
	account, ours, err := c.account(ctx, engine, parsed.Alarm.AccountID)
	if err != nil {
		return rec, "", err
	}
	shows, err := sandbox.Shows(ctx, engine, parsed.Alarm.Buckets)
	if err != nil {
		return rec, "", err
	}
	fmt.Fprintln(s.err, shows)
	level := slog.LevelError + 1
	if c.Verbose {
		level = slog.LevelInfo
	}
	r := responder.Responder{
		Meter: account.Meter(), Trail: engine, Account: account, Store: &incident.Memory{},
		Channels: []notify.Channel{&sandbox.Channel{}}, Clock: sandbox.NewClock(parsed.Alarm.Since),
		Log: slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level})), Mode: mode, Ours: ours, Policy: policy.Ready(p),
		Steps: steps, Cutter: account,
	}
	handled, err := r.Handle(ctx, event, nil)
	if err != nil {
		return rec, "", err
	}
	rec = handled.Record
	rec.Evidence.TrailFrom, rec.Evidence.TrailTo = first, last
	if account.Alias != "" { // it is judged as what no deployment watches, and shown as the account's
		rec.Place = incident.Place{AccountID: account.ID, Alias: account.Alias, Region: parsed.Alarm.Region}
	}
	c.course, err = courseOf(ctx, c.Page != "" || c.Case != "", engine, rec)
	if err != nil {
		return rec, "", err
	}
	c.kept = keepCase(ctx, c.Case, rec, c.course, engine.Each, s)
	return rec, "", nil
}

// overFiles says what the answer stands on.
func (c *respondCmd) overFiles() string {
	return fmt.Sprintf("OVER FILES: the account is in memory%s. The alarm, its metric and its seal count as given, and its threshold is the floor of a containment. Nothing in AWS was read or changed.", c.inferred())
}

// below says that a composite alarm is not answered over files: which alarm below it rang, and that its metric is not there.
func below(e alarm.Event) error {
	var names []string
	for _, a := range append([]alarm.Alarm{*e.Alarm}, e.Also...) {
		names = append(names, fmt.Sprintf("%+q", a.Name))
	}
	return fmt.Errorf("composite alarm %+q fired because of the alarm below it, %s, and over files that alarm's metric is not there to read, nor which buckets it watches: "+
		"give that alarm's own event, or ask about a bucket and a time with \"investigate\"", e.Alarm.Composite, strings.Join(names, ", "))
}

// inferred says what was taken from where, so that nobody takes a rehearsal for the real thing.
func (c *respondCmd) inferred() string {
	if c.Account == "" {
		return ", as the trail shows it, and the metric is the alarm's own claim"
	}
	return ", from " + prose.Safe(c.Account)
}

// keepCase keeps an incident in its folder, if a place is named for it.
func keepCase(ctx context.Context, dir string, rec incident.Record, course []evidence.Slot, each casefolder.Each, s streams) error {
	if dir == "" {
		return nil
	}
	folder, err := casefolder.Write(ctx, dir, rec, course, each)
	if folder != "" {
		fmt.Fprintf(s.err, "the case folder is %s\n", prose.Safe(folder))
	}
	return err
}

// courseOf asks what the page of an incident draws, if one is wanted.
func courseOf(ctx context.Context, wanted bool, engine localEngine, rec incident.Record) ([]evidence.Slot, error) {
	if !wanted {
		return nil, nil
	}
	answer, err := engine.Ask(ctx, report.CourseOf(rec))
	if err != nil {
		return nil, err
	}
	return evidence.ReadCourse(answer.Rows)
}

// writePage writes an incident's page, if a file is named for it.
func writePage(file string, rec incident.Record, slots []evidence.Slot, suspects ...posture.Suspect) error {
	if file == "" {
		return nil
	}
	text, err := html.Page(rec, slots, suspects)
	if err != nil {
		return err
	}
	if err := write(file, text); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

func printIncident(out io.Writer, rec incident.Record, asJSON bool) error {
	if asJSON {
		text, err := report.JSON(rec)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	}
	_, err := io.WriteString(out, textFor(out, rec))
	return err
}

func loadPolicy(file string) (*policy.Policy, error) {
	if file == "" {
		return policy.Shipped(), nil
	}
	p, _, err := readPolicy(file)
	return p, err
}

// readPolicy reads a policy's file, and returns its text too.
func readPolicy(file string) (*policy.Policy, []byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the policy: %w", err)
	}
	p, err := policy.Load(filepath.Base(file), text)
	return p, text, err
}

// readEvent reads at most one byte more than an event may have: Parse refuses that.
func readEvent(file string, in io.Reader) ([]byte, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("reading the event: %w", err)
		}
		defer f.Close()
		in = f
	}
	event, err := io.ReadAll(io.LimitReader(in, alarm.MaxEvent+1))
	if err != nil {
		return nil, fmt.Errorf("reading the event: %w", err)
	}
	return unmarked(event), nil
}

// unmarked is a text as UTF-8 without the byte order mark with which Windows begins a file, in UTF-16 too:
// https://www.unicode.org/faq/utf_bom.html
func unmarked(text []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return text[3:]
	case bytes.HasPrefix(text, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return text
	}
	var units []uint16
	for b := text[2:]; len(b) > 1; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	return []byte(string(utf16.Decode(units)))
}

// openTrail loads a trail. many says that many alarms will be asked about.
func openTrail(ctx context.Context, paths []string, many bool, s streams) (localEngine, error) {
	for _, path := range paths {
		if strings.HasPrefix(path, "s3://") {
			return nil, badInput{inS3(path)}
		}
	}
	dir, err := s.tmp.dir()
	if err != nil {
		return nil, err
	}
	engine, err := openEngine(ctx, dir, many)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.err, "reading the trail in %s ...\n", prose.List(paths))
	done := reading(paths, s.err)
	err = engine.Load(ctx, paths...)
	done()
	if err != nil {
		engine.Close()
		return nil, badInput{err}
	}
	if lost := engine.Lost(); engine.Files() == 0 && len(lost) > 0 {
		engine.Close()
		return nil, badInput{fmt.Errorf("nothing of the trail could be read: %s", strings.Join(lost, "; "))}
	}
	fmt.Fprintf(s.err, "%s in %s\n", prose.Plural(engine.Events(), "record"), prose.Plural(int64(engine.Files()), "file"))
	return engine, nil
}

// account is the one of the file, or the one that the trail shows.
func (c *respondCmd) account(ctx context.Context, engine localEngine, alarmAccount string) (*sandbox.Account, actor.Ours, error) {
	inferred, ours, err := sandbox.Infer(ctx, engine, alarmAccount)
	if err != nil || c.Account == "" {
		return inferred, ours, err
	}
	text, err := os.ReadFile(c.Account)
	if err != nil {
		return nil, nil, badInput{fmt.Errorf("reading the account: %w", err)}
	}
	account, err := sandbox.ReadAccount(unmarked(text))
	if err != nil {
		return nil, nil, badInput{fmt.Errorf("%s: %w", c.Account, err)}
	}
	return account, actor.Accounts(account.ID), nil
}
