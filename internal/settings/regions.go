package settings

import (
	"slices"
	"strings"
)

// withoutURLs are the regions in which Lambda has no function URLs, so that a deployment there has no approver that could be called:
// https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
var withoutURLs = []string{"ap-east-2", "ap-south-2", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-2",
	"il-central-1", "me-central-1"}

// withoutPolicies are the regions in which CloudFormation has no policy of a function as a whole, AWS::Lambda::ResourcePolicy, as cfn-lint's
// schemas of them say.
var withoutPolicies = []string{"cn-north-1", "cn-northwest-1", "me-central-1", "us-gov-east-1", "us-gov-west-1"}

// HasFunctionPolicies reports whether CloudFormation has policies of functions in a region, as far as that is known.
func HasFunctionPolicies(region string) bool { return !slices.Contains(withoutPolicies, region) }

// HasFunctionURLs reports whether Lambda has function URLs in a region, as far as that is known.
func HasFunctionURLs(region string) bool { return !slices.Contains(withoutURLs, region) }

// partitions are those of regions by how their names begin; all others are of aws.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
var partitions = map[string]string{"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}

// PartitionOf is the partition of a region.
func PartitionOf(region string) string {
	for begins, partition := range partitions {
		if strings.HasPrefix(region, begins) {
			return partition
		}
	}
	return "aws"
}
