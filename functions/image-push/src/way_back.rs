//! The rollback target: back along `sluice:replaces` to the newest revision that is active,
//! was not rejected, and whose image still exists.

use shared::aws::{Aws, ImageId};
use shared::config::ImageRule;
use shared::image::ImageRef;
use shared::revision::{Revision, Verdict};

use crate::decide::{LiveImage, WayBack};

/// How many revisions back a target is looked for.
const FARTHEST: usize = 10;

/// One round trip where the live revision can serve again, two more for each that cannot.
pub async fn way_back(aws: &Aws, live: &Revision, rules: &[&ImageRule]) -> anyhow::Result<WayBack> {
    let (image, why) = can_serve(aws, live, rules).await?;
    let Some(mut why) = why else { return Ok(WayBack { target: Ok(live.arn.clone()), live: image }) };
    let mut revision = live.clone();
    for _ in 0..FARTHEST {
        let Some(before) = revision.release.replaces.clone() else { break };
        let Some(older) = aws.revision(&before).await? else { break };
        revision = older;
        match can_serve(aws, &revision, rules).await?.1 {
            None => return Ok(WayBack { target: Ok(revision.arn), live: image }),
            Some(reason) => why = format!("{why}, {reason}"),
        }
    }
    Ok(WayBack { target: Err(why), live: image })
}

/// The image of the first container as ECR has it, and why the revision cannot serve (again).
async fn can_serve(
    aws: &Aws,
    revision: &Revision,
    rules: &[&ImageRule],
) -> anyhow::Result<(LiveImage, Option<String>)> {
    let mut first = None;
    let mut why = None;
    for rule in rules {
        let Some(container) = revision.container(&rule.container) else { continue };
        let image = look_up(aws, &container.image, rule).await?;
        if image == LiveImage::Gone {
            why = Some(format!("the image of {} is gone from {}", revision.short(), rule.repository));
        }
        first.get_or_insert(image);
    }
    if !revision.active {
        why = Some(format!("{} is not active", revision.short()));
    }
    if revision.release.verdict == Some(Verdict::Rejected) {
        why = Some(format!("{} was rejected", revision.short()));
    }
    Ok((first.unwrap_or(LiveImage::Elsewhere), why))
}

async fn look_up(aws: &Aws, image: &ImageRef, rule: &ImageRule) -> anyhow::Result<LiveImage> {
    if !image.is_of(&rule.repository) {
        return Ok(LiveImage::Elsewhere);
    }
    let id = match (&image.digest, &image.tag) {
        (Some(digest), _) => ImageId::Digest(digest.clone()),
        (None, Some(tag)) => ImageId::Tag(tag.clone()),
        (None, None) => ImageId::Tag("latest".to_owned()),
    };
    Ok(aws.image(&rule.repository, &id).await?.map_or(LiveImage::Gone, LiveImage::Known))
}
