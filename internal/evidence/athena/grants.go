package athena

import (
	"slices"

	"nightlatch/internal/grant"
)

// athenaAsks: the function itself reads no file and writes none; Athena does with the function's rights, and says so in this key:
// https://docs.aws.amazon.com/athena/latest/ug/s3-permissions.html
// https://docs.aws.amazon.com/athena/latest/ug/security-iam-athena-calledvia.html
func athenaAsks(also map[string]map[string]string) map[string]map[string]string {
	when := map[string]map[string]string{"ForAnyValue:StringEquals": {"aws:CalledVia": "athena.amazonaws.com"}}
	for operator, keys := range also {
		when[operator] = keys
	}
	return when
}

// ownFolder holds the files of the deployment's own account: in an organization's bucket those of all others lie beside it. No partition of the table
// is elsewhere.
const ownFolder = "${TrailPrefix}${Account}/CloudTrail/*"

// Grants are the permissions for the calls that a Trail makes, and for what Athena does for it with its caller's rights. Athena reads the table's
// definition in the Glue Data Catalog and the trail's files, and writes and reads results. A deployment gives the placeholders their values:
//
//   - ${TrailBucket} is the ARN of the bucket with the trail's files,
//   - ${TrailPrefix} what the files' keys begin with, Table.Location without "s3://BUCKET/", "[PREFIX/]AWSLogs/[ORGANIZATION/]",
//   - ${ResultBucket} the ARN of the bucket that the workgroup writes results to.
//
// Which resource an action is granted on:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonathena.html
// https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html (a table's parents are needed with it, and the
// database "default" with every query)
// https://docs.aws.amazon.com/athena/latest/ug/managed-policies.html (the result bucket)
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-athena.html (GetDataCatalog, beside StartQueryExecution: our queries name their catalog)
//
// glue:GetPartitions is not among them: partitions that are projected are not fetched
// (https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html).
func Grants() []grant.Grant {
	const glue = "arn:${Partition}:glue:${Region}:${Account}:"
	return []grant.Grant{
		{
			Sid:     "AskAthena",
			Actions: []string{"athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults", "athena:StopQueryExecution"},
			On:      []string{"arn:${Partition}:athena:${Region}:${Account}:workgroup/" + WorkGroup},
		},
		{
			Sid:     "CheckTheTrailsTable",
			Actions: []string{"athena:GetTableMetadata", "athena:GetDataCatalog"},
			On:      []string{"arn:${Partition}:athena:${Region}:${Account}:datacatalog/" + Catalog},
		},
		{
			Sid:     "ReadTheTrailsTable",
			Actions: []string{"glue:GetTable", "glue:GetDatabase"},
			On:      []string{glue + "catalog", glue + "database/" + Database, glue + "table/" + Database + "/" + TableName, glue + "table/" + Database + "/" + EarlierTable},
		},
		{
			Sid:     "ReadTheDefaultDatabase",
			Actions: []string{"glue:GetDatabase"},
			On:      []string{glue + "database/default"},
		},
		{
			Sid:     "ReadTheTrailsFiles",
			Actions: []string{"s3:GetObject"},
			On:      []string{"${TrailBucket}/" + ownFolder},
			Why:     "A trail's files are below one folder, under names that are known only when they are written.",
			When:    athenaAsks(nil),
		},
		{
			Sid:     "ListTheTrailsFiles",
			Actions: []string{"s3:ListBucket"},
			On:      []string{"${TrailBucket}"},
			When:    athenaAsks(map[string]map[string]string{"StringLike": {"s3:prefix": ownFolder}}),
		},
		{
			Sid:     "FindTheBuckets",
			Actions: []string{"s3:GetBucketLocation"},
			On:      []string{"${TrailBucket}", "${ResultBucket}"},
			When:    athenaAsks(nil),
		},
		{
			Sid:     "KeepResults",
			Actions: []string{"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
			On:      []string{"${ResultBucket}/*"},
			Why:     "The bucket holds the results of these queries and nothing else; Athena names each by the query's id.",
			When:    athenaAsks(nil),
		},
		{
			Sid:     "ListResults",
			Actions: []string{"s3:ListBucket", "s3:ListBucketMultipartUploads"},
			On:      []string{"${ResultBucket}"},
			When:    athenaAsks(nil),
		},
	}
}

// EachGrants are for who calls Each alone, as Grants are for Ask: it reads an answer's rows in its own name where Athena has written them, and no page of Athena's. Who may
// not list is not told that an object is gone.
// https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html (Permissions)
func EachGrants() []grant.Grant {
	all := Grants()
	all[0].Actions = slices.DeleteFunc(all[0].Actions, func(action string) bool { return action == "athena:GetQueryResults" })
	return append(all, []grant.Grant{
		{
			Sid:     "ReadResults",
			Actions: []string{"s3:GetObject"},
			On:      []string{"${ResultBucket}/*"},
			Why:     "The bucket holds the results of these queries and nothing else; Athena names each by the query's id.",
		},
		{Sid: "KnowWhichResultsAreGone", Actions: []string{"s3:ListBucket"}, On: []string{"${ResultBucket}"}},
	}...)
}

// Beside are Grants, or EachGrants, for a Trail with a second trail, which has the management events: with its table, and its files in
// ${ManagementBucket} behind ${ManagementPrefix}.
func Beside(grants []grant.Grant) []grant.Grant {
	const folder = "${ManagementPrefix}${Account}/CloudTrail/*"
	also := map[string]string{"ReadTheTrailsTable": "arn:${Partition}:glue:${Region}:${Account}:table/" + Database + "/" + ManagementTable,
		"ReadTheTrailsFiles": "${ManagementBucket}/" + folder, "FindTheBuckets": "${ManagementBucket}"}
	for i, g := range grants {
		if on := also[g.Sid]; on != "" {
			grants[i].On = append(g.On, on)
		}
	}
	return append(grants, grant.Grant{Sid: "ListTheManagementFiles", Actions: []string{"s3:ListBucket"}, On: []string{"${ManagementBucket}"},
		When: athenaAsks(map[string]map[string]string{"StringLike": {"s3:prefix": folder}})})
}

// KeyGrants are for a trail whose files are encrypted with a KMS key, ${TrailKey} by its ARN; the key's own policy must allow it too.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail-decrypt.html
//
// A trail's bucket may be in any region, and its key is in the bucket's, so that S3 asks for it there: its name's end is a star.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html (S3BucketName, KmsKeyId)
func KeyGrants() []grant.Grant {
	return []grant.Grant{{
		Sid:     "DecryptTheTrailsFiles",
		Actions: []string{"kms:Decrypt"},
		On:      []string{"${TrailKey}"},
		When:    map[string]map[string]string{"StringLike": {"kms:ViaService": "s3.*"}},
	}}
}
