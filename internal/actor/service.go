package actor

import (
	"slices"
	"strings"
)

// CloudFront is the service behind both kinds of identity with which CloudFront reads a bucket.
const CloudFront = "cloudfront"

// cloudFront is the account of an origin access identity, which is no account of anybody's.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
const cloudFront = "CloudFront"

// forThemselves are the services that read objects for what they themselves do: to look for sensitive data or malware in them, or to look
// after their own files. Every other may read for whoever has ordered it, or for whoever takes it from there.
var forThemselves = []string{"cloudtrail", "config", "guardduty", "malware-protection-plan.guardduty", "inspector2", "macie", "access-analyzer", "securityhub"}

// forItself reports whether a service reads for itself.
func forItself(invokedBy string) bool { return slices.Contains(forThemselves, service(invokedBy)) }

// service is a service's name without what every one of its partition ends with: cloudfront of cloudfront.amazonaws.com.
func service(invokedBy string) string {
	name, _, _ := strings.Cut(strings.ToLower(invokedBy), ".amazonaws.")
	return name
}

// Service names the service that made the call: cloudfront, replication.s3; "" where the record names none.
func (c Credential) Service() string {
	if c.AccountID == cloudFront {
		return CloudFront
	}
	return service(c.Via)
}

// Replicates reports whether the service is S3 itself, which reads in order to replicate or to do a batch job.
func (c Credential) Replicates() bool {
	s := c.Service()
	return s == "s3" || strings.HasSuffix(s, ".s3")
}
