//! Logs and traces of the control plane to an OpenTelemetry receiver: OTLP over HTTP (protobuf), if asked for.
//!
//! ```text
//!   every thread that logs --> ExportLayer --> queue (bounded, without a lock) --> Exporter (1x, thread "otlp") --> POST /v1/logs
//!        or ends a span                                                                                       '--> POST /v1/traces
//! ```
//!
//! What is exported is what is logged: the same level holds for both. A receiver that is slow, stuck or gone costs its own records alone:
//! they are counted as dropped, and the same batch is sent again with a growing pause. A thread that logs never waits for it, and never
//! wakes anybody. Connections leave from a management address, one for each batch.
//!
//! The messages are those of `opentelemetry-proto`, which prost makes. The SDK of OpenTelemetry is not used: the queue of its batch
//! processor has a lock and does not tell how many records it dropped, and its HTTP clients bind no address.

mod endpoint;
mod exporter;
mod layer;
mod message;
mod post;
mod queue;

pub use endpoint::{Endpoint, EndpointError};
pub use exporter::{Export, Settings, start};
pub use layer::ExportLayer;
pub use queue::ExportCounts;
