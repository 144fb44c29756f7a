package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// build compiles Lambdas from source for provided.al2023 on arm64, as https://docs.aws.amazon.com/lambda/latest/dg/golang-package.html
// wants it: for each package a directory below dir, of the package's name, with one file named bootstrap. norpc leaves out what only the old
// go1.x runtime needed. What a debugger would read is stripped, and so not made in the first place.
//
// The same source gives the same bytes, whatever the directory and the commit, so that a deployment without a change changes nothing.
func build(root, dir string, packages ...string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	args := []string{"build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags", "-s -w", "-o", dir + string(filepath.Separator)}
	cmd := exec.Command("go", append(args, packages...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64", "GOFLAGS=")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %v: %s", strings.Join(packages, ", "), err, strings.TrimSpace(string(said)))
	}
	for _, pkg := range packages {
		binary := filepath.Join(dir, path.Base(pkg))
		if err := errors.Join(os.Rename(binary, binary+".built"), os.Mkdir(binary, 0o755), os.Rename(binary+".built", filepath.Join(binary, "bootstrap"))); err != nil {
			return fmt.Errorf("putting the function %s into a directory of its own: %v", pkg, err)
		}
	}
	return nil
}
