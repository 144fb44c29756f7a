package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/pagestest"
)

var givenSetting = regexp.MustCompile(`-c ([a-z][A-Za-z]*)=`)

// Each setting stands in this folder's page with its default, and no page gives one that does not exist.
func TestThePageNamesTheSettings(t *testing.T) {
	page := pagestest.Read(t, "infra/README.md")
	var keys []string
	for _, f := range new(Settings).fields() {
		keys = append(keys, f.key)
		row := regexp.MustCompile("(?m)^\\| `" + f.key + "` \\|.*\\| ([^|]*) \\|$").FindStringSubmatch(page.Text)
		switch {
		case row == nil: // said below
		case f.required && !strings.HasPrefix(row[1], "required"):
			t.Errorf("%s: the default of %s is %q, and it is required", page.Path, f.key, row[1])
		case f.fallback != "" && row[1] != "`"+f.fallback+"`":
			t.Errorf("%s: the default of %s is %s, want %s", page.Path, f.key, row[1], f.fallback)
		}
	}
	pagestest.Same(t, page.Path+", settings", page.Column("setting"), keys)
	for _, p := range pagestest.All(t) {
		for _, m := range givenSetting.FindAllStringSubmatch(p.Text, -1) {
			if !slices.Contains(append(keys, deploymentsKey), m[1]) {
				t.Errorf("%s gives -c %s, which is not a setting", p.Path, m[1])
			}
		}
	}
}

func TestThePageNamesTheOutputs(t *testing.T) {
	outputs := map[string]any{}
	for _, changes := range [][]string{onlyAthena(made), {"eventDataStore", made}, {"canary", "a-canary"}} {
		maps.Copy(outputs, synth(t, changes...)["Outputs"].(map[string]any))
	}
	maps.Copy(outputs, abroad(t)["Outputs"].(map[string]any))
	maps.Copy(outputs, synth(t, besideAnother()...)["Outputs"].(map[string]any))
	page := pagestest.Read(t, "infra/README.md")
	pagestest.Same(t, page.Path+", outputs", page.Column("output"), slices.Collect(maps.Keys(outputs)))
}
