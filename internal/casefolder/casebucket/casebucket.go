// Package casebucket keeps case folders in a bucket that keeps versions, a folder an incident. It writes and reads, and deletes nothing.
//
// What is long goes there in parts, of which two are held at once:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
package casebucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"nightlatch/internal/awserr"
	"nightlatch/internal/casefolder"
	"nightlatch/internal/grant"
)

const (
	// attempts and backoff are how often a call is made that is throttled or cut off, and the longest wait between two.
	attempts, backoff = 5, 5 * time.Second
	// partBytes is what is sent at once; ten thousand of them are a list of a billion rows.
	partBytes = 8 << 20
	// maxManifest is the most bytes of a manifest that are read.
	maxManifest = 8 << 20
	// abortTime is for taking the parts back of what is given up.
	abortTime = 5 * time.Second
)

// Bucket is the bucket of case folders. Several goroutines may use it at once.
type Bucket struct {
	name, owner string
	client      *s3.Client
	uploads     *transfermanager.Client
}

// New makes it of a bucket's name and the account that owns it, in cfg's region. It makes no call.
func New(cfg aws.Config, name, owner string) (*Bucket, error) {
	if name == "" || owner == "" {
		return nil, errors.New("the case folders need a bucket, and the account that owns it")
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.Retryer = awserr.Retries(attempts, backoff, backoff) })
	return &Bucket{name, owner, client, transfermanager.New(client, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold, o.Concurrency, o.FailTimeout = partBytes, partBytes, 1, abortTime
	})}, nil
}

// Grants are the permissions for the calls that a Bucket makes, with ${CaseBucket} for its ARN. Each part of an upload takes s3:PutObject. Who may
// not list is not told that there is no manifest yet. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html (Permissions)
func Grants() []grant.Grant {
	const why = "A folder is called by its incident's id."
	return []grant.Grant{
		{Sid: "WriteCases", Actions: []string{write, "s3:AbortMultipartUpload"}, On: []string{"${CaseBucket}/*"}, Why: why},
		{Sid: "ReadManifests", Actions: []string{read}, On: []string{"${CaseBucket}/*/manifest.json", "${CaseBucket}/*/minutes.json"}, Why: why + " Its minutes are asked for once, and read from there after that."},
		{Sid: "KnowWhichAreNot", Actions: []string{"s3:ListBucket"}, On: []string{"${CaseBucket}"}},
	}
}

const read, write = "s3:GetObject", "s3:PutObject"

// Of is an incident's folder.
func (b *Bucket) Of(incident string) casefolder.Shelf { return shelf{b, incident} }

type shelf struct {
	*Bucket
	incident string
}

func (s shelf) key(name string) *string { return aws.String(s.incident + "/" + name) }

// Get implements casefolder.Shelf.
func (s shelf) Get(ctx context.Context, name string) (text []byte, version string, err error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.name, Key: s.key(name), ExpectedBucketOwner: &s.owner})
	if refused, _ := awserr.Refusal(err); refused != nil && refused.ErrorCode() == "NoSuchKey" {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", s.failed(read, name, err)
	}
	defer out.Body.Close()
	text, err = io.ReadAll(io.LimitReader(out.Body, maxManifest+1))
	switch {
	case err != nil:
		return nil, "", s.failed(read, name, err)
	case len(text) > maxManifest:
		return nil, "", fmt.Errorf("%s has more than %d bytes, and none that Nightlatch writes has: look who has written it", s.about(name), maxManifest)
	}
	return text, aws.ToString(out.VersionId), nil
}

// contents are how a browser is told what a file is.
var contents = map[string]string{".html": "text/html; charset=utf-8", ".json": "application/json", ".txt": "text/plain; charset=utf-8", ".gz": "application/gzip"}

// Put implements casefolder.Place.
func (s shelf) Put(ctx context.Context, name string, fill func(io.Writer) error) (version string, err error) {
	from, to := io.Pipe()
	filled := make(chan error, 1)
	go func() {
		err := fill(to)
		to.CloseWithError(err)
		filled <- err
	}()
	out, err := s.uploads.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: &s.name, Key: s.key(name), Body: from,
		ContentType: aws.String(contents[path.Ext(name)]), ExpectedBucketOwner: &s.owner})
	from.CloseWithError(errOver) // who still writes is not to wait
	switch unfilled := <-filled; {
	case unfilled != nil && !errors.Is(unfilled, errOver):
		return "", unfilled
	case err != nil:
		return "", s.failed(write, name, err)
	case aws.ToString(out.VersionID) == "" || aws.ToString(out.VersionID) == "null":
		return "", fmt.Errorf("writing %s: S3 gave it no version, so that it may have written over another: switch the bucket's versions on again, and look who has switched them off", s.about(name))
	}
	return *out.VersionID, nil
}

// errOver is what comes of writing to an upload that has failed.
var errOver = errors.New("the upload is over")

func (s shelf) about(name string) string {
	return fmt.Sprintf("%s/%s in bucket %q", s.incident, name, s.name)
}

// failed is the sentence about a call that failed.
func (s shelf) failed(action, name string, err error) error {
	doing := fmt.Sprintf("calling %s on %s", action, s.about(name))
	refusal, status := awserr.Refusal(err)
	if refusal == nil {
		return awserr.Silence{Doing: doing, Service: "S3", Ended: "; it is tried again", Late: "; it is tried again", Reach: "the function reaches S3"}.Sentence(status, err)
	}
	switch code := refusal.ErrorCode(); {
	case code == "AccessDenied":
		return grant.Denied(action, s.about(name), refusal.ErrorMessage())
	case code == "NoSuchBucket":
		return fmt.Errorf("%s: there is no such bucket any more; deploy again, and look in cloudtrail for DeleteBucket to see who deleted it", doing)
	case awserr.Throttled(code):
		return fmt.Errorf("%s: S3 is throttling; it is tried again", doing)
	default:
		return fmt.Errorf("%s: S3 refused with %s (%+.200q)", doing, code, refusal.ErrorMessage())
	}
}
