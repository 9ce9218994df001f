//! `anyns zone export`: what is served, as a zone file that gives the same zone again.

use crate::client::{Client, zone};
use crate::hub::{HUB, PORT, ZONE, hub};
use crate::support::skip::has_programs;

#[test]
fn an_export_is_the_zone_that_is_served() {
    if !has_programs("zone export", &["nsupdate", "dig"]) {
        return;
    }
    let (mut hub, _) = hub();
    hub.anyns.start(&hub.lab);
    hub.anyns.wait_zone(ZONE, "served", Some(1));
    let add = format!("update add quoted.{ZONE}. 300 TXT \"with \\\"quotes\\\"; and more\"");
    assert_eq!(Client::Nsupdate.send(&hub.space, (HUB, PORT), Some("hmac-sha256"), &add), "NOERROR");
    let file = hub.lab.directory().join("export.zone");
    let text = file.display().to_string();
    hub.anyns.must(&["zone", "export", ZONE, "--output", &text]);
    let before = zone(&hub.space, (HUB, PORT));
    assert_eq!(before.0, Some(2));
    let printed = hub.anyns.must(&["zone", "export", ZONE]);
    assert_eq!(printed, std::fs::read_to_string(&file).unwrap());
    hub.anyns.must(&["zone", "check", &text, "--origin", ZONE]);
    // As a file it is the same zone.
    std::fs::rename(&file, hub.zones.join(format!("{ZONE}.zone"))).unwrap();
    let config = std::fs::read_to_string(hub.anyns.config()).unwrap();
    let config = config.split("\n[control]\n").next().unwrap();
    let (front, back) = config.split_once(&format!("[[zone]]\nname = \"{ZONE}\"")).unwrap();
    let back = back.split_once("[[zone]]").unwrap().1;
    hub.anyns.write_config(&format!("{front}[[zone]]{back}"));
    hub.anyns.must(&["reload"]);
    hub.anyns.wait_zone(ZONE, "served", Some(2));
    assert_eq!(zone(&hub.space, (HUB, PORT)), before);
    // It takes no updates any more.
    assert_eq!(Client::Nsupdate.send(&hub.space, (HUB, PORT), Some("hmac-sha256"), &add), "REFUSED");
    let missing = hub.anyns.command(&["zone", "export", "no.test"]);
    assert_eq!(missing.code, 1, "{}", missing.text);
}
