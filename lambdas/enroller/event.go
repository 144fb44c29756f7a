package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/aws/aws-lambda-go/cfn"

	"nightlatch/internal/enroll"
	"nightlatch/internal/settings"
)

// handle answers CloudFormation, the daily check, or the making of a bucket.
func (e *enroller) handle(ctx context.Context, raw json.RawMessage) error {
	var event struct {
		RequestType string // CloudFormation's
		DetailType  string `json:"detail-type"` // EventBridge's
		Source      string `json:"source"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return fmt.Errorf("the event is not JSON of an event's shape: %v", err)
	}
	switch {
	case event.RequestType != "":
		var request cfn.Event
		if err := json.Unmarshal(raw, &request); err != nil {
			return fmt.Errorf("the event looks like a custom resource's, and cannot be read: %v", err)
		}
		if request.ResponseURL == "" {
			return errors.New("the event looks like a custom resource's, and does not say where the answer goes")
		}
		return e.resource(ctx, request)
	case event.Source == "aws.events" && event.DetailType == "Scheduled Event":
		return e.enrol(ctx, "")
	case event.Source == "aws.s3" && event.DetailType == "AWS API Call via CloudTrail":
		name, why := newBucket(raw)
		if why != "" {
			e.log.InfoContext(ctx, "the call is passed over", "why", why)
			return nil
		}
		return e.enrol(ctx, name)
	}
	return fmt.Errorf("the event is no custom resource's, no schedule's and no new bucket's: its source is %q and its detail-type %q",
		event.Source, event.DetailType)
}

// newBucket is the bucket that a CloudTrail record says was made, or given tags, or why there is none.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
func newBucket(raw json.RawMessage) (name, why string) {
	var event struct {
		Detail struct {
			EventName         string `json:"eventName"`
			ErrorCode         string `json:"errorCode"`
			RequestParameters struct {
				BucketName string `json:"bucketName"`
			} `json:"requestParameters"`
		} `json:"detail"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return "", "its detail cannot be read"
	}
	switch d := event.Detail; {
	case d.EventName != "CreateBucket" && d.EventName != "PutBucketTagging":
		return "", fmt.Sprintf("it is %q, not CreateBucket or PutBucketTagging", d.EventName)
	case d.ErrorCode != "":
		return "", "it was refused, and did nothing"
	}
	bucket := event.Detail.RequestParameters.BucketName
	if err := settings.CheckBucket(bucket); err != nil {
		return "", err.Error()
	}
	return bucket, ""
}

// enrol enrols what is watched and has no request metrics: all of it, or the one bucket that was made. An error is returned where the event's
// next delivery may do better. The alarm on the function's errors fires on it.
func (e *enroller) enrol(ctx context.Context, made string) error {
	wanted, err := e.standing()
	if err != nil {
		return err
	}
	if made != "" {
		// A rule may be there still while the stack changes over to named buckets.
		if !slices.Contains(wanted.Buckets, enroll.Everything) {
			e.log.InfoContext(ctx, "the event is passed over", "why", "only named buckets are watched")
			return nil
		}
		wanted.Buckets = []string{made}
	}
	work, cancel := until(ctx, workMargin)
	defer cancel()
	r, err := enroll.Reconcile(work, e.metrics, e.region, wanted, enroll.Wish{})
	if err != nil {
		return err
	}
	// The deployment has named the buckets of other regions. One that is gone again, or was made elsewhere, is nobody's trouble.
	r = quiet(r)
	e.report(ctx, r)
	var again []string
	if made == "" {
		again = r.Enrolled
	}
	message, bad := notice(r, again)
	if !bad {
		return nil
	}
	if err := e.notify(ctx, message); err != nil {
		return err
	}
	if n := len(r.Unreached); n > 0 {
		return fmt.Errorf("the time was over before %d buckets were done with, %q the first", n, r.Unreached[0])
	}
	return nil
}

// standing is what the deployment wants watched. It is read when it is needed, so that a stack can be deleted without it.
func (e *enroller) standing() (enroll.Wish, error) {
	var properties map[string]any
	text, err := os.ReadFile(e.watched)
	if err == nil {
		err = json.Unmarshal(text, &properties)
	}
	if err != nil {
		return enroll.Wish{}, fmt.Errorf("reading what is watched: %v; deploy again", err)
	}
	return wish(properties)
}
