//! Application load balancers. All have the DNS name `localhost`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{LoadBalancer, page, tags, text, texts, validation};
use crate::cloud::Cloud;
use crate::effect::Effect;
use crate::fault::Fault;
use crate::time::timestamp;

pub fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    if !matches!(text(input, "Type"), "" | "application") {
        return Err(Fault::not_modelled(format!("elbv2:CreateLoadBalancer of type {}", text(input, "Type"))));
    }
    if !matches!(text(input, "IpAddressType"), "" | "ipv4") {
        return Err(Fault::not_modelled("elbv2:CreateLoadBalancer with an IpAddressType other than ipv4"));
    }
    let name = text(input, "Name");
    if cloud.state.elbv2.load_balancers.values().any(|b| b.name == name) {
        let message = format!("A load balancer with the same name '{name}' exists");
        return Err(Fault::new("DuplicateLoadBalancerNameException", message));
    }
    let mut subnets = texts(input, "Subnets");
    let mappings = input["SubnetMappings"].as_array().map(Vec::as_slice).unwrap_or_default();
    subnets.extend(mappings.iter().map(|mapping| text(mapping, "SubnetId").to_owned()));
    if subnets.len() < 2 {
        return Err(validation("At least two subnets in two different Availability Zones must be specified"));
    }
    let id = cloud.ids.hex(16);
    let arn = cloud.arn("elasticloadbalancing", &format!("loadbalancer/app/{name}/{id}"));
    let scheme = match text(input, "Scheme") {
        "" => "internet-facing",
        other => other,
    };
    let balancer = LoadBalancer {
        name: name.to_owned(),
        created: cloud.now,
        scheme: scheme.to_owned(),
        subnets,
        security_groups: texts(input, "SecurityGroups"),
        attributes: BTreeMap::new(),
    };
    cloud.state.elbv2.load_balancers.insert(arn.clone(), balancer);
    tags::put(cloud, &arn, input);
    Ok(json!({ "LoadBalancers": [shown(cloud, &arn)] }))
}

pub fn describe(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let (arns, names) = (texts(input, "LoadBalancerArns"), texts(input, "Names"));
    let all = &cloud.state.elbv2.load_balancers;
    let missing = arns.iter().find(|arn| !all.contains_key(*arn));
    let missing = missing.or_else(|| names.iter().find(|name| !all.values().any(|b| &b.name == *name)));
    if let Some(missing) = missing {
        return Err(not_found(missing));
    }
    let wanted = |(arn, balancer): &(&String, &LoadBalancer)| {
        (arns.is_empty() && names.is_empty()) || arns.contains(arn) || names.contains(&balancer.name)
    };
    let rows = all.iter().filter(wanted).map(|(arn, _)| shown(cloud, arn)).collect();
    page::page(rows, "LoadBalancers", input)
}

/// Takes its listeners and their rules along, as AWS does.
pub fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "LoadBalancerArn");
    let state = &mut cloud.state.elbv2;
    state.load_balancers.remove(arn);
    state.listeners.retain(|_, listener| listener.load_balancer != arn);
    let listeners = &state.listeners;
    state.rules.retain(|_, rule| listeners.contains_key(&rule.listener));
    state.tags.remove(arn);
    cloud.effect(Effect::Routes);
    Ok(json!({}))
}

pub fn not_found(what: &str) -> Fault {
    Fault::new("LoadBalancerNotFoundException", format!("Load balancer '{what}' not found"))
}

/// `app/<name>/<id>`
pub fn id(arn: &str) -> &str {
    arn.split_once("loadbalancer/").map_or(arn, |(_, id)| id)
}

fn shown(cloud: &Cloud, arn: &str) -> Value {
    let Some(balancer) = cloud.state.elbv2.load_balancers.get(arn) else { return Value::Null };
    let zones: Vec<_> = balancer
        .subnets
        .iter()
        .zip(["a", "b", "c", "d", "e", "f"].iter().cycle())
        .map(|(subnet, zone)| {
            json!({ "ZoneName": format!("{}{zone}", cloud.region()), "SubnetId": subnet, "LoadBalancerAddresses": [] })
        })
        .collect();
    json!({
        "LoadBalancerArn": arn,
        "DNSName": "localhost",
        "CanonicalHostedZoneId": "Z32O12XQLNTSW2",
        "CreatedTime": timestamp(balancer.created),
        "LoadBalancerName": balancer.name,
        "Scheme": balancer.scheme,
        "VpcId": "vpc-local",
        "State": { "Code": "active" },
        "Type": "application",
        "AvailabilityZones": zones,
        "SecurityGroups": balancer.security_groups,
        "IpAddressType": "ipv4",
    })
}
