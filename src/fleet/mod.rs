//! All POPs of the service as one: asked in parallel over their management addresses, through the listener `web` of each.
//!
//! ```text
//!   [fleet] ---> PopClient (1x POP) ---> survey: documents ---> summaries, and buckets whose digests differ
//!                                                                 |  serials and content digests of those buckets
//!                                                                 v
//!                                        FleetReport: what is wrong first, and the zones that differ
//!   a page ----------------------------> follow: the same from second to second, a slow POP with its last answer
//!   ZONE SERIAL -----------------------> wait: until every announced POP serves it
//!   canaries of a hub -----------------> health: their probes, routes, zones and errors
//!   every POP -------------------------> catchments: which client prefixes reach which POP; an estimate of a drain
//! ```
//!
//! A POP that does not answer is a line of the report, never a delay: every question has the same limit, and they are asked at the
//! same time. Answers are read leniently, because POPs of a fleet are upgraded one by one. Everything that a POP says is data of the
//! network: it is bounded here, and the page and the text output escape it. Changes nothing anywhere.

mod catchment;
mod client;
mod compare;
mod document;
mod drain_plan;
mod error;
mod follow;
mod health;
mod render;
mod rounds;
mod settings;
mod summary;
mod survey;
mod wait;

pub use catchment::{
    AnnouncedPrefix, CatchmentReport, ClientPrefix, PopCatchment, SharedPrefix, catchments, catchments_csv,
    render_catchments,
};
pub use client::PopClient;
pub use document::{PopDocument, PopLoad, Reach, ToldCatchment};
pub use drain_plan::{DrainPlan, PlanError, Receiver, render_plan};
pub use error::FleetError;
pub use follow::{Follow, Surveyed};
pub use health::{PopHealth, ServerHealth};
pub use render::render;
pub use rounds::{ANSWER_LIMIT, LastAnswer, Rounds};
pub use settings::{FleetPop, FleetTls, FleetUrl, Settings, UrlError};
pub use summary::{FleetReport, PopSummary, PrefixSummary, ScarcePrefix, ZoneDifference};
pub use survey::{Clients, alone, clients, escaped, survey, zone_path};
pub use wait::{WaitOutcome, Waiting, wait};
