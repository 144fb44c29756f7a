package trail

import (
	"slices"
	"strconv"
	"strings"
)

// Selector takes the events that meet all of its conditions.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedEventSelector.html
type Selector []Condition

// Condition is on one field of an event. Each list that has values must hold: one of the values of a list that includes, and none of one
// that excludes. https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
type Condition struct {
	Field                                 string
	Equals, StartsWith, EndsWith          []string
	NotEquals, NotStartsWith, NotEndsWith []string
}

// Basic is an event selector of the older kind: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
type Basic struct {
	// ReadWrite is All, ReadOnly or WriteOnly.
	ReadWrite string
	// Management says that it takes management events, but for those of the services in Exclude.
	Management bool
	Exclude    []string
	// Objects are how the ARNs of S3 objects begin whose data events it takes: arn:aws:s3 and arn:aws:s3:::BUCKET/ among them.
	Objects []string
}

// Selectors are selectors that take what a basic one takes of management events and of S3's data events.
func (b Basic) Selectors() []Selector {
	var all []Selector
	add := func(category string, more ...Condition) {
		s := append(Selector{{Field: "eventCategory", Equals: []string{category}}}, more...)
		if b.ReadWrite == "ReadOnly" || b.ReadWrite == "WriteOnly" {
			s = append(s, Condition{Field: "readOnly", Equals: []string{strconv.FormatBool(b.ReadWrite == "ReadOnly")}})
		}
		all = append(all, s)
	}
	if b.Management {
		add("Management", Condition{Field: "eventSource", NotEquals: b.Exclude})
	}
	if len(b.Objects) > 0 {
		add("Data", Condition{Field: "resources.type", Equals: []string{"AWS::S3::Object"}}, Condition{Field: "resources.ARN", StartsWith: b.Objects})
	}
	return all
}

// event is every event that has these fields. A value that ends in a star is any text that begins so.
type event map[string]string

func dataEvent(name string, readOnly bool, objects string) event {
	return event{"eventCategory": "Data", "eventSource": "s3.amazonaws.com", "eventType": "AwsApiCall", "resources.type": "AWS::S3::Object",
		"eventName": name, "readOnly": strconv.FormatBool(readOnly), "resources.ARN": objects + "*"}
}

func managementEvent(service string, readOnly bool) event {
	return event{"eventCategory": "Management", "eventSource": service, "readOnly": strconv.FormatBool(readOnly)}
}

// takes reports whether a selector takes every such event. By a field that the event leaves open, such as who called, it takes some only.
func (s Selector) takes(e event) bool {
	return !slices.ContainsFunc(s, func(c Condition) bool { return !c.holds(e[c.Field]) })
}

// holds reports whether a condition holds for every text that a value stands for; "" stands for any.
func (c Condition) holds(value string) bool {
	begins, open := strings.CutSuffix(value, "*")
	open = open || value == ""
	equals := func(v string) bool { return !open && v == begins }
	starts := func(v string) bool { return strings.HasPrefix(begins, v) }
	ends := func(v string) bool { return !open && strings.HasSuffix(begins, v) }
	some := func(v string) bool { return open && strings.HasPrefix(v, begins) } // of the open value's texts
	one := func(list []string, is func(string) bool) bool { return len(list) == 0 || slices.ContainsFunc(list, is) }
	return one(c.Equals, equals) && one(c.StartsWith, starts) && one(c.EndsWith, ends) &&
		!slices.ContainsFunc(c.NotEquals, func(v string) bool { return equals(v) || some(v) }) &&
		!slices.ContainsFunc(c.NotStartsWith, func(v string) bool { return starts(v) || some(v) }) &&
		!slices.ContainsFunc(c.NotEndsWith, func(v string) bool { return open || ends(v) })
}
