//! The page in a real browser (Debian's chromium with its chromedriver, W3C WebDriver), in the long run alone: what it shows and how soon, that
//! no text of the network becomes markup, and a picture of every view at three widths, light and dark, in the target directory.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::catchment::{CLIENTS, add_clients, ask};
use crate::fleet::fleet;
use crate::support::anyns::BOUND;
use crate::support::lab::{Lab, Space};
use crate::support::pop::{ZONE, deploy, replace};
use crate::support::process::Process;
use crate::support::skip::{has_programs, is_full_run};
use crate::support::table::tell;
use crate::support::wait::wait_for;
use crate::support::zones;

const DRIVER: &str = "127.0.0.1:9515";
pub(crate) const PAGE: &str = "http://127.0.0.1:9533/";
/// What an operator must see within this time.
const SOON: Duration = Duration::from_secs(2);

/// A browser with one window; closed when dropped.
pub(crate) struct Browser {
    space: Space,
    session: String,
    _driver: Process,
}

impl Browser {
    pub(crate) fn start(lab: &Lab, space: &Space) -> Self {
        let driver = lab.start(space, "chromedriver", "chromedriver", &["--port=9515"]);
        let mut browser = Self { space: space.clone(), session: String::new(), _driver: driver };
        let profile = lab.subdirectory("browser");
        let arguments = json!([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--hide-scrollbars",
            format!("--user-data-dir={}", profile.display())
        ]);
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}});
        wait_for("the driver answers", BOUND, || browser.try_call("GET", "/status", &Value::Null));
        let made = browser.call("POST", "/session", &wanted);
        browser.session = format!("/session/{}", made["sessionId"].as_str().expect("a session"));
        browser
    }

    /// One command; `None` where the driver is not reached.
    fn try_call(&self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {DRIVER}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let text = self.space.inside(|| {
            let mut stream = TcpStream::connect(DRIVER).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
            stream.write_all(request.as_bytes()).ok()?;
            // The driver keeps the connection whatever is asked: the length tells the end.
            let (mut text, mut chunk) = (Vec::new(), vec![0; 65_536]);
            loop {
                let head = text.windows(4).position(|four| four == b"\r\n\r\n");
                if let Some(head) = head {
                    let fields = String::from_utf8_lossy(&text[..head]).to_ascii_lowercase();
                    let length = fields
                        .lines()
                        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
                    if text.len() >= head + 4 + length? {
                        return Some(text.split_off(head + 4));
                    }
                }
                match stream.read(&mut chunk).ok()? {
                    0 => return None,
                    length => text.extend_from_slice(&chunk[..length]),
                }
            }
        })?;
        serde_json::from_slice::<Value>(&text).ok().map(|answer| answer["value"].clone())
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let value = self.try_call(method, path, body).expect("the driver answers");
        assert!(value.get("error").is_none(), "{method} {path}: {value}");
        value
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("{}{path}", self.session), body)
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// What a script returns.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// What a script hands to `done`, within half a minute.
    pub(crate) fn script_until_done(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1];\n{script}");
        self.post("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Milliseconds until something of the page was painted first; -1 if nothing was.
    pub(crate) fn first_paint(&self) -> f64 {
        let script = "const p = performance.getEntriesByName('first-contentful-paint')[0]; return p ? p.startTime : -1";
        self.script(script).as_f64().expect("a number")
    }

    /// Waits until the text of the page holds this; how long it took.
    pub(crate) fn wait_text(&self, wanted: &str) -> Duration {
        let mut last = String::new();
        let begun = Instant::now();
        loop {
            if let Some(text) = self.script("return document.body.innerText").as_str() {
                last = text.to_owned();
            }
            if last.contains(wanted) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < BOUND, "{wanted:?} is not in {last}");
        }
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    fn picture(&self, width: u32, scheme: &str, name: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", &json!({"features": features}));
        let metrics = |height: u32| json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics(900));
        let overflow =
            self.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(overflow, 0, "{name} at {width} is wider than the window");
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let taken = self.devtools("Page.captureScreenshot", &whole);
        let octets = data_encoding::BASE64
            .decode(taken["data"].as_str().expect("a picture").as_bytes())
            .expect("base 64");
        let file = pictures().join(format!("{name}-{width}-{scheme}.png"));
        std::fs::write(file, octets).expect("written");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.try_call("DELETE", &self.session, &Value::Null);
    }
}

/// Where the pictures are.
fn pictures() -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&directory).expect("a directory");
    directory
}

