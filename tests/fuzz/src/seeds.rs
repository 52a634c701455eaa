//! What each target begins with: the repository's own samples, where they lie.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

pub type Seeds = Vec<Vec<u8>>;

/// So many words a dictionary has at most; libFuzzer tries them one after the other.
const WORDS: usize = 400;

/// A migration's history is cut into pieces of about so many bytes, between statements.
#[cfg(feature = "sql")]
const PIECE: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files of a folder whose names begin and end so, in the order of their names.
pub fn files(folder: &str, start: &str, end: &str) -> Seeds {
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_file() && name.starts_with(start) && name.ends_with(end)
    });
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .collect()
}

/// The code blocks of a language in a text.
fn blocks(file: &str, language: &str) -> Seeds {
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let begin = format!("```{language}\n");
    text.split(&begin)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("```")?.0.as_bytes().to_vec()))
        .collect()
}

/// Inputs that a target failed on once.
pub fn found(target: &str) -> Seeds {
    let folder = format!("tests/fuzz/found/{target}");
    if root().join(&folder).is_dir() { files(&folder, "", "") } else { Seeds::new() }
}

/// Words of letters and digits, once each: keys, values, keywords.
pub fn words(inputs: &[Vec<u8>]) -> Vec<String> {
    let mut known = BTreeSet::new();
    let all =
        inputs.iter().flat_map(|input| input.split(|b| !(b.is_ascii_alphanumeric() || b"-_$:".contains(b))));
    let all = all.filter(|word| (3..30).contains(&word.len())).filter_map(|word| str::from_utf8(word).ok());
    all.filter(|word| known.insert(*word)).take(WORDS).map(str::to_owned).collect()
}

pub fn events() -> Seeds {
    let mut all = files("tests/events", "", ".json");
    let snapshot = "arn:aws:rds:us-east-1:123456789012:snapshot:sluice-api";
    let rds = json!({ "source": "aws.rds", "detail-type": "RDS DB Snapshot Event", "detail": { "SourceArn": snapshot } });
    all.push(rds.to_string().into());
    let detail = json!({ "action-type": "PUSH", "result": "SUCCESS", "repository-name": "api",
        "image-tag": format!("sha256-{}.sig", "ab".repeat(32)) });
    let signature = json!({ "source": "aws.ecr", "detail-type": "ECR Image Action", "detail": detail });
    all.push(signature.to_string().into());
    all
}

pub fn releases() -> Seeds {
    let all = ["tests", "tests/template", "shared/src/config/tests"]
        .into_iter()
        .flat_map(|folder| files(folder, "", ".yaml"));
    all.chain(blocks("README.md", "yaml"))
        .chain(blocks("functions/lifecycle-hook/README.md", "yaml"))
        .collect()
}

#[cfg(feature = "sql")]
pub fn sql() -> Seeds {
    let tests = "functions/lifecycle-hook/tests";
    let of = |letter: u8, dialect: &str| {
        let rules = files(&format!("{tests}/rules/{dialect}"), "", ".sql");
        let history = files(&format!("{tests}/history"), dialect, ".sql");
        let all = rules.into_iter().chain(history.into_iter().flat_map(|text| pieces(&text)));
        all.map(move |text| [&[letter], &text[..]].concat())
    };
    of(b'p', "postgresql").chain(of(b'm', "mysql")).collect()
}

#[cfg(feature = "sql")]
fn pieces(text: &[u8]) -> Seeds {
    let mut all = vec![Vec::new()];
    for statement in text.split_inclusive(|byte| *byte == b';') {
        match all.last_mut() {
            Some(last) if last.len() + statement.len() <= PIECE => last.extend_from_slice(statement),
            _ => all.push(statement.to_vec()),
        }
    }
    all
}
