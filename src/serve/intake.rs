//! Messages that are no queries. What takes them registers here, because serving starts first.
//!
//! A NOTIFY or an UPDATE that comes to a service address flows out to an [`Intake`], its response flows back. Without one, or where it
//! takes nothing, the query path answers.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use crate::wire::opcode;

/// Opcodes in the third octet of a message, QR clear (RFC 1996 section 3.1, RFC 2136 section 1.3).
const MASK: u8 = 0xf8;
const NOTIFY: u8 = opcode::NOTIFY << 3;
const UPDATE: u8 = opcode::UPDATE << 3;

/// Takes messages that are no queries, on the threads that answer: it never blocks and never logs.
pub trait Intake: Send + Sync {
    /// Octets of the response in `output`; `None` if the message is not taken.
    fn take(&self, message: &[u8], source: IpAddr, output: &mut [u8]) -> Option<usize>;
}

/// The place of an [`Intake`]; clones are the same place.
#[derive(Clone, Default)]
pub(super) struct IntakeSlot(Arc<OnceLock<Box<dyn Intake>>>);

impl IntakeSlot {
    /// Takes this from now on; the first one stays.
    pub(super) fn fill(&self, intake: Box<dyn Intake>) {
        let _ = self.0.set(intake);
    }

    /// Who takes this message, if somebody may.
    pub(super) fn of(&self, message: &[u8]) -> Option<&dyn Intake> {
        let is_other = matches!(message.get(2).map(|octet| octet & MASK), Some(NOTIFY | UPDATE));
        if is_other { self.0.get().map(AsRef::as_ref) } else { None }
    }
}

impl fmt::Debug for IntakeSlot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IntakeSlot({})", if self.0.get().is_some() { "filled" } else { "empty" })
    }
}