#[test]
fn the_page_in_a_browser() {
    // The full run alone: a browser is a large package.
    if !is_full_run() || !has_programs("the page in a browser", &["chromium", "chromedriver"]) {
        return;
    }
    let mut fleet = fleet(&[("down", "127.0.0.1:9535")]);
    fleet.restart_with_list();
    add_clients(&fleet);
    for (client, server, times) in [
        (CLIENTS[0], "192.0.2.53:53", 60),
        (CLIENTS[1], "192.0.2.53:53", 20),
        (CLIENTS[2], "[2001:db8:53::53]:53", 20),
        (CLIENTS[0], "192.0.2.53:5301", 20),
    ] {
        ask(&fleet, client, server, times);
    }
    let _stream = fleet.alone.stream();
    let browser = Browser::start(&fleet.alone.lab, &fleet.alone.space);
    // Another POP tells of its clients, too; one that is down does not.
    for (pop, text) in [("other", "100.0 %"), ("down", "502: no connection")] {
        browser.open(&format!("{PAGE}#/pop/{pop}"));
        browser.wait_text(text);
    }
    let begun = Instant::now();
    browser.open(PAGE);
    browser.wait_text("3 POPs: 2 ok");
    let first = begun.elapsed();
    let paint = browser.first_paint();
    // Each fault of a POP is seen within two seconds of its end.
    deploy(&fleet.alone.zones, ZONE, 2);
    fleet.alone.anyns.wait_zone(ZONE, "served", Some(2));
    let lag = browser.wait_text("1 at other");
    // Other content under the serial of the other POP.
    let more = format!("{}\nmore A 192.0.2.77\n", zones::versioned(ZONE, 2));
    replace(&fleet.alone.lab.subdirectory("zones-other").join(format!("{ZONE}.zone")), &more);
    browser.wait_text("same serial, other content: 2 digest ");
    for width in [360, 1280] {
        browser.picture(width, "light", "other-content");
    }
    let markup = "<img/src=x/onerror=window.pwned=1><script>window.pwned=2</script>";
    std::fs::write(
        fleet.alone.zones.join("bad.example.zone"),
        format!("$ORIGIN bad.example.\n@ IN {markup}\n"),
    )
    .expect("written");
    fleet.alone.anyns.wait_zone("bad.example", "refused", None);
    let refused = browser.wait_text("bad.example. is refused");
    fleet.other.kill();
    let crashed = browser.wait_text("2 without an answer");
    for (event, took) in [("a lagging serial", lag), ("a refused zone", refused), ("a crashed POP", crashed)]
    {
        assert!(took < SOON, "{event}: {took:?}");
    }
    tell(&format!(
        "page: all POPs {first:.1?}, first paint {paint} ms, lag {lag:.1?}, refused {refused:.1?}, crash {crashed:.1?}"
    ));
    // The zone's page has what each POP kept before it was opened.
    browser.open(&format!("{PAGE}#/zone/{ZONE}."));
    browser.wait_text("alone: 1 → 2 (file)");
    // A zone that is refused by every POP that answers has no serial to be the same.
    browser.open(&format!("{PAGE}#/zone/bad.example."));
    browser.wait_text("no POP that answers serves it");
    for (view, hash, text) in [
        ("fleet", "#/", "2 without an answer"),
        ("pop", "#/pop/alone", "203.0.113.0/24"),
        ("zones", "#/zones", "1 of 2 zones is not well"),
        ("zone", "#/zone/example.org.", "the same serial at 1 of 3 POPs"),
        ("bad-zone", "#/zone/bad.example.", "bad.example.zone:2:"),
    ] {
        browser.open(&format!("{PAGE}{hash}"));
        browser.wait_text(text);
        let live = || {
            (browser.script("return document.getElementById('live').dataset.state") == "good").then_some(())
        };
        wait_for("it is live", BOUND, live);
        let drawn =
            || (browser.script("return document.body.innerText.includes('asking')") == false).then_some(());
        wait_for("it is drawn", BOUND, drawn);
        for width in [360, 768, 1280] {
            for scheme in ["light", "dark"] {
                browser.picture(width, scheme, view);
            }
        }
        let harm = browser.script(
            "return [window.pwned === undefined, document.querySelectorAll('main img, main script, main style').length]",
        );
        assert_eq!(harm, json!([true, 0]), "{view}");
        // By keyboard: from the top of the page the first two stops are the way past the navigation and the brand.
        let stops = browser
            .script("return [...document.querySelectorAll('a, button, input')].every(e => e.tabIndex >= 0)");
        assert_eq!(stops, true, "{view}");
    }
    let lines = browser.script("return performance.getEntriesByType('resource').filter(e => !e.name.startsWith(location.origin)).length");
    assert_eq!(lines, 0, "something came from elsewhere");
}
