//! Whole deployments, in the simulated world: what stops them, what undoes them, and what must
//! not happen.

use std::cmp::Ordering;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::effect::FunctionError;
use crate::fixture::{BlueGreen, Scene, push_image};
use crate::sample_app::Reaction;
use crate::world::World;
use crate::{Fault, HOUR, MINUTE, Ms, SECOND, Settings};

const START: Ms = 1_767_225_600_000;
const LIMIT: &str = "DeploymentLimitExceededException";

/// A service that runs version 1, and the revision of a version 2.
struct Stage {
    world: World,
    web: BlueGreen,
    revision: String,
}

fn stage(scene: &Scene, environment: &[(&str, &str)]) -> Stage {
    let mut world = World::new(Settings { region: Some("eu-west-1".into()), ..Settings::default() }, START);
    let first = push_image(&mut world, "web", "v1", &[("APP_VERSION", "1")]).unwrap();
    let web = BlueGreen::create(&mut world, "web", &first, scene).unwrap();
    assert!(web.settle(&mut world));
    let second = [&[("APP_VERSION", "2")], environment].concat();
    let second = push_image(&mut world, "web", "v2", &second).unwrap();
    let revision = web.register(&mut world, &second).unwrap();
    Stage { world, web, revision }
}

impl Stage {
    fn call(&mut self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.world.call("codedeploy", operation, input)
    }

    fn deploy(&mut self, hooks: &[(&str, &str)]) -> Result<String, Fault> {
        self.web.deploy(&mut self.world, &self.revision, hooks)
    }

    fn pass(&mut self, time: Ms) {
        let until = self.world.now() + time;
        self.world.advance(until);
    }

    /// Lets time pass until the event has this status.
    fn until(&mut self, deployment: &str, event: &str, status: &str) {
        let end = self.world.now() + 2 * HOUR;
        while self.world.now() < end {
            if self.event(deployment, event) == status {
                return;
            }
            self.pass(SECOND);
        }
        panic!("{event} never was {status}");
    }

    fn info(&mut self, deployment: &str) -> Value {
        let info = self.call("GetDeployment", json!({ "deploymentId": deployment })).unwrap();
        info["deploymentInfo"].clone()
    }

    fn target(&mut self, deployment: &str) -> Value {
        let id = format!("{}:{}", self.web.cluster, self.web.name);
        let input = json!({ "deploymentId": deployment, "targetIds": [id] });
        match self.call("BatchGetDeploymentTargets", input) {
            Ok(targets) => targets["deploymentTargets"][0]["ecsTarget"].clone(),
            Err(fault) => {
                assert_eq!(fault.shape, "DeploymentNotStartedException");
                Value::Null
            }
        }
    }

    fn event(&mut self, deployment: &str, name: &str) -> String {
        let target = self.target(deployment);
        let events = target["lifecycleEvents"].as_array().cloned().unwrap_or_default();
        let event = events.iter().find(|e| e["lifecycleEventName"] == name);
        event.and_then(|e| e["status"].as_str()).unwrap_or_default().to_owned()
    }

    /// Percentages of blue and green, as the deployment's target shows them.
    fn weights(&mut self, deployment: &str) -> Vec<f64> {
        let target = self.target(deployment);
        target["taskSetsInfo"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["trafficWeight"].as_f64().unwrap())
            .collect()
    }

    fn task_sets(&self) -> Vec<Value> {
        let service = crate::services::ecs::service(&self.world.cloud, &self.web.cluster, &self.web.name);
        let sets = service.unwrap()["taskSets"].as_array().unwrap().clone();
        sets.into_iter().filter(|set| set["status"] != "DRAINING").collect()
    }

    /// Follows a deployment to its end and that of its rollback; gives the rollback's id.
    fn rolled_back(&mut self, deployment: &str) -> String {
        self.web.await_end(&mut self.world, deployment);
        let rollback =
            self.info(deployment)["rollbackInfo"]["rollbackDeploymentId"].as_str().unwrap().to_owned();
        assert_eq!(self.web.await_end(&mut self.world, &rollback), "Succeeded");
        rollback
    }
}

fn report(world: &mut World, payload: &Value, status: &str) -> Result<Value, FunctionError> {
    let input = json!({
        "deploymentId": payload["DeploymentId"],
        "lifecycleEventHookExecutionId": payload["LifecycleEventHookExecutionId"],
        "status": status,
    });
    let failed = |fault: Fault| FunctionError { kind: "Error".into(), message: fault.to_string() };
    world.call("codedeploy", "PutLifecycleEventHookExecutionStatus", input).map_err(failed)
}

