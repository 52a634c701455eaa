//! The command as a shell sees it: what it prints where, and its exit code.

use std::path::Path;
use std::process::{Command, Output};

fn sluice(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice")).args(arguments).output().unwrap()
}

/// Checks a file of these bytes; gives the exit code, stdout and stderr without the file's path.
fn check(name: &str, bytes: &[u8]) -> (Option<i32>, String, String) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, bytes).unwrap();
    let file = file.to_str().unwrap();
    let output = sluice(&["check", file]);
    let told = String::from_utf8(output.stderr).unwrap().replace(file, name);
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), told)
}

#[test]
fn a_faulty_file_prints_its_faults_to_stderr_and_exits_1() {
    let text = b"services:\n  api:\n    clustr: c\n    service: s\n    images: []\n    deploy: { ecs: {} }\n";
    let told = "\
faulty.yaml:3:5: services.api: unknown key 'clustr'; did you mean 'cluster'?
faulty.yaml:5:13: services.api.images: is an empty list; write at least one
";
    assert_eq!(check("faulty.yaml", text), (Some(1), String::new(), told.to_owned()));
    let told =
        "latin-1.yaml: is not UTF-8: invalid utf-8 sequence of 1 bytes from index 2; save it as UTF-8\n";
    assert_eq!(check("latin-1.yaml", b"# \xe9\n"), (Some(1), String::new(), told.to_owned()));
}

#[test]
fn a_right_file_prints_its_summary_to_stdout_and_exits_0() {
    let (code, summary, told) = check("right.yaml", include_bytes!("../../../tests/releases.yaml"));
    assert_eq!((code, told.as_str()), (Some(0), ""));
    assert!(summary.starts_with("api-production\n  service  api-cluster/api-service\n"), "{summary}");
}

#[test]
fn the_schema_is_printed_as_it_is_published() {
    let output = sluice(&["schema"]);
    assert_eq!(output.stdout, include_bytes!("../../../shared/releases.schema.json"));
}

#[test]
fn parameters_go_to_stdout_and_what_is_missing_to_stderr() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/releases.yaml");
    let output = sluice(&["parameters", file, "--account", "123456789012", "--region", "eu-west-1"]);
    assert_eq!(output.status.code(), Some(0));
    let (yaml, notes) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(yaml.starts_with("# Written by `sluice parameters`, from "), "{yaml}");
    assert!(
        yaml.contains(
            "\nServices:\n  - 'arn:aws:ecs:eu-west-1:123456789012:service/api-cluster/api-service'\n"
        )
    );
    assert_eq!(notes.lines().count(), 2, "{notes}");
    assert_eq!(
        sluice(&["parameters", "nowhere.yaml", "--account", "1", "--region", "r"]).status.code(),
        Some(1)
    );
}
