//! The query protocol: form parameters in, XML out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Number, Value, json};

use crate::fault::Fault;
use crate::http::{Request, Response};
use crate::model::{Member, Model, Operation, Shape, Type};
use crate::time::{from_timestamp, iso, parse_iso, timestamp};

pub fn pairs(request: &Request) -> BTreeMap<String, String> {
    form_urlencoded::parse(request.query().as_bytes())
        .chain(form_urlencoded::parse(&request.body))
        .map(|(k, v)| (k.into_owned(), v.into_owned()))
        .collect()
}

pub fn parse(model: &Model, shape: &str, request: &Request) -> Result<Value, Fault> {
    let pairs = pairs(request);
    let mut reader =
        Reader { model, pairs: &pairs, used: BTreeSet::from(["Action".into(), "Version".into()]) };
    let value = reader.structure(model.shape(shape), "")?;
    match pairs.keys().find(|key| !reader.used.contains(*key)) {
        Some(key) => {
            Err(Fault::new("ValidationError", format!("'{key}' is not a parameter of this operation")))
        }
        None => Ok(value),
    }
}

struct Reader<'a> {
    model: &'a Model,
    pairs: &'a BTreeMap<String, String>,
    used: BTreeSet<String>,
}

impl Reader<'_> {
    fn has(&self, prefix: &str) -> bool {
        self.pairs.contains_key(prefix)
            || self.pairs.keys().any(|k| k.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')))
    }

    fn structure(&mut self, shape: &Shape, prefix: &str) -> Result<Value, Fault> {
        let mut out = Map::new();
        for (name, member) in &shape.members {
            let part = member.location_name.as_deref().unwrap_or(name);
            let path = if prefix.is_empty() { part.to_owned() } else { format!("{prefix}.{part}") };
            if self.has(&path) {
                out.insert(name.clone(), self.value(member, &path)?);
            }
        }
        Ok(Value::Object(out))
    }

    fn value(&mut self, member: &Member, path: &str) -> Result<Value, Fault> {
        let model = self.model;
        let shape = model.shape(&member.shape);
        match shape.kind {
            Type::Structure => {
                self.used.insert(path.to_owned());
                self.structure(shape, path)
            }
            Type::List => self.list(shape, member.flattened || shape.flattened, path),
            Type::Map => self.map(shape, member.flattened || shape.flattened, path),
            _ => self.scalar(shape.kind, path),
        }
    }

    fn list(&mut self, shape: &Shape, flattened: bool, path: &str) -> Result<Value, Fault> {
        let Some(member) = &shape.member else { return Ok(json!([])) };
        let base = if flattened {
            path.to_owned()
        } else {
            format!("{path}.{}", member.location_name.as_deref().unwrap_or("member"))
        };
        self.used.insert(path.to_owned());
        let mut items = Vec::new();
        for n in 1.. {
            let item = format!("{base}.{n}");
            if !self.has(&item) {
                break;
            }
            items.push(self.value(member, &item)?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, shape: &Shape, flattened: bool, path: &str) -> Result<Value, Fault> {
        let (Some(key), Some(value)) = (&shape.key, &shape.value) else { return Ok(json!({})) };
        let base = if flattened { path.to_owned() } else { format!("{path}.entry") };
        let key_name = key.location_name.as_deref().unwrap_or("key");
        let value_name = value.location_name.as_deref().unwrap_or("value");
        self.used.insert(path.to_owned());
        let mut out = Map::new();
        for n in 1.. {
            let key_path = format!("{base}.{n}.{key_name}");
            let Some(name) = self.pairs.get(&key_path).cloned() else { break };
            self.used.insert(key_path);
            let value_path = format!("{base}.{n}.{value_name}");
            if self.has(&value_path) {
                out.insert(name, self.value(value, &value_path)?);
            }
        }
        Ok(Value::Object(out))
    }

    fn scalar(&mut self, kind: Type, path: &str) -> Result<Value, Fault> {
        let malformed = |what: &str| Fault::new("MalformedInput", format!("'{path}' is not {what}"));
        let text = self.pairs.get(path).ok_or_else(|| malformed("a plain value"))?;
        self.used.insert(path.to_owned());
        Ok(match kind {
            Type::Boolean => match text.as_str() {
                "true" => json!(true),
                "false" => json!(false),
                _ => return Err(malformed("'true' or 'false'")),
            },
            Type::Integer | Type::Long => json!(text.parse::<i64>().map_err(|_| malformed("an integer"))?),
            Type::Float | Type::Double => text
                .parse::<f64>()
                .ok()
                .and_then(Number::from_f64)
                .map(Value::Number)
                .ok_or_else(|| malformed("a number"))?,
            Type::Timestamp => parse_iso(text)
                .map(timestamp)
                .or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number))
                .ok_or_else(|| malformed("an ISO 8601 timestamp"))?,
            _ => json!(text),
        })
    }
}

