//! The form of `[[canary]]`.

use serde::Deserialize;
use toml::Spanned;

use crate::transfer::settings::{PeerSpec, TlsPeerSpec};

use super::values::Period;

/// `[[canary]]`: secondaries that have each version of some zones before all others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CanarySpec {
    pub(super) name: Option<Spanned<String>>,
    pub(super) secondaries: Spanned<Vec<CanarySecondarySpec>>,
    #[serde(default)]
    pub(super) zones: Vec<String>,
    pub(super) time: Option<Spanned<Period>>,
    pub(super) patience: Option<Spanned<Period>>,
    #[serde(default)]
    pub(super) when_unreachable: WhenUnreachableSpec,
}

/// One of `canary.secondaries`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CanarySecondarySpec {
    pub(super) address: String,
    pub(super) key: Option<String>,
    pub(super) tls: Option<TlsPeerSpec>,
    /// The name of the `[[fleet.pop]]` that tells how well it is.
    pub(super) pop: Option<String>,
}

impl CanarySecondarySpec {
    /// How it is asked for its serial.
    pub(super) fn peer(&self) -> PeerSpec {
        PeerSpec { address: self.address.clone(), key: self.key.clone(), tls: self.tls.clone() }
    }
}

/// `canary.when-unreachable`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WhenUnreachableSpec {
    #[default]
    Hold,
    Release,
}
