//! PutMetricData.

use serde_json::{Value, json};

use super::metrics::{Bucket, Metric, record};
use super::{invalid, items, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{DAY, HOUR, MINUTE, Ms, SECOND, from_timestamp};

/// How far from now a datapoint may be.
const PAST: Ms = 14 * DAY;
const FUTURE: Ms = 2 * HOUR;

/// One datum, read.
struct Datum {
    metric: Metric,
    at: Ms,
    resolution: Ms,
    unit: String,
    samples: Vec<Bucket>,
}

/// Nothing is kept unless all is right.
pub fn put(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let namespace = text(input, "Namespace");
    if namespace.starts_with("AWS/") {
        return Err(invalid("The value AWS/ for parameter Namespace is invalid."));
    }
    if !items(input, "EntityMetricData").is_empty() {
        return Err(Fault::not_modelled("cloudwatch:PutMetricData with EntityMetricData"));
    }
    let data = items(input, "MetricData");
    if data.is_empty() {
        let message = "The parameter MetricData is required.";
        return Err(Fault::new("MissingRequiredParameterException", message));
    }
    let data = data.iter().map(|datum| read(datum, namespace, cloud.now)).collect::<Result<Vec<_>, _>>()?;
    for Datum { metric, at, resolution, unit, samples } in data {
        for sample in samples {
            record(&mut cloud.state.cloudwatch, &metric, at, resolution, &unit, &sample);
        }
    }
    Ok(json!({}))
}

fn read(datum: &Value, namespace: &str, now: Ms) -> Result<Datum, Fault> {
    let at = from_timestamp(&datum["Timestamp"]).unwrap_or(now);
    if at + PAST < now || at > now + FUTURE {
        return Err(invalid(
            "The parameter MetricData.member.Timestamp must be within two weeks before and two hours after now.",
        ));
    }
    let resolution = match datum["StorageResolution"].as_u64() {
        None | Some(60) => MINUTE,
        Some(1) => SECOND,
        Some(_) => return Err(invalid("The parameter StorageResolution must be 1 or 60.")),
    };
    let unit = datum["Unit"].as_str().unwrap_or("None").to_owned();
    let metric = Metric::read(datum, Some(namespace));
    Ok(Datum { metric, at, resolution, unit, samples: samples(datum)? })
}

fn samples(datum: &Value) -> Result<Vec<Bucket>, Fault> {
    let given = ["Value", "StatisticValues", "Values"].iter().filter(|name| datum.get(**name).is_some());
    if given.count() != 1 {
        let message = "Exactly one of Value, Values and StatisticValues must be given for each datum.";
        return Err(Fault::new("InvalidParameterCombinationException", message));
    }
    if let Some(set) = datum.get("StatisticValues") {
        let [count, sum, least, most] =
            ["SampleCount", "Sum", "Minimum", "Maximum"].map(|name| set[name].as_f64().unwrap_or_default());
        if count <= 0.0 || least > most {
            return Err(invalid("The parameter StatisticValues is no summary of samples."));
        }
        return Ok(vec![Bucket::of_summary(count, sum, least, most)]);
    }
    if let Some(value) = datum.get("Value") {
        return Ok(vec![Bucket::of_value(number(value)?, 1.0)]);
    }
    let (values, counts) = (items(datum, "Values"), items(datum, "Counts"));
    if values.len() > 150 || (!counts.is_empty() && counts.len() != values.len()) {
        return Err(invalid("The parameters Values and Counts must be of the same length, up to 150."));
    }
    let count = |n: usize| counts.get(n).and_then(Value::as_f64).unwrap_or(1.0);
    values.iter().enumerate().map(|(n, value)| Ok(Bucket::of_value(number(value)?, count(n)))).collect()
}

fn number(value: &Value) -> Result<f64, Fault> {
    let finite = value.as_f64().filter(|number| number.is_finite());
    finite.ok_or_else(|| invalid("The value of a datum must be a finite number."))
}
