package main

import (
	"slices"
	"strings"
	"testing"
)

const (
	theWorkGroup = "arn:aws:athena:eu-west-1:111122223333:workgroup/nightlatch"
	theCatalog   = "arn:aws:glue:eu-west-1:111122223333:"
	theResults   = "arn:aws:s3:::nightlatch-results-x1"
	theFiles     = "arn:aws:s3:::nightlatch-trailfiles-x1" // of a trail that the stack makes
)

// askingAthena are the calls that ask Athena about the files of a bucket, and what must not be allowed. Some of them Athena makes for its
// caller: no test of a program can record those.
func askingAthena(files, folder string) []request {
	via := func(want, action, resource string, context ...string) request {
		return does(want, action, resource, append(context, "aws:CalledVia", "athena.amazonaws.com")...)
	}
	oneFile := files + "/" + folder + "111122223333/CloudTrail/eu-west-1/2026/03/04/x.json.gz"
	calls := []request{
		does("Allowed AskAthena", "athena:StartQueryExecution", theWorkGroup),
		does("Allowed AskAthena", "athena:GetQueryExecution", theWorkGroup),
		does("Allowed AskAthena", "athena:GetQueryResults", theWorkGroup),
		does("Allowed AskAthena", "athena:StopQueryExecution", theWorkGroup),
		does("Allowed CheckTheTrailsTable", "athena:GetTableMetadata", "arn:aws:athena:eu-west-1:111122223333:datacatalog/AwsDataCatalog"),
		does("Allowed CheckTheTrailsTable", "athena:GetDataCatalog", "arn:aws:athena:eu-west-1:111122223333:datacatalog/AwsDataCatalog"),
		does(denied, "athena:GetDataCatalog", "arn:aws:athena:eu-west-1:111122223333:datacatalog/theirs"),
		does("Allowed ReadTheTrailsTable", "glue:GetTable", theCatalog+"table/nightlatch/records"),
		does("Allowed ReadTheTrailsTable", "glue:GetTable", theCatalog+"table/nightlatch/trail"), // a function of the earlier version's, during an update
		does("Allowed ReadTheTrailsTable", "glue:GetTable", theCatalog+"catalog"),
		does("Allowed ReadTheTrailsTable", "glue:GetDatabase", theCatalog+"database/nightlatch"),
		does("Allowed ReadTheDefaultDatabase", "glue:GetDatabase", theCatalog+"database/default"),
		via("Allowed ReadTheTrailsFiles", "s3:GetObject", oneFile),
		via("Allowed ListTheTrailsFiles", "s3:ListBucket", files, "s3:prefix", folder+"111122223333/CloudTrail/eu-west-1/2026/03/04/"),
		via("Allowed FindTheBuckets", "s3:GetBucketLocation", files),
		via("Allowed FindTheBuckets", "s3:GetBucketLocation", theResults),
		via("Allowed KeepResults", "s3:PutObject", theResults+"/x.csv"),
		via("Allowed KeepResults", "s3:GetObject", theResults+"/x.csv"),
		via("Allowed KeepResults", "s3:AbortMultipartUpload", theResults+"/x.csv"),
		via("Allowed KeepResults", "s3:ListMultipartUploadParts", theResults+"/x.csv"),
		via("Allowed ListResults", "s3:ListBucket", theResults),
		via("Allowed ListResults", "s3:ListBucketMultipartUploads", theResults),
		via("ExplicitlyDenied OnlyTLS", "s3:GetObject", theResults+"/x.csv", "aws:SecureTransport", "false"),
		does(denied, "athena:StartQueryExecution", strings.Replace(theWorkGroup, "nightlatch", "primary", 1)),
		does(denied, "athena:UpdateWorkGroup", theWorkGroup),
		does(denied, "athena:CreateNamedQuery", theWorkGroup),
		does(denied, "glue:GetTable", theCatalog+"table/sales/orders"),
		does(denied, "glue:UpdateTable", theCatalog+"table/nightlatch/records"),
		does(denied, "glue:CreateTable", theCatalog+"table/nightlatch/other"),
		does(denied, "s3:GetObject", theResults+"/x.csv"),
		via(denied, "s3:GetObject", files+"/other/x.json.gz"),
		via(denied, "s3:GetObject", strings.Replace(oneFile, "111122223333", "999988887777", 1)), // another account's of the organization
		via(denied, "s3:GetObject", strings.Replace(oneFile, "/CloudTrail/", "/CloudTrail-Digest/", 1)),
		via(denied, "s3:ListBucket", files, "s3:prefix", folder),
		via(denied, "s3:ListBucket", files, "s3:prefix", "other/"),
		via(denied, "s3:GetObject", "arn:aws:s3:::a-bucket/key"),
		via(denied, "s3:DeleteObject", theResults+"/x.csv"),
	}
	if files == theFiles { // its own policy denies, too
		return append(calls, does(denied, "s3:GetObject", oneFile), via("ExplicitlyDenied NobodyElseWrites", "s3:PutObject", oneFile), via("ExplicitlyDenied OnlyTLS", "s3:GetObject", oneFile, "aws:SecureTransport", "false"))
	}
	return append(calls, does(denied, "s3:GetObject", oneFile), via(denied, "s3:PutObject", oneFile))
}

