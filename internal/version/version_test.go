package version

import (
	"regexp"
	"testing"
)

func TestTheReleaseIsASemanticVersion(t *testing.T) {
	if !regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$`).MatchString(Release) {
		t.Errorf("%q is none", Release)
	}
}
