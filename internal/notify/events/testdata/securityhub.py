# Judges findings by AWS's model of BatchImportFindings, runs a state machine in moto with some, and prints what is wrong, how each run ended, and the
# findings that Security Hub has then. An older moto ends in an error of its own where it runs one: then it prints which it is, and runs none.
import json, os, sys, time

os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_DEFAULT_REGION="eu-west-1", MOTO_ACCOUNT_ID="111122223333")
import boto3, moto
from botocore.exceptions import ParamValidationError
from botocore.validate import validate_parameters
from moto import mock_aws

given = json.load(sys.stdin)
with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
    steps, hub = boto3.client("stepfunctions"), boto3.client("securityhub")
    hub.enable_security_hub()
    role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    machine = steps.create_state_machine(name="m", definition=given["definition"], roleArn=role)["stateMachineArn"]
    shape = hub.meta.service_model.operation_model("BatchImportFindings").input_shape
    wrong, ended = [], []
    for one in given["judged"]:
        try:
            validate_parameters({"Findings": [one]}, shape)
        except ParamValidationError as e:
            wrong.append(str(e))
    old = moto.__version__ if tuple(map(int, moto.__version__.split(".")[:3])) < (5, 2, 5) else ""
    for i, one in enumerate([] if old else given["run"]):
        run = steps.start_execution(stateMachineArn=machine, name=f"run-{i}", input=json.dumps(one))["executionArn"]
        for _ in range(300):
            said = steps.describe_execution(executionArn=run)
            if said["status"] != "RUNNING":
                break
            time.sleep(0.1)
        ended.append(said["status"])
    json.dump({"old": old, "wrong": wrong, "ended": ended, "findings": hub.get_findings()["Findings"]}, sys.stdout)
