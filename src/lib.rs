//! # anyns: an anycast authoritative DNS server that announces its route only while it answers
//!
//! One process runs in every point of presence (POP) of an anycast DNS service. It
//!
//! 1. serves authoritative DNS for the *service addresses* that all POPs share: UDP, TCP, and, if asked, TLS, HTTPS and QUIC,
//! 2. keeps its zones in step with what is deployed,
//! 3. limits what one source can take,
//! 4. tests itself, all the time, the way a resolver would use it, and
//! 5. announces the route to the service addresses only while that holds.
//!
//! ```text
//!     queries                                        zone files, updates, primaries (transfer), catalogs
//!        |                                                                    |
//!     serve      sockets, batches, one worker per core             publish   read, validate, compile, keep
//!        |                                                                    |
//!     admission  may this source be answered?                                 v
//!        |                                          +---------------- zone    snapshot (immutable,
//!     answer     bytes in, bytes out   <------------+                 swapped atomically)
//!        |
//!     serve      out again
//!
//!     health probes -> facts -> policy decision -> route gate -> embedded BGP speaker | dry run
//!     control  the admin socket     web  the page, the API     fleet  the other POPs
//!     metrics, dnstap, catchment, rssac002, otlp  what is measured     telemetry  counters, logs     daemon  puts it together
//! ```
//!
//! ## The two halves
//!
//! - The **query path** (`wire`, `zone`, `answer`, `admission`, `serve`) never names a control-plane module, never
//!   locks, logs or allocates per query, and touches only what its worker owns, the zone snapshot, and
//!   fixed-size tables.
//! - The **control plane** (everything else) is ordinary tokio: clear before fast.
//!
//! They meet in [`zone::Published`]: the control plane stores a new [`zone::Snapshot`], the workers load it.
//!
//! What is served survives a restart: a version of a zone file is on disk in that file, is served as soon as it is
//! accepted, and is kept in the state directory right after, so that no start and no reload waits for a disk; until it
//! is kept, `status` says so. A version that is in no file is durable before it is served: a bumped serial, a whole
//! transfer that replaces a version, and a difference, which costs what it changes and not what the zone holds. The first
//! version that a primary gives of a zone is served like one of a file: without it nothing would be served. The exact difference of
//! each step is kept there, too.
//!
//! ## Facts, leases, supervisors
//!
//! Every source of facts publishes a value and a count of its checks; whoever uses the fact measures its age in its own
//! [run time](telemetry::RunTime), so that a pause of the whole process makes nothing look old. A fact that says whether this POP
//! answers withdraws the route when it is too old; any other raises an alarm.
//!
//! A decision is a *lease*: the deciding task renews it at each of its turns. When it is not renewed, the speaker asks the service
//! addresses by itself: if they answer, the route stays, less preferred, with an alarm; if not, it is withdrawn. A watchdog shuts
//! the BGP connections down when the speaker itself does not run. So no single thread can die or hang and leave a dead POP
//! announced:
//!
//! ```text
//!     systemd --> decide, speaker      status --> every task (alarms)
//!     watchdog --> speaker --> decide --> facts: health, serve, host, publish
//!     neighbor (hold timer) --> the process
//! ```
//!
//! Each of these has a thread of its own; those that supervise each other exchange values without a lock ([`handoff`]). A task
//! that panics is logged, counted and started again ([`telemetry::keep_running`]). Log records leave through a bounded queue.
//!
//! ## What hickory and governor do here
//!
//! | part | who | why |
//! | --- | --- | --- |
//! | probes ([`health`]) and `anyns which`: questions made, answers read and judged | hickory-proto | an independent reading of our own answers |
//! | UDP with `engine = "hickory"`, on every platform of tokio ([`serve::hickory`]) | hickory-server | the second implementation: tests hold both engines to the same answers |
//! | TCP, TLS, HTTPS and QUIC, with both engines | ours | hickory-server 0.26.3 bounds no connection of its listeners |
//! | queries parsed, answers written ([`wire`], [`answer()`](answer::answer)) | ours | hickory's codec allocates for each record, and its store walks every key on a miss: a hit takes 11.1 µs of user time (here 0.3), NXDOMAIN comes 12 times a second |
//! | the rate of each source ([`admission`]) | governor | its cell rate algorithm, over tables that spoofed sources cannot make grow; hickory-server answers what it cannot parse before any code of ours |
//!
//! The figures were measured with hickory-dns 0.26.3 on one core, 180,000 records, over UDP on loopback.
//!
//! ## Platforms
//!
//! One alias decides which platform code is compiled: `cfg(native)` is Linux, with its own engine, system calls and kernel tables;
//! `cfg(not(native))` is the portable path for every Unix that tokio runs on: `engine = "hickory"`, and nothing that only Linux can tell
//! (load of the sockets, routes, the sockets of other processes, writers of a file). `src/build.rs` sets it. With
//! `ANYNS_PORTABLE=1` in the environment the portable path is built on Linux; `tests/portable` lints and tests it so.
//!
//! ## Who may name whom
//!
//! `tests/tidy.rs` checks every `use` in `src` against this table, and lets no two files of a module import each other. A module with
//! several folders has such a table for them in its `mod.rs`.
//!
//! | module | may name |
//! | --- | --- |
//! | `sys` | (nothing; alone holds `unsafe`) |
//! | `wire` | (nothing) |
//! | `zone` | `sys` `wire` `clock` |
//! | `answer` | `wire` `zone` |
//! | `admission` | (nothing) |
//! | `clock` | (nothing) |
//! | `handoff` | (nothing) |
//! | `telemetry` | `handoff` `clock` |
//! | `serve` | `sys` `wire` `zone` `answer` `admission` `telemetry` `clock` |
//! | `zonefile` | `sys` `wire` `zone` `telemetry` |
//! | `publish` | `sys` `wire` `zone` `zonefile` `telemetry` `handoff` `clock` |
//! | `transfer` | `sys` `wire` `zone` `publish` `telemetry` `handoff` `clock` |
//! | `catalog` | `wire` `zone` |
//! | `update` | `wire` `zone` `publish` `transfer` `telemetry` |
//! | `health` | `sys` `wire` `policy` `telemetry` `handoff` |
//! | `policy` | (nothing) |
//! | `host` | `sys` `telemetry` `handoff` |
//! | `route` | `sys` `policy` `telemetry` `handoff` |
//! | `control` | `sys` `telemetry` `handoff` `clock` |
//! | `catchment` | `handoff` |
//! | `rssac002` | `sys` `wire` `telemetry` `handoff` `clock` |
//! | `dnstap` | `telemetry` `wire` `handoff` `catchment` `clock` |
//! | `metrics` | `control` `telemetry` `wire` |
//! | `otlp` | `telemetry` `clock` |
//! | `fleet` | `wire` `transfer` `control` `telemetry` |
//! | `web` | `transfer` `control` `fleet` `telemetry` `handoff` `clock` |
//! | `config` | `sys` `wire` `zone` `zonefile` `answer` `admission` `serve` `publish` `transfer` `catalog` `update` `health` `policy` `route` `control` `dnstap` `rssac002` `otlp` `fleet` `web` `telemetry` |
//! | `daemon` | everything but `cli` |
//! | `cli` | everything |
//!
//! ## Rules that no change may break
//!
//! 1. No route before every zone is loaded, restored, or refused with a reason, the required zones serve, and the
//!    POP has answered its own probes `rise` times. One bad zone is never a reason to be silent.
//! 2. The process dies, or a thread of it hangs: the route goes when the POP does not answer, without anyone's help.
//! 3. A serial, an age, an expiry (of a zone, a certificate, a signature) is a fact, never a verdict.
//! 4. Overload is not ill health, and it must be proven: of the address, family and transport that lost its probes, while
//!    answers leave there. Such probes are pressure, never down.
//! 5. Bad data never replaces good; a file that vanished removes nothing until it is said.
//! 6. Drain in order: prefer less, wait, withdraw, wait until the queries stop, then close.
//! 7. Every outbound socket binds the POP's management address, never a service address.
//! 8. Everything is bounded, each bound has a name and a reason.

pub mod admission;
pub mod answer;
pub mod catalog;
pub mod catchment;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod dnstap;
pub mod fleet;
pub mod handoff;
pub mod health;
pub mod host;
pub mod metrics;
pub mod otlp;
pub mod policy;
pub mod publish;
pub mod route;
pub mod rssac002;
pub mod serve;
#[allow(unsafe_code)]
pub mod sys;
pub mod telemetry;
#[cfg(test)]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "support of the tests"
)]
#[path = "../tests/unit/support.rs"]
mod test_support;
pub mod transfer;
pub mod update;
pub mod web;
pub mod wire;
pub mod zone;
pub mod zonefile;
