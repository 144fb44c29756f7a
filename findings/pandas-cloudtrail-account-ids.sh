#!/usr/bin/env bash
# pandas 3.1.1 and CloudTrail records, one a line, as read_json(lines=True) takes them.
#
# The guess: every value in quotes stays text, so that "is the caller of the account that received the record" is one comparison of two columns.
# Seen: a column of strings that all read as numbers becomes numbers, but only at the top level of a record. recipientAccountId loses its leading
# zero; vpcEndpointAccountId, which most records lack, becomes a float; userIdentity.accountId, one level down, stays text. So the comparison is
# false for every record, and each caller is a stranger. eventVersion "1.1" and "1.10" are one number, and S3's request id "00000000000001E3"
# is 1000. With dtype=False all of it stays text.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pandas==3.1.1
cat >records.jsonl <<'JSON'
{"eventVersion":"1.10","userIdentity":{"type":"IAMUser","accountId":"012345678901"},"recipientAccountId":"012345678901","vpcEndpointAccountId":"012345678901","requestID":"00000000000001E3"}
{"eventVersion":"1.1","userIdentity":{"type":"IAMUser","accountId":"012345678901"},"recipientAccountId":"012345678901","requestID":"0000000000000012"}
JSON
cat >read.py <<'PY'
import pandas as pd

for how in ({}, {"dtype": False}):
    d = pd.read_json("records.jsonl", lines=True, **how)
    same = d.userIdentity.str["accountId"] == d.recipientAccountId
    print(how or "as it comes", d.recipientAccountId.tolist(), d.vpcEndpointAccountId.tolist(), d.eventVersion.tolist(), d.requestID.tolist(), same.tolist())
PY
seen=$(venv/bin/python read.py)
echo "$seen"
# Seen on 2026-11-28:
want="as it comes [12345678901, 12345678901] [12345678901.0, nan] [1.1, 1.1] [1000.0, 12.0] [False, False]
{'dtype': False} ['012345678901', '012345678901'] ['012345678901', nan] ['1.10', '1.1'] ['00000000000001E3', '0000000000000012'] [True, True]"
[ "$seen" = "$want" ] || { echo "it is otherwise now"; exit 1; }
