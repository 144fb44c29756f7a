package main

import (
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/settings"
)

// alarmPrefix begins the name of every alarm that the responder answers. The permission to invoke it and the EventBridge rule go by it.
const alarmPrefix = "nightlatch-"

// maxExpression is the length of an alarm's expression:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
const maxExpression = 2048

// longestFilter and longestName are as long as the id of a request-metrics configuration and the name of a bucket made since 2018 can be.
var longestFilter, longestName = strings.Repeat("x", 64), strings.Repeat("x", 63)

// newAlarms makes one alarm for each threshold of a named bucket, and one Metrics Insights alarm for each of all others. Their buckets are its
// contributors, and it fires for each of them:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/multi-time-series-alarm.html
// What leaves all of them together is added up by alarms of their own.
func newAlarms(scope constructs.Construct, s Settings, responder *string) {
	place := places(scope, s.Buckets)
	for _, b := range s.Buckets {
		alarms, suffix := place(b.Name)
		for _, t := range b.Thresholds {
			props := commonProps(t, responder)
			if b.Name == settings.EveryBucket {
				// Without ORDER BY, only some of more than 500 buckets would be evaluated, and not those that move most.
				props.AlarmName = jsii.String(alarmPrefix + "every-bucket" + byPeriod[t.Period])
				props.AlarmDescription = jsii.String(fmt.Sprintf("More than %d bytes left a bucket in %s", t.Bytes, t.PeriodName()))
				props.Metrics = insights(insightsQuery(s.Buckets, s.Filter, s.Files.Bucket), t)
			} else {
				props.AlarmName = jsii.String(fmt.Sprintf("%s%s-%s%s", alarmPrefix, nameInAlarm(b.Name), t.PeriodName(), suffix))
				props.AlarmDescription = jsii.String(fmt.Sprintf("More than %d bytes left bucket %s in %s", t.Bytes, b.Name, t.PeriodName()))
				props.Namespace, props.MetricName, props.Statistic = jsii.String("AWS/S3"), jsii.String("BytesDownloaded"), jsii.String("Sum")
				props.Period = jsii.Number(t.Period.Seconds())
				props.Dimensions = dimensions("BucketName", b.Name, "FilterId", s.Filter)
			}
			awscloudwatch.NewCfnAlarm(alarms, props.AlarmName, props)
		}
	}
	here, _ := place(settings.EveryBucket)
	for _, t := range s.Total {
		props := commonProps(t, responder)
		props.AlarmName = jsii.String(alarmPrefix + "all-buckets" + together[t.Period])
		props.AlarmDescription = jsii.String(fmt.Sprintf("More than %d bytes left the watched buckets together in %s", t.Bytes, t.PeriodName()))
		props.Metrics = insights(totalQuery(s.Filter, s.Files.Bucket), t)
		awscloudwatch.NewCfnAlarm(here, props.AlarmName, props)
	}
}

// byPeriod and together end the names of the alarms over many buckets. No bucket's alarm ends so, whatever the bucket is called.
var (
	byPeriod = map[time.Duration]string{settings.Minute: "", settings.Hour: "-by-hour"}
	together = map[time.Duration]string{settings.Minute: "-by-minute", settings.Hour: "-by-hour"}
)

// insights is what an alarm on a Metrics Insights query evaluates.
func insights(query string, t settings.Threshold) *[]any {
	return &[]any{&awscloudwatch.CfnAlarm_MetricDataQueryProperty{
		Id: jsii.String("bytes"), Expression: jsii.String(query), Period: jsii.Number(t.Period.Seconds()), ReturnData: true,
	}}
}

// maxNameInAlarm leaves room for what stands around a bucket's name in an alarm's, which has 255 characters:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
const maxNameInAlarm = 200

