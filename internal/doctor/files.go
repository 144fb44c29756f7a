package doctor

import (
	"context"
	"strings"

	"nightlatch/internal/trail"
)

// files are where a trail's files lie.
type files struct {
	// what they are in a sentence, and setting the one that names them.
	what, setting string
	// arn is the trail's; "" where its location alone is given. location holds Unknown where it was looked up.
	arn, location string
	made          bool
}

// files are those of the trail and, where there is one, of the other that has the management events.
func (d Deployed) files() []files {
	if d.Trail == "" {
		return nil
	}
	all := []files{{"the trail's files", "trailLocation", d.Trail, d.Location, d.MadeTrail}}
	if d.ManagementTrail != "" || d.ManagementLocation != "" {
		all = append(all, files{"the management trail's files", "managementTrail", d.ManagementTrail, d.ManagementLocation, false})
	}
	return all
}

// given reports whether where they lie was given with the deployment: the trail is not looked up.
func (f files) given() bool {
	return f.location != "" && !f.made && !strings.Contains(f.location, Unknown)
}

// at is where they lie: as given, or as CloudTrail says.
func (f files) at(ctx context.Context, trails trail.Reader) (string, error) {
	if f.given() {
		return f.location, nil
	}
	t, err := trails.Read(ctx, f.arn)
	return t.Location(), err
}
