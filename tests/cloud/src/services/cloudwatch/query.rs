//! Reading metrics: ListMetrics, GetMetricStatistics, GetMetricData, and the queries of alarms.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::math::{self, Data, Scope};
use super::metrics::{self, Metric, Series, Span, Statistic};
use super::{State, invalid, items, page, size, text, texts, validation};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{HOUR, MINUTE, Ms, SECOND, from_timestamp, timestamp};

pub fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    if input["IncludeLinkedAccounts"] == true {
        return Err(Fault::not_modelled("cloudwatch:ListMetrics with IncludeLinkedAccounts"));
    }
    let since = input.get("RecentlyActive").map_or(0, |_| cloud.now.saturating_sub(3 * HOUR));
    let wanted = |metric: &Metric| {
        let is = |member: &str, value: &str| input[member].as_str().is_none_or(|wanted| wanted == value);
        let has = |filter: &Value| {
            let value = metric.dimensions.get(text(filter, "Name"));
            value.is_some_and(|value| filter["Value"].as_str().is_none_or(|wanted| wanted == value))
        };
        is("Namespace", &metric.namespace)
            && is("MetricName", &metric.name)
            && items(input, "Dimensions").iter().all(has)
    };
    let known = metrics::all(&cloud.state.cloudwatch, cloud.now);
    let rows = known.filter(|(metric, last)| *last >= since && wanted(metric)).map(|(m, _)| m.answer());
    // ListMetrics knows no `InvalidNextToken`.
    let (rows, token) = page(cloud, rows.collect(), input, 500).map_err(|fault| invalid(&fault.message))?;
    Ok(json!({ "Metrics": rows, "NextToken": token }))
}

