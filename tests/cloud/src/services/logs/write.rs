//! Events coming in: PutLogEvents, and what tasks and functions write.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{DAY, HOUR, Ms};

use super::{Event, Group, Stream, group, invalid, no_stream, position};

/// Of one request, each event counted with 26 bytes beside its message.
const MOST_BYTES: usize = 1_048_576;
const OLDEST: Ms = 14 * DAY;
const NEWEST: Ms = 2 * HOUR;

pub(super) fn put(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    if input.get("entity").is_some() {
        return Err(Fault::not_modelled("logs:PutLogEvents with entity"));
    }
    let events: Vec<(Ms, &str)> = input["logEvents"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|event| {
            (event["timestamp"].as_u64().unwrap_or(0), event["message"].as_str().unwrap_or_default())
        })
        .collect();
    let (now, count) = (cloud.now, cloud.state.logs.count);
    let name = input["logStreamName"].as_str().unwrap_or_default();
    let group = group(cloud, input)?;
    let kept_since = group.kept_since(now);
    let stream = group.streams.get_mut(name).ok_or_else(|| no_stream(name))?;
    check(&events)?;
    let (accepted, rejected) = sift(&events, now, kept_since);
    for (n, (timestamp, message)) in (1..).zip(accepted) {
        stream.add(*timestamp, now, count + n, message);
    }
    cloud.state.logs.count += accepted.len() as u64;
    let token = cloud.ids.digits(56);
    if let Some(stream) = self::group(cloud, input)?.streams.get_mut(name) {
        stream.last_ingestion = Some(now);
        stream.sequence_token = Some(token.clone());
    }
    Ok(json!({ "nextSequenceToken": token, "rejectedLogEventsInfo": rejected }))
}

fn check(events: &[(Ms, &str)]) -> Result<(), Fault> {
    if events.windows(2).any(|pair| pair[0].0 > pair[1].0) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    if let (Some(first), Some(last)) = (events.first(), events.last())
        && last.0 - first.0 > DAY
    {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    let bytes: usize = events.iter().map(|(_, message)| message.len() + 26).sum();
    if bytes > MOST_BYTES {
        return Err(invalid(format!("Upload too large: {bytes} bytes exceeds limit of {MOST_BYTES}")));
    }
    Ok(())
}

/// The events that are neither too old nor too new, and what to say of the others.
fn sift<'a, 'b>(
    events: &'a [(Ms, &'b str)],
    now: Ms,
    kept_since: Ms,
) -> (&'a [(Ms, &'b str)], Option<Value>) {
    let before = |at: Ms| events.partition_point(|(timestamp, _)| *timestamp < at);
    let too_old = before(now.saturating_sub(OLDEST));
    let expired = before(kept_since);
    let too_new = events.partition_point(|(timestamp, _)| *timestamp <= now + NEWEST);
    let first = too_old.max(expired).min(too_new);
    let mut rejected = json!({});
    for (member, index, is_so) in [
        ("tooOldLogEventEndIndex", too_old, too_old > 0),
        ("expiredLogEventEndIndex", expired, expired > 0),
        ("tooNewLogEventStartIndex", too_new, too_new < events.len()),
    ] {
        if is_so {
            rejected[member] = json!(index);
        }
    }
    let rejected = rejected.as_object().is_some_and(|r| !r.is_empty()).then_some(rejected);
    (&events[first..too_new], rejected)
}

impl Stream {
    fn add(&mut self, timestamp: Ms, ingested: Ms, count: u64, message: &str) {
        let event =
            Event { position: position(timestamp, count), timestamp, ingested, message: message.into() };
        let at = self.events.partition_point(|other| other.position < event.position);
        self.events.insert(at, event);
    }
}

/// Lines written now; group and stream are made if need be. Empty lines leave no event.
pub(crate) fn append(cloud: &mut Cloud, group: &str, stream: &str, lines: &[String]) {
    let now = cloud.now;
    let logs = &mut cloud.state.logs;
    let group = logs.groups.entry(group.to_owned()).or_insert_with(|| Group::new(group, now));
    group.drop_expired(now);
    let stream = group
        .streams
        .entry(stream.to_owned())
        .or_insert_with(|| Stream { created: now, ..Stream::default() });
    for line in lines.iter().filter(|line| !line.is_empty()) {
        logs.count += 1;
        stream.add(now, now, logs.count, line);
        stream.last_ingestion = Some(now);
    }
}
