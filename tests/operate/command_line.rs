//! The command line against a running anyns: lists, documents, who answers, rates, included files.

use serde_json::Value;

use crate::support::encrypted::write_pair;
use crate::support::pop::{Alone, ZONE};

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn each_command_has_a_document_and_which_tells_who_answers() {
    let mut alone = Alone::new("");
    let directory = alone.lab.subdirectory("tls");
    write_pair(&directory);
    let config = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let path = |name: &str| directory.join(name).display().to_string();
    let tls = format!(
        "\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\ndot = 853\ndoq = 853\ndoh = 443\n",
        path("cert.pem"),
        path("key.pem")
    );
    std::fs::write(alone.anyns.config(), format!("include = \"conf.d/*.toml\"\n{config}{tls}"))
        .expect("written");
    let included = alone.lab.subdirectory("conf.d");
    let checked = document(&alone.anyns.must(&["check", "--json"]));
    assert_eq!(
        (&checked["exit_code"], &checked["errors"]),
        (&Value::from(0), &Value::Array(vec![])),
        "{checked:#}"
    );
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();

    let zones = document(&alone.anyns.must(&["zone", "list", "--json"]));
    assert_eq!(zones[0]["name"], format!("{ZONE}."), "{zones:#}");
    let listed = alone.anyns.must(&["zone", "list", "exam*"]);
    assert_eq!(
        listed.split('\t').take(3).collect::<Vec<_>>(),
        [&format!("{ZONE}."), "1", "served"],
        "{listed}"
    );
    assert_eq!(alone.anyns.command(&["zone", "list", "absent.example"]).code, 1);
    let dumped = document(&alone.anyns.must(&["zone", "dump", ZONE, "--json"]));
    assert!(dumped["records"].as_array().expect("a list").len() > 2, "{dumped:#}");

    who_answers(&alone);

    let top = document(&alone.anyns.must(&["top", "--json", "--count", "1"]));
    assert!(top["per_second"]["udp_queries"].is_number(), "{top:#}");
    let said = alone.anyns.command(&["top"]);
    assert!(said.code == 1 && said.text.contains("needs a terminal"), "{}", said.text);

    // A reload sees a file that was added, tells the place of a fault in it, and sees that it is gone.
    let file = included.join("limits.toml");
    std::fs::write(&file, "[log]\nlevel = \"info\"\nlimitt = \"9s\"\n").expect("written");
    let said = alone.anyns.command(&["reload"]);
    assert!(said.code == 1 && said.text.contains("conf.d/limits.toml:3:1: log.limitt"), "{}", said.text);
    std::fs::write(&file, "[serve]\nworkers = 3\n").expect("written");
    let said = alone.anyns.command(&["reload", "--json"]);
    assert_eq!((said.code, &document(&said.text)["exit_code"]), (4, &Value::from(4)), "{}", said.text);
    std::fs::remove_file(&file).expect("removed");
    alone.anyns.must(&["reload"]);
}

/// Every transport of both addresses; one that nobody serves is a line.
fn who_answers(alone: &Alone) {
    let told = alone.anyns.must(&["which", "192.0.2.53", "2001:db8:53::53", "--zone", ZONE, "--json"]);
    let told = document(&told);
    let addresses = told["addresses"].as_array().expect("a list");
    assert_eq!(addresses.len(), 2, "{told:#}");
    for address in addresses {
        let transports = address["transports"].as_array().expect("a list");
        let names: Vec<_> = transports.iter().map(|it| it["transport"].as_str().expect("a name")).collect();
        assert_eq!(names, ["udp", "tcp", "dot", "doh", "doq"]);
        for transport in transports {
            assert_eq!(transport["answered"], true, "{transport:#}");
            assert_eq!(
                (&transport["serial"], &transport["zone_version"]),
                (&Value::from(1), &Value::from(1))
            );
            assert_eq!(transport["nsid"], transport["id_server"], "{transport:#}");
            assert!(transport["version_bind"].as_str().expect("a version").starts_with("anyns"));
            assert!(transport["rtt_us"].as_u64().expect("a time") > 0);
        }
    }
    let lines = alone.anyns.must(&["which", "192.0.2.53", "--https-port", "444", "--timeout", "5s"]);
    let doh = lines.lines().find(|line| line.contains("DoH")).expect("a line");
    assert!(doh.contains("refused"), "{lines}");
    assert_eq!(lines.lines().filter(|line| line.contains(" ms ")).count(), 4, "{lines}");
    let said = alone.anyns.command(&["which", "192.0.2.53", "--zone", "other.example"]);
    assert!(said.code == 1 && said.text.contains("REFUSED"), "{}", said.text);
}
