//! A zone that is configured and not served: the zone above it does not answer for its names, and no update of them goes there.

use std::io::Write as _;
use std::process::Stdio;

use crate::client::zone;
use crate::hub::{HUB, PORT, SECRET, ZONE, hub};
use crate::support::pop::Alone;
use crate::support::skip::has_programs;

const CHILD: &str = "child.update.test";

/// The RCODE of an answer at the address of transfers.
fn rcode(hub: &Alone, name: &str, record_type: &str) -> String {
    let (server, port) = (format!("@{HUB}"), PORT.to_string());
    let mut command = hub.space.command("dig");
    command.args(["+time=5", "+tries=1", &server, "-p", &port, name, record_type]);
    let text = String::from_utf8_lossy(&command.output().expect("dig runs").stdout).into_owned();
    let status = text.split("status: ").nth(1).and_then(|rest| rest.split(',').next());
    status.unwrap_or_default().to_owned()
}

/// Sends an update without the zone that it is for: the client asks for that. What it said, and whether it was done.
fn update(hub: &Alone, change: &str) -> (String, bool) {
    let mut command = hub.space.command("nsupdate");
    command.args(["-t", "4", "-u", "1", "-r", "2", "-y", &format!("hmac-sha256:hmac-sha256:{SECRET}")]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("nsupdate runs");
    let script = format!("server {HUB} {PORT}\nupdate {change}\nsend\n");
    let _ = child.stdin.take().expect("a pipe").write_all(script.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

#[test]
fn an_update_of_a_zone_that_is_not_served_does_not_go_to_the_zone_above() {
    if !has_programs("updates of a zone that is not served", &["nsupdate", "dig"]) {
        return;
    }
    let (mut hub, _) = hub();
    let config = std::fs::read_to_string(hub.anyns.config()).expect("the config");
    let config = config.split("\n[control]\n").next().expect("the control socket comes last").to_owned();
    // Without a seed it has no version yet.
    hub.anyns.write_config(&format!("{config}\n[[zone]]\nname = \"{CHILD}\"\ndatabase = true\n"));
    hub.anyns.start(&hub.lab);
    hub.anyns.wait_zone(ZONE, "served", Some(1));
    hub.anyns.wait_zone(CHILD, "refused", None);
    let below = format!("h.{CHILD}");
    for name in [CHILD, below.as_str()] {
        assert_eq!(rcode(&hub, name, "SOA"), "SERVFAIL", "{name}");
    }
    let before = zone(&hub.space, (HUB, PORT));
    let (said, is_done) = update(&hub, &format!("add {below}. 60 TXT x"));
    assert!(!is_done, "{said}");
    assert_eq!(zone(&hub.space, (HUB, PORT)), before);
    // One of a name beside it goes where it belongs.
    assert_eq!(rcode(&hub, &format!("h.other.{ZONE}"), "SOA"), "NXDOMAIN");
    let (said, is_done) = update(&hub, &format!("add h.other.{ZONE}. 60 TXT x"));
    assert!(is_done, "{said}");
    assert_eq!(zone(&hub.space, (HUB, PORT)).0, Some(2));
}
