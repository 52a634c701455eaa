//! Samples that lie in no file: as the tests beside the parsers have them.

use serde_json::json;

use crate::seeds::{Seeds, files};

fn texts(texts: &[&str]) -> Seeds {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub fn messages() -> Seeds {
    let news = [
        json!({ "kind": "started", "reason": "tag v2 of api was pushed" }),
        json!({ "kind": "check-failed", "event": "BeforeInstall", "reason": "<!channel> *x*" }),
        json!({ "kind": "succeeded", "lead_time": "PT4M2S" }),
        json!({ "kind": "rolled-back", "reason": "the alarm api-5xx", "to": "arn:aws:ecs:r:1:task-definition/api:41",
            "times": { "alarm": "2026-01-01T10:00:00Z", "stopped": "2026-01-01T10:00:04Z", "traffic_back": null } }),
        json!({ "kind": "alarm-stopped", "alarm": "api-5xx", "reason": "x & y" }),
        json!({ "kind": "wrong-image-live", "expected": "sha256:a", "found": "sha256:b" }),
        json!({ "kind": "hook-overdue", "event": "AfterInstall" }),
        json!({ "kind": "no-way-back", "reason": "" }),
    ];
    let messages = news.iter().map(|news| {
        let release = json!({
            "deployment": "d-1", "revision": "arn:aws:ecs:r:1:task-definition/api:42", "repository": "api",
            "digest": format!("sha256:{}", "ab".repeat(32)), "tag": "v2",
        });
        let at = "2026-01-01T10:00:00Z";
        json!({ "version": 1, "service": "api", "at": at, "release": release, "news": news }).to_string()
    });
    files("tests/events", "sqs", ".json").into_iter().chain(messages.map(String::into)).collect()
}

pub fn slack_answers() -> Seeds {
    texts(&[
        "h\n{\"ok\":true,\"channel\":\"C024BE91L\",\"ts\":\"1767225600.000100\"}",
        "h\n{\"ok\":false,\"error\":\"channel_not_found\"}",
        "h\n{\"ok\":false,\"error\":\"missing_scope\",\"needed\":\"chat:write\"}",
        "h\n{\"ok\":false,\"error\":\"ratelimited\"}",
        "m30\nlimited",
        "m0\n{\"ok\":false,\"error\":\"ratelimited\"}",
        "n\ninternal_error",
        "l\nno_service",
    ])
}

pub fn slack_secrets() -> Seeds {
    texts(&[
        "xoxb-1-a",
        "https://hooks.slack.com/services/T/B/x",
        "{\"token\":\"xoxb-1-a\"}",
        "{\"webhook\":\"https://hooks.slack.com/services/T/B/x\"}",
        "{\"webhooks\":{\"#ops\":\"https://hooks.slack.com/services/T/B/x\",\"deploys\":\"http://localhost:1/x\"}}",
    ])
}

pub fn manifests() -> Seeds {
    texts(&[
        r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"sha256:c"},
            "layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip"}]}"#,
        r#"{"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:c"},
            "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip"}],"subject":{"digest":"sha256:a"}}"#,
        r#"{"manifests":[{"digest":"sha256:1","platform":{"os":"linux","architecture":"arm64"}},
            {"digest":"sha256:2","platform":{"os":"unknown","architecture":"unknown"}}]}"#,
        r#"{"artifactType":"application/vnd.amazon.soci.index.v1+json","manifests":[]}"#,
        r#"{"os":"linux","architecture":"amd64","config":{},"rootfs":{"type":"layers"}}"#,
    ])
}

pub fn task_definitions() -> Seeds {
    texts(&[
        r#"{"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:eu-west-1:1:task-definition/api:7","family":"api",
            "newAtTop":{"a" : [1.0, 1e3,12345678901234567890123, "\u00e9\/"]},"containerDefinitions":[
            {"name":"app","image":"old:1","portMappings":[{"containerPort":80,"newInPort":0.10}],"logConfiguration":
            {"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-stream-prefix":"p"}}},
            {"name":"log","image":"fluent:1","newInContainer":{"x":{"y":null}},"cpu":0}],"revision":7,"status":"ACTIVE",
            "requiresAttributes":[{"name":"x"}],"compatibilities":["EC2"],"registeredAt":1.7e9,"registeredBy":"me",
            "runtimePlatform":{"cpuArchitecture":"ARM64","operatingSystemFamily":"LINUX"},"volumes":[]},
            "tags":[{"key":"team","value":"a b"},{"key":"sluice:verdict","value":"good"},{"key":"aws:x","value":"y"}]}"#,
        r#"{"taskDefinition":{"taskDefinitionArn":"arn:x/api:1","status":"ACTIVE","family":"api",
            "requiresCompatibilities":["FARGATE"],"containerDefinitions":[{"name":"app","image":"a"}]},"tags":[
            {"key":"sluice:ended","value":"rolled-back 2026-01-01T00:00:00Z"},{"key":"sluice:pushed-at","value":"x"}]}"#,
    ])
}

