package alarm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/settings"
)

// ours reports whether a metric is the bytes downloaded from a bucket.
func (m metric) ours() bool {
	return m.MetricStat != nil && m.MetricStat.Metric.Namespace == "AWS/S3" && m.MetricStat.Metric.Name == "BytesDownloaded"
}

// insights recognises a Metrics Insights query over S3's BytesDownloaded.
var insights = lazyregexp.New(`(?i)^\s*SELECT\s+(\w+)\(\s*"?BytesDownloaded"?\s*\)\s+FROM\s+(?:SCHEMA\(\s*)?"AWS/S3"`)

// value is the metric or expression whose value is held against the threshold; nil where the event lists none. An alarm returns one: beside an
// anomaly band, which is its threshold then, and where the event does not say which, an expression before what it is made of.
func (p payload) value() *metric {
	var found *metric
	returned := func(m metric) bool { return m.ReturnData != nil && *m.ReturnData }
	said := slices.ContainsFunc(p.Configuration.Metrics, returned)
	for i, m := range p.Configuration.Metrics {
		band := strings.HasPrefix(strings.TrimSpace(m.Expression), "ANOMALY_DETECTION_BAND")
		if band || said && !returned(m) || m.ReturnData != nil && !*m.ReturnData {
			continue
		}
		if found == nil || m.MetricStat == nil {
			found = &p.Configuration.Metrics[i]
		}
	}
	return found
}

// computed says what the alarm's value is, as a sentence's beginning, where that is no sum of bytes; "" where it is one.
func (p payload) computed() string {
	v := p.value()
	if v == nil {
		return ""
	}
	if v.MetricStat != nil {
		if s := v.MetricStat.Stat; s != "" && !strings.EqualFold(s, "Sum") {
			return ComputedBy("the statistic " + quote(s) + " of BytesDownloaded")
		}
		return ""
	}
	if m := insights.FindStringSubmatch(v.Expression); m != nil && strings.EqualFold(m[1], "SUM") {
		return ""
	}
	var ids []string
	sums := true
	for _, m := range p.Configuration.Metrics {
		if m.MetricStat != nil {
			ids = append(ids, m.ID)
			sums = sums && m.ours() && (m.MetricStat.Stat == "" || strings.EqualFold(m.MetricStat.Stat, "Sum"))
		}
	}
	if sums && PlainSum(v.Expression, ids) {
		return ""
	}
	return Computes(v.Expression)
}

// maxQuoted is how much of an expression a message quotes.
const maxQuoted = 100

// Computes is ComputedBy of an expression.
func Computes(expression string) string {
	if len(expression) > maxQuoted {
		expression = expression[:maxQuoted-3] + "..."
	}
	return ComputedBy(strconv.QuoteToASCII(expression))
}

// ComputedBy is what is said of an alarm on no sum of bytes, as a sentence's beginning.
func ComputedBy(what string) string { return "the alarm's value is computed by " + what }

// filled is FILL(m1, 0): it lets a sum exist while one of its buckets is idle, and adds nothing to it.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
var filled = lazyregexp.New(`FILL\(([a-z]\w*|METRICS\(\)),0\)`)

// PlainSum reports whether an expression adds up each of ids exactly once.
func PlainSum(expression string, ids []string) bool {
	e := filled.ReplaceAllString(strings.Join(strings.Fields(expression), ""), "$1")
	if e == "SUM(METRICS())" {
		return true
	}
	sep := "+"
	if inner, ok := strings.CutPrefix(e, "SUM(["); ok && strings.HasSuffix(inner, "])") {
		e, sep = strings.TrimSuffix(inner, "])"), ","
	}
	return slices.Equal(slices.Sorted(strings.SplitSeq(e, sep)), slices.Sorted(slices.Values(ids)))
}

// filtered finds the filter that a query is about.
var filtered = lazyregexp.New(`(?i)\bFilterId"?\s*!?=\s*'([^']*)'`)

// counts says what part of the buckets the metric counts, by the names of its filters: an event does not say what they select.
func (p payload) counts() string {
	var filters []string
	add := func(id string) {
		if id != "" && id != settings.DefaultFilterID && !slices.Contains(filters, id) {
			filters = append(filters, id)
		}
	}
	for _, m := range p.Configuration.Metrics {
		if m.ours() {
			add(m.MetricStat.Metric.Dimensions["FilterId"])
		}
		if insights.MatchString(m.Expression) {
			for _, found := range filtered.FindAllStringSubmatch(m.Expression, -1) {
				add(found[1])
			}
		}
	}
	if p.Contributor != nil {
		add(p.Contributor.Attributes["FilterId"])
	}
	if len(filters) == 0 {
		return ""
	}
	return Selects(filters)
}

// Selects is what is said of filters that were not read.
func Selects(filters []string) string {
	return "what its filter " + quoteSome(filters) + " selects, which was not read and may be all of it"
}

// Filter is what a metric's filter selects: objects by prefix and tags, calls by access point. What is not set selects all. They are others'
// texts.
//
// Even a prefix is named only, and the incident asks. What a filter selects is read beside the first query round, so the bytes question would be
// another one from then on; each sum of it, of the past and of what is usual would be needed twice, for the prefix and for the bucket; and
// whether a listing, which has no key, counts under a prefix, no page of AWS says.
type Filter struct {
	Prefix      string
	Tags        []Tag
	AccessPoint string // by ARN
}

// Tag is an object's tag.
type Tag struct{ Key, Value string }

// Says is what of a bucket is selected, in words; "" where that is all of it.
func (f Filter) Says() string {
	var of []string
	if f.Prefix != "" {
		of = append(of, "under the prefix "+quote(f.Prefix))
	}
	for _, t := range f.Tags {
		of = append(of, "with the tag "+quote(t.Key)+" of the value "+quote(t.Value))
	}
	if f.AccessPoint != "" {
		of = append(of, "read through the access point "+strconv.QuoteToASCII(f.AccessPoint))
	}
	if len(of) == 0 {
		return ""
	}
	return "the objects " + strings.Join(of, " and ")
}

// elsewhere says why an alarm on another metric of the same name cannot be answered; "" where it is about something else altogether.
func (p payload) elsewhere() string {
	for _, m := range p.Configuration.Metrics {
		if m.MetricStat == nil || !strings.EqualFold(m.MetricStat.Metric.Name, "BytesDownloaded") {
			continue
		}
		switch namespace := m.MetricStat.Metric.Namespace; namespace {
		case "AWS/S3/Storage-Lens":
			return "S3 Storage Lens counts by the day: its BytesDownloaded comes too late, and is too coarse, to name anybody. Watch the bucket's request metrics"
		case "AWS/CloudFront":
			return "CloudFront's BytesDownloaded counts what viewers take from its caches, not what leaves a bucket"
		default:
			return fmt.Sprintf("BytesDownloaded of the namespace %s is not S3's request metric, so nothing is known of what it counts", quote(namespace))
		}
	}
	return ""
}
