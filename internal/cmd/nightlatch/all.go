package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"nightlatch/internal/deployment"
	"nightlatch/internal/deployments"
	"nightlatch/internal/prose"
	"nightlatch/internal/workers"
)

// everywhere has a command go through all deployments of a file.
type everywhere struct {
	All *string `placeholder:"FILE" help:"Do it in every deployment of this file, as the CDK's -c deployments=FILE has it, with your own credentials, or with the profile or role that it gives."`
}

// atOnce is how many deployments are visited beside each other: one that does not answer holds up few of the others.
const atOnce = 8

// visit is what one deployment has answered.
type visit struct {
	d deployments.Deployment
	// line is the answer in a few words, and text what else is worth reading, "" for nothing; object is all of it as JSON, nil for nothing.
	line, text string
	object     []byte
	// err is why it did not answer; or, with a line, what is wrong there.
	err error
}

// visitor asks one deployment, and fills in its answer.
type visitor func(ctx context.Context, d *deployment.Deployment, v *visit) error

// visits asks every deployment of the file, and prints each answer in the file's order as soon as it is there. It returns an error where any has not
// answered, which names them: what was not asked is not known.
func (e everywhere) visits(ctx context.Context, s streams, p place, asJSON bool, ask visitor) error {
	f, err := e.read(p)
	if err != nil {
		return err
	}
	return visitAll(ctx, s, p, asJSON, f.Deployments, ask)
}

// visitAll is visits of these stacks.
func visitAll(ctx context.Context, s streams, p place, asJSON bool, stacks []deployments.Deployment, ask visitor) error {
	all, done := make([]visit, len(stacks)), make([]chan struct{}, len(stacks))
	for i := range done {
		done[i] = make(chan struct{})
	}
	var asking sync.Mutex // one question at a time for a code of the MFA device
	profiles := &deployment.Profiles{}
	go workers.Pool{Size: atOnce}.Each(len(all), func(i int) {
		defer close(done[i])
		v := &all[i]
		v.d = stacks[i]
		there := deployment.Settings{Stack: v.d.Stack, Region: v.d.Region, Profile: v.d.Profile, Account: v.d.Account, Role: v.d.Role, Profiles: profiles, Token: func() (string, error) {
			asking.Lock()
			defer asking.Unlock()
			fmt.Fprintf(s.err, "Code of your MFA device, for %s: ", v.d.Name())
			return readLine(s.in)
		}}
		if p.Stack != defaultStack {
			there.Stack = p.Stack
		}
		if v.err = there.Check(); v.err != nil {
			return
		}
		var d *deployment.Deployment
		if d, v.err = deployment.Open(ctx, there); v.err == nil {
			v.err = ask(ctx, d, v)
		}
	})
	silent, wrong, answers := []string{}, 0, []json.RawMessage{}
	for i := range all {
		<-done[i]
		v := all[i]
		switch {
		case v.err != nil && v.line == "":
			silent = append(silent, v.d.Name())
			v.line = "FAILED: " + sentence(v.err)
		case v.err != nil:
			wrong++
		}
		if asJSON {
			answer, err := v.json()
			if err != nil {
				return err
			}
			answers = append(answers, answer)
			continue
		}
		if _, err := fmt.Fprintf(s.out, "%s: %s\n%s", v.d.Name(), v.line, indented(v.text)); err != nil {
			return err
		}
	}
	if asJSON {
		text, err := json.MarshalIndent(struct {
			Schema      string            `json:"schema"`
			Deployments []json.RawMessage `json:"deployments"`
		}{allSchema, answers}, "", "  ")
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(s.out, "%s\n", text); err != nil {
			return err
		}
	}
	reached := fmt.Sprintf("%d of %s answered", len(all)-len(silent), prose.Plural(int64(len(all)), "deployment"))
	switch {
	case len(silent) > 0:
		return fmt.Errorf("%s; these did not: %s", reached, strings.Join(silent, ", "))
	case wrong > 0:
		return fmt.Errorf("%s; something is wrong in %d", reached, wrong)
	}
	fmt.Fprintln(s.err, reached+".")
	return nil
}

// allSchema names the JSON of a command that went through a file of deployments. Fields are only ever added.
const allSchema = "nightlatch.all/1"

// json is what a deployment has answered, or why it has not.
func (v visit) json() (json.RawMessage, error) {
	answer := struct {
		Stack   string          `json:"stack"`
		Account string          `json:"account"`
		Region  string          `json:"region"`
		Error   string          `json:"error,omitempty"`
		Answer  json.RawMessage `json:"answer,omitempty"`
	}{Stack: v.d.Stack, Account: v.d.Account, Region: v.d.Region, Answer: bytes.TrimSpace(v.object)}
	if v.err != nil {
		answer.Error = sentence(v.err)
	}
	return json.Marshal(answer)
}

// read reads the file. p says what else was given.
func (e everywhere) read(p place) (deployments.File, error) {
	if p.Region != "" || p.Profile != "" {
		return deployments.File{}, badInput{errors.New("--all goes with no --region and no --profile: the file says where each deployment is, and how it is reached")}
	}
	return readDeployments(*e.All)
}

// readDeployments reads a file of deployments.
func readDeployments(name string) (deployments.File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return deployments.File{}, badInput{fmt.Errorf("reading the deployments: %v", err)}
	}
	f, err := deployments.Parse(name, text)
	if err != nil {
		return deployments.File{}, badInput{err}
	}
	return f, nil
}

// indented puts two blanks before each line.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	return b.String()
}
