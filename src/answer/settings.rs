//! What the operator chose about answers.

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
    /// The largest UDP response in octets, 512 to 4096; 1232 by default, which no usual path fragments (RFC 9715).
    pub udp_payload_ceiling: u16,
}

impl Settings {
    /// The default ceiling (RFC 9715 appendix A, DNS flag day 2020).
    pub const DEFAULT_UDP_PAYLOAD_CEILING: u16 = 1232;
}