/// A request's stretch of time.
fn span(input: &Value, period: Ms) -> Result<Span, Fault> {
    let at = |member| from_timestamp(&input[member]).unwrap_or_default();
    let (start, end) = (at("StartTime"), at("EndTime"));
    if start >= end {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    Ok(Span { start: start - start % period.min(MINUTE), end, period })
}

/// Milliseconds of a `Period`: 1, 5, 10, 20, 30, or whole minutes.
pub fn period(input: &Value) -> Result<Ms, Fault> {
    match input["Period"].as_u64().unwrap_or_default() {
        seconds @ (1 | 5 | 10 | 20 | 30) => Ok(seconds * SECOND),
        seconds if seconds > 0 && seconds % 60 == 0 => Ok(seconds * SECOND),
        _ => Err(invalid("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")),
    }
}

pub fn statistics(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let (plain, extended) = (texts(input, "Statistics"), texts(input, "ExtendedStatistics"));
    if plain.is_empty() && extended.is_empty() {
        let message = "Must specify either Statistics or ExtendedStatistics";
        return Err(Fault::new("MissingRequiredParameterException", message));
    }
    let span = span(input, period(input)?)?;
    if (span.end - span.start) / span.period > 1_440 {
        let message = "You have requested more than 1,440 datapoints; reduce them by the Period or the time.";
        return Err(Fault::new("InvalidParameterCombinationException", message));
    }
    let metric = Metric::read(input, None);
    let buckets = metrics::buckets(&cloud.state.cloudwatch, &metric, input["Unit"].as_str(), span, cloud.now);
    let mut points = Vec::new();
    for ((at, unit), bucket) in buckets {
        let worked_out = |names: &[String]| -> Result<Map<String, Value>, Fault> {
            let value = |name: &String| Ok((name.clone(), json!(bucket.statistic(Statistic::parse(name)?))));
            names.iter().map(value).collect()
        };
        let mut point = worked_out(&plain)?;
        point.insert("Timestamp".into(), timestamp(at));
        point.insert("Unit".into(), json!(unit));
        if !extended.is_empty() {
            let values = worked_out(&extended)?.into_iter().filter(|(_, value)| !value.is_null());
            point.insert("ExtendedStatistics".into(), Value::Object(values.collect()));
        }
        points.push(Value::Object(point));
    }
    Ok(json!({ "Label": metric.name, "Datapoints": points }))
}

pub fn data(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let queries = items(input, "MetricDataQueries");
    check(queries, &cloud.settings.account, "GetMetricData")?;
    let Span { start, end, .. } = span(input, MINUTE)?;
    let values = resolve(&cloud.state.cloudwatch, queries, start, end, cloud.now)?;
    let mut results = Vec::new();
    for query in queries.iter().filter(|query| query["ReturnData"] != false) {
        let id = text(query, "Id");
        for (part, series) in answer(id, values.get(id))? {
            results.push((id, label(query, &part), series));
        }
    }
    let descending = input["ScanBy"] != "TimestampAscending";
    let points = results.iter().enumerate().flat_map(|(n, (.., series))| {
        let mut points: Vec<_> = series.iter().map(|(at, value)| (n, *at, *value)).collect();
        if descending {
            points.reverse();
        }
        points
    });
    let size = size(input, "MaxDatapoints", 100_800).max(1);
    let (points, token) = page(cloud, points.collect(), input, size)?;
    let last = points.last().map(|(n, ..)| *n);
    let rows = results.iter().enumerate().map(|(n, (id, label, _))| {
        let of = || points.iter().filter(|(of, ..)| *of == n);
        let partial = !token.is_null() && last.is_some_and(|last| n >= last);
        json!({
            "Id": id,
            "Label": label,
            "Timestamps": of().map(|(_, at, _)| timestamp(*at)).collect::<Vec<_>>(),
            "Values": of().map(|(.., value)| *value).collect::<Vec<_>>(),
            "StatusCode": if partial { "PartialData" } else { "Complete" },
        })
    });
    Ok(json!({ "MetricDataResults": rows.collect::<Vec<_>>(), "NextToken": token, "Messages": [] }))
}

fn label(query: &Value, part: &str) -> String {
    match query["Label"].as_str() {
        Some(label) if part == text(query, "Id") => label.to_owned(),
        Some(label) => format!("{label} {part}"),
        None => query["MetricStat"]["Metric"]["MetricName"].as_str().unwrap_or(part).to_owned(),
    }
}

/// The series of one query; those of a list each with their id.
pub fn answer(id: &str, data: Option<&Data>) -> Result<Vec<(String, Series)>, Fault> {
    match data {
        Some(Data::Series(series)) => Ok(vec![(id.to_owned(), series.clone())]),
        Some(Data::List(list)) => Ok(list.clone()),
        _ => Err(validation(format!("Error in expression '{id}': the result must be a time series"))),
    }
}

/// Whether queries are whole, and of what is modelled.
pub fn check(queries: &[Value], account: &str, operation: &str) -> Result<(), Fault> {
    let mut ids = std::collections::BTreeSet::new();
    for query in queries {
        let id = text(query, "Id");
        let refused = |what: &str| Err(Fault::not_modelled(format!("cloudwatch:{operation} with {what}")));
        if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !ids.insert(id) {
            return Err(validation(format!(
                "The id '{id}' must be unique and begin with a lowercase letter"
            )));
        }
        if query.get("Expression").is_some() == query.get("MetricStat").is_some() {
            return Err(validation(format!("Query '{id}' must have either MetricStat or Expression")));
        }
        if query["AccountId"].as_str().is_some_and(|other| other != account) {
            return refused("AccountId of another account");
        }
        if text(query, "Label").contains("${") {
            return refused("a dynamic Label");
        }
        if text(query, "Expression").trim_start().starts_with("SELECT") {
            return refused("a Metrics Insights query");
        }
    }
    Ok(())
}

/// What each query amounts to, by id.
pub fn resolve(
    state: &State,
    queries: &[Value],
    start: Ms,
    end: Ms,
    now: Ms,
) -> Result<BTreeMap<String, Data>, Fault> {
    let mut values = BTreeMap::new();
    let mut longest = 0;
    let mut ids = Vec::new();
    for query in queries.iter().filter(|query| query.get("MetricStat").is_some()) {
        let (stat, id) = (&query["MetricStat"], text(query, "Id").to_owned());
        let span = Span { start, end, period: period(stat)? };
        let metric = Metric::read(&stat["Metric"], None);
        let statistic = Statistic::parse(text(stat, "Stat"))?;
        let series = metrics::series(state, &metric, stat["Unit"].as_str(), statistic, span, now);
        longest = longest.max(span.period);
        values.insert(id.clone(), Data::Series(series));
        ids.push(id);
    }
    let span = Span { start, end, period: if longest == 0 { MINUTE } else { longest } };
    let mut left: Vec<&Value> = queries.iter().filter(|query| query.get("Expression").is_some()).collect();
    while !left.is_empty() {
        let before = left.len();
        let mut waiting = Vec::new();
        for query in &left {
            let expression = text(query, "Expression");
            let needed = math::ids(expression)?;
            if left.iter().any(|other| needed.iter().any(|id| id == text(other, "Id"))) {
                waiting.push(*query);
                continue;
            }
            let value = math::evaluate(expression, &Scope { values: &values, metrics: &ids, span })?;
            values.insert(text(query, "Id").to_owned(), value);
        }
        left = waiting;
        if left.len() == before {
            return Err(validation("Error in expression: expressions refer to each other in a circle"));
        }
    }
    Ok(values)
}
