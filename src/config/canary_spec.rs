//! The form of `[[canary]]`.

use serde::Deserialize;
use toml::Spanned;

use crate::transfer::settings::PeerSpec;

use super::values::Period;

/// `[[canary]]`: secondaries that have each version of some zones before all others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CanarySpec {
    pub(super) name: Option<Spanned<String>>,
    pub(super) secondaries: Spanned<Vec<PeerSpec>>,
    #[serde(default)]
    pub(super) zones: Vec<String>,
    pub(super) time: Option<Spanned<Period>>,
    pub(super) patience: Option<Spanned<Period>>,
    #[serde(default)]
    pub(super) when_unreachable: WhenUnreachableSpec,
}

/// `canary.when-unreachable`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WhenUnreachableSpec {
    #[default]
    Hold,
    Release,
}