pub fn ecs_answers() -> Seeds {
    texts(&[
        r#"{"services":[{"serviceArn":"arn:aws:ecs:r:1:service/c/api","status":"ACTIVE","taskDefinition":"arn:x/api:1",
            "deploymentController":{"type":"CODE_DEPLOY"},"taskSets":[{"status":"PRIMARY","taskDefinition":"arn:x/api:1",
            "createdAt":1.7e9,"loadBalancers":[{"containerName":"app","containerPort":80}],"externalId":"d-1",
            "networkConfiguration":{"awsvpcConfiguration":{"subnets":["s"]}},"launchType":"FARGATE"}],
            "tags":[{"key":"sluice:hold","value":"until=2026-11-22T10:00:00Z by=anna"}]}]}"#,
        r#"{"services":[{"serviceArn":"arn:aws:ecs:r:1:service/c/web","status":"ACTIVE","deployments":[{"status":"PRIMARY",
            "taskDefinition":"arn:x/web:1","rolloutState":"COMPLETED","updatedAt":1.7e9,"createdAt":1}],
            "deploymentConfiguration":{"strategy":"CANARY","alarms":{"enable":true,"rollback":true,"alarmNames":["a"]},
            "lifecycleHooks":[{"hookTargetArn":"arn:aws:lambda:r:1:function:x","lifecycleStages":["PRE_SCALE_UP"],
            "roleArn":"r"}],"deploymentCircuitBreaker":{"enable":true}}}]}"#,
        r#"{"tasks":[{"taskArn":"arn:t","taskDefinitionArn":"arn:x/api:1","lastStatus":"STOPPED","createdAt":1.5,
            "stoppedAt":2,"stoppedReason":"Essential container exited","overrides":{"containerOverrides":[{"name":"app",
            "command":["migrate"]}]},"containers":[{"name":"app","exitCode":1,"reason":"OOM"}],"attachments":[{"details":
            [{"name":"privateIPv4Address","value":"10.0.0.1"}]}],"tags":[{"key":"sluice:deployment","value":"d-1"}]}]}"#,
    ])
}

pub fn appspecs() -> Seeds {
    texts(&[
        r#"{"version":0.0,"Resources":[{"TargetService":{"Type":"AWS::ECS::Service","Properties":
            {"TaskDefinition":"arn:x/api:1","LoadBalancerInfo":{"ContainerName":"app","ContainerPort":80}}}}],"Hooks":[]}"#,
        "version: 0.0\nResources:\n  - TargetService:\n      Type: AWS::ECS::Service\n      Properties:\n        \
         TaskDefinition: &a 'arn:x/api:1'\n        LoadBalancerInfo: { ContainerName: *a, ContainerPort: 80 }\n",
    ])
}

pub fn patterns() -> Seeds {
    texts(&[
        "[0-9a-f]{40}|v(\\d+\\.)*\nv1.2.",
        "(?i)version ([^ ]+)\\b\nVersion 1",
        "$..a[?@.b == 'c' && !(@.d)]\n[{\"a\":[{\"b\":\"c\"}]}]",
        "$['a','\\ud83d\\ude00'][0:5:2]\n{\"a\":[1,2,3]}",
        "$[?count(@..*) > 1 || match(@.a, 'x.*')]\n{\"a\":{\"a\":1}}",
    ])
}

pub fn freezes() -> Seeds {
    texts(&[
        "fri 16:00 - mon 08:00 Europe/Dublin",
        "2026-12-20 - 2027-01-04 America/New_York",
        "sun 01:30 - mon 02:30 Australia/Lord_Howe",
        "2026-12-20 16:00 - 2026-12-24 08:00 UTC",
        "tue - tue Africa/Cairo",
        "fri 16:00 - fri 15:59 UTC",
        "sat 20:00 - 2026-12-20 Asia/Kolkata",
    ])
}

pub fn smoke_answers() -> Seeds {
    texts(&[
        "c03b7e5\n{\"status\":\"healthy\",\"version\":\"c03b7e5a94\",\"queue\":{\"depth\":2},\"name\":\"a\"}",
        "../login?x#y\nversion c03b7e5a94d2 is ok",
        "https://api.internal:8443/d\n[{\"a\":[1,2,{\"name\":\"b\"}]}]",
        "//169.254.169.254/\n{\"a\":[1,2,3],\"queue\":{\"depth\":\"many\"}}",
    ])
}

pub fn tags() -> Seeds {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let mut all = texts(&[
        "rolled-back 2026-01-01T00:10:00.123Z",
        "2@1767225600123",
        "d-A deploy=C024BE91L/1767225600.000100/2@1767225700000 ops=webhook/-/5@1767225900000",
        "until=2026-11-22T10:00:00Z by=anna why=the database moves",
        "sluice rollback of d-1: alarm api-5xx",
        "secret:api/token#field",
        "Bearer secret:arn:aws:secretsmanager:eu-west-1:1:secret:api/token-AbCdEf",
        "localhost:5000/team/api:v1",
    ]);
    all.push(format!("sluice {digest} of team/api: tag v1").into());
    all.push(format!("1.dkr.ecr.eu-west-1.amazonaws.com/team/api:v1@{digest}").into());
    all.push(digest.into());
    all
}
