package scenarios

import (
	"fmt"
	"time"
)

// record is what every call has, as CloudTrail writes it:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
func (s *Scenario) record(p play, c *Player, network string, at time.Time) map[string]any {
	d := s.dice
	r := map[string]any{
		"eventVersion": "1.11", "userIdentity": s.identity(p, c, at), "eventTime": at.UTC().Format(time.RFC3339), "awsRegion": region,
		"sourceIPAddress": s.address(network, p.Kind), "userAgent": "[aws-cli/2.31.4]", "eventType": "AwsApiCall", "recipientAccountId": account,
		"requestID": fmt.Sprintf("%016X", d.Uint64()),
		"eventID":   fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", d.Uint32(), d.IntN(1<<16), d.IntN(1<<12), d.IntN(1<<12), d.Int64N(1<<48)),
	}
	if p.Kind == "endpoint" {
		r["vpcEndpointId"], r["vpcEndpointAccountId"] = s.endpoint, account
	}
	if p.Error != "" {
		r["errorCode"], r["errorMessage"] = p.Error, "Access Denied"
	}
	return r
}

// identity is who calls:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func (s *Scenario) identity(p play, c *Player, at time.Time) map[string]any {
	if c.As == "role" {
		role, name := c.Who, "i-0"+c.ID[4:]
		return map[string]any{"type": "AssumedRole", "principalId": c.ID + ":" + name, "arn": "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + name,
			"accountId": account, "accessKeyId": c.Credential, "sessionContext": map[string]any{
				"attributes":    map[string]any{"creationDate": at.Add(-time.Hour).UTC().Format(time.RFC3339), "mfaAuthenticated": "false"},
				"sessionIssuer": map[string]any{"type": "Role", "principalId": c.ID, "arn": "arn:aws:iam::" + account + ":role/" + role, "accountId": account, "userName": role}}}
	}
	id := map[string]any{"type": "IAMUser", "principalId": c.ID, "arn": "arn:aws:iam::" + account + ":user/" + c.Who, "accountId": account, "userName": c.Who}
	if p.As != "console" {
		id["accessKeyId"] = c.Credential
	}
	if c.As == "session" {
		id["sessionContext"] = map[string]any{"attributes": map[string]any{"creationDate": c.Made.UTC().Format(time.RFC3339), "mfaAuthenticated": "false"}}
	}
	return id
}

// manage makes it a management event.
func (s *Scenario) manage(r map[string]any, name string, c *Player, made string) {
	r["eventName"], r["managementEvent"], r["eventCategory"] = name, true, "Management"
	r["readOnly"], r["eventSource"] = name == "GetCallerIdentity" || name == "GetSessionToken", "sts.amazonaws.com"
	switch name {
	case "ConsoleLogin":
		r["eventSource"], r["eventType"], r["awsRegion"] = "signin.amazonaws.com", "AwsConsoleSignIn", "us-east-1"
		r["userAgent"] = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0"
		r["responseElements"] = map[string]any{"ConsoleLogin": "Success"}
		r["additionalEventData"] = map[string]any{"LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No", "MFAUsed": "Yes",
			"MFAIdentifier": "arn:aws:iam::" + account + ":mfa/" + c.Who}
	case "CreateAccessKey":
		r["eventSource"], r["awsRegion"] = "iam.amazonaws.com", "us-east-1"
		r["requestParameters"] = map[string]any{"userName": c.Who}
		r["responseElements"] = map[string]any{"accessKey": map[string]any{"userName": c.Who, "accessKeyId": made, "status": "Active", "createDate": r["eventTime"]}}
	case "GetSessionToken":
		r["requestParameters"] = map[string]any{"durationSeconds": 43200}
		r["responseElements"] = map[string]any{"credentials": map[string]any{"accessKeyId": made, "sessionToken": "EXAMPLE", "expiration": r["eventTime"]}}
	}
}

// read makes it a data event of S3 that reads:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html
func (s *Scenario) read(r map[string]any, name string, p play, size int64, presigned bool) {
	bucket := watched
	if p.Bucket != "" {
		bucket = other
	}
	key := ""
	if name != "ListObjects" {
		key = fmt.Sprintf("part-%06d", s.dice.IntN(1_000_000))
	}
	s.data(r, name, bucket, key, size, presigned)
	r["readOnly"] = true
}

// copyOut makes it a copy of an object into a bucket of nobody's knowing.
func (s *Scenario) copyOut(r map[string]any, source string) {
	key := fmt.Sprintf("part-%06d", s.dice.IntN(1_000_000))
	s.data(r, "CopyObject", "loot", key, 224, false)
	from := "arn:aws:s3:" + region + ":" + account + ":accesspoint/analytics/object/" + key
	if source == "alias" {
		from = "analytics-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias/" + key
	}
	r["requestParameters"].(map[string]any)["x-amz-copy-source"] = from
	r["resources"] = append(r["resources"].([]any), map[string]any{"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::" + watched + "/" + key})
	r["readOnly"] = false
}

// data makes it a data event of S3.
func (s *Scenario) data(r map[string]any, name, bucket, key string, size int64, presigned bool) {
	method := "AuthHeader"
	if presigned {
		method = "QueryString"
	}
	parameters := map[string]any{"bucketName": bucket, "Host": bucket + ".s3." + region + ".amazonaws.com"}
	resources := []any{map[string]any{"accountId": account, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::" + bucket}}
	if key != "" {
		parameters["key"] = key
		resources = append([]any{map[string]any{"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::" + bucket + "/" + key}}, resources...)
	}
	r["eventName"], r["eventSource"], r["managementEvent"], r["eventCategory"] = name, "s3.amazonaws.com", false, "Data"
	r["requestParameters"], r["resources"], r["responseElements"] = parameters, resources, nil
	r["additionalEventData"] = map[string]any{"SignatureVersion": "SigV4", "CipherSuite": "TLS_AES_128_GCM_SHA256", "AuthenticationMethod": method,
		"bytesTransferredIn": 0, "bytesTransferredOut": size, "x-amz-id-2": "EXAMPLE="}
}
