//! Every decision, from the facts that lead to it: one table, each row the usual case but for
//! what it changes.

use std::time::Duration;

use serde_json::json;
use shared::aws::{NativeHook, Placement};
use shared::config::{Check, Checks, Migrate, Notify, OneOff, ScanGate};
use shared::image::{IndexedImage, TagPattern};
use shared::members::Members;
use shared::release::Hold;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn digest(letter: &str) -> Digest {
    format!("sha256:{}", letter.repeat(64)).parse().unwrap()
}

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// Facts that are owned, to be changed by a row of the table.
struct Case {
    now: Timestamp,
    cause: Cause,
    service: Service,
    image: Option<(Image, Pushed)>,
    scan: Option<Scan>,
    running: Option<Running>,
    way_back: Option<WayBack>,
    platform: Option<Platform>,
}

impl Case {
    /// Image `b`, pushed at noon, for a service that runs image `a` of an hour before.
    fn usual() -> Self {
        let rule = ImageRule {
            repository: "api".into(),
            container: "app".into(),
            tags: TagPattern::new("v[0-9]+").unwrap(),
        };
        let engine = Engine::CodeDeploy { application: "api-deploy".into(), group: "api".into() };
        Self {
            now: at("2026-11-20T12:00:30Z"),
            cause: Cause::Push,
            service: Service {
                name: "api".into(),
                cluster: "main".into(),
                service: "api".into(),
                images: vec![rule],
                engine,
                checks: Checks::default(),
                alarms: vec!["5xx".into()],
                watch: Duration::ZERO,
                scan: None,
                freeze: Vec::new(),
                notify: Notify::default(),
            },
            image: Some((
                Image {
                    digest: digest("b"),
                    tags: vec!["v2".into()],
                    pushed_at: at("2026-11-20T12:00:00Z"),
                    registry_id: "1".into(),
                },
                Pushed::Image { config: "sha256:c".into() },
            )),
            scan: None,
            running: Some(running()),
            way_back: Some(WayBack { target: Ok("arn:api:1".into()), live: LiveImage::Known(live()) }),
            platform: Some(platform("linux", "amd64")),
        }
    }

    fn decide(&self) -> Decision {
        let rules: Vec<_> = self.service.images.iter().collect();
        decide(&self.facts(&rules))
    }

    fn facts<'a>(&'a self, rules: &'a [&'a ImageRule]) -> Facts<'a> {
        Facts {
            now: self.now,
            cause: self.cause,
            service: &self.service,
            rules,
            image: self.image.as_ref().map(|(image, pushed)| (image, pushed)),
            scan: self.scan.as_ref(),
            running: self.running.clone(),
            way_back: self.way_back.clone(),
            platform: self.platform.clone(),
            hook: Some("CodeDeployHook_sluice"),
        }
    }

    fn image(&mut self) -> &mut Image {
        &mut self.image.as_mut().unwrap().0
    }

    fn pushed(&mut self) -> &mut Pushed {
        &mut self.image.as_mut().unwrap().1
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().unwrap()
    }

    fn runs(&mut self, revision: Revision) {
        self.running().current = revision;
    }

    fn by_ecs_with_a_check(&mut self) {
        self.service.engine = Engine::Ecs;
        self.running().ecs.controller = Controller::Ecs;
        let task = OneOff { container: "app".into(), command: Vec::new(), timeout: Duration::ZERO };
        let check = Check::Migrate(Migrate { task, snapshot: None });
        self.service.checks.before_allow_traffic = vec![check];
    }

    fn gate(&mut self, scan: Scan) {
        self.service.scan =
            Some(ScanGate { block: vec![Severity::Critical], wait: Duration::from_secs(600) });
        self.scan = Some(scan);
    }

    fn tried(&mut self, digest: Option<Digest>, state: State) {
        self.running().deployments.push(Deployment { id: "d-1".into(), digest, repository: None, state });
    }

    fn alarm(&mut self, state: AlarmState) {
        self.running().alarms = vec![Alarm { name: "5xx".into(), state, changed: None, muted: None }];
    }
}

fn live() -> Image {
    Image {
        digest: digest("a"),
        tags: vec!["v1".into()],
        pushed_at: at("2026-11-20T11:00:00Z"),
        registry_id: "1".into(),
    }
}

