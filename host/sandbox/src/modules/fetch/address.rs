//! Which addresses a session may be connected to.
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses, such as `10.0.0.0/8`; one address is a range as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address or a network, such as 10.0.0.0/8 or ::1")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Network, NetworkError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let first: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let longest = if first.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |prefix| prefix.parse().map_err(|_| NetworkError))?;
        if prefix > longest { Err(NetworkError) } else { Ok(Network { first, prefix }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl Network {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Network {
        Network { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Network {
        Network { first: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), prefix }
    }

    /// What `--allow-private-networks` allows when it names none: this machine and private networks. Link-local addresses,
    /// where clouds keep their metadata, are not among them.
    pub const PRIVATE: &[Network] = &[
        Network::v4(127, 0, 0, 0, 8),
        Network::v4(10, 0, 0, 0, 8),
        Network::v4(172, 16, 0, 0, 12),
        Network::v4(192, 168, 0, 0, 16),
        Network { first: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 },
        Network::v6(0xfc00, 0, 0, 7),
    ];

    /// Whether `address` lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()).checked_shr(32 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()).checked_shr(128 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    fn is_one(&self) -> bool {
        self.prefix == if self.first.is_ipv4() { 32 } else { 128 }
    }
}

/// What of IPv4 is not the public internet (IANA's special-purpose registry), and what clouds use as if it were not.
const SPECIAL_V4: &[Network] = &[
    Network::v4(0, 0, 0, 0, 8),
    Network::v4(10, 0, 0, 0, 8),
    Network::v4(100, 64, 0, 0, 10),
    Network::v4(127, 0, 0, 0, 8),
    Network::v4(168, 63, 129, 16, 32),
    Network::v4(169, 254, 0, 0, 16),
    Network::v4(172, 16, 0, 0, 12),
    Network::v4(192, 0, 0, 0, 24),
    Network::v4(192, 0, 2, 0, 24),
    Network::v4(192, 31, 196, 0, 24),
    Network::v4(192, 52, 193, 0, 24),
    Network::v4(192, 88, 99, 0, 24),
    Network::v4(192, 168, 0, 0, 16),
    Network::v4(192, 175, 48, 0, 24),
    Network::v4(198, 18, 0, 0, 15),
    Network::v4(198, 51, 100, 0, 24),
    Network::v4(203, 0, 113, 0, 24),
    Network::v4(224, 0, 0, 0, 3),
];

/// Of IPv6 only this is the public internet: IPv4 in disguise (mapped, compatible, NAT64), unique local, link-local and
/// multicast addresses lie outside.
const GLOBAL_V6: Network = Network::v6(0x2000, 0, 0, 3);

/// And of that, this is not: Teredo and other protocols' assignments, documentation, 6to4, AS112.
const SPECIAL_V6: &[Network] = &[
    Network::v6(0x2001, 0, 0, 23),
    Network::v6(0x2001, 0xdb8, 0, 32),
    Network::v6(0x2002, 0, 0, 16),
    Network::v6(0x2620, 0x4f, 0x8000, 48),
    Network::v6(0x3fff, 0, 0, 20),
];

/// Where clouds tell machines their credentials. A range that contains one does not allow it; its address alone does.
const METADATA: &[IpAddr] = &[
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether an address belongs to the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    let special = if address.is_ipv4() { SPECIAL_V4 } else { SPECIAL_V6 };
    (address.is_ipv4() || GLOBAL_V6.contains(address)) && !special.iter().any(|network| network.contains(address))
}

/// Whether one of `networks` allows an address that is not public.
pub(super) fn is_among(networks: &[Network], address: IpAddr) -> bool {
    // ::ffff:10.0.0.1 is 10.0.0.1 to whoever connects.
    let address = address.to_canonical();
    let metadata = METADATA.contains(&address);
    networks.iter().any(|network| network.contains(address) && (!metadata || network.is_one()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_not_public() {
        let special = "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 \
            168.63.129.16 169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.0.1 \
            198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 \
            :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 \
            2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:db8::1 2002:7f00:1::1 2620:4f:8000::1 3fff::1 \
            5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1";
        for text in special.split_whitespace() {
            assert!(!is_public(ip(text)), "{text}");
        }
        let public = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
            169.253.255.255 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 198.17.255.255 198.20.0.0 223.255.255.255 \
            2001:200::1 2001:4860:4860::8888 2003::1 2606:4700::1111 2a00::1 3ffe::1";
        for text in public.split_whitespace() {
            assert!(is_public(ip(text)), "{text}");
        }
    }

    #[test]
    fn networks_to_their_edges() {
        let network = |text: &str| text.parse::<Network>();
        for text in ["", "10", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "a/8", "010.0.0.1"] {
            assert_eq!(network(text), Err(NetworkError), "{text}");
        }
        let ten = network("10.1.0.0/16").unwrap();
        assert!(ten.contains(ip("10.1.0.0")) && ten.contains(ip("10.1.255.255")));
        assert!(
            !ten.contains(ip("10.0.255.255")) && !ten.contains(ip("10.2.0.0")) && !ten.contains(ip("::ffff:10.1.0.0"))
        );
        assert!(
            network("0.0.0.0/0").unwrap().contains(ip("255.1.2.3")) && network("::/0").unwrap().contains(ip("ff::"))
        );
        assert!(is_among(&[ten], ip("::ffff:10.1.0.0")), "the same machine");
    }

    #[test]
    fn metadata_is_allowed_by_its_own_address_only() {
        assert!(Network::PRIVATE.iter().all(|network| !network.contains(ip("169.254.169.254"))));
        for text in ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254"] {
            let all: Vec<Network> = ["0.0.0.0/0", "::/0"].iter().map(|text| text.parse().unwrap()).collect();
            assert!(!is_among(&all, ip(text)) && !is_among(Network::PRIVATE, ip(text)), "{text}");
            let own = Network { first: ip(text).to_canonical(), prefix: 128 };
            let own = if own.first.is_ipv4() { Network { prefix: 32, ..own } } else { own };
            assert!(is_among(&[own], ip(text)), "{text}");
        }
    }
}
