//! Requests that are not for AWS, through the same client: to listeners and to tasks.

use std::collections::VecDeque;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use cloud::fixture::{self, BlueGreen, Scene};
use cloud::in_process::{Faults, InProcess, Injected};
use cloud::timeline::Kind;
use cloud::world::World;
use cloud::{SECOND, Settings};
use serde_json::{Value, json};

const START: cloud::Ms = 1_767_225_600_000; // 2026-01-01T00:00:00Z

struct Bench {
    cloud: InProcess,
    service: BlueGreen,
}

/// A service behind a listener on port 8080, whose two tasks behave by this environment.
fn bench(environment: &[(&str, &str)], script: impl IntoIterator<Item = Option<Injected>>) -> Bench {
    let faults = Faults { script: script.into_iter().collect::<VecDeque<_>>(), ..Faults::default() };
    let settings = Settings { region: Some("eu-west-1".into()), ..Settings::default() };
    let cloud = InProcess::with_faults(settings, START, faults);
    let service = cloud.with(|world| {
        let image = fixture::push_image(world, "api", "v1", environment).unwrap();
        let service = BlueGreen::create(world, "api", &image, &Scene::default()).unwrap();
        assert!(service.settle(world), "the tasks never got healthy");
        service
    });
    Bench { cloud, service }
}

struct Answer {
    status: u16,
    version: String,
    location: String,
    body: Value,
}

impl Bench {
    async fn send(&self, request: http::Request<SdkBody>) -> Result<Answer, ConnectorError> {
        let request = HttpRequest::try_from(request).unwrap();
        let answer = self.cloud.connector(Some(Duration::from_secs(90))).call(request).await?;
        let header = |name| answer.headers().get(name).unwrap_or_default().to_owned();
        Ok(Answer {
            status: answer.status().as_u16(),
            version: header("x-version"),
            location: header("location"),
            body: serde_json::from_slice(answer.body().bytes().unwrap()).unwrap_or_default(),
        })
    }

    async fn get(&self, url: &str) -> Result<Answer, ConnectorError> {
        self.send(http::Request::get(url).body(SdkBody::empty()).unwrap()).await
    }

    /// Addresses of the running tasks, as DescribeTasks gives them.
    fn addresses(&self) -> Vec<String> {
        let cluster = &self.service.cluster;
        let tasks = self.cloud.with(|world| {
            let arns = world.call("ecs", "ListTasks", json!({ "cluster": cluster })).unwrap();
            let tasks = json!({ "cluster": cluster, "tasks": arns["taskArns"] });
            world.call("ecs", "DescribeTasks", tasks).unwrap()
        });
        let details = |task: &Value| task["attachments"][0]["details"].as_array().unwrap().clone();
        let address = |task: &Value| {
            let found = details(task).into_iter().find(|d| d["name"] == "privateIPv4Address").unwrap();
            let interface = &task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"];
            assert_eq!(&found["value"], interface);
            found["value"].as_str().unwrap().to_owned()
        };
        tasks["tasks"].as_array().unwrap().iter().map(address).collect()
    }

    fn served(&self) -> Vec<(String, u16, u64)> {
        let all = self.cloud.with(|world| world.served.get(&self.service.port).cloned().unwrap_or_default());
        all.into_iter().map(|((version, status), count)| (version, status, count)).collect()
    }

