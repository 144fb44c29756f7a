package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build compiles a Lambda from source for provided.al2023 on arm64, as
// https://docs.aws.amazon.com/lambda/latest/dg/golang-package.html wants it: one file named bootstrap. norpc leaves out what only
// the old go1.x runtime needed. A file goes beside it, where it has a name.
//
// The same source gives the same bytes, whatever the directory and the commit, so that a deployment without a change is one.
func build(root, pkg, dir, file string, text []byte) error {
	out, err := filepath.Abs(filepath.Join(dir, "bootstrap"))
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64", "GOFLAGS=")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %v: %s", pkg, err, strings.TrimSpace(string(said)))
	}
	if file == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(dir, file), text, 0o644)
}
