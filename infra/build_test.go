package main

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"os"
	"path/filepath"
	"testing"

	"nightlatch/internal/policy"
)

// One test builds for real, twice: a deployment without a change must be one, wherever it is built.
func TestTheResponderIsBuilt(t *testing.T) {
	var sums [2][sha256.Size]byte
	for i := range sums {
		dir := t.TempDir()
		if err := build("..", "./lambdas/responder", dir, "policy.cedar", policy.ShippedText()); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(filepath.Join(dir, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(file)
		e, err := elf.NewFile(bytes.NewReader(file))
		if err != nil || e.Machine != elf.EM_AARCH64 {
			t.Fatalf("the bootstrap is %v, %v, want an ELF file for arm64", e, err)
		}
		if libraries, err := e.ImportedLibraries(); err != nil || len(libraries) > 0 {
			t.Errorf("the bootstrap needs %v, %v", libraries, err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "policy.cedar"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Load("policy.cedar", text); err != nil {
			t.Errorf("the policy beside it: %v", err)
		}
		t.Logf("bootstrap: %.1f MB", float64(len(file))/1e6)
	}
	if sums[0] != sums[1] {
		t.Error("two builds of the same source differ")
	}
}

func TestABuildThatFailsIsOneSentence(t *testing.T) {
	if err := build("..", "./lambdas/nothing", t.TempDir(), "policy.cedar", nil); err == nil {
		t.Error("got no error")
	}
}
