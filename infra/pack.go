package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// pack zips the files of a directory, and returns the archive's name and its hash as Lambda says it: CodeSha256, of the archive as it was uploaded.
// The CDK uploads a file that ends so as it is, and the template can name the hash, so that the doctor knows code that was not deployed.
//
// The same files give the same bytes, as in build. Of an archive among them its files are taken, as they are zipped there already: a function
// is zipped once, however many deployments get it.
// https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
func pack(dir string) (name, hash string, err error) {
	name = dir + ".zip"
	fail := func(err error) (string, string, error) {
		return "", "", fmt.Errorf("zipping a function's code: %v", err)
	}
	out, err := os.Create(name)
	if err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	sum := sha256.New()
	archive := zip.NewWriter(io.MultiWriter(out, sum))
	files, err := os.ReadDir(dir) // in order
	if err != nil {
		return fail(err)
	}
	for _, f := range files {
		if filepath.Ext(f.Name()) == ".zip" {
			if err := take(archive, filepath.Join(dir, f.Name())); err != nil {
				return fail(err)
			}
			continue
		}
		header := &zip.FileHeader{Name: f.Name(), Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		header.SetMode(0o755) // of which the bootstrap needs it
		into, err := archive.CreateHeader(header)
		if err != nil {
			return fail(err)
		}
		from, err := os.Open(filepath.Join(dir, f.Name()))
		if err != nil {
			return fail(err)
		}
		_, err = io.Copy(into, from)
		if err := errors.Join(err, from.Close()); err != nil {
			return fail(err)
		}
	}
	if err := archive.Close(); err != nil {
		return fail(err)
	}
	return name, base64.StdEncoding.EncodeToString(sum.Sum(nil)), nil
}

// take copies the files of another archive.
func take(into *zip.Writer, name string) error {
	from, err := zip.OpenReader(name)
	if err != nil {
		return err
	}
	defer from.Close()
	for _, f := range from.File {
		if err := into.Copy(f); err != nil {
			return err
		}
	}
	return nil
}
