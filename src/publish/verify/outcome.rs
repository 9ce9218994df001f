//! What verification came to.

use crate::wire::{Name, Serial};
use crate::zone::signatures::SignatureVerdict;

use crate::publish::fault::Fault;

/// The signatures of a zone that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatures {
    /// The version that this is about; another one that is served is being looked at.
    pub serial: Serial,
    /// How they stand.
    pub verdict: SignatureVerdict,
    /// What a panic said that ended the verification.
    pub failed: Option<String>,
}

impl Signatures {
    /// What is wrong with them, of what does not depend on the time.
    pub(in crate::publish) fn fault(&self) -> Option<Fault> {
        if let Some(reason) = &self.failed {
            return Some(Fault::Unverified { reason: reason.clone() });
        }
        let first = Box::new(self.verdict.first.clone()?);
        Some(Fault::Signatures { wrong: self.verdict.wrong, first })
    }
}

/// What is known of a zone; `None` if it is not signed or not served.
pub(in crate::publish) type VerifyOutcome = (Name, Option<Box<Signatures>>);
