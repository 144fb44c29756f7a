package settings

import "slices"

// withoutURLs are the regions in which Lambda has no function URLs, so that a deployment there has no approver that could be called:
// https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
var withoutURLs = []string{"ap-east-2", "ap-south-2", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-2",
	"il-central-1", "me-central-1"}

// HasFunctionURLs reports whether Lambda has function URLs in a region, as far as that is known.
func HasFunctionURLs(region string) bool { return !slices.Contains(withoutURLs, region) }
