//! Requests and answers held against the published model.
//!
//! Members that the model does not know are refused, where AWS mostly ignores
//! them: on a test bench a misspelt member must not pass. RegisterTaskDefinition
//! is the exception, for what it is given has to come back whole.

use serde_json::Value;

use crate::fault::Fault;
use crate::model::{Model, Operation, Shape, Type};
use crate::time::from_timestamp;
use crate::wire::without_nulls;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    Missing,
    Invalid,
    WrongType,
    Unknown,
}

struct Walk<'a> {
    model: &'a Model,
    keeps_unknown: bool,
    found: Vec<(Problem, String, String)>,
}

/// The one operation that takes members that no model knows, and keeps them.
fn takes_unknown(model: &Model, operation: &str) -> bool {
    model.service == "ecs" && operation == "RegisterTaskDefinition"
}

/// Which operations may answer members that no model knows.
fn gives_unknown(model: &Model, operation: &str) -> bool {
    model.service == "ecs"
        && matches!(
            operation,
            "RegisterTaskDefinition" | "DescribeTaskDefinition" | "DeregisterTaskDefinition"
        )
}

pub fn input(
    model: &Model,
    name: &str,
    operation: &Operation,
    shape: &str,
    value: Value,
) -> Result<Value, Fault> {
    let value = without_nulls(value);
    let mut walk = Walk { model, keeps_unknown: takes_unknown(model, name), found: Vec::new() };
    walk.value(model.shape(shape), &value, "");
    let Some((problem, path, _)) = walk.found.first() else { return Ok(value) };
    let code = code(model, operation, *problem, path);
    let count = walk.found.len();
    let texts: Vec<_> = walk.found.iter().map(|(_, _, text)| text.as_str()).collect();
    let plural = if count == 1 { "error" } else { "errors" };
    Err(Fault::new(&code, format!("{count} validation {plural} detected: {}", texts.join("; "))))
}

/// The cloud's own answers obey the model too; one that does not is a fault here,
/// shown as such.
pub fn output(model: &Model, name: &str, shape: &str, value: &Value) -> Result<(), Fault> {
    let mut walk = Walk { model, keeps_unknown: gives_unknown(model, name), found: Vec::new() };
    walk.value(model.shape(shape), value, "");
    walk.found.retain(|(problem, _, text)| *problem != Problem::Invalid || text.contains("enum"));
    match walk.found.first() {
        None => Ok(()),
        Some((_, _, text)) => Err(Fault {
            status: 500,
            ..Fault::new(
                "InternalFailure",
                format!("the local cloud's answer to {}:{name} breaks the model: {text}", model.service),
            )
        }),
    }
}

/// The service's own code for a problem with one member.
fn code(model: &Model, operation: &Operation, problem: Problem, path: &str) -> String {
    if problem == Problem::WrongType {
        return if model.metadata.protocol == "query" { "MalformedInput" } else { "SerializationException" }
            .into();
    }
    let (missing, invalid) = match model.service {
        "ecs" | "ecr" | "logs" | "secretsmanager" => {
            ("InvalidParameterException", "InvalidParameterException")
        }
        "cloudwatch" => ("MissingRequiredParameterException", "InvalidParameterValueException"),
        "sns" => ("InvalidParameterException", "InvalidParameterException"),
        "sqs" => ("MissingRequiredParameterException", "InvalidParameterValueException"),
        "codedeploy" => return codedeploy_code(operation, problem, path),
        "rds" => ("MissingParameter", "InvalidParameterValue"),
        "elbv2" | "sts" => ("ValidationError", "ValidationError"),
        _ => ("ValidationException", "ValidationException"),
    };
    if problem == Problem::Missing { missing } else { invalid }.into()
}

/// CodeDeploy has an exception for almost every member.
fn codedeploy_code(operation: &Operation, problem: Problem, path: &str) -> String {
    let member = path.rsplit('.').next().unwrap_or_default();
    let name: String = member
        .chars()
        .next()
        .map(|c| c.to_ascii_uppercase())
        .into_iter()
        .chain(member.chars().skip(1))
        .collect();
    let candidates = match problem {
        Problem::Missing => [format!("{name}RequiredException"), "RevisionRequiredException".into()],
        _ => [format!("Invalid{name}Exception"), format!("Invalid{}Exception", name.trim_end_matches('s'))],
    };
    candidates
        .into_iter()
        .take(if problem == Problem::Missing { 1 } else { 2 })
        .find(|c| operation.errors.contains(c))
        .unwrap_or_else(|| "ValidationException".into())
}

