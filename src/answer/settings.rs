//! What the operator chose about answers.

use std::time::Duration;

use crate::wire::Name;

use super::cookie::CookieSettings;

/// Who answers: told by NSID (RFC 5001), `id.server`, `hostname.bind` (RFC 4892) and `version.bind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The instance's name: the NSID option's octets and the text of `id.server` and `hostname.bind`; at most 255
    /// octets, the length of one character string.
    pub instance: String,
    /// The text of `version.bind` and `version.server`; `None` refuses the question.
    pub version: Option<String>,
}

/// What the operator chose about answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who answers.
    pub identity: Identity,
    /// The largest UDP response in octets, 512 to 4096; 1232 by default, which no usual path fragments (RFC 9715). Up to
    /// 1400 they are sent with DF set (Linux), so it must fit the MTU of the interfaces; longer ones may be fragmented.
    pub udp_payload_ceiling: u16,
    /// How long a TCP connection may be silent, as edns-tcp-keepalive says it (RFC 7828): in steps of 100 ms, at most
    /// 6553.5 s. The transports hold themselves to the same time.
    pub tcp_idle: Duration,
    /// The agent domain that resolvers report errors to (RFC 9567 section 6.2), never the root; `None` asks for no
    /// reports.
    pub report_channel: Option<Name>,
    /// Cookies; `None` ignores the COOKIE option. They are off unless the operator gives secrets: in an anycast fleet
    /// a secret that only one POP knows makes cookies that the next POP calls forged (RFC 9018 section 5).
    pub cookies: Option<CookieSettings>,
}

impl Settings {
    /// The default ceiling (RFC 9715 appendix A, DNS flag day 2020).
    pub const DEFAULT_UDP_PAYLOAD_CEILING: u16 = 1232;
    /// The default idle time: "in the order of a few seconds" (RFC 7766 section 6.2.3).
    pub const DEFAULT_TCP_IDLE: Duration = Duration::from_secs(10);

    /// The defaults for a server of this name.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            udp_payload_ceiling: Self::DEFAULT_UDP_PAYLOAD_CEILING,
            tcp_idle: Self::DEFAULT_TCP_IDLE,
            report_channel: None,
            cookies: None,
        }
    }
}
