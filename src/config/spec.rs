//! The keys of the configuration file and the form of their values.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;

use crate::transfer::settings::{AllowedSpec, KeySpec, OnExpirySpec, PeerSpec, TransferSpec};
use crate::update::GrantSpec;

use super::canary_spec::CanarySpec;
use super::values::{FilePath, Patterns, Period};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Spec {
    /// Was followed before the form was read.
    #[serde(rename = "include")]
    _include: Option<Patterns>,
    pub(super) pop: PopSpec,
    #[serde(default)]
    pub(super) log: LogSpec,
    #[serde(default)]
    pub(super) serve: ServeSpec,
    pub(super) tls: Option<TlsSpec>,
    #[serde(default)]
    pub(super) rate_limit: RateLimitSpec,
    #[serde(default)]
    pub(super) zones: ZonesSpec,
    #[serde(default)]
    pub(super) zone: Vec<ZoneSpec>,
    #[serde(default)]
    pub(super) catalog: Vec<CatalogSpec>,
    #[serde(default)]
    pub(super) canary: Vec<CanarySpec>,
    #[serde(default)]
    pub(super) key: Vec<Spanned<KeySpec>>,
    #[serde(default)]
    pub(super) transfer: TransferSpec,
    #[serde(default)]
    pub(super) service: Vec<ServiceSpec>,
    #[serde(default)]
    pub(super) health: HealthSpec,
    #[serde(default)]
    pub(super) policy: PolicySpec,
    #[serde(default)]
    pub(super) drain: DrainSpec,
    #[serde(default)]
    pub(super) route: RouteSpec,
    pub(super) bgp: Option<BgpSpec>,
    #[serde(default)]
    pub(super) control: ControlSpec,
    pub(super) web: Option<WebSpec>,
    #[serde(default)]
    pub(super) fleet: FleetSpec,
    pub(super) samples: Option<SamplesSpec>,
    pub(super) rssac002: Option<Rssac002Spec>,
    pub(super) otlp: Option<OtlpSpec>,
}

/// `[samples]`: one message in some, for dnstap, the query log and catchments.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct SamplesSpec {
    pub(super) one_in: Option<Spanned<u32>>,
    pub(super) dnstap: Option<Spanned<String>>,
    pub(super) query_log: bool,
    pub(super) full_addresses: bool,
    pub(super) catchments: Option<bool>,
}

/// `[rssac002]`: daily statistics.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Rssac002Spec {
    pub(super) directory: FilePath,
    pub(super) service: Spanned<String>,
    pub(super) zone: Option<Spanned<String>>,
}

/// `[otlp]`: logs and traces to an OpenTelemetry receiver.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct OtlpSpec {
    pub(super) endpoint: Spanned<String>,
}

/// `[pop]`: who this is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PopSpec {
    pub(super) name: Spanned<String>,
    pub(super) instance: Option<Spanned<String>>,
    pub(super) management_addresses: Spanned<Vec<Spanned<IpAddr>>>,
}

/// `[log]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct LogSpec {
    pub(super) format: LogFormatSpec,
    pub(super) level: Option<Spanned<String>>,
}

/// `log.format`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LogFormatSpec {
    #[default]
    Text,
    Json,
}

/// `[serve]`: the sockets and what every answer has in common.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct ServeSpec {
    pub(super) engine: EngineSpec,
    pub(super) port: Option<Spanned<u16>>,
    pub(super) workers: Option<Spanned<usize>>,
    pub(super) socket_affinity: bool,
    pub(super) listen: Option<Spanned<Vec<SocketAddr>>>,
    pub(super) install_addresses: bool,
    pub(super) udp_payload_ceiling: Option<Spanned<u16>>,
    pub(super) version: Option<String>,
    pub(super) tcp_connections: Option<Spanned<usize>>,
    pub(super) tcp_connections_per_source: Option<Spanned<usize>>,
    pub(super) tcp_idle: Option<Spanned<Period>>,
    pub(super) report_channel: Option<Spanned<String>>,
    pub(super) cookie_secrets: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) cookie_required: Option<Spanned<bool>>,
    pub(super) proxy_from: Option<Spanned<Vec<IpNet>>>,
}

/// `[tls]`: encrypted transports, each off without its port.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TlsSpec {
    pub(super) certificate: FilePath,
    pub(super) key: FilePath,
    pub(super) ticket_keys: Option<Spanned<Vec<FilePath>>>,
    pub(super) quic_reset_key: Option<FilePath>,
    pub(super) dot: Option<Spanned<u16>>,
    pub(super) doh: Option<Spanned<u16>>,
    pub(super) doh3: Option<Spanned<u16>>,
    pub(super) doh_path: Option<Spanned<String>>,
    pub(super) doq: Option<Spanned<u16>>,
    pub(super) connections: Option<Spanned<usize>>,
    pub(super) connections_per_source: Option<Spanned<usize>>,
    pub(super) idle: Option<Spanned<Period>>,
}

/// `serve.engine`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EngineSpec {
    #[default]
    Auto,
    Native,
    Hickory,
}

