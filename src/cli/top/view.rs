//! The screen of `top`: a state and its rates in, widgets out. Does no I/O.

use std::cmp::Reverse;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Sparkline};

use crate::control::{CatchmentPrefix, CatchmentStatus, Status, Verdict, one_line, printable};
use crate::metrics::RCODES as RCODE_NAMES;
use crate::telemetry;

use super::rates::{Rates, ZONES};

/// Counters by RCODE and by query type, where the running anyns counts them.
const RCODES: &str = "rcode_";
const QTYPES: &str = "qtype_";
const WORKERS: &str = "worker_";

/// Lines above the panels: the state, the curve.
const HEAD: u16 = 2;
const CURVE: u16 = 6;

/// The state that is shown.
#[derive(Debug, Default)]
pub(super) struct View {
    status: Option<Status>,
    clients: Option<CatchmentStatus>,
    fault: Option<String>,
    has_colours: bool,
}

impl View {
    pub(super) fn new(has_colours: bool) -> Self {
        Self { has_colours, ..Self::default() }
    }

    pub(super) fn take(&mut self, status: Status, clients: Option<CatchmentStatus>) {
        (self.status, self.clients, self.fault) = (Some(status), clients, None);
    }

    /// No state came; the last one stays.
    pub(super) fn fault(&mut self, fault: String) {
        self.fault = Some(fault);
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>, rates: &Rates) {
        let Some(status) = &self.status else { return };
        let rows =
            [Constraint::Length(HEAD), Constraint::Length(CURVE), Constraint::Fill(1), Constraint::Fill(1)];
        let [head, curve, upper, lower] = Layout::vertical(rows).areas(frame.area());
        frame.render_widget(Paragraph::new(self.head(status)), head);
        self.draw_curve(frame, rates, curve);
        let fourths = [Constraint::Fill(3), Constraint::Fill(2), Constraint::Fill(2), Constraint::Fill(3)];
        let [counters, rcodes, qtypes, clients] = Layout::horizontal(fourths).areas(upper);
        panel(frame, counters, "per second", rate_lines(&rates.others(&[RCODES, QTYPES, WORKERS, ZONES])));
        panel(frame, rcodes, "RCODE per second", seen(&named_rcodes(&rates.group(RCODES))));
        panel(frame, qtypes, "type per second", seen(&rates.group(QTYPES)));
        panel(frame, clients, "clients", clients_of(self.clients.as_ref()));
        let equal = [Constraint::Fill(1); 4];
        let [routes, zones, busiest, alarms] = Layout::horizontal(equal).areas(lower);
        panel(frame, routes, "routes", self.routes(status));
        panel(frame, zones, "zones", zones_of(status));
        panel(frame, busiest, "zone per second (estimate)", seen(&rates.group(ZONES)));
        panel(frame, alarms, "wrong", self.complaints(status, rates));
    }

    fn style(&self, colour: Color) -> Style {
        // Without colours the reversed text must do.
        match self.has_colours {
            true => Style::new().fg(colour),
            false => Style::new().add_modifier(Modifier::BOLD),
        }
    }

    fn head(&self, status: &Status) -> Vec<Line<'static>> {
        let colour = match status.overall.verdict {
            Verdict::Ok => Color::Green,
            Verdict::Degraded => Color::Yellow,
            Verdict::Down => Color::Red,
        };
        let since = span(status.now.saturating_sub(status.overall.since));
        let up = span(status.now.saturating_sub(status.started));
        let first = Line::from(vec![
            Span::raw(format!("{} ({})  ", shown(&status.pop), shown(&status.instance))),
            Span::styled(status.overall.verdict.word(), self.style(colour)),
            Span::raw(format!(" for {since}   anyns {}, up {up}   q: quit", shown(&status.version))),
        ]);
        let second = match &self.fault {
            Some(fault) => Line::styled(shown(fault), self.style(Color::Red)),
            None if status.operator.order == "automatic" => Line::default(),
            None => Line::styled(
                format!("ordered: {} ({})", shown(&status.operator.order), shown(&status.operator.reason)),
                self.style(Color::Yellow),
            ),
        };
        vec![first, second]
    }

    fn draw_curve(&self, frame: &mut Frame<'_>, rates: &Rates, area: Rect) {
        let title = format!(" {} queries per second ", number(rates.queries()));
        let curve = Sparkline::default().block(Block::bordered().title(title));
        let curve =
            curve.style(self.style(Color::Cyan)).data(rates.curve(usize::from(area.width.saturating_sub(2))));
        frame.render_widget(curve, area);
    }

    fn routes(&self, status: &Status) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        for prefix in &status.prefixes {
            let style = if prefix.intent == "announce" { Style::new() } else { self.style(Color::Yellow) };
            lines.push(Line::styled(format!("{}  {}", shown(&prefix.prefix), shown(&prefix.intent)), style));
            lines.extend(prefix.reasons.iter().map(|reason| Line::raw(format!("  {}", shown(reason)))));
            for neighbor in &prefix.neighbors {
                let sent = format!("{:?}", neighbor.sent).to_lowercase();
                let (address, session) = (shown(&neighbor.neighbor), shown(&neighbor.session));
                lines.push(Line::raw(format!("  {address}  {session}, sent: {sent}")));
            }
        }
        lines
    }

    fn complaints(&self, status: &Status, rates: &Rates) -> Vec<Line<'static>> {
        let style = self.style(Color::Red);
        let mut lines: Vec<_> =
            status.overall.reasons.iter().map(|reason| Line::styled(shown(reason), style)).collect();
        if lines.is_empty() {
            lines.push(Line::raw("nothing"));
        }
        lines.push(Line::raw(""));
        for worker in &status.serve.workers {
            let rates = rates.group(WORKERS);
            let name = worker.index.to_string();
            let rate = rates.iter().find(|(index, _)| *index == name).map_or(0.0, |(_, rate)| *rate);
            let stale = if worker.stale { "  no heartbeat" } else { "" };
            lines.push(Line::raw(format!("worker {name}: {}/s{stale}", number(rate))));
        }
        lines
    }
}