fn platform(os: &str, architecture: &str) -> Platform {
    Platform { os: os.into(), architecture: architecture.into() }
}

/// A revision of the family `api` that runs `image`, with these tags.
fn revision(number: u32, image: &str, tags: &[(&str, &str)]) -> Revision {
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let answer = json!({
        "taskDefinition": {
            "taskDefinitionArn": format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/api:{number}"),
            "status": "ACTIVE", "registeredAt": at("2026-11-20T11:30:00Z").as_second(),
            "requiresCompatibilities": ["FARGATE"],
            "containerDefinitions": [{ "name": "app", "image": image }],
        },
        "tags": tags,
    });
    Revision::from_answer(answer.to_string().as_bytes()).unwrap()
}

fn released(number: u32, letter: &str, more: &[(&str, &str)]) -> Revision {
    let digest = digest(letter).to_string();
    let mut tags = vec![("sluice:digest", digest.as_str()), ("sluice:pushed-at", "2026-11-20T11:00:00Z")];
    tags.extend(more);
    revision(number, &format!("{REGISTRY}/api@{digest}"), &tags)
}

fn running() -> Running {
    Running {
        ecs: EcsService {
            arn: "arn:aws:ecs:us-east-1:123456789012:service/api-cluster/api".into(),
            baseline: None,
            active: true,
            controller: Controller::CodeDeploy,
            revision: "arn:aws:ecs:eu-west-1:123456789012:task-definition/api:1".into(),
            serving_since: Some(at("2026-11-20T11:31:00Z")),
            rollout: None,
            load_balanced: Some(("app".into(), 8080)),
            hold: None,
            alarms: Vec::new(),
            hooks: Vec::new(),
            placement: Placement::default(),
            launch_type: None,
            serving: Vec::new(),
            deployment_configuration: Members::default(),
        },
        current: released(1, "a", &[]),
        newest: None,
        group: Some(Group {
            deploys_to: Some(("main".into(), "api".into())),
            alarms: Vec::new(),
            last_attempted: None,
            last_succeeded: None,
        }),
        deployments: Vec::new(),
        alarms: vec![Alarm { name: "5xx".into(), state: AlarmState::Ok, changed: None, muted: None }],
    }
}

type Row = (&'static str, fn(&mut Case), &'static str);

const STARTS: &[Row] = &[
    (
        "the end of the scan that the push waits for",
        |c| {
            c.gate(Scan::Done([].into()));
            c.cause = Cause::Scanned;
        },
        "tag v2 pushed",
    ),
    ("the usual push", |_| {}, "tag v2 pushed 2026-11-20T12:00:00Z for app"),
    (
        "a red alarm of long ago that is without data now",
        |c| c.alarm(AlarmState::InsufficientData),
        "tag v2 pushed",
    ),
    (
        "a clean scan",
        |c| c.gate(Scan::Done([(Severity::High, 3), (Severity::Critical, 0)].into())),
        "tag v2 pushed",
    ),
    (
        "a hold that is over",
        |c| c.running().ecs.hold = Some(Hold::parse("until=2026-11-20T12:00:00Z")),
        "tag v2",
    ),
    ("another image rejected", |c| c.tried(Some(digest("c")), State::Rejected("failed".into())), "tag v2"),
    ("a platform that nobody can read", |c| c.platform = None, "tag v2"),
    ("facts not read yet", |c| (c.way_back, c.platform) = (None, None), "tag v2"),
    ("a placeholder from elsewhere is live", |c| c.runs(revision(1, "nginx:1.27", &[])), "tag v2"),
    (
        "the live image is named by a tag that the push moved after the tasks were started",
        |c| c.runs(revision(1, &format!("{REGISTRY}/api:v2"), &[])),
        "tag v2",
    ),
    (
        "pushed in the same second as the image that is live",
        |c| c.image().pushed_at = at("2026-11-20T11:00:00Z"),
        "tag v2",
    ),
    (
        "newer than what a person deployed since, and older than what the tags speak of",
        |c| {
            c.image().pushed_at = at("2026-11-20T11:30:00Z");
            let tags = [("sluice:pushed-at", "2026-11-20T11:45:00Z")];
            c.runs(revision(1, &format!("{REGISTRY}/api@{}", digest("c")), &tags));
        },
        "tag v2",
    ),
    (
        "the first release, with nothing to go back to",
        |c| {
            c.runs(revision(1, &format!("{REGISTRY}/api:v0"), &[]));
            c.way_back = Some(WayBack { target: Err("api:1 is not active".into()), live: LiveImage::Gone });
        },
        "tag v2 pushed 2026-11-20T12:00:00Z for app; first release, without a way back: api:1 is not active",
    ),
    (
        "an index with the service's platform",
        |c| {
            let image =
                |os: &str, arch: &str| IndexedImage { digest: String::new(), platform: platform(os, arch) };
            *c.pushed() = Pushed::Index { platforms: vec![image("linux", "arm64"), image("linux", "amd64")] };
        },
        "tag v2",
    ),
    (
        "the ECS controller, where the configuration says so",
        |c| {
            c.service.engine = Engine::Ecs;
            c.running().ecs.controller = Controller::Ecs;
        },
        "tag v2",
    ),
    (
        "the ECS controller with checks that its hooks call",
        |c| {
            c.by_ecs_with_a_check();
            let hook = |target: &str, stage: &str| NativeHook {
                target: target.into(),
                stages: vec!["POST_SCALE_UP".into(), stage.into()],
            };
            let function = "arn:aws:lambda:us-east-1:123456789012:function:CodeDeployHook_sluice:live";
            c.running().ecs.hooks = vec![hook(function, "PRE_PRODUCTION_TRAFFIC_SHIFT")];
        },
        "tag v2",
    ),
];

