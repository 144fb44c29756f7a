package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlatch/internal/checks"
	"nightlatch/internal/deployment"
	"nightlatch/internal/doctor"
	"nightlatch/internal/doctor/html"
)

// doctorCmd runs the checks of the daily function.
type doctorCmd struct {
	place
	JSON bool   `name:"json" help:"Print the answers as nightlatch.doctor/1."`
	Page string `placeholder:"FILE" help:"Write the answers as one HTML file, too."`
}

// Run runs the checks with the human's own credentials. It changes nothing.
func (c *doctorCmd) Run(ctx context.Context, s streams) error {
	d, err := c.open(ctx, s, inTable{}, atURL{})
	if err != nil {
		return err
	}
	table, err := kept(ctx, d)
	if err != nil {
		return err
	}
	list, err := checks.Of(d.Config(), checks.Deployment{Stack: c.Stack, Account: d.Account, Region: d.Region, Memory: checks.Memory(table), Hearing: checks.Hearing(table), Tried: checks.Tried(table), Incidents: table})
	if err != nil {
		return err
	}
	reports := doctor.Run(ctx, time.Now, list)
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
