package main

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// One test builds for real, twice: a deployment without a change must be one, wherever it is built.
func TestTheFunctionsAreBuilt(t *testing.T) {
	var sums [2]map[string][sha256.Size]byte
	for i := range sums {
		dir := t.TempDir()
		if err := build("..", dir, "./lambdas/responder", "./lambdas/approver", "./lambdas/enroller", "./lambdas/notices", "./lambdas/cutter"); err != nil {
			t.Fatal(err)
		}
		sums[i] = map[string][sha256.Size]byte{}
		for _, name := range []string{"responder", "approver", "enroller", "notices", "cutter"} {
			file, err := os.ReadFile(filepath.Join(dir, name, "bootstrap"))
			if err != nil {
				t.Fatal(err)
			}
			sums[i][name] = sha256.Sum256(file)
			e, err := elf.NewFile(bytes.NewReader(file))
			if err != nil || e.Machine != elf.EM_AARCH64 {
				t.Fatalf("the bootstrap of the %s is %v, %v, want an ELF file for arm64", name, e, err)
			}
			if libraries, err := e.ImportedLibraries(); err != nil || len(libraries) > 0 {
				t.Errorf("the bootstrap of the %s needs %v, %v", name, libraries, err)
			}
			t.Logf("%s: %.1f MB", name, float64(len(file))/1e6)
		}
	}
	if !maps.Equal(sums[0], sums[1]) {
		t.Error("two builds of the same source differ")
	}
}

func TestABuildThatFailsIsOneSentence(t *testing.T) {
	if err := build("..", t.TempDir(), "./lambdas/nothing"); err == nil {
		t.Error("got no error")
	}
}
