package duck

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nightlatch/internal/evidence"
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
	arn         // a resource's: of an object in a bucket without its key, which no question reads there
)

// field is a field of a CloudTrail record, named as the record spells it. DuckDB compares names without regard to case, so
// that Lake's lower-case spelling finds it.
type field struct {
	name string
	kind kind
	of   []field
	// without are the keys of a table that no question reads, and unread says so of the whole field: they stay NULL.
	without []string
	unread  bool
	// shared fields are the same in many records, and stand once for all of them in the table callers.
	shared bool
	// usual are the members that a table mostly has, in their order. A table that has those up to one of them, and nothing else, is kept as that many
	// columns instead: it takes a third of the memory, and of the time.
	usual []field
}

// The fields whose columns are not simply what the record says.
const (
	eventTime = "eventTime"
	timestamp = "@timestamp" // what log shippers write in eventTime's place
	eventID   = "eventID"
)

// fields are a record's, in the order of Lake's schema.
var fields = []field{
	{name: "eventVersion", shared: true},
	{name: "userIdentity", kind: object, of: identityFields, shared: true},
	{name: eventTime}, {name: timestamp}, {name: "eventSource", shared: true}, {name: "eventName", shared: true}, {name: "awsRegion", shared: true},
	{name: "sourceIPAddress"}, {name: "userAgent", shared: true}, {name: "errorCode", shared: true}, {name: "errorMessage", unread: true},
	{name: "requestParameters", kind: table, without: []string{"Host"}, usual: []field{{name: "bucketName", shared: true}, {name: "key"}}}, {name: "responseElements", kind: table},
	{name: "additionalEventData", kind: table, without: []string{"SignatureVersion", "CipherSuite", "bytesTransferredIn", "SSEApplied", "x-amz-id-2"},
		usual: []field{{name: "AuthenticationMethod", shared: true}, {name: "bytesTransferredOut"}}},
	{name: "requestID"}, {name: eventID}, {name: "readOnly", kind: flag, shared: true},
	{name: "resources", kind: list, of: append(texts("accountId", "type"), field{name: "ARN", kind: arn}, field{name: "ARNPrefix"}), shared: true},
	{name: "eventType", unread: true}, {name: "apiVersion", unread: true}, {name: "managementEvent", kind: flag, shared: true}, {name: "recipientAccountId", shared: true},
	{name: "sharedEventID"}, {name: "annotation", unread: true}, {name: "vpcEndpointId", shared: true}, {name: "vpcEndpointAccountId", shared: true},
	{name: "serviceEventDetails", kind: table, unread: true}, {name: "addendum", kind: table}, {name: "edgeDeviceDetails", kind: table, unread: true},
	{name: "insightDetails", kind: table, unread: true}, {name: "eventCategory", shared: true},
	{name: "tlsDetails", kind: object, of: texts("tlsVersion", "cipherSuite", "clientProvidedHostHeader"), unread: true},
	{name: "sessionCredentialFromConsole", unread: true},
}

