//! Who may update what, by each client and each HMAC; where updates do not belong.

use crate::client::{Client, zone};
use crate::hub::{ALGORITHMS, HUB, PORT, ZONE, hub};
use crate::support::skip::has_programs;

const SERVER: (&str, u16) = (HUB, PORT);

#[test]
fn each_client_updates_with_each_hmac() {
    if !has_programs("clients of dynamic update", &["nsupdate", "knsupdate", "dig"]) {
        return;
    }
    let (mut hub, seed) = hub();
    hub.anyns.start(&hub.lab);
    hub.anyns.wait_zone(ZONE, "served", Some(1));
    let space = hub.space.clone();
    let mut serial = 1;
    for client in [Client::Nsupdate, Client::Knsupdate] {
        for algorithm in ALGORITHMS {
            let owner = format!("{algorithm}-{client:?}.{ZONE}.").to_lowercase();
            let add = format!("update add {owner} 300 TXT \"by {client:?}\"");
            assert_eq!(
                client.send(&space, SERVER, Some(algorithm), &add),
                "NOERROR",
                "{client:?} {algorithm}"
            );
            serial += 1;
            let (found, lines) = zone(&space, SERVER);
            assert_eq!(found, Some(serial), "{client:?} {algorithm}");
            assert!(lines.iter().any(|line| line.starts_with(&owner)), "{owner}: {lines:?}");
        }
        // Many records: over TCP.
        let many: String =
            (0..400).map(|it| format!("update add many-{it}.{ZONE}. 60 TXT \"{client:?}\"\n")).collect();
        assert_eq!(client.send(&space, SERVER, Some("hmac-sha256"), &many), "NOERROR", "{client:?}");
        serial += 1;
        assert_eq!(zone(&space, SERVER).0, Some(serial));
    }
    // What a key may not do, and where an update does not belong.
    let send = |key, text: &str| Client::Nsupdate.send(&space, SERVER, key, text);
    let acme = format!("update add _acme-challenge.{ZONE}. 60 TXT \"token\"");
    let table = [
        (Some("few"), acme.clone(), "NOERROR"),
        (Some("few"), format!("update delete _acme-challenge.{ZONE}."), "NOERROR"),
        (Some("few"), format!("update add a.b.dyn.{ZONE}. 60 TXT x"), "NOERROR"),
        (Some("few"), format!("update add dyn.{ZONE}. 60 TXT x"), "REFUSED"),
        (Some("few"), format!("update add _acme-challenge.{ZONE}. 60 SRV 1 2 3 x.{ZONE}."), "REFUSED"),
        (Some("few"), format!("update delete www.{ZONE}."), "REFUSED"),
        (Some("none"), acme.clone(), "REFUSED"),
        (None, acme.clone(), "REFUSED"),
        (Some("hmac-sha256"), format!("prereq yxdomain no.{ZONE}.\n{acme}"), "NXDOMAIN"),
    ];
    for (key, text, expected) in table {
        assert_eq!(send(key, &text), expected, "{key:?} {text}");
    }
    // A dot that is missing at the end of a name is a warning, as it is in a file.
    let dot = format!(
        "update add host.{ZONE}.{ZONE}. 60 A 192.0.2.1\nupdate add of.{ZONE}. 60 MX 10 mail.{ZONE}.{ZONE}."
    );
    assert_eq!(send(Some("hmac-sha256"), &dot), "NOERROR");
    let log = hub.anyns.process().output();
    let warning =
        format!(".{ZONE}.{ZONE}. ends with the zone's name twice: is a dot missing at the end of a name?");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&warning)).collect();
    assert!(lines.len() == 1 && lines[0].contains("more=1"), "{lines:?}");
    // A zone of another kind: the log says where the update belongs.
    let elsewhere = "zone pop.test\nupdate add www.pop.test. 60 TXT x";
    assert_eq!(send(Some("hmac-sha256"), elsewhere), "REFUSED");
    let log = hub.anyns.process().output();
    assert!(log.contains("send the update there, to 198.18.9.9:53"), "{log}");
    let file_backed = "zone example.org\nupdate add www.example.org. 60 TXT x";
    assert_eq!(send(Some("hmac-sha256"), file_backed), "REFUSED");
    assert_eq!(send(Some("hmac-sha256"), "zone no.test\nupdate add www.no.test. 60 TXT x"), "NOTAUTH");
    // A zone without a seed has nothing yet, and says what it needs.
    let status = hub.anyns.wait_zone("empty.test", "refused", None);
    assert!(status.to_string().contains("give its [[zone]] a file once, as the seed"), "{status}");
    // The seed says nothing more, changed or gone; what would be served is what is kept.
    let before = zone(&space, SERVER);
    std::fs::write(&seed, "nonsense").unwrap();
    hub.anyns.must(&["reload"]);
    assert_eq!(zone(&space, SERVER), before);
    std::fs::remove_file(&seed).unwrap();
    hub.anyns.must(&["reload"]);
    assert_eq!(zone(&space, SERVER), before);
    hub.anyns.wait_zone(ZONE, "served", None);
    let checked = hub.anyns.command(&["check", "--offline"]).text;
    assert!(checked.contains(&format!("serial {}", before.0.unwrap())), "{checked}");
}
