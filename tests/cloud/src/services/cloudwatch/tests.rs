//! Metrics and alarms as their users see them.

use serde_json::{Value, json};

use super::composite::Rule;
use super::evaluate::{Missing, Rules};
use super::{alarm_state, served};
use crate::cloud::{Cloud, Settings};
use crate::fault::Fault;
use crate::time::{MINUTE, Ms, SECOND, from_timestamp};
use crate::timeline::Kind;

const START: Ms = 1_767_225_600_000;
const BALANCER: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188";
const GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/73e2d6bc24d8a067";

struct Watch {
    cloud: Cloud,
    now: Ms,
}

impl Watch {
    fn new() -> Self {
        Self { cloud: Cloud::new(Settings::default(), START), now: START }
    }

    fn ask(&mut self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.cloud.call("cloudwatch", operation, input, self.now)
    }

    fn ok(&mut self, operation: &str, input: Value) -> Value {
        self.ask(operation, input).unwrap()
    }

    fn pass(&mut self, ms: Ms) {
        self.now += ms;
        self.cloud.advance(self.now);
    }

    /// A minute of requests; ends ten seconds into the next, when alarms are evaluated.
    fn minute(&mut self, good: u64, bad: u64) {
        for (status, count) in [(200, good), (503, bad)] {
            if count > 0 {
                served(&mut self.cloud, BALANCER, Some(GROUP), status, 20.0, count);
            }
        }
        self.pass(MINUTE);
    }

    fn state(&self, name: &str) -> &str {
        alarm_state(&self.cloud, name).unwrap()
    }

    fn describe(&mut self, name: &str) -> Value {
        let types = ["MetricAlarm", "CompositeAlarm"];
        let answer = self.ok("DescribeAlarms", json!({ "AlarmNames": [name], "AlarmTypes": types }));
        let lists = ["MetricAlarms", "CompositeAlarms"];
        lists.iter().find_map(|list| answer[*list].get(0)).cloned().unwrap()
    }

    fn set(&mut self, name: &str, value: &str) {
        self.ok("SetAlarmState", json!({ "AlarmName": name, "StateValue": value, "StateReason": "test" }));
    }
}

fn simple(name: &str) -> Value {
    json!({
        "AlarmName": name, "Namespace": "App", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold",
    })
}