// identityFields are userIdentity's:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
var identityFields = append(texts("type", "principalId", "arn", "accountId", "accessKeyId", "userName"),
	field{name: "sessionContext", kind: object, of: []field{
		{name: "attributes", kind: object, of: []field{{name: "creationDate", kind: moment}, {name: "mfaAuthenticated"}}},
		{name: "sessionIssuer", kind: object, of: texts("type", "principalId", "arn", "accountId", "userName")},
		{name: "webIdFederationData", kind: object, of: []field{{name: "federatedProvider"}, {name: "attributes", kind: table}}},
		{name: "sourceIdentity"}, {name: "ec2RoleDelivery"}, {name: "ec2IssuedInVpc"},
	}},
	field{name: "onBehalfOf", kind: object, of: texts("userId", "identityStoreArn")},
	field{name: "inScopeOf", kind: object, of: texts("sourceArn", "sourceAccount", "issuerType", "credentialsIssuedTo")},
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

// shape is what DuckDB's json_transform is told of an object's fields.
func shape(fs []field) string {
	var parts []string
	for _, f := range fs {
		of := strconv.Quote(f.sqlType())
		switch f.kind {
		case object:
			of = shape(f.of)
		case list:
			of = "[" + shape(f.of) + "]"
		}
		parts = append(parts, strconv.Quote(f.name)+":"+of)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// read are the fields of a record that a question reads, those that are shared, or those that are not.
func read(shared bool) []field {
	return slices.DeleteFunc(slices.Clone(fields), func(f field) bool { return f.unread || f.shared != shared })
}

// kept are the fields that are read, and the columns of the usual members.
func kept(shared bool) []field {
	all := read(shared)
	for _, f := range fields {
		for _, of := range f.usual {
			if of.shared == shared {
				all = append(all, field{name: f.usually(of), shared: shared})
			}
		}
	}
	return all
}

// usually is the name of the column of a usual member. No record has it for a field's.
func (f field) usually(of field) string { return f.name + "_" + of.name }

// whole is the table, of its column and those of its usual members.
func (f field) whole() string {
	whole := strings.ToLower(f.name)
	for i := range f.usual {
		var keys, values []string
		for _, of := range f.usual[:i+1] {
			keys, values = append(keys, quote(of.name)), append(values, strings.ToLower(f.usually(of)))
		}
		whole = fmt.Sprintf("case when %s is null then %s else map([%s], [%s]) end", values[i], whole, strings.Join(keys, ", "), strings.Join(values, ", "))
	}
	return whole
}

// members are the columns of the view asked that have usual members, and the tables with others, by the evidence.Schema's names for them, and how
// each is found.
func members() (columns map[string]string, found []string) {
	columns = map[string]string{}
	for _, f := range fields {
		if f.usual == nil {
			continue
		}
		table := strings.ToLower(f.name)
		rest := "rest_" + table
		columns[table], found = rest, append(found, "trail."+table+" as "+rest)
		for _, of := range f.usual {
			member := strings.ToLower(f.usually(of))
			columns[table+"."+of.name] = "found_" + member
			found = append(found, fmt.Sprintf("coalesce(%s, trail.%s[%s]) as found_%s", member, table, quote(of.name), member))
		}
	}
	return columns, found
}

var memberColumns, foundMembers = members()

// bucketColumns are the columns that callers have beside Lake's, and foundBuckets how each is found: see evidence.Schema.Buckets.
var bucketColumns, foundBuckets = buckets()

func buckets() (columns, found []string) {
	found, first := (evidence.Schema{}).BucketsOf()
	found = append(found, first)
	for i := range found {
		columns = append(columns, fmt.Sprintf("bucket_%d", i+1))
	}
	return columns, found
}

// helps are what the view asked has beside Lake's columns.
var helps = slices.Concat(bucketColumns, foundMembers)

// joined has Lake's columns of records that stand in trail, the callers of which are in a table, and those that more names.
func joined(trail, callers string, more ...string) string {
	var shown []string
	for _, f := range fields {
		name := strconv.Quote(strings.ToLower(f.name))
		if f.usual != nil {
			name = f.whole() + " as " + name
		}
		if f.unread {
			name = fmt.Sprintf("cast(null as %s) as %s", f.sqlType(), name)
		}
		if f.name != timestamp {
			shown = append(shown, name)
		}
	}
	return "select " + strings.Join(append(shown, more...), ", ") + " from " + trail + " inner join " + callers + " using (caller)"
}

// createTrail makes the table of the records, with the file that each came from, that of what they share, and over both the view with Lake's
// columns, and another for the questions that find buckets.
func createTrail() []string {
	columns := map[bool][]string{false: {"file INTEGER", "caller INTEGER"}, true: {"caller INTEGER"}}
	for _, f := range slices.Concat(kept(false), kept(true)) {
		of := f.sqlType()
		switch f.name {
		case timestamp:
			continue
		case eventTime:
			of = "TIMESTAMP"
		}
		columns[f.shared] = append(columns[f.shared], strconv.Quote(strings.ToLower(f.name))+" "+of)
	}
	for _, name := range bucketColumns {
		columns[true] = append(columns[true], name+" VARCHAR")
	}
	return []string{"create table trail (" + strings.Join(columns[false], ", ") + ")", "create table callers (" + strings.Join(columns[true], ", ") + ")",
		"create view " + Table + " as " + joined("trail", allCallers), "create view " + asked + " as " + joined("trail", allCallers, helps...)}
}

// timeText is when an event happened, as the record says it.
const timeText = `coalesce(r."eventTime", r."@timestamp")`

// computed gives the columns of fields from a record r.
func computed(fs []field) string {
	var columns []string
	for _, f := range fs {
		column := fmt.Sprintf("r.%q", f.name)
		if f.name == timestamp {
			continue
		}
		switch f.name {
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
