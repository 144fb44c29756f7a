package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/deployment"
	"nightlatch/internal/deployments"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
	"nightlatch/internal/version"
)

// deploymentsCmd lists the deployments of a file.
type deploymentsCmd struct {
	File string `arg:"" placeholder:"FILE" help:"The file of deployments, as the CDK's -c deployments=FILE has it."`
	JSON bool   `name:"json" help:"Print the list as nightlatch.all/1."`
}

// standing is how a deployment stands beside the file.
type standing struct {
	Deployed bool `json:"deployed"`
	// Bootstrapped says whether the CDK has prepared the account and region; it is looked at only where nothing is deployed.
	Bootstrapped bool `json:"bootstrapped"`
	// Version and Mode are the deployed ones; Lowered is the mode that is in force where a human has lowered it.
	Version string `json:"version,omitempty"`
	Mode    string `json:"mode,omitempty"`
	Lowered string `json:"lowered,omitempty"`
	Status  string `json:"status,omitempty"`
	// Differs says in what the file and the deployment differ, a sentence each.
	Differs []string `json:"differs"`
	// Drift is CloudFormation's last word of it, and DriftChecked when it was found out.
	Drift        string    `json:"drift,omitempty"`
	DriftChecked time.Time `json:"drift_checked,omitzero"`
}

// Run lists them with version, mode, and how each differs from the file. It changes nothing.
func (c *deploymentsCmd) Run(ctx context.Context, s streams) error {
	digests := map[string]string{}
	ask := func(ctx context.Context, d *deployment.Deployment, v *visit) error {
		stack, err := d.Look(ctx)
		if err != nil {
			return err
		}
		st := standing{Deployed: stack.There, Bootstrapped: stack.Bootstrapped, Version: stack.Version, Mode: stack.Mode, Status: stack.Status, Drift: stack.Drift, DriftChecked: stack.DriftChecked, Differs: []string{}}
		switch {
		case stack.There && v.d.Stack == settings.HubName: // it has no mode and no policy
			st.Differs = differs(stack, v.d, "")
		case stack.There:
			brakes, err := lowered(ctx, d)
			if err != nil {
				return err
			}
			st.Lowered = string(brakes.Mode)
			st.Differs = differs(stack, v.d, digests[v.d.Name()])
		}
		v.line = st.line(v.d, c.File)
		for _, text := range st.Differs {
			v.text += text + "\n"
		}
		v.object, err = json.Marshal(st)
		return err
	}
	f, err := readDeployments(c.File)
	if err != nil {
		return err
	}
	for _, d := range f.Deployments {
		if digests[d.Name()], err = policyDigest(d); err != nil {
			return badInput{fmt.Errorf("%s: %v", d.Place("policy"), err)}
		}
	}
	stacks := f.Deployments
	if f.Hub != nil {
		stacks = append(slices.Clone(stacks), *f.Hub)
	}
	return visitAll(ctx, s, place{Stack: defaultStack}, c.JSON, stacks, ask)
}

// lowered is what holds a deployment back.
func lowered(ctx context.Context, d *deployment.Deployment) (incident.Brakes, error) {
	store, err := kept(ctx, d)
	if err != nil {
		return incident.Brakes{}, err
	}
	b, err := store.Brakes(ctx)
	return inForce(d, b), err
}

// policyDigest is that of the policy that the file has for a deployment.
func policyDigest(d deployments.Deployment) (string, error) {
	name, text := d.Policy(), policy.ShippedText()
	if name != "" {
		var err error
		if text, err = os.ReadFile(name); err != nil {
			return "", fmt.Errorf("reading the policy: %v", err)
		}
	}
	p, err := policy.Load(name, text)
	if err != nil {
		return "", err
	}
	return policy.DigestOf(p, text).SHA256, nil
}

// differs says in what a deployed stack is not as the file and this version of Nightlatch have it.
func differs(stack deployment.Stack, d deployments.Deployment, digest string) (all []string) {
	if stack.Version != version.Release {
		all = append(all, fmt.Sprintf("version: deployed is %s, and this is %s", prose.Safe(cmp.Or(stack.Version, "one that does not say so")), version.Release))
	}
	if stack.Given == nil {
		all = append(all, "settings: the deployed version does not say them")
	} else {
		for _, x := range deployments.Differences(settings.Given(d.Settings), stack.Given) {
			all = append(all, fmt.Sprintf("%s: deployed is %s, and the file has %s", prose.Safe(x.Key), inWords(x.Deployed), inWords(x.File)))
		}
	}
	if stack.Policy != "" && stack.Policy != digest {
		all = append(all, fmt.Sprintf("policy: deployed is SHA-256 %.12s, and the file's is %.12s", prose.Safe(stack.Policy), digest))
	}
	return all
}

// inWords is a setting's value, shortened.
func inWords(v *string) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprintf("%+.80q", *v)
}

// line is how a deployment stands, in a line.
func (st standing) line(d deployments.Deployment, file string) string {
	switch {
	case !st.Deployed && !st.Bootstrapped:
		return fmt.Sprintf("NOT DEPLOYED, and no stack CDKToolkit is there: npx cdk bootstrap aws://%s/%s", d.Account, d.Region)
	case !st.Deployed:
		stack := d.Stack
		if stack == defaultStack { // as the CDK's command line has it
			stack += "-" + d.Account + "-" + d.Region
		}
		return fmt.Sprintf("NOT DEPLOYED: npx cdk deploy %s -c deployments=%s", stack, prose.Safe(file))
	}
	line := "version " + prose.Safe(cmp.Or(st.Version, "unknown"))
	if d.Stack != settings.HubName {
		line += ", mode " + prose.Safe(cmp.Or(st.Mode, "unknown"))
	}
	if st.Lowered != "" {
		line += ", lowered to " + prose.Safe(st.Lowered)
	}
	if !complete[st.Status] {
		line += ", " + prose.Safe(st.Status)
	}
	switch {
	case st.DriftChecked.IsZero():
		line += ", drift not checked"
	default:
		line += fmt.Sprintf(", %s when CloudFormation looked at %s UTC", prose.Safe(st.Drift), prose.Minute(st.DriftChecked))
	}
	if len(st.Differs) == 0 {
		return line + ", as the file has it"
	}
	return line + fmt.Sprintf(", %s", prose.Plural(int64(len(st.Differs)), "difference"))
}

// complete are the states of a stack that stands as it was deployed last.
var complete = map[string]bool{"CREATE_COMPLETE": true, "UPDATE_COMPLETE": true}

// lowerAll lowers the mode of every deployment of the file.
func (c *modeCmd) lowerAll(ctx context.Context, s streams, mode containment.Mode) error {
	if c.Table != "" || c.URL != "" {
		return badInput{fmt.Errorf("--all goes with no --table and no --url: each deployment's stack names its own")}
	}
	if _, err := c.everywhere.read(c.place); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "Lowering the mode to %s in every deployment of %s.\n", mode, prose.Safe(*c.All))
	return c.visits(ctx, s, c.place, false, func(ctx context.Context, d *deployment.Deployment, v *visit) error {
		said, err := d.LowerMode(ctx, string(mode))
		v.line = prose.Plain(said)
		return err
	})
}
