//! STS: who a request's access key stands for.

use serde::Serialize;
use serde_json::{Value, json};

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;
use crate::services::lambda;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

/// A function's own access key is this and its name.
const FUNCTION_KEY: &str = "ASIAFN";

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    match call.operation {
        "GetCallerIdentity" => Ok(caller_identity(cloud, call.caller).into()),
        other => Err(Fault::not_modelled(format!("sts:{other}"))),
    }
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

/// A function is its role's session, every other key a user of its own name.
fn caller_identity(cloud: &mut Cloud, access_key: &str) -> Value {
    let function = access_key
        .strip_prefix(FUNCTION_KEY)
        .and_then(|function| Some((function, role_of(cloud, function)?)));
    let (partition, account) = (&cloud.settings.partition, &cloud.settings.account);
    match function {
        Some((function, role)) => json!({
            "UserId": format!("AROA{}:{function}", role.to_uppercase()),
            "Account": account,
            "Arn": format!("arn:{partition}:sts::{account}:assumed-role/{role}/{function}"),
        }),
        None => json!({
            "UserId": access_key,
            "Account": account,
            "Arn": format!("arn:{partition}:iam::{account}:user/{access_key}"),
        }),
    }
}

/// Name of the role of a function that Lambda knows.
fn role_of(cloud: &mut Cloud, function: &str) -> Option<String> {
    let input = json!({ "FunctionName": function });
    let call = Call { operation: "GetFunctionConfiguration", input: &input, caller: "" };
    let Ok(Reply::Now(function)) = lambda::call(cloud, &call) else { return None };
    function["Role"].as_str()?.rsplit('/').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Settings;

    #[test]
    fn a_key_that_no_function_has_is_a_user() {
        let mut cloud = Cloud::new(Settings::default(), 0);
        for key in ["AKIATEST", "ASIAFNnowhere"] {
            let identity = caller_identity(&mut cloud, key);
            assert_eq!(identity["Arn"], format!("arn:aws:iam::123456789012:user/{key}"));
            assert_eq!(identity["Account"], "123456789012");
        }
    }
}
