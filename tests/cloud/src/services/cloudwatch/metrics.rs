//! Metrics: datapoints as they were sent, by the minute or the second, and statistics over them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::{State, text};
use crate::fault::Fault;
use crate::time::{DAY, MINUTE, Ms};

/// How long datapoints are kept.
const RETENTION: Ms = 15 * DAY;

/// Values over time, by the start of their period.
pub type Series = BTreeMap<Ms, f64>;

/// What tells one metric from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Metric {
    pub namespace: String,
    pub name: String,
    pub dimensions: BTreeMap<String, String>,
}

impl Metric {
    pub fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        let dimensions = dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Self { namespace: namespace.into(), name: name.into(), dimensions }
    }

    /// From an input with `MetricName`, `Dimensions` and, unless given, `Namespace`.
    pub fn read(input: &Value, namespace: Option<&str>) -> Self {
        Self {
            namespace: namespace.unwrap_or_else(|| text(input, "Namespace")).into(),
            name: text(input, "MetricName").into(),
            dimensions: super::items(input, "Dimensions")
                .iter()
                .map(|item| (text(item, "Name").into(), text(item, "Value").into()))
                .collect(),
        }
    }

    fn key(&self) -> String {
        let dimensions: String = self.dimensions.iter().map(|(k, v)| format!("\u{1f}{k}={v}")).collect();
        format!("{}\u{1f}{}{dimensions}", self.namespace, self.name)
    }

    pub fn answer(&self) -> Value {
        json!({ "Namespace": self.namespace, "MetricName": self.name, "Dimensions": self.dimension_list() })
    }

    pub fn dimension_list(&self) -> Vec<Value> {
        self.dimensions.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect()
    }

    /// Whether its minute is known only when it is over, as with what AWS itself measures.
    fn is_late(&self) -> bool {
        self.namespace.starts_with("AWS/")
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Store {
    metric: Metric,
    last: Ms,
    /// By start, then by unit.
    buckets: BTreeMap<Ms, BTreeMap<String, Bucket>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Number(f64);

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Samples of one span of time: their summary, and each value's count.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Bucket {
    count: f64,
    sum: f64,
    minimum: Option<f64>,
    maximum: Option<f64>,
    #[serde(skip)]
    values: BTreeMap<Number, f64>,
    /// Some samples came as a summary only: there are no percentiles.
    summarised: bool,
}

impl Bucket {
    pub fn of_value(value: f64, count: f64) -> Self {
        let values = BTreeMap::from([(Number(value), count)]);
        let (minimum, maximum) = (Some(value), Some(value));
        Self { count, sum: value * count, minimum, maximum, values, summarised: false }
    }

    pub fn of_summary(count: f64, sum: f64, minimum: f64, maximum: f64) -> Self {
        if minimum.total_cmp(&maximum).is_eq() {
            return Self { sum, ..Self::of_value(minimum, count) };
        }
        let (minimum, maximum) = (Some(minimum), Some(maximum));
        Self { count, sum, minimum, maximum, values: BTreeMap::new(), summarised: true }
    }

    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.minimum = self.minimum.into_iter().chain(other.minimum).reduce(f64::min);
        self.maximum = self.maximum.into_iter().chain(other.maximum).reduce(f64::max);
        self.summarised |= other.summarised;
        for (value, count) in &other.values {
            *self.values.entry(*value).or_default() += count;
        }
    }

    pub fn statistic(&self, statistic: Statistic) -> Option<f64> {
        match statistic {
            Statistic::SampleCount => Some(self.count),
            Statistic::Sum => Some(self.sum),
            Statistic::Average => (self.count > 0.0).then(|| self.sum / self.count),
            Statistic::Minimum => self.minimum,
            Statistic::Maximum => self.maximum,
            Statistic::Percentile(percent) => self.percentile(percent),
        }
    }

    /// The least value that at least so many percent of the samples do not exceed.
    fn percentile(&self, percent: f64) -> Option<f64> {
        let wanted = self.count * percent / 100.0;
        let mut seen = 0.0;
        let reached = |(value, count): (&Number, &f64)| {
            seen += count;
            (seen >= wanted).then_some(value.0)
        };
        if self.summarised { None } else { self.values.iter().find_map(reached) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    Percentile(f64),
}

impl Statistic {
    pub fn parse(name: &str) -> Result<Self, Fault> {
        let percent = name.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok());
        Ok(match name {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => match percent {
                Some(percent) if (0.0..=100.0).contains(&percent) => Self::Percentile(percent),
                _ => return Err(Fault::not_modelled(format!("cloudwatch: a metric with statistic {name}"))),
            },
        })
    }
}

/// A stretch of time, divided into periods from its start on.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub start: Ms,
    pub end: Ms,
    pub period: Ms,
}

/// Takes samples in, at `at`; `resolution` is a minute or a second.
pub fn record(state: &mut State, metric: &Metric, at: Ms, resolution: Ms, unit: &str, samples: &Bucket) {
    let store = state.metrics.entry(metric.key()).or_insert_with(|| Store {
        metric: metric.clone(),
        last: at,
        buckets: BTreeMap::new(),
    });
    store.last = store.last.max(at);
    let units = store.buckets.entry(at - at % resolution).or_default();
    units.entry(unit.to_owned()).or_default().add(samples);
    let oldest = store.last.saturating_sub(RETENTION);
    if store.buckets.first_key_value().is_some_and(|(start, _)| *start < oldest) {
        store.buckets = store.buckets.split_off(&oldest);
    }
}

/// Samples of each period that has some, by its start and unit. `unit`: of that unit only.
pub fn buckets(
    state: &State,
    metric: &Metric,
    unit: Option<&str>,
    span: Span,
    now: Ms,
) -> BTreeMap<(Ms, String), Bucket> {
    let mut sums: BTreeMap<(Ms, String), Bucket> = BTreeMap::new();
    let Some(store) = state.metrics.get(&metric.key()).filter(|_| span.start < span.end) else { return sums };
    let known = if metric.is_late() { now - now % MINUTE } else { Ms::MAX };
    for (at, units) in store.buckets.range(span.start..span.end.min(known).max(span.start)) {
        let start = at - (at - span.start) % span.period;
        for (name, bucket) in units.iter().filter(|(name, _)| unit.is_none_or(|unit| *name == unit)) {
            sums.entry((start, name.clone())).or_default().add(bucket);
        }
    }
    sums
}

/// A statistic of each period that has samples, over all their units.
pub fn series(
    state: &State,
    metric: &Metric,
    unit: Option<&str>,
    statistic: Statistic,
    span: Span,
    now: Ms,
) -> Series {
    let mut sums: BTreeMap<Ms, Bucket> = BTreeMap::new();
    for ((start, _), bucket) in buckets(state, metric, unit, span, now) {
        sums.entry(start).or_default().add(&bucket);
    }
    sums.iter().filter_map(|(at, bucket)| Some((*at, bucket.statistic(statistic)?))).collect()
}

/// Every metric that can be seen, with the time of its last sample.
pub fn all(state: &State, now: Ms) -> impl Iterator<Item = (&Metric, Ms)> {
    let known = move |store: &&Store| {
        !store.metric.is_late() || store.buckets.keys().next().is_some_and(|start| start + MINUTE <= now)
    };
    state.metrics.values().filter(known).map(|store| (&store.metric, store.last))
}
