#!/usr/bin/env bash
# The PyPI package moto 5.2.5, which plays AWS, with boto3 1.43.11: a role that CloudFormation makes.
#
# The guess: a role's inline policy reads back the same whoever made the role. IAM's GetRolePolicy returns JSON, which boto3 turns into a dict.
# Seen: of a role that was made with PutRolePolicy it is a dict. Of one that a stack made from the same document it is a string, which no reader of
# JSON takes: Python's own way to write a dict, with single quotes and True. So a tool that compares a deployed role with its template sees a
# difference in moto where there is none, and a test of such a tool has to put the policy once more by IAM's own call.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check 'moto[cloudformation,iam]==5.2.5' boto3==1.43.11
cat >show.py <<'PY'
import json, boto3
from moto import mock_aws

policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": True}}}]}
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}

with mock_aws():
    iam = boto3.client("iam", region_name="eu-west-1")
    iam.create_role(RoleName="by-iam", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="by-iam", PolicyName="p", PolicyDocument=json.dumps(policy))
    boto3.client("cloudformation", region_name="eu-west-1").create_stack(StackName="s", TemplateBody=json.dumps({"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": "by-a-stack", "AssumeRolePolicyDocument": trust, "Policies": [{"PolicyName": "p", "PolicyDocument": policy}]}}}}))
    for name in "by-iam", "by-a-stack":
        read = iam.get_role_policy(RoleName=name, PolicyName="p")["PolicyDocument"]
        try:
            same = (json.loads(read) if isinstance(read, str) else read) == policy
        except json.JSONDecodeError:
            same = "no JSON: " + read[:40] + "..."
        print(name, type(read).__name__, same)
PY
seen=$(AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x venv/bin/python show.py)
echo "$seen"
# Seen on 2026-11-29:
want="by-iam dict True
by-a-stack str no JSON: {'Version': '2012-10-17', 'Statement': [..."
[ "$seen" = "$want" ] || { echo "it is otherwise now"; exit 1; }