fn function(stage: &mut Stage, name: &str, function: crate::world::Function) {
    let input = json!({
        "FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap",
        "Role": "arn:aws:iam::123456789012:role/function", "Timeout": 10,
        "Code": { "ZipFile": package() },
    });
    stage.world.call("lambda", "CreateFunction", input).unwrap();
    stage.world.function(name, function);
}

/// A deployment package, in base64.
fn package() -> String {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
    BASE64_STANDARD.encode(archive.finish().unwrap().into_inner())
}

fn alarm(stage: &mut Stage, state: &str) {
    let input = json!({ "AlarmName": "red", "StateValue": state, "StateReason": "test" });
    stage.world.call("cloudwatch", "SetAlarmState", input).unwrap();
}

fn with_alarm(settings: impl FnOnce(&mut World)) -> Stage {
    let mut stage = stage(&Scene { alarms: vec!["red"], ..Scene::default() }, &[]);
    let input = json!({
        "AlarmName": "red", "Namespace": "Test", "MetricName": "Errors", "Statistic": "Sum", "Period": 86400,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    });
    stage.world.call("cloudwatch", "PutMetricAlarm", input).unwrap();
    alarm(&mut stage, "OK");
    settings(&mut stage.world);
    stage
}

#[test]
fn the_next_deployment_clears_what_one_stopped_without_rollback_left() {
    let mut stage = stage(&Scene::default(), &[]);
    let first = stage.deploy(&[]).unwrap();
    stage.until(&first, "AllowTraffic", "InProgress");
    assert_eq!(stage.weights(&first), [90.0, 10.0]);
    let stop = json!({ "deploymentId": first, "autoRollbackEnabled": false });
    assert_eq!(stage.call("StopDeployment", stop.clone()).unwrap()["status"], "Pending");
    stage.pass(5 * SECOND);
    let info = stage.info(&first);
    assert_eq!(info["errorInformation"]["code"], "MANUAL_STOP");
    assert!(info.get("rollbackInfo").is_none());
    assert_eq!(stage.weights(&first), [90.0, 10.0], "traffic stays as it was");
    assert_eq!(stage.call("StopDeployment", stop).unwrap_err().shape, "DeploymentAlreadyCompletedException");

    let second = stage.deploy(&[]).unwrap();
    stage.until(&second, "Install", "InProgress");
    assert_eq!(stage.weights(&second), [100.0, 0.0]);
    assert_eq!(stage.web.await_end(&mut stage.world, &second), "Succeeded");
    let sets = stage.task_sets();
    assert_eq!(sets.len(), 1);
    assert_eq!(sets[0]["externalId"], json!(second));
}

#[test]
fn the_termination_wait_is_active_and_a_stop_in_it_still_goes_back_to_blue() {
    let mut stage = stage(&Scene::default(), &[]);
    let deployment = stage.deploy(&[]).unwrap();
    stage.until(&deployment, "AfterAllowTraffic", "Succeeded");
    assert_eq!(stage.info(&deployment)["status"], "InProgress");
    assert_eq!(stage.target(&deployment)["status"], "Succeeded");
    let refused = stage.deploy(&[]).unwrap_err();
    assert_eq!(refused.shape, LIMIT);
    assert!(refused.message.contains(&deployment));

    let stop = json!({ "deploymentId": deployment, "autoRollbackEnabled": true });
    assert_eq!(stage.call("StopDeployment", stop).unwrap()["status"], "Succeeded");
    assert_eq!(stage.deploy(&[]).unwrap_err().shape, LIMIT, "its rollback is active");
    let rollback = stage.rolled_back(&deployment);
    let info = stage.info(&rollback);
    assert_eq!(info["creator"], "codeDeployRollback");
    assert_eq!(info["deploymentConfigName"], "CodeDeployDefault.ECSAllAtOnce");
    assert_eq!(info["rollbackInfo"]["rollbackTriggeringDeploymentId"], json!(deployment));
    assert_eq!(stage.weights(&rollback), [100.0, 0.0]);
    let sets = stage.task_sets();
    assert_eq!((sets.len(), &sets[0]["status"]), (1, &json!("PRIMARY")));
    assert!(sets[0].get("externalId").is_none_or(|id| *id != json!(deployment)));
}

#[test]
fn continuing_ends_the_termination_wait() {
    let mut stage = stage(&Scene { termination_wait_minutes: 2_880, ..Scene::default() }, &[]);
    let deployment = stage.deploy(&[]).unwrap();
    let go_on = json!({ "deploymentId": deployment, "deploymentWaitType": "TERMINATION_WAIT" });
    let early = stage.call("ContinueDeployment", go_on.clone()).unwrap_err();
    assert_eq!(early.shape, "DeploymentIsNotInReadyStateException");
    stage.until(&deployment, "AfterAllowTraffic", "Succeeded");
    stage.call("ContinueDeployment", go_on).unwrap();
    stage.pass(SECOND);
    assert_eq!(stage.info(&deployment)["status"], "Succeeded");
    assert_eq!(stage.task_sets().len(), 1);
}

