package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The same files give the same bytes, whatever their times and modes, and others do not.
func TestTheSameCodeIsPackedAlike(t *testing.T) {
	code := func(text string, mode os.FileMode, at time.Time) (name, hash string) {
		t.Helper()
		dir := t.TempDir()
		for file, text := range map[string]string{"bootstrap": text, "policy.cedar": "permit"} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(filepath.Join(dir, file), at, at); err != nil {
				t.Fatal(err)
			}
		}
		name, hash, err := pack(dir)
		if err != nil {
			t.Fatal(err)
		}
		return name, hash
	}
	name, hash := code("x", 0o600, time.Unix(1e9, 0))
	_, same := code("x", 0o755, time.Now())
	if _, other := code("y", 0o755, time.Now()); same != hash || other == hash {
		t.Errorf("%s, %s and %s", hash, same, other)
	}
	bytes, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(bytes); base64.StdEncoding.EncodeToString(sum[:]) != hash {
		t.Errorf("%s is not the hash of the archive", hash)
	}
	archive, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	got := map[string]string{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || f.Mode() != 0o755 {
			t.Errorf("%s: mode %v, %v", f.Name, f.Mode(), err)
		}
		got[f.Name] = string(text)
	}
	if len(got) != 2 || got["bootstrap"] != "x" || got["policy.cedar"] != "permit" {
		t.Errorf("it holds %v", got)
	}
	if _, _, err := pack(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no code is packed")
	}
}

// The template names the hash of each function's code, which the CDK uploads as it is.
func TestTheTemplateNamesTheCode(t *testing.T) {
	app, _, dir := unsynthesized(t, read(t))
	app.Synth(nil)
	text, err := os.ReadFile(filepath.Join(dir, stackName+".template.json"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct{ Code any }
			Metadata   struct{ Nightlatch struct{ CodeSha256 string } }
		}
	}
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	functions := 0
	for id, r := range template.Resources {
		if r.Type != "AWS::Lambda::Function" {
			continue
		}
		functions++
		archive, err := os.ReadFile(filepath.Join(dir, "asset."+r.Properties.Code.(map[string]any)["S3Key"].(string)))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(archive); base64.StdEncoding.EncodeToString(sum[:]) != r.Metadata.Nightlatch.CodeSha256 {
			t.Errorf("%s has the hash %q", id, r.Metadata.Nightlatch.CodeSha256)
		}
	}
	if functions < 6 {
		t.Errorf("there are %d functions", functions)
	}
}
