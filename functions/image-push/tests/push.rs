//! A push becomes one deployment, whatever happens to the event.

mod scene;

use scene::{Release, deliver, entry, pushed};

#[tokio::test(start_paused = true)]
async fn a_push_becomes_a_canary() {
    let release = Release::new();
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    let function = release.function(vec![entry("api")]);
    let answer = deliver(&function, &pushed("api", "v2", &digest)).await;
    println!("{}", release.cloud.timeline());
    let answer = answer.unwrap();
    println!("{answer:#}");
    assert_eq!(answer["services"]["api"]["decision"], "start", "{answer}");
}