/// `[rate-limit]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RateLimitSpec {
    pub(super) mode: RateLimitMode,
    pub(super) queries_per_second: Option<Spanned<u32>>,
    pub(super) burst: Option<Spanned<u32>>,
    pub(super) ipv4_prefix_length: Option<Spanned<u8>>,
    pub(super) ipv6_prefix_length: Option<Spanned<u8>>,
    pub(super) slip: Option<Spanned<u32>>,
    pub(super) exempt: Option<Spanned<Vec<IpNet>>>,
    pub(super) table_slots: Option<Spanned<usize>>,
}

/// `rate-limit.mode`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RateLimitMode {
    #[default]
    Enforce,
    DryRun,
    Off,
}

/// `[zones]`: where zones come from.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct ZonesSpec {
    pub(super) directory: Option<FilePath>,
    pub(super) include_roots: Vec<FilePath>,
    pub(super) state_directory: Option<FilePath>,
    pub(super) required: Vec<Spanned<String>>,
    pub(super) serial: SerialSpec,
    pub(super) dnssec: DnssecSpec,
    pub(super) shrink_limit_percent: Option<Spanned<u8>>,
    pub(super) rescan: Option<Spanned<Period>>,
    pub(super) settle: Option<Spanned<Period>>,
    pub(super) deploy: DeploySpec,
    pub(super) history_octets: Option<Spanned<u64>>,
    pub(super) history_steps: Option<Spanned<u64>>,
    pub(super) zonemd: Option<ZonemdSpec>,
    pub(super) validate: Option<Vec<String>>,
    pub(super) validate_limit: Option<Spanned<Period>>,
}

/// `zones.deploy`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DeploySpec {
    #[default]
    Watch,
    Reload,
}

/// `zones.serial` and `zone.serial`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SerialSpec {
    #[default]
    Strict,
    Bump,
}

/// `zones.dnssec` and `zone.dnssec`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DnssecSpec {
    Off,
    #[default]
    Warn,
    Refuse,
}

/// `zones.zonemd` and `zone.zonemd`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ZonemdSpec {
    Off,
    Refuse,
}

/// `[[zone]]`: one zone from one file or from primaries, or one that lives in the state directory, or, without any of these, the
/// rules of a zone that the directory holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ZoneSpec {
    pub(super) name: Spanned<String>,
    pub(super) file: Option<FilePath>,
    pub(super) serial: Option<SerialSpec>,
    pub(super) dnssec: Option<DnssecSpec>,
    #[serde(default)]
    pub(super) primaries: Vec<PeerSpec>,
    #[serde(default)]
    pub(super) notify_from: Vec<AllowedSpec>,
    pub(super) allow_transfer: Option<Vec<AllowedSpec>>,
    pub(super) notify: Option<Vec<PeerSpec>>,
    pub(super) expired: Option<OnExpirySpec>,
    pub(super) database: Option<Spanned<bool>>,
    #[serde(default)]
    pub(super) update: Vec<GrantSpec>,
    pub(super) zonemd: Option<ZonemdSpec>,
    pub(super) validate: Option<Vec<String>>,
    #[serde(default)]
    pub(super) must_have: Vec<Spanned<String>>,
}

/// `[[catalog]]`: a catalog (RFC 9432) that comes from primaries and whose zones are served here, or one that is made here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CatalogSpec {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) primaries: Vec<PeerSpec>,
    #[serde(default)]
    pub(super) notify_from: Vec<AllowedSpec>,
    pub(super) expired: Option<OnExpirySpec>,
    pub(super) keep_removed: Option<Spanned<Period>>,
    pub(super) ready_percent: Option<Spanned<u8>>,
    pub(super) removal_limit_percent: Option<Spanned<u8>>,
    pub(super) removal_limit: Option<Spanned<usize>>,
    #[serde(default)]
    pub(super) produce: bool,
    #[serde(default)]
    pub(super) zones: Vec<String>,
    #[serde(default)]
    pub(super) hand_over: BTreeMap<String, Spanned<String>>,
    pub(super) allow_transfer: Option<Vec<AllowedSpec>>,
    pub(super) notify: Option<Vec<PeerSpec>>,
    #[serde(default)]
    pub(super) group: Vec<GroupSpec>,
}

/// `[[catalog.group]]`: where the members of a group come from, or which zones are in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GroupSpec {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) primaries: Vec<PeerSpec>,
    pub(super) notify_from: Option<Vec<AllowedSpec>>,
    pub(super) expired: Option<OnExpirySpec>,
    #[serde(default)]
    pub(super) zones: Vec<String>,
}

/// `[[service]]`: one announced prefix and the service addresses in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ServiceSpec {
    pub(super) prefix: Spanned<IpNet>,
    pub(super) addresses: Spanned<Vec<Spanned<IpAddr>>>,
    pub(super) next_hop: Option<Spanned<IpAddr>>,
    #[serde(default)]
    pub(super) communities: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) large_communities: Vec<Spanned<String>>,
    pub(super) med: Option<Spanned<u32>>,
    pub(super) prepend: Option<Spanned<u8>>,
}

