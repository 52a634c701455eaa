//! AWS by the environment that Lambda gives a function: region, credentials, endpoints.
//!
//! The SDK's own loader asks profiles, instance metadata and more, which no function has,
//! and doubles a function's size for it.

use anyhow::Context as _;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::address::Loopback;

/// `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`;
/// `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>` for other endpoints;
/// `AWS_USE_FIPS_ENDPOINT` and `AWS_USE_DUALSTACK_ENDPOINT`.
pub fn configuration() -> anyhow::Result<SdkConfig> {
    let needed = |name: &str| {
        variable(name)
            .with_context(|| format!("{name} is not set; Lambda sets it, elsewhere set it yourself"))
    };
    let (key, secret) = (needed("AWS_ACCESS_KEY_ID")?, needed("AWS_SECRET_ACCESS_KEY")?);
    let credentials = Credentials::new(key, secret, variable("AWS_SESSION_TOKEN"), None, "environment");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(needed("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .service_config(Environment)
        .use_fips(switch("AWS_USE_FIPS_ENDPOINT"))
        .use_dual_stack(switch("AWS_USE_DUALSTACK_ENDPOINT"));
    let endpoint = variable("AWS_ENDPOINT_URL");
    Ok(endpoint.into_iter().fold(config, |config, url| config.endpoint_url(url)).build())
}

/// Whether one of the endpoints is on this machine.
pub fn loopback() -> Loopback {
    let endpoints: Vec<_> =
        std::env::vars().filter(|(name, _)| name.starts_with("AWS_ENDPOINT_URL")).collect();
    Loopback::of_endpoints(endpoints.iter().map(|(_, url)| url.as_str()))
}

/// What each client looks up for itself, such as its own endpoint.
#[derive(Debug)]
struct Environment;

impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        variable(&format!("{}_{service}", key.env()))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn switch(name: &str) -> bool {
    variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
