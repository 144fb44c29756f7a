#!/usr/bin/env bash
# What a client of the AWS SDK for Go v2 costs a program that links it and makes none: lambda v1.108.0 and v1.115.0, iam v1.64.9 and v1.66.0.
#
# The guess: next to nothing. A Go package's start is its variables, a client is made by NewFromConfig, and what describes a call is needed by
# the call.
# Seen: since the version with a package "schemas" each client builds, before main, a description of every operation and shape of its service. Of
# Lambda that is about 670 KiB on the heap, beside 89 for all that the client took before, and of IAM about 625 beside 69. It is done at every
# start of a process, so at every cold start of a function, for one call that may never be made. GODEBUG=inittrace=1 shows it.
set -euo pipefail
unset GOFLAGS
export GOWORK=off
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT

# kib SERVICE VERSION prints how many KiB the packages of that client allocate before main.
kib() {
  mkdir "$dir/$1-$2"
  cd "$dir/$1-$2"
  printf 'package main\n\nimport _ "github.com/aws/aws-sdk-go-v2/service/%s"\n\nfunc main() {}\n' "$1" >main.go
  go mod init linked >/dev/null 2>&1
  go get "github.com/aws/aws-sdk-go-v2/service/$1@$2" >/dev/null 2>&1
  go build -o linked .
  GODEBUG=inittrace=1 ./linked 2>&1 | awk -v of="/service/$1" '/^init / && index($2, of) { bytes += $8 } END { printf "%d\n", bytes / 1024 }'
}

for pair in "lambda v1.108.0 v1.115.0" "iam v1.64.9 v1.66.0"; do
  read -r service before after <<<"$pair"
  was=$(kib "$service" "$before") is=$(kib "$service" "$after")
  echo "$service: $before $was KiB before main, $after $is KiB"
  if [ "$was" -gt 150 ] || [ "$is" -lt 500 ]; then
    echo "this is not what was seen: at most 150 KiB and at least 500"
    exit 1
  fi
done
