//! Where messages go that are neither SOA queries nor transfers.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::transfer::secondary::SecondaryHandle;
use crate::wire::{Name, opcode};

/// Takes dynamic updates (RFC 2136).
#[async_trait]
pub trait Updates: Send + Sync + 'static {
    /// Does what a message with the opcode UPDATE asks for; the response, or nothing where nothing is to be sent back.
    async fn answer(&self, message: Vec<u8>, client: IpAddr) -> Option<Vec<u8>>;

    /// Whether a key may change something of a zone: then it may ask for its SOA record, which names the zone of an update.
    fn may_change(&self, zone: &Name, key: &Name) -> bool {
        let _ = (zone, key);
        false
    }
}

/// Who takes the messages that are neither SOA queries nor transfers.
#[derive(Clone, Default)]
pub struct Receivers {
    /// Takes NOTIFYs; without it they are answered NOTIMP.
    pub secondary: Option<SecondaryHandle>,
    /// Takes UPDATEs; without it they are answered NOTIMP.
    pub updates: Option<Arc<dyn Updates>>,
}

impl fmt::Debug for Receivers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secondary, updates) = (self.secondary.is_some(), self.updates.is_some());
        write!(formatter, "Receivers(secondary: {secondary}, updates: {updates})")
    }
}

impl From<Option<SecondaryHandle>> for Receivers {
    fn from(secondary: Option<SecondaryHandle>) -> Self {
        Self { secondary, updates: None }
    }
}

impl Receivers {
    /// Who takes a message, if it is an UPDATE and somebody does.
    pub(super) fn updates(&self, message: &[u8]) -> Option<&Arc<dyn Updates>> {
        self.updates.as_ref().filter(|_| opcode::of_request(message) == Some(opcode::UPDATE))
    }
}