const WAITS: &[Row] = &[
    (
        "a scan that runs",
        |c| c.gate(Scan::Pending),
        "the image is being scanned; it is refused if that lasts beyond 2026-11-20T12:10:00Z",
    ),
    (
        "another image's deployment",
        |c| c.tried(Some(digest("c")), State::Active),
        "the deployment d-1 is active on this service",
    ),
    (
        "somebody else's deployment",
        |c| c.tried(None, State::Active),
        "the deployment d-1 is active on this service",
    ),
    (
        "a hold",
        |c| c.running().ecs.hold = Some(Hold::parse("by=anna why=the database moves")),
        "releases of this service are on hold: by=anna why=the database moves",
    ),
    (
        "a hold without words",
        |c| c.running().ecs.hold = Some(Hold::parse("")),
        "releases of this service are on hold",
    ),
    (
        "a red alarm while another deployment is active",
        |c| {
            c.tried(None, State::Active);
            c.alarm(AlarmState::Alarm);
        },
        "the deployment d-1 is active on this service",
    ),
];

const NOTHINGS: &[Row] = &[
    (
        "scanned again after the push stopped waiting",
        |c| {
            c.gate(Scan::Done([].into()));
            (c.cause, c.now) = (Cause::Scanned, at("2026-11-20T12:10:00Z"));
        },
        "scanned again: the push of 2026-11-20T12:00:00Z no longer waits for it",
    ),
    (
        "scanned where nobody waits for it",
        |c| c.cause = Cause::Scanned,
        "scanned again: the push of 2026-11-20T12:00:00Z no longer waits for it",
    ),
    ("no tag", |c| c.image().tags.clear(), "the image has no tag"),
    (
        "another tag",
        |c| c.image().tags = vec!["latest".into(), "v2-rc".into()],
        "none of the image's tags (latest, v2-rc) matches v[0-9]+",
    ),
    (
        "a signature",
        |c| *c.pushed() = Pushed::Artifact("cosign".into()),
        "not an image that runs, but cosign",
    ),
    ("live by digest", |c| c.runs(released(2, "b", &[])), "already live with api:2"),
    (
        "live by digest, deployed before",
        |c| {
            c.tried(Some(digest("b")), State::Succeeded);
            c.runs(released(2, "b", &[]));
        },
        "already live with api:2",
    ),
    (
        "live by its tag, pushed before the tasks were started",
        |c| {
            c.image().pushed_at = at("2026-11-20T11:30:30Z");
            c.runs(revision(1, &format!("{REGISTRY}/api:v2"), &[]));
        },
        "already live with api:1",
    ),
    ("in progress", |c| c.tried(Some(digest("b")), State::Active), "already being deployed by d-1"),
    (
        "rejected by a deployment",
        |c| c.tried(Some(digest("b")), State::Rejected("stopped with ALARM_ACTIVE".into())),
        "this image was rejected before (d-1: stopped with ALARM_ACTIVE); push a corrected image, which has another digest",
    ),
    (
        "rejected by a verdict",
        |c| {
            let verdict = [("sluice:verdict", "rejected"), ("sluice:reason", "alarm 5xx")];
            c.running().newest = Some(released(2, "b", &verdict));
        },
        "this image was rejected before (api:2: alarm 5xx); push a corrected image, which has another digest",
    ),
    (
        "deployed before and taken back since",
        |c| c.tried(Some(digest("b")), State::Succeeded),
        "this image was deployed before by d-1, and is no longer live",
    ),
    (
        "older by the live revision's tag",
        |c| c.image().pushed_at = at("2026-11-20T10:00:00Z"),
        "pushed 2026-11-20T10:00:00Z, before the image that is live (2026-11-20T11:00:00Z)",
    ),
    (
        "older by ECR's word on the live image",
        |c| {
            c.image().pushed_at = at("2026-11-20T10:00:00Z");
            c.runs(revision(1, &format!("{REGISTRY}/api:v1"), &[]));
        },
        "pushed 2026-11-20T10:00:00Z, before the image that is live (2026-11-20T11:00:00Z)",
    ),
    (
        "another platform",
        |c| c.platform = Some(platform("linux", "arm64")),
        "the image is for linux/arm64 and the service runs on LINUX/X86_64; build it for that platform",
    ),
    (
        "an older image that is also rejected, during another deployment",
        |c| {
            c.tried(Some(digest("b")), State::Rejected("failed".into()));
            c.tried(None, State::Active);
        },
        "this image was rejected before (d-1: failed); push a corrected image, which has another digest",
    ),
];

