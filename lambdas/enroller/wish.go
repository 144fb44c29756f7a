package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"nightlatch/internal/enroll"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/settings"
)

var filterID = lazyregexp.New(`^[A-Za-z0-9._-]{1,64}$`)

// given are the properties that CloudFormation itself adds.
var given = []string{"ServiceToken", "ServiceTimeout"}

// wish reads the resource's properties: Buckets, a list of names or *, and Id, the id of the request-metrics configuration.
// CloudFormation writes every scalar as a string.
func wish(properties map[string]any) (enroll.Wish, error) {
	var w enroll.Wish
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		switch value := properties[name]; name {
		case "Id":
			id, _ := value.(string)
			if !filterID.MatchString(id) {
				return enroll.Wish{}, fmt.Errorf("the property Id is %q, and should be the id of a request-metrics configuration", value)
			}
			w.Filter = id
		case "Buckets":
			var err error
			if w.Buckets, err = buckets(value); err != nil {
				return enroll.Wish{}, err
			}
		case "Tag":
			w.Tag, _ = value.(string)
			if !settings.BucketTag.MatchString(w.Tag) {
				return enroll.Wish{}, fmt.Errorf("the property Tag is %q, and should be %s", value, settings.AcceptedBucketTag)
			}
		default:
			if !slices.Contains(given, name) {
				return enroll.Wish{}, fmt.Errorf("the property %s is not one of Buckets, Id and Tag", name)
			}
		}
	}
	w.Named = settings.Named(w.Buckets)
	switch {
	case w.Filter == "":
		return enroll.Wish{}, errors.New("the property Id is missing: it is the id of a request-metrics configuration")
	case len(w.Buckets) == 0:
		return enroll.Wish{}, errNoBuckets
	}
	return w, nil
}

var errNoBuckets = errors.New("the property Buckets is missing: it is a list of bucket names, or *")

// buckets reads the property Buckets.
func buckets(value any) ([]string, error) {
	var all []string
	list, _ := value.([]any)
	for _, entry := range list {
		bucket, _ := entry.(string)
		if err := settings.CheckBucket(bucket); bucket != enroll.Everything && err != nil {
			return nil, fmt.Errorf("the property Buckets: %v", err)
		}
		all = append(all, bucket)
	}
	return all, nil
}

// once reads what an earlier wish was, past whatever is wrong with it.
func once(properties map[string]any) enroll.Wish {
	var w enroll.Wish
	w.Filter, _ = properties["Id"].(string)
	list, _ := properties["Buckets"].([]any)
	for _, entry := range list {
		if bucket, _ := entry.(string); bucket == enroll.Everything || settings.CheckBucket(bucket) == nil {
			w.Buckets = append(w.Buckets, bucket)
		}
	}
	return w
}
