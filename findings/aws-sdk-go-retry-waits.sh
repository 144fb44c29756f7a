#!/usr/bin/env bash
# The AWS SDK for Go v2, github.com/aws/aws-sdk-go-v2 v1.48.0: the standard retryer waits less than 50 ms before its second attempt after a 503,
# and less than 100 ms before its third. In v1.47.7 it waits up to two seconds, then up to four.
#
# The guess: "three attempts, exponential backoff" bridges a fault of a second or two, as it did a version earlier. It is now over in 150 ms, so that
# an outage of half a second is an error. Only a throttle still waits, up to a second at first. No option was changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// longest is the longest of many waits before an attempt, in steps that do not depend on chance.
func longest(err error, attempt int) string {
	r, most := retry.NewStandard(), time.Duration(0)
	for range 10000 {
		d, failed := r.RetryDelay(attempt, err)
		if failed != nil {
			panic(failed)
		}
		most = max(most, d)
	}
	for _, limit := range []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second} {
		if most <= limit {
			return "up to " + limit.String()
		}
	}
	return most.String()
}

func main() {
	fault := &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 503}}, Err: errors.New("fault")}
	throttle := &smithy.GenericAPIError{Code: "ThrottlingException"}
	fmt.Printf("503: %s, then %s; throttled: %s\n", longest(fault, 1), longest(fault, 2), longest(throttle, 1))
}
GO
go mod init finding >/dev/null 2>&1
unset GOFLAGS; export GOWORK=off
ask() {
	go get "github.com/aws/aws-sdk-go-v2@$1" "github.com/aws/smithy-go@$2" >/dev/null 2>&1
	go run .
}
before=$(ask v1.47.7 v1.28.8)
after=$(ask v1.48.0 v1.28.9)
printf 'v1.47.7  %s\nv1.48.0  %s\n' "$before" "$after"
# Seen on 2026-11-28:
[ "$before" = "503: up to 2s, then up to 4s; throttled: up to 2s" ] || { echo "v1.47.7 behaves otherwise now"; exit 1; }
[ "$after" = "503: up to 50ms, then up to 100ms; throttled: up to 1s" ] || { echo "v1.48.0 behaves otherwise now"; exit 1; }
