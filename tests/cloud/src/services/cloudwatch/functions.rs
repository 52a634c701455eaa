//! What metric math works out: operators and functions over numbers, series and lists of series.

use super::math::{Data, Scope};
use super::metrics::{Series, Span};
use super::validation;
use crate::fault::Fault;
use crate::time::Ms;

fn wrong_types(what: &str) -> Fault {
    validation(format!("Error in expression: {what} cannot be used with these types"))
}

fn finite(series: Series) -> Series {
    series.into_iter().filter(|(_, value)| value.is_finite()).collect()
}

/// Each value changed.
pub fn map(data: Data, change: impl Fn(f64) -> f64) -> Result<Data, Fault> {
    let all = |series: Series| {
        finite(series.into_iter().map(|(at, value)| (at, change(value))).collect::<Series>())
    };
    Ok(match data {
        Data::Number(value) => Data::Number(change(value)),
        Data::Series(series) => Data::Series(all(series)),
        Data::List(list) => Data::List(list.into_iter().map(|(id, series)| (id, all(series))).collect()),
        Data::Text(_) => return Err(wrong_types("text")),
    })
}

/// Two operands brought together where both have a value; what is no finite number, as after
/// a division by zero, is no datapoint.
pub fn zip(left: &Data, right: &Data, operator: fn(f64, f64) -> f64) -> Result<Data, Fault> {
    match (left, right) {
        (Data::Series(a), Data::Series(b)) => {
            let both = a.iter().filter_map(|(at, value)| Some((*at, operator(*value, *b.get(at)?))));
            Ok(Data::Series(finite(both.collect())))
        }
        (Data::List(a), Data::Number(_) | Data::Series(_)) => {
            each(a, |series| zip(&Data::Series(series.clone()), right, operator))
        }
        (Data::Number(_) | Data::Series(_), Data::List(b)) => {
            each(b, |series| zip(left, &Data::Series(series.clone()), operator))
        }
        (_, Data::Number(b)) => map(left.clone(), |a| operator(a, *b)),
        (Data::Number(a), _) => map(right.clone(), |b| operator(*a, b)),
        _ => Err(wrong_types("an operator")),
    }
}

fn each(list: &[(String, Series)], work: impl Fn(&Series) -> Result<Data, Fault>) -> Result<Data, Fault> {
    let mut answer = Vec::new();
    for (id, series) in list {
        let Data::Series(series) = work(series)? else { return Err(wrong_types("a list")) };
        answer.push((id.clone(), series));
    }
    Ok(Data::List(answer))
}

/// `[m1, m2]`
pub fn list(items: Vec<Data>) -> Result<Data, Fault> {
    let mut answer = Vec::new();
    for item in items {
        match item {
            Data::Series(series) => answer.push((String::new(), series)),
            Data::List(list) => answer.extend(list),
            _ => return Err(wrong_types("a list")),
        }
    }
    Ok(Data::List(answer))
}

pub fn call(name: &str, arguments: Vec<Data>, scope: &Scope) -> Result<Data, Fault> {
    let count = arguments.len();
    let mut arguments = arguments.into_iter();
    let given = (arguments.next(), arguments.next(), arguments.next());
    match (name, given, count) {
        ("SUM", (Some(data), ..), 1) => reduce(name, data, |values| values.iter().sum()),
        ("AVG", (Some(data), ..), 1) => reduce(name, data, average),
        ("MIN", (Some(data), ..), 1) => {
            reduce(name, data, |v| v.iter().copied().fold(f64::INFINITY, f64::min))
        }
        ("MAX", (Some(data), ..), 1) => {
            reduce(name, data, |v| v.iter().copied().fold(f64::NEG_INFINITY, f64::max))
        }
        ("ABS", (Some(data), ..), 1) => map(data, f64::abs),
        ("CEIL", (Some(data), ..), 1) => map(data, f64::ceil),
        ("FLOOR", (Some(data), ..), 1) => map(data, f64::floor),
        ("FILL", (Some(data), Some(with), _), 2) => fill(data, &with, scope.span),
        ("IF", (Some(condition), Some(then), otherwise), 2 | 3) => {
            choose(condition, &then, otherwise.as_ref())
        }
        ("METRICS", (None, ..), 0) => Ok(metrics(scope, "")),
        ("METRICS", (Some(Data::Text(part)), ..), 1) => Ok(metrics(scope, &part)),
        ("SUM" | "AVG" | "MIN" | "MAX" | "ABS" | "CEIL" | "FLOOR" | "FILL" | "IF" | "METRICS", ..) => {
            Err(wrong_types(name))
        }
        _ => Err(Fault::not_modelled(format!("cloudwatch: metric math with the function {name}"))),
    }
}