    fn http_entries(&self) -> Vec<(String, Value)> {
        let entries = |world: &mut World| {
            let timeline = world.cloud.timeline().iter().filter(|e| e.kind == Kind::Http);
            timeline.map(|e| (e.text.clone(), e.data.clone())).collect()
        };
        self.cloud.with(entries)
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_sends_a_request_on_and_counts_it() {
    let bench = bench(&[("APP_VERSION", "7"), ("APP_LATENCY_MS", "300")], []);
    bench.cloud.call_time(100);
    let before = bench.cloud.now();
    let answer = bench.get("http://localhost:8080/version").await.unwrap();
    assert_eq!(
        (answer.status, answer.version.as_str(), &answer.body),
        (200, "7", &json!({ "version": "7" }))
    );
    assert_eq!(bench.cloud.now() - before, 400, "the call and the application take their time");
    assert_eq!(bench.served(), [("7".to_owned(), 200, 1)]);
    assert_eq!(bench.cloud.calls(), 1);
    let (text, data) = bench.http_entries().remove(0);
    assert_eq!(text, "GET http://localhost:8080/version: 200");
    assert_eq!((&data["status"], &data["latencyMs"]), (&json!(200), &json!(300)));
    assert_eq!(bench.get("http://127.0.0.1:8080/health").await.unwrap().body["status"], "healthy");
}

#[tokio::test(start_paused = true)]
async fn what_a_listener_serves_is_in_its_metrics() {
    let bench = bench(&[("APP_ERROR_RATE", "1")], []);
    for _ in 0..6 {
        assert_eq!(bench.get("http://localhost:8080/").await.unwrap().status, 500);
    }
    bench.cloud.with(|world| world.advance(world.now() + 2 * cloud::MINUTE));
    let after = |arn: &str, part: &str| arn.split_once(part).unwrap().1.to_owned();
    let group = format!("targetgroup/{}", after(&bench.service.target_groups[0], ":targetgroup/"));
    let dimensions = json!([
        { "Name": "TargetGroup", "Value": group },
        { "Name": "LoadBalancer", "Value": after(&bench.service.load_balancer, ":loadbalancer/") },
    ]);
    let input = json!({
        "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count", "Dimensions": dimensions,
        "StartTime": START / 1000, "EndTime": START / 1000 + 86_400, "Period": 86_400, "Statistics": ["Sum"],
    });
    let sum = bench.cloud.with(|world| world.call("cloudwatch", "GetMetricStatistics", input).unwrap());
    assert_eq!(sum["Datapoints"][0]["Sum"], json!(6.0), "{sum}");
}

#[tokio::test(start_paused = true)]
async fn a_task_answers_at_its_own_address_and_the_balancer_counts_nothing() {
    let bench = bench(&[("APP_VERSION", "1"), ("APP_JSON", r#"{"ready":true}"#)], []);
    let addresses = bench.addresses();
    assert_eq!(addresses.len(), 2);
    for address in &addresses {
        let answer = bench.get(&format!("http://{address}:8080/json")).await.unwrap();
        assert_eq!(answer.body, json!({ "ready": true }));
        let plain = bench.get(&format!("http://{address}:8080/")).await.unwrap();
        assert_eq!(plain.body["task"], address.as_str(), "this very task");
    }
    assert!(bench.served().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_listening_is_a_connection_error() {
    let bench = bench(&[], []);
    let address = bench.addresses().remove(0);
    for url in [
        "http://localhost:9999/".to_owned(),
        format!("http://{address}:81/"),
        "http://127.77.0.250:8080/".to_owned(),
        "http://nowhere.example/".to_owned(),
        "https://localhost:8080/".to_owned(),
        "http://127.0.0.1/".to_owned(),
    ] {
        let refused = bench.get(&url).await.err().unwrap_or_else(|| panic!("{url} answers"));
        assert!(refused.is_io(), "{url}: {refused:?}");
    }
    assert!(bench.http_entries().iter().all(|(_, data)| data["error"].is_string()));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_listen_yet_refuses_and_the_balancer_has_none() {
    let bench = bench(&[("APP_VERSION", "1")], []);
    let slow = [("APP_START_DELAY_MS", "3600000")];
    bench.cloud.with(|world| {
        let image = fixture::push_image(world, "api", "v2", &slow).unwrap();
        let revision = bench.service.register(world, &image).unwrap();
        let run = json!({
            "cluster": bench.service.cluster, "taskDefinition": revision, "launchType": "FARGATE",
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
        });
        world.call("ecs", "RunTask", run).unwrap();
        world.advance(world.now() + 30 * SECOND);
    });
    let addresses = bench.addresses();
    assert_eq!(addresses.len(), 3);
    let refused = bench.get(&format!("http://{}:8080/health", addresses[2])).await.err().unwrap();
    assert!(refused.is_io(), "{refused:?}");
    bench.cloud.with(|world| world.advance(world.now() + 3600 * SECOND));
    assert_eq!(bench.get(&format!("http://{}:8080/health", addresses[2])).await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_echo_proves_what_was_sent_and_the_timeline_keeps_no_header() {
    let bench = bench(&[], []);
    let request = http::Request::post("http://localhost:8080/echo?a=b")
        .header("authorization", "Bearer s3cret")
        .header("x-forwarded-for", "10.0.0.1")
        .body(SdkBody::from("sent"))
        .unwrap();
    let echoed = bench.send(request).await.unwrap().body;
    for (pointer, value) in [
        ("/method", "POST"),
        ("/query", "a=b"),
        ("/body", "sent"),
        ("/headers/authorization", "Bearer s3cret"),
        ("/headers/host", "localhost:8080"),
        ("/headers/x-forwarded-for", "10.0.0.1, 127.0.0.1"),
    ] {
        assert_eq!(echoed.pointer(pointer).unwrap(), value, "{pointer}");
    }
    assert!(!bench.cloud.timeline().contains("s3cret"));
    assert!(!bench.http_entries().iter().any(|(_, data)| data.to_string().contains("s3cret")));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_given_and_not_followed() {
    let bench = bench(&[], []);
    let answer =
        bench.get("http://localhost:8080/redirect?to=http%3A%2F%2Flocalhost%3A8080%2Fhealth").await.unwrap();
    assert_eq!((answer.status, answer.location.as_str()), (302, "http://localhost:8080/health"));
}

#[tokio::test(start_paused = true)]
async fn a_path_that_hangs_is_the_balancer_s_504_and_a_task_s_silence() {
    let bench = bench(&[("APP_HANG", "/stuck*")], []);
    let before = bench.cloud.now();
    assert_eq!(bench.get("http://localhost:8080/stuck").await.unwrap().status, 504);
    assert!((60 * SECOND..61 * SECOND).contains(&(bench.cloud.now() - before)));
    assert_eq!(bench.served(), [("-".to_owned(), 504, 1)]);
    let before = bench.cloud.now();
    let task = format!("http://{}:8080/stuck", bench.addresses()[0]);
    let silent = bench.get(&task).await.err().unwrap();
    assert!(silent.is_timeout(), "{silent:?}");
    assert_eq!((bench.cloud.now() - before) / SECOND, 90, "the connector's read timeout");
}

#[tokio::test(start_paused = true)]
async fn rules_of_a_listener_decide_by_path_and_host() {
    let bench = bench(&[], []);
    bench.cloud.with(|world| {
        let rules = [
            (1, "path-pattern", "/closed/*", json!({ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": "451" } })),
            (2, "host-header", "old.example", json!({ "Type": "redirect", "RedirectConfig": { "StatusCode": "HTTP_301", "Host": "new.example" } })),
        ];
        for (priority, field, value, action) in rules {
            let rule = json!({
                "ListenerArn": bench.service.listener, "Priority": priority,
                "Conditions": [{ "Field": field, "Values": [value] }], "Actions": [action],
            });
            world.call("elbv2", "CreateRule", rule).unwrap();
        }
    });
    assert_eq!(bench.get("http://localhost:8080/closed/door").await.unwrap().status, 451);
    let old = http::Request::get("http://localhost:8080/a?b=c").header("host", "old.example");
    let moved = bench.send(old.body(SdkBody::empty()).unwrap()).await.unwrap();
    assert_eq!((moved.status, moved.location.as_str()), (301, "http://new.example:8080/a?b=c"));
    assert_eq!(bench.get("http://localhost:8080/open").await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn faults_befall_requests_as_they_befall_calls() {
    let faults = [
        Some(Injected::Throttled),
        Some(Injected::ServerError),
        Some(Injected::TimeoutBefore(3_000)),
        Some(Injected::AnswerLost),
        Some(Injected::Slow(5_000)),
        Some(Injected::Stale(1_000)),
    ];
    let bench = bench(&[("APP_VERSION", "1")], faults);
    let url = "http://localhost:8080/";
    assert_eq!(bench.get(url).await.unwrap().status, 429);
    assert_eq!(bench.get(url).await.unwrap().status, 500);
    assert!(bench.get(url).await.err().unwrap().is_timeout());
    assert!(bench.served().is_empty(), "none of these arrived");
    assert!(bench.get(url).await.err().unwrap().is_io());
    assert_eq!(bench.served(), [("1".to_owned(), 200, 1)], "this one was served, its answer lost");
    let before = bench.cloud.now();
    assert_eq!(bench.get(url).await.unwrap().status, 200);
    assert!(bench.cloud.now() - before >= 5_000);
    assert_eq!(bench.get(url).await.unwrap().status, 200);
    assert_eq!(bench.cloud.calls(), 6);
    assert!(bench.cloud.timeline().contains("AnswerLost befalls GET http://localhost:8080/"));
}