// readingResults are the calls of a function that reads answers in its own name, too.
func readingResults(calls []request) []request {
	for i, c := range calls {
		if c.Action == "athena:GetQueryResults" { // which are pages
			calls[i].want = denied
		}
		if strings.HasPrefix(c.Resource, theResults) && c.Context["aws:SecureTransport"] != "false" {
			switch c.Action {
			case "s3:GetObject":
				calls[i].want = "Allowed ReadResults"
				if c.Context["aws:CalledVia"] != "" {
					calls[i].want = "Allowed KeepResults ReadResults"
				}
			case "s3:ListBucket":
				calls[i].want = "Allowed KnowWhichResultsAreGone ListResults"
			}
		}
	}
	return calls
}

// readingByItself are the calls of a function that tries to read the files in its own name, and may by that whoever asks for it.
func readingByItself(calls []request) []request {
	for i, c := range calls {
		if c.want == denied && c.Action == "s3:GetObject" && strings.Contains(c.Resource, "/111122223333/CloudTrail/") {
			calls[i].want = "Allowed TryToReadTheTrailsFiles"
		}
		calls[i].want = strings.NewReplacer("Allowed ReadTheTrailsFiles", "Allowed TryToReadTheTrailsFiles", "Allowed ListTheTrailsFiles", "Allowed TryToListTheTrailsFiles").Replace(calls[i].want)
	}
	return calls
}

// Answers are written by the two functions that ask, and by nobody else, whatever his own policy lets him do.
func TestOnlyOursWriteAnswers(t *testing.T) {
	tpl := synth(t, onlyAthena(aTrail)...)
	policy := policyOf(t, at(t, tpl.named(t, "AWS::S3::BucketPolicy", "ResultsPolicy"), "PolicyDocument", "Statement"))
	var calls []request
	add := func(principal, want, action string) {
		c := as(principal, everything, action, theResults+"/x.csv")
		c.Context["aws:PrincipalArn"] = principal
		if m := session.FindStringSubmatch(principal); m != nil {
			c.Context["aws:PrincipalArn"] = "arn:aws:iam::" + m[1] + ":role/" + m[2]
		}
		c.want, c.Policy = want, policy
		calls = append(calls, c)
	}
	for _, action := range []string{"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ReplicateObject", "s3:ReplicateDelete"} {
		for _, ours := range []string{"Responder", "Approver"} {
			add("arn:aws:sts::111122223333:assumed-role/Nightlatch-"+ours+"Role-x1/Nightlatch-"+ours+"-x1", "Allowed Everything", action)
		}
		for _, other := range []string{"arn:aws:iam::111122223333:user/admin", "arn:aws:sts::111122223333:assumed-role/admin/eve", "arn:aws:iam::111122223333:root",
			"arn:aws:sts::111122223333:assumed-role/Nightlatch-EnrollerRole-x1/x", "arn:aws:sts::111122223333:assumed-role/Nightlatch-ResponderRole-x12/x"} {
			add(other, "ExplicitlyDenied OnlyOursWrite", action)
		}
	}
	add("arn:aws:iam::111122223333:user/admin", "Allowed Everything", "s3:GetObject")
	judge(t, calls)
}