fn panel(frame: &mut Frame<'_>, area: Rect, title: &'static str, lines: Vec<Line<'static>>) {
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(title)), area);
}

fn zones_of(status: &Status) -> Vec<Line<'static>> {
    let counts = &status.zone_counts;
    let mut lines = vec![Line::raw(format!(
        "{}: {} served, {} kept, {} refused, {} expired, {} loading",
        telemetry::counted(counts.total, "zone"),
        counts.served,
        counts.kept,
        counts.refused,
        counts.expired,
        counts.loading
    ))];
    for zone in &status.zones {
        let serial = zone.serial.map_or_else(|| "-".to_owned(), |serial| serial.to_string());
        let state = format!("{:?}", zone.state).to_lowercase();
        lines.push(Line::raw(format!("{}  {serial}  {state}", shown(&zone.name))));
    }
    lines
}

fn rate_lines(rates: &[(&str, f64)]) -> Vec<Line<'static>> {
    rates.iter().map(|(name, rate)| Line::raw(format!("{:>9}  {}", number(*rate), shown(name)))).collect()
}

/// What came in the last second.
fn seen(rates: &[(&str, f64)]) -> Vec<Line<'static>> {
    let seen: Vec<_> = rates.iter().filter(|(_, rate)| *rate > 0.0).copied().collect();
    rate_lines(&seen)
}

/// RCODEs by their names (IANA "DNS RCODEs").
fn named_rcodes<'a>(rates: &[(&'a str, f64)]) -> Vec<(&'a str, f64)> {
    let name =
        |number: &'a str| number.parse::<usize>().ok().and_then(|number| RCODE_NAMES.get(number).copied());
    rates.iter().map(|(number, rate)| (name(number).unwrap_or(number), *rate)).collect()
}

/// The client prefixes with the most samples, and their shares.
fn clients_of(catchment: Option<&CatchmentStatus>) -> Vec<Line<'static>> {
    let Some(catchment) = catchment else { return vec![Line::raw("not counted without [samples]")] };
    let mut prefixes: Vec<_> = catchment.ipv4.prefixes.iter().chain(&catchment.ipv6.prefixes).collect();
    prefixes.sort_by_key(|prefix| Reverse(prefix.samples));
    let all = catchment.samples().max(1) as f64;
    let line = |prefix: &CatchmentPrefix| {
        let share = prefix.samples as f64 * 100.0 / all;
        Line::raw(format!("{share:>5.1} %  {}", shown(&prefix.prefix)))
    };
    prefixes.into_iter().map(line).collect()
}

/// With two or three significant digits, up to 9,999 as it is.
fn number(rate: f64) -> String {
    match rate {
        _ if rate < 10.0 => format!("{rate:.1}"),
        _ if rate < 10_000.0 => format!("{rate:.0}"),
        _ if rate < 10_000_000.0 => format!("{:.0} k", rate / 1e3),
        _ => format!("{:.0} M", rate / 1e6),
    }
}

fn span(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

/// One line without control characters, of bounded length.
fn shown(text: &str) -> String {
    printable(&one_line(text))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::control::CatchmentFamily;

    #[test]
    fn the_screen_shows_the_state_at_any_size() {
        let mut status = Status { pop: "ams1".into(), instance: "ams1-a".into(), ..Status::default() };
        status.overall.verdict = Verdict::Degraded;
        status.overall.reasons = vec!["zone \u{1b}[2Jbad.example. is refused".into()];
        status.serve.counters = [("udp_queries".to_owned(), 1000), ("rcode_3".to_owned(), 10)].into();
        let (start, mut rates) = (Instant::now(), Rates::default());
        let zones = |queries: u64| [("busy.example.".to_owned(), queries)].into();
        rates.take(&status, &zones(16), start);
        status.serve.counters =
            [("udp_queries".to_owned(), 5000), ("rcode_3".to_owned(), 30), ("qtype_AAAA".to_owned(), 7)]
                .into();
        rates.take(&status, &zones(336), start + Duration::from_secs(1));
        let mut view = View::new(false);
        let prefix = CatchmentPrefix { prefix: "203.0.113.0/24".into(), samples: 3, missed: 0 };
        let ipv4 = CatchmentFamily { samples: 4, prefixes: vec![prefix] };
        view.take(status, Some(CatchmentStatus { ipv4, ..CatchmentStatus::default() }));
        for (width, height) in [(1, 1), (40, 10), (120, 40)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| view.draw(frame, &rates)).unwrap();
            let text = terminal.backend().to_string();
            assert!(!text.contains('\u{1b}'), "{text}");
            if width == 120 {
                for piece in [
                    "ams1 (ams1-a)  degraded",
                    "4000 queries per second",
                    "udp_queries",
                    "bad.example",
                    "20  NXDOMAIN",
                    "320  busy.example",
                    "7.0  AAAA",
                    "75.0 %  203.0.113.0/24",
                ] {
                    assert!(text.contains(piece), "{piece}: {text}");
                }
            }
        }
        view.fault("no anyns answers".into());
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| view.draw(frame, &rates)).unwrap();
        assert!(terminal.backend().to_string().contains("no anyns answers"));
    }
}