const REFUSALS: &[Row] = &[
    ("the image gone", |c| c.image = None, "ECR has no such image (any more); push it again"),
    (
        "no service",
        |c| c.running = None,
        "ECS has no such active service; correct 'cluster' and 'service' in releases.yaml",
    ),
    (
        "a service that is draining",
        |c| c.running().ecs.active = false,
        "ECS has no such active service; correct 'cluster' and 'service' in releases.yaml",
    ),
    (
        "another controller",
        |c| c.running().ecs.controller = Controller::Ecs,
        "the service's deployment controller is ECS, not what releases.yaml says; write 'deploy: { ecs: {} }'",
    ),
    (
        "a controller of their own",
        |c| c.running().ecs.controller = Controller::External,
        "the service's deployment controller is EXTERNAL, not what releases.yaml says; Sluice cannot release it",
    ),
    (
        "CodeDeploy where the configuration says ECS",
        |c| c.service.engine = Engine::Ecs,
        "the service's deployment controller is CODE_DEPLOY, not what releases.yaml says; name its application and group under 'deploy: codedeploy'",
    ),
    (
        "checks that ECS calls nobody for",
        Case::by_ecs_with_a_check,
        "the service calls no checks at BeforeAllowTraffic: give it a strategy other than ROLLING and, at the stages that correspond, lifecycle hooks that call Sluice's hook function; or remove these checks",
    ),
    (
        "hooks at another stage, and of another function",
        |c| {
            c.by_ecs_with_a_check();
            let hook = |name: &str, stage: &str| NativeHook {
                target: format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"),
                stages: vec![stage.into()],
            };
            c.running().ecs.hooks = vec![
                hook("CodeDeployHook_sluice", "POST_SCALE_UP"),
                hook("CodeDeployHook_sluice_other", "PRE_PRODUCTION_TRAFFIC_SHIFT"),
            ];
        },
        "the service calls no checks at BeforeAllowTraffic: give it a strategy other than ROLLING and, at the stages that correspond, lifecycle hooks that call Sluice's hook function; or remove these checks",
    ),
    (
        "the group of another service",
        |c| c.running().group.as_mut().unwrap().deploys_to = Some(("main".into(), "web".into())),
        "the deployment group deploys to main/web; correct 'deploy' in releases.yaml",
    ),
    (
        "a group for servers",
        |c| c.running().group.as_mut().unwrap().deploys_to = None,
        "the deployment group deploys to no ECS service; correct 'deploy' in releases.yaml",
    ),
    (
        "no load balancer",
        |c| c.running().ecs.load_balanced = None,
        "the service has no load balancer, which blue/green needs",
    ),
    (
        "no such container",
        |c| c.service.images[0].container = "api".into(),
        "the task definition has no container 'api'; name one of app in releases.yaml",
    ),
    (
        "findings",
        |c| c.gate(Scan::Done([(Severity::Critical, 2), (Severity::High, 9)].into())),
        "scanning found 2 CRITICAL; push a corrected image",
    ),
    (
        "findings during another deployment",
        |c| {
            c.tried(None, State::Active);
            c.gate(Scan::Done([(Severity::Critical, 1)].into()));
        },
        "scanning found 1 CRITICAL; push a corrected image",
    ),
    (
        "a scan that cannot be",
        |c| c.gate(Scan::Impossible("UNSUPPORTED_IMAGE".into())),
        "the image cannot be scanned (UNSUPPORTED_IMAGE); correct that, or remove the service's scan gate",
    ),
    (
        "a scan that never came",
        |c| {
            c.gate(Scan::Pending);
            c.now = at("2026-11-20T12:10:00Z");
        },
        "no scan of the image finished in time since 2026-11-20T12:00:00Z; check the registry's scanning, or lengthen 'gates: scan: wait'",
    ),
    ("a red alarm", |c| c.alarm(AlarmState::Alarm), "in ALARM before the deployment: 5xx"),
    (
        "an alarm that is not there",
        |c| c.alarm(AlarmState::Missing),
        "CloudWatch has no such alarm: 5xx; correct 'alarms' in releases.yaml, or those of the deployment group",
    ),
    (
        "no way back",
        |c| c.way_back.as_mut().unwrap().target = Err("the image of api:1 is gone".into()),
        "a rollback would have no target: the image of api:1 is gone; deploy by hand",
    ),
];

