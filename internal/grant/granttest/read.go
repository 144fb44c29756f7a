package granttest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"
)

// read finds the action, the resource and the context of a call, and of what else it takes.
func (a *AWS) read(service, region string, r *http.Request, body []byte) ([]Call, error) {
	switch service {
	case "dynamodb":
		return a.dynamo(region, r, body)
	case "scheduler":
		return a.scheduler(region, r, body)
	case "s3":
		if r.Header.Get("X-Amz-Account-Id") != "" {
			call, err := s3control(r)
			return []Call{call}, err
		}
		if bucket, key, object := strings.Cut(strings.Trim(r.URL.Path, "/"), "/"); object {
			return ofObject(r, bucket, key)
		}
	}
	call, err := a.readOne(service, region, r, body)
	return []Call{call}, err
}

// dynamo reads DynamoDB's protocol, AWS JSON. A transaction takes the permission of each of its parts:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
func (a *AWS) dynamo(region string, r *http.Request, body []byte) ([]Call, error) {
	var in struct {
		TableName, IndexName string
		Item, Key            map[string]struct{ S string }
		TransactItems        []map[string]struct{ TableName string }
		ResourceArn          string
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	on := func(action, table string) Call {
		return Call{Action: "dynamodb:" + action, Resource: fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s", region, a.Account, table)}
	}
	target := r.Header.Get("X-Amz-Target")
	switch action := target[strings.LastIndex(target, ".")+1:]; action {
	case "DescribeTable", "DescribeContinuousBackups":
		return []Call{on(action, in.TableName)}, nil
	case "GetResourcePolicy":
		return []Call{{Action: "dynamodb:GetResourcePolicy", Resource: in.ResourceArn}}, nil
	case "GetItem", "PutItem", "Query":
		c := on(action, in.TableName)
		if in.IndexName != "" {
			c.Resource += "/index/" + in.IndexName
		}
		// What only some functions may do to only some items; an incident's key is another one each time.
		if key := in.Item["pk"].S + in.Key["pk"].S; strings.HasPrefix(key, "turn#") || key == "notices" || key == "doctor" || key == "tests" || key == "rehearsal" || key == "hub" {
			c.set("dynamodb:LeadingKeys", key)
		}
		return []Call{c}, nil
	case "TransactWriteItems":
		var all []Call
		for _, item := range in.TransactItems {
			for kind, part := range item {
				if kind != "Put" {
					return nil, fmt.Errorf("there is no permission for %s here", kind)
				}
				all = append(all, on("PutItem", part.TableName))
			}
		}
		if len(all) > 0 {
			return all, nil
		}
	}
	return nil, fmt.Errorf("there is no resource for %s here", target)
}

// scheduler reads the REST call that makes a schedule, and has its role passed, and the one that reads a group. What a name has behind its dot is a
// time.
func (a *AWS) scheduler(region string, r *http.Request, body []byte) ([]Call, error) {
	if group, ok := strings.CutPrefix(r.URL.Path, "/schedule-groups/"); ok && r.Method == http.MethodGet {
		return []Call{{Action: "scheduler:GetScheduleGroup", Resource: fmt.Sprintf("arn:aws:scheduler:%s:%s:schedule-group/%s", region, a.Account, group)}}, nil
	}
	var in struct {
		GroupName string
		Target    struct{ RoleArn string }
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/schedules/")
	if err := json.Unmarshal(body, &in); err != nil || !ok || r.Method != http.MethodPost {
		return nil, fmt.Errorf("it makes no schedule: %v", err)
	}
	name, _, _ = strings.Cut(name, ".")
	pass := Call{Action: "iam:PassRole", Resource: in.Target.RoleArn}
	pass.set("iam:PassedToService", "scheduler.amazonaws.com")
	return []Call{{Action: "scheduler:CreateSchedule", Resource: fmt.Sprintf("arn:aws:scheduler:%s:%s:schedule/%s/%s", region, a.Account, in.GroupName, name)}, pass}, nil
}

func (a *AWS) readOne(service, region string, r *http.Request, body []byte) (Call, error) {
	switch service {
	case "iam", "sts", "sns", "cloudformation":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return Call{}, err
		}
		return a.query(service, form)
	case "cloudtrail":
		return a.cloudTrail(region, r, body)
	case "athena":
		return a.athena(region, r, body)
	case "organizations":
		target := r.Header.Get("X-Amz-Target")
		if !strings.HasSuffix(target, ".DescribeOrganization") {
			return Call{}, fmt.Errorf("there is no resource for %s here", target)
		}
		return Call{Action: "organizations:DescribeOrganization", Resource: "*"}, nil
	case "monitoring":
		return a.cloudWatch(region, r, body)
	case "s3":
		return a.s3(r)
	case "sqs":
		return a.sqs(region, r, body)
	case "lambda":
		if r.Method == http.MethodGet {
			return a.lambda(region, r)
		}
		rest, function := strings.CutPrefix(r.URL.Path, "/2015-03-31/functions/")
		name, invoked := strings.CutSuffix(rest, "/invocations")
		if !function || !invoked || r.Method != http.MethodPost {
			return Call{}, fmt.Errorf("it is no call of a function")
		}
		return Call{Action: "lambda:InvokeFunction", Resource: fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", region, a.Account, name)}, nil
	case "events":
		return a.events(region, r, body)
	case "secretsmanager":
		var in struct{ SecretId string }
		err := json.Unmarshal(body, &in)
		return Call{Action: "secretsmanager:GetSecretValue", Resource: in.SecretId}, err
	}
	return Call{}, fmt.Errorf("it is signed for the service %q", service)
}

// lambda reads the REST calls that read a function, or what brings it messages.
func (a *AWS) lambda(region string, r *http.Request) (Call, error) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	arn := fmt.Sprintf("arn:aws:lambda:%s:%s:", region, a.Account)
	switch {
	case len(parts) == 4 && parts[1] == "functions":
		action := map[string]string{"configuration": "GetFunctionConfiguration", "concurrency": "GetFunctionConcurrency", "policy": "GetPolicy"}[parts[3]]
		if action != "" {
			return Call{Action: "lambda:" + action, Resource: arn + "function:" + parts[2]}, nil
		}
	case len(parts) == 3 && parts[1] == "event-source-mappings":
		return Call{Action: "lambda:GetEventSourceMapping", Resource: arn + "event-source-mapping:" + parts[2]}, nil
	}
	return Call{}, fmt.Errorf("there is no resource for %s here", r.URL.Path)
}

// sqs reads AWS JSON: a queue is named by its URL, which ends with the account and the name.
func (a *AWS) sqs(region string, r *http.Request, body []byte) (Call, error) {
	var in struct{ QueueUrl string }
	target := r.Header.Get("X-Amz-Target")
	if err := json.Unmarshal(body, &in); err != nil || !strings.HasSuffix(target, ".GetQueueAttributes") {
		return Call{}, fmt.Errorf("there is no resource for %s here: %v", target, err)
	}
	return Call{Action: "sqs:GetQueueAttributes", Resource: fmt.Sprintf("arn:aws:sqs:%s:%s:%s", region, a.Account, path.Base(in.QueueUrl))}, nil
}

// events reads AWS JSON: a rule is named by its name, on the bus that needs no name.
func (a *AWS) events(region string, r *http.Request, body []byte) (Call, error) {
	var in struct{ Name, Rule string }
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if action == "PutEvents" { // on a bus that its ARN names, or one of this account
		var put struct {
			Entries []struct{ EventBusName string }
		}
		if err := json.Unmarshal(body, &put); err != nil || len(put.Entries) != 1 {
			return Call{}, fmt.Errorf("it puts no event, or several: %v", err)
		}
		bus := put.Entries[0].EventBusName
		if !strings.HasPrefix(bus, "arn:") {
			bus = fmt.Sprintf("arn:aws:events:%s:%s:event-bus/%s", region, a.Account, bus)
		}
		return Call{Action: "events:PutEvents", Resource: bus}, nil
	}
	if err := json.Unmarshal(body, &in); err != nil || action != "DescribeRule" && action != "ListTargetsByRule" {
		return Call{}, fmt.Errorf("there is no resource for %s here: %v", action, err)
	}
	return Call{Action: "events:" + action, Resource: fmt.Sprintf("arn:aws:events:%s:%s:rule/%s%s", region, a.Account, in.Name, in.Rule)}, nil
}

// query reads the protocol of CloudFormation, IAM, STS and SNS. IAM decides about a call with a key on the key's user.
func (a *AWS) query(service string, form url.Values) (Call, error) {
	c := Call{Action: service + ":" + form.Get("Action"), Resource: "*"}
	kind, name := "", ""
	switch {
	case service == "cloudformation":
		c.Resource = form.Get("StackName")
	case form.Has("SubscriptionArn"): // its topic's
		c.Resource = form.Get("SubscriptionArn")[:strings.LastIndex(form.Get("SubscriptionArn"), ":")]
	case service == "sns":
		c.Resource = form.Get("TopicArn")
	case form.Has("UserName"):
		kind, name = "user", form.Get("UserName")
	case form.Has("RoleName"):
		kind, name = "role", form.Get("RoleName")
	case form.Has("GroupName"):
		c.Resource = "arn:aws:iam::" + a.Account + ":group/" + form.Get("GroupName")
	case form.Has("AccessKeyId"):
		kind, name = "key", form.Get("AccessKeyId")
	case c.Action == "iam:ListAccountAliases": // about the account
	case form.Has("PolicySourceArn"):
		c.Resource = form.Get("PolicySourceArn")
	case form.Has("PolicyArn"):
		c.Resource = form.Get("PolicyArn")
	case form.Has("Arn"):
		c.Resource = form.Get("Arn")
	case form.Has("JobId"): // about a report
	case service == "iam":
		return c, fmt.Errorf("%s is about nobody: %v", c.Action, form)
	}
	if kind != "" && form.Has("PolicyArn") {
		c.set("iam:PolicyARN", form.Get("PolicyArn"))
	}
	if kind != "" {
		var tags map[string]string
		if c.Resource, tags = a.Find(kind, name); c.Resource == "" {
			return c, fmt.Errorf("%s is about the %s %q, which is not there", c.Action, kind, name)
		}
		for key, value := range tags {
			c.set("aws:ResourceTag/"+key, value)
		}
	}
	return c, nil
}

var from = regexp.MustCompile(`(?i)\bfrom ([0-9a-f]{8}-[0-9a-f-]{27})\b`)

// cloudTrail reads CloudTrail's protocol, AWS JSON. Each call is about the trail that it names, or the event data store that the query's
// text names.
func (a *AWS) cloudTrail(region string, r *http.Request, body []byte) (Call, error) {
	var in struct{ Name, TrailName, QueryStatement, QueryId, EventDataStoreOwnerAccountId, EventDataStore string }
	if err := json.Unmarshal(body, &in); err != nil {
		return Call{}, err
	}
	target := r.Header.Get("X-Amz-Target")
	c := Call{Action: "cloudtrail:" + target[strings.LastIndex(target, ".")+1:]}
	if trail := in.Name + in.TrailName + in.EventDataStore; trail != "" {
		c.Resource = trail
	} else if in.QueryStatement == "" {
		a.mu.Lock()
		c.Resource = a.stores[in.QueryId]
		a.mu.Unlock()
	} else if store := from.FindStringSubmatch(in.QueryStatement); store != nil {
		owner := a.Account
		if in.EventDataStoreOwnerAccountId != "" {
			owner = in.EventDataStoreOwnerAccountId
		}
		c.Resource = fmt.Sprintf("arn:aws:cloudtrail:%s:%s:eventdatastore/%s", region, owner, store[1])
	}
	if c.Resource == "" {
		return c, fmt.Errorf("%s is about no trail and no event data store", c.Action)
	}
	return c, nil
}

// athena reads Athena's protocol, AWS JSON. A call about a query is about the workgroup that it runs in, and there is one. What Athena itself
// does with the caller's rights, no call shows.
func (a *AWS) athena(region string, r *http.Request, body []byte) (Call, error) {
	var in struct{ CatalogName, WorkGroup, QueryExecutionId string }
	if err := json.Unmarshal(body, &in); err != nil {
		return Call{}, err
	}
	target := r.Header.Get("X-Amz-Target")
	c := Call{Action: "athena:" + target[strings.LastIndex(target, ".")+1:], Resource: fmt.Sprintf("arn:aws:athena:%s:%s:", region, a.Account)}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case in.CatalogName != "":
		c.Resource += "datacatalog/" + in.CatalogName
	case in.WorkGroup != "":
		a.workgroup = in.WorkGroup
		c.Resource += "workgroup/" + in.WorkGroup
	case in.QueryExecutionId != "" && a.workgroup != "":
		c.Resource += "workgroup/" + a.workgroup
	default:
		return c, fmt.Errorf("%s is about no workgroup and no catalog", c.Action)
	}
	return c, nil
}

// remember keeps which store a query is on, from the answer to StartQuery.
func (a *AWS) remember(store string, answer []byte) {
	var out struct{ QueryId string }
	if json.Unmarshal(answer, &out) != nil || out.QueryId == "" {
		return // it was refused
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stores == nil {
		a.stores = map[string]string{}
	}
	a.stores[out.QueryId] = store
}

// cloudWatch reads RPC v2 CBOR: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html. What DescribeAlarms is about
// are all alarms, whatever names it asks for: AWS's refusals name the resource alarm:*.
func (a *AWS) cloudWatch(region string, r *http.Request, body []byte) (Call, error) {
	c := Call{Action: "cloudwatch:" + path.Base(r.URL.Path), Resource: "*"}
	alarm := fmt.Sprintf("arn:aws:cloudwatch:%s:%s:alarm:", region, a.Account)
	switch c.Action {
	case "cloudwatch:GetMetricData", "cloudwatch:ListMetrics":
	case "cloudwatch:ListAlarmMuteRules":
		c.Resource = strings.TrimSuffix(alarm, "alarm:") + "alarm-mute-rule:*"
	case "cloudwatch:GetAlarmMuteRule":
		in, err := Decode(r, body)
		if err != nil {
			return c, err
		}
		c.Resource = strings.TrimSuffix(alarm, "alarm:") + "alarm-mute-rule:" + string(in["AlarmMuteRuleName"].(cbor.String))
	case "cloudwatch:DescribeAlarms":
		c.Resource = alarm + "*"
	case "cloudwatch:DescribeAlarmContributors":
		in, err := Decode(r, body)
		if err != nil {
			return c, err
		}
		c.Resource = alarm + string(in["AlarmName"].(cbor.String))
	default:
		return c, fmt.Errorf("there is no resource for %s here", c.Action)
	}
	return c, nil
}

// Decode reads a request in CBOR, which may be zipped.
func Decode(r *http.Request, body []byte) (cbor.Map, error) {
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(z); err != nil {
			return nil, err
		}
	}
	in, err := cbor.Decode(body)
	if err != nil {
		return nil, err
	}
	m, ok := in.(cbor.Map)
	if !ok {
		return nil, fmt.Errorf("the request is a %T", in)
	}
	return m, nil
}

// ofObject reads the REST calls about an object. Each part of an upload takes the permission to put the whole. Who may not list is refused where there
// is no object, and not told that there is none.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions, https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func ofObject(r *http.Request, bucket, key string) ([]Call, error) {
	c := Call{Action: "s3:PutObject", Resource: "arn:aws:s3:::" + bucket + "/" + anyDay(key)}
	switch {
	case r.Method == http.MethodGet && strings.Contains(key, "/CloudTrail/"): // a trail's file, which was listed before
		c.Action = "s3:GetObject"
		return []Call{c}, nil
	case r.Method == http.MethodGet && !r.URL.Query().Has("uploadId"):
		c.Action = "s3:GetObject"
		return []Call{c, {Action: "s3:ListBucket", Resource: "arn:aws:s3:::" + bucket}}, nil
	case r.Method == http.MethodPut, r.Method == http.MethodPost:
		return []Call{c}, nil
	case r.Method == http.MethodDelete && r.URL.Query().Has("uploadId"):
		c.Action = "s3:AbortMultipartUpload"
		return []Call{c}, nil
	}
	return nil, fmt.Errorf("there is no resource for %s of an object here", r.Method)
}

