package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"nightlatch/internal/containment"
	"nightlatch/internal/deployment"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/settings"
)

// defaultStack is the name that the stack has.
const defaultStack = settings.StackName

// place says where a deployment is.
type place struct {
	Stack   string `default:"Nightlatch" placeholder:"NAME" help:"The CloudFormation stack of the deployment (${default})."`
	Region  string `placeholder:"REGION" help:"Its region, where the AWS configuration has another one or none."`
	Profile string `placeholder:"NAME" help:"The profile of the AWS configuration whose credentials are used."`
}

// inTable names the table.
type inTable struct {
	Table string `placeholder:"NAME" help:"The table of incidents, by name, instead of the stack's output TableName."`
}

// atURL names the approver.
type atURL struct {
	URL string `name:"url" placeholder:"URL" help:"The approver's function URL, instead of the stack's output ApproverUrl."`
}

// open finds out who the human is to AWS, and says so before anything is asked or changed.
func (p place) open(ctx context.Context, s streams, table inTable, approver atURL) (*deployment.Deployment, error) {
	there := deployment.Settings{Stack: p.Stack, Region: p.Region, Profile: p.Profile, Table: table.Table, URL: approver.URL, Token: func() (string, error) {
		fmt.Fprint(s.err, "Code of your MFA device: ")
		return readLine(s.in)
	}}
	if err := there.Check(); err != nil {
		return nil, badInput{err}
	}
	d, err := deployment.Open(ctx, there)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.err, "Account %s, region %s, as %s.\n", d.Account, d.Region, prose.Safe(d.Caller))
	return d, nil
}

// flags are what a printed command needs so that it finds this deployment from any machine; whose credentials are used is everybody's own.
func (p place) flags(d *deployment.Deployment) []string {
	flags := []string{"--region", d.Region}
	if p.Stack != defaultStack {
		flags = append(flags, "--stack", p.Stack)
	}
	return flags
}

// kept is the table of incidents, which is only read here: nobody but Nightlatch's own functions may write to it.
func kept(ctx context.Context, d *deployment.Deployment) (*dynamo.Store, error) {
	table, err := d.Table(ctx)
	if err != nil {
		return nil, err
	}
	return dynamo.New(d.Config(), table)
}

// openApprover opens a deployment and its approver, to which a request goes that names the table.
func (p place) openApprover(ctx context.Context, s streams, table inTable, approver atURL) (d *deployment.Deployment, url string, err error) {
	if d, err = p.open(ctx, s, table, approver); err != nil {
		return nil, "", err
	}
	if url, err = d.Approver(ctx); err != nil {
		return nil, "", err
	}
	_, err = d.Table(ctx) // with --url too
	return d, url, err
}

// openIncident opens a deployment, its table and one incident of it.
func (p place) openIncident(ctx context.Context, s streams, table inTable, approver atURL, id string) (*deployment.Deployment, *dynamo.Store, incident.Record, error) {
	d, err := p.open(ctx, s, table, approver)
	if err != nil {
		return nil, nil, incident.Record{}, err
	}
	store, err := kept(ctx, d)
	if err != nil {
		return nil, nil, incident.Record{}, err
	}
	rec, err := load(ctx, store, id)
	return d, store, rec, err
}

// chosen is the argument that says which step is meant.
type chosen struct {
	Step string `arg:"" optional:"" placeholder:"STEP" help:"The step, by its name as the messages print it (deactivate-key:AKIA...) or by its number; without it the only one that fits."`
	Yes  bool   `help:"Do not ask at the terminal. The step has to be named: what a number stands for may have changed since you read it."`
}

// stepName is what a step can be called by: a number, or its name.
var stepName = regexp.MustCompile(`^(-?[0-9]+|[a-z-]+:.+)$`)

// check finds what is wrong with the arguments before anybody is asked.
func (c chosen) check(id string) error {
	switch {
	case c.Yes && id == latest:
		return badInput{errors.New("--yes goes with an incident's id: another one may be the latest since you looked; nothing was changed")}
	case c.Step != "" && !stepName.MatchString(c.Step):
		return badInput{fmt.Errorf("%q is neither a step's number nor its name, which looks like deactivate-key:KEY", c.Step)}
	case c.Yes && !strings.Contains(c.Step, ":"):
		return badInput{errors.New("--yes goes with the step's name, as the messages and nightlatch incident print it: what a number stands for may have changed since; nothing was changed")}
	}
	return nil
}

