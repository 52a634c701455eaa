//! Metric alarms after each full minute: datapoints against the threshold.

use serde_json::{Value, json};

use super::metrics::Series;
use super::{Alarm, Condition, State, change, items, query, reason, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{MINUTE, Ms, SECOND};

/// How many periods an alarm looks at beyond its `EvaluationPeriods`, for missing datapoints.
const EXTRA: u64 = 2;

pub fn all(cloud: &mut Cloud) {
    let alarms = cloud.state.cloudwatch.alarms.iter().filter(|(_, alarm)| !alarm.composite);
    let names: Vec<String> = alarms.map(|(name, _)| name.clone()).collect();
    for name in names {
        one(cloud, &name);
    }
}

fn one(cloud: &mut Cloud, name: &str) {
    let state = &cloud.state.cloudwatch;
    let Some(alarm) = state.alarms.get(name) else { return };
    // Whether the expression can be worked out was looked at when the alarm was put.
    let Ok(points) = points(state, alarm, cloud.now) else { return };
    let rules = Rules::of(alarm);
    let values: Vec<_> = points.iter().map(|(_, value)| *value).collect();
    let judged = rules.judge(&values);
    let Some(value) = judged.value.filter(|value| *value != alarm.state.value) else { return };
    let condition = Condition {
        value: value.into(),
        reason: reason::text(&rules, &points, &judged),
        reason_data: Some(reason::data(alarm, &rules, &points, &judged, cloud.now)),
        since: cloud.now,
    };
    change::change(cloud, name, condition);
}

/// How far back an alarm looks.
pub fn look_back(alarm: &Alarm) -> Ms {
    if alarm.composite { 0 } else { period(&alarm.config) * (Rules::of(alarm).periods as u64 + EXTRA) }
}

/// The period that a metric alarm's input gives, its own or that of its metrics.
pub fn period(config: &Value) -> Ms {
    let of_metrics = items(config, "Metrics").iter().filter_map(|m| m["MetricStat"]["Period"].as_u64()).max();
    config["Period"].as_u64().or(of_metrics).unwrap_or(60) * SECOND
}

/// A metric alarm's input as the queries that it stands for, and the id of what is watched.
pub fn queries(config: &Value) -> (Vec<Value>, String) {
    let given = items(config, "Metrics");
    if let Some(watched) = given.iter().find(|query| query["ReturnData"] != false) {
        return (given.to_vec(), text(watched, "Id").to_owned());
    }
    let mut stat = json!({
        "Metric": {
            "Namespace": config["Namespace"],
            "MetricName": config["MetricName"],
            "Dimensions": items(config, "Dimensions"),
        },
        "Period": config["Period"],
        "Stat": config["Statistic"].as_str().or(config["ExtendedStatistic"].as_str()),
    });
    if let Some(unit) = config.get("Unit") {
        stat["Unit"] = unit.clone();
    }
    (vec![json!({ "Id": "m1", "MetricStat": stat })], "m1".into())
}

/// What an alarm watches, from `start` on.
pub fn watched(state: &State, config: &Value, start: Ms, end: Ms, now: Ms) -> Result<Series, Fault> {
    let (queries, id) = queries(config);
    let values = query::resolve(state, &queries, start, end, now)?;
    let mut answers = query::answer(&id, values.get(&id))?;
    if answers.len() > 1 {
        return Err(super::validation("Error in expression: the result must be a single time series"));
    }
    Ok(answers.pop().map(|(_, series)| series).unwrap_or_default())
}

/// The evaluation range up to the last full minute, oldest first.
fn points(state: &State, alarm: &Alarm, now: Ms) -> Result<Vec<(Ms, Option<f64>)>, Fault> {
    let period = period(&alarm.config);
    let end = now - now % MINUTE;
    let start = end.saturating_sub(look_back(alarm));
    let series = watched(state, &alarm.config, start, end, now)?;
    Ok((start..end).step_by(period as usize).map(|at| (at, series.get(&at).copied())).collect())
}

/// What a missing datapoint is taken for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Missing {
    Unknown,
    Ignore,
    Red,
    Green,
}

/// When an alarm is red.
#[derive(Debug, Clone)]
pub struct Rules {
    pub periods: usize,
    pub to_alarm: usize,
    pub missing: Missing,
    pub threshold: f64,
    pub comparison: String,
}

/// What became of an alarm's datapoints.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// `None`: as it was.
    pub value: Option<&'static str>,
    /// Which datapoints counted, oldest first.
    pub used: Vec<usize>,
    /// How many more were missing.
    pub filled: usize,
}

impl Rules {
    pub fn of(alarm: &Alarm) -> Self {
        let config = &alarm.config;
        let count = |member: &str| config[member].as_u64().and_then(|n| usize::try_from(n).ok());
        let periods = count("EvaluationPeriods").unwrap_or(1);
        Self {
            periods,
            to_alarm: count("DatapointsToAlarm").unwrap_or(periods),
            missing: match text(config, "TreatMissingData") {
                "ignore" => Missing::Ignore,
                "breaching" => Missing::Red,
                "notBreaching" => Missing::Green,
                _ => Missing::Unknown,
            },
            threshold: config["Threshold"].as_f64().unwrap_or_default(),
            comparison: text(config, "ComparisonOperator").to_owned(),
        }
    }

    pub fn breached_by(&self, value: f64) -> bool {
        match self.comparison.as_str() {
            "GreaterThanOrEqualToThreshold" => value >= self.threshold,
            "GreaterThanThreshold" => value > self.threshold,
            "LessThanThreshold" => value < self.threshold,
            _ => value <= self.threshold,
        }
    }

    /// Judges an evaluation range, oldest first: by the most recent datapoints that are there,
    /// and where they are too few, by what missing ones are taken for.
    pub fn judge(&self, points: &[Option<f64>]) -> Judged {
        let there: Vec<usize> = (0..points.len()).filter(|n| points[*n].is_some()).collect();
        let used = there[there.len().saturating_sub(self.periods)..].to_vec();
        let filled = self.periods - used.len();
        let red = used.iter().filter(|n| points[**n].is_some_and(|value| self.breached_by(value))).count();
        let taken_for_red = if self.missing == Missing::Red { filled } else { 0 };
        let value = if red + taken_for_red >= self.to_alarm {
            Some("ALARM")
        } else if filled == 0 || red < used.len() || self.is_decided() {
            Some("OK")
        } else {
            self.too_few(used.first().map(|oldest| points.len() - oldest))
        };
        Judged { value, used, filled }
    }

    fn is_decided(&self) -> bool {
        matches!(self.missing, Missing::Red | Missing::Green)
    }

    /// Too few datapoints, all of them red: `age` says how many periods ago the oldest was.
    fn too_few(&self, age: Option<usize>) -> Option<&'static str> {
        match self.missing {
            Missing::Ignore => None,
            _ if age.is_some_and(|age| age >= self.to_alarm) => Some("ALARM"),
            _ => Some("INSUFFICIENT_DATA"),
        }
    }
}
