//! One connection: its place, what it has shown, and whether that is still enough. The credentials of now are asked at each request, and a
//! connection ends when what it has shown is taken away: so a token that has leaked does not go on to work over a connection that is open.

use std::sync::{Arc, Mutex};

use hyper::StatusCode;
use hyper::header::{self, HeaderMap};
use tokio::sync::watch;

use super::access::Refusal;
use super::caps::ConnectionPlace;
use super::credentials::{Credentials, Sha};
use crate::telemetry::locked;

/// The credentials as their files were read last.
pub(super) type CurrentCredentials = watch::Receiver<Arc<Credentials>>;

/// One connection.
#[derive(Debug)]
pub(super) struct Guest {
    place: ConnectionPlace,
    credentials: CurrentCredentials,
    /// Who vouched for its certificate at the handshake.
    authorities: Option<Sha>,
    /// The token of its last request that was admitted. Locked on the thread `web` alone.
    token: Mutex<Option<Sha>>,
}

impl Guest {
    /// A connection that has shown nothing yet.
    pub(super) fn new(place: ConnectionPlace, credentials: CurrentCredentials) -> Self {
        let authorities = credentials.borrow().authorities();
        Self { place, credentials, authorities, token: Mutex::default() }
    }

    /// Its place.
    pub(super) fn place(&self) -> &ConnectionPlace {
        &self.place
    }

    /// The credentials of now.
    pub(super) fn credentials(&self) -> Arc<Credentials> {
        self.credentials.borrow().clone()
    }

    /// The handshake is over: whether the connection may go on.
    pub(super) fn has_shown_certificate(&self) -> bool {
        !self.credentials().is_mutual() || self.place.become_known()
    }

    /// Whether a request with these fields may be answered.
    pub(super) fn admit(&self, fields: &HeaderMap) -> Result<(), Refusal> {
        let credentials = self.credentials();
        if !credentials.has_tokens() {
            return Ok(());
        }
        let field = fields.get(header::AUTHORIZATION).and_then(|field| field.to_str().ok());
        let Some(token) = field.and_then(|field| credentials.token_in(field)) else {
            return Err(Refusal {
                status: StatusCode::UNAUTHORIZED,
                reason: "a bearer token is needed (or Basic, with the token as the password)",
            });
        };
        if !self.place.become_known() {
            let reason = "too many connections are open, of all clients or of yours";
            return Err(Refusal { status: StatusCode::SERVICE_UNAVAILABLE, reason });
        }
        *locked(&self.token) = Some(token);
        Ok(())
    }

    /// Ends when its place is needed, or what it has shown is taken away.
    pub(super) async fn until_ended(&self) {
        tokio::select! {
            () = self.place.ended() => {}
            () = self.revoked() => {}
        }
    }

    async fn revoked(&self) {
        let mut credentials = self.credentials.clone();
        while credentials.changed().await.is_ok() {
            let now = credentials.borrow_and_update().clone();
            let token = *locked(&self.token);
            if now.authorities() != self.authorities || token.is_some_and(|token| !now.has_token(&token)) {
                return;
            }
        }
        std::future::pending().await
    }
}
