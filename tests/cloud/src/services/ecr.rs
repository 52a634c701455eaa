//! TODO-BY-OWNER

use crate::image::ResolvedImage;
use serde::Serialize;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

pub(crate) fn call(_cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    Err(Fault::not_modelled(format!("ecr:{}", call.operation)))
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

/// What an image reference (`<registry>/<repository>[:tag][@digest]`) names, as ECS pulls it
/// for linux on this machine's architecture. `Err` is the text ECS shows (`CannotPullContainerError: ...`).
pub(crate) fn resolve(_cloud: &Cloud, _reference: &str) -> Result<ResolvedImage, String> {
    Err("CannotPullContainerError".into())
}

/// Whether `reference` names this account's registry.
pub(crate) fn is_ours(cloud: &Cloud, reference: &str) -> bool {
    reference.starts_with(&format!("{}/", cloud.registry()))
}

/// A layer or config blob by digest, for the server's download path.
pub fn blob<'a>(_cloud: &'a Cloud, _digest: &str) -> Option<&'a [u8]> {
    None
}
