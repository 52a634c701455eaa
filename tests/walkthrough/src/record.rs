//! What stays of the acts beside the service: the messages in Slack, the metrics, and what
//! could not be delivered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::facts::Facts;
use crate::paper::short;
use crate::scene::{SERVICE, Scene};
use crate::story::text;
use crate::verify::otherwise;
use crate::wiring::{QUEUE, UNDELIVERABLE};

/// How long messages may take to be delivered.
const PATIENCE: Duration = Duration::from_secs(20);

/// What still counts as the same number: AWS tells times to the millisecond.
const CLOSE: f64 = 0.1;

/// A message in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub title: String,
    pub edits: u64,
    /// In its thread.
    pub thread: Vec<String>,
}

/// Samples of a metric and their sum.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    pub count: f64,
    pub sum: f64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// By channel, without its `#`.
    pub slack: BTreeMap<String, Vec<Post>>,
    /// Of the service in the namespace `Sluice`, by name.
    pub metrics: BTreeMap<String, Measured>,
    /// Messages that wait in the queue, and those that ended in the dead-letter queue.
    pub waiting: u64,
    pub undeliverable: u64,
}

impl Record {
    /// What there is once all messages were delivered, or could have been.
    pub async fn awaited(scene: &mut Scene) -> anyhow::Result<Self> {
        let end = Instant::now() + PATIENCE;
        loop {
            let record = Self::read(scene)?;
            if record.waiting == 0 || Instant::now() > end {
                return Ok(record);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn read(scene: &mut Scene) -> anyhow::Result<Self> {
        let slack = scene.cloud.slack();
        let posts = |name: &String| {
            let each = slack.shown(name).into_iter().map(|post| Post {
                title: post.title(),
                edits: post.edits,
                thread: slack.thread(name, &post.ts).iter().map(|reply| reply.title()).collect(),
            });
            (name.clone(), each.collect())
        };
        let mut count = |queue| -> anyhow::Result<u64> {
            let mut left = 0;
            for kind in ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] {
                left += text(&scene.attribute(queue, kind)?).parse::<u64>()?;
            }
            Ok(left)
        };
        Ok(Self {
            slack: slack.channels.keys().map(posts).collect(),
            waiting: count(QUEUE)?,
            undeliverable: count(UNDELIVERABLE)?,
            metrics: metrics(scene)?,
        })
    }

    /// As a list.
    pub fn told(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (channel, posts) in &self.slack {
            lines.push(format!("#{channel}"));
            for post in posts {
                let edited = if post.edits > 0 { " (edited)" } else { "" };
                lines.push(format!("  {}{edited}", short(&post.title)));
                lines.extend(post.thread.iter().map(|reply| format!("     ↳ {}", short(reply))));
            }
        }
        lines
    }

    /// What should stay of these three acts and does not.
    pub fn unmet(&self, acts: &[Facts; 3]) -> Vec<String> {
        self.in_slack(acts).into_iter().chain(self.measured(&acts[2])).flatten().collect()
    }

    /// A message for each deployment in each channel that is to hear of it, as it ended.
    fn in_slack(&self, acts: &[Facts; 3]) -> [Option<String>; 3] {
        let ends = ["is live", "was rolled back", "was rolled back"];
        let expected = acts.iter().zip(ends).map(|(act, end)| (act.new.commit, end)).collect::<Vec<_>>();
        let stand = |channel: &str, expected: &[(&str, &str)]| {
            let posts = self.slack.get(channel).map(Vec::as_slice).unwrap_or_default();
            let as_expected = |(post, (commit, end)): (&Post, &(&str, &str))| {
                post.title.contains(commit) && post.title.contains(end)
            };
            let edited = channel != "deploys" || posts.iter().all(|post| post.edits > 0);
            let holds =
                posts.len() == expected.len() && edited && posts.iter().zip(expected).all(as_expected);
            otherwise(holds, || format!("#{channel} has one message each of {expected:?}, but: {posts:?}"))
        };
        let none_left = self.waiting + self.undeliverable == 0;
        [
            stand("deploys", &expected),
            stand("ops", &expected[1..]),
            otherwise(none_left, || {
                format!(
                    "every message was delivered, but: {} wait, {} could not be",
                    self.waiting, self.undeliverable
                )
            }),
        ]
    }

    /// What deployment-state counted and measured, each release once: its times are those of the
    /// timeline.
    fn measured(&self, stopped: &Facts) -> [Option<String>; 6] {
        let of = |name: &str| self.metrics.get(name).cloned().unwrap_or_default();
        let summed = |name, expected: f64| {
            let found = of(name).sum;
            let holds = (found - expected).abs() < CLOSE;
            otherwise(holds, || format!("the metric {name} amounts to {expected:.1}, but: {found:.1}"))
        };
        let times = |name, expected: f64| {
            let found = of(name).count;
            let holds = (found - expected).abs() < CLOSE;
            otherwise(holds, || format!("{name} is measured {expected} times, but: {found} times"))
        };
        #[allow(clippy::cast_precision_loss)]
        let to_stop = stopped.red_to_end().map_or(f64::NAN, |span| span as f64 / 1_000.0);
        [
            summed("Deployments", 3.0),
            summed("ChangeFailures", 2.0),
            times("LeadTime", 1.0),
            times("AlarmToStop", 1.0).or_else(|| summed("AlarmToStop", to_stop)),
            times("StopToTrafficBack", 2.0),
            times("TimeToRestore", 2.0),
        ]
    }
}

/// All that is measured of the service, yesterday and today: the acts may begin before midnight.
fn metrics(scene: &mut Scene) -> anyhow::Result<BTreeMap<String, Measured>> {
    const DAY: u64 = 86_400;
    let dimensions = json!([{ "Name": "Service", "Value": SERVICE }]);
    let listed = scene.call("cloudwatch", "ListMetrics", json!({ "Namespace": "Sluice" }))?;
    let now = scene.cloud.now() / 1_000;
    let today = now - now % DAY;
    let (from, to) = (today - DAY, today + DAY);
    let mut found = BTreeMap::new();
    for metric in listed["Metrics"].as_array().into_iter().flatten() {
        let Some(name) = metric["MetricName"].as_str() else { continue };
        let asked = json!({
            "Namespace": "Sluice", "MetricName": name, "Dimensions": dimensions, "StartTime": from,
            "EndTime": to, "Period": DAY, "Statistics": ["SampleCount", "Sum"],
        });
        let answer = scene.call("cloudwatch", "GetMetricStatistics", asked)?;
        let total = |statistic: &str| {
            let points = answer["Datapoints"].as_array().into_iter().flatten();
            points.filter_map(|point: &Value| point[statistic].as_f64()).sum()
        };
        found.insert(name.to_owned(), Measured { count: total("SampleCount"), sum: total("Sum") });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Ended, Red};
    use crate::verify::tests::released;
    use crate::versions::{FIRST, FOURTH, SECOND, THIRD, Version};

    fn post(version: &Version, end: &str) -> Post {
        let title = format!("api: api:{} {end}", version.commit);
        Post { title, edits: 1, thread: vec!["why".into()] }
    }

    fn good() -> Record {
        let (live, back) = (post(&SECOND, "is live"), [&THIRD, &FOURTH].map(|v| post(v, "was rolled back")));
        let [third, fourth] = back.clone();
        let metrics = [
            ("Deployments", 3.0, 3.0),
            ("ChangeFailures", 2.0, 2.0),
            ("LeadTime", 1.0, 330.0),
            ("AlarmToStop", 1.0, 4.2),
            ("StopToTrafficBack", 2.0, 3.0),
            ("TimeToRestore", 2.0, 7.2),
        ];
        let metrics = metrics.map(|(name, count, sum)| (name.to_owned(), Measured { count, sum }));
        Record {
            slack: [("deploys".into(), vec![live, third, fourth]), ("ops".into(), back.into())].into(),
            metrics: metrics.into(),
            waiting: 0,
            undeliverable: 0,
        }
    }

    fn acts() -> [Facts; 3] {
        let statuses = ["Succeeded", "Succeeded"];
        let mut last = released(&SECOND, &FOURTH, statuses);
        last.alarm = "api-5xx";
        last.reds = vec![Red { at: 65_000, alarm: "api-5xx".into() }];
        last.ended = Some(Ended { at: 69_200, status: "Stopped".into() });
        [released(&FIRST, &SECOND, statuses), released(&SECOND, &THIRD, statuses), last]
    }

    #[test]
    fn nothing_is_missing_where_all_was_told_and_counted() {
        assert_eq!(good().unmet(&acts()), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_differs_is_named_alone() {
        type Change = fn(&mut Record);
        let changes: [(Change, &str); 14] = [
            (|r| drop(r.slack.get_mut("deploys").unwrap().pop()), "#deploys has one message"),
            (
                |r| r.slack.get_mut("deploys").unwrap().push(post(&SECOND, "is live")),
                "#deploys has one message",
            ),
            (|r| r.slack.get_mut("deploys").unwrap()[1] = post(&THIRD, "failed"), "#deploys has one message"),
            (|r| r.slack.get_mut("deploys").unwrap()[0].edits = 0, "#deploys has one message"),
            (
                |r| r.slack.get_mut("ops").unwrap()[1] = post(&THIRD, "was rolled back"),
                "#ops has one message",
            ),
            (|r| drop(r.slack.remove("ops")), "#ops has one message"),
            (|r| r.waiting = 1, "every message was delivered, but: 1 wait"),
            (|r| r.undeliverable = 2, "every message was delivered, but: 0 wait, 2 could not"),
            (|r| r.metrics.get_mut("Deployments").unwrap().sum = 4.0, "Deployments amounts to 3"),
            (|r| r.metrics.retain(|name, _| name != "ChangeFailures"), "ChangeFailures amounts to 2"),
            (|r| r.metrics.get_mut("LeadTime").unwrap().count = 2.0, "LeadTime is measured 1 times"),
            (|r| r.metrics.retain(|name, _| name != "AlarmToStop"), "AlarmToStop is measured 1 times"),
            (|r| r.metrics.get_mut("AlarmToStop").unwrap().sum = 5.0, "AlarmToStop amounts to 4.2"),
            (
                |r| r.metrics.get_mut("TimeToRestore").unwrap().count = 3.0,
                "TimeToRestore is measured 2 times",
            ),
        ];
        for (change, named) in changes {
            let mut record = good();
            change(&mut record);
            let unmet = record.unmet(&acts());
            assert!(unmet.len() == 1 && unmet[0].contains(named), "{named}: {unmet:?}");
        }
    }

    #[test]
    fn slack_is_told_as_a_list_with_threads_below_their_messages() {
        let told = good().told();
        let shown = format!("  api: api:{}… is live (edited)", &SECOND.commit[..12]);
        assert_eq!(told[..3], ["#deploys".to_owned(), shown, "     ↳ why".to_owned()]);
        assert_eq!(told.iter().filter(|line| line.starts_with('#')).count(), 2);
    }
}
