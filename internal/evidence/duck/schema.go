package duck

import (
	"fmt"
	"strings"
)

// kind is what a field of a record holds.
type kind int

const (
	text   kind = iota
	flag        // true or false
	moment      // a time
	table       // an object of any keys: in Lake a map of strings, in which nested values are JSON text
	object      // an object of known fields
	list        // a list of such objects
)

// field is a field of a CloudTrail record, named as the record spells it. DuckDB compares names without regard to case, so
// that Lake's lower-case spelling finds it.
type field struct {
	name string
	kind kind
	of   []field
}

// The fields whose columns are not simply what the record says.
const (
	eventTime = "eventTime"
	timestamp = "@timestamp" // what log shippers write in eventTime's place
	eventID   = "eventID"
)

// fields are a record's, in the order of Lake's schema.
var fields = []field{
	{name: "eventVersion"},
	{"userIdentity", object, identityFields},
	{name: eventTime}, {name: timestamp}, {name: "eventSource"}, {name: "eventName"}, {name: "awsRegion"},
	{name: "sourceIPAddress"}, {name: "userAgent"}, {name: "errorCode"}, {name: "errorMessage"},
	{name: "requestParameters", kind: table}, {name: "responseElements", kind: table}, {name: "additionalEventData", kind: table},
	{name: "requestID"}, {name: eventID}, {name: "readOnly", kind: flag},
	{"resources", list, texts("accountId", "type", "ARN", "ARNPrefix")},
	{name: "eventType"}, {name: "apiVersion"}, {name: "managementEvent", kind: flag}, {name: "recipientAccountId"},
	{name: "sharedEventID"}, {name: "annotation"}, {name: "vpcEndpointId"}, {name: "vpcEndpointAccountId"},
	{name: "serviceEventDetails", kind: table}, {name: "addendum", kind: table}, {name: "edgeDeviceDetails", kind: table},
	{name: "insightDetails", kind: table}, {name: "eventCategory"},
	{"tlsDetails", object, texts("tlsVersion", "cipherSuite", "clientProvidedHostHeader")},
	{name: "sessionCredentialFromConsole"},
}

// identityFields are userIdentity's:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
var identityFields = append(texts("type", "principalId", "arn", "accountId", "accessKeyId", "userName"),
	field{"sessionContext", object, []field{
		{"attributes", object, []field{{name: "creationDate", kind: moment}, {name: "mfaAuthenticated"}}},
		{"sessionIssuer", object, texts("type", "principalId", "arn", "accountId", "userName")},
		{"webIdFederationData", object, []field{{name: "federatedProvider"}, {name: "attributes", kind: table}}},
		{name: "sourceIdentity"}, {name: "ec2RoleDelivery"}, {name: "ec2IssuedInVpc"},
	}},
	field{"onBehalfOf", object, texts("userId", "identityStoreArn")},
	field{"inScopeOf", object, texts("sourceArn", "sourceAccount", "issuerType", "credentialsIssuedTo")},
	field{name: "invokedBy"}, field{name: "identityProvider"},
)

func texts(names ...string) []field {
	var fs []field
	for _, n := range names {
		fs = append(fs, field{name: n})
	}
	return fs
}

// sqlType is the field's type in DuckDB's spelling.
func (f field) sqlType() string {
	switch f.kind {
	case flag:
		return "BOOLEAN"
	case moment:
		return "TIMESTAMP"
	case table:
		return "MAP(VARCHAR, VARCHAR)"
	case object:
		return structOf(f.of)
	case list:
		return structOf(f.of) + "[]"
	default:
		return "VARCHAR"
	}
}

func structOf(fs []field) string {
	var parts []string
	for _, f := range fs {
		parts = append(parts, fmt.Sprintf("%q %s", f.name, f.sqlType()))
	}
	return "STRUCT(" + strings.Join(parts, ", ") + ")"
}

// createTrail makes the table behind Table: Lake's columns, and the file that a row came from.
func createTrail() string {
	columns := []string{"file INTEGER"}
	for _, f := range fields {
		switch f.name {
		case timestamp:
		case eventTime:
			columns = append(columns, "eventtime TIMESTAMP")
		default:
			columns = append(columns, fmt.Sprintf("%q %s", strings.ToLower(f.name), f.sqlType()))
		}
	}
	return "create table trail (" + strings.Join(columns, ", ") + ")"
}

// timeText is when an event happened, as the record says it.
const timeText = `coalesce(r."eventTime", r."@timestamp")`

// trailColumns computes the trail's columns from a record r, but for file.
func trailColumns() string {
	var columns []string
	for _, f := range fields {
		column := fmt.Sprintf("r.%q", f.name)
		switch f.name {
		case timestamp:
			continue
		case eventTime:
			// Casting to timestamp would drop an offset from UTC without a word, and takes words such as "infinity";
			// casting to timestamptz heeds it, and is slow.
			column = fmt.Sprintf(`case when %[1]s like '____-__-__T__:__:__%%Z' then try_cast(%[1]s as timestamp)
				when %[1]s like '____-__-_____:__:__%%' then timezone('UTC', try_cast(%[1]s as timestamptz)) end`, timeText)
		case eventID:
			// Events are counted once by their id: those without one must not look like the same event.
			column = `coalesce(nullif(r."eventID", ''), 'nightlatch-' || uuid())`
		}
		columns = append(columns, column+" as "+strings.ToLower(f.name))
	}
	return strings.Join(columns, ", ")
}