// days are the folders of a trail's files.
var days = regexp.MustCompile(`/[0-9]{4}/[0-9]{2}/[0-9]{2}/`)

// anyDay is a key of a trail's file with one day, whatever day it is of.
func anyDay(key string) string { return days.ReplaceAllString(key, "/2026/03/04/") }

// s3 reads the REST calls about request metrics, about who may write into a trail's bucket, and about what denies and closes one. To delete a configuration takes the permission to put one.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketMetricsConfiguration.html
func (a *AWS) s3(r *http.Request) (Call, error) {
	bucket := strings.Trim(r.URL.Path, "/")
	switch {
	case bucket == "" && r.Method == http.MethodGet:
		return Call{Action: "s3:ListAllMyBuckets", Resource: "*"}, nil
	case bucket != "" && r.Method == http.MethodGet && r.URL.Query().Has("list-type"):
		c := Call{Action: "s3:ListBucket", Resource: "arn:aws:s3:::" + bucket}
		c.set("s3:prefix", anyDay(r.URL.Query().Get("prefix")))
		return c, nil
	case bucket != "" && r.URL.Query().Has("metrics"):
		c := Call{Action: "s3:PutMetricsConfiguration", Resource: "arn:aws:s3:::" + bucket}
		c.set("aws:ResourceAccount", a.Account)
		if r.Method == http.MethodGet {
			c.Action = "s3:GetMetricsConfiguration"
		}
		return c, nil
	case bucket != "" && (r.URL.Query().Has("policy") || r.URL.Query().Has("publicAccessBlock")) && (r.Method == http.MethodGet || r.Method == http.MethodPut):
		c := Call{Action: "s3:" + map[string]string{http.MethodGet: "Get", http.MethodPut: "Put"}[r.Method] + "BucketPolicy", Resource: "arn:aws:s3:::" + bucket}
		if r.URL.Query().Has("publicAccessBlock") {
			c.Action = strings.TrimSuffix(c.Action, "Policy") + "PublicAccessBlock"
		}
		if owner := r.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" { // or S3 refuses
			c.set("aws:ResourceAccount", owner)
		}
		return c, nil
	case bucket != "" && r.Method == http.MethodGet && configuration(r) != "":
		c := Call{Action: configuration(r), Resource: "arn:aws:s3:::" + bucket}
		if owner := r.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" { // or S3 refuses
			c.set("aws:ResourceAccount", owner)
		}
		return c, nil
	case bucket != "" && r.Method == http.MethodGet && r.URL.Query().Has("lifecycle"):
		return Call{Action: "s3:GetLifecycleConfiguration", Resource: "arn:aws:s3:::" + bucket}, nil
	}
	return Call{}, fmt.Errorf("it is no call about request metrics, about who may write, or about who may read")
}

// configuration is the permission to read what a request asks of a bucket; "" where it is none of these.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
func configuration(r *http.Request) string {
	for asks, action := range map[string]string{"policyStatus": "GetBucketPolicyStatus", "acl": "GetBucketAcl", "ownershipControls": "GetBucketOwnershipControls", "encryption": "GetEncryptionConfiguration",
		"versioning": "GetBucketVersioning", "object-lock": "GetBucketObjectLockConfiguration", "replication": "GetReplicationConfiguration", "logging": "GetBucketLogging"} {
		if r.URL.Query().Has(asks) {
			return "s3:" + action
		}
	}
	return ""
}

// s3control reads the REST calls about an account, for which IAM knows no resource.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
func s3control(r *http.Request) (Call, error) {
	for path, action := range map[string]string{"/configuration/publicAccessBlock": "s3:GetAccountPublicAccessBlock", "/accesspoint": "s3:ListAccessPoints"} {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, path) {
			return Call{Action: action, Resource: "*"}, nil
		}
	}
	return Call{}, fmt.Errorf("it is no call about an account's public access block or its access points")
}
