//! What a container's command and environment make of the sample programs: an application
//! that listens, or a one-off task that writes its lines and ends.

use super::behaviour::{Behaviour, read};
use super::{SAMPLE_APP, SAMPLE_TASK};
use crate::time::Ms;

/// One run of a container, real or simulated.
#[derive(Debug, Clone)]
pub struct Program {
    /// Written at the start.
    pub lines: Vec<String>,
    /// Listens after its start delay; `None` for a one-off task.
    pub app: Option<Behaviour>,
    /// Ends by itself after so long, with this code.
    pub exit: Option<(Ms, i32)>,
}

/// As sysexits.h has it: used wrongly.
const USAGE: i32 = 64;

impl Program {
    /// Reads entry point and command. What cannot be read is written, and ends with 64.
    /// Commands that name no sample program stand for the application.
    pub fn of(command: &[String], variable: impl Fn(&str) -> Option<String>) -> Self {
        Self::read(command, &variable).unwrap_or_else(|why| Self {
            lines: vec![why],
            app: None,
            exit: Some((0, USAGE)),
        })
    }

    fn read(command: &[String], variable: &impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let exit_code = read(variable, "APP_EXIT_CODE", 0)?;
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let is = |word: &str, name: &str| word.rsplit('/').next() == Some(name);
        match words.as_slice() {
            [app, "print", lines @ ..] if is(app, SAMPLE_APP) => {
                let lines = lines.iter().map(|line| (*line).to_owned()).collect();
                Ok(Self { lines, app: None, exit: Some((0, exit_code)) })
            }
            [app, task, arguments @ ..] if is(app, SAMPLE_APP) && is(task, SAMPLE_TASK) => one_off(arguments),
            [task, arguments @ ..] if is(task, SAMPLE_TASK) => one_off(arguments),
            _ => {
                let after = variable("APP_EXIT_AFTER_MS").filter(|text| !text.is_empty());
                let after = after.map(|_| read(variable, "APP_EXIT_AFTER_MS", 0)).transpose()?;
                let lines = read(variable, "APP_LOG", String::new())?;
                Ok(Self {
                    lines: lines.lines().map(str::to_owned).collect(),
                    app: Some(Behaviour::of(variable)?),
                    exit: after.map(|after| (after, exit_code)),
                })
            }
        }
    }
}

/// `--log <line>` as often as there are lines, `--exit <code>`, `--after <ms>`.
fn one_off(arguments: &[&str]) -> Result<Program, String> {
    let (mut lines, mut exit_code, mut after) = (Vec::new(), 0, 0);
    let mut pairs = arguments.chunks_exact(2);
    for pair in &mut pairs {
        let wrong = || format!("{SAMPLE_TASK}: {} '{}' cannot be read", pair[0], pair[1]);
        match pair[0] {
            "--log" => lines.push(pair[1].to_owned()),
            "--exit" => exit_code = pair[1].parse().map_err(|_| wrong())?,
            "--after" => after = pair[1].parse().map_err(|_| wrong())?,
            other => {
                return Err(format!(
                    "{SAMPLE_TASK}: '{other}' is not known: it takes --log, --exit and --after"
                ));
            }
        }
    }
    match pairs.remainder() {
        [] => Ok(Program { lines, app: None, exit: Some((after, exit_code)) }),
        [last, ..] => Err(format!("{SAMPLE_TASK}: '{last}' has no value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &[&str], environment: &[(&str, &str)]) -> Program {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let find = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Program::of(&command, find)
    }

    #[test]
    fn a_command_decides_before_the_environment_does() {
        let environment = [("APP_EXIT_AFTER_MS", "9"), ("APP_EXIT_CODE", "3"), ("APP_LOG", "up\nand on")];
        let app = of(&["sample-app"], &environment);
        assert_eq!(
            (app.lines, app.app.is_some(), app.exit),
            (vec!["up".into(), "and on".into()], true, Some((9, 3)))
        );
        let printed = of(&["/usr/bin/sample-app", "print", "a", "b"], &environment);
        assert_eq!((printed.lines, printed.exit), (vec!["a".to_owned(), "b".into()], Some((0, 3))));
        for command in [&["sample-task"][..], &["sample-app", "sample-task"]] {
            let rest = ["--log", "one", "--after", "2400000", "--log", "two", "--exit", "7"];
            let task = of(&[command, &rest].concat(), &environment);
            assert_eq!((task.lines, task.exit), (vec!["one".to_owned(), "two".into()], Some((2_400_000, 7))));
            assert!(task.app.is_none());
        }
        assert!(of(&["node", "server.js"], &[]).app.is_some_and(|app| app.port == 8080));
    }

    #[test]
    fn what_cannot_be_read_is_written_and_ends_with_64() {
        for (command, environment, said) in [
            (&["sample-task", "--exit", "no"][..], ("A", "1"), "--exit 'no'"),
            (&["sample-task", "--log"], ("A", "1"), "'--log' has no value"),
            (&["sample-task", "--then", "x"], ("A", "1"), "'--then' is not known"),
            (&["sample-app"], ("APP_EXIT_AFTER_MS", "soon"), "APP_EXIT_AFTER_MS: 'soon'"),
        ] {
            let broken = of(command, &[environment]);
            assert!(broken.lines[0].contains(said), "{:?}", broken.lines);
            assert_eq!((broken.app.is_some(), broken.exit), (false, Some((0, 64))));
        }
    }
}
