package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/checks"
	"nightlatch/internal/deployment"
	"nightlatch/internal/doctor"
	"nightlatch/internal/doctor/html"
	"nightlatch/internal/policy"
)

// doctorCmd runs the checks of the daily function.
type doctorCmd struct {
	place
	JSON bool   `name:"json" help:"Print the answers as nightlatch.doctor/1."`
	Page string `placeholder:"FILE" help:"Write the answers as one HTML file, too."`
	everywhere
	Policy string `placeholder:"FILE" help:"Judge this Cedar policy and its cases, and say whether it is the one that was deployed. Without it, the shipped one is judged, or what the doctor's function found is said again."`
}

// Run runs the checks with the human's own credentials. It changes nothing.
func (c *doctorCmd) Run(ctx context.Context, s streams) error {
	policy, err := c.policy()
	if err != nil {
		return badInput{err}
	}
	if c.All != nil {
		return c.runAll(ctx, s, policy)
	}
	d, err := c.open(ctx, s, inTable{}, atURL{})
	if err != nil {
		return err
	}
	reports, err := c.examine(ctx, d, policy)
	if err != nil {
		return err
	}
	text := []byte(doctor.Text(reports))
	if c.JSON {
		if text, err = doctor.JSON(reports); err != nil {
			return err
		}
	}
	if _, err := s.out.Write(text); err != nil {
		return err
	}
	if err := c.page(d, reports); err != nil {
		return err
	}
	if doctor.Count(reports, doctor.Holds) < len(reports) {
		return errors.New(doctor.Headline(reports))
	}
	return nil
}

// examine runs the checks of one deployment.
func (c *doctorCmd) examine(ctx context.Context, d *deployment.Deployment, policy doctor.PolicyRead) ([]doctor.Report, error) {
	table, err := kept(ctx, d)
	if err != nil {
		return nil, err
	}
	list, err := checks.Of(d.Config(), checks.Deployment{Stack: c.Stack, Account: d.Account, Region: d.Region, Memory: checks.Memory(table), Hearing: checks.Hearing(table), Tried: checks.Tried(table), Rehearsed: checks.Rehearsed(table), Incidents: table, Policy: policy})
	if err != nil {
		return nil, err
	}
	return doctor.Run(ctx, time.Now, list), nil
}

// runAll runs the checks of every deployment of the file, and prints of each what does not hold.
func (c *doctorCmd) runAll(ctx context.Context, s streams, policy doctor.PolicyRead) error {
	if c.Page != "" {
		return badInput{errors.New("--page is of one deployment, and --all of many: leave one of them out")}
	}
	return c.visits(ctx, s, c.place, c.JSON, func(ctx context.Context, d *deployment.Deployment, v *visit) error {
		reports, err := c.examine(ctx, d, policy)
		if err != nil {
			return err
		}
		if v.object, err = doctor.JSON(reports); err != nil {
			return err
		}
		v.line = doctor.Headline(reports)
		bad := slices.DeleteFunc(slices.Clone(reports), func(r doctor.Report) bool { return r.State == doctor.Holds })
		if len(bad) == 0 {
			return nil
		}
		_, v.text, _ = strings.Cut(doctor.Text(bad), "\n")
		return errors.New(v.line)
	})
}

// policy reads the file that is judged, with its cases where it has some. nil says that none is named.
func (c *doctorCmd) policy() (doctor.PolicyRead, error) {
	if c.Policy == "" {
		return nil, nil
	}
	f := doctor.PolicyFile{Name: filepath.Base(c.Policy)}
	var err error
	if f.Text, err = os.ReadFile(c.Policy); err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	if f.Cases, err = os.ReadFile(policy.CasesFile(c.Policy)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the policy's cases: %w", err)
	}
	return func() (doctor.PolicyFile, error) { return f, nil }, nil
}

// page writes the page, if a file is named for it.
func (c *doctorCmd) page(d *deployment.Deployment, reports []doctor.Report) error {
	if c.Page == "" {
		return nil
	}
	text, err := html.Page(fmt.Sprintf("stack %s of account %s, region %s", c.Stack, d.Account, d.Region), time.Now(), reports)
	if err != nil {
		return err
	}
	if err := write(c.Page, text); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}
