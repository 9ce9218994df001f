//! The text of a scrape: families of samples, labels escaped.
//!
//! No client library writes it: those own their counters, and these belong to the workers that count.

use std::fmt::{Display, Write};

use super::metric::{Kind, Metric};

/// In which format a scrape is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4, which every scraper and `promtool check metrics` read.
    #[default]
    Text,
    /// OpenMetrics 1.0, for a scraper that accepts it.
    OpenMetrics,
}

impl Format {
    /// The format for what a scraper accepts (the HTTP header Accept).
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }

    /// The HTTP header Content-Type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A text that grows.
pub(super) struct Exposition {
    format: Format,
    text: String,
    /// The labels of every sample.
    labels: String,
}

/// The samples of one metric: they stand together.
pub(super) struct Family<'a> {
    of: &'a mut Exposition,
    metric: &'a Metric,
    begun: bool,
}

impl Exposition {
    pub(super) fn new(format: Format, pop: &str, instance: &str) -> Self {
        let mut labels = String::new();
        write_label(&mut labels, "pop", pop);
        labels.push(',');
        write_label(&mut labels, "instance", instance);
        Self { format, text: String::with_capacity(64 * 1024), labels }
    }

    /// Begins a metric. Nothing of it is written unless a sample follows.
    pub(super) fn family<'a>(&'a mut self, metric: &'a Metric) -> Family<'a> {
        Family { of: self, metric, begun: false }
    }

    /// One sample of a metric without labels of its own.
    pub(super) fn single(&mut self, metric: &Metric, value: impl Display) {
        self.family(metric).row(&[], value);
    }

    /// The same, if there is a value.
    pub(super) fn optional(&mut self, metric: &Metric, value: Option<impl Display>) {
        if let Some(value) = value {
            self.single(metric, value);
        }
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Family<'_> {
    /// A sample: the values of the metric's labels in their order, and its own.
    pub(super) fn row(&mut self, labels: &[&str], value: impl Display) {
        self.sample("", labels, None, value);
    }

    /// The samples of a histogram: the limits in seconds and how many are at most so large, then all of them.
    pub(super) fn histogram(
        &mut self,
        buckets: impl Iterator<Item = (Option<f64>, u64)>,
        (count, sum): (u64, f64),
    ) {
        for (limit, count) in buckets {
            let limit = limit.map_or_else(|| "+Inf".to_owned(), |limit| limit.to_string());
            self.sample("_bucket", &[], Some(&limit), count);
        }
        self.sample("_sum", &[], None, sum);
        self.sample("_count", &[], None, count);
    }

    fn sample(&mut self, suffix: &str, labels: &[&str], limit: Option<&str>, value: impl Display) {
        self.begin();
        let Exposition { text, labels: of_all, .. } = &mut *self.of;
        text.push_str(self.metric.name);
        text.push_str(suffix);
        text.push('{');
        text.push_str(of_all);
        for (name, value) in self.metric.labels.iter().zip(labels) {
            text.push(',');
            write_label(text, name, value);
        }
        if let Some(limit) = limit {
            text.push(',');
            write_label(text, "le", limit);
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "}} {value}");
    }

    fn begin(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let metric = self.metric;
        // OpenMetrics names the family of a counter without its suffix.
        let family = match (self.of.format, metric.kind) {
            (Format::OpenMetrics, Kind::Counter) => metric.name.trim_end_matches("_total"),
            _ => metric.name,
        };
        let (help, kind) = (metric.help, metric.kind.word());
        let _ = writeln!(self.of.text, "# HELP {family} {help}.\n# TYPE {family} {kind}");
    }
}

/// A label. Both formats escape the same characters, and a value may hold any others.
fn write_label(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text.push('"');
}
