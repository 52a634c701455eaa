//! Which addresses a function may connect to: a URL in the configuration, or a link in an
//! answer, must not lead to the machine itself or to what hands out its credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether this machine is somebody to talk to, as on the local cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    Refused,
    Allowed,
}

impl Loopback {
    /// By AWS's endpoints: if one of them is on this machine, then so is everything else.
    pub fn of_endpoints<'a>(urls: impl IntoIterator<Item = &'a str>) -> Self {
        if urls.into_iter().any(is_here) { Self::Allowed } else { Self::Refused }
    }
}

fn is_here(url: &str) -> bool {
    let uri = url.parse::<http::Uri>().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    // RFC 6761: all names under .localhost are.
    let named = host == "localhost" || host.ends_with(".localhost");
    named || literal(host).is_some_and(|ip| ip.to_canonical().is_loopback())
}

/// The address that a host is, where it is one and no name.
pub fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// What is wrong with an address; nothing if it may be connected to.
pub fn refused(address: IpAddr, loopback: Loopback) -> Option<&'static str> {
    let address = match address {
        IpAddr::V6(v6) => within(v6).map_or(IpAddr::V6(v6), IpAddr::V4),
        v4 => v4,
    };
    if address.is_loopback() {
        return (loopback == Loopback::Refused).then_some("a loopback address");
    }
    if address.is_unspecified() || address.is_multicast() || address == Ipv4Addr::BROADCAST {
        return Some("not the address of a host");
    }
    match address {
        // 169.254.169.254 and 169.254.170.2 give away credentials.
        IpAddr::V4(v4) if v4.is_link_local() => Some("a link-local address"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("a link-local address"),
        // fd00:ec2::254, ::23 and ::253: EC2's metadata, EKS's credentials, DNS.
        IpAddr::V6(v6) if v6.segments()[..2] == [0xfd00, 0xec2] => {
            Some("an address of AWS's metadata services")
        }
        _ => None,
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, or by NAT64 (RFC 6052).
fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let by_nat64 = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let compatible = segments[..6] == [0; 6] && !address.is_loopback() && !address.is_unspecified();
    let [.., a, b, c, d] = address.octets();
    address.to_ipv4_mapped().or_else(|| (by_nat64 || compatible).then(|| Ipv4Addr::new(a, b, c, d)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_away_credentials_is_refused_however_it_is_written() {
        let addresses = [
            "169.254.169.254",
            "169.254.170.2",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
        ];
        for address in addresses {
            for loopback in [Loopback::Refused, Loopback::Allowed] {
                assert!(refused(address.parse().unwrap(), loopback).is_some(), "{address}");
            }
        }
        for address in ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"] {
            let address = address.parse().unwrap();
            assert_eq!(refused(address, Loopback::Refused), Some("a loopback address"));
            assert_eq!(refused(address, Loopback::Allowed), None);
        }
        for address in ["10.0.3.7", "192.168.1.1", "172.31.0.2", "52.1.2.3", "fd12:3456::1", "2600:1f18::1"] {
            assert_eq!(refused(address.parse().unwrap(), Loopback::Refused), None, "{address}");
        }
    }

    #[test]
    fn this_machine_may_be_talked_to_where_aws_is_on_it() {
        for url in
            ["http://127.0.0.1:4566", "http://localhost:1", "https://ecs.localhost:1", "http://[::1]:80/"]
        {
            assert_eq!(Loopback::of_endpoints([url]), Loopback::Allowed, "{url}");
        }
        for url in ["https://ecs.eu-west-1.amazonaws.com", "http://localhost.example.com", "http://10.0.0.1"]
        {
            assert_eq!(Loopback::of_endpoints([url]), Loopback::Refused, "{url}");
        }
        assert_eq!(Loopback::of_endpoints([]), Loopback::Refused);
    }
}