#[test]
fn a_hook_that_reports_failed_ends_it_and_a_second_report_is_refused() {
    let mut stage = stage(&Scene::default(), &[]);
    function(&mut stage, "CodeDeployHook_check", |world, payload| {
        report(world, payload, "Failed")?;
        let again = report(world, payload, "Succeeded").unwrap_err();
        assert!(again.message.contains("LifecycleEventAlreadyCompletedException"));
        Ok(Value::Null)
    });
    let deployment = stage.deploy(&[("BeforeAllowTraffic", "CodeDeployHook_check")]).unwrap();
    let rollback = stage.rolled_back(&deployment);
    let info = stage.info(&deployment);
    assert_eq!(
        (&info["status"], &info["errorInformation"]["code"]),
        (&json!("Failed"), &json!("HOOK_EXECUTION_FAILURE"))
    );
    assert_eq!(stage.event(&deployment, "BeforeAllowTraffic"), "Failed");
    assert_eq!(stage.event(&deployment, "AllowTraffic"), "Skipped");
    assert_eq!(stage.event(&rollback, "BeforeAllowTraffic"), "Skipped", "a rollback runs no hook");
}

#[test]
fn a_hook_that_throws_hangs_the_deployment_for_an_hour() {
    let mut stage = stage(&Scene::default(), &[]);
    function(&mut stage, "CodeDeployHook_throws", |_, _| {
        Err(FunctionError { kind: "Function.Error".into(), message: "a bug".into() })
    });
    let deployment = stage.deploy(&[("AfterInstall", "CodeDeployHook_throws")]).unwrap();
    stage.until(&deployment, "AfterInstall", "InProgress");
    stage.pass(HOUR - 10 * SECOND);
    assert_eq!(stage.info(&deployment)["status"], "InProgress");
    stage.pass(MINUTE);
    assert_eq!(stage.info(&deployment)["errorInformation"]["code"], "HOOK_EXECUTION_FAILURE");
}

#[test]
fn nothing_is_rolled_back_at_before_install() {
    let mut stage = stage(&Scene::default(), &[]);
    let deployment = stage.deploy(&[("BeforeInstall", "no-such-function")]).unwrap();
    assert_eq!(stage.web.await_end(&mut stage.world, &deployment), "Failed");
    let info = stage.info(&deployment);
    assert_eq!(info["errorInformation"]["code"], "HOOK_EXECUTION_FAILURE");
    assert!(info["rollbackInfo"].get("rollbackDeploymentId").is_none());
    stage.pass(MINUTE);
    let all = stage.call("ListDeployments", json!({})).unwrap();
    assert_eq!(all["deployments"], json!([deployment]));
    assert_eq!(stage.task_sets().len(), 1);
}

#[test]
fn a_task_set_that_never_gets_healthy_times_out_after_an_hour_and_not_before() {
    let mut stage = stage(&Scene::default(), &[("APP_HEALTH", "fail")]);
    let deployment = stage.deploy(&[]).unwrap();
    stage.until(&deployment, "Install", "InProgress");
    stage.pass(59 * MINUTE);
    assert_eq!(stage.event(&deployment, "Install"), "InProgress");
    stage.rolled_back(&deployment);
    assert_eq!(stage.info(&deployment)["errorInformation"]["code"], "TIMEOUT");
    assert_eq!(stage.task_sets().len(), 1);
}

#[test]
fn a_red_alarm_stops_the_canary_and_the_rollback_does_not_look_at_it() {
    let mut stage = with_alarm(|_| {});
    let deployment = stage.deploy(&[]).unwrap();
    stage.until(&deployment, "AllowTraffic", "InProgress");
    alarm(&mut stage, "ALARM");
    stage.pass(11 * SECOND);
    assert_eq!(stage.info(&deployment)["errorInformation"]["code"], "ALARM_ACTIVE");
    assert_eq!(stage.event(&deployment, "AllowTraffic"), "Failed");
    let rollback = stage.rolled_back(&deployment);
    assert_eq!(stage.weights(&rollback), [100.0, 0.0]);
}

#[test]
fn whether_an_alarm_red_at_the_start_stops_it_is_a_setting() {
    let mut stage = with_alarm(|_| {});
    alarm(&mut stage, "ALARM");
    let deployment = stage.deploy(&[]).unwrap();
    stage.pass(3 * SECOND);
    assert_eq!(stage.info(&deployment)["status"], "Stopped");

    let mut stage = with_alarm(|world| world.cloud.settings.red_alarm_stops_at_start = false);
    alarm(&mut stage, "ALARM");
    let deployment = stage.deploy(&[]).unwrap();
    stage.pass(MINUTE);
    assert_eq!(stage.info(&deployment)["status"], "InProgress");
}

