//! One connection: its place, what it has shown, and whether that is still enough. The credentials of now are asked at each request, and a
//! connection ends when what it has shown is taken away: so a token that has leaked does not go on to work over a connection that is open.

use std::sync::{Arc, Mutex};

use hyper::StatusCode;
use hyper::header::{self, HeaderMap};
use tokio::sync::watch;

use super::access::Refusal;
use super::caps::ConnectionPlace;
use super::credentials::{Authorities, Credentials, Sha};
use crate::telemetry::locked;

/// The credentials as their files were read last.
pub(super) type CurrentCredentials = watch::Receiver<Arc<Credentials>>;

/// One connection.
#[derive(Debug)]
pub(super) struct Guest {
    place: ConnectionPlace,
    credentials: CurrentCredentials,
    /// Who vouched for its certificate at the handshake.
    authorities: Option<Authorities>,
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
            return Err(Refusal::NEEDS_TOKEN);
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
            let is_vouched_for = self.authorities.as_ref().is_none_or(|all| now.has_authorities(all));
            if !is_vouched_for || token.is_some_and(|token| !now.has_token(&token)) {
                return;
            }
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use futures_util::FutureExt as _;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::super::caps::Caps;
    use super::super::settings::{Settings, WebTls};
    use super::*;

    fn private(path: PathBuf, text: &str) -> PathBuf {
        write(&path, text).unwrap();
        set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Connections from one address, and the credentials of now.
    struct Listener {
        caps: Caps,
        settings: Settings,
        credentials: watch::Sender<Arc<Credentials>>,
    }

    impl Listener {
        fn new(settings: Settings) -> Self {
            let credentials = watch::Sender::new(Arc::new(Credentials::load(&settings).unwrap()));
            Self { caps: Caps::default(), settings, credentials }
        }

        fn guest(&self) -> Guest {
            Guest::new(self.caps.unknown_place([192, 0, 2, 1].into()), self.credentials.subscribe())
        }

        fn read_again(&self) {
            self.credentials.send_replace(Arc::new(Credentials::load(&self.settings).unwrap()));
        }
    }

    fn has_ended(guest: &Guest) -> bool {
        guest.until_ended().now_or_never().is_some()
    }

    #[test]
    fn a_connection_ends_with_its_own_token_and_with_no_other() {
        const ONE: &str = "1111111111111111";
        const OTHER: &str = "2222222222222222";
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, token: &str| private(directory.path().join(name), token);
        let tokens = vec![file("one", ONE), file("other", OTHER)];
        let listener = Listener::new(Settings { listen: vec![], tokens, tls: None });
        let shows = |token: &str| {
            let guest = listener.guest();
            let field = format!("Bearer {token}").parse().unwrap();
            assert!(guest.admit(&HeaderMap::from_iter([(header::AUTHORIZATION, field)])).is_ok());
            guest
        };
        let (one, other) = (shows(ONE), shows(OTHER));
        let silent = listener.guest();
        assert_eq!(silent.admit(&HeaderMap::new()), Err(Refusal::NEEDS_TOKEN));
        // Many that show nothing end none that has shown a token.
        let many: Vec<_> = (0..256).map(|_| listener.guest()).collect();
        assert!(has_ended(&silent) && many.iter().any(has_ended));
        assert!(!has_ended(&one) && !has_ended(&other));
        listener.read_again();
        assert!(!has_ended(&one) && !has_ended(&other), "the files say the same");
        file("other", "3333333333333333");
        listener.read_again();
        assert!(!has_ended(&one) && has_ended(&other));
    }

    #[test]
    fn a_connection_ends_when_an_authority_is_taken_away() {
        let directory = tempfile::tempdir().unwrap();
        let authority = || {
            let mut parameters = CertificateParams::new(vec!["operators.example".to_owned()]).unwrap();
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
        };
        let ((first, key), (second, _)) = (authority(), authority());
        let path = |name: &str| directory.path().join(name);
        let names = |text: &str| private(path("clients.pem"), text);
        let tls = WebTls {
            certificate: private(path("server.pem"), &first),
            key: private(path("server.key"), &key),
            client_ca: Some(names(&first)),
        };
        let listener = Listener::new(Settings { listen: vec![], tokens: vec![], tls: Some(tls) });
        let guest = listener.guest();
        assert!(guest.has_shown_certificate() && guest.place().is_known());
        names(&format!("# The next one comes second.\n{first}{second}"));
        listener.read_again();
        assert!(!has_ended(&guest), "one more");
        names(&second);
        listener.read_again();
        assert!(has_ended(&guest));
    }
}