#[test]
fn each_decision_has_its_facts_and_its_words() {
    let tables = [("start", STARTS), ("wait", WAITS), ("nothing", NOTHINGS), ("refuse", REFUSALS)];
    for (kind, rows) in tables {
        for (name, change, text) in rows {
            let mut case = Case::usual();
            change(&mut case);
            let decision = case.decide();
            assert_eq!(decision.kind(), kind, "{name}: {decision}");
            let whole = decision.to_string();
            assert!(
                if kind == "start" { whole.starts_with(text) } else { whole == *text },
                "{name}: {whole}"
            );
        }
    }
}

#[test]
fn a_freeze_is_waited_for_to_its_end() {
    let mut case = Case::usual();
    case.service.freeze = vec![shared::freeze::Freeze::parse("fri 12:00 - mon 08:00 Europe/Dublin").unwrap()];
    let expected = "releases are frozen until 2026-11-23T08:00:00Z (fri 12:00 - mon 08:00 Europe/Dublin)";
    assert_eq!(case.decide().to_string(), expected);
    case.now = at("2026-11-23T08:00:00Z");
    assert_eq!(case.decide().kind(), "start");
}

#[test]
fn only_where_the_order_is_unknown_the_live_image_is_looked_up_first() {
    let open = |change: fn(&mut Case)| {
        let mut case = Case::usual();
        case.way_back = None;
        change(&mut case);
        let rules: Vec<_> = case.service.images.iter().collect();
        order_is_open(&case.facts(&rules))
    };

    assert!(!open(|_| {}), "the revision's own tag tells");
    assert!(!open(|c| c.runs(revision(1, &format!("{REGISTRY}/api:v1"), &[]))), "registered before the push");

    assert!(open(|c| {
        c.runs(revision(1, &format!("{REGISTRY}/api:v1"), &[]));
        c.image().pushed_at = at("2026-11-20T11:15:00Z");
    }));
    assert!(
        open(|c| {
            c.runs(revision(1, &format!("{REGISTRY}/api:v1"), &[]));
            c.image().pushed_at = at("2026-11-20T11:30:00Z");
        }),
        "registered in the second of the push"
    );
}
