//! What is logged as messages of OTLP.

use std::fmt;
use std::time::SystemTime;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use tracing::field::{Field, Visit};

use crate::clock::since_1970;

/// Octets of a text at most; the rest is cut off, as in the log.
const MOST_TEXT: usize = 16 * 1024;

/// The field that is the text of an event.
const MESSAGE: &str = "message";

/// The fields of an event or a span.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// The text of an event.
    pub(super) message: String,
    /// All other fields.
    pub(super) attributes: Vec<KeyValue>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            // A second field of this name is an attribute.
            (MESSAGE, Value::StringValue(text)) if self.message.is_empty() => self.message = text,
            (name, value) => self.attributes.push(attribute(name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, text(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, text(value.to_owned()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::IntValue(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        // OTLP has no unsigned integers.
        self.put(field, i64::try_from(value).map_or_else(|_| text(value.to_string()), Value::IntValue));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::DoubleValue(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::BoolValue(value));
    }
}

/// An attribute.
pub(super) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A text of bounded length.
pub(super) fn text(mut text: String) -> Value {
    if text.len() > MOST_TEXT {
        text.truncate(text.floor_char_boundary(MOST_TEXT));
        text.push_str("...");
    }
    Value::StringValue(text)
}

/// The number of a level, as the data model of logs has it.
pub(super) fn severity(level: tracing::Level) -> i32 {
    match level {
        tracing::Level::TRACE => 1,
        tracing::Level::DEBUG => 5,
        tracing::Level::INFO => 9,
        tracing::Level::WARN => 13,
        tracing::Level::ERROR => 17,
    }
}

/// Nanoseconds since 1970.
pub(super) fn nanoseconds(at: SystemTime) -> u64 {
    u64::try_from(since_1970(at).as_nanos()).unwrap_or(u64::MAX)
}

/// Who tells.
pub(super) fn resource(pop: &str, instance: &str) -> Resource {
    let attributes = [
        ("service.name", "anyns"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", instance),
        ("anyns.pop", pop),
    ];
    let attributes = attributes.map(|(key, value)| attribute(key, text(value.to_owned())));
    Resource { attributes: attributes.into(), ..Resource::default() }
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "anyns".to_owned(), ..InstrumentationScope::default() })
}

/// The body of a request with log records.
pub(super) fn logs(resource: &Resource, log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }];
    let resource = Some(resource.clone());
    let resource_logs = vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }
}

/// The body of a request with spans.
pub(super) fn spans(resource: &Resource, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
    let resource = Some(resource.clone());
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}
