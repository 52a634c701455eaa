//! Why a metric alarm is in its state: as text, and as data.

use serde_json::json;

use super::Alarm;
use super::evaluate::{Judged, Missing, Rules, period};
use crate::time::{Ms, iso, iso_offset};

/// How many datapoints a reason shows.
const SHOWN: usize = 5;

type Points<'a> = &'a [(Ms, Option<f64>)];

/// `1 datapoint was`, `2 datapoints were`
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what} was") } else { format!("{count} {what}s were") }
}

/// `45628.0 (02/10/19 17:10:00)`
fn point((at, value): (Ms, f64)) -> String {
    let at = iso(at);
    format!("{value:?} ({}/{}/{} {})", &at[8..10], &at[5..7], &at[2..4], &at[11..19])
}

fn comparison(rules: &Rules) -> &'static str {
    match rules.comparison.as_str() {
        "GreaterThanOrEqualToThreshold" => "greater than or equal to",
        "GreaterThanThreshold" => "greater than",
        "LessThanThreshold" => "less than",
        _ => "less than or equal to",
    }
}

pub fn text(rules: &Rules, points: Points, judged: &Judged) -> String {
    let Judged { value, used, filled } = judged;
    let taken_for = match rules.missing {
        Missing::Red => "Breaching",
        _ => "NonBreaching",
    };
    if *value == Some("INSUFFICIENT_DATA") {
        return format!("Insufficient Data: {} unknown.", counted(*filled, "datapoint"));
    }
    let treated = format!("{} treated as [{taken_for}]", counted(*filled, "missing datapoint"));
    if used.is_empty() {
        let periods = if *filled == 1 { "1 period".into() } else { format!("{filled} periods") };
        return format!("Threshold Crossed: no datapoints were received for {periods} and {treated}.");
    }
    let red = *value == Some("ALARM");
    let shown: Vec<(Ms, f64)> = used
        .iter()
        .rev()
        .filter_map(|n| Some((points[*n].0, points[*n].1?)))
        .filter(|(_, value)| rules.breached_by(*value) == red)
        .collect();
    let list = shown.iter().take(SHOWN).map(|shown| point(*shown)).collect::<Vec<_>>().join(", ");
    let verb = if shown.len() == 1 { "was" } else { "were" };
    let not = if red { "" } else { "not " };
    let (needed, change) = if red {
        (rules.to_alarm, "OK -> ALARM")
    } else {
        (rules.periods - rules.to_alarm + 1, "ALARM -> OK")
    };
    let plural = if needed == 1 { "" } else { "s" };
    let decided = matches!(rules.missing, Missing::Red | Missing::Green) && *filled > 0;
    let missing = if decided { format!(" and {treated}") } else { String::new() };
    format!(
        "Threshold Crossed: {} out of the last {} datapoints [{list}] {verb} {not}{} the threshold ({:?}){missing} \
         (minimum {needed} datapoint{plural} for {change} transition).",
        shown.len(),
        rules.periods,
        comparison(rules),
        rules.threshold,
    )
}

pub fn data(alarm: &Alarm, rules: &Rules, points: Points, judged: &Judged, now: Ms) -> String {
    let newest = &judged.used[judged.used.len().saturating_sub(2 * SHOWN)..];
    let recent: Vec<f64> = newest.iter().filter_map(|n| points[*n].1).collect();
    let evaluated: Vec<_> = newest
        .iter()
        .rev()
        .map(|n| json!({ "timestamp": iso_offset(points[*n].0), "value": points[*n].1 }))
        .collect();
    let mut data = json!({
        "version": "1.0",
        "queryDate": iso_offset(now),
        "period": period(&alarm.config) / 1000,
        "recentDatapoints": recent,
        "threshold": rules.threshold,
    });
    if let Some(first) = newest.first() {
        data["startDate"] = json!(iso_offset(points[*first].0));
        data["evaluatedDatapoints"] = json!(evaluated);
    }
    let config = &alarm.config;
    if let Some(name) = config["Statistic"].as_str().or(config["ExtendedStatistic"].as_str()) {
        data["statistic"] = json!(name);
    }
    if let Some(unit) = config["Unit"].as_str() {
        data["unit"] = json!(unit);
    }
    data.to_string()
}