#[test]
fn a_new_deployment_is_listed_only_after_a_lag() {
    let mut stage = stage(&Scene::default(), &[]);
    stage.world.cloud.settings.list_deployments_lag = 5 * SECOND;
    let deployment = stage.deploy(&[]).unwrap();
    let of_group = |stage: &mut Stage, status: &str| {
        let input = json!({
            "applicationName": stage.web.application, "deploymentGroupName": stage.web.group,
            "includeOnlyStatuses": [status],
        });
        stage.call("ListDeployments", input).unwrap()["deployments"].clone()
    };
    stage.pass(3 * SECOND);
    assert_eq!(stage.info(&deployment)["status"], "InProgress");
    assert_eq!(of_group(&mut stage, "InProgress"), json!([]));
    stage.pass(3 * SECOND);
    assert_eq!(of_group(&mut stage, "InProgress"), json!([deployment]));
    assert_eq!(of_group(&mut stage, "Succeeded"), json!([]));
}

/// Lets time pass until a hook's function is invoked, and gives its payload.
fn invoked(stage: &mut Stage) -> Value {
    let end = stage.world.now() + 2 * HOUR;
    while stage.world.now() < end {
        if let Some(invocation) = stage.world.take_invocations().pop() {
            return invocation.payload;
        }
        let next = stage.world.next_wakeup().unwrap_or(end);
        stage.world.advance(next);
    }
    panic!("no hook was invoked");
}

/// Addresses of the running tasks that a task set started, each found by `startedBy`.
fn addresses(stage: &mut Stage, task_set: &str) -> Vec<String> {
    let cluster = stage.web.cluster.clone();
    let by = json!({ "cluster": cluster, "startedBy": task_set });
    let tasks = stage.world.call("ecs", "ListTasks", by).unwrap()["taskArns"].clone();
    let tasks = json!({ "cluster": cluster, "tasks": tasks });
    let tasks = stage.world.call("ecs", "DescribeTasks", tasks).unwrap()["tasks"].clone();
    let tasks = tasks.as_array().unwrap().iter().filter(|task| task["lastStatus"] == "RUNNING");
    tasks
        .map(|task| {
            assert_eq!(task["startedBy"], task_set);
            task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn a_running_hook_finds_its_event_in_progress_and_the_tasks_of_green() {
    let mut stage = stage(&Scene::default(), &[]);
    // Nothing in the world answers for this function: the test does.
    let input = json!({
        "FunctionName": "CodeDeployHook_test", "Runtime": "provided.al2023", "Handler": "bootstrap",
        "Role": "arn:aws:iam::123456789012:role/function", "Timeout": 10, "Code": { "ZipFile": package() },
    });
    stage.world.call("lambda", "CreateFunction", input).unwrap();
    let hooks =
        ["BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"];
    let deployment = stage.deploy(&hooks.map(|event| (event, "CodeDeployHook_test"))).unwrap();
    for hook in hooks {
        let payload = invoked(&mut stage);
        assert_eq!(payload["DeploymentId"], deployment.as_str());
        assert_eq!(stage.info(&deployment)["status"], "InProgress", "{hook}");
        let target = stage.target(&deployment);
        let events = target["lifecycleEvents"].as_array().unwrap();
        let at = events.iter().position(|e| e["lifecycleEventName"] == hook).unwrap();
        for (n, event) in events.iter().enumerate() {
            let expected = match n.cmp(&at) {
                Ordering::Less => "Succeeded",
                Ordering::Equal => "InProgress",
                Ordering::Greater => "Pending",
            };
            assert_eq!(event["status"], expected, "{} while {hook} runs", event["lifecycleEventName"]);
        }
        let green = target["taskSetsInfo"].as_array().unwrap().iter().find(|t| t["taskSetLabel"] == "Green");
        assert_eq!(green.is_none(), hook == "BeforeInstall", "there is no green before Install");
        if let Some(green) = green {
            let tasks = addresses(&mut stage, green["identifer"].as_str().unwrap());
            assert_eq!(tasks.len(), 2, "{hook}");
            for address in tasks {
                let request = crate::http::Request { target: "/version".into(), ..Default::default() };
                let Ok(Reaction::Answer { response, .. }) = stage.world.request(&address, 8080, &request)
                else {
                    panic!("{address} does not answer");
                };
                assert_eq!(response.body, br#"{"version":"2"}"#);
            }
        }
        report(&mut stage.world, &payload, "Succeeded").unwrap();
    }
    assert_eq!(stage.web.await_end(&mut stage.world, &deployment), "Succeeded");
}
