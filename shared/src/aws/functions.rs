//! Lambda: a function that is woken.

use anyhow::Context as _;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::Value;

use super::{Aws, failed};

#[derive(Debug, Clone)]
pub struct Functions(aws_sdk_lambda::Client);

impl Functions {
    pub fn new(aws: &Aws) -> Self {
        Self(aws_sdk_lambda::Client::from_conf(builder!(aws_sdk_lambda, &aws.config).build()))
    }

    /// Invokes a function, by name or ARN, and does not wait for its answer.
    pub async fn wake(&self, name: &str, event: &Value) -> anyhow::Result<()> {
        let what = || format!("waking the function {name}");
        let payload = serde_json::to_vec(event).with_context(what)?;
        let call = self.0.invoke().function_name(name).invocation_type(InvocationType::Event);
        call.payload(Blob::new(payload)).send().await.map(drop).map_err(failed(what()))
    }
}
