package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts under testdata/script are incidents that read as stories. Each runs the command itself over a trail that the
// command "trail" writes from a table, one call a line:
//
//	time  credential  address  call  bucket/key  bytes  [key=value …]
//
// Where sts, iam or signin stands in the bucket's place, it is a call to that service.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"trail": trail, "alarm": alarmFile},
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
	})
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"nightlatch": main})
}

const ours = "111122223333"

// trail TABLE FILE turns a table of calls into CloudTrail records, one a line.
func trail(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: trail table file")
	}
	var out strings.Builder
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(args[0])))
	for n := 1; lines.Scan(); n++ {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) < 6 {
			ts.Fatalf("%s:%d: too few fields", args[0], n)
		}
		times := 1
		var more []string
		for _, kv := range f[6:] {
			if v, ok := strings.CutPrefix(kv, "times="); ok {
				times, _ = strconv.Atoi(v)
				continue
			}
			more = append(more, kv)
		}
		for i := range times {
			r, err := call(f[:6], more, fmt.Sprintf("%s-%d-%d", args[1], n, i))
			if err != nil {
				ts.Fatalf("%s:%d: %v", args[0], n, err)
			}
			text, err := json.Marshal(r)
			ts.Check(err)
			out.Write(append(text, '\n'))
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(out.String()), 0o644))
}

// call is one record. The credential is user/KEY, role:session/KEY, service, saml:NAME, anonymous or account:NUMBER.
func call(f, more []string, id string) (map[string]any, error) {
	at, err := time.Parse("2006-01-02T15:04:05", f[0])
	if err != nil {
		return nil, err
	}
	bucket, key, _ := strings.Cut(f[4], "/")
	extra := map[string]any{"AuthenticationMethod": "AuthHeader"}
	if f[5] != "-" {
		n, err := strconv.ParseFloat(f[5], 64)
		if err != nil {
			return nil, err
		}
		extra["bytesTransferredOut"] = n
	}
	params := map[string]any{"bucketName": bucket}
	resources := []any{map[string]any{"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::" + bucket}}
	if key != "" {
		params["key"] = key
	}
	r := map[string]any{
		"eventVersion": "1.11", "eventTime": at.Format(time.RFC3339), "eventSource": "s3.amazonaws.com", "eventName": f[3],
		"awsRegion": "eu-west-1", "sourceIPAddress": f[2], "userAgent": "[aws-cli/2.31.4]", "requestParameters": params,
		"additionalEventData": extra, "eventID": id, "readOnly": true, "resources": resources, "managementEvent": false,
		"recipientAccountId": ours, "eventCategory": "Data", "userIdentity": identity(f[1]),
	}
	answers := map[string]any{}
	if s := f[4]; s == "sts" || s == "iam" || s == "signin" {
		params = map[string]any{}
		r["eventSource"], r["awsRegion"], r["managementEvent"], r["eventCategory"], r["readOnly"] = s+".amazonaws.com", "us-east-1", true, "Management", false
		r["requestParameters"], r["responseElements"], r["additionalEventData"], r["resources"] = params, answers, nil, nil
	}
	for _, kv := range more {
		k, v, _ := strings.Cut(kv, "=")
		if unquoted, err := strconv.Unquote(v); err == nil {
			v = unquoted
		}
		switch k {
		case "gives":
			of := map[string]string{"sts": "credentials", "iam": "accessKey"}[f[4]]
			answers[of] = map[string]any{"accessKeyId": v, "expiration": "Mar 4, 2026, 12:00:00 PM"}
		case "role":
			role, name, _ := strings.Cut(v, ":")
			params["roleArn"], params["roleSessionName"] = "arn:aws:iam::"+ours+":role/"+role, name
			answers["assumedRoleUser"] = map[string]any{"assumedRoleId": roleID(role) + ":" + name, "arn": "arn:aws:sts::" + ours + ":assumed-role/" + role + "/" + name}
		case "federates":
			answers["federatedUser"] = map[string]any{"federatedUserId": ours + ":" + v, "arn": "arn:aws:sts::" + ours + ":federated-user/" + v}
		case "serves":
			answers["serviceSpecificCredential"] = map[string]any{"serviceSpecificCredentialId": v}
		case "policyArn", "roleName":
			params[k] = v
		case "succeeds":
			answers[f[3]] = "Success"
		case "presigned":
			extra["AuthenticationMethod"] = "QueryString"
		case "source":
			params["x-amz-copy-source"] = v
		case "userName", "tags":
			params[k] = v
		case "via":
			r["userIdentity"].(map[string]any)["invokedBy"] = v
		default:
			r[k] = v
		}
	}
	return r, nil
}