// nameInAlarm is a bucket's name as its alarms' names have it. One from before 2018 may be too long.
func nameInAlarm(bucket string) string {
	if len(bucket) <= maxNameInAlarm {
		return bucket
	}
	sum := sha256.Sum256([]byte(bucket))
	return fmt.Sprintf("%s-%x", bucket[:maxNameInAlarm], sum[:8])
}

// alarmStacks is how many nested stacks share the alarms that are too many for one stack: at maxAlarms each holds about half of the
// 500 resources that it may. Another number would move most buckets to another stack.
const alarmStacks = 20

// places says where the alarms of a bucket go, and how their names end. Where they are too many for one stack, a bucket's name alone
// chooses its nested stack: no other bucket moves when one comes or goes. The stack's number ends the name: an alarm's name is unique
// in a region, and CloudFormation makes the new alarm before it deletes the old one.
func places(scope constructs.Construct, buckets []settings.Bucket) func(bucket string) (constructs.Construct, string) {
	here := constructs.NewConstruct(scope, jsii.String("Alarms"))
	many := thresholds(buckets) > maxInOneStack
	nested := map[string]constructs.Construct{}
	return func(bucket string) (constructs.Construct, string) {
		if !many || bucket == settings.EveryBucket {
			return here, ""
		}
		h := fnv.New32a()
		h.Write([]byte(bucket))
		n := fmt.Sprintf("%02d", h.Sum32()%alarmStacks)
		if nested[n] == nil {
			stack := awscdk.NewNestedStack(scope, jsii.String("Alarms"+n), &awscdk.NestedStackProps{Description: jsii.String("Nightlatch: alarms on buckets")})
			// Inside it one level more: logical ids lose their hyphens, and only below the first level a hash tells a-bc from ab-c.
			nested[n] = constructs.NewConstruct(stack, jsii.String("Alarms"))
		}
		return nested[n], "-" + n
	}
}

// commonProps is what all of them have in common: settings.Threshold says on how many datapoints each is evaluated, and one that breaches is
// enough. A bucket from which nothing is read has no datapoints, and that is no breach.
func commonProps(t settings.Threshold, responder *string) *awscloudwatch.CfnAlarmProps {
	return &awscloudwatch.CfnAlarmProps{
		AlarmActions: &[]any{responder}, ComparisonOperator: jsii.String("GreaterThanThreshold"), Threshold: jsii.Number(float64(t.Bytes)),
		EvaluationPeriods: jsii.Number(t.Evaluated()), DatapointsToAlarm: jsii.Number(1), TreatMissingData: jsii.String("notBreaching"),
	}
}

// insightsQuery adds up the bytes of each bucket that has no entry of its own. The bucket of a trail's files is left out: Athena reads
// a day of them for each question, and a question for which an alarm fires would be asked for ever. It has the form that
// internal/alarm/cloudwatch reads:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
func insightsQuery(buckets []settings.Bucket, filter, files string) string {
	var q strings.Builder
	q.WriteString(totalQuery(filter, ""))
	every := false
	for _, b := range buckets {
		if every = every || b.Name == settings.EveryBucket; b.Name != settings.EveryBucket {
			fmt.Fprintf(&q, " AND BucketName != '%s'", b.Name)
		}
	}
	if !every {
		return ""
	}
	if files != "" {
		fmt.Fprintf(&q, " AND BucketName != '%s'", files)
	}
	return q.String() + " GROUP BY BucketName ORDER BY SUM() DESC"
}

// totalQuery adds up the bytes of all buckets that have the request-metrics configuration, but for the trail's own.
func totalQuery(filter, files string) string {
	q := fmt.Sprintf(`SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) WHERE FilterId = '%s'`, filter)
	if files != "" {
		q += fmt.Sprintf(" AND BucketName != '%s'", files)
	}
	return q
}

// dimensions takes names and values in turn.
func dimensions(pairs ...string) *[]any {
	var all []any
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, &awscloudwatch.CfnAlarm_DimensionProperty{Name: jsii.String(pairs[i]), Value: jsii.String(pairs[i+1])})
	}
	return &all
}
