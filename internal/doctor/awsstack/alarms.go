package awsstack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"nightlatch/internal/doctor"
	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

// AlarmGrants are the permissions that Alarms needs.
func AlarmGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadAlarms", Actions: []string{"cloudwatch:DescribeAlarms", "cloudwatch:ListAlarmMuteRules", "cloudwatch:GetAlarmMuteRule"}, On: []string{"*"},
		Why: "A list of alarms is asked for by many names at once, and any mute rule of the account may name one of them, or none and mute them all."}}
}

// atOnce is how many alarms one call describes: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
const atOnce = 100

// Alarms reads alarms by their names, in this order; one that is gone is left out.
func (r *Reader) Alarms(ctx context.Context, names []string) ([]doctor.Alarm, error) {
	muted, err := r.muted(ctx)
	if err != nil {
		return nil, err
	}
	var all []doctor.Alarm
	for some := range slices.Chunk(names, atOnce) {
		got, err := r.metrics.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: some, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm}, MaxRecords: aws.Int32(atOnce)})
		if err != nil {
			return nil, failed("cloudwatch:DescribeAlarms", "the deployment's alarms", err)
		}
		for _, m := range got.MetricAlarms {
			a := alarmOf(m)
			for _, rule := range muted {
				if rule.names == nil || slices.Contains(rule.names, a.Name) {
					a.Idle = append(a.Idle, fmt.Sprintf("is muted by the alarm mute rule %s, which is %s", prose.Safe(rule.name), prose.Safe(rule.status)))
				}
			}
			all = append(all, a)
		}
	}
	return all, nil
}

// mute is an alarm mute rule that is or will be in force. Without names it mutes every alarm.
type mute struct {
	name, status string
	names        []string
}

// muted are the account's mute rules that have not expired.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListAlarmMuteRules.html
func (r *Reader) muted(ctx context.Context) ([]mute, error) {
	var all []mute
	in := &cloudwatch.ListAlarmMuteRulesInput{Statuses: []types.AlarmMuteRuleStatus{types.AlarmMuteRuleStatusScheduled, types.AlarmMuteRuleStatusActive}}
	pages := cloudwatch.NewListAlarmMuteRulesPaginator(r.metrics, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, failed("cloudwatch:ListAlarmMuteRules", "the account", err)
		}
		for _, s := range page.AlarmMuteRuleSummaries {
			arn := aws.ToString(s.AlarmMuteRuleArn)
			name := arn[strings.LastIndex(arn, ":")+1:]
			rule, err := r.metrics.GetAlarmMuteRule(ctx, &cloudwatch.GetAlarmMuteRuleInput{AlarmMuteRuleName: &name})
			if err != nil {
				return nil, failed("cloudwatch:GetAlarmMuteRule", fmt.Sprintf("rule %q", name), err)
			}
			m := mute{name: name, status: string(s.Status)}
			if rule.MuteTargets != nil && len(rule.MuteTargets.AlarmNames) > 0 {
				m.names = rule.MuteTargets.AlarmNames
			}
			all = append(all, m)
		}
	}
	return all, nil
}

// alarmOf is an alarm as CloudWatch describes it.
func alarmOf(m types.MetricAlarm) doctor.Alarm {
	a := doctor.Alarm{Name: aws.ToString(m.AlarmName), Settings: map[string]string{}}
	for name, v := range map[string]string{
		"ComparisonOperator": string(m.ComparisonOperator), "Namespace": aws.ToString(m.Namespace), "MetricName": aws.ToString(m.MetricName), "Statistic": string(m.Statistic),
		"ExtendedStatistic": aws.ToString(m.ExtendedStatistic), "TreatMissingData": aws.ToString(m.TreatMissingData), "Unit": string(m.Unit), "ThresholdMetricId": aws.ToString(m.ThresholdMetricId),
		"AlarmActions": joined(m.AlarmActions), "OKActions": joined(m.OKActions), "InsufficientDataActions": joined(m.InsufficientDataActions),
	} {
		put(a.Settings, name, v)
	}
	for name, n := range map[string]*int32{"Period": m.Period, "EvaluationPeriods": m.EvaluationPeriods, "DatapointsToAlarm": m.DatapointsToAlarm} {
		if n != nil {
			put(a.Settings, name, strconv.Itoa(int(*n)))
		}
	}
	if m.Threshold != nil {
		put(a.Settings, "Threshold", strconv.FormatFloat(*m.Threshold, 'f', -1, 64))
	}
	var queries []query
	for _, q := range m.Metrics {
		queries = append(queries, queryOf(q))
	}
	put(a.Settings, "Dimensions", inOrder(dimensionsOf(m.Dimensions)))
	put(a.Settings, "Metrics", metrics(queries))
	a.Idle = idle(m)
	return a
}

