//! Which attributes a route carries towards one neighbor, and the UPDATE that says so. Pure.

use std::net::IpAddr;

use bytes::BytesMut;
use ipnet::IpNet;
use rustbgpd_wire::{
    Afi, AsPath, AsPathSegment, EncodeError, Ipv4NlriEntry, Ipv4Prefix, Ipv4UnicastMode, Ipv6Prefix,
    LargeCommunity as WireLargeCommunity, Message, MpReachNlri, MpUnreachNlri, NlriEntry, Origin,
    PathAttribute, Prefix, Safi, UpdateMessage, encode_message,
};

use super::settings::{BgpSettings, Neighbor};
use crate::route::driver::Preference;
use crate::route::service::{Community, LargeCommunity, Service};

/// LOCAL_PREF of internal sessions: the default of every router.
const LOCAL_PREF: u32 = 100;
/// LOCAL_PREF of a route to be avoided (RFC 8326 section 4).
const LOCAL_PREF_DEPREFERRED: u32 = 0;

/// A route as it is advertised to one neighbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) prefix: IpNet,
    pub(super) next_hop: IpAddr,
    pub(super) as_path: Vec<u32>,
    pub(super) med: Option<u32>,
    /// On internal sessions alone (RFC 4271 section 5.1.5).
    pub(super) local_pref: Option<u32>,
    pub(super) communities: Vec<Community>,
    pub(super) large_communities: Vec<LargeCommunity>,
}

impl Route {
    /// The route of `service` towards `neighbor`; `None` if it has no next hop.
    pub(super) fn new(
        settings: &BgpSettings,
        neighbor: &Neighbor,
        service: &Service,
        preference: Preference,
    ) -> Option<Self> {
        let internal = settings.is_internal(neighbor);
        let depreferred = preference == Preference::Depreferred;
        let prepends =
            service.prepend.saturating_add(if depreferred { settings.deprefer.prepend } else { 0 });
        let mut communities = service.communities.clone();
        if depreferred {
            communities.push(Community::GRACEFUL_SHUTDOWN);
        }
        communities.sort_unstable();
        communities.dedup();
        let local_pref = if depreferred { LOCAL_PREF_DEPREFERRED } else { LOCAL_PREF };
        Some(Self {
            prefix: service.prefix,
            next_hop: next_hop(neighbor, service)?,
            as_path: if internal { Vec::new() } else { vec![settings.local_as; 1 + usize::from(prepends)] },
            med: if depreferred { settings.deprefer.med.or(service.med) } else { service.med },
            local_pref: internal.then_some(local_pref),
            communities,
            large_communities: service.large_communities.clone(),
        })
    }

    /// Whether the session must have negotiated RFC 8950 for it.
    pub(super) fn needs_extended_next_hop(&self) -> bool {
        matches!((self.prefix, self.next_hop), (IpNet::V4(_), IpAddr::V6(_)))
    }

    /// The UPDATE that announces it, one prefix a message: there are few, and each changes by itself. MP_REACH_NLRI comes first
    /// (RFC 7606 section 5.1), the other attributes in ascending order of their types (RFC 4271 section 5).
    pub(super) fn announcement(&self, four_octet_as: bool) -> Result<BytesMut, EncodeError> {
        let (mut attributes, mut in_body, mut next_hop_attribute) = (Vec::new(), Vec::new(), None);
        match (self.prefix, self.next_hop) {
            (IpNet::V4(prefix), IpAddr::V4(next_hop)) => {
                next_hop_attribute = Some(PathAttribute::NextHop(next_hop));
                let prefix = Ipv4Prefix::new(prefix.network(), prefix.prefix_len());
                in_body.push(Ipv4NlriEntry { path_id: 0, prefix });
            }
            _ => attributes.push(PathAttribute::MpReachNlri(Box::new(self.reach()))),
        }
        attributes.push(PathAttribute::Origin(Origin::Igp));
        attributes.push(PathAttribute::AsPath(self.wire_as_path()));
        attributes.extend(next_hop_attribute);
        attributes.extend(self.med.map(PathAttribute::Med));
        attributes.extend(self.local_pref.map(PathAttribute::LocalPref));
        if !self.communities.is_empty() {
            attributes.push(PathAttribute::Communities(self.communities.iter().map(|c| c.0).collect()));
        }
        if !self.large_communities.is_empty() {
            let wire = |c: &LargeCommunity| WireLargeCommunity::new(c.0, c.1, c.2);
            attributes
                .push(PathAttribute::LargeCommunities(self.large_communities.iter().map(wire).collect()));
        }
        update(&in_body, &[], &attributes, four_octet_as)
    }

