package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/deployment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/posture"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/workers"
)

// incidentsCmd lists what a deployment has seen.
type incidentsCmd struct {
	place
	inTable
	wanted
	everywhere
	Number int  `short:"n" default:"20" help:"How many, the latest first (${default})."`
	Sums   bool `help:"Add up what became of all of them, by account, bucket and state, too."`
	JSON   bool `name:"json" help:"Print the list as nightlatch.incidents/1."`
}

// Run lists the latest incidents.
func (c *incidentsCmd) Run(ctx context.Context, s streams) error {
	if c.Number < 1 || c.Number > 1000 {
		return badInput{fmt.Errorf("--number is %d; give 1 to 1000", c.Number)}
	}
	f, err := c.wanted.read(time.Now())
	if err != nil {
		return err
	}
	if c.All != nil {
		return c.runAll(ctx, s, f)
	}
	d, err := c.open(ctx, s, c.inTable, atURL{})
	if err != nil {
		return err
	}
	l, err := c.look(ctx, d, f)
	if err != nil {
		return err
	}
	if !l.all {
		fmt.Fprintln(s.err, older)
	}
	text, err := l.write(c.JSON, columnsOf(s.out))
	if err != nil {
		return err
	}
	_, err = s.out.Write(text)
	return err
}

// listed are the incidents of a deployment.
type listed struct {
	briefs []incident.Brief
	all    bool // that there are
	sums   *report.Summed
	brakes incident.Brakes
}

// write writes the list as text or as JSON.
func (l listed) write(asJSON bool, columns int) ([]byte, error) {
	if asJSON {
		return report.IncidentsJSON(l.briefs, l.brakes, l.sums)
	}
	text := report.Incidents(l.briefs, l.brakes)
	if l.sums != nil {
		text += "\n" + report.Sums(*l.sums, columns)
	}
	return []byte(text), nil
}

// runAll lists those of every deployment of the file.
func (c *incidentsCmd) runAll(ctx context.Context, s streams, f filter) error {
	if c.Table != "" {
		return badInput{errors.New("--all goes with no --table: each deployment's stack names its own")}
	}
	return c.visits(ctx, s, c.place, c.JSON, func(ctx context.Context, d *deployment.Deployment, v *visit) error {
		l, err := c.look(ctx, d, f)
		if err != nil {
			return err
		}
		if v.object, err = l.write(true, 0); err != nil {
			return err
		}
		v.line = prose.Plural(int64(len(l.briefs)), "incident")
		if !l.all {
			v.line += ", and older ones that were not looked at"
		}
		if len(l.briefs) == 0 && l.brakes.Mode == "" && len(l.brakes.Holds) == 0 && l.sums == nil {
			v.line = "no incidents"
			return nil
		}
		text, err := l.write(false, columnsOf(s.out))
		v.text = string(text)
		return err
	})
}

// look reads the list of a deployment.
func (c *incidentsCmd) look(ctx context.Context, d *deployment.Deployment, f filter) (listed, error) {
	store, err := kept(ctx, d)
	if err != nil {
		return listed{}, err
	}
	looked := c.Number
	if c.Sums {
		looked = lookBack
	}
	var l listed
	if l.briefs, l.all, err = f.list(ctx, store, looked); err != nil {
		return listed{}, err
	}
	if c.Sums {
		records, err := loadAll(ctx, store, l.briefs)
		if err != nil {
			return listed{}, err
		}
		l.sums = &report.Summed{Since: f.since, Whole: l.all, Tally: incident.Count(records)}
		l.briefs = l.briefs[:min(len(l.briefs), c.Number)]
	}
	brakes, err := store.Brakes(ctx)
	l.brakes = inForce(d, brakes)
	return l, err
}

// loadAll reads the records of a list, some at once.
func loadAll(ctx context.Context, store incident.Store, briefs []incident.Brief) ([]incident.Record, error) {
	records, errs := make([]incident.Record, len(briefs)), make([]error, len(briefs))
	workers.Pool{Size: 8}.Each(len(briefs), func(i int) { records[i], errs[i] = store.Load(ctx, briefs[i].ID) })
	return records, errors.Join(errs...)
}