// idle says why an alarm does nothing when it should.
func idle(m types.MetricAlarm) (why []string) {
	if m.ActionsEnabled != nil && !*m.ActionsEnabled {
		why = append(why, "has its actions switched off")
	}
	if m.EvaluationState != "" {
		why = append(why, fmt.Sprintf("is not evaluated as it should: %s", prose.Safe(string(m.EvaluationState))))
	}
	if m.WarmUpConfiguration != nil && aws.ToInt32(m.WarmUpConfiguration.WarmUpPeriodDurationInMinutes) > 0 {
		why = append(why, fmt.Sprintf("has a warm-up of %d minutes, and does nothing so long after each change", *m.WarmUpConfiguration.WarmUpPeriodDurationInMinutes))
	}
	return why
}

// joined writes a list whose order means nothing.
func joined(list []string) string {
	list = slices.Clone(list)
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// dimension and query are the parts of an alarm that a template and CloudWatch both have, by the names that both use.
type dimension struct{ Name, Value string }

type query struct {
	ID         string `json:"Id"`
	Expression string `json:",omitempty"`
	Period     int    `json:",omitempty"`
	ReturnData *bool
	MetricStat *stat  `json:",omitempty"`
	AccountID  string `json:"AccountId,omitempty"`
}

type stat struct {
	Metric struct {
		Namespace, MetricName string
		Dimensions            []dimension
	}
	Period int
	Stat   string
}

func dimensionsOf(all []types.Dimension) []dimension {
	var out []dimension
	for _, d := range all {
		out = append(out, dimension{aws.ToString(d.Name), aws.ToString(d.Value)})
	}
	return out
}

func queryOf(q types.MetricDataQuery) query {
	out := query{ID: aws.ToString(q.Id), Expression: aws.ToString(q.Expression), Period: int(aws.ToInt32(q.Period)), ReturnData: q.ReturnData, AccountID: aws.ToString(q.AccountId)}
	if m := q.MetricStat; m != nil {
		out.MetricStat = &stat{Period: int(aws.ToInt32(m.Period)), Stat: aws.ToString(m.Stat)}
		if m.Metric != nil {
			out.MetricStat.Metric.Namespace, out.MetricStat.Metric.MetricName = aws.ToString(m.Metric.Namespace), aws.ToString(m.Metric.MetricName)
			out.MetricStat.Metric.Dimensions = dimensionsOf(m.Metric.Dimensions)
		}
	}
	return out
}

// inOrder writes dimensions: BucketName=a, FilterId=b.
func inOrder(all []dimension) string {
	var pairs []string
	for _, d := range all {
		pairs = append(pairs, d.Name+"="+d.Value)
	}
	return joined(pairs)
}

// metrics writes queries in one form. What a query returns is returned unless it says otherwise.
func metrics(all []query) string {
	if len(all) == 0 {
		return ""
	}
	all = slices.Clone(all)
	for i := range all {
		if all[i].ReturnData == nil {
			all[i].ReturnData = aws.Bool(true)
		}
		if s := all[i].MetricStat; s != nil {
			slices.SortFunc(s.Metric.Dimensions, func(a, b dimension) int { return strings.Compare(a.Name, b.Name) })
		}
	}
	slices.SortFunc(all, func(a, b query) int { return strings.Compare(a.ID, b.ID) })
	b, err := json.Marshal(all)
	if err != nil {
		return ""
	}
	return string(b)
}
