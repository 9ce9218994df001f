//! Why a session ended.

use std::io;
use std::time::Duration;

use rustbgpd_wire::notification::{decode_shutdown_communication, description};
use rustbgpd_wire::{DecodeError, EncodeError, NotificationCode, NotificationMessage};

/// Why a session ended, or could not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// No socket from the local address.
    #[error("cannot open a connection from the local address: {0}")]
    Socket(#[source] io::Error),
    /// The neighbor did not take the connection.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// The neighbor did not answer the attempt.
    #[error("cannot connect: no answer within {0:?}")]
    ConnectTimeout(Duration),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] io::Error),
    /// The neighbor closed the connection.
    #[error("the neighbor closed the connection without a NOTIFICATION")]
    Closed,
    /// The neighbor ended the session.
    #[error("the neighbor ended the session: {}", describe(.0))]
    NotificationReceived(NotificationMessage),
    /// We ended the session for the neighbor's fault.
    #[error("the session was ended: {}", describe(.0))]
    NotificationSent(NotificationMessage),
    /// The neighbor sent what is no message.
    #[error("the neighbor sent what is no message: {0}")]
    Malformed(#[source] DecodeError),
    /// There is no descriptor for the watchdog's handle of the connection.
    #[error("no descriptor is left for the connection: raise the limit of open files (LimitNOFILE)")]
    NoPlace,
    /// The watchdog ended the connection.
    #[error("the watchdog ended the connection, because this speaker did not run")]
    Watchdog,
    /// The hold timer went off.
    #[error("nothing came from the neighbor within the hold time")]
    HoldTimer,
    /// The send-hold timer went off (RFC 9687).
    #[error("the neighbor took no octet within the send-hold time (RFC 9687)")]
    SendHoldTimer,
    /// A message could not be written.
    #[error("a message could not be encoded: {0}")]
    Encode(#[source] EncodeError),
    /// The other connection of a collision was kept.
    #[error("another connection with the neighbor was kept (RFC 4271 section 6.8)")]
    Collision,
}

/// A NOTIFICATION in words. The neighbor's text (RFC 9003), at most 255 octets, is quoted with its control characters
/// escaped.
fn describe(notification: &NotificationMessage) -> String {
    let (code, subcode) = (notification.code, notification.subcode);
    let name = description(code, subcode);
    let text = match code {
        NotificationCode::Cease => decode_shutdown_communication(&notification.data),
        _ => None,
    };
    match text.filter(|text| !text.is_empty()) {
        Some(text) => format!("{name} ({}/{subcode}): {text:?}", code.as_u8()),
        None => format!("{name} ({}/{subcode})", code.as_u8()),
    }
}
