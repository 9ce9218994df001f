//! Checks across sections: addresses and prefixes.

use std::net::IpAddr;

use ipnet::IpNet;
use toml::Spanned;

use super::fault::Faults;
use super::spec::{ServiceSpec, Spec};

/// The longest prefixes that other networks usually accept.
const LONGEST_IPV4: u8 = 24;
/// See [`LONGEST_IPV4`].
const LONGEST_IPV6: u8 = 48;

/// A name of the POP or the instance: one character string of printable ASCII (RFC 1035 section 3.3).
pub(super) fn label(text: &Spanned<String>, key: &str, faults: &mut Faults<'_>) {
    let printable = text.as_ref().bytes().all(|octet| octet.is_ascii_graphic());
    if text.as_ref().is_empty() || text.as_ref().len() > 255 || !printable {
        let message =
            format!("{:?}; allowed are 1 to 255 printable ASCII characters without spaces", text.as_ref());
        faults.error(Some(text.span()), key, message);
    }
}

/// Service addresses lie in their prefix, management addresses in none, and what is announced is likely accepted.
pub(super) fn addresses(spec: &Spec, faults: &mut Faults<'_>) {
    for (index, service) in spec.service.iter().enumerate() {
        prefix(service, faults);
        overlap(service, spec.service.get(..index).unwrap_or_default(), faults);
        for address in service.addresses.as_ref() {
            service_address(address, service.prefix.as_ref(), faults);
        }
        if service.addresses.as_ref().is_empty() {
            let message = format!(
                "no address in {}; a prefix is announced for the addresses that answer",
                service.prefix.as_ref()
            );
            faults.error(Some(service.addresses.span()), "service.addresses", message);
        }
    }
    if spec.pop.management_addresses.as_ref().is_empty() {
        let message = "no address; every outbound socket needs the POP's own unicast address as its source";
        faults.error(Some(spec.pop.management_addresses.span()), "pop.management-addresses", message);
    }
    for address in spec.pop.management_addresses.as_ref() {
        management_address(address, spec, faults);
    }
}

fn prefix(service: &ServiceSpec, faults: &mut Faults<'_>) {
    let prefix = service.prefix.as_ref();
    if *prefix != prefix.trunc() {
        let message = format!("{prefix} has host bits set; the prefix is {}", prefix.trunc());
        faults.error(Some(service.prefix.span()), "service.prefix", message);
    }
    let longest = if prefix.addr().is_ipv4() { LONGEST_IPV4 } else { LONGEST_IPV6 };
    if prefix.prefix_len() > longest && !prefix.addr().is_loopback() {
        let message = format!("{prefix} is longer than /{longest}: most networks do not accept it");
        faults.warning(Some(service.prefix.span()), "service.prefix", message);
    }
}

/// Nothing is announced twice, and an address answers for one prefix.
fn overlap(service: &ServiceSpec, before: &[ServiceSpec], faults: &mut Faults<'_>) {
    if before.iter().any(|other| other.prefix.as_ref() == service.prefix.as_ref()) {
        let message = format!(
            "a second [[service]] for {}; list all addresses of a prefix in one [[service]]",
            service.prefix.as_ref()
        );
        faults.error(Some(service.prefix.span()), "service.prefix", message);
    }
    let mut seen: Vec<&IpAddr> =
        before.iter().flat_map(|other| other.addresses.as_ref()).map(Spanned::as_ref).collect();
    for address in service.addresses.as_ref() {
        if seen.contains(&address.as_ref()) {
            let message = format!("{} stands here a second time; once is enough", address.as_ref());
            faults.error(Some(address.span()), "service.addresses", message);
        }
        seen.push(address.as_ref());
    }
}

fn service_address(address: &Spanned<IpAddr>, prefix: &IpNet, faults: &mut Faults<'_>) {
    let key = "service.addresses";
    if !prefix.contains(address.as_ref()) {
        let message = format!("{} is outside its prefix {prefix}", address.as_ref());
        faults.error(Some(address.span()), key, message);
    }
    if is_reserved_anycast(address.as_ref(), prefix) {
        let message = format!(
            "{} has a reserved IPv6 anycast identifier (RFC 2526): hosts may take it for a subnet anycast address; \
             choose another one",
            address.as_ref()
        );
        faults.warning(Some(address.span()), key, message);
    }
}

/// RFC 2526 section 2: the highest 128 interface identifiers of a subnet; in the usual 64-bit identifiers in EUI-64
/// form that is fdff:ffff:ffff:ff80 to fdff:ffff:ffff:ffff, else all ones but the last seven bits. The all-zero
/// identifier is the Subnet-Router anycast address (RFC 4291 section 2.6.1).
fn is_reserved_anycast(address: &IpAddr, prefix: &IpNet) -> bool {
    let IpAddr::V6(address) = address else { return false };
    if address.is_loopback() {
        return false;
    }
    let identifier = address.to_bits() as u64;
    let eui64 = identifier & !0x7f == 0xfdff_ffff_ffff_ff80;
    let host_bits = 128 - u32::from(prefix.prefix_len());
    let host_mask = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |bit| bit - 1);
    let host = address.to_bits() & host_mask;
    let highest = host_bits > 7 && host | 0x7f == host_mask;
    eui64 || highest || identifier | 0x7f == u64::MAX || (host_bits > 0 && host == 0)
}

fn management_address(address: &Spanned<IpAddr>, spec: &Spec, faults: &mut Faults<'_>) {
    let key = "pop.management-addresses";
    let value = address.as_ref();
    if value.is_unspecified() || value.is_multicast() {
        let message = format!("{value} is not one address of this host; allowed is a unicast address");
        faults.error(Some(address.span()), key, message);
    }
    if value.is_loopback() {
        // It never leaves the host, so no answer to it can reach another POP.
        return;
    }
    if let Some(service) = spec.service.iter().find(|service| service.prefix.as_ref().contains(value)) {
        let message = format!(
            "{value} lies in the service prefix {}: an answer to it would reach another POP; outbound traffic needs an \
             address of this POP alone",
            service.prefix.as_ref()
        );
        faults.error(Some(address.span()), key, message);
    }
}
