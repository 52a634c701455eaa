//! Addresses: each task has one of its own while it lives.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::Value;

use super::names::texts;
use super::task::Interface;
use crate::cloud::Cloud;

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Pool {
    taken: BTreeSet<u32>,
    /// Where the search for a free one starts: an address rests as long as it can
    /// before another task gets it.
    next: u32,
}

pub(super) fn take(cloud: &mut Cloud) -> Option<Ipv4Addr> {
    let (first, count) = (u32::from(cloud.settings.first_task_address), cloud.settings.task_addresses);
    let pool = &mut cloud.state.ecs.addresses;
    let free = (0..count).map(|n| (pool.next + n) % count).find(|n| !pool.taken.contains(n))?;
    pool.taken.insert(free);
    pool.next = (free + 1) % count;
    Some(Ipv4Addr::from(first + free))
}

pub(super) fn release(cloud: &mut Cloud, address: Ipv4Addr) {
    let first = u32::from(cloud.settings.first_task_address);
    cloud.state.ecs.addresses.taken.remove(&(u32::from(address).wrapping_sub(first)));
}

/// An elastic network interface in one of the configuration's subnets.
pub(super) fn interface(cloud: &mut Cloud, network: &Value, number: u64) -> Interface {
    let subnets = texts(&network["awsvpcConfiguration"], "subnets");
    let turn = usize::try_from(number).unwrap_or(0) % subnets.len().max(1);
    let mac = cloud.ids.hex(10);
    let pairs: Vec<&str> = (0..5).map(|n| &mac[2 * n..2 * n + 2]).collect();
    Interface {
        attachment: cloud.ids.uuid(),
        id: format!("eni-0{}", cloud.ids.hex(16)),
        mac: format!("0a:{}", pairs.join(":")),
        subnet: subnets.get(turn).cloned().unwrap_or_default(),
    }
}