impl Walk<'_> {
    fn problem(&mut self, problem: Problem, path: &str, text: String) {
        self.found.push((problem, path.to_owned(), text));
    }

    fn value(&mut self, shape: &Shape, value: &Value, path: &str) {
        match (shape.kind, value) {
            (Type::Structure, Value::Object(members)) => self.structure(shape, members, path),
            (Type::List, Value::Array(items)) => {
                self.size(shape, items.len(), path);
                let Some(member) = &shape.member else { return };
                for (n, item) in items.iter().enumerate() {
                    self.value(self.model.shape(&member.shape), item, &format!("{path}.{}.member", n + 1));
                }
            }
            (Type::Map, Value::Object(entries)) => {
                self.size(shape, entries.len(), path);
                let (Some(key), Some(member)) = (&shape.key, &shape.value) else { return };
                for (name, item) in entries {
                    self.value(self.model.shape(&key.shape), &Value::String(name.clone()), path);
                    self.value(self.model.shape(&member.shape), item, &format!("{path}.{name}.member"));
                }
            }
            (Type::String | Type::Character, Value::String(text)) => self.text(shape, text, path),
            (Type::Blob, Value::String(_)) | (Type::Boolean, Value::Bool(_)) => {}
            (Type::Integer | Type::Long, Value::Number(n))
                if n.as_i64().is_some() || n.as_f64().is_some_and(|f| f.fract() == 0.0) =>
            {
                self.range(shape, n.as_f64().unwrap_or_default(), value, path);
            }
            (Type::Float | Type::Double, Value::Number(n)) => {
                self.range(shape, n.as_f64().unwrap_or_default(), value, path)
            }
            (Type::Timestamp, value) if from_timestamp(value).is_some() => {}
            (kind, _) => {
                let want = format!("{kind:?}").to_lowercase();
                self.problem(
                    Problem::WrongType,
                    path,
                    format!("Value {value} at '{path}' is not of type {want}"),
                );
            }
        }
    }

    fn structure(&mut self, shape: &Shape, members: &serde_json::Map<String, Value>, path: &str) {
        let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for name in &shape.required {
            if !members.contains_key(name) {
                let at = join(name);
                self.problem(
                    Problem::Missing,
                    &at,
                    format!("Value null at '{at}' failed to satisfy constraint: Member must not be null"),
                );
            }
        }
        for (name, value) in members {
            match shape.members.get(name) {
                Some(member) => self.value(self.model.shape(&member.shape), value, &join(name)),
                None if self.keeps_unknown => {}
                None => {
                    let known: Vec<_> = shape.members.keys().map(String::as_str).collect();
                    let at = join(name);
                    self.problem(
                        Problem::Unknown,
                        &at,
                        format!("'{at}' is no member that the model knows; it knows {}", known.join(", ")),
                    );
                }
            }
        }
    }

    fn text(&mut self, shape: &Shape, text: &str, path: &str) {
        if !shape.values.is_empty() && !shape.values.iter().any(|v| v == text) {
            let values = shape.values.join(", ");
            self.problem(Problem::Invalid, path, format!("Value '{text}' at '{path}' failed to satisfy constraint: Member must satisfy enum value set: [{values}]"));
        }
        if let Some(regex) = &shape.regex
            && !regex.is_match(text)
        {
            let pattern = shape.pattern.as_deref().unwrap_or_default();
            self.problem(Problem::Invalid, path, format!("Value '{text}' at '{path}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}"));
        }
        self.size(shape, text.chars().count(), path);
    }

    fn size(&mut self, shape: &Shape, size: usize, path: &str) {
        #[allow(clippy::cast_precision_loss)]
        let size = size as f64;
        for (bound, word, broken) in [
            (shape.min, "greater", shape.min.is_some_and(|min| size < min)),
            (shape.max, "less", shape.max.is_some_and(|max| size > max)),
        ] {
            if let (Some(bound), true) = (bound, broken) {
                self.problem(Problem::Invalid, path, format!("Value at '{path}' failed to satisfy constraint: Member must have length {word} than or equal to {bound}"));
            }
        }
    }

    fn range(&mut self, shape: &Shape, n: f64, value: &Value, path: &str) {
        for (bound, word, broken) in [
            (shape.min, "greater", shape.min.is_some_and(|min| n < min)),
            (shape.max, "less", shape.max.is_some_and(|max| n > max)),
        ] {
            if let (Some(bound), true) = (bound, broken) {
                self.problem(Problem::Invalid, path, format!("Value '{value}' at '{path}' failed to satisfy constraint: Member must have value {word} than or equal to {bound}"));
            }
        }
    }
}
