//! Smithy RPC v2 CBOR, CloudWatch's protocol in new SDKs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value, json};

use crate::fault::Fault;
use crate::http::Response;
use crate::model::{Model, Type};

pub fn parse(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let malformed = |what: String| Fault::new("SerializationException", format!("body is not CBOR: {what}"));
    let value: Cbor = ciborium::from_reader(body).map_err(|e| malformed(e.to_string()))?;
    to_json(value).ok_or_else(|| malformed("a value that has no JSON form".into()))
}

fn to_json(value: Cbor) -> Option<Value> {
    Some(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(b) => json!(b),
        Cbor::Integer(i) => json!(i64::try_from(i128::from(i)).ok()?),
        Cbor::Float(f) => Value::Number(Number::from_f64(f)?),
        Cbor::Text(text) => Value::String(text),
        Cbor::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        Cbor::Tag(1, inner) => to_json(*inner)?,
        Cbor::Array(items) => Value::Array(items.into_iter().map(to_json).collect::<Option<_>>()?),
        Cbor::Map(entries) => {
            let entries = entries.into_iter().map(|(key, value)| match key {
                Cbor::Text(key) => Some((key, to_json(value)?)),
                _ => None,
            });
            Value::Object(entries.collect::<Option<Map<_, _>>>()?)
        }
        _ => return None,
    })
}

pub fn response(model: &Model, shape: Option<&str>, value: &Value) -> Response {
    let value = shape.map_or(Cbor::Map(Vec::new()), |shape| from_json(model, shape, value));
    Response {
        status: 200,
        headers: vec![
            ("content-type".into(), "application/cbor".into()),
            ("smithy-protocol".into(), "rpc-v2-cbor".into()),
        ],
        body: written(&value),
    }
}

/// A document without a model, such as an error.
pub fn bytes(value: &Value) -> Vec<u8> {
    written(&Cbor::serialized(value).unwrap_or(Cbor::Null))
}

fn written(value: &Cbor) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = ciborium::into_writer(value, &mut out);
    out
}

fn from_json(model: &Model, shape: &str, value: &Value) -> Cbor {
    let shape = model.shape(shape);
    match (shape.kind, value) {
        (Type::Structure, Value::Object(members)) => Cbor::Map(
            members
                .iter()
                .filter_map(|(name, value)| {
                    let member = shape.members.get(name)?;
                    Some((Cbor::Text(name.clone()), from_json(model, &member.shape, value)))
                })
                .collect(),
        ),
        (Type::List, Value::Array(items)) => {
            let member = shape.member.as_ref().map_or("", |m| m.shape.as_str());
            Cbor::Array(items.iter().map(|item| from_json(model, member, item)).collect())
        }
        (Type::Map, Value::Object(entries)) => {
            let member = shape.value.as_ref().map_or("", |m| m.shape.as_str());
            Cbor::Map(
                entries
                    .iter()
                    .map(|(key, value)| (Cbor::Text(key.clone()), from_json(model, member, value)))
                    .collect(),
            )
        }
        (Type::Timestamp, Value::Number(at)) => {
            Cbor::Tag(1, Box::new(Cbor::Float(at.as_f64().unwrap_or_default())))
        }
        (Type::Float | Type::Double, Value::Number(n)) => Cbor::Float(n.as_f64().unwrap_or_default()),
        (Type::Blob, Value::String(text)) => Cbor::Bytes(STANDARD.decode(text).unwrap_or_default()),
        (_, value) => Cbor::serialized(value).unwrap_or(Cbor::Null),
    }
}
