package lake

import (
	"fmt"

	"nightlatch/internal/lazyregexp"
)

// store is an event data store as its ARN names it.
type store struct {
	arn     string
	region  string
	account string
	id      string // what stands behind FROM
}

// storeARN is strict because its parts go on: the region into a host name, the id unquoted into SQL.
var storeARN = lazyregexp.New(`\Aarn:aws(?:-[a-z]+)*:cloudtrail:([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):([0-9]{12}):` +
	`eventdatastore/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\z`)

// parseStore takes an event data store's ARN apart:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html#awscloudtrail-resources-for-iam-policies
func parseStore(arn string) (store, error) {
	m := storeARN.FindStringSubmatch(arn)
	if m == nil {
		return store{}, fmt.Errorf("%q is not the arn of an event data store: it looks like arn:aws:cloudtrail:REGION:ACCOUNT:eventdatastore/UUID", arn)
	}
	return store{arn: arn, region: m[1], account: m[2], id: m[3]}, nil
}