// underAKey are the calls for files that a key encrypts.
func underAKey(key string) []request {
	return []request{
		does("Allowed AccountDecides DecryptTheTrailsFiles", "kms:Decrypt", key, "kms:ViaService", "s3.eu-west-1.amazonaws.com"),
		does("Allowed AccountDecides DecryptTheTrailsFiles", "kms:Decrypt", key, "kms:ViaService", "s3.us-east-1.amazonaws.com"), // of a bucket elsewhere
		does(denied, "kms:Decrypt", key),
		does(denied, "kms:Decrypt", key, "kms:ViaService", "secretsmanager.eu-west-1.amazonaws.com"),
		does(denied, "kms:GenerateDataKey", key, "kms:ViaService", "s3.eu-west-1.amazonaws.com"),
	}
}

// readingTrails are calls that the enroller must not be let to make, with the trail's ARN.
func readingTrails(trail string) []request {
	return []request{
		does(denied, "cloudtrail:GetTrail", trail+"2"),
		does(denied, "cloudtrail:StopLogging", trail),
		does(denied, "cloudtrail:PutEventSelectors", trail),
		does(denied, "organizations:LeaveOrganization", "*"),
	}
}

// CloudTrail writes the files of the trail that the stack has made, and nobody else writes or deletes any, whatever his own policy lets him do.
func TestOnlyCloudTrailWritesFiles(t *testing.T) {
	tpl := synth(t, onlyAthena(made)...)
	policy := policyOf(t, at(t, tpl.named(t, "AWS::S3::BucketPolicy", "TrailFilesPolicy"), "PolicyDocument", "Statement"))
	const cloudTrail, acl = "cloudtrail.amazonaws.com", "bucket-owner-full-control"
	file := theFiles + "/AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/04/x.json.gz"
	write := func(want, resource, trail string) request {
		c := serviceCall(want, cloudTrail, "s3:PutObject", resource, account, trail)
		c.Context["s3:x-amz-acl"] = acl
		return c
	}
	other := "arn:aws:cloudtrail:eu-west-1:444455556666:trail/x"
	calls := []request{
		serviceCall("Allowed TrailLooks", cloudTrail, "s3:GetBucketAcl", theFiles, account, theTrail),
		serviceCall(denied, cloudTrail, "s3:GetBucketAcl", theFiles, stranger, other),
		write("Allowed TrailWrites", file, theTrail),
		write("Allowed TrailWrites", strings.Replace(file, "/CloudTrail/", "/CloudTrail-Digest/", 1), theTrail),
		write("ExplicitlyDenied NobodyElseWrites", file, other),
		write(denied, theFiles+"/AWSLogs/444455556666/CloudTrail/x.json.gz", theTrail),
		serviceCall(denied, "delivery.logs.amazonaws.com", "s3:PutObject", file, account, theTrail),
	}
	for _, who := range []string{"arn:aws:iam::111122223333:user/admin", "arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:user/mallory"} {
		for _, action := range []string{"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ReplicateObject", "s3:ReplicateDelete"} {
			calls = append(calls, as(who, everything, action, file))
			calls[len(calls)-1].want = "ExplicitlyDenied NobodyElseWrites"
		}
		if !strings.Contains(who, stranger) {
			calls = append(calls, as(who, everything, "s3:GetObject", file))
			calls[len(calls)-1].want = "Allowed Everything"
		}
		calls = append(calls, as(who, everything, "s3:GetObject", file))
		calls[len(calls)-1].want, calls[len(calls)-1].Context["aws:SecureTransport"] = "ExplicitlyDenied OnlyTLS", "false"
	}
	for i := range calls {
		calls[i].Policy = policy
	}
	decided := judge(t, calls)
	for _, sid := range []string{"OnlyTLS", "TrailLooks", "TrailWrites", "NobodyElseWrites"} {
		if !decided[sid] {
			t.Errorf("no call is decided by the statement %s", sid)
		}
	}
	everyConditionIsTried(t, slices.Clone(calls), func(c request) any { return c.Policy })
}
