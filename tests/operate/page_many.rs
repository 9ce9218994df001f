//! The page with 300,000 zones at two POPs, in a real browser: how soon it paints first, and how many octets a second its events have.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::browser::{Browser, PAGE};
use crate::catalog_many::{served, write_zones};
use crate::support::anyns::Anyns;
use crate::support::pop::{Alone, base_config};
use crate::support::skip::{has_programs, is_full_run};
use crate::support::table::tell;
use crate::support::wait::wait_for;

/// A start of so many zones on a machine that runs other tests.
const LONG: Duration = Duration::from_secs(1800);
/// Zones that are refused: more than a document of the page names.
const REFUSED: usize = 500;
/// The aim is a second; a machine that runs other tests may take longer, and a page that waits for all zones takes far longer.
const FIRST_PAINT: f64 = 5_000.0;
/// Octets a second of a stream of events at most.
const EVENTS: f64 = 50_000.0;

fn many() -> usize {
    std::env::var("ANYNS_TEST_MANY").ok().and_then(|text| text.parse().ok()).unwrap_or(300_000)
}

/// How many octets a stream of events has in ten seconds, as the browser gets them.
fn octets(browser: &Browser, path: &str) -> u64 {
    let script = format!(
        "(async () => {{
           const end = performance.now() + 10000;
           const reader = (await fetch('{path}')).body.getReader();
           const over = new Promise((resolve) => setTimeout(() => resolve({{ done: true }}), 10000));
           let octets = 0;
           while (performance.now() < end) {{
             const part = await Promise.race([reader.read(), over]);
             if (part.done) break;
             octets += part.value.length;
           }}
           reader.cancel();
           done(octets);
         }})();"
    );
    browser.script_until_done(&script).as_u64().expect("a number of octets")
}

#[test]
fn the_page_with_three_hundred_thousand_zones() {
    // The full run alone: it takes minutes.
    if !is_full_run() || !has_programs("the page with 300,000 zones", &["chromium", "chromedriver"]) {
        return;
    }
    let count = many();
    let list = "[[fleet.pop]]\nname = \"alone\"\nurl = \"http://127.0.0.1:9533\"\n\
                [[fleet.pop]]\nname = \"other\"\nurl = \"http://127.0.0.1:9534\"\n";
    let mut alone = Alone::new(&format!("[web]\n{list}"));
    write_zones(&alone.zones, count);
    for number in 0..REFUSED {
        let path = alone.zones.join(format!("bad{number}.many.test.zone"));
        std::fs::write(path, "@ IN A 192.0.2.1\n").expect("written");
    }
    let extra = format!(
        "[serve]\nport = 5301\n[web]\nlisten = [\"127.0.0.1:9534\"]\n[zones]\ndirectory = \"{}\"\nstate-directory = \"{}\"\n",
        alone.zones.display(),
        alone.lab.subdirectory("state-other").display()
    );
    let config = base_config(&alone.lab, "other", ["198.18.1.2", "2001:db8:1::2"], "dry-run", &extra);
    let mut other = Anyns::new(&alone.lab, &alone.space, "other", &config);
    let begun = Instant::now();
    alone.anyns.start(&alone.lab);
    other.start(&alone.lab);
    for anyns in [&alone.anyns, &other] {
        wait_for("all zones are served", LONG, || (served(anyns) > count as u64).then_some(()));
    }
    let loaded = begun.elapsed();
    let browser = Browser::start(&alone.lab, &alone.space);
    let mut paints = Vec::new();
    let mut shown = Vec::new();
    // Each view in a new document: `about:blank` lies between.
    let refused = format!("{REFUSED} not well");
    for (hash, text) in [
        ("#/", refused.as_str()),
        ("#/pop/other", "Zones that are not well"),
        ("#/zones", "zones are not well"),
    ] {
        browser.open("about:blank");
        let begun = Instant::now();
        browser.open(&format!("{PAGE}{hash}"));
        browser.wait_text(text);
        shown.push(begun.elapsed());
        paints.push(browser.first_paint());
    }
    let name = format!("z{}.many.test.", count / 2);
    browser.open(&format!("{PAGE}#/zone/{name}"));
    browser.wait_text("the same serial everywhere");
    // The search finds one of them.
    let found: Value = browser.script_until_done(&format!(
        "fetch('/api/v1/status?most=50&zones=*z{}.many*').then((answer) => answer.json()).then((status) => done(status.zone_counts.matched));",
        count - 1
    ));
    assert_eq!(found, 1);
    let rates: Vec<f64> =
        ["/events/fleet", "/events/pop", "/events/pop?name=other", &format!("/events/zone?zone={name}")]
            .iter()
            .map(|path| octets(&browser, path) as f64 / 10.0)
            .collect();
    tell(&format!(
        "page with {count} zones at two POPs (loaded in {loaded:.0?}): first paint {paints:.0?} ms, shown {shown:.1?}, \
         octets a second of the events of fleet, POP, other POP, zone {rates:.0?}"
    ));
    assert!(paints.iter().all(|paint| (0.0..FIRST_PAINT).contains(paint)), "{paints:?}");
    assert!(rates.iter().all(|rate| (0.1..EVENTS).contains(rate)), "{rates:?}");
    other.kill();
}
