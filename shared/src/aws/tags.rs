//! Tags on ECS's resources, which keep what AWS does not keep for Sluice.

use aws_sdk_ecs::types::Tag as SdkTag;

use super::{Aws, failed};

/// ECS's limit on a tag's value, in characters.
const LONGEST: usize = 256;

impl Aws {
    /// Puts tags on a resource of ECS, or others in the place of those with the same key.
    /// What a value cannot hold becomes a space, and what is too long is cut.
    pub async fn tag(&self, arn: &str, tags: &[(&str, String)]) -> anyhow::Result<()> {
        let tags: Vec<_> = tags
            .iter()
            .map(|(key, text)| SdkTag::builder().key(*key).value(tag_value(text)).build())
            .collect();
        let call = self.ecs.tag_resource().resource_arn(arn).set_tags(Some(tags));
        call.send().await.map(drop).map_err(failed(format!("tagging {arn}")))
    }
}

/// The text as a tag's value: ECS takes letters, digits, spaces and `_.:/=+-@`.
pub fn tag_value(text: &str) -> String {
    let taken = |c: char| if c.is_alphanumeric() || "_.:/=+-@".contains(c) { c } else { ' ' };
    let words = text.chars().map(taken).collect::<String>();
    words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::tag_value;

    #[test]
    fn a_reason_becomes_a_value_that_ecs_takes() {
        assert_eq!(tag_value("smoke (api): status 500, not 200\n"), "smoke api : status 500 not 200");
        assert_eq!(tag_value("größer → 1"), "größer 1");
        assert_eq!(tag_value(&"ß,".repeat(400)).chars().count(), 256);
    }
}
