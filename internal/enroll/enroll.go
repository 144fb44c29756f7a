// Package enroll switches S3 request metrics on for the buckets that are watched, and off again:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-configurations.html
//
// A bucket is enrolled when it has a request-metrics configuration under the id that the alarms read, and without a filter: the metric
// counts the whole bucket. There is no place to remember which configurations Nightlatch has made, and none is needed:
// the id settings.OwnFilterID is Nightlatch's and only Nightlatch's. Under that id a configuration is made and taken away. Under
// any other id, an existing filter that a deployment names instead, nothing is ever made, changed or taken away: it is read.
package enroll

import (
	"context"
	"errors"
)

// Everything is the entry that stands for every bucket of the region, those made later too.
const Everything = "*"

// Bucket is a bucket and where it is; Region is "" where that is not known.
type Bucket struct{ Name, Region string }

// State is what stands on a bucket under one id.
type State int

// The states of a bucket. The zero one is not known.
const (
	Unknown State = iota
	Absent        // no configuration has that id
	Whole         // one has, and counts the whole bucket
	Part          // one has, and its filter leaves a part of the bucket out
)

// What a bucket can have against it that a caller must know.
var (
	ErrGone      = errors.New("there is no such bucket")
	ErrElsewhere = errors.New("the bucket is in another region")
)

// Metrics are the request-metrics configurations of one account in one region. Every error is one sentence that names the bucket
// and what to do; errors.Is finds ErrGone and ErrElsewhere in it. An error of Enrol and Withdraw does not say that nothing
// happened.
type Metrics interface {
	// Buckets are all general purpose buckets of the account, in every region, or an error: never only some of them.
	Buckets(context.Context) ([]Bucket, error)
	// Read reads what a bucket has under an id.
	Read(ctx context.Context, bucket, id string) (State, error)
	// Tags are a bucket's tags by their keys, none where it has none.
	Tags(ctx context.Context, bucket string) (map[string]string, error)
	// Enrol puts a configuration without a filter, over whatever has that id.
	Enrol(ctx context.Context, bucket, id string) error
	// Withdraw takes the configuration away; that it is not there is no error.
	Withdraw(ctx context.Context, bucket, id string) error
}
