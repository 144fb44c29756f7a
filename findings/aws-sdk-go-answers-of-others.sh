#!/usr/bin/env bash
# The AWS SDK for Go v2 (iam v1.66.0, sns v1.48.0, s3 v1.114.10, dynamodb v1.74.0) and answers that are not AWS's, as a proxy or a captive portal
# gives them: a page of HTML, or nothing.
#
# The guess: with a status of 200 each call fails, as the page is not its answer; with 403 no error has a code, as none is in the page.
# Seen: UpdateAccessKey and PutBucketMetricsConfiguration report success on a page with 200, because nothing of the body is read. A 200 without
# a body is a success to all four, also where the answer has a member that is always there, as Publish's MessageId. And S3 alone makes an error
# code of the status of a page with 403: "Forbidden", which looks as if S3 itself had answered.
set -euo pipefail
unset GOFLAGS
export GOWORK=off
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"
)

func main() {
	status, page := 200, "<html><body><p>Please sign in</p></body></html>"
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprint(w, page)
	}))
	defer proxy.Close()
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: &proxy.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "x", "")}
	text := aws.String("x")
	calls := []struct {
		name string
		call func(context.Context) error
	}{
		{"iam:UpdateAccessKey", func(ctx context.Context) error {
			_, err := iam.NewFromConfig(cfg).UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{AccessKeyId: text, Status: "Inactive"})
			return err
		}},
		{"s3:PutBucketMetricsConfiguration", func(ctx context.Context) error {
			_, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).PutBucketMetricsConfiguration(ctx,
				&s3.PutBucketMetricsConfigurationInput{Bucket: text, Id: text, MetricsConfiguration: &s3types.MetricsConfiguration{Id: text}})
			return err
		}},
		{"sns:Publish", func(ctx context.Context) error {
			_, err := sns.NewFromConfig(cfg).Publish(ctx, &sns.PublishInput{TopicArn: text, Message: text})
			return err
		}},
		{"dynamodb:ListTables", func(ctx context.Context) error {
			_, err := dynamodb.NewFromConfig(cfg).ListTables(ctx, &dynamodb.ListTablesInput{})
			return err
		}},
	}
	for _, answer := range []struct {
		status int
		page   string
	}{{200, page}, {403, page}, {200, ""}} {
		status, page = answer.status, answer.page
		for _, c := range calls {
			err := c.call(context.Background())
			var api smithy.APIError
			said := "an error without a code"
			switch {
			case err == nil:
				said = "success"
			case errors.As(err, &api):
				said = "code " + api.ErrorCode()
			}
			what := map[bool]string{true: "page", false: "nothing"}[page != ""]
			fmt.Printf("%d %s, %s: %s\n", status, what, c.name, said)
		}
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-sdk-go-v2@v1.48.0 github.com/aws/aws-sdk-go-v2/credentials@v1.21.0 github.com/aws/smithy-go@v1.28.9 \
  github.com/aws/aws-sdk-go-v2/service/{iam@v1.66.0,sns@v1.48.0,s3@v1.114.10,dynamodb@v1.74.0} 2>/dev/null
seen=$(go run .)
echo "$seen"
# Seen on 2026-11-28:
want='200 page, iam:UpdateAccessKey: success
200 page, s3:PutBucketMetricsConfiguration: success
200 page, sns:Publish: an error without a code
200 page, dynamodb:ListTables: an error without a code
403 page, iam:UpdateAccessKey: an error without a code
403 page, s3:PutBucketMetricsConfiguration: code Forbidden
403 page, sns:Publish: an error without a code
403 page, dynamodb:ListTables: an error without a code
200 nothing, iam:UpdateAccessKey: success
200 nothing, s3:PutBucketMetricsConfiguration: success
200 nothing, sns:Publish: success
200 nothing, dynamodb:ListTables: success'
[ "$seen" = "$want" ] || { echo "it is otherwise now"; exit 1; }
