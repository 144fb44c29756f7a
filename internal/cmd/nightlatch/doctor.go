package main

import (
	"context"
	"errors"
	"time"

	"nightlatch/internal/checks"
	"nightlatch/internal/doctor"
)

// doctorCmd runs the checks of the daily function.
type doctorCmd struct {
	place
	JSON bool `name:"json" help:"Print the answers as nightlatch.doctor/1."`
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
	list, err := checks.Of(d.Config(), checks.Deployment{Stack: c.Stack, Account: d.Account, Region: d.Region, Memory: checks.Memory(table), Hearing: checks.Hearing(table), Incidents: table})
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
	if doctor.Count(reports, doctor.Holds) < len(reports) {
		return errors.New(doctor.Headline(reports))
	}
	return nil
}
