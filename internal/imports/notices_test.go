package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the pages of third-party notices")

// notices are the pages that name what is linked into a program, each in the folder of what it describes. What only runs from source, as
// the deployment does, or only in a test is not on them.
var notices = []struct {
	page, title string
	list        []string // go list's arguments
	env         []string // what the program is built with
	duckDB      bool
}{
	{"lambdas/NOTICES.md", "What the Lambda functions link", []string{"-tags", "lambda.norpc", "./lambdas/..."}, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64"}, false},
	{"internal/cmd/nightlatch/NOTICES.md", "What the command links", []string{"./internal/cmd/nightlatch"}, []string{"CGO_ENABLED=1"}, true},
}

func TestNotices(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED, the pages of third-party notices: they are of what Linux links")
	}
	for _, n := range notices {
		modules := linked(t, n.list, n.env)
		var page strings.Builder
		fmt.Fprintf(&page, "# %s\n\nWritten by `go test ./internal/imports -run TestNotices -update`; edit nothing here.\n\n", n.title)
		writeModules(t, &page, modules)
		if n.duckDB {
			writeDuckDB(t, &page, modules)
		}
		writeTexts(&page, modules)
		path := filepath.Join("..", "..", n.page)
		if *update {
			if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		had, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(had), "\n"), strings.Split(page.String(), "\n")); diff != "" {
			t.Errorf("%s is not what is linked now; write it anew with -update\n-page +linked\n%s", n.page, diff)
		}
	}
}

// module is one that a program links packages of.
type module struct {
	name, version, dir string
	texts              map[string]string // what its licence files say, by their names in the module
}

// linked lists the modules behind a program, Go itself first.
func linked(t *testing.T, args, env []string) []*module {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=ImportPath,Dir,Standard,Module"}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stderr = "../..", append(os.Environ(), env...), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	golang := &module{name: "Go: its runtime and standard library", version: "of the Go that builds", dir: strings.TrimSpace(string(root)), texts: map[string]string{}}
	golang.read(t, golang.dir)
	all := map[string]*module{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir string
			Standard        bool
			Module          *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Standard || p.Module.Main {
			continue
		}
		m := all[p.Module.Path]
		if m == nil {
			m = &module{platform.ReplaceAllString(p.Module.Path, "lib/PLATFORM"), p.Module.Version, p.Module.Dir, map[string]string{}}
			all[p.Module.Path] = m
		}
		for dir := p.Dir; strings.HasPrefix(dir, m.dir); dir = filepath.Dir(dir) {
			m.read(t, dir)
		}
	}
	modules := []*module{golang}
	modules = slices.AppendSeq(modules, maps.Values(all))
	slices.SortFunc(modules[1:], func(x, y *module) int { return strings.Compare(x.name, y.name) })
	return modules
}

// platform is the part of a module's path that another machine has another of.
var platform = regexp.MustCompile(`lib/[a-z]+-[a-z0-9]+$`)

// licenceFile are the names under which modules keep what has to be passed on.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notices?|patents|unlicense)([.-].*)?$`)

// read takes up the licence files of a directory of the module.
func (m *module) read(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.IsDir() || !licenceFile.MatchString(f.Name()) || strings.HasSuffix(f.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(m.dir, filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		m.texts[filepath.ToSlash(name)] = tidy(string(text))
	}
}

// tidy is a text without what an editor does not show.
func tidy(text string) string {
	lines := strings.Split(strings.NewReplacer("\r", "", "\f", "", "\t", "    ").Replace(text), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// kind is a licence, known by what it says.
type kind struct {
	name string
	says []string
}

// kinds are the licences that may ship; one without a name is a notice beside a licence. The first that fits counts. A licence that is not
// here fails the test: somebody has to have read it.
var kinds = []kind{
	{gnu, []string{"general public license"}},
	{"Apache-2.0", []string{"apache license", "version 2.0, january 2004"}},
	{"MIT", []string{"permission is hereby granted, free of charge", "above copyright notice and this permission notice"}},
	{"MIT-0", []string{"mit no attribution", "permission is hereby granted, free of charge"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "neither the name"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}},
	{"", []string{"additional ip rights grant (patents)"}},
	{"", []string{"copyright"}},
}

// gnu stands for the licences that nothing may have that ships.
const gnu = "GNU"

// licence is the licence that a text is, or "" for a notice beside one.
func licence(text string) (string, error) {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, k := range kinds {
		if slices.ContainsFunc(k.says, func(s string) bool { return !strings.Contains(text, s) }) {
			continue
		}
		if k.name == gnu {
			return "", errors.New("a GNU licence, and nothing of that kind ships")
		}
		return k.name, nil
	}
	return "", errors.New("a licence that nobody has read yet; see kinds")
}

// licences lists a module's licences.
func (m *module) licences(t *testing.T) string {
	t.Helper()
	var found []string
	for file, text := range m.texts {
		name, err := licence(text)
		if err != nil {
			t.Errorf("%s has in %s %v", m.name, file, err)
		}
		if name != "" && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		t.Errorf("%s has no licence", m.name)
	}
	slices.Sort(found)
	return strings.Join(found, ", ")
}

func TestLicencesThatMayShip(t *testing.T) {
	for text, want := range map[string]string{
		"GNU GENERAL PUBLIC LICENSE\nVersion 3":                                                "error",
		"GNU Affero General\n   Public License, with Apache License Version 2.0, January 2004": "error",
		"Business Source License 1.1":                                                          "error",
		"Apache License\n  Version 2.0, January 2004":                                          "Apache-2.0",
		"Copyright Cedar Contributors":                                                         "",
	} {
		got, err := licence(text)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// writeModules writes the table of the modules.
func writeModules(t *testing.T, page *strings.Builder, modules []*module) {
	t.Helper()
	page.WriteString("| module | version | licence |\n| --- | --- | --- |\n")
	for _, m := range modules {
		fmt.Fprintf(page, "| %s | %s | %s |\n", m.name, m.version, m.licences(t))
	}
}

// writeTexts writes each text once, and whose it is.
func writeTexts(page *strings.Builder, modules []*module) {
	owners := map[string][]string{}
	var texts []string
	for _, m := range modules {
		for _, file := range slices.Sorted(maps.Keys(m.texts)) {
			text := m.texts[file]
			if owners[text] == nil {
				texts = append(texts, text)
			}
			owners[text] = append(owners[text], fmt.Sprintf("%s (%s)", m.name, file))
		}
	}
	page.WriteString("\n## The texts\n")
	for _, text := range texts {
		fmt.Fprintf(page, "\n### %s\n\n~~~text\n%s\n~~~\n", strings.Join(owners[text], ", "), text)
	}
}
