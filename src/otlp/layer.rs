//! What threads do when they log or end a span: a record is made and put into the queue. No I/O, no wait.

use std::time::SystemTime;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::message::{Fields, attribute, nanoseconds, severity, text};
use super::queue::{Record, Records};

/// Makes records of events and spans.
#[derive(Debug)]
pub struct ExportLayer {
    records: Records,
}

/// What is known of a span that goes on.
struct OpenSpan {
    trace: [u8; 16],
    id: [u8; 8],
    parent: Option<[u8; 8]>,
    at: SystemTime,
    fields: Fields,
}

impl ExportLayer {
    pub(super) fn new(records: Records) -> Self {
        Self { records }
    }
}

/// An identifier is never zero.
fn identifier<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    while octets == [0; N] {
        fastrand::fill(&mut octets);
    }
    octets
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ExportLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = span
            .parent()
            .and_then(|parent| parent.extensions().get::<OpenSpan>().map(|open| (open.trace, open.id)));
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let open = OpenSpan {
            trace: parent.map_or_else(identifier, |(trace, _)| trace),
            id: identifier(),
            parent: parent.map(|(_, id)| id),
            at: SystemTime::now(),
            fields,
        };
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<OpenSpan>() {
            values.record(&mut open.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (metadata, now) = (event.metadata(), nanoseconds(SystemTime::now()));
        fields.attributes.push(attribute("target", text(metadata.target().to_owned())));
        let inside = context.event_span(event).and_then(|span| {
            span.extensions().get::<OpenSpan>().map(|open| (open.trace.to_vec(), open.id.to_vec()))
        });
        let (trace_id, span_id) = inside.unwrap_or_default();
        self.records.push(Record::Log(Box::new(LogRecord {
            time_unix_nano: now,
            observed_time_unix_nano: now,
            severity_number: severity(*metadata.level()),
            severity_text: metadata.level().as_str().to_owned(),
            body: attribute("", text(fields.message)).value,
            attributes: fields.attributes,
            trace_id,
            span_id,
            ..LogRecord::default()
        })));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<OpenSpan>() else { return };
        self.records.push(Record::Span(Box::new(Span {
            trace_id: open.trace.to_vec(),
            span_id: open.id.to_vec(),
            parent_span_id: open.parent.map(Vec::from).unwrap_or_default(),
            name: span.name().to_owned(),
            kind: SpanKind::Internal as i32,
            start_time_unix_nano: nanoseconds(open.at),
            end_time_unix_nano: nanoseconds(SystemTime::now()),
            attributes: open.fields.attributes,
            ..Span::default()
        })));
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn events_and_spans_become_records_of_one_trace() {
        let records = Records::new();
        let subscriber = tracing_subscriber::registry().with(ExportLayer::new(records.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let outer = tracing::info_span!("reload", zones = 3, outcome = tracing::field::Empty).entered();
            tracing::info_span!("transfer", zone = "example.org.").in_scope(|| {
                tracing::warn!(most = u64::MAX, share = 0.5, is_late = true, "slow");
            });
            outer.record("outcome", "done");
        });
        let all: Vec<Record> = std::iter::from_fn(|| records.pop()).collect();
        let [Record::Log(log), Record::Span(inner), Record::Span(outer)] = &all[..] else {
            panic!("{all:?}")
        };
        let value = |attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue], key: &str| {
            let found = attributes.iter().find(|attribute| attribute.key == key);
            found.and_then(|attribute| attribute.value.clone()?.value)
        };
        assert_eq!(log.body.as_ref().unwrap().value, Some(Value::StringValue("slow".into())));
        assert_eq!((log.severity_number, log.severity_text.as_str()), (13, "WARN"));
        assert_eq!(value(&log.attributes, "most"), Some(Value::StringValue(u64::MAX.to_string())));
        assert_eq!(value(&log.attributes, "share"), Some(Value::DoubleValue(0.5)));
        assert_eq!(value(&log.attributes, "is_late"), Some(Value::BoolValue(true)));
        assert_eq!((inner.name.as_str(), outer.name.as_str()), ("transfer", "reload"));
        assert_eq!(value(&outer.attributes, "outcome"), Some(Value::StringValue("done".into())));
        assert_eq!(value(&outer.attributes, "zones"), Some(Value::IntValue(3)));
        assert_eq!((&log.trace_id, &log.span_id), (&inner.trace_id, &inner.span_id));
        assert_eq!((&inner.trace_id, &inner.parent_span_id), (&outer.trace_id, &outer.span_id));
        assert!(outer.parent_span_id.is_empty() && outer.trace_id.len() == 16 && outer.span_id.len() == 8);
        assert!(outer.start_time_unix_nano > 0 && outer.end_time_unix_nano >= outer.start_time_unix_nano);
    }

    #[test]
    fn a_long_text_is_cut() {
        let Value::StringValue(cut) = text("ä".repeat(20_000)) else { panic!("a text") };
        assert!(cut.len() <= 16 * 1024 + 3 && cut.ends_with("ä..."));
    }
}