fn metric(id: &str, name: &str) -> Value {
    let dimensions = json!([
        { "Name": "LoadBalancer", "Value": "app/web/50dc6c495c0c9188" },
        { "Name": "TargetGroup", "Value": "targetgroup/blue/73e2d6bc24d8a067" },
    ]);
    let metric = json!({ "Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions });
    json!({
        "Id": id, "ReturnData": false,
        "MetricStat": { "Metric": metric, "Period": 60, "Stat": "Sum" },
    })
}

fn error_rate(expression: &str) -> Value {
    json!({
        "AlarmName": "rate", "EvaluationPeriods": 1, "Threshold": 5.0, "TreatMissingData": "notBreaching",
        "ComparisonOperator": "GreaterThanThreshold",
        "Metrics": [
            { "Id": "rate", "Expression": expression, "Label": "Error rate" },
            metric("requests", "RequestCount"),
            metric("errors", "HTTPCode_Target_5XX_Count"),
        ],
    })
}

#[test]
fn an_error_rate_turns_red_in_the_minute_after_errors_and_back() {
    let mut watch = Watch::new();
    watch.pass(10 * SECOND);
    watch.ok("PutMetricAlarm", error_rate("(FILL(errors, 0) / requests) * 100"));
    assert_eq!(watch.state("rate"), "INSUFFICIENT_DATA");
    watch.minute(90, 0);
    assert_eq!(watch.state("rate"), "OK");
    watch.minute(90, 10);
    assert_eq!(watch.state("rate"), "ALARM");
    let alarm = watch.describe("rate");
    assert_eq!(
        alarm["StateReason"],
        "Threshold Crossed: 1 out of the last 1 datapoints [10.0 (01/01/26 00:01:00)] was greater than the \
         threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition)."
    );
    assert_eq!(from_timestamp(&alarm["StateUpdatedTimestamp"]), Some(START + 2 * MINUTE + 10 * SECOND));
    watch.minute(90, 0);
    assert_eq!(watch.state("rate"), "OK");
    let notes = watch.cloud.timeline().iter().filter(|entry| entry.kind == Kind::Alarm);
    let texts: Vec<_> = notes.map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["rate: INSUFFICIENT_DATA -> OK", "rate: OK -> ALARM", "rate: ALARM -> OK"]);
}

#[test]
fn without_fill_a_red_datapoint_counts_as_long_as_it_is_in_range() {
    let mut watch = Watch::new();
    watch.pass(10 * SECOND);
    watch.ok("PutMetricAlarm", error_rate("(errors / requests) * 100"));
    let mut states = Vec::new();
    for bad in [0, 10, 0, 0, 0] {
        watch.minute(90, bad);
        states.push(watch.state("rate").to_owned());
    }
    assert_eq!(states, ["OK", "ALARM", "ALARM", "ALARM", "OK"]);
}

#[test]
fn the_clock_stops_when_nothing_happens() {
    let mut watch = Watch::new();
    watch.ok("PutMetricAlarm", simple("a"));
    watch.pass(60 * MINUTE);
    assert_eq!(watch.cloud.next_wakeup(), None);
    watch.ok("PutMetricData", errors(9.0));
    watch.pass(MINUTE + 10 * SECOND);
    assert_eq!(watch.state("a"), "ALARM");
    watch.pass(60 * MINUTE);
    assert_eq!((watch.state("a"), watch.cloud.next_wakeup()), ("INSUFFICIENT_DATA", None));
}

fn errors(value: f64) -> Value {
    json!({ "Namespace": "App", "MetricData": [{ "MetricName": "Errors", "Value": value }] })
}

/// Judges `0`, `X` and `-`, oldest first, as each treatment does; `=`: as it was.
fn judged(points: &str, periods: usize, to_alarm: usize) -> [&'static str; 4] {
    let points: Vec<_> = points
        .chars()
        .map(|point| match point {
            '0' => Some(0.0),
            'X' => Some(9.0),
            _ => None,
        })
        .collect();
    [Missing::Unknown, Missing::Ignore, Missing::Red, Missing::Green].map(|missing| {
        let comparison = "GreaterThanThreshold".to_owned();
        let rules = Rules { periods, to_alarm, missing, threshold: 5.0, comparison };
        rules.judge(&points).value.unwrap_or("=")
    })
}

#[test]
fn missing_datapoints_are_taken_as_the_guide_says() {
    let none = "INSUFFICIENT_DATA";
    let table = [
        ("0-X-X", 3, ["OK", "OK", "OK", "OK"]),
        ("----0", 3, ["OK", "OK", "OK", "OK"]),
        ("-----", 3, [none, "=", "ALARM", "OK"]),
        ("0XX-X", 3, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("--X--", 3, ["ALARM", "=", "ALARM", "OK"]),
        ("0-X-X", 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("00X0X", 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0-X--", 2, ["OK", "OK", "ALARM", "OK"]),
        ("----0", 2, ["OK", "OK", "ALARM", "OK"]),
        ("---X-", 2, ["ALARM", "=", "ALARM", "OK"]),
    ];
    for (points, to_alarm, states) in table {
        assert_eq!(judged(points, 3, to_alarm), states, "{points} with {to_alarm} of 3");
    }
}

#[test]
fn rules_of_composite_alarms() {
    let red = |rule: &str| {
        let state = |name: &str| Some(if name.starts_with("red") { "ALARM" } else { "OK" }.to_owned());
        Rule::parse(rule).unwrap().holds(&state)
    };
    assert!(red("ALARM(red) AND OK(green)"));
    assert!(red("ALARM(green) OR (NOT ALARM(green) AND TRUE)"));
    assert!(red("OK(green) OR OK(green) AND FALSE"));
    assert!(red("ALARM(\"red (2)\") and not INSUFFICIENT_DATA(red)"));
    assert!(red("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:red)"));
    assert!(!red("NOT (ALARM(red))"));
    for wrong in ["ALARM(red", "red", "ALARM(red) ALARM(red)", "AND", "ALARM()"] {
        assert!(Rule::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_composite_alarm_follows_its_children() {
    let mut watch = Watch::new();
    let composite = json!({ "AlarmName": "both", "AlarmRule": "ALARM(a) AND ALARM(b)" });
    assert_eq!(watch.ask("PutCompositeAlarm", composite.clone()).unwrap_err().shape, "ValidationError");
    watch.ok("PutMetricAlarm", simple("a"));
    watch.ok("PutMetricAlarm", simple("b"));
    watch.ok("PutCompositeAlarm", composite);
    assert_eq!(watch.state("both"), "OK");
    watch.set("a", "ALARM");
    assert_eq!(watch.state("both"), "OK");
    watch.set("b", "ALARM");
    let alarm = watch.describe("both");
    assert_eq!(alarm["StateValue"], "ALARM");
    assert_eq!(
        alarm["StateReason"],
        "arn:aws:cloudwatch:us-east-1:123456789012:alarm:b transitioned to ALARM at Thursday 01 January, 2026 \
         00:00:00 UTC"
    );
    assert_eq!(watch.ok("DescribeAlarms", json!({}))["CompositeAlarms"], json!([]));
    let parents = watch.ok("DescribeAlarms", json!({ "ParentsOfAlarmName": "a" }));
    assert_eq!(parents["CompositeAlarms"][0]["AlarmName"], "both");
    let circle = json!({ "AlarmName": "both", "AlarmRule": "ALARM(both)" });
    assert_eq!(watch.ask("PutCompositeAlarm", circle).unwrap_err().shape, "ValidationError");
}

#[test]
fn statistics_over_values_with_counts() {
    let mut watch = Watch::new();
    let datum =
        json!({ "MetricName": "Time", "Values": [1.0, 2.0, 10.0], "Counts": [8, 1, 1], "Unit": "Seconds" });
    watch.ok("PutMetricData", json!({ "Namespace": "App", "MetricData": [datum] }));
    let input = |member: &str, names: Value| {
        json!({
            "Namespace": "App", "MetricName": "Time", "Period": 60,
            "StartTime": 1_767_225_600, "EndTime": 1_767_225_660, member: names,
        })
    };
    let names = ["Sum", "Average", "Minimum", "Maximum", "SampleCount"];
    let answer = watch.ok("GetMetricStatistics", input("Statistics", json!(names)));
    let point = &answer["Datapoints"][0];
    assert_eq!(names.map(|name| point[name].as_f64().unwrap()), [20.0, 2.0, 1.0, 10.0, 10.0]);
    let answer = watch.ok("GetMetricStatistics", input("ExtendedStatistics", json!(["p50", "p90", "p99"])));
    assert_eq!(answer["Datapoints"][0]["ExtendedStatistics"], json!({ "p50": 1.0, "p90": 2.0, "p99": 10.0 }));
}

#[test]
fn metric_data_comes_in_pages_and_only_of_full_minutes() {
    let mut watch = Watch::new();
    for _ in 0..3 {
        watch.minute(50, 0);
    }
    watch.cloud.advance(watch.now);
    served(&mut watch.cloud, BALANCER, Some(GROUP), 200, 20.0, 7);
    let mut query = metric("requests", "RequestCount");
    query["ReturnData"] = json!(true);
    let double = json!({ "Id": "double", "Expression": "IF(requests > 10, requests * 2, 0)" });
    let mut input = json!({
        "MetricDataQueries": [query, double], "MaxDatapoints": 4, "ScanBy": "TimestampAscending",
        "StartTime": 1_767_225_600, "EndTime": 1_767_226_000,
    });
    let first = watch.ok("GetMetricData", input.clone());
    assert_eq!(first["MetricDataResults"][0]["Values"], json!([50.0, 50.0, 50.0]));
    assert_eq!(first["MetricDataResults"][1]["Values"], json!([100.0]));
    assert_eq!(first["MetricDataResults"][1]["StatusCode"], "PartialData");
    input["NextToken"] = first["NextToken"].clone();
    let second = watch.ok("GetMetricData", input.clone());
    assert_eq!(second["MetricDataResults"][1]["Values"], json!([100.0, 100.0]));
    assert!(second.get("NextToken").is_none_or(Value::is_null));
    input["MetricDataQueries"] = json!([{ "Id": "e", "Expression": "SEARCH('x', 'Sum')" }]);
    let fault = watch.ask("GetMetricData", input).unwrap_err();
    assert!(fault.message.contains("SEARCH"), "{fault}");
}

#[test]
fn history_and_tags() {
    let mut watch = Watch::new();
    let mut input = simple("a");
    input["Tags"] = json!([{ "Key": "team", "Value": "web" }]);
    input["AlarmActions"] = json!(["arn:aws:sns:us-east-1:123456789012:none"]);
    watch.ok("PutMetricAlarm", input);
    watch.set("a", "ALARM");
    let history = watch.ok("DescribeAlarmHistory", json!({ "AlarmName": "a" }));
    let items = history["AlarmHistoryItems"].as_array().unwrap();
    let kinds: Vec<_> = items.iter().map(|item| item["HistoryItemType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Action", "StateUpdate", "ConfigurationUpdate"]);
    assert!(items[0]["HistorySummary"].as_str().unwrap().starts_with("Failed to execute action"));
    let arn = watch.describe("a")["AlarmArn"].clone();
    let tags = watch.ok("ListTagsForResource", json!({ "ResourceARN": arn }));
    assert_eq!(tags["Tags"], json!([{ "Key": "team", "Value": "web" }]));
    watch.ok("DeleteAlarms", json!({ "AlarmNames": ["a"] }));
    assert_eq!(
        watch.ask("DeleteAlarms", json!({ "AlarmNames": ["a"] })).unwrap_err().shape,
        "ResourceNotFound"
    );
}

#[test]
fn events_tell_what_an_alarm_watches_as_real_ones_do() {
    let mut watch = Watch::new();
    let network = |id: &str, name: &str| {
        let dimensions = json!([{ "Name": "InstanceId", "Value": "i-12345678901234567" }]);
        let metric = json!({ "Namespace": "AWS/EC2", "MetricName": name, "Dimensions": dimensions });
        let stat = json!({ "Metric": metric, "Period": 300, "Stat": "Maximum" });
        json!({ "Id": id, "MetricStat": stat, "ReturnData": false })
    };
    let sum = json!({ "Id": "e1", "Expression": "SUM(METRICS())", "Label": "Total Network Traffic" });
    watch.ok(
        "PutMetricAlarm",
        json!({
            "AlarmName": "a", "AlarmDescription": "d", "EvaluationPeriods": 1, "Threshold": 10_000,
            "ComparisonOperator": "GreaterThanThreshold",
            "Metrics": [sum, network("m1", "NetworkIn"), network("m2", "NetworkOut")],
        }),
    );
    let stat = |name: &str| {
        let metric = json!({
            "dimensions": { "InstanceId": "i-12345678901234567" }, "name": name, "namespace": "AWS/EC2",
        });
        json!({ "metric": metric, "period": 300, "stat": "Maximum" })
    };
    let expected = json!([
        { "expression": "SUM(METRICS())", "id": "e1", "label": "Total Network Traffic", "returnData": true },
        { "id": "m1", "metricStat": stat("NetworkIn"), "returnData": false },
        { "id": "m2", "metricStat": stat("NetworkOut"), "returnData": false },
    ]);
    let configuration = super::trigger::configuration(&watch.cloud.state.cloudwatch.alarms["a"]);
    assert_eq!(configuration, json!({ "description": "d", "metrics": expected }));
    assert_eq!(watch.cloud.dump()["state"]["cloudwatch"]["ticking"], true);
}