// inForce is what is left of lowered mode and holds in the deployment's generation, where that is known.
func inForce(d *deployment.Deployment, b incident.Brakes) incident.Brakes {
	b = b.Lasting(time.Now())
	if generation, known := d.Generation(); known {
		return b.In(generation)
	}
	return b
}

// incidentCmd shows one incident.
type incidentCmd struct {
	Incident string `arg:"" placeholder:"INCIDENT" help:"The incident's id, the beginning of it, or latest."`
	place
	inTable
	Page  string   `placeholder:"FILE" help:"Write the incident as one HTML file with pictures, too."`
	Case  string   `placeholder:"DIR" help:"Keep the incident in a folder of its own under DIR, too: page, JSON, log, and the list of what was taken, for which --trail is asked."`
	Trail []string `sep:"none" placeholder:"PATH" help:"A CloudTrail file or a folder of them, of the incident's days, for the pictures and the list. May be given more than once."`
	// Suspects are read with the human's own credentials, as by the command of that name.
	Suspects bool `help:"Have the page go through the usual suspects, too, and say what to do next. Reads with your own rights, and changes nothing."`
	JSON     bool `name:"json" help:"Print the incident as nightlatch.incident/1."`
}

// Run shows one incident, and what can be done about its steps.
func (c *incidentCmd) Run(ctx context.Context, s streams) error {
	if c.Suspects && c.Page == "" {
		return badInput{errors.New("--suspects is for the page: give --page FILE, too, or run nightlatch suspects INCIDENT")}
	}
	d, _, rec, err := c.openIncident(ctx, s, c.inTable, atURL{}, c.Incident)
	if err != nil {
		return err
	}
	if err := errors.Join(printIncident(s.out, rec, c.JSON), c.write(ctx, d, rec, s)); err != nil || c.JSON {
		return err
	}
	return printSteps(s.out, rec, c.flags(d)...)
}

// write writes the page and the case folder, if they are wanted.
func (c *incidentCmd) write(ctx context.Context, d *deployment.Deployment, rec incident.Record, s streams) error {
	if c.Page == "" && c.Case == "" {
		return nil
	}
	var course []evidence.Slot
	each := asksNothing
	if len(c.Trail) > 0 {
		engine, err := openTrail(ctx, c.Trail, false, s)
		if err != nil {
			return err
		}
		defer engine.Close()
		if course, err = courseOf(ctx, true, engine, rec); err != nil {
			return err
		}
		each = engine.Each
	}
	var suspects []posture.Suspect
	if c.Suspects {
		buckets, users, roles := rec.Suspected()
		suspects = readSuspects(ctx, d, buckets, users, roles, s)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return errors.Join(writePage(c.Page, rec, course, suspects...), keepCase(ctx, c.Case, rec, course, each, s))
}

// asksNothing is the trail of who gives none: a deployment's engines are asked by its functions, with rights that no human needs.
func asksNothing(context.Context, evidence.Question, func(evidence.Row) error) (evidence.Answer, error) {
	return evidence.Answer{}, errors.New("this command asks no engine in AWS: fetch the trail's files of those days, and give them with --trail")
}

// printSteps lists the steps by their numbers, with the command for each that one can say something to.
func printSteps(out io.Writer, rec incident.Record, flags ...string) error {
	for i, o := range rec.Outcomes {
		if i == 0 {
			fmt.Fprint(out, "\nSTEPS\n")
		}
		line := fmt.Sprintf("%d  %s: %s", i+1, step(o), prose.Safe(string(o.State)))
		switch {
		case o.Approvable() && rec.Closed.IsZero() && rec.MergedInto == "":
			line += "; " + o.Command("approve", rec.ID, flags...)
		case restorable(o) && o.State != containment.Undone:
			line += "; " + o.Command("restore", rec.ID, flags...)
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}
