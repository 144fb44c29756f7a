package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsathena"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsglue"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/settings"
)

// resultDays is how long an answer of Athena's stays in its bucket: the responder reads it at once.
const resultDays = 3

// newAthena makes what Athena needs to be asked about a trail's files: a table over them, that of an earlier version, a workgroup with a limit, and a bucket for its
// answers. It returns the files with that bucket.
func newAthena(scope constructs.Construct, s Settings) Files {
	f := s.Files
	results := newBucket(scope, "Results", resultDays, false)
	f.Results = *results.Ref()
	awsathena.NewCfnWorkGroup(scope, jsii.String("WorkGroup"), &awsathena.CfnWorkGroupProps{
		Name: jsii.String(athena.WorkGroup), Description: jsii.String("Nightlatch: who reads the watched buckets"), RecursiveDeleteOption: true,
		WorkGroupConfiguration: &awsathena.CfnWorkGroup_WorkGroupConfigurationProperty{
			EnforceWorkGroupConfiguration: true, PublishCloudWatchMetricsEnabled: false, RequesterPaysEnabled: false,
			// The responder's own limit on a question, which is about as much money as in Lake: $5 a TB.
			BytesScannedCutoffPerQuery: jsii.Number(settings.DefaultScanBudget),
			EngineVersion:              &awsathena.CfnWorkGroup_EngineVersionProperty{SelectedEngineVersion: jsii.String("Athena engine version 3")},
			ResultConfiguration: &awsathena.CfnWorkGroup_ResultConfigurationProperty{
				OutputLocation: jsii.String("s3://" + f.Results + "/"), ExpectedBucketOwner: jsii.String(s.Home.Account),
				EncryptionConfiguration: &awsathena.CfnWorkGroup_EncryptionConfigurationProperty{EncryptionOption: jsii.String("SSE_S3")},
			},
		},
	})
	database := awsglue.NewCfnDatabase(scope, jsii.String("Database"), &awsglue.CfnDatabaseProps{CatalogId: jsii.String(s.Home.Account),
		DatabaseInput: &awsglue.CfnDatabase_DatabaseInputProperty{Name: jsii.String(athena.Database), Description: jsii.String("Nightlatch: CloudTrail's files")}})
	type made struct {
		name    string
		of      athena.Table
		columns []athena.Column
	}
	tables := map[string]made{recordsTable: {athena.TableName, s.table(), s.table().Columns()}, "Table": {athena.EarlierTable, s.table(), s.table().EarlierColumns()}}
	if s.managed() {
		table := athena.Table{Location: s.Management.location(), Accounts: s.table().Accounts}
		tables[managementTable] = made{athena.ManagementTable, table, table.Columns()}
	}
	for id, t := range tables {
		newTable(scope, s, id, t.name, t.of, t.columns).AddResourceDependency(database, nil)
	}
	return f
}

// recordsTable and managementTable are the logical ids of the tables that are asked.
const recordsTable, managementTable = "Records", "ManagementRecords"

func newTable(scope constructs.Construct, s Settings, id, name string, table athena.Table, fields []athena.Column) awsglue.CfnTable {
	return awsglue.NewCfnTable(scope, jsii.String(id), &awsglue.CfnTableProps{CatalogId: jsii.String(s.Home.Account), DatabaseName: jsii.String(athena.Database),
		TableInput: &awsglue.CfnTable_TableInputProperty{
			Name: jsii.String(name), TableType: jsii.String("EXTERNAL_TABLE"), Parameters: table.Parameters(), PartitionKeys: columns(table.Partitions()),
			StorageDescriptor: &awsglue.CfnTable_StorageDescriptorProperty{
				Columns: columns(fields), Location: jsii.String(table.Location), InputFormat: jsii.String(athena.InputFormat), OutputFormat: jsii.String(athena.OutputFormat),
				SerdeInfo: &awsglue.CfnTable_SerdeInfoProperty{SerializationLibrary: jsii.String(athena.SerDe)},
			},
		}})
}

// keepResults lets Athena write an answer for the functions that ask it. Nobody else writes or deletes any, whoever lets them:
// between the end of a query and the reading of its rows, whoever may write to every bucket could put others there. Athena calls S3 as
// the role that asks it: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html
func keepResults(scope constructs.Construct, s Settings, asking ...lambda) awscdk.CfnResource {
	var roles []*string
	for _, f := range asking { // they ask the table by its name, which must be there when they change
		roles = append(roles, f.role.AttrArn())
		f.function.AddResourceDependency(scope.Node().FindChild(jsii.String(recordsTable)).(awscdk.CfnResource), nil)
		if s.managed() {
			f.function.AddResourceDependency(scope.Node().FindChild(jsii.String(managementTable)).(awscdk.CfnResource), nil)
		}
	}
	bucket := s.bucketARN(s.Files.Results)
	return awss3.NewCfnBucketPolicy(scope, jsii.String("ResultsPolicy"), &awss3.CfnBucketPolicyProps{Bucket: jsii.String(s.Files.Results), PolicyDocument: document(
		onlyTLS("s3:*", []string{bucket, bucket + "/*"}),
		statement{"Sid": "OnlyOursWrite", "Effect": "Deny", "Principal": "*", "Action": writes, "Resource": bucket + "/*",
			"Condition": map[string]any{"ArnNotEquals": map[string]any{"aws:PrincipalArn": roles}}},
	)})
}

// table is the table that the responder will demand.
func (s Settings) table() athena.Table {
	return athena.Table{Location: s.Files.location(), Accounts: []string{s.Home.Account}}
}

func columns(all []athena.Column) []any {
	var out []any
	for _, c := range all {
		out = append(out, &awsglue.CfnTable_ColumnProperty{Name: jsii.String(c.Name), Type: jsii.String(c.Type)})
	}
	return out
}
