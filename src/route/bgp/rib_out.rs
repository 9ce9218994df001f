//! What was advertised to one neighbor (its Adj-RIB-Out), and the messages that bring it in line with what is wanted. Pure.

use std::collections::BTreeMap;

use bytes::BytesMut;
use ipnet::IpNet;
use rustbgpd_fsm::NegotiatedSession;
use rustbgpd_wire::{
    Afi, EncodeError, Message, RouteRefreshMessage, RouteRefreshSubtype, Safi, encode_message,
};

use super::attributes::{Route, afi, end_of_rib, withdrawal};
use super::settings::{BgpSettings, Neighbor};
use crate::route::driver::{Preference, Wanted};
use crate::route::service::Service;

/// The families we announce.
const FAMILIES: [Afi; 2] = [Afi::Ipv4, Afi::Ipv6];

/// Why a wanted route cannot be advertised in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The family was not negotiated.
    #[error("the neighbor does not take routes of this family (RFC 4760)")]
    Family,
    /// An IPv4 prefix needs an IPv6 next hop, which was not negotiated.
    #[error("the neighbor does not take IPv6 next hops of IPv4 prefixes (RFC 8950)")]
    ExtendedNextHop,
    /// No next hop.
    #[error("there is no next hop towards the neighbor")]
    NextHop,
}

/// What was advertised to one neighbor in the current session.
#[derive(Debug, Default)]
pub(super) struct RibOut {
    advertised: BTreeMap<IpNet, (Preference, Route)>,
    refused: BTreeMap<IpNet, Refusal>,
    /// Whether the End-of-RIB markers have gone out.
    complete: bool,
}

impl RibOut {
    /// Appends to `out` what brings the neighbor from what was advertised to what is `wanted`: withdrawals first, they
    /// are what cannot wait. The first time, the End-of-RIB markers follow (RFC 4724 section 2).
    ///
    /// At most one message a service, so bounded by [`BgpSettings::MOST_SERVICES`].
    ///
    /// # Errors
    /// A message that cannot be written, which checked settings never lead to.
    pub(super) fn follow(
        &mut self,
        (settings, neighbor, services): (&BgpSettings, &Neighbor, &[Service]),
        wanted: &Wanted,
        session: &NegotiatedSession,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let mut routes = BTreeMap::new();
        self.refused.clear();
        for service in services {
            let Some(&preference) = wanted.routes.get(&service.prefix) else { continue };
            match route(settings, neighbor, service, preference, session) {
                Ok(route) => drop(routes.insert(service.prefix, (preference, route))),
                Err(refusal) => drop(self.refused.insert(service.prefix, refusal)),
            }
        }
        for prefix in self.advertised.keys().filter(|prefix| !routes.contains_key(prefix)) {
            out.extend_from_slice(&withdrawal(*prefix)?);
        }
        for (prefix, entry) in &routes {
            if self.advertised.get(prefix) != Some(entry) {
                out.extend_from_slice(&entry.1.announcement(session.four_octet_as)?);
            }
        }
        self.advertised = routes;
        if !self.complete {
            for family in FAMILIES.into_iter().filter(|family| negotiated(session, *family)) {
                out.extend_from_slice(&end_of_rib(family)?);
            }
            self.complete = true;
        }
        Ok(())
    }

    /// Appends to `out` everything that was advertised of one family once more (RFC 2918), between the markers of RFC 7313
    /// if the neighbor knows them.
    ///
    /// # Errors
    /// As [`RibOut::follow`].
    pub(super) fn refresh(
        &self,
        family: Afi,
        session: &NegotiatedSession,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let marker = |subtype| {
            let message = RouteRefreshMessage::new_with_subtype(family, Safi::Unicast, subtype);
            encode_message(&Message::RouteRefresh(message))
        };
        if session.peer_enhanced_route_refresh {
            out.extend_from_slice(&marker(RouteRefreshSubtype::BoRR)?);
        }
        for (_, route) in self.advertised.values().filter(|(_, route)| afi(route.prefix) == family) {
            out.extend_from_slice(&route.announcement(session.four_octet_as)?);
        }
        if session.peer_enhanced_route_refresh {
            out.extend_from_slice(&marker(RouteRefreshSubtype::EoRR)?);
        }
        Ok(())
    }

    /// What was advertised to the neighbor.
    pub(super) fn advertised(&self) -> impl Iterator<Item = (IpNet, Preference)> {
        self.advertised.iter().map(|(prefix, (preference, _))| (*prefix, *preference))
    }

    /// What cannot be advertised.
    pub(super) fn refused(&self) -> impl Iterator<Item = (IpNet, Refusal)> {
        self.refused.iter().map(|(prefix, refusal)| (*prefix, *refusal))
    }
}

fn route(
    settings: &BgpSettings,
    neighbor: &Neighbor,
    service: &Service,
    preference: Preference,
    session: &NegotiatedSession,
) -> Result<Route, Refusal> {
    let route = Route::new(settings, neighbor, service, preference).ok_or(Refusal::NextHop)?;
    if !negotiated(session, afi(route.prefix)) {
        return Err(Refusal::Family);
    }
    let extended = session.extended_nexthop_families.get(&(Afi::Ipv4, Safi::Unicast)) == Some(&Afi::Ipv6);
    if route.needs_extended_next_hop() && !extended {
        return Err(Refusal::ExtendedNextHop);
    }
    Ok(route)
}

fn negotiated(session: &NegotiatedSession, family: Afi) -> bool {
    session.negotiated_families.contains(&(family, Safi::Unicast))
}