// pick finds the step that is meant: by its name, or by its number, the first being 1, or the only one that fits. what says what fits.
func (c chosen) pick(rec incident.Record, what string, fits func(containment.Outcome) bool) (int, containment.Outcome, error) {
	no := func(err error) (int, containment.Outcome, error) { return 0, containment.Outcome{}, err }
	number, err := strconv.Atoi(c.Step)
	var named, fitting []int
	for i, o := range rec.Outcomes {
		if o.Name() == c.Step {
			named = append(named, i+1)
		}
		if fits(o) {
			fitting = append(fitting, i+1)
		}
	}
	several := func(numbers []int) error {
		var all []string
		for _, n := range numbers {
			all = append(all, fmt.Sprintf("%d (%s)", n, step(rec.Outcomes[n-1])))
		}
		return badInput{fmt.Errorf("incident %s has several steps that are %s, say which: %s", rec.ID, what, strings.Join(all, ", "))}
	}
	switch {
	case c.Step == "" && len(fitting) == 0:
		return no(fmt.Errorf("incident %s has no step that is %s", rec.ID, what))
	case c.Step == "" && len(fitting) > 1:
		return no(several(fitting))
	case c.Step == "":
		return fitting[0], rec.Outcomes[fitting[0]-1], nil
	case len(named) > 1:
		return no(several(named))
	case len(named) == 1:
		number = named[0]
	case err != nil:
		return no(badInput{fmt.Errorf("incident %s has no step %s; nightlatch incident %s shows those that it has", rec.ID, prose.Safe(c.Step), rec.ID)})
	case number < 1 || number > len(rec.Outcomes):
		return no(badInput{fmt.Errorf("incident %s has no step %d: it has %s", rec.ID, number, prose.Plural(int64(len(rec.Outcomes)), "step"))})
	}
	switch o := rec.Outcomes[number-1]; {
	case !o.Step.Planned():
		return no(fmt.Errorf("step %d of incident %s, %s, is none that Nightlatch can do: run by hand what the incident says", number, rec.ID, step(o)))
	case !fits(o):
		return no(fmt.Errorf("step %d of incident %s, %s, is not %s: it is %s", number, rec.ID, step(o), what, prose.Safe(string(o.State))))
	default:
		return number, o, nil
	}
}

// shown names a step to the approver as it was shown.
func shown(rec incident.Record, number int, o containment.Outcome) deployment.Step {
	return deployment.Step{Incident: rec.ID, Step: number, Action: string(o.Action), Target: o.Target, Of: o.Of()}
}

// step is a step in a few words.
func step(o containment.Outcome) string {
	text := prose.Safe(string(o.Action)) + " " + prose.Safe(o.Target)
	if o.Step.Target.Owner != "" {
		text += " of " + prose.Safe(o.Step.Target.Owner)
	}
	return text
}

// show says which step of which incident is meant, before anything is done about it.
func show(s streams, rec incident.Record, number int, o containment.Outcome) {
	fmt.Fprintf(s.err, "Incident %s, opened %s UTC, mode %s, %s: %s.\n", rec.ID, prose.Minute(rec.Opened), prose.Safe(string(rec.Mode)),
		rec.Brief().State(), report.Answer(rec))
	fmt.Fprintf(s.err, "Step %d: %s, %s at %s UTC.\n", number, step(o), prose.Safe(string(o.State)), o.At.UTC().Format("2006-01-02 15:04:05"))
	if hits := report.Hits(rec, o); hits != "" && o.Approvable() {
		fmt.Fprintf(s.err, "It would hit %s.\n", hits)
	}
}

// confirm asks the human at the terminal, unless --yes is given.
func confirm(s streams, yes bool, question string) error {
	if yes {
		return nil
	}
	f, ok := s.in.(*os.File)
	if ok {
		info, err := f.Stat()
		ok = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if !ok {
		return badInput{errors.New("there is no terminal to ask you on: add --yes if you mean it; nothing was changed")}
	}
	fmt.Fprintf(s.err, "%s Type yes: ", question)
	if answer, err := readLine(s.in); err != nil || answer != "yes" {
		return errors.New("that was not a yes; nothing was changed")
	}
	return nil
}

// waiting is said before a request to the approver, which asks CloudTrail who the caller is.
const waiting = "Waiting for the approver, for some minutes if need be ..."

// readLine reads one line and nothing after it.
func readLine(in io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := in.Read(b)
		switch {
		case n == 1 && b[0] == '\n':
			return strings.TrimSpace(string(line)), nil
		case n == 1:
			line = append(line, b[0])
		case err != nil:
			return strings.TrimSpace(string(line)), err
		}
	}
}
