//! Addresses of this POP itself among the servers that lists name.
//!
//! A POP that asked itself would confirm what it serves for ever, whatever has become of the hub. A list may be the same in the files of
//! all POPs, so what is left of it counts; one that names nobody else is refused.

use std::net::{IpAddr, SocketAddr};

use crate::transfer::primary::PrimarySettings;
use crate::transfer::secondary::{SecondarySettings, SecondaryZone};
use crate::wire::Name;

use super::super::fault::Faults;
use super::super::spec::Spec;
use super::catalog::{FollowedCatalog, names};
use super::common::or_default;
use super::serve::DNS_PORT;

/// The addresses at which this POP answers.
struct OwnAddresses {
    listen: Vec<SocketAddr>,
    /// What is sent to them does not leave the POP, whatever the port; but on loopback several servers share an address.
    service: Vec<IpAddr>,
    /// The port at which service addresses answer.
    port: u16,
}

/// What was left out of the lists under one key.
struct LeftOut {
    key: &'static str,
    first: Option<(SocketAddr, Option<Name>)>,
    lists: usize,
}

impl OwnAddresses {
    fn has(&self, address: SocketAddr) -> bool {
        let is_alone = !address.ip().is_loopback() || address.port() == self.port;
        self.listen.contains(&address) || (is_alone && self.service.contains(&address.ip()))
    }

    /// Leaves them out of a list.
    fn leave_out<T>(
        &self,
        list: &mut Vec<T>,
        address: impl Fn(&T) -> SocketAddr,
        zone: Option<&Name>,
        left_out: &mut LeftOut,
    ) {
        let Some(own) = list.iter().map(&address).find(|one| self.has(*one)) else { return };
        list.retain(|one| !self.has(address(one)));
        left_out.lists += 1;
        left_out.first.get_or_insert_with(|| (own, zone.cloned()));
    }
}

impl LeftOut {
    fn of(key: &'static str) -> Self {
        Self { key, first: None, lists: 0 }
    }

    fn warn(self, faults: &mut Faults<'_>) {
        let Some((address, zone)) = self.first else { return };
        let of = zone.map(|zone| format!(" of {zone}")).unwrap_or_default();
        let more = match self.lists {
            0 | 1 => String::new(),
            lists => format!(", and the same of {} more", lists - 1),
        };
        let message = format!("{address} is an address of this POP: it is left out{of}{more}");
        faults.warning(faults.span_of(self.key), self.key, message);
    }
}

/// Leaves them out of the primaries and of those who are told of changes.
pub(super) fn leave_out_own(
    (primary, secondary): (&mut PrimarySettings, &mut SecondarySettings),
    followed: &mut [FollowedCatalog],
    spec: &Spec,
    faults: &mut Faults<'_>,
) {
    let tls = primary.tls.iter().flat_map(|(listen, _)| listen);
    let listen = primary.listen.iter().chain(tls).copied().collect();
    let service = spec.service.iter().flat_map(|service| service.addresses.as_ref());
    let port = or_default(&spec.serve.port, DNS_PORT);
    let own = OwnAddresses { listen, service: service.map(|one| *one.as_ref()).collect(), port };
    let catalogs = names(spec).collect::<Vec<_>>();
    let (mut zones, mut of_catalogs) = (LeftOut::of("zone.primaries"), LeftOut::of("catalog.primaries"));
    let mut leave_out = |zone: &mut SecondaryZone, faults: &mut Faults<'_>| {
        let left_out = if catalogs.contains(&zone.name) { &mut of_catalogs } else { &mut zones };
        let before = zone.primaries.len();
        own.leave_out(&mut zone.primaries, |server| server.address, Some(&zone.name), left_out);
        if zone.primaries.is_empty() && before > 0 {
            let message = format!("{} has no primary but this POP itself", zone.name);
            faults.error_once(faults.span_of(left_out.key), left_out.key, message);
        }
    };
    secondary.zones.iter_mut().for_each(|zone| leave_out(zone, faults));
    for catalog in followed {
        leave_out(&mut catalog.zones, faults);
        catalog.groups.iter_mut().for_each(|(_, zone)| leave_out(zone, faults));
    }
    let (mut notify, mut of_zones) = (LeftOut::of("transfer.notify"), LeftOut::of("zone.notify"));
    own.leave_out(&mut primary.notify, |target| target.address, None, &mut notify);
    for (zone, targets) in &mut primary.notify_zones {
        own.leave_out(targets, |target| target.address, Some(zone), &mut of_zones);
    }
    [zones, of_catalogs, notify, of_zones].into_iter().for_each(|left_out| left_out.warn(faults));
}
