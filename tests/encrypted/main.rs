//! DNS over TLS, HTTPS and QUIC with real clients.
