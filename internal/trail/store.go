package trail

import (
	"context"
	"fmt"
)

// LookStore reads an event data store, and says why it cannot be asked who read the buckets, in one sentence that says what to change.
func LookStore(ctx context.Context, r StoreReader, arn string, w Wish) (Trail, error) {
	s, err := r.ReadStore(ctx, arn)
	if err != nil {
		return Trail{}, err
	}
	name := fmt.Sprintf("event data store %+q", s.ARN)
	if !s.Logging {
		return s, fmt.Errorf("%s records nothing; start it: aws cloudtrail start-event-data-store-ingestion --event-data-store %s", name, s.ARN)
	}
	return s, s.lacks(name, w)
}
