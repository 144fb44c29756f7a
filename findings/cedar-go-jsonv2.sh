#!/usr/bin/env bash
# cedar-go v1.9.2 with Go 1.26: a program that reads a policy's entity from JSON builds, and does not build with GOEXPERIMENT=jsonv2.
#
# The guess: the experiment changes what encoding/json does, or how fast, and every package that builds without it builds with it; and
# go-json-experiment/json, on which cedar-go stands, is the same code as Go's own encoding/json/v2 and has the same signatures. In fact the module
# stands for Go's own package as soon as the experiment is on, and there jsontext.Token.Int returns one value, where the module's returns two at the
# version that cedar-go is built with. So a measurement "with the faster JSON" of anything that judges by Cedar ends in the compiler.
set -euo pipefail
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/cedar-policy/cedar-go"
)

func main() {
	var uid cedar.EntityUID
	fmt.Println(uid.UnmarshalJSON([]byte(`{"type":"User","id":"mara"}`)), uid)
}
GO
go mod init finding >/dev/null 2>&1
unset GOFLAGS GOEXPERIMENT
export GOWORK=off GOTOOLCHAIN=go1.26.8
go get github.com/cedar-policy/cedar-go@v1.9.2 github.com/go-json-experiment/json@v1.27.2 >/dev/null 2>&1
plain=$(go run .)
echo "without: $plain"
with=$({ GOEXPERIMENT=jsonv2 go build . 2>&1 || true; } | sed -n 's/^.*types\/json.go:[0-9:]* //p')
echo "with:    $with"
# Seen on 2026-11-30:
[ "$plain" = '<nil> User::"mara"' ] && [ "$with" = "assignment mismatch: 2 variables but tok.Int returns 1 value" ] || { echo "it is otherwise now"; exit 1; }
