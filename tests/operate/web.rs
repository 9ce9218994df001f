//! The page and the API of a running anyns: what is told, to whom, and what hostile clients come to.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use crate::http::{connect, event, exchange, get};
use crate::support::anyns::BOUND;
use crate::support::pop::{Alone, ZONE, deploy, replace};
use crate::support::wait::{wait_for, wait_until};

const LOOPBACK: &str = "127.0.0.1:9533";

#[test]
fn the_page_tells_what_the_status_tells_and_nothing_of_another_site_runs_in_it() {
    let alone = Alone::running("[web]\n");
    let ask = |target: &str| get(&alone.space, LOOPBACK, target, "");
    wait_until("it is ready", BOUND, || ask("/readyz").status == 200);
    assert_eq!(ask("/readyz").body, "ready (dry run)\n", "nothing is announced");
    assert_eq!(ask("/healthz").body, "alive\n");
    for (target, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/api/v1/status", "application/json"),
        ("/no-such-page", "text/plain; charset=utf-8"),
    ] {
        let reply = ask(target);
        assert_eq!(reply.field("content-type"), Some(media_type), "{target}");
        let policy = reply.field("content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(reply.field("x-content-type-options"), Some("nosniff"), "{target}");
        assert_eq!(reply.field("cache-control"), Some("no-store"), "{target}");
    }
    assert_eq!(ask("/no-such-page").status, 404);
    let uncounted = ask("/api/v1/catchment");
    assert!(
        uncounted.status == 404 && uncounted.body.contains("add the section [samples]"),
        "{}",
        uncounted.body
    );
    // The document is that of the admin socket.
    let (here, there) = (ask("/api/v1/status").json(), alone.anyns.status().expect("a status"));
    let keys = |document: &serde_json::Value| {
        document.as_object().expect("an object").keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(keys(&here), keys(&there));
    assert_eq!((&here["zones"][0]["name"], &here["pop"]), (&there["zones"][0]["name"], &there["pop"]));
    assert_eq!(ask("/api/v1/status?zones=no.such.zone").json()["zones"].as_array().map(Vec::len), Some(0));
    assert_eq!(ask("/api/v1/status?most=0").json()["zone_counts"]["total"], 1);
    let facts = here["facts"].as_array().cloned().expect("a list");
    assert!(facts.iter().any(|fact| fact["name"] == "probes"), "{facts:?}");
    assert!(facts.iter().all(|fact| fact["age_ms"].as_u64().is_some_and(|age| age < 10_000)), "{facts:?}");
    let serials: Vec<u64> = (0..=255u32)
        .step_by(8)
        .map(|first| (first..first + 8).map(|bucket| bucket.to_string()).collect::<Vec<_>>().join(","))
        .flat_map(|list| {
            ask(&format!("/api/v1/serials?buckets={list}")).json().as_array().cloned().expect("a list")
        })
        .filter_map(|row| row[1].as_u64())
        .collect();
    assert_eq!(serials, [1], "one zone is in one bucket");
    let metrics = ask("/metrics");
    assert_eq!(metrics.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(metrics.body.contains("# TYPE ") && metrics.body.contains("pop=\"alone\""), "{}", metrics.body);
    deploy(&alone.zones, ZONE, 2);
    let seen = event(&alone.space, LOOPBACK, "/events/zone?zone=example.org", |_, rows| {
        rows[0]["zone"]["serial"] == 2
    });
    assert_eq!(seen[0]["pop"], "alone");
    let pop =
        event(&alone.space, LOOPBACK, "/events/fleet", |name, pop| name == "pop" && pop["verdict"] == "ok");
    assert_eq!((&pop["name"], &pop["verdict"], &pop["zones"]), (&"alone".into(), &"ok".into(), &1.into()));
    hostile(&alone);
    // All of that was the page's affair alone.
    assert!(alone.anyns.status().is_some_and(|status| status["overall"]["verdict"] == "ok"));
}

/// What is refused, each by its status, and that the page answers afterwards.
fn hostile(alone: &Alone) {
    let send = |request: &str| exchange(&alone.space, LOOPBACK, request.as_bytes()).status;
    let host = "Host: 127.0.0.1\r\nConnection: close\r\n";
    let long = "x".repeat(3000);
    let fields: String = (0..80).map(|number| format!("x-{number}: y\r\n")).collect();
    for (request, status) in [
        (format!("POST / HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("DELETE /api/v1/status HTTP/1.1\r\n{host}\r\n"), 405),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_owned(), 421),
        ("GET /healthz HTTP/1.0\r\n\r\n".to_owned(), 200),
        ("GET /healthz HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /readyz HTTP/1.0\r\n\r\n".to_owned(), 200),
        ("GET /metrics HTTP/1.0\r\n\r\n".to_owned(), 421),
        ("GET /metrics HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET http://evil.example/metrics HTTP/1.1\r\n{host}\r\n"), 421),
        (format!("GET http://127.0.0.1/metrics HTTP/1.1\r\n{host}\r\n"), 200),
        ("GET http://127.0.0.1/metrics HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1@evil.example\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{host}Content-Length: 0\r\nContent-Length: 3\r\n\r\nabc"), 400),
        (
            format!(
                "GET / HTTP/1.1\r\n{host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            413,
        ),
        (format!("GET / HTTP/1.1\r\n{host}Transfer-Encoding: chunked, identity\r\n\r\n"), 400),
        (format!("GET /{long} HTTP/1.1\r\n{host}\r\n"), 414),
        (format!("GET / HTTP/1.1\r\n{host}x: {}\r\n\r\n", "y".repeat(70_000)), 431),
        (format!("GET / HTTP/1.1\r\n{host}{fields}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\n{host}Content-Length: 1000000\r\n\r\nabc"), 413),
        (format!("GET / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 413),
        (format!("GET /api/v1/serials?buckets=256 HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("GET /api/v1/serials?buckets=1,2,3,4,5,6,7,8,9 HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("GET /events/pop?name=nobody HTTP/1.1\r\n{host}\r\n"), 404),
        (format!("GET /events/zone?zone=*x* HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("GET /events/zone?zone=bad HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("HEAD /events/fleet HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("HEAD /events/nosuch HTTP/1.1\r\n{host}\r\n"), 404),
        (format!("GET /healthz HTTP/1.1\r\n{host}{host}\r\n"), 400),
        (format!("GET /../../etc/passwd HTTP/1.1\r\n{host}\r\n"), 404),
        (format!("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n{host}\r\n"), 404),
        ("\u{0}\u{1}\u{2}garbage\r\n\r\n".to_owned(), 400),
    ] {
        let got = send(&request);
        let short: String = request.chars().take(60).collect();
        assert_eq!(got, status, "{short:?}");
    }
    // HTTP/2 is not spoken: it is refused, or closed at once.
    let got = send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(got == 400 || got == 0, "{got}");
    // Pages that one source has open leave room for its scrapers and checks.
    let open = || {
        let mut stream = connect(&alone.space, LOOPBACK);
        stream.write_all(b"GET /events/fleet HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("sent");
        let mut head = [0; 12];
        stream.read_exact(&mut head).expect("an answer");
        (&head == b"HTTP/1.1 200").then_some(stream)
    };
    // The streams of before end within a second or so.
    let pages: Vec<_> = (0..16).map(|_| wait_for("a page more", BOUND, &open)).collect();
    assert_eq!(send(&format!("GET /events/fleet HTTP/1.1\r\n{host}\r\n")), 503, "the 17th page of a source");
    for path in ["/metrics", "/healthz", "/"] {
        assert_eq!(send(&format!("GET {path} HTTP/1.1\r\n{host}\r\n")), 200, "{path}");
    }
    drop(pages);
    wait_until("there is room again", BOUND, || open().is_some());
    // Clients that say nothing, or a head octet by octet, are closed; one source has so many connections and no more.
    let mut slow: Vec<_> = (0..32).map(|_| connect(&alone.space, LOOPBACK)).collect();
    for stream in &mut slow {
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHo");
    }
    let mut more = connect(&alone.space, LOOPBACK);
    let refused = more.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").is_err()
        || more.read(&mut [0; 16]).map_or(true, |length| length == 0);
    assert!(refused, "the 33rd connection of a source");
    let mut rest = Vec::new();
    let first = slow.first_mut().expect("one");
    // It ends after the time for a head, long before the client's own patience.
    let ended = first.read_to_end(&mut rest);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    drop(slow);
    wait_until("the page answers again", BOUND, || {
        let stream = alone.space.inside(|| std::net::TcpStream::connect(LOOPBACK)).is_ok();
        stream && get(&alone.space, LOOPBACK, "/healthz", "").status == 200
    });
}

#[test]
fn beyond_loopback_a_token_is_needed_and_its_file_is_private() {
    const ADDRESS: &str = "198.18.1.2:9533";
    let mut alone = Alone::new("");
    let token = alone.lab.directory().join("token");
    replace(&token, "0123456789abcdef0123456789abcdef\n");
    let mode =
        |mode| std::fs::set_permissions(&token, std::fs::Permissions::from_mode(mode)).expect("changed");
    let zones = alone.zones.clone();
    let config = |tokens: &str| {
        let extra = format!("[web]\nlisten = [\"{ADDRESS}\"]\n{tokens}\n");
        crate::support::pop::base_config(
            &alone.lab,
            "alone",
            ["198.18.1.2", "2001:db8:1::2"],
            "dry-run",
            &extra,
        )
    };
    assert!(zones.exists());
    let (without, with) = (config(""), config(&format!("token-files = [\"{}\"]", token.display())));
    alone.anyns.write_config(&without);
    let refused = alone.anyns.command(&["check"]);
    assert!(
        refused.code == 1 && refused.text.contains("token-files, or certificate, key and"),
        "{}",
        refused.text
    );
    alone.anyns.write_config(&with);
    mode(0o644);
    let refused = alone.anyns.command(&["run"]);
    assert!(refused.code == 1 && refused.text.contains("chmod 640 or 600"), "{}", refused.text);
    mode(0o600);
    let checked = alone.anyns.command(&["check"]);
    assert!(checked.text.contains("tokens go to 198.18.1.2:9533 in clear text"), "{}", checked.text);
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    let ask = |target: &str, fields: &str| get(&alone.space, ADDRESS, target, fields);
    wait_until("it is ready", BOUND, || ask("/readyz", "").status == 200);
    let refused = ask("/", "");
    assert_eq!((refused.status, refused.field("www-authenticate").is_some()), (401, true));
    for target in ["/api/v1/status", "/events/fleet", "/page.js", "/metrics"] {
        assert_eq!(ask(target, "").status, 401, "{target}");
        assert_eq!(ask(target, "Authorization: Bearer 0123456789abcdef\r\n").status, 401, "{target}");
    }
    let good = "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n";
    assert_eq!(ask("/api/v1/status", good).json()["pop"], "alone");
    who_shows_no_token_keeps_nobody_out(&alone, ADDRESS, good);
    // A page that is open, and a client that keeps its connection.
    let request = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: {ADDRESS}\r\n{good}\r\n");
    let open = |target: &str| {
        let mut stream = connect(&alone.space, ADDRESS);
        stream.write_all(request(target).as_bytes()).expect("sent");
        stream
    };
    let (mut page, mut kept) = (open("/events/pop"), open("/healthz"));
    // Whether a response came, or an event.
    let heard =
        |stream: &mut std::net::TcpStream| stream.read(&mut [0; 65_536]).is_ok_and(|length| length > 0);
    assert!(heard(&mut page) && heard(&mut kept));
    // A token that is replaced is good without a restart, and the old one no more.
    replace(&token, "fedcba9876543210fedcba9876543210\n");
    mode(0o600);
    let new = "Authorization: Bearer fedcba9876543210fedcba9876543210\r\n";
    wait_for("the new token is good", BOUND, || (ask("/api/v1/status", new).status == 200).then_some(()));
    assert_eq!(ask("/api/v1/status", good).status, 401);
    wait_until("the page with the old token ends", BOUND, || !heard(&mut page));
    let again = kept.write_all(request("/api/v1/status").as_bytes()).is_ok();
    assert!(!(again && heard(&mut kept)), "the connection with the old token ends");
}

/// More connections than one source may have, each with a request that needs no token.
fn who_shows_no_token_keeps_nobody_out(alone: &Alone, address: &str, token: &str) {
    let idle = || {
        let mut stream = connect(&alone.space, address);
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: pop1.example\r\n");
        stream
    };
    let idle: Vec<_> = (0..40).map(|_| idle()).collect();
    let request = |fields: &str| format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n");
    // Without a token a connection ends after its request, with one it stays.
    let said = exchange(&alone.space, address, request("").as_bytes());
    assert_eq!((said.status, said.field("connection")), (200, Some("close")));
    let said =
        exchange(&alone.space, address, request(&format!("Connection: keep-alive\r\n{token}")).as_bytes());
    assert_eq!((said.status, said.field("connection")), (200, None));
    let metrics = get(&alone.space, address, "/metrics", token);
    assert_eq!(metrics.status, 200);
    let is_refused = |line: &&str| line.starts_with("anyns_web_connections_refused_total");
    let refused =
        metrics.body.lines().find(is_refused).and_then(|line| line.rsplit(' ').next()?.parse().ok());
    assert!(refused.is_some_and(|refused: u64| refused >= 32), "{refused:?}");
    // Clients that show one are missed when they are refused.
    let kept = || {
        let mut stream = connect(&alone.space, address);
        let _ = stream.write_all(request(token).as_bytes());
        stream
    };
    let kept: Vec<_> = (0..40).map(|_| kept()).collect();
    alone.anyns.wait_status("it is told", |status| {
        status["overall"]["reasons"].to_string().contains("connections to [web]: too many are open")
    });
    drop((idle, kept));
}

/// The script has no way to make markup of what it is told, and the page loads nothing from elsewhere.
#[test]
fn no_text_of_the_network_becomes_markup() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/page");
    let read = |name: &str| std::fs::read_to_string(page.join(name)).expect("a file of the page");
    let ways = [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
        "createContextualFragment",
        "DOMParser",
        "srcdoc",
        "javascript:",
        "setTimeout(\"",
        "import(",
        "postMessage",
    ];
    for script in ["page.js", "chart.js", "catchment.js"] {
        let text = read(script);
        let found: Vec<&str> = ways.into_iter().filter(|way| text.contains(way)).collect();
        assert!(found.is_empty(), "{script}: {found:?}");
    }
    for name in ["index.html", "page.css", "page.js", "chart.js", "catchment.js"] {
        let text = read(name).replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("//cdn"), "{name}");
    }
    let html = read("index.html");
    assert!(
        !html.contains("style=") && !html.contains("<script>") && !html.contains(" on"),
        "inline script or style"
    );
}
