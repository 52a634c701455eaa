//! CloudWatch Logs: what a task printed.

use aws_sdk_cloudwatchlogs::types::OutputLogEvent;

use super::{Aws, failed};

#[derive(Debug, Clone)]
pub struct Logs(aws_sdk_cloudwatchlogs::Client);

impl Logs {
    pub fn new(aws: &Aws) -> Self {
        Self(aws_sdk_cloudwatchlogs::Client::from_conf(builder!(aws_sdk_cloudwatchlogs, &aws.config).build()))
    }

    /// All lines of a stream so far, the oldest first; none if there is no such stream (yet).
    pub async fn lines(&self, group: &str, stream: &str) -> anyhow::Result<Option<Vec<String>>> {
        let (mut lines, mut token) = (Vec::new(), None::<String>);
        loop {
            let call = self.0.get_log_events().log_group_name(group).log_stream_name(stream);
            let call = call.start_from_head(true).set_next_token(token.clone());
            let answer = match call.send().await {
                Err(e) if e.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                    return Ok(None);
                }
                other => other.map_err(failed(format!("reading the log {group} {stream}")))?,
            };
            lines.extend(answer.events().iter().filter_map(OutputLogEvent::message).map(str::to_owned));
            // At the end of a stream the token is the one that was sent.
            let next = answer.next_forward_token().map(str::to_owned);
            if next.is_none() || next == token {
                return Ok(Some(lines));
            }
            token = next;
        }
    }

    /// The last lines of a stream, at most `limit`; none if there is no such stream.
    pub async fn last_lines(&self, group: &str, stream: &str, limit: i32) -> anyhow::Result<Vec<String>> {
        let call = self.0.get_log_events().log_group_name(group).log_stream_name(stream);
        match call.start_from_head(false).limit(limit).send().await {
            Err(e) if e.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                Ok(Vec::new())
            }
            other => {
                let answer = other.map_err(failed(format!("reading the log {group} {stream}")))?;
                Ok(answer.events().iter().filter_map(OutputLogEvent::message).map(str::to_owned).collect())
            }
        }
    }
}
