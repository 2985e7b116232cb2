//! Which addresses may be asked: pure rules, no network (catalogue of failures N3 and N4).
//!
//! A policy may come from a repository that many people can write, so an address in it is a stranger's. Metadata services of clouds
//! hand out credentials to whoever asks, so they are refused whatever any file says; private ranges are open only where the
//! operator's own file lists them. An IPv6 address that carries an IPv4 address is judged by the one that it carries.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Which addresses may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRules {
    private: PrivateAddresses,
}

/// Which private addresses are open.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PrivateAddresses {
    Within(Vec<IpNet>),
    All,
}

/// An address or host that may not be asked, and why. Its text is a sentence's end: `10.0.0.7 is a private address …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} {reason}")]
pub struct AddressRefused {
    /// The address or host.
    pub host: String,
    /// Why.
    pub reason: RefusedBecause,
}

/// Why an address may not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBecause {
    /// It is a cloud's metadata service. Always refused.
    Metadata,
    /// It is link-local, where metadata services live. Always refused.
    LinkLocal,
    /// It is a multicast address. Always refused.
    Multicast,
    /// It is unspecified, broadcast, reserved, or a tunnel. Always refused.
    Special,
    /// It is private, loopback or shared, and the operator's file does not list it.
    Private,
    /// The host is empty.
    NoHost,
}

/// Addresses of metadata services outside link-local: Alibaba Cloud, Azure, Oracle Cloud (classic).
const METADATA_V4: [Ipv4Addr; 3] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];

/// Addresses of metadata services outside link-local: AWS (instances, containers), Google Cloud, Scaleway.
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

/// Names of metadata services: refused before they are resolved, because a resolver of our own network may answer anything.
const METADATA_NAMES: [&str; 3] = ["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"];

/// What kind of address it is, before the operator's list is asked.
enum Kind {
    Public,
    Private,
    Never(RefusedBecause),
}

// === impl AddressRules ===

impl AddressRules {
    /// For addresses from policies: private ranges only within `allow`, the operator's `network.allow`.
    pub fn for_policies(allow: Vec<IpNet>) -> Self {
        Self { private: PrivateAddresses::Within(allow) }
    }

    /// For addresses that the operator wrote: private ranges are open. Metadata services stay refused.
    pub fn for_operator() -> Self {
        Self { private: PrivateAddresses::All }
    }

    /// Whether one address may be asked.
    ///
    /// # Errors
    /// Why not.
    pub fn check_address(&self, address: IpAddr) -> Result<(), AddressRefused> {
        let refused = |reason| Err(AddressRefused { host: address.to_string(), reason });
        let judged = carried(address);
        let kind = match judged {
            IpAddr::V4(v4) => kind_of_v4(v4),
            IpAddr::V6(v6) => kind_of_v6(v6),
        };
        match kind {
            Kind::Public => Ok(()),
            Kind::Never(reason) => refused(reason),
            Kind::Private if self.opens(judged) => Ok(()),
            Kind::Private => refused(RefusedBecause::Private),
        }
    }

    /// Whether a host of an address may be asked as far as its text tells: an IP address is judged, a name is compared with those of
    /// metadata services. A name's addresses are judged when it is resolved. IPv6 addresses may stand in brackets.
    ///
    /// The text is that of a parsed address: the parser has turned `0x7f.1`, `2130706433` and `0177.0.0.1` into `127.0.0.1`.
    ///
    /// # Errors
    /// Why not.
    pub fn check_host(&self, host: &str) -> Result<(), AddressRefused> {
        if let Some(address) = literal(host) {
            return self.check_address(address);
        }
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let refused = |reason| Err(AddressRefused { host: host.to_owned(), reason });
        if name.is_empty() {
            return refused(RefusedBecause::NoHost);
        }
        if METADATA_NAMES.contains(&name.as_str()) {
            return refused(RefusedBecause::Metadata);
        }
        Ok(())
    }

    fn opens(&self, address: IpAddr) -> bool {
        match &self.private {
            PrivateAddresses::All => true,
            PrivateAddresses::Within(allow) => allow.iter().any(|range| range.contains(&address)),
        }
    }
}

/// The IP address that a host is, if it is one.
fn literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => inside.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

/// The IPv4 address that an IPv6 address leads to: IPv4-mapped, IPv4-compatible, 6to4 (RFC 3056), NAT64 (RFC 6052, RFC 8215).
fn carried(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let joined = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => joined(high, low),
        // The local NAT64 prefix is a /48, and an operator chooses how long the prefix used is; every choice keeps these places.
        [0x64, 0xff9b, 1, _, _, _, high, low] => joined(high, low),
        [0x2002, high, low, ..] => joined(high, low),
        // `::` and `::1` are addresses of their own, not IPv4-compatible ones.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => joined(high, low),
        _ => address,
    }
}

