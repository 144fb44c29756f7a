package settings

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"nightlatch/internal/lazyregexp"
)

// BucketName is what a bucket can be called. Those made before 2018 in us-east-1 may have capitals, underscores and 255 characters, and
// exist: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
const BucketName = `[A-Za-z0-9._-]{3,255}`

var bucketName = lazyregexp.New(`^` + BucketName + `$`)

// CheckBucket says why no bucket of that name is watched; nil where one can be. Every entry point asks it. The error quotes no more of the
// name than a sentence can hold: it may come from anybody.
func CheckBucket(name string) error {
	shown := name
	if len(shown) > 64 {
		shown = shown[:64] + "…"
	}
	_, notIP := netip.ParseAddr(name)
	switch {
	case !bucketName.MatchString(name), notIP == nil:
		return fmt.Errorf("%+q is not the name of a bucket", shown)
	case Unwatched(name) != "":
		return errors.New(Unwatched(name))
	case strings.HasSuffix(name, "-s3alias"), strings.HasSuffix(name, "--ol-s3"), strings.HasSuffix(name, ".mrap"):
		return fmt.Errorf("%+q is an access point's name and not the name of a bucket: name the bucket behind it", shown)
	}
	return nil
}

// Unwatched says why a bucket of that name, which there may be, is not watched; "" where it can be.
func Unwatched(name string) string {
	if !bucketName.MatchString(name) {
		return ""
	}
	shown := name[:min(len(name), 64)]
	switch {
	case strings.HasSuffix(name, "--x-s3"):
		return fmt.Sprintf("%q is a directory bucket: directory buckets are not watched, as CloudTrail records their reads apart "+
			"(s3express.amazonaws.com) and with session keys that no step here stops", shown)
	case strings.HasSuffix(name, "--table-s3"):
		return fmt.Sprintf("%q is a table bucket's: table buckets are not watched, as CloudTrail records their reads apart (s3tables.amazonaws.com)", shown)
	}
	return ""
}
