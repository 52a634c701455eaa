//! An error answer, named as the service's model names it.

use serde_json::Value;

/// What a service refuses with. `shape` is the name of the exception in the
/// service's model (the wire layer turns it into the code that the protocol
/// carries, `TargetGroupNotFoundException` into `TargetGroupNotFound`), or a
/// common error's code such as `ValidationException`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub shape: String,
    pub message: String,
    /// Further members of the exception, beside the message.
    pub members: Vec<(String, Value)>,
    /// HTTP status, where the model does not say it.
    pub status: u16,
}

impl Fault {
    pub fn new(shape: &str, message: impl Into<String>) -> Self {
        Self { shape: shape.to_owned(), message: message.into(), members: Vec::new(), status: 400 }
    }

    /// An operation, or a way of using one, that exists on AWS and not here.
    pub fn not_modelled(what: impl std::fmt::Display) -> Self {
        Self { status: 501, ..Self::new("NotModelled", format!("not modelled by the local cloud: {what}")) }
    }

    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.members.push((member.to_owned(), value.into()));
        self
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.shape, self.message)
    }
}

impl std::error::Error for Fault {}
