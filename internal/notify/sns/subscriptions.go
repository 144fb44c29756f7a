package sns

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
	"nightlatch/internal/notify"
)

// maxSubscriptions is how many subscriptions of a topic are read: a topic has millions at most, and the team's has a few.
const maxSubscriptions = 500

// SubscriptionGrants are the permissions that Subscriptions needs, for the team's topic. A subscription's attributes are read with a right on
// its topic: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
func SubscriptionGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadSubscriptions", Actions: []string{"sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes"}, On: []string{"${Topic}"}}}
}

// Subscriptions are the topic's subscriptions, the unconfirmed among them.
// https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html,
// https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html
func (t *Topic) Subscriptions(ctx context.Context) ([]notify.Subscription, error) {
	var all []notify.Subscription
	pages := sns.NewListSubscriptionsByTopicPaginator(t.client, &sns.ListSubscriptionsByTopicInput{TopicArn: &t.arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, t.unread("sns:ListSubscriptionsByTopic", err)
		}
		for _, listed := range page.Subscriptions {
			if len(all) == maxSubscriptions {
				return nil, fmt.Errorf("reading the subscriptions of SNS topic %q: there are more than %d; take away those that nobody needs", t.arn, maxSubscriptions)
			}
			s, err := t.subscription(ctx, listed)
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// subscription reads one. Until it is confirmed, its list names no ARN, but the word PendingConfirmation; "Deleted" stands there after it is gone.
func (t *Topic) subscription(ctx context.Context, listed types.Subscription) (notify.Subscription, error) {
	s := notify.Subscription{Endpoint: notify.Endpoint{Protocol: aws.ToString(listed.Protocol), Address: aws.ToString(listed.Endpoint)}}
	arn := aws.ToString(listed.SubscriptionArn)
	if !strings.HasPrefix(arn, "arn:") {
		return s, nil
	}
	out, err := t.client.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &arn})
	if refused, _ := awserr.Refusal(err); refused != nil && refused.ErrorCode() == "NotFound" {
		return s, nil // it was taken away between the two calls
	}
	if err != nil {
		return s, t.unread("sns:GetSubscriptionAttributes", err)
	}
	if out.Attributes["SubscriptionArn"] != arn { // the client takes an empty answer of anybody's for a success
		return s, fmt.Errorf("reading the subscriptions of SNS topic %q: the answer is not SNS's; see whether a proxy stands between", t.arn)
	}
	s.ARN, s.Confirmed = arn, out.Attributes["PendingConfirmation"] != "true"
	filter := strings.TrimSpace(out.Attributes["FilterPolicy"])
	s.Filtered = filter != "" && filter != "{}"
	s.Authenticated = out.Attributes["ConfirmationWasAuthenticated"] == "true"
	return s, nil
}

// unread makes the one sentence about what could not be read.
func (t *Topic) unread(action string, err error) error {
	doing := fmt.Sprintf("reading the subscriptions of SNS topic %q", t.arn)
	refused, status := awserr.Refusal(err)
	switch {
	case refused == nil:
		return awserr.Silence{Doing: doing, Service: "SNS", Late: "; try again", Reach: "SNS can be reached from here"}.Sentence(status, err)
	case refused.ErrorCode() == "NotFound":
		return fmt.Errorf("%s: %w", doing, notify.ErrGone)
	case refused.ErrorCode() == "AuthorizationError", refused.ErrorCode() == "AccessDenied", refused.ErrorCode() == "AccessDeniedException":
		return grant.Denied(action, fmt.Sprintf("topic %q", t.arn), refused.ErrorMessage())
	}
	return fmt.Errorf("%s: %s", doing, refusal(refused))
}