#[allow(clippy::cast_precision_loss)]
fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A series to one number, or a list to one series.
fn reduce(name: &str, data: Data, over: fn(&[f64]) -> f64) -> Result<Data, Fault> {
    match data {
        Data::Series(series) if series.is_empty() => Ok(Data::Number(f64::NAN)),
        Data::Series(series) => Ok(Data::Number(over(&series.into_values().collect::<Vec<_>>()))),
        Data::List(list) => {
            let mut columns = std::collections::BTreeMap::<Ms, Vec<f64>>::new();
            for (at, value) in list.into_iter().flat_map(|(_, series)| series) {
                columns.entry(at).or_default().push(value);
            }
            Ok(Data::Series(columns.into_iter().map(|(at, values)| (at, over(&values))).collect()))
        }
        _ => Err(wrong_types(name)),
    }
}

/// The request's metrics whose id contains `part`.
fn metrics(scope: &Scope, part: &str) -> Data {
    let ids = scope.metrics.iter().filter(|id| id.contains(part));
    let series = ids.filter_map(|id| match scope.values.get(id) {
        Some(Data::Series(series)) => Some((id.clone(), series.clone())),
        _ => None,
    });
    Data::List(series.collect())
}

fn fill(data: Data, with: &Data, span: Span) -> Result<Data, Fault> {
    match data {
        Data::Series(series) => filled(series, with, span).map(Data::Series),
        Data::List(list) => each(&list, |series| filled(series.clone(), with, span).map(Data::Series)),
        _ => Err(wrong_types("FILL")),
    }
}

fn filled(mut series: Series, with: &Data, span: Span) -> Result<Series, Fault> {
    let mut last = None;
    let mut at = span.start;
    while at < span.end {
        let value = match (series.get(&at), with) {
            (Some(value), _) => Some(*value),
            (None, Data::Number(value)) => Some(*value),
            (None, Data::Series(values)) => values.get(&at).copied(),
            (None, Data::Text(word)) if word == "REPEAT" => last,
            (None, Data::Text(word)) => {
                return Err(Fault::not_modelled(format!("cloudwatch: metric math with FILL by {word}")));
            }
            (None, Data::List(_)) => return Err(wrong_types("FILL")),
        };
        series.extend(value.map(|value| (at, value)));
        last = value;
        at += span.period;
    }
    Ok(series)
}

fn choose(condition: Data, then: &Data, otherwise: Option<&Data>) -> Result<Data, Fault> {
    let series = match condition {
        Data::Number(value) => {
            let chosen = if value == 0.0 { otherwise } else { Some(then) };
            return Ok(chosen.cloned().unwrap_or(Data::Series(Series::new())));
        }
        Data::Series(series) => series,
        _ => return Err(wrong_types("IF")),
    };
    let mut answer = Series::new();
    for (at, value) in series {
        let value = match if value == 0.0 { otherwise } else { Some(then) } {
            Some(Data::Number(value)) => Some(*value),
            Some(Data::Series(series)) => series.get(&at).copied(),
            None => None,
            Some(_) => return Err(wrong_types("IF")),
        };
        answer.extend(value.map(|value| (at, value)));
    }
    Ok(Data::Series(finite(answer)))
}
