package awsstack

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"nightlatch/internal/awserr"
	"nightlatch/internal/doctor"
	"nightlatch/internal/grant"
)

// QueueGrants are the permissions that Queue needs.
func QueueGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadItsQueues", Actions: []string{"sqs:GetQueueAttributes"}, On: []string{"arn:${Partition}:sqs:${Region}:${Account}:${Stack}-*"},
		Why: "It reads the queues of its own stack, whose names CloudFormation ends as it likes."}}
}

// Queue reads a queue as it is. What a reader has taken and not deleted waits too.
func (r *Reader) Queue(ctx context.Context, url string) (doctor.Queue, error) {
	out := doctor.Queue{URL: url, Name: url[strings.LastIndex(url, "/")+1:]}
	on := fmt.Sprintf("queue %q", out.Name)
	const visible, taken, delayed = types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible, types.QueueAttributeNameApproximateNumberOfMessagesDelayed
	got, err := r.queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url,
		AttributeNames: []types.QueueAttributeName{visible, taken, delayed, types.QueueAttributeNameRedrivePolicy}})
	if refused, _ := awserr.Refusal(err); refused != nil && strings.HasSuffix(refused.ErrorCode(), "NonExistentQueue") || refused != nil && strings.HasSuffix(refused.ErrorCode(), "QueueDoesNotExist") {
		return doctor.Queue{}, fmt.Errorf("%s: %w", on, doctor.ErrGone)
	}
	if err != nil {
		return doctor.Queue{}, failed("sqs:GetQueueAttributes", on, err)
	}
	for _, name := range []types.QueueAttributeName{visible, taken, delayed} {
		n, err := strconv.Atoi(got.Attributes[string(name)])
		if err != nil {
			return doctor.Queue{}, failed("sqs:GetQueueAttributes", on, errStrange)
		}
		out.Waiting += n
	}
	if redrive := got.Attributes[string(types.QueueAttributeNameRedrivePolicy)]; redrive != "" {
		var v any
		if err := json.Unmarshal([]byte(redrive), &v); err != nil {
			return doctor.Queue{}, failed("sqs:GetQueueAttributes", on, errStrange)
		}
		out.Redrive = canonical(v)
	}
	return out, nil
}
