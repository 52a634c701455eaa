//! The rollback target: back along `sluice:replaces` to the newest revision that is active,
//! was not rejected, and whose image still exists; but never past a migration that took
//! away what older versions need.

use futures_util::future::try_join_all;

use crate::aws::{Aws, Image, ImageId};
use crate::config::ImageRule;
use crate::image::ImageRef;
use crate::revision::{Revision, Verdict, short_arn};

/// Where a rollback would lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayBack {
    /// The revision that would be rolled back to, or why there is none.
    pub target: Result<String, String>,
    pub live: LiveImage,
}

/// What the registry says of the image that the container runs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveImage {
    Known(Image),
    Gone,
    /// Not in a repository that this service's releases come from.
    Elsewhere,
}

/// How many revisions back a target is looked for.
const FARTHEST: usize = 10;

/// One round trip where the live revision can serve again, two more for each that cannot.
/// Looks at the images of all containers that are released; gives what is live in `container`.
pub async fn way_back(
    aws: &Aws,
    live: &Revision,
    images: &[ImageRule],
    container: &str,
) -> anyhow::Result<WayBack> {
    let (image, why) = can_serve(aws, live, images, container).await?;
    let target = match why {
        None => Ok(live.arn.clone()),
        Some(why) => before(aws, live, images, why).await?.map(|revision| revision.arn),
    };
    Ok(WayBack { target, live: image })
}

/// Where to go from a revision that is not to serve any longer; or why there is nowhere.
pub async fn rollback_target(
    aws: &Aws,
    bad: &Revision,
    images: &[ImageRule],
) -> anyhow::Result<Result<Revision, String>> {
    before(aws, bad, images, format!("{} is to be taken back", bad.short())).await
}

async fn before(
    aws: &Aws,
    revision: &Revision,
    images: &[ImageRule],
    mut why: String,
) -> anyhow::Result<Result<Revision, String>> {
    let mut revision = revision.clone();
    for _ in 0..FARTHEST {
        if let Some(contracted) = &revision.release.oldest {
            let short = revision.short();
            return Ok(Err(format!("{why}, and what is older than {short} cannot run since {contracted}")));
        }
        let Some(before) = revision.release.replaces.clone() else {
            return Ok(Err(format!("{why}, and {} does not say what it replaced", revision.short())));
        };
        let Some(older) = aws.revision(&before).await? else {
            return Ok(Err(format!("{why}, and ECS has no {} any more", short_arn(&before))));
        };
        revision = older;
        match can_serve(aws, &revision, images, "").await?.1 {
            None => return Ok(Ok(revision)),
            Some(reason) => why = format!("{why}, {reason}"),
        }
    }
    Ok(Err(format!("{why}, and no more than {FARTHEST} revisions back are looked at")))
}

/// The image of `container` as ECR has it, and why the revision cannot serve (again).
async fn can_serve(
    aws: &Aws,
    revision: &Revision,
    images: &[ImageRule],
    container: &str,
) -> anyhow::Result<(LiveImage, Option<String>)> {
    let released = images.iter().filter_map(|rule| Some((rule, revision.container(&rule.container)?)));
    let found = try_join_all(
        released
            .map(|(rule, there)| async move { anyhow::Ok((rule, look_up(aws, &there.image, rule).await?)) }),
    );
    let found = found.await?;
    let gone = found
        .iter()
        .find(|(_, image)| *image == LiveImage::Gone)
        .map(|(rule, _)| format!("the image of {} is gone from {}", revision.short(), rule.repository));
    let why = if revision.release.verdict == Some(Verdict::Rejected) {
        Some(format!("{} was rejected", revision.short()))
    } else if !revision.active {
        Some(format!("{} is not active", revision.short()))
    } else {
        gone
    };
    let image = found.into_iter().find(|(rule, _)| rule.container == container);
    Ok((image.map_or(LiveImage::Elsewhere, |(_, image)| image), why))
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
