//! A timeline as an SVG drawing: a lane for each client and family, coloured by the server that answers, and a lane for each router
//! whose route changes. Plain text, no script, no font of its own.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::result::ScenarioResult;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 64.0;
const LANE: f64 = 24.0;

/// How much of the time after the fault is shown before it, too.
const BEFORE: f64 = 0.15;

/// Colours of the servers (readable for the colour-blind: Okabe and Ito), of lost queries, and of lines.
const COLOURS: [&str; 6] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#f0e442"];
const LOST: &str = "#d00000";

/// Draws a result.
pub fn draw(result: &ScenarioResult) -> String {
    let servers: BTreeSet<&str> = result
        .clients
        .iter()
        .flat_map(|client| client.segments.iter().filter_map(|segment| segment.instance.as_deref()))
        .collect();
    let servers: Vec<&str> = servers.into_iter().collect();
    let mut routers: Vec<(&str, usize)> = Vec::new();
    for change in &result.routes {
        let key = (change.router.as_str(), change.family);
        if !routers.contains(&key) {
            routers.push(key);
        }
    }
    let end = end_ms(result);
    let start = end * -BEFORE;
    let x = |ms: f64| LEFT + (ms.clamp(start, end) - start) / (end - start) * (WIDTH - LEFT - RIGHT);
    let lanes = result.clients.len() + routers.len();
    let bottom = TOP + LANE * lanes as f64;
    let height = bottom + 44.0;
    let mut out = String::new();
    let title = escape(&format!("{} at {}: {}", result.scenario, result.pop, result.what));
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>{title}</title>\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"15\">{title}</text>\n"
    );
    legend(&mut out, &servers);
    for (lane, client) in result.clients.iter().enumerate() {
        let y = TOP + LANE * lane as f64;
        label(&mut out, y, &format!("{} {}", client.client, ["IPv4", "IPv6"][client.family.min(1)]));
        for segment in &client.segments {
            let colour = segment.instance.as_deref().map_or(LOST, |name| colour(&servers, name));
            let (from, to) = (x(segment.from_ms), x(segment.to_ms + 1000.0 / f64::from(client.rate.max(1))));
            bar(&mut out, from, to, y, colour);
        }
    }
    for (lane, (router, family)) in routers.iter().enumerate() {
        let y = TOP + LANE * (result.clients.len() + lane) as f64;
        label(&mut out, y, &format!("{router} {}", ["IPv4", "IPv6"][(*family).min(1)]));
        for change in
            result.routes.iter().filter(|change| change.router == *router && change.family == *family)
        {
            let (x, fill) = (x(change.at_ms), if change.gone { LOST } else { "#333333" });
            let _ = writeln!(
                out,
                "<circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{fill}\"/>",
                y + LANE / 2.0 - 2.0
            );
        }
    }
    axis(&mut out, &x, end, bottom);
    out.push_str("</svg>\n");
    out
}

/// A little after the last thing that happened.
fn end_ms(result: &ScenarioResult) -> f64 {
    let events = result.events.iter().map(|event| event.at_ms);
    let lost = result
        .clients
        .iter()
        .flat_map(|client| &client.segments)
        .filter(|segment| segment.instance.is_none());
    let last = events.chain(lost.map(|segment| segment.to_ms)).fold(0.0, f64::max);
    (last * 1.15).max(500.0)
}

fn legend(out: &mut String, servers: &[&str]) {
    let entries = servers.iter().map(|name| (*name, colour(servers, name)));
    let entries = entries.chain([("lost queries, route gone", LOST), ("other route", "#333333")]);
    let mut x = 10.0;
    for (name, fill) in entries {
        let name = escape(name);
        let _ = writeln!(
            out,
            "<rect x=\"{x:.0}\" y=\"34\" width=\"12\" height=\"12\" fill=\"{fill}\"/><text x=\"{:.0}\" y=\"44\">{name}</text>",
            x + 17.0
        );
        x += 36.0 + 7.0 * name.len() as f64;
    }
}

fn label(out: &mut String, y: f64, text: &str) {
    let _ = writeln!(out, "<text x=\"10\" y=\"{:.1}\">{}</text>", y + 14.0, escape(text));
}

fn bar(out: &mut String, from: f64, to: f64, y: f64, fill: &str) {
    let width = (to - from).max(0.5);
    let _ = writeln!(
        out,
        "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{fill}\"/>",
        LANE - 5.0
    );
}

/// Milliseconds or seconds below, the fault as a line across all lanes.
fn axis(out: &mut String, x: &impl Fn(f64) -> f64, end: f64, bottom: f64) {
    let steps = [50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0];
    let step = steps.into_iter().find(|step| end / step <= 7.0).unwrap_or(10_000.0);
    let mut at = 0.0;
    while at <= end {
        let (x, text) =
            (x(at), if step < 1000.0 { format!("{at:.0} ms") } else { format!("{:.0} s", at / 1000.0) });
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#999999\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            bottom,
            bottom + 6.0,
            bottom + 20.0
        );
        at += step;
    }
    let zero = x(0.0);
    let _ = write!(
        out,
        "<line x1=\"{zero:.1}\" y1=\"{:.1}\" x2=\"{zero:.1}\" y2=\"{bottom:.1}\" stroke=\"#000000\" stroke-dasharray=\"4 3\"/>\n\
         <text x=\"{zero:.1}\" y=\"{:.1}\" text-anchor=\"middle\">fault</text>\n",
        TOP - 4.0,
        bottom + 36.0
    );
}

fn colour(servers: &[&str], name: &str) -> &'static str {
    let index = servers.iter().position(|server| *server == name).unwrap_or(0);
    COLOURS[index % COLOURS.len()]
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
