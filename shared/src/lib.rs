//! What two or more of Sluice's functions use: the domain, which knows nothing of AWS's
//! SDK, configuration, thin adapters to AWS, and Lambda start-up.

pub mod appspec;
pub mod aws;
pub mod config;
pub mod ended;
pub mod escalated;
pub mod events;
pub mod freeze;
pub mod image;
mod log;
pub mod members;
pub mod message;
pub mod migration_rule;
pub mod one_off;
mod regex;
pub mod release;
pub mod revision;
pub mod rollback;
pub mod start;
pub mod way_back;

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Rust files below a folder, with their text.
    fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }

    #[test]
    fn the_sdk_stays_within_the_adapters() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        sources(&root.join("src"), &mut files);
        for function in std::fs::read_dir(root.join("../functions")).unwrap() {
            let folder = function.unwrap().path().join("src");
            if folder.is_dir() {
                sources(&folder, &mut files);
            }
        }
        assert!(files.len() > 30);
        let sdk = ["aws_", "sdk_"].concat();
        let with_sdk = files.iter().filter(|(_, text)| text.contains(&sdk)).map(|(path, _)| path.as_str());
        let outside: Vec<_> = with_sdk.filter(|path| !path.contains("/src/aws/")).collect();
        assert_eq!(outside, Vec::<&str>::new());
    }
}