/// IANA IPv4 Special-Purpose Address Registry.
fn kind_of_v4(address: Ipv4Addr) -> Kind {
    if METADATA_V4.contains(&address) {
        return Kind::Never(RefusedBecause::Metadata);
    }
    match address.octets() {
        // 169.254.169.254 (most clouds), 169.254.170.2 (AWS containers) and their like.
        [169, 254, ..] => Kind::Never(RefusedBecause::LinkLocal),
        [224..=239, ..] => Kind::Never(RefusedBecause::Multicast),
        // "This network", which Linux takes for this host; reserved and broadcast.
        [0 | 240..=255, ..] => Kind::Never(RefusedBecause::Special),
        [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Kind::Private,
        // Protocol assignments; benchmarking.
        [192, 0, 0, _] | [198, 18..=19, ..] => Kind::Private,
        _ => Kind::Public,
    }
}

/// IANA IPv6 Special-Purpose Address Registry.
fn kind_of_v6(address: Ipv6Addr) -> Kind {
    if METADATA_V6.contains(&address) {
        return Kind::Never(RefusedBecause::Metadata);
    }
    match address.segments() {
        [0xfe80..=0xfebf, ..] => Kind::Never(RefusedBecause::LinkLocal),
        [0xff00..=0xffff, ..] => Kind::Never(RefusedBecause::Multicast),
        // Unspecified; discard only; Teredo, which hides an IPv4 address of anybody's choice.
        [0, 0, 0, 0, 0, 0, 0, 0] | [0x100, 0, 0, 0, ..] | [0x2001, 0, ..] => Kind::Never(RefusedBecause::Special),
        // Loopback; unique local; the old site-local.
        [0, 0, 0, 0, 0, 0, 0, 1] | [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Kind::Private,
        // A local NAT64 prefix that is shorter than /96 puts the address elsewhere; such an address is no public one either.
        [0x64, 0xff9b, 1, ..] => Kind::Private,
        _ => Kind::Public,
    }
}

impl fmt::Display for RefusedBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "is a metadata service, which is never asked",
            Self::LinkLocal => "is a link-local address, where metadata services are; it is never asked",
            Self::Multicast => "is a multicast address, which is never asked",
            Self::Special => "is a reserved address, which is never asked",
            Self::Private => "is a private address that the agent file's `network.allow` does not list",
            Self::NoHost => "is no host",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(rules: &AddressRules, host: &str) -> Option<RefusedBecause> {
        rules.check_host(host).err().map(|refused| refused.reason)
    }

    fn everything_private() -> AddressRules {
        AddressRules::for_policies(["0.0.0.0/0", "::/0"].map(|range| range.parse().unwrap()).into())
    }

    /// The host as the client sees it: after the address parser.
    fn parsed_host(host: &str) -> String {
        reqwest::Url::parse(&format!("http://{host}/")).unwrap().host_str().unwrap().to_owned()
    }

    #[test]
    fn metadata_services_are_refused_whatever_is_allowed() {
        let hosts = [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "[fd00:ec2::254]",
            "fd20:ce::254",
            "fe80::1",
            "febf::1",
            "metadata.google.internal",
            "Metadata.Google.Internal.",
            "::ffff:169.254.169.254",
            "[::ffff:a9fe:a9fe]",
            "::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "64:ff9b:1:77::168.63.129.16",
            "::ffff:100.100.100.200",
        ];
        for host in hosts {
            for rules in [everything_private(), AddressRules::for_operator(), AddressRules::for_policies(Vec::new())] {
                let reason = verdict(&rules, host);
                assert!(matches!(reason, Some(RefusedBecause::Metadata | RefusedBecause::LinkLocal)), "{host}: {reason:?}");
            }
        }
    }

    #[test]
    fn what_is_no_host_of_its_own_is_always_refused() {
        let hosts =
            ["0.0.0.0", "0.1.2.3", "255.255.255.255", "240.0.0.1", "224.0.0.1", "239.1.2.3", "::", "ff02::1", "100::1", "2001:0:1::1"];
        for host in hosts {
            let reason = verdict(&everything_private(), host);
            assert!(matches!(reason, Some(RefusedBecause::Multicast | RefusedBecause::Special)), "{host}: {reason:?}");
        }
    }

    #[test]
    fn private_addresses_need_the_operators_list() {
        let hosts = [
            "10.0.0.7",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "127.0.0.1",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "fd12::1",
            "fec0::1",
            "::ffff:10.0.0.7",
            "2002:0a00:0007::1",
            "64:ff9b::10.0.0.7",
        ];
        for host in hosts {
            assert_eq!(verdict(&AddressRules::for_policies(Vec::new()), host), Some(RefusedBecause::Private), "{host}");
            assert_eq!(verdict(&everything_private(), host), None, "{host}");
            assert_eq!(verdict(&AddressRules::for_operator(), host), None, "{host}");
        }
        let ten = AddressRules::for_policies(vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(verdict(&ten, "10.200.0.1"), None);
        assert_eq!(verdict(&ten, "::ffff:10.200.0.1"), None);
        assert_eq!(verdict(&ten, "192.168.0.1"), Some(RefusedBecause::Private));
        assert_eq!(verdict(&ten, "127.0.0.1"), Some(RefusedBecause::Private));
    }

    #[test]
    fn public_addresses_and_names_are_open() {
        let rules = AddressRules::for_policies(Vec::new());
        for host in ["1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::1.1.1.1", "checkout.acme.example"] {
            assert_eq!(verdict(&rules, host), None, "{host}");
        }
        assert_eq!(verdict(&rules, ""), Some(RefusedBecause::NoHost));
    }

    #[test]
    fn other_spellings_of_an_address_do_not_pass() {
        let rules = AddressRules::for_policies(Vec::new());
        for host in ["0x7f.1", "2130706433", "0177.0.0.1", "127.1", "127.0.0.1.", "１２７.0.0.1", "0x7f000001"] {
            assert_eq!(parsed_host(host), "127.0.0.1", "{host}");
            assert_eq!(verdict(&rules, &parsed_host(host)), Some(RefusedBecause::Private), "{host}");
        }
        for host in ["0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "[::ffff:169.254.169.254]", "METADATA.google.internal"] {
            let reason = verdict(&everything_private(), &parsed_host(host));
            assert!(matches!(reason, Some(RefusedBecause::Metadata | RefusedBecause::LinkLocal)), "{host}: {reason:?}");
        }
    }

    #[test]
    fn a_refusal_is_a_sentence() {
        let refused = AddressRules::for_policies(Vec::new()).check_host("10.0.0.7").unwrap_err();
        assert_eq!(refused.to_string(), "10.0.0.7 is a private address that the agent file's `network.allow` does not list");
    }
}
