package alarm

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

func parseSNS(records json.RawMessage) (Event, error) {
	var in []struct {
		EventSource string `json:"EventSource"`
		SNS         *struct {
			Message string `json:"Message"`
		} `json:"Sns"`
	}
	if err := json.Unmarshal(records, &in); err != nil {
		return Event{}, fmt.Errorf("the event's Records: %v", err)
	}
	// SNS invokes a function with one record. https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
	if len(in) != 1 {
		return Event{}, fmt.Errorf("the event's Records has %d entries, not one", len(in))
	}
	if in[0].SNS == nil {
		return Event{}, fmt.Errorf("the event's Records[0] comes from %s, not from SNS", quote(in[0].EventSource))
	}
	return parseSNSMessage([]byte(in[0].SNS.Message))
}

// parseSNSMessage reads what CloudWatch publishes to a topic: the same facts under other names.
func parseSNSMessage(message []byte) (Event, error) {
	var in struct {
		AlarmName       string  `json:"AlarmName"`
		AlarmARN        string  `json:"AlarmArn"`
		AWSAccountID    string  `json:"AWSAccountId"`
		NewStateValue   string  `json:"NewStateValue"`
		NewStateReason  string  `json:"NewStateReason"`
		StateChangeTime awsTime `json:"StateChangeTime"`
		AlarmRule       string  `json:"AlarmRule"`
		Children        []child `json:"TriggeringChildren"`
		Trigger         struct {
			MetricName string   `json:"MetricName"`
			Namespace  string   `json:"Namespace"`
			Dimensions snsDims  `json:"Dimensions"`
			Period     float64  `json:"Period"`
			Threshold  *float64 `json:"Threshold"`
			Statistic  string   `json:"Statistic"`
			Extended   string   `json:"ExtendedStatistic"`
			Operator   string   `json:"ComparisonOperator"`
			Metrics    []struct {
				ID         string  `json:"Id"`
				Expression string  `json:"Expression"`
				Period     float64 `json:"Period"`
				ReturnData *bool   `json:"ReturnData"`
				MetricStat *struct {
					Metric struct {
						Namespace  string  `json:"Namespace"`
						MetricName string  `json:"MetricName"`
						Dimensions snsDims `json:"Dimensions"`
					} `json:"Metric"`
					Period float64 `json:"Period"`
					Stat   string  `json:"Stat"`
				} `json:"MetricStat"`
			} `json:"Metrics"`
		} `json:"Trigger"`
		ContributorID         string            `json:"AlarmContributorId"`
		ContributorAttributes map[string]string `json:"AlarmContributorAttributes"`
	}
	if err := json.Unmarshal(message, &in); err != nil {
		return Event{}, fmt.Errorf("the SNS message is not a CloudWatch alarm: %v", err)
	}
	if in.AlarmName == "" || in.NewStateValue == "" {
		return Event{}, errors.New(`the SNS message is not a CloudWatch alarm: it has no "AlarmName" or no "NewStateValue"`)
	}
	p := payload{AlarmName: in.AlarmName}
	p.State.Value, p.State.Reason, p.State.Timestamp = in.NewStateValue, in.NewStateReason, in.StateChangeTime
	p.Configuration.AlarmRule, p.Children = in.AlarmRule, in.Children
	if in.ContributorID != "" {
		p.Contributor = &contributor{ID: in.ContributorID, Attributes: in.ContributorAttributes}
	}
	add := func(m metric, namespace, name, stat string, dims snsDims, period float64) {
		m.Period = period
		if name != "" {
			m.MetricStat = &metricStat{Stat: stat}
			m.MetricStat.Metric.Namespace, m.MetricStat.Metric.Name = namespace, name
			m.MetricStat.Metric.Dimensions, m.MetricStat.Period = dims, period
		}
		p.Configuration.Metrics = append(p.Configuration.Metrics, m)
	}
	t := in.Trigger
	if t.MetricName != "" {
		add(metric{}, t.Namespace, t.MetricName, cmp.Or(t.Extended, t.Statistic), t.Dimensions, t.Period)
	}
	for _, m := range t.Metrics {
		as, period := metric{ID: m.ID, Expression: m.Expression, ReturnData: m.ReturnData}, max(m.Period, t.Period)
		if m.MetricStat == nil {
			add(as, "", "", "", nil, period)
			continue
		}
		add(as, m.MetricStat.Metric.Namespace, m.MetricStat.Metric.MetricName, m.MetricStat.Stat, m.MetricStat.Metric.Dimensions,
			max(m.MetricStat.Period, period))
	}
	return p.event(Alarm{ARN: in.AlarmARN, AccountID: in.AWSAccountID, Region: regionOf(in.AlarmARN), Threshold: t.Threshold,
		AtLeast: t.Operator == "GreaterThanOrEqualToThreshold"})
}

// regionOf takes the region from an ARN: SNS's own "Region" is a name for people.
func regionOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[3]
	}
	return ""
}

// snsDims reads dimensions as SNS lists them, [{"name":…,"value":…}], into a map.
type snsDims map[string]string

func (d *snsDims) UnmarshalJSON(b []byte) error {
	var list []struct{ Name, Value string }
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("the field Dimensions: %v", err)
	}
	*d = snsDims{}
	for _, e := range list {
		(*d)[e.Name] = e.Value
	}
	return nil
}