    fn wire_as_path(&self) -> AsPath {
        let segments = match self.as_path.is_empty() {
            true => Vec::new(),
            false => vec![AsPathSegment::AsSequence(self.as_path.clone())],
        };
        AsPath { segments }
    }

    fn reach(&self) -> MpReachNlri {
        MpReachNlri {
            afi: afi(self.prefix),
            safi: Safi::Unicast,
            next_hop: self.next_hop,
            link_local_next_hop: None,
            announced: vec![entry(self.prefix)],
            flowspec_announced: Vec::new(),
            evpn_announced: Vec::new(),
            bgpls_announced: Vec::new(),
            vpn_announced: Vec::new(),
            labeled_announced: Vec::new(),
            rtc_announced: Vec::new(),
        }
    }
}

/// The next hop of `service` towards `neighbor`: the service's own, the neighbor's for the family, the local address
/// if it is of the family, and for an IPv4 prefix at last an IPv6 local address (RFC 8950).
fn next_hop(neighbor: &Neighbor, service: &Service) -> Option<IpAddr> {
    if service.next_hop.is_some() {
        return service.next_hop;
    }
    match service.prefix {
        IpNet::V4(_) => neighbor.next_hop_ipv4.map(IpAddr::V4).or(Some(neighbor.local_address)),
        IpNet::V6(_) => {
            let local = Some(neighbor.local_address).filter(IpAddr::is_ipv6);
            neighbor.next_hop_ipv6.map(IpAddr::V6).or(local)
        }
    }
}

/// The UPDATE that withdraws `prefix`.
pub(super) fn withdrawal(prefix: IpNet) -> Result<BytesMut, EncodeError> {
    match prefix {
        IpNet::V4(prefix) => {
            let prefix = Ipv4Prefix::new(prefix.network(), prefix.prefix_len());
            update(&[], &[Ipv4NlriEntry { path_id: 0, prefix }], &[], true)
        }
        IpNet::V6(_) => unreach(Afi::Ipv6, vec![entry(prefix)]),
    }
}

/// The End-of-RIB marker of a family (RFC 4724 section 2).
pub(super) fn end_of_rib(afi: Afi) -> Result<BytesMut, EncodeError> {
    if afi == Afi::Ipv4 { update(&[], &[], &[], true) } else { unreach(afi, Vec::new()) }
}

/// The family of a prefix.
pub(super) fn afi(prefix: IpNet) -> Afi {
    match prefix {
        IpNet::V4(_) => Afi::Ipv4,
        IpNet::V6(_) => Afi::Ipv6,
    }
}

fn entry(prefix: IpNet) -> NlriEntry {
    let prefix = match prefix {
        IpNet::V4(prefix) => Prefix::V4(Ipv4Prefix::new(prefix.network(), prefix.prefix_len())),
        IpNet::V6(prefix) => Prefix::V6(Ipv6Prefix::new(prefix.network(), prefix.prefix_len())),
    };
    NlriEntry { path_id: 0, prefix }
}

fn unreach(afi: Afi, withdrawn: Vec<NlriEntry>) -> Result<BytesMut, EncodeError> {
    let unreach = MpUnreachNlri {
        afi,
        safi: Safi::Unicast,
        withdrawn,
        flowspec_withdrawn: Vec::new(),
        evpn_withdrawn: Vec::new(),
        bgpls_withdrawn: Vec::new(),
        vpn_withdrawn: Vec::new(),
        labeled_withdrawn: Vec::new(),
        rtc_withdrawn: Vec::new(),
    };
    update(&[], &[], &[PathAttribute::MpUnreachNlri(Box::new(unreach))], true)
}

fn update(
    announced: &[Ipv4NlriEntry],
    withdrawn: &[Ipv4NlriEntry],
    attributes: &[PathAttribute],
    four_octet_as: bool,
) -> Result<BytesMut, EncodeError> {
    let mode = Ipv4UnicastMode::Body;
    let message = UpdateMessage::try_build(announced, withdrawn, attributes, four_octet_as, false, mode)?;
    encode_message(&Message::Update(message))
}