/// `[health]`: the probes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct HealthSpec {
    pub(super) interval: Option<Spanned<Period>>,
    pub(super) timeout: Option<Spanned<Period>>,
    pub(super) rise: Option<Spanned<u32>>,
    pub(super) fall: Option<Spanned<u32>>,
    pub(super) reference_addresses: Option<Spanned<Vec<IpAddr>>>,
}

/// `[policy]`: how fast a route comes back.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct PolicySpec {
    pub(super) hold_initial: Option<Spanned<Period>>,
    pub(super) hold: Option<Spanned<Period>>,
    pub(super) hold_max: Option<Spanned<Period>>,
    pub(super) decay: Option<Spanned<Period>>,
    pub(super) lease: Option<Spanned<Period>>,
    pub(super) one_transport_dead: OneTransportDeadSpec,
}

/// `policy.one-transport-dead`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OneTransportDeadSpec {
    #[default]
    Withdraw,
    Deprefer,
}

/// `[drain]`: how a planned stop goes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct DrainSpec {
    pub(super) deprefer: Option<Spanned<Period>>,
    pub(super) quiet: Option<Spanned<Period>>,
    pub(super) limit: Option<Spanned<Period>>,
}

/// `[route]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RouteSpec {
    pub(super) driver: RouteDriverSpec,
}

/// `route.driver`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RouteDriverSpec {
    #[default]
    DryRun,
    Bgp,
}

/// `[bgp]`: the embedded speaker.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct BgpSpec {
    pub(super) local_as: Spanned<u32>,
    pub(super) router_id: Spanned<Ipv4Addr>,
    pub(super) hold_time: Option<Spanned<Period>>,
    pub(super) send_hold_time: Option<Spanned<Period>>,
    pub(super) listen_port: Option<Spanned<u16>>,
    pub(super) deprefer_med: Option<u32>,
    pub(super) deprefer_prepend: Option<Spanned<u8>>,
    #[serde(default)]
    pub(super) neighbor: Vec<Spanned<NeighborSpec>>,
}

/// `[[bgp.neighbor]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct NeighborSpec {
    pub(super) address: Spanned<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) remote_as: Spanned<u32>,
    pub(super) local_address: Option<Spanned<IpAddr>>,
    #[serde(default)]
    pub(super) mode: ModeSpec,
    pub(super) password: Option<Spanned<String>>,
    pub(super) multihop: Option<Spanned<u8>>,
    pub(super) ttl_security: Option<Spanned<u8>>,
    pub(super) next_hop_ipv4: Option<Ipv4Addr>,
    pub(super) next_hop_ipv6: Option<Ipv6Addr>,
}

/// `bgp.neighbor.mode`: who connects.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ModeSpec {
    #[default]
    Active,
    Passive,
    Both,
}

/// `[control]`: the admin socket.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct ControlSpec {
    pub(super) socket: Option<FilePath>,
    pub(super) group: Option<Spanned<String>>,
}

/// `[web]`: the page and the API; off without it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct WebSpec {
    pub(super) listen: Option<Spanned<Vec<SocketAddr>>>,
    pub(super) token_files: Option<Spanned<Vec<FilePath>>>,
    pub(super) certificate: Option<Spanned<FilePath>>,
    pub(super) key: Option<FilePath>,
    pub(super) client_ca_file: Option<Spanned<FilePath>>,
}

/// `[fleet]`: every POP.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct FleetSpec {
    pub(super) pop: Vec<Spanned<FleetPopSpec>>,
}

/// What `anyns fleet` reads of a file, whatever else is in it.
#[derive(Debug, Deserialize)]
pub(super) struct FleetFile {
    #[serde(default)]
    pub(super) fleet: FleetSpec,
    #[serde(default)]
    pub(super) pop: FleetFilePop,
}

/// The management addresses of the POP whose file it is, if it is one's.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct FleetFilePop {
    pub(super) management_addresses: Vec<IpAddr>,
}

/// `[[fleet.pop]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FleetPopSpec {
    pub(super) name: Spanned<String>,
    pub(super) url: Spanned<String>,
    pub(super) token_file: Option<FilePath>,
    pub(super) ca_file: Option<Spanned<FilePath>>,
    pub(super) server_name: Option<String>,
    pub(super) pins: Option<Vec<String>>,
    pub(super) certificate: Option<Spanned<FilePath>>,
    pub(super) key: Option<FilePath>,
}

/// The path without list positions: the line tells which one is meant.
pub(super) fn key_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let keys = path.iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(key.as_str()),
        Segment::Enum { variant } => Some(variant.as_str()),
        Segment::Seq { .. } | Segment::Unknown => None,
    });
    keys.filter(|key| !key.starts_with("$__")).collect::<Vec<_>>().join(".")
}

/// The span of a value that may be missing.
pub(super) fn span_of<T>(value: &Option<Spanned<T>>) -> Option<Range<usize>> {
    value.as_ref().map(Spanned::span)
}
