//! Short values of zones on their way into the database.

use crate::publish::state::members::KeptMember;
use crate::publish::state::releases::KeptRelease;
use crate::wire::Name;

/// Short values of zones, written in one transaction; none: forgets that of the zone.
#[derive(Debug)]
pub(in crate::publish) enum ZoneRows {
    /// Who is a member of which catalog.
    Members(Vec<(Name, Option<KeptMember>)>),
    /// Which version all secondaries may have.
    Releases(Vec<(Name, Option<KeptRelease>)>),
}
