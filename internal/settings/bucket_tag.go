package settings

import "nightlatch/internal/lazyregexp"

// BucketTag is a tag that a bucket may have, by its key alone or with its value.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html
var BucketTag = lazyregexp.New(`^[\w .:/+@-]{1,128}(=[\w .:/=+@-]{0,256})?$`)

// AcceptedBucketTag says what it accepts.
const AcceptedBucketTag = "a tag of buckets, KEY or KEY=VALUE"
