//! The admin socket: a Unix stream socket, one JSON object per line, a [`Request`] up, a [`Response`] down.
//!
//! In flow the requests of `anyns status`, `drain` and the like; out they go to the daemon over a bounded channel, and
//! its answer goes back. [`Status`] is the whole state as a document; [`overall`] says whether it is well and
//! [`render`] makes it readable. Only who may open the socket file may ask: that is its whole protection. Never
//! decides anything, never names another module of anyns, never waits without a limit.
//!
//! ```text
//!     anyns status ---> socket ---> connection task (at most 16) ---> mpsc (at most 16) ---> daemon
//!                  <---        <---                              <--- oneshot           <---
//! ```

mod client;
mod message;
mod overall;
mod render;
mod server;
mod status;

pub use client::call;
pub use message::{ControlError, Request, Response};
pub use overall::{Overall, Verdict, overall};
pub use render::render;
pub use server::{Call, Server, Settings, serve};
pub use status::{
    Alarm, ListenerStatus, NeighbourStatus, OperatorStatus, PrefixStatus, ProbeStatus, RateLimitStatus,
    RouteState, ServeStatus, Status, WorkerStatus, ZoneState, ZoneStatus,
};
