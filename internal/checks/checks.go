// Package checks puts the doctor's checks together with what reads AWS for them: one list for the daily function and for the command.
package checks

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/doctor"
	"nightlatch/internal/doctor/awsstack"
	"nightlatch/internal/grant"
	"nightlatch/internal/notify"
	"nightlatch/internal/notify/sns"
)

// Of are the checks of a stack, by its name or id, in their order. It makes no call to AWS.
func Of(cfg aws.Config, stack string) ([]doctor.Check, error) {
	reader, err := awsstack.New(cfg, stack)
	if err != nil {
		return nil, err
	}
	deployed := doctor.Once(reader)
	subscriptions := func(ctx context.Context, arn string) ([]notify.Subscription, error) {
		topic, err := sns.New(cfg, arn)
		if err != nil {
			return nil, err
		}
		return topic.Subscriptions(ctx)
	}
	return []doctor.Check{
		doctor.Endpoints(deployed, subscriptions, with(sns.SubscriptionGrants())...),
		doctor.Alarms(deployed, reader.Alarms, with(awsstack.AlarmGrants())...),
	}, nil
}

// with adds what every check needs: it reads what was deployed.
func with(more []grant.Grant) []grant.Grant { return append(awsstack.StackGrants(), more...) }
