//! The newest image that waits, found without an event: of each repository the last one that
//! was pushed after what is live, released as its push would be.

use futures_util::future::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use shared::aws::{EcsService, Image};
use shared::config::{ImageRule, Service};
use shared::events::ecr::{Cause, ImageEvent};
use shared::image::{Digest, is_companion_tag};
use shared::revision::Revision;

use crate::ImagePush;
use crate::decide::{Nothing, Refuse};
use crate::image::PushedImage;
use crate::target::{Outcome, Target};

/// Which images count as waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waited {
    /// Pushed after this, where neither what is live nor a baseline says since when.
    pub since: Option<Timestamp>,
    /// How long an image is left to the event of its push.
    pub grace: SignedDuration,
}

/// The newest image of a repository that waits, as far as it and the service tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub repository: String,
    pub image: Image,
}

/// The images that wait for a service, one of each repository at most, among those that
/// `images` gives of it. Whether one may start is another question.
pub fn waiting<'a>(
    service: &Service,
    ecs: &EcsService,
    live: &Revision,
    images: impl Fn(&str) -> &'a [Image],
    grace: SignedDuration,
    now: Timestamp,
) -> Vec<Waiting> {
    let of = |rules: Vec<&ImageRule>| {
        let repository = &rules.first()?.repository;
        let since = since(&rules, ecs, live)?;
        let image = newest(images(repository), &rules, &since, grace, now).ok()?;
        Some(Waiting { repository: repository.clone(), image })
    };
    by_repository(service).into_iter().filter_map(of).collect()
}

/// The newest image of a repository, for these rules.
struct Candidate<'a> {
    rules: Vec<&'a ImageRule>,
    image: Image,
}

impl ImagePush {
    /// All of a push's own decisions are made. Of several repositories, the image that was
    /// pushed first is started first: the other's turn comes at its end.
    pub async fn newest(&self, service: &Service, waited: Waited) -> anyhow::Result<Outcome> {
        let Some(ecs) = self.aws.service(&service.cluster, &service.service).await? else {
            return Ok(Refuse::NoService.into());
        };
        let Some(live) = self.aws.revision(&ecs.revision).await? else {
            anyhow::bail!("ECS does not know {}, which the service runs", ecs.revision)
        };
        let (mut candidates, mut last) = (Vec::new(), Nothing::NoBaseline);
        for rules in by_repository(service) {
            match self.candidate(rules, &ecs, &live, waited).await? {
                Ok(candidate) => candidates.push(candidate),
                Err(nothing) => last = nothing,
            }
        }
        candidates.sort_by_key(|candidate| candidate.image.pushed_at);
        let mut outcome = Outcome::from(last);
        for candidate in candidates {
            outcome = self.release_one(service, &candidate).await?;
            if outcome.started.is_some() {
                break;
            }
        }
        Ok(outcome)
    }

    async fn candidate<'a>(
        &self,
        rules: Vec<&'a ImageRule>,
        ecs: &EcsService,
        live: &Revision,
        waited: Waited,
    ) -> anyhow::Result<Result<Candidate<'a>, Nothing>> {
        let waited_since = waited.since.map(|at| Since { at, live: None });
        let Some(since) = since(&rules, ecs, live).or(waited_since) else {
            return Ok(Err(Nothing::NoBaseline));
        };
        let Some(rule) = rules.first() else { return Ok(Err(Nothing::NothingNewer { since: since.at })) };
        let images = self.aws.tagged_images(&rule.repository).await?;
        Ok(newest(&images, &rules, &since, waited.grace, self.aws.now())
            .map(|image| Candidate { rules, image }))
    }

    async fn release_one(&self, service: &Service, candidate: &Candidate<'_>) -> anyhow::Result<Outcome> {
        let Candidate { rules, image } = candidate;
        let event = ImageEvent {
            repository: rules.first().map(|rule| rule.repository.clone()).unwrap_or_default(),
            digest: image.digest.to_string(),
            tags: image.tags.clone(),
            artifact_media_type: None,
            time: None,
            cause: Cause::Push,
        };
        let target = Target {
            aws: &self.aws,
            service,
            rules: rules.clone(),
            image: &PushedImage::new(&self.aws, &event)?,
            cause: event.cause,
            time: self.aws.now(),
            hook: self.hook.as_deref(),
        };
        // Boxed: what calls this lies deep already.
        let outcome = target.release().boxed().await;
        crate::log(&outcome);
        outcome
    }
}

/// The rules of a service, those of one repository together.
fn by_repository(service: &Service) -> Vec<Vec<&ImageRule>> {
    let mut all: Vec<Vec<&ImageRule>> = Vec::new();
    for rule in &service.images {
        match all.iter_mut().find(|rules| rules.iter().all(|other| other.repository == rule.repository)) {
            Some(rules) => rules.push(rule),
            None => all.push(vec![rule]),
        }
    }
    all
}

