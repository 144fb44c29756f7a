#!/usr/bin/env bash
# The AWS SDK for Go v2, service/s3control v1.71.1 beside service/s3 v1.114.10: given one base endpoint that is an address, http://127.0.0.1:PORT, S3
# asks that host. S3 Control puts the account in front of it, and asks 111122223333.127.0.0.1, a name that is none.
#
# The guess: a base endpoint is used as it is, or at least both clients of one service family treat it alike. S3's client sees that the host is an
# address, and leaves it. S3 Control's does not look. So a fake, a proxy or a VPC endpoint that is named by its address serves the one client and
# never hears from the other, whose error is one of name resolution. The connection below is made to the server whatever the name is.
set -euo pipefail
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
)

func main() {
	var seen string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Host + r.URL.Path
		w.WriteHeader(404)
	}))
	u, _ := url.Parse(server.URL)
	_, port, _ := net.SplitHostPort(u.Host)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, u.Host) // whatever the name, or nothing would arrive
	}}}
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, HTTPClient: client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}, nil
		})}
	show := func(what string) { fmt.Printf("%-22s %s\n", what, regexp.MustCompile(":"+port).ReplaceAllString(seen, ":PORT")) }
	ctx, account, bucket := context.Background(), aws.String("111122223333"), aws.String("exports")
	s3.NewFromConfig(cfg).GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: bucket})
	show("s3, a bucket's")
	s3control.NewFromConfig(cfg).GetPublicAccessBlock(ctx, &s3control.GetPublicAccessBlockInput{AccountId: account})
	show("s3control, an account's")
	s3control.NewFromConfig(cfg).ListAccessPoints(ctx, &s3control.ListAccessPointsInput{AccountId: account, Bucket: bucket})
	show("s3control, a list")
}
GO
go mod init finding >/dev/null 2>&1
unset GOFLAGS; export GOWORK=off
go get github.com/aws/aws-sdk-go-v2@v1.48.0 github.com/aws/aws-sdk-go-v2/service/s3@v1.114.10 github.com/aws/aws-sdk-go-v2/service/s3control@v1.71.1 >/dev/null 2>&1
seen=$(go run .)
echo "$seen"
# Seen on 2026-11-30:
[ "$seen" = "s3, a bucket's         127.0.0.1:PORT/exports
s3control, an account's 111122223333.127.0.0.1:PORT/v20180820/configuration/publicAccessBlock
s3control, a list      111122223333.127.0.0.1:PORT/v20180820/accesspoint" ] || { echo "the hosts are others now"; exit 1; }
