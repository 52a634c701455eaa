//! Actions of listeners and rules: forward by weight, fixed response, redirect.

use serde_json::{Value, json};

use super::{Action, Redirect, target_groups, text};
use crate::cloud::Cloud;
use crate::fault::Fault;

/// The one action that a list of them comes to.
pub fn parse(cloud: &Cloud, actions: &Value) -> Result<Action, Fault> {
    let actions = actions.as_array().map(Vec::as_slice).unwrap_or_default();
    let [action] = actions else {
        return match actions {
            [] => Err(Fault::new("InvalidLoadBalancerActionException", "Exactly one action is required")),
            _ => Err(Fault::not_modelled("elbv2 actions before the last one (authentication)")),
        };
    };
    match text(action, "Type") {
        "forward" => forward(cloud, action),
        "fixed-response" => {
            let fixed = &action["FixedResponseConfig"];
            let status = text(fixed, "StatusCode")
                .parse()
                .map_err(|_| invalid("a fixed response needs a StatusCode"))?;
            let content_type = match text(fixed, "ContentType") {
                "" => "text/plain",
                other => other,
            };
            Ok(Action::Fixed {
                status,
                content_type: content_type.to_owned(),
                body: text(fixed, "MessageBody").to_owned(),
            })
        }
        "redirect" => {
            let to = &action["RedirectConfig"];
            let part = |member, default: &str| match text(to, member) {
                "" => default.to_owned(),
                other => other.to_owned(),
            };
            let location = Redirect {
                protocol: part("Protocol", "#{protocol}"),
                host: part("Host", "#{host}"),
                port: part("Port", "#{port}"),
                path: part("Path", "/#{path}"),
                query: part("Query", "#{query}"),
            };
            let status = if text(to, "StatusCode") == "HTTP_301" { 301 } else { 302 };
            Ok(Action::Redirect { status, location })
        }
        other => Err(Fault::not_modelled(format!("elbv2 action of type {other}"))),
    }
}

fn forward(cloud: &Cloud, action: &Value) -> Result<Action, Fault> {
    let single = text(action, "TargetGroupArn");
    let several = action["ForwardConfig"]["TargetGroups"].as_array().map(Vec::as_slice).unwrap_or_default();
    if action["ForwardConfig"]["TargetGroupStickinessConfig"]["Enabled"] == true {
        return Err(Fault::not_modelled("elbv2 target group stickiness"));
    }
    let mut groups = Vec::new();
    for group in several {
        let weight = group["Weight"].as_u64().unwrap_or(1);
        let weight = u32::try_from(weight).ok().filter(|w| *w <= 999);
        let weight = weight.ok_or_else(|| invalid("a Weight is from 0 to 999"))?;
        groups.push((text(group, "TargetGroupArn").to_owned(), weight));
    }
    match (single, groups.as_slice()) {
        ("", []) => return Err(invalid("a forward action needs a target group")),
        (arn, []) => groups.push((arn.to_owned(), 1)),
        ("", _) => {}
        (arn, groups) if groups.len() == 1 && groups[0].0 == arn => {}
        _ => return Err(invalid("TargetGroupArn and ForwardConfig name different target groups")),
    }
    for (arn, _) in &groups {
        target_groups::get(cloud, arn)?;
    }
    Ok(Action::Forward(groups))
}

fn invalid(message: &str) -> Fault {
    Fault::new("InvalidLoadBalancerActionException", message)
}

/// As DescribeListeners and DescribeRules write it.
pub fn shown(action: &Action) -> Vec<Value> {
    let shown = match action {
        Action::Forward(groups) => {
            let rows: Vec<_> = groups
                .iter()
                .map(|(arn, weight)| json!({ "TargetGroupArn": arn, "Weight": weight }))
                .collect();
            let single = if let [(arn, _)] = groups.as_slice() { json!(arn) } else { Value::Null };
            json!({
                "Type": "forward",
                "TargetGroupArn": single,
                "ForwardConfig": { "TargetGroups": rows, "TargetGroupStickinessConfig": { "Enabled": false } },
            })
        }
        Action::Fixed { status, content_type, body } => json!({
            "Type": "fixed-response",
            "FixedResponseConfig": {
                "StatusCode": status.to_string(), "ContentType": content_type, "MessageBody": body,
            },
        }),
        Action::Redirect { status, location } => json!({
            "Type": "redirect",
            "RedirectConfig": {
                "StatusCode": format!("HTTP_{status}"), "Protocol": location.protocol, "Host": location.host,
                "Port": location.port, "Path": location.path, "Query": location.query,
            },
        }),
    };
    vec![shown]
}

/// Target groups that it forwards to, those of weight 0 included.
pub fn groups(action: &Action) -> &[(String, u32)] {
    match action {
        Action::Forward(groups) => groups,
        Action::Fixed { .. } | Action::Redirect { .. } => &[],
    }
}
