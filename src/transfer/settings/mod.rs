//! What the operator says about zone transfers: the form of the file's keys, and the checked settings they become.
//!
//! Values of the configuration file flow in, settings or an error that names the key flow out. Reads the files of keys and certificates and nothing else.

mod fold;
mod key_file;
mod spec;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/settings.rs"]
mod tests;

pub use fold::{PlacedFault, SettingsFault, delay_rules, secondary_zone, servers, settings};
pub use key_file::{KeyFileError, KeySpec, read_keys};
pub use spec::{
    AllowedSpec, OnExpirySpec, PeerSpec, TlsListenSpec, TlsPeerSpec, TransferSpec, ZoneTransferSpec,
};