pub fn response(
    model: &Model,
    name: &str,
    operation: &Operation,
    value: &Value,
    request_id: &str,
) -> Response {
    let mut body = String::new();
    let namespace = model.metadata.xml_namespace.as_deref().unwrap_or_default();
    let _ = write!(body, "<{name}Response xmlns=\"{namespace}\">");
    if let Some(shape) = &operation.output {
        let wrapper = operation.result_wrapper.clone().unwrap_or_else(|| format!("{name}Result"));
        let _ = write!(body, "<{wrapper}>");
        write_members(&mut body, model, model.shape(shape), value);
        let _ = write!(body, "</{wrapper}>");
    }
    let _ = write!(
        body,
        "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    );
    xml(200, body)
}

pub fn error(
    model: &Model,
    code: &str,
    message: &str,
    sender: &str,
    status: u16,
    request_id: &str,
) -> Response {
    let namespace = model.metadata.xml_namespace.as_deref().unwrap_or_default();
    let (code, message) = (escape(code), escape(message));
    xml(
        status,
        format!(
            "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{sender}</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        ),
    )
}

fn xml(status: u16, body: String) -> Response {
    Response { status, headers: vec![("content-type".into(), "text/xml".into())], body: body.into_bytes() }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn write_members(out: &mut String, model: &Model, shape: &Shape, value: &Value) {
    for (name, member) in &shape.members {
        if let Some(value) = value.get(name) {
            let tag = member.location_name.as_deref().unwrap_or(name);
            write_value(out, model, member, tag, value);
        }
    }
}

fn write_value(out: &mut String, model: &Model, member: &Member, tag: &str, value: &Value) {
    let shape = model.shape(&member.shape);
    let flattened = member.flattened || shape.flattened;
    match (shape.kind, value) {
        (Type::Structure, _) => {
            let _ = write!(out, "<{tag}>");
            write_members(out, model, shape, value);
            let _ = write!(out, "</{tag}>");
        }
        (Type::List, Value::Array(items)) => {
            let Some(inner) = &shape.member else { return };
            let item_tag = if flattened { tag } else { inner.location_name.as_deref().unwrap_or("member") };
            if !flattened {
                let _ = write!(out, "<{tag}>");
            }
            for item in items {
                write_value(out, model, inner, item_tag, item);
            }
            if !flattened {
                let _ = write!(out, "</{tag}>");
            }
        }
        (Type::Map, Value::Object(entries)) => {
            let (Some(key), Some(inner)) = (&shape.key, &shape.value) else { return };
            let _ = write!(out, "<{tag}>");
            for (name, value) in entries {
                let _ = write!(out, "<entry>");
                write_value(out, model, key, key.location_name.as_deref().unwrap_or("key"), &json!(name));
                write_value(out, model, inner, inner.location_name.as_deref().unwrap_or("value"), value);
                let _ = write!(out, "</entry>");
            }
            let _ = write!(out, "</{tag}>");
        }
        (Type::Timestamp, _) => {
            let _ = write!(out, "<{tag}>{}</{tag}>", from_timestamp(value).map_or_else(String::new, iso));
        }
        (_, Value::String(text)) => {
            let _ = write!(out, "<{tag}>{}</{tag}>", escape(text));
        }
        (_, other) => {
            let _ = write!(out, "<{tag}>{other}</{tag}>");
        }
    }
}
