//! Logs: text or JSON lines, each with the POP and the instance it comes from. They leave through [`super::log_writer`], so
//! a thread that logs never waits for the reader of standard error.

use std::fmt;
use std::io;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::json_text::escape_controls;
use super::level::LogLevel;
use super::list::from_marked;
use super::log_error::LogError;
use super::log_writer::{self, Logs};

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-01-01T00:00:00.000000Z  INFO pop=fra1 instance=a anyns::daemon: ready zones=3`.
    #[default]
    Text,
    /// One JSON object: `timestamp`, `level`, `pop`, `instance`, `target`, `message` and the event's fields.
    Json,
}

/// What the operator chose about logs, and who logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// How a line is written.
    pub format: LogFormat,
    /// What is logged: a level (`info`) or levels by module (`info,anyns::health=debug`).
    pub level: String,
    /// The POP's name.
    pub pop: String,
    /// The instance's name.
    pub instance: String,
}

/// Logging that has begun.
#[derive(Debug)]
pub struct Logging {
    /// The thread that writes the records.
    pub logs: Logs,
    /// Changes what is logged.
    pub level: LogLevel,
}

/// Who gets what is logged beside the log: events and spans.
pub type ExportedLogs = Box<dyn Layer<Registry> + Send + Sync>;

/// Begins to log to standard error, on a thread of its own, and to `exported`, if there is one; once in a process. A panic becomes one log
/// record.
///
/// # Errors
/// An unknown level, a thread that cannot be started, or logging that has begun before.
pub fn start_logs(settings: &LogSettings, exported: Option<ExportedLogs>) -> Result<Logging, LogError> {
    let level = LogLevel::new(&settings.level)?;
    let (logs, lines) = log_writer::start(io::stderr()).map_err(|source| LogError::Thread { source })?;
    let subscriber = subscriber(settings, &level, lines, exported);
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|source| LogError::PendingAnswer { source })?;
    super::panic_log::log_panics();
    Ok(Logging { logs, level })
}

fn subscriber<W>(
    settings: &LogSettings,
    level: &LogLevel,
    writer: W,
    exported: Option<ExportedLogs>,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let (pop, instance) = (settings.pop.clone(), settings.instance.clone());
    let registry =
        tracing_subscriber::registry().with(exported.map(|layer| layer.with_filter(level.filter())));
    // A line tells of one event; what goes on around it is for those who follow traces. Without the hint no level would be the highest.
    let is_event = filter_fn(|metadata| metadata.is_event()).with_max_level_hint(LevelFilter::TRACE);
    let lines = level.filter().and(is_event);
    match settings.format {
        LogFormat::Text => {
            Box::new(registry.with(layer.event_format(Text { pop, instance }).with_filter(lines)))
        }
        LogFormat::Json => {
            Box::new(registry.with(layer.event_format(Json { pop, instance }).with_filter(lines)))
        }
    }
}

/// The usual text line with the POP in front.
struct Text {
    pop: String,
    instance: String,
}

/// One flat JSON object per line.
struct Json {
    pop: String,
    instance: String,
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        let level = event.metadata().level();
        write!(writer, " {level:>5} pop={} instance={} ", self.pop, self.instance)?;
        let mut text = String::new();
        let rest = format::format().without_time().with_level(false).with_ansi(false);
        rest.format_event(context, Writer::new(&mut text), event)?;
        // One event is one line, whatever is in it: no line without a POP, and none that a client has forged.
        for character in text.trim_end_matches('\n').chars() {
            match character.is_control() {
                true => write!(writer, "{}", character.escape_default())?,
                false => writer.write_char(character)?,
            }
        }
        writeln!(writer)
    }
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut line = Line::default();
        event.record(&mut line);
        // Written last, so that no field of an event can stand in for them.
        line.put("timestamp", timestamp);
        line.put("level", event.metadata().level().as_str());
        line.put("pop", self.pop.as_str());
        line.put("instance", self.instance.as_str());
        line.put("target", event.metadata().target());
        let text = serde_json::to_string(&line.0).map_err(|_| fmt::Error)?;
        writeln!(writer, "{}", escape_controls(text))
    }
}

/// The fields of one event.
#[derive(Default)]
struct Line(serde_json::Map<String, serde_json::Value>);

impl Line {
    fn put(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        self.0.insert(name.into(), value.into());
    }
}

impl tracing::field::Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        match from_marked(&format!("{value:#?}")) {
            Some(list) => self.put(field.name(), list),
            None => self.put(field.name(), format!("{value:?}")),
        }
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &tracing::field::Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.put(field.name(), value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::telemetry::List;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn settings(format: LogFormat, level: &str) -> LogSettings {
        LogSettings { format, level: level.into(), pop: "fra1".into(), instance: "fra1-a".into() }
    }

    fn logged(format: LogFormat) -> String {
        let page = Page::default();
        let to = page.clone();
        let level = LogLevel::new("info").unwrap();
        let subscriber = subscriber(&settings(format, "info"), &level, move || to.clone(), None);
        assert_eq!(
            subscriber.max_level_hint(),
            Some(LevelFilter::INFO),
            "what is not logged costs a comparison"
        );
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("surrounding", inside = true).entered();
            let why = ["one".to_owned(), "two".to_owned()];
            tracing::info!(zones = 3, pop = "forged", why = ?List(&why), "ready\nforged line\u{9b}2J\u{7f}");
            tracing::debug!("not seen");
        });
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_text_line_carries_pop_and_instance() {
        let line = logged(LogFormat::Text);
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words[0].ends_with('Z') && words[0].contains('T'), "{line}");
        assert_eq!(words[1..4], ["INFO", "pop=fra1", "instance=fra1-a"], "{line}");
        assert!(line.contains("zones=3"), "{line}");
        assert!(line.contains("why=one; two"), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains(r"ready\nforged line\u{9b}2J\x7f"), "{line}");
        assert!(!line.contains("not seen") && !line.contains("surrounding"), "{line}");
    }

    #[test]
    fn a_json_line_carries_them_on_top() {
        let text = logged(LogFormat::Json);
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["pop"], "fra1");
        assert_eq!(line["instance"], "fra1-a");
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "ready\nforged line\u{9b}2J\u{7f}");
        assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
        assert_eq!(line["zones"], 3);
        assert_eq!(line["why"], serde_json::json!(["one", "two"]));
        assert!(line["target"].as_str().unwrap().starts_with("anyns::telemetry"));
    }

    #[test]
    fn a_level_that_is_none_is_named() {
        for word in ["loud", "", "INFOO", "info,debugg"] {
            let error = LogLevel::new(word).unwrap_err();
            assert!(matches!(error, LogError::Word { .. }), "{word:?}: {error}");
        }
        for level in ["info", "WARN", "off", "info,anyns::health=debug", "anyns::health"] {
            LogLevel::new(level).unwrap();
        }
        let error = LogLevel::new("anyns=loud").unwrap_err();
        assert!(error.to_string().contains("`anyns=loud`"), "{error}");
    }
}
