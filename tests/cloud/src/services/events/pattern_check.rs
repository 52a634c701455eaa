//! Whether a pattern is one. What EventBridge refuses is refused with its reason: a
//! misspelt operator must not become a rule that takes everything, or nothing.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::wildcard;

const OPERATORS: &[&str] =
    &["prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "cidr", "anything-but", "exists"];

/// Names that no field within an `$or` may have, beside the operators: AWS's engine keeps
/// them for itself.
const RESERVED: &[&str] = &[
    "exactly",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// How many combinations the alternatives of a pattern's `$or`s may make.
const MOST_WAYS: usize = 1_000;

/// What numbers in `numeric` may be.
const LARGEST: f64 = 5e9;

/// `Err` says what is wrong where.
pub fn check(pattern: &Value) -> Result<(), String> {
    match pattern.as_object() {
        Some(fields) => {
            check_fields(fields, "")?;
            match ways(fields) {
                0..=MOST_WAYS => Ok(()),
                more => Err(format!("the '$or's make {more} combinations, more than {MOST_WAYS}")),
            }
        }
        None => Err("a pattern must be a JSON object".into()),
    }
}

fn ways(fields: &Map<String, Value>) -> usize {
    let of = |(name, wanted): (&String, &Value)| match wanted {
        Value::Array(alternatives) if name == "$or" => {
            alternatives.iter().filter_map(Value::as_object).map(ways).fold(0, usize::saturating_add)
        }
        Value::Object(inner) => ways(inner),
        _ => 1,
    };
    fields.iter().map(of).fold(1, usize::saturating_mul)
}

/// A field named as an operator would be a misplaced one.
fn check_names(fields: &Map<String, Value>, path: &str) -> Result<(), String> {
    for (name, wanted) in fields {
        if OPERATORS.contains(&name.as_str()) || RESERVED.contains(&name.as_str()) {
            return Err(format!("'{name}' is reserved and cannot be a field within '{path}'"));
        }
        if let Value::Object(inner) = wanted {
            check_names(inner, path)?;
        }
    }
    Ok(())
}

fn check_fields(fields: &Map<String, Value>, path: &str) -> Result<(), String> {
    if fields.is_empty() {
        let place = if path.is_empty() { String::new() } else { format!(", at '{path}'") };
        return Err(format!("empty patterns are not allowed{place}"));
    }
    for (name, wanted) in fields {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match wanted {
            Value::Array(alternatives) if name == "$or" => check_alternatives(alternatives, &path)?,
            _ if name == "$or" => return Err(format!("'{path}' must be a list of at least two objects")),
            Value::Object(inner) => check_fields(inner, &path)?,
            Value::Array(choices) if !choices.is_empty() => {
                choices.iter().try_for_each(|choice| check_choice(choice, &path))?;
            }
            Value::Array(_) => return Err(format!("empty arrays are not allowed, at '{path}'")),
            _ => return Err(format!("'{path}' must be an object or an array")),
        }
    }
    Ok(())
}

fn check_alternatives(alternatives: &[Value], path: &str) -> Result<(), String> {
    if alternatives.len() < 2 {
        return Err(format!("'{path}' must be a list of at least two objects"));
    }
    for one in alternatives {
        let fields = one.as_object().ok_or_else(|| format!("'{path}' must be a list of objects"))?;
        check_names(fields, path)?;
        check_fields(fields, path)?;
    }
    Ok(())
}

fn check_choice(choice: &Value, path: &str) -> Result<(), String> {
    let Some(operator) = choice.as_object() else {
        return if choice.is_array() {
            Err(format!("'{path}' has an array within an array"))
        } else {
            Ok(())
        };
    };
    let mut entries = operator.iter();
    let (Some((name, operand)), None) = (entries.next(), entries.next()) else {
        return Err(format!("exactly one match type is allowed in an expression, at '{path}'"));
    };
    if !OPERATORS.contains(&name.as_str()) {
        return Err(format!(
            "unrecognized match type '{name}' at '{path}'; there are {}",
            OPERATORS.join(", ")
        ));
    }
    check_operand(name, operand).map_err(|reason| format!("'{name}' at '{path}': {reason}"))
}

fn check_operand(name: &str, operand: &Value) -> Result<(), String> {
    let takes = |fits: bool, what: &str| {
        if fits { Ok(()) } else { Err(format!("it takes {what}, not {operand}")) }
    };
    match name {
        "exists" => takes(operand.is_boolean(), "true or false"),
        "equals-ignore-case" => takes(operand.is_string(), "a string"),
        "wildcard" => match operand.as_str() {
            Some(text) => wildcard::check(text),
            None => takes(false, "a string"),
        },
        "prefix" | "suffix" => takes(is_affix(operand), "a string or {\"equals-ignore-case\": string}"),
        "cidr" => takes(is_cidr(operand), "an address and a mask such as 10.0.0.0/24"),
        "numeric" => takes(
            is_numeric(operand),
            "\"=\" and a number, or one or two bounds such as [\">\", 0, \"<=\", 5], within 5e9",
        ),
        _ => check_but(operand),
    }
}

fn is_affix(operand: &Value) -> bool {
    let folded = operand.as_object().filter(|o| o.len() == 1).and_then(|o| o.get("equals-ignore-case"));
    operand.is_string() || folded.is_some_and(Value::is_string)
}

fn is_cidr(operand: &Value) -> bool {
    let Some((network, bits)) = operand.as_str().and_then(|text| text.split_once('/')) else { return false };
    match (network.parse::<IpAddr>(), bits.parse::<u32>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => bits <= 32,
        (Ok(IpAddr::V6(_)), Ok(bits)) => bits <= 128,
        _ => false,
    }
}

/// `=`, or a lower bound, an upper bound, or a lower one and then an upper one.
fn is_numeric(operand: &Value) -> bool {
    let parts = operand.as_array().map(Vec::as_slice).unwrap_or_default();
    let pair = |pair: &[Value]| {
        let bound = pair.get(1).and_then(Value::as_f64).filter(|n| n.abs() <= LARGEST);
        Some((pair[0].as_str()?.to_owned(), bound?))
    };
    let Some(pairs) = parts.chunks(2).map(pair).collect::<Option<Vec<_>>>() else { return false };
    let (low, high) = (|sign: &str| sign == ">" || sign == ">=", |sign: &str| sign == "<" || sign == "<=");
    match pairs.as_slice() {
        [(sign, _)] => sign == "=" || low(sign) || high(sign),
        [(first, from), (second, to)] => low(first) && high(second) && from < to,
        _ => false,
    }
}

/// A string, a number, a list of only one of these, or an operator over one string or several.
fn check_but(operand: &Value) -> Result<(), String> {
    let wrong = || {
        format!(
            "it takes strings, numbers, or one of prefix, suffix, equals-ignore-case and wildcard, not {operand}"
        )
    };
    let strings = |items: &[Value]| !items.is_empty() && items.iter().all(Value::is_string);
    let numbers = |items: &[Value]| !items.is_empty() && items.iter().all(Value::is_number);
    match operand {
        Value::String(_) | Value::Number(_) => Ok(()),
        Value::Array(items) if strings(items) || numbers(items) => Ok(()),
        Value::Object(operator) if operator.len() == 1 => {
            let (name, inner) = operator.iter().next().ok_or_else(wrong)?;
            if !["prefix", "suffix", "equals-ignore-case", "wildcard"].contains(&name.as_str()) {
                return Err(wrong());
            }
            let items = inner.as_array().map_or(std::slice::from_ref(inner), Vec::as_slice);
            if !strings(items) {
                return Err(wrong());
            }
            if items.iter().any(|item| item == "") && ["prefix", "suffix"].contains(&name.as_str()) {
                return Err(format!("an empty {name} fits everything"));
            }
            items.iter().try_for_each(|item| check_operand(name, item))
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check;

    #[test]
    fn what_is_no_pattern_is_refused_with_its_place_and_reason() {
        let one = |choice: Value| json!({ "a": [choice] });
        let table = [
            (json!([]), "must be a JSON object"),
            (json!({}), "empty patterns"),
            (json!({ "a": {} }), "at 'a'"),
            (json!({ "a": "x" }), "'a' must be"),
            (json!({ "a": { "b": [] } }), "'a.b'"),
            (json!({ "a": [["x"]] }), "array within an array"),
            (json!({ "$or": [{ "a": ["x"] }] }), "at least two"),
            (json!({ "$or": [{ "a": ["x"] }, {}] }), "at '$or'"),
            (json!({ "$or": { "a": ["x"] } }), "at least two"),
            (json!({ "$or": [{ "a": ["x"] }, { "b": { "prefix": ["x"] } }] }), "'prefix' is reserved"),
            (one(json!({ "anything-but": { "prefix": "" } })), "'anything-but' at 'a'"),
            (one(json!({})), "exactly one match type"),
            (one(json!({ "prefix": "x", "suffix": "y" })), "exactly one match type"),
            (one(json!({ "prefixx": "x" })), "'prefixx' at 'a'"),
            (one(json!({ "prefix": 1 })), "'prefix' at 'a'"),
            (one(json!({ "prefix": { "equals-ignore-case": 1 } })), "'prefix' at 'a'"),
            (one(json!({ "wildcard": "a**" })), "consecutive"),
            (one(json!({ "cidr": "10.0.0.0" })), "'cidr' at 'a'"),
            (one(json!({ "cidr": "10.0.0.0/33" })), "'cidr' at 'a'"),
            (one(json!({ "exists": "true" })), "'exists' at 'a'"),
            (one(json!({ "numeric": [">"] })), "'numeric' at 'a'"),
            (one(json!({ "numeric": ["<", 5, ">", 1] })), "'numeric' at 'a'"),
            (one(json!({ "numeric": [">", 5, "<", 1] })), "'numeric' at 'a'"),
            (one(json!({ "numeric": ["=", 1e10] })), "'numeric' at 'a'"),
            (one(json!({ "anything-but": [] })), "'anything-but' at 'a'"),
            (one(json!({ "anything-but": ["x", 1] })), "'anything-but' at 'a'"),
            (one(json!({ "anything-but": { "numeric": ["=", 1] } })), "'anything-but' at 'a'"),
            (one(json!({ "anything-but": { "prefixx": "x" } })), "'anything-but' at 'a'"),
        ];
        for (pattern, expected) in table {
            let refused = check(&pattern).expect_err(&pattern.to_string());
            assert!(refused.contains(expected), "{pattern}: {refused}");
        }
    }

    #[test]
    fn alternatives_multiply_and_have_a_limit() {
        let two = json!({ "$or": [{ "x": ["x"] }, { "y": ["y"] }] });
        let fields = |n: u32| Value::Object((0..n).map(|n| (format!("f{n}"), two.clone())).collect());
        assert_eq!(check(&fields(9)), Ok(()));
        assert!(check(&fields(10)).unwrap_err().contains("1024 combinations"));
        assert!(check(&fields(90)).is_err());
    }
}
