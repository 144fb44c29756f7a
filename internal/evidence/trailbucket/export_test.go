package trailbucket

import "github.com/aws/aws-sdk-go-v2/service/s3"

// pathStyle is the bucket's client, for a server that has one name only.
func pathStyle(b *Bucket) *s3.Client {
	o := b.client.Options()
	o.UsePathStyle = true
	return s3.New(o)
}
