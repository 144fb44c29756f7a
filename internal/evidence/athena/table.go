// Package athena asks a CloudTrail trail's own files in S3 through Amazon Athena, for those who can have no CloudTrail Lake. It runs a
// question's SQL as a query of our own workgroup over a table whose partitions are projected from the files' paths, following
// https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html and
// https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table-partition-projection.html
package athena

import (
	"strings"
	"time"
)

// The names of what a deployment makes. There is one deployment in an account and region, and so one of each.
const (
	// Catalog is Athena's name for the account's Glue Data Catalog, which each account has.
	Catalog = "AwsDataCatalog"
	// Database and TableName are the table's in the Glue Data Catalog.
	Database, TableName = "nightlatch", "records"
	// ManagementTable is the table over the files of another trail, which has the management events where the first has none.
	ManagementTable = "management"
	// EarlierTable is the table of an earlier version: see EarlierColumns.
	EarlierTable = "trail"
	// WorkGroup is the workgroup that the queries run in: its limit on bytes scanned holds whatever a query asks for.
	WorkGroup = "nightlatch"
)

// Table describes the table over a trail's files. What a deployment makes of it (Columns, Partitions, Parameters) is what an Athena
// demands to find there: who may change a table could turn every answer into "nobody read anything".
type Table struct {
	// Location is where the accounts' files lie, with the slash at its end: s3://BUCKET/[PREFIX/]AWSLogs/[ORGANIZATION/].
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
	Location string
	// Accounts are the ids of the accounts whose files are read.
	Accounts []string
}

// Column is a column of the table, its type in Hive's words.
type Column struct{ Name, Type string }

// Columns are the fields of a record, as Athena's page for CloudTrail has them. What is an object of any keys is its JSON as text, and so
// are flags and times. managementevent is not on that page, and read like readonly, which is.
// https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table-partition-projection.html
func (Table) Columns() []Column {
	return append(columns(",webidfederationdata:struct<federatedprovider:string>,sourceidentity:string,signinsessionarn:string"),
		Column{"addendum", "struct<reason:string,updatedfields:string,originalrequestid:string,originaleventid:string>"})
}

// EarlierColumns are those of EarlierTable. A function demands the very table that its own version knows. So a deployment makes the new one
// beside the old, and lets both be read: while an update goes on, each function asks its own, and no question fails in between.
func (Table) EarlierColumns() []Column { return columns("") }

// columns are a table's, with more fields of a session's context.
func columns(session string) []Column {
	const issuer = "struct<type:string,principalid:string,arn:string,accountid:string,username:string>"
	return []Column{
		{"eventversion", "string"},
		{"useridentity", "struct<type:string,principalid:string,arn:string,accountid:string,invokedby:string,accesskeyid:string,username:string," +
			"onbehalfof:struct<userid:string,identitystorearn:string>," +
			"sessioncontext:struct<attributes:struct<mfaauthenticated:string,creationdate:string>,sessionissuer:" + issuer + session + ">>"},
		{"eventtime", "string"}, {"eventsource", "string"}, {"eventname", "string"}, {"awsregion", "string"}, {"sourceipaddress", "string"},
		{"useragent", "string"}, {"errorcode", "string"}, {"errormessage", "string"},
		{"requestparameters", "string"}, {"responseelements", "string"}, {"additionaleventdata", "string"},
		{"requestid", "string"}, {"eventid", "string"}, {"readonly", "string"}, {"managementevent", "string"},
		{"resources", "array<struct<arn:string,accountid:string,type:string>>"},
		{"eventtype", "string"}, {"recipientaccountid", "string"}, {"sharedeventid", "string"},
		{"vpcendpointid", "string"}, {"vpcendpointaccountid", "string"}, {"eventcategory", "string"},
	}
}

// Partitions are the parts of a file's path that Athena chooses files by. day is the day on which a file was delivered.
func (Table) Partitions() []Column {
	return []Column{{"account", "string"}, {"region", "string"}, {"day", "string"}}
}

// How Athena reads the files: CloudTrail's {"Records":[…]}, one row a record.
const (
	SerDe        = "org.apache.hive.hcatalog.data.JsonSerDe"
	InputFormat  = "com.amazon.emr.cloudtrail.CloudTrailInputFormat"
	OutputFormat = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
)

// Parameters are the table's properties: which partitions there are is computed from them, and from no list that somebody keeps.
// https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
//
// No row that cannot be read is passed over ('ignore.malformed.json' is not set): the query fails, and the team is notified.
func (t Table) Parameters() map[string]string {
	return map[string]string{
		"EXTERNAL": "TRUE", "projection.enabled": "true",
		"projection.account.type": "enum", "projection.account.values": strings.Join(t.Accounts, ","),
		"projection.region.type": "enum", "projection.region.values": strings.Join(Regions(), ","),
		// A day more than today: nothing is missed between two clocks at midnight.
		"projection.day.type": "date", "projection.day.format": "yyyy/MM/dd", "projection.day.range": firstDay + ",NOW+1DAYS",
		"projection.day.interval": "1", "projection.day.interval.unit": "DAYS",
		"storage.location.template": t.Location + "${account}/CloudTrail/${region}/${day}",
	}
}

// firstDay is before everything that is asked for.
const firstDay = "2020/01/01"

// Folder is where the files of one partition lie, as storage.location.template says it.
func (t Table) Folder(account, region string, day time.Time) string {
	return strings.NewReplacer("${account}", account, "${region}", region, "${day}", day.UTC().Format("2006/01/02")).
		Replace(t.Parameters()["storage.location.template"])
}

// Regions are the regions whose files are read, of all of AWS's partitions but the secret ones: a folder that is not there holds nothing. A copy
// out of a bucket is recorded in the region that it goes to, and a thief works in any: what is not in this list is not read.
// https://docs.aws.amazon.com/general/latest/gr/rande.html
func Regions() []string {
	return strings.Fields("af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 " +
		"ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2 " +
		"eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 me-west-1 mx-central-1 sa-east-1 sa-west-1 " +
		"us-east-1 us-east-2 us-west-1 us-west-2 cn-north-1 cn-northwest-1 eusc-de-east-1 us-gov-east-1 us-gov-west-1")
}
