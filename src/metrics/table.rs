//! Every metric. Names follow the conventions of Prometheus: a unit at the end, `_total` for a counter.

use super::metric::{Kind, Metric};

macro_rules! metrics {
    ($($constant:ident $kind:ident $name:literal [$($label:literal)*] $help:literal)*) => {
        $(pub(super) const $constant: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*

        /// Every metric, in the order of a scrape.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    BUILD Gauge "anyns_build_info" ["version"] "The version of anyns; the value is 1"
    CONFIG Gauge "anyns_config_info" ["digest"] "The start of the SHA-256 of the configuration file that is in force; the value is 1"
    START Gauge "anyns_start_time_seconds" [] "When the process began, in Unix time"
    VERDICT Gauge "anyns_verdict" [] "What `anyns status` says: 0 ok, 1 degraded, 2 down"
    ALARMS Gauge "anyns_alarms" ["cause"] "Complaints of `anyns status` now, by what they are about; 20 at most"
    DRY_RUN Gauge "anyns_dry_run" [] "Whether no route is announced whatever is decided: 1 yes"
    STOPPING Gauge "anyns_stopping" [] "Whether anyns stops in order: 1 yes"
    DRAINED Gauge "anyns_drained" [] "What an operator ordered: 0 nothing, 1 prefer less, 2 withdraw"
    RELOAD_FAILED Gauge "anyns_config_reload_failed" [] "Whether the last reload failed and the old configuration is in force: 1 yes"
    LOG_DROPPED Counter "anyns_log_records_dropped_total" [] "Log records that were dropped because standard error took no more, or could not be written"
    SAMPLES_WRITTEN Counter "anyns_dnstap_messages_total" [] "dnstap messages that were written"
    DNSTAP_DROPPED Counter "anyns_dnstap_dropped_total" [] "dnstap messages that no collector took"
    QUERY_LOG_DROPPED Counter "anyns_query_log_dropped_total" [] "Samples that the query log left out, beyond 200 a second"
    SAMPLES_DROPPED Counter "anyns_samples_dropped_total" [] "Samples for dnstap, the query log and the catchment that a worker could not hand over"
    OTLP_EXPORTED Counter "anyns_otlp_records_total" [] "Log records and spans that the OTLP receiver has taken"
    OTLP_DROPPED Counter "anyns_otlp_dropped_total" [] "Log records and spans for the OTLP receiver that were dropped"
    TASK_AGE Gauge "anyns_task_heartbeat_age_seconds" ["task"] "How long ago a task of the control plane last gave a sign of life"
    TASK_PANICS Counter "anyns_task_panics_total" ["task"] "How often a task panicked and was started again"
    FACT_AGE Gauge "anyns_fact_age_seconds" ["fact"] "How long ago a source of facts was last checked"

    QUERIES Counter "anyns_queries_total" ["transport" "family"] "Queries taken from sockets"
    TYPES Counter "anyns_queries_by_type_total" ["type"] "Queries by QTYPE; rare types together are `other`"
    ZONE_QUERIES Counter "anyns_zone_queries_total" ["zone"] "Estimated queries for the busiest zones, from one query in 16; a zone that comes back begins at 0; all others are `other`"
    RESPONSES Counter "anyns_responses_total" ["rcode"] "Responses made, by RCODE"
    SENT Counter "anyns_responses_sent_total" [] "Responses that the kernel took"
    TRUNCATED Counter "anyns_responses_truncated_total" [] "Responses with TC set"
    IGNORED Counter "anyns_queries_ignored_total" [] "Messages that get no response: too short, or responses themselves"
    LIMITED Counter "anyns_queries_limited_total" ["action"] "Queries over the rate limit: dropped, answered with TC (slip), or let pass in dry-run mode"
    COOKIES Counter "anyns_queries_with_cookie_total" [] "Queries with a COOKIE option"
    SEND_ERRORS Counter "anyns_send_errors_total" [] "Responses that the kernel did not take"
    RECEIVE_ERRORS Counter "anyns_receive_errors_total" [] "Receive and accept calls that failed"
    CONNECTIONS Counter "anyns_connections_total" [] "Connections accepted over TCP, TLS and QUIC"
    CONNECTIONS_REFUSED Counter "anyns_connections_refused_total" [] "Connections refused because a cap was reached"
    CONNECTIONS_TIMED_OUT Counter "anyns_connections_timed_out_total" [] "Connections closed because the client was silent or slow"
    SESSIONS Counter "anyns_encrypted_sessions_total" ["protocol"] "TLS and QUIC sessions that were agreed on"
    HANDSHAKE_FAILURES Counter "anyns_handshake_failures_total" [] "Connections that ended before TLS, QUIC, HTTP or a PROXY header was agreed on"
    PROTOCOL_ERRORS Counter "anyns_protocol_errors_total" [] "Connections or streams that ended because the client broke the rules of HTTP or DoQ"
    LATENCY Histogram "anyns_query_duration_seconds" [] "How long UDP queries are in a worker, from the end of the receive call to the end of the send call, of one batch in 16; the wait in the socket is not in it"
    WORKERS Gauge "anyns_workers" [] "Workers that serve"
    WORKERS_STALE Gauge "anyns_workers_stale" [] "Workers that have sent no heartbeat for too long"
    LISTENER Gauge "anyns_listener_up" ["address" "transport"] "Whether a listening socket works: 1 yes"
    RATE_LIMIT Gauge "anyns_rate_limit_enforced" [] "Whether the rate limiter enforces its limit: 1 yes, 0 dry run or off"
    TABLE_SLOTS Gauge "anyns_rate_limit_table_slots" [] "Sources that the rate limiter tells apart"

    ZONES Gauge "anyns_zones" ["state"] "Zones by state: loading, served, kept (an older version), refused, expired"
    ZONES_NOT_WELL Gauge "anyns_zones_not_well" [] "Zones that are not served in their newest version, or with faults"
    ZONES_NOT_KEPT Gauge "anyns_zones_not_kept" [] "Zones that are served in a version that is not in the state directory yet"
    ZONES_TRANSFER Gauge "anyns_zones_transfer_faults" ["fault"] "Zones from primaries that are: empty (no version ever came), stale (no primary reached for longer than REFRESH), behind (the primary's serial went backwards), diverged (a primary had other content under the serial that was served), refused (a version of a primary is refused)"
    ZONES_BEHIND_PRIMARY Gauge "anyns_zones_behind_primary" [] "Zones of which a primary has a newer version than is served"
    ZONES_BEHIND_PRIMARY_FOR Gauge "anyns_zones_behind_primary_seconds" [] "How long the first of those zones has been so; 0 without one"
    ZONES_CANARY Gauge "anyns_zones_canary" ["state"] "Zones of which canaries have each version first: released (all secondaries may have the newest), trial, overdue (longer than it should take), halted; stopped: those that are halted because a canary became unhealthy; withheld: no version is there for the others"
    CANARIES Gauge "anyns_canaries" ["health"] "Canaries by how well they are: good, bad, unknown (not known, or drained by order), serial-only (only the serial is checked)"
    DELAY Gauge "anyns_delay_seconds" [] "How long after it came a version is served, at a last-resort POP; no other POP has it"
    ZONES_WAITING Gauge "anyns_zones_waiting" [] "Zones of which versions wait, at a last-resort POP"
    ZONES_EXPIRE Gauge "anyns_zones_signature_expiry_timestamp_seconds" [] "When the first DNSSEC signature of any zone expires, in Unix time"
    TRANSFERS Counter "anyns_transfers_total" ["kind"] "Transfers into this POP that put a version into service"
    TRANSFER_OCTETS Counter "anyns_transfer_bytes_total" [] "Octets of those transfers"
    ZONE_UP Gauge "anyns_zone_healthy" ["zone"] "Whether the zone is served in its newest version, without faults and not expired: 1 yes"
    ZONE_SERIAL Gauge "anyns_zone_serial" ["zone"] "The serial that is served"
    ZONE_RECORDS Gauge "anyns_zone_records" ["zone"] "Records that are served"
    ZONE_ACCEPTED Gauge "anyns_zone_accepted_timestamp_seconds" ["zone"] "When the version that is served was accepted, in Unix time"
    ZONE_EXPIRES Gauge "anyns_zone_signature_expiry_timestamp_seconds" ["zone"] "When the first DNSSEC signature of the zone expires, in Unix time"
    ZONE_PRIMARY_SERIAL Gauge "anyns_zone_primary_serial" ["zone"] "The newest serial that a primary told"
    ZONE_CHECKED Gauge "anyns_zone_checked_timestamp_seconds" ["zone"] "When a primary last confirmed what is served, in Unix time"
    ZONE_TRANSFER_EXPIRES Gauge "anyns_zone_expiry_timestamp_seconds" ["zone"] "When a zone from primaries expires (SOA EXPIRE), in Unix time"
    ZONE_NEXT Gauge "anyns_zone_refresh_timestamp_seconds" ["zone"] "When the primaries of the zone are asked next, in Unix time"
    ZONE_FAILURES Gauge "anyns_zone_transfer_failures" ["zone"] "Attempts to reach a primary that failed in a row"

    PROBE_UP Gauge "anyns_probe_up" ["address" "transport"] "Whether the probes of a service address are answered well: 1 yes"
    PROBE_PRESSURE Gauge "anyns_probe_pressure" ["address" "transport"] "Whether probes are lost to overload: 1 yes"
    PROBE_QUESTIONS Counter "anyns_probe_questions_total" ["address" "transport"] "Questions that the POP asked itself"
    PROBE_LOST Counter "anyns_probe_questions_lost_total" ["address" "transport"] "Questions that the POP asked itself and that got no answer in time"
    PROBE_RTT Gauge "anyns_probe_round_trip_seconds" ["address" "transport"] "How long the last answer to a probe took"
    PREFIX_DESIRED Gauge "anyns_prefix_desired" ["prefix"] "What is decided for a prefix: 0 withdraw, 1 prefer less, 2 announce"
    PREFIX_SINCE Gauge "anyns_prefix_desired_timestamp_seconds" ["prefix"] "Since when that is decided, in Unix time"
    PREFIX_HOLD Gauge "anyns_prefix_hold_seconds" ["prefix"] "How much longer a prefix is on hold before it is announced"
    PREFIX_WITHDRAWALS Counter "anyns_prefix_withdrawals_total" ["prefix"] "How often an announced prefix was withdrawn"
    PREFIX_WITHDRAWN_IN Gauge "anyns_prefix_withdrawal_duration_seconds" ["prefix"] "How long the last withdrawal took, from the decision until no neighbor held the route"
    ROUTE_SENT Gauge "anyns_route_sent" ["prefix" "neighbor"] "What a neighbor was sent: 0 nothing or a withdrawal, 1 prefer less, 2 announce"
    SESSION_UP Gauge "anyns_session_up" ["neighbor"] "Whether the BGP session is established: 1 yes"
    SESSION_ESTABLISHED Counter "anyns_session_established_total" ["neighbor"] "How often the BGP session came up"
    SESSION_SINCE Gauge "anyns_session_state_timestamp_seconds" ["neighbor"] "Since when the session has its state, in Unix time"
    LEASE Gauge "anyns_lease_held" [] "Whether the deciding task renews what is announced: 1 yes, 0 the speaker asks by itself"
}