func roleID(role string) string {
	return "AROAEXAMPLE" + strings.ToUpper(regexp.MustCompile(`[\W_]`).ReplaceAllString(role, ""))
}

func identity(s string) map[string]any {
	who, key, _ := strings.Cut(s, "/")
	switch role, name, session := strings.Cut(who, ":"); {
	case who == "service":
		return map[string]any{"type": "AWSService", "invokedBy": "replication.s3.amazonaws.com"}
	case role == "saml":
		return map[string]any{"type": "SAMLUser", "principalId": "idp:" + name, "userName": name, "identityProvider": "idp"}
	case role == "federated":
		issuer := map[string]any{"type": "IAMUser", "principalId": "AIDAEXAMPLEMARA", "arn": "arn:aws:iam::" + ours + ":user/mara", "accountId": ours, "userName": "mara"}
		return map[string]any{"type": "FederatedUser", "principalId": ours + ":" + name, "arn": "arn:aws:sts::" + ours + ":federated-user/" + name, "accountId": ours, "accessKeyId": key,
			"sessionContext": map[string]any{"sessionIssuer": issuer}}
	case who == "anonymous":
		return map[string]any{"type": "AWSAccount", "principalId": "anonymous", "accountId": "anonymous"}
	case who == "root":
		return map[string]any{"type": "Root", "principalId": ours, "arn": "arn:aws:iam::" + ours + ":root", "accountId": ours, "accessKeyId": key}
	case role == "account":
		return map[string]any{"type": "AWSAccount", "principalId": "AROAEXAMPLEOTHER1:x", "accountId": name}
	case session:
		return map[string]any{"type": "AssumedRole", "principalId": roleID(role) + ":" + name,
			"arn": "arn:aws:sts::" + ours + ":assumed-role/" + role + "/" + name, "accountId": ours, "accessKeyId": key,
			"sessionContext": map[string]any{"sessionIssuer": map[string]any{"type": "Role", "userName": role, "arn": "arn:aws:iam::" + ours + ":role/" + role, "accountId": ours}}}
	}
	return map[string]any{"type": "IAMUser", "principalId": "AIDAEXAMPLE" + strings.ToUpper(who), "arn": "arn:aws:iam::" + ours + ":user/" + who,
		"accountId": ours, "accessKeyId": key, "userName": who}
}

// alarm FILE BUCKET TIME BYTES… writes the alarm that CloudWatch sends for datapoints of one minute each, the first at TIME.
func alarmFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: alarm file bucket time bytes…")
	}
	from, err := time.Parse("2006-01-02T15:04", args[2])
	ts.Check(err)
	const form = "2006-01-02T15:04:05.000-0700"
	var points []any
	for i, s := range args[3:] {
		n, err := strconv.ParseFloat(s, 64)
		ts.Check(err)
		points = append(points, map[string]any{"timestamp": from.Add(time.Duration(i) * time.Minute).Format(form), "value": n})
	}
	at := from.Add(time.Duration(len(args)-3)*time.Minute + 100*time.Second).Format(form)
	data, err := json.Marshal(map[string]any{"version": "1.0", "period": 60, "threshold": 1000.0, "evaluatedDatapoints": points})
	ts.Check(err)
	text, err := json.MarshalIndent(map[string]any{
		"source": "aws.cloudwatch", "alarmArn": "arn:aws:cloudwatch:eu-west-1:" + ours + ":alarm:nightlatch-" + args[1], "accountId": ours,
		"time": at, "region": "eu-west-1", "alarmData": map[string]any{
			"alarmName": "nightlatch-" + args[1],
			"state":     map[string]any{"value": "ALARM", "reason": "Threshold Crossed", "reasonData": string(data), "timestamp": at},
			"configuration": map[string]any{"metrics": []any{map[string]any{"id": "m1", "returnData": true, "metricStat": map[string]any{
				"metric": map[string]any{"namespace": "AWS/S3", "name": "BytesDownloaded", "dimensions": map[string]string{"BucketName": args[1], "FilterId": "EntireBucket"}},
				"period": 60, "stat": "Sum"}}}},
		}}, "", "  ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o644))
}
