package awscanary

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"nightlatch/internal/awserr"
	"nightlatch/internal/rehearsal"
)

// Order is what the function in the canary's own network is told: it has no rights of its own, and nothing to ask them of.
type Order struct {
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	Bucket          string `json:"bucket"`
	// Bytes is how much it reads of the canary bucket's object.
	Bytes int64 `json:"bytes"`
}

// Take reads so many bytes as the canary, whole objects and then a part of one, and returns how many came. It is not tried again: what was read
// twice would be counted twice.
func Take(ctx context.Context, cfg aws.Config, o Order) (took int64, err error) {
	if o.AccessKeyID == "" || o.SecretAccessKey == "" || o.Bucket == "" || o.Bytes < 1 || o.Bytes > rehearsal.Taken {
		return 0, fmt.Errorf("an order names a key with its secret, a bucket, and 1 to %d bytes", int64(rehearsal.Taken))
	}
	cfg = cfg.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey, "")
	client := s3.NewFromConfig(cfg, func(s *s3.Options) { s.Retryer = aws.NopRetryer{} })
	for took < o.Bytes {
		n, err := read(ctx, client, o.Bucket, min(o.Bytes-took, rehearsal.Object))
		took += n
		if err != nil {
			return took, fmt.Errorf("reading bucket %q as the canary, after %d bytes: %w", o.Bucket, took, err)
		}
	}
	return took, nil
}

func read(ctx context.Context, client *s3.Client, bucket string, bytes int64) (int64, error) {
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String(rehearsal.Key), Range: aws.String(fmt.Sprintf("bytes=0-%d", bytes-1))})
	if err != nil {
		return 0, awserr.Cause(err)
	}
	defer out.Body.Close()
	n, err := io.Copy(io.Discard, out.Body)
	if err == nil && n == 0 {
		err = errors.New("the object is empty")
	}
	return n, err
}
