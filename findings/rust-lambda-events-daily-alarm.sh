#!/usr/bin/env bash
# The crate aws_lambda_events 1.2.1, AWS's own types of what a Lambda function in Rust is sent, and the reasonData of a CloudWatch alarm.
#
# The guess: reasonData of an alarm on one metric becomes CloudWatchAlarmStateReasonData::Metric, with the datapoints, whatever the alarm's period;
# Composite is for an alarm over alarms, and what fits neither is Generic.
# Seen: that is so for a period of a minute or of 18 hours. For one of a day, which CloudWatch allows, the same text becomes Composite, without an
# alarm in it, without the datapoints and without an error: a period is a u16 there, which ends at 65,535 seconds, and every field of the composite
# form may be missing, so that it takes whatever JSON object the other refuses.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.1.0"
edition = "2021"

[dependencies]
aws_lambda_events = { version = "=1.2.1", default-features = false, features = ["cloudwatch_alarms"] }
serde_json = "1"
TOML
cat >src/main.rs <<'RUST'
use aws_lambda_events::cloudwatch_alarms::{CloudWatchAlarmStateReasonData as Data, CloudWatchAlarm};
use serde_json::{json, Value};

fn main() {
    for period in [60, 64800, 86400] {
        let at = "2026-05-12T00:00:00.000+0000";
        let reason = json!({"version": "1.0", "queryDate": at, "startDate": at, "statistic": "Sum", "period": period, "recentDatapoints": [2147483648.0],
            "threshold": 1073741824.0, "evaluatedDatapoints": [{"timestamp": at, "sampleCount": 300.0, "value": 2147483648.0}]});
        let event: CloudWatchAlarm<Value> = serde_json::from_value(json!({"source": "aws.cloudwatch", "accountId": "444455556666", "region": "eu-central-1",
            "alarmArn": "arn:aws:cloudwatch:eu-central-1:444455556666:alarm:a", "time": at, "alarmData": {"alarmName": "a", "configuration": {"metrics": []},
            "state": {"value": "ALARM", "reason": "Threshold Crossed", "timestamp": at, "reasonData": reason.to_string()}}})).unwrap();
        match event.alarm_data.state.unwrap().reason_data.unwrap() {
            Data::Metric(m) => println!("{period}: Metric, {} datapoint", m.evaluated_datapoints.len()),
            Data::Composite(c) => println!("{period}: Composite, {} alarms", c.triggering_alarms.len()),
            other => println!("{period}: {other:?}"),
        }
    }
}
RUST
seen=$(cargo run -q)
echo "$seen"
# Seen on 2026-11-28:
want='60: Metric, 1 datapoint
64800: Metric, 1 datapoint
86400: Composite, 0 alarms'
[ "$seen" = "$want" ] || { echo "it is otherwise now"; exit 1; }
