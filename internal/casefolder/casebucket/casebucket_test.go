package casebucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"nightlatch/internal/awstest"
)

func TestMain(m *testing.M) { awstest.Beside(m) }

const owner = "123456789012" // moto's

// calls are what S3 was asked.
type calls struct {
	mu  sync.Mutex
	all []string
}

func (c *calls) add(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Header.Get("X-Amz-Expected-Bucket-Owner") != owner {
		c.all = append(c.all, "of anybody's bucket:")
	}
	what := r.Method
	for _, of := range []string{"uploads", "partNumber", "uploadId"} {
		if r.URL.Query().Has(of) {
			what += " " + of
			break
		}
	}
	c.all = append(c.all, what)
}

// newBucket is a bucket in moto that keeps versions, and what is called on it.
func newBucket(t *testing.T, name string) (*Bucket, *s3.Client, *calls) {
	t.Helper()
	endpoint := awstest.Moto(t)
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	seen := &calls{}
	proxy := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.add(r)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	own := s3.NewFromConfig(awstest.Config(endpoint))
	_, err = own.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
	if err == nil {
		_, err = own.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(awstest.Config(front.URL), name, owner)
	if err != nil {
		t.Fatal(err)
	}
	return b, own, seen
}

func says(text string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
}

func TestEachWriteIsAVersion(t *testing.T) {
	b, own, seen := newBucket(t, "cases-versions")
	one := b.Of("one")
	if text, version, err := one.Get(t.Context(), "manifest.json"); text != nil || version != "" || err != nil {
		t.Fatalf("%q, %q, %v", text, version, err)
	}
	first, err := one.Put(t.Context(), "manifest.json", says("1"))
	second, failed := one.Put(t.Context(), "manifest.json", says("2"))
	if err := errors.Join(err, failed); err != nil || first == "" || first == second {
		t.Fatalf("%q, %q, %v", first, second, err)
	}
	text, version, err := one.Get(t.Context(), "manifest.json")
	if err != nil || string(text) != "2" || version != second {
		t.Errorf("%q, %q, %v", text, version, err)
	}
	out, err := own.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("cases-versions"), Key: aws.String("one/manifest.json"), VersionId: &first})
	if err != nil || aws.ToString(out.ContentType) != "application/json" {
		t.Fatalf("%v, %v", out, err)
	}
	if text, _ := io.ReadAll(out.Body); string(text) != "1" {
		t.Errorf("the first is %q", text)
	}
	if got := strings.Join(seen.all, ","); got != "GET,PUT,PUT,GET" {
		t.Errorf("calls: %s", got)
	}
}

// What is long goes in parts, and no more of it is held than two of them.
func TestALongFileGoesInParts(t *testing.T) {
	b, own, seen := newBucket(t, "cases-parts")
	const parts = 6
	chunk := make([]byte, 1<<20)
	chance := rand.NewChaCha8([32]byte{})
	chance.Read(chunk)
	var most uint64
	version, err := b.Of("one").Put(t.Context(), "taken.csv.gz", func(w io.Writer) error {
		for range parts*8 + 1 {
			if _, err := w.Write(chunk); err != nil {
				return err
			}
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		return nil
	})
	if err != nil || version == "" || most > 40<<20 {
		t.Fatalf("%q, %v, up to %d MiB are held", version, err, most>>20)
	}
	head, err := own.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("cases-parts"), Key: aws.String("one/taken.csv.gz"), VersionId: &version})
	if err != nil || aws.ToInt64(head.ContentLength) != (parts*8+1)<<20 || aws.ToString(head.ContentType) != "application/gzip" {
		t.Errorf("%v, %v", head, err)
	}
	if got, want := strings.Join(seen.all, ","), "POST uploads,"+strings.Repeat("PUT partNumber,", parts+1)+"POST uploadId"; got != want {
		t.Errorf("calls: %s", got)
	}
}

// What fails leaves nothing: no object, and no parts of one.
func TestWhatFailsLeavesNothing(t *testing.T) {
	b, own, seen := newBucket(t, "cases-fails")
	busy := errors.New("the trail is busy")
	long := bytes.Repeat([]byte("x"), partBytes+1)
	for name, before := range map[string][]byte{"short": nil, "long": append(long, long...)} {
		_, err := b.Of("one").Put(t.Context(), name+".txt", func(w io.Writer) error {
			_, err := w.Write(before)
			return errors.Join(err, busy)
		})
		if !errors.Is(err, busy) {
			t.Errorf("%s: %v", name, err)
		}
	}
	objects, err := own.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("cases-fails")})
	uploads, failed := own.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("cases-fails")})
	if err := errors.Join(err, failed); err != nil || len(objects.Versions) != 0 || len(uploads.Uploads) != 0 {
		t.Errorf("%d objects and %d uploads are left, %v: %v", len(objects.Versions), len(uploads.Uploads), err, seen.all)
	}
}

func TestWhatS3Answers(t *testing.T) {
	const long = maxManifest + 1
	for want, c := range map[string]struct {
		status int
		code   string
		get    bool
	}{
		"may not call s3:PutObject on one/page.html in bucket \"cases\"":        {403, "AccessDenied", false},
		"may not call s3:GetObject on one/page.html":                            {403, "AccessDenied", true},
		"there is no such bucket any more; deploy again":                        {404, "NoSuchBucket", true},
		"S3 refused with PreconditionFailed (\"no\\u202e\")":                    {412, "PreconditionFailed", false},
		"S3 failed on its side (HTTP 500)":                                      {500, "InternalError", true},
		"S3 gave it no version, so that it may have written over another":       {200, "", false},
		"has more than 8388608 bytes, and none that Nightlatch writes has":      {200, strings.Repeat("x", long), true},
		"the answer (HTTP 403) is not S3's; see whether a proxy stands between": {403, "", true},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(c.status)
			switch {
			case c.status == 200:
				io.WriteString(w, c.code)
			case c.code == "":
				io.WriteString(w, "<!DOCTYPE html><p>Sign in")
			default:
				fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no&#x202e;</Message></Error>", c.code)
			}
		}))
		b, err := New(awstest.Config(server.URL), "cases", owner)
		if err != nil {
			t.Fatal(err)
		}
		if c.get {
			_, _, err = b.Of("one").Get(t.Context(), "page.html")
		} else {
			_, err = b.Of("one").Put(t.Context(), "page.html", says("x"))
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\n\u202e") {
			t.Errorf("%d %.20s: %v, want %q", c.status, c.code, err, want)
		}
		server.Close()
	}
}

// An upload that S3 refuses ends who writes to it.
func TestWhoWritesIsNotHeldUp(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(403)
		io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
	}))
	defer server.Close()
	b, err := New(awstest.Config(server.URL), "cases", owner)
	if err != nil {
		t.Fatal(err)
	}
	written := 0
	_, err = b.Of("one").Put(t.Context(), "taken.csv.gz", func(w io.Writer) error {
		for chunk := make([]byte, 1<<20); ; written++ {
			if _, err := w.Write(chunk); err != nil {
				return fmt.Errorf("row %d: %w", written, err)
			}
		}
	})
	if err == nil || !strings.Contains(err.Error(), "may not call s3:PutObject") || written > 32 {
		t.Errorf("%v after %d MiB", err, written)
	}
	ctx, over := context.WithCancel(t.Context())
	over()
	if _, err := b.Of("one").Put(ctx, "page.html", says("x")); err == nil || !strings.Contains(err.Error(), "the run was ended before S3 answered") {
		t.Errorf("%v", err)
	}
	if _, err := New(awstest.Config(server.URL), "", owner); err == nil {
		t.Error("no bucket is one")
	}
}
