package awsstack

import (
	"context"
	"fmt"
	"slices"

	"nightlatch/internal/awserr"
	"nightlatch/internal/doctor"
)

// Resource reads a resource as it is.
func (r *Reader) Resource(ctx context.Context, kind doctor.Kind, id string) (doctor.Resource, error) {
	switch kind {
	case doctor.Function:
		return r.function(ctx, id)
	case doctor.Mapping:
		return r.mapping(ctx, id)
	case doctor.Table:
		return r.table(ctx, id)
	case doctor.Group:
		return r.group(ctx, id)
	case doctor.Bucket:
		return r.bucket(ctx, id)
	}
	return doctor.Resource{}, fmt.Errorf("a %q is nothing that is read here", kind)
}

// put sets a setting that there is.
func put(settings map[string]string, name, value string) {
	if value != "" {
		settings[name] = value
	}
}

// gone reports whether a service says that there is no such thing.
func gone(err error) bool {
	refused, _ := awserr.Refusal(err)
	return refused != nil && slices.Contains([]string{"ResourceNotFoundException", "PolicyNotFoundException", "NoSuchBucket", "NoSuchEntity"}, refused.ErrorCode())
}

// missing is doctor.ErrGone where there is no such thing, and the sentence about the call otherwise.
func missing(action, on string, err error) error {
	if gone(err) {
		return fmt.Errorf("%s: %w", on, doctor.ErrGone)
	}
	return failed(action, on, err)
}
