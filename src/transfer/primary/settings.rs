//! What the operator says about sending zones.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::transfer::notify::{Allowed, Target};
use crate::transfer::tls::TlsServer;
use crate::transfer::tsig::Keys;
use crate::wire::Name;

/// What the operator says about sending zones.
#[derive(Clone, Debug, PartialEq)]
pub struct PrimarySettings {
    /// Where it listens, on UDP and TCP: management addresses.
    pub listen: Vec<SocketAddr>,
    /// Where it listens over TLS (RFC 9103), and with which certificate.
    pub tls: Option<(Vec<SocketAddr>, TlsServer)>,
    /// All keys.
    pub keys: Arc<Keys>,
    /// Who may transfer a zone that `zones` does not name.
    pub allowed: Allowed,
    /// Who may transfer these zones.
    pub zones: HashMap<Name, Allowed>,
    /// The addresses of this POP that outgoing sockets bind: the first of the target's family.
    pub management: Vec<IpAddr>,
    /// Whom to tell that a zone changed that `notify_zones` does not name.
    pub notify: Vec<Target>,
    /// Whom to tell that these zones changed.
    pub notify_zones: HashMap<Name, Vec<Target>>,
    /// Threads.
    pub threads: usize,
    /// Connections at one time.
    pub connections: usize,
    /// Connections at one time of one address.
    pub connections_per_client: usize,
    /// Transfers at one time; the others wait.
    pub transfers: usize,
    /// Transfers at one time to one client; the others wait.
    pub transfers_per_client: usize,
    /// Requests a second of one address; more are dropped over UDP, and wait over TCP.
    pub requests_per_second: NonZeroU32,
    /// Updates a second of one address; more are dropped over UDP, and wait over TCP.
    pub updates_per_second: NonZeroU32,
    /// How long a connection may be silent between two requests.
    pub idle: Duration,
    /// How long a secondary may take to take one message.
    pub stalled: Duration,
    /// Octets a second that a secondary must take, on average over a window.
    pub least_rate: u64,
    /// Over how long that is measured.
    pub rate_window: Duration,
    /// How long a transfer may take, however fast it is.
    pub longest: Duration,
}

impl Default for PrimarySettings {
    /// Two threads fill a link of some gigabits. Connections for some hundred secondaries, of which one may open as many as BIND
    /// does by default (10) twice over; as many transfers of one as an anyns asks for at one time. A kilobyte a second is slower than any link. A secondary of 20,000 zones that is empty asks as fast as it is answered; five thousand requests a
    /// second take a part of one core, at the lowest priority. A DHCP server
    /// that updates two hundred times a second has more clients than one zone should.
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            tls: None,
            keys: Arc::default(),
            allowed: Allowed::default(),
            zones: HashMap::new(),
            management: Vec::new(),
            notify: Vec::new(),
            notify_zones: HashMap::new(),
            threads: 2,
            connections: 512,
            connections_per_client: 20,
            transfers: 64,
            transfers_per_client: 16,
            requests_per_second: NonZeroU32::MIN.saturating_add(4999),
            updates_per_second: NonZeroU32::MIN.saturating_add(199),
            idle: Duration::from_secs(30),
            stalled: Duration::from_secs(30),
            least_rate: 1024,
            rate_window: Duration::from_secs(30),
            longest: Duration::from_secs(4 * 3600),
        }
    }
}

impl PrimarySettings {
    /// Who may transfer a zone.
    pub(super) fn allowed(&self, zone: &Name) -> &Allowed {
        self.zones.get(zone).unwrap_or(&self.allowed)
    }

    /// Whom to tell that a zone changed.
    pub(super) fn targets(&self, zone: &Name) -> &[Target] {
        self.notify_zones.get(zone).unwrap_or(&self.notify)
    }
}
