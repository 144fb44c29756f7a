#!/usr/bin/env bash
# aws-cdk-lib 2.277.0: the assemblies that it writes name a minimumCliVersion that npm does not have, 2.1148.2. The newest 2.x of the CLI there,
# aws-cdk 2.1148.1, deploys from them all the same: it compares the schema's number, and not that field.
#
# The guess: the minimum is a version that was released, and an older CLI refuses.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund aws-cdk-lib@2.277.0 constructs@10.8.1 aws-cdk@2.1148.1 >/dev/null 2>&1
cat >app.js <<'JS'
const { App, Stack, CfnResource } = require('aws-cdk-lib');
const app = new App();
new CfnResource(new Stack(app, 'Finding'), 'Topic', { type: 'AWS::SNS::Topic' });
app.synth();
JS
export CDK_DISABLE_CLI_TELEMETRY=1
minimum=$(npx --no-install cdk synth --quiet --app 'node app.js' >/dev/null 2>&1 && node -p 'require("./cdk.out/manifest.json").minimumCliVersion')
listed=$(npm view "aws-cdk@$minimum" version 2>/dev/null || true)
taken=$(npx --no-install cdk list --app cdk.out 2>/dev/null)
printf 'minimumCliVersion %s, which npm has: %s; CLI %s reads the assembly and lists: %s\n' "$minimum" "${listed:-no}" "$(npx --no-install cdk --version 2>/dev/null | cut -d' ' -f1)" "$taken"
# Seen on 2026-11-28:
[ "$minimum" = 2.1148.2 ] && [ -z "$listed" ] && [ "$taken" = Finding ] || { echo "it is otherwise now"; exit 1; }