/// Since when images of a repository are the service's next.
struct Since {
    at: Timestamp,
    /// The image that was pushed then, and is live. ECR's clock has whole seconds: another one
    /// of the same second is as new, and has its turn.
    live: Option<Digest>,
}

/// When the live one was pushed, or, where Sluice has not released from there, when it first
/// looked.
fn since(rules: &[&ImageRule], ecs: &EcsService, live: &Revision) -> Option<Since> {
    let released = live.release.digest.as_ref();
    let from_here = |rule: &&ImageRule| {
        let image = &live.container(&rule.container)?.image;
        Some(image.is_of(&rule.repository) && image.digest.as_ref() == Some(released?))
    };
    let from_here = rules.iter().any(|rule| from_here(rule) == Some(true));
    if from_here {
        Some(Since { at: live.release.pushed_at?, live: released.cloned() })
    } else {
        Some(Since { at: ecs.baseline.or(live.release.pushed_at)?, live: None })
    }
}

fn newest(
    images: &[Image],
    rules: &[&ImageRule],
    since: &Since,
    grace: SignedDuration,
    now: Timestamp,
) -> Result<Image, Nothing> {
    let is_newer = |image: &&Image| {
        let as_new = || since.live.as_ref().is_some_and(|live| *live != image.digest);
        image.pushed_at > since.at || (image.pushed_at == since.at && as_new())
    };
    let fits = |tag: &String| !is_companion_tag(tag) && rules.iter().any(|rule| rule.tags.matches(tag));
    let fitting = images.iter().filter(|image| image.tags.iter().any(fits));
    let Some(image) = fitting.filter(is_newer).max_by_key(|image| image.pushed_at) else {
        return Err(Nothing::NothingNewer { since: since.at });
    };
    let pushed_at = image.pushed_at;
    // The clock has whole seconds.
    if now.max(pushed_at).duration_since(pushed_at) < grace {
        Err(Nothing::EventFirst { pushed_at })
    } else {
        Ok(image.clone())
    }
}

#[cfg(test)]
mod tests {
    use shared::image::TagPattern;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + minute * 60).unwrap()
    }

    fn image(tag: &str, minute: i64) -> Image {
        let digest = format!("sha256:{minute:064}").parse().unwrap();
        Image { digest, tags: vec![tag.into()], pushed_at: at(minute), registry_id: "1".into() }
    }

    #[test]
    fn only_the_newest_image_that_fits_counts_and_only_if_it_is_newer_than_what_is_live() {
        let tags = TagPattern::new("v[0-9]+").unwrap();
        let rule = ImageRule { repository: "api".into(), container: "app".into(), tags };
        let of = |images: &[(&str, i64)], since: i64, now: i64| {
            let images: Vec<_> = images.iter().map(|(tag, minute)| image(tag, *minute)).collect();
            let since = Since { at: at(since), live: Some(image("live", since).digest) };
            let found = newest(&images, &[&rule], &since, SignedDuration::from_mins(5), at(now));
            found.map(|image| image.tags[0].clone())
        };
        let all = [("v2", 20), ("v3", 30), ("v1", 10), ("latest", 40), ("sha256-0.sig", 50)];
        assert_eq!(of(&all, 10, 60), Ok("v3".into()));
        assert_eq!(of(&all, 10, 35), Ok("v3".into()), "its grace has just passed");
        assert_eq!(of(&all, 10, 34), Err(Nothing::EventFirst { pushed_at: at(30) }), "nor is v2 started");
        assert_eq!(of(&all, 30, 60), Err(Nothing::NothingNewer { since: at(30) }));
        assert_eq!(of(&[], 0, 60), Err(Nothing::NothingNewer { since: at(0) }));
    }

    #[test]
    fn another_image_of_the_same_second_as_the_live_one_has_its_turn() {
        let tags = TagPattern::new("v[0-9]+").unwrap();
        let rule = ImageRule { repository: "api".into(), container: "app".into(), tags };
        let other = Image { digest: format!("sha256:{:064}", 7).parse().unwrap(), ..image("v3", 20) };
        let images = [other.clone(), image("v2", 20)];
        let of = |live| {
            let since = Since { at: at(20), live };
            newest(&images, &[&rule], &since, SignedDuration::ZERO, at(60))
        };
        assert_eq!(of(Some(images[1].digest.clone())), Ok(other));
        assert_eq!(of(None), Err(Nothing::NothingNewer { since: at(20) }), "a baseline is no image");
    }
}
