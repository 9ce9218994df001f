//! The command line against a running anyns: lists, documents, who answers, rates, included files.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::anyns::{PROGRAM, run_here};
use crate::support::dns::SOA;
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
    assert_eq!(alone.anyns.must(&["zone", "list", "bad"]).trim(), "", "all is well");
    let said = alone.anyns.command(&["zone", "accept", ZONE]);
    assert!(said.code == 1 && said.text.contains("no version of example.org is refused"), "{}", said.text);
    let dumped = document(&alone.anyns.must(&["zone", "dump", ZONE, "--json"]));
    assert!(dumped["records"].as_array().expect("a list").len() > 2, "{dumped:#}");
    assert_eq!(dumped["zone"], format!("{ZONE}."));

    who_answers(&alone);

    let metrics = document(&alone.anyns.must(&["metrics", "--json"]));
    let families = metrics.as_array().expect("a list");
    let verdict = families.iter().find(|family| family["name"] == "anyns_verdict").expect("a metric");
    assert_eq!((&verdict["type"], &verdict["samples"][0]["value"]), (&Value::from("gauge"), &Value::from(0)));
    assert_eq!(verdict["samples"][0]["labels"]["pop"], "alone", "{verdict:#}");
    // One query in 16 of each worker is counted for its zone.
    (0..64).for_each(|_| drop(alone.ask(ZONE, SOA)));
    let top = document(&alone.anyns.must(&["top", "--json", "--count", "1"]));
    assert!(top["per_second"]["udp_queries"].is_number(), "{top:#}");
    assert!(top["per_second"][format!("zone_{ZONE}.")].is_number(), "{top:#}");
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

/// Every command that `--help` names, with what it needs; no anyns runs.
const COMMANDS: [&[&str]; 33] = [
    &["check"],
    &["zone", "check", "absent.zone"],
    &["zone", "status", ZONE],
    &["zone", "list"],
    &["zone", "refresh", ZONE],
    &["zone", "retransfer", ZONE],
    &["zone", "catch-up", ZONE],
    &["zone", "remove", ZONE],
    &["zone", "export", ZONE],
    &["zone", "history", ZONE],
    &["zone", "diff", ZONE],
    &["zone", "hold", ZONE],
    &["zone", "release", ZONE],
    &["zone", "halt", ZONE],
    &["zone", "unhold", ZONE],
    &["zone", "rollback", ZONE],
    &["zone", "accept", ZONE, "1"],
    &["catalog", "accept", ZONE, "1"],
    &["status"],
    &["fleet"],
    &["fleet", "wait", ZONE, "1"],
    &["fleet", "catchment"],
    &["fleet", "plan", "drain", "ams1"],
    &["catchment"],
    &["metrics"],
    &["drain"],
    &["undrain"],
    &["reload"],
    &["which", "absent.invalid."],
    &["top", "--count", "1"],
    // These run until a signal, or print what no program takes as a document.
    &["run"],
    &["completions"],
    &["man"],
];

/// The commands that the help of one lists.
fn listed(folder: &Path, of: &[&str]) -> Vec<Vec<String>> {
    let said = run_here(folder, &[of, &["--help"]].concat());
    let list =
        said.text.split("Commands:\n").nth(1).unwrap_or_default().split("\n\n").next().unwrap_or_default();
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names = names.filter_map(|line| line.split(' ').next()).filter(|name| !matches!(*name, "help" | ""));
    names.map(|name| of.iter().copied().chain([name]).map(str::to_owned).collect()).collect()
}

#[test]
fn a_command_that_fails_has_a_document_of_its_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let tried = |command: &[String]| {
        COMMANDS.iter().any(|tried| command.iter().zip(*tried).all(|(one, other)| one == other))
    };
    for of in [&[][..], &["zone"], &["catalog"], &["fleet"], &["fleet", "plan"]] {
        let listed = listed(folder.path(), of);
        assert!(!listed.is_empty(), "{of:?}");
        for command in listed {
            assert!(tried(&command), "{command:?} is not tried");
        }
    }
    let absent = folder.path().join("absent.toml").display().to_string();
    for command in COMMANDS.iter().filter(|command| !matches!(command[0], "run" | "completions" | "man")) {
        let mut program = Command::new(PROGRAM);
        program.current_dir(folder.path()).args(*command).args(["--json", "--config", &absent]);
        let output = program.output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("text");
        let said = document(&text);
        assert_eq!(said["exit_code"], output.status.code().expect("a code"), "{command:?}: {text}");
        assert!(
            output.status.code() != Some(0) && !said["errors"].as_array().expect("a list").is_empty(),
            "{command:?}: {text}"
        );
        let errors = said["errors"].to_string();
        assert!(errors.contains("absent."), "{command:?}: {text}");
    }
}

#[test]
fn no_control_character_of_a_name_reaches_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = "a\u{1b}]0;title\u{7}\u{9b}2J.zone";
    std::fs::write(folder.path().join(name), "@ 60 IN SOA a b 1 2 3 4 5\n@ 60 IN NS \\300\n")
        .expect("written");
    for arguments in [&["zone", "check", name][..], &["zone", "check", name, "--origin", ZONE]] {
        for json in [&[][..], &["--json"]] {
            let said = run_here(folder.path(), &[arguments, json].concat());
            assert_eq!(said.code, 1, "{}", said.text);
            let raw: Vec<char> = said.text.chars().filter(|one| one.is_control() && *one != '\n').collect();
            assert!(said.text.contains("]0;title") && raw.is_empty(), "{raw:?} in {:?}", said.text);
        }
    }
}

/// Runs `anyns ARGUMENTS` with this standard output: its exit code, and what it says on standard error.
fn printed_to(config: &Path, arguments: &[&str], output: impl Into<Stdio>) -> (Option<i32>, String) {
    let mut program = Command::new(PROGRAM);
    let program = program.arg("--config").arg(config).args(arguments).stdout(output).stderr(Stdio::piped());
    let said = program.spawn().and_then(Child::wait_with_output).expect("it runs");
    (said.status.code(), String::from_utf8(said.stderr).expect("text"))
}

#[test]
fn output_that_cannot_be_written_is_an_error_and_a_closed_pipe_is_none() {
    let alone = Alone::running("[samples]\none-in = 1\n");
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("the device");
    let commands = [
        &["zone", "dump", ZONE][..],
        &["zone", "list"],
        &["zone", "list", "--json"],
        &["zone", "history", ZONE],
        &["metrics"],
        &["status"],
        &["status", "--watch"],
        &["catchment", "--json"],
        &["top", "--json", "--count", "2"],
        &["reload", "--json"],
        &["check", "--offline"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
    ];
    for command in commands {
        let (code, said) = printed_to(alone.anyns.config(), command, full());
        assert_eq!(code, Some(1), "{command:?}: {said}");
        assert!(said.contains("standard output: No space left on device"), "{command:?}: {said}");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        assert_eq!(
            printed_to(alone.anyns.config(), command, writer),
            (Some(0), String::new()),
            "{command:?}"
        );
    }
    // The file of a zone is whole, or what was there stays; a device stays one.
    let null = || std::fs::File::options().write(true).open("/dev/null").expect("the device");
    let (code, said) =
        printed_to(alone.anyns.config(), &["zone", "export", ZONE, "--output", "/dev/full"], null());
    assert!(code == Some(1) && said.contains("cannot write /dev/full: No space left"), "{said}");
    assert!(!std::fs::metadata("/dev/full").expect("the device").is_file());
}

#[test]
fn a_command_line_that_is_no_command_has_a_document_and_so_has_a_zone_that_is_unknown() {
    let folder = tempfile::tempdir().expect("a folder");
    for wrong in [
        &["bogus", "--json"][..],
        &["--json", "fleet", "wait", ZONE, "abc"],
        &["fleet", "--json", "--timeout", "0s"],
        &["fleet", "--json", "--timeout", "300000000000y"],
        &["fleet", "wait", ZONE, "1", "--timeout", "300000000000y", "--json"],
    ] {
        let output = Command::new(PROGRAM).current_dir(folder.path()).args(wrong).output().expect("it runs");
        let said = document(&String::from_utf8(output.stdout).expect("text"));
        assert_eq!((output.status.code(), &said["exit_code"]), (Some(2), &Value::from(2)), "{wrong:?}");
        assert!(said["errors"][0].as_str().expect("text").starts_with("error: "), "{said:#}");
    }
    let said = run_here(folder.path(), &["bogus"]);
    assert!(said.code == 2 && !said.text.contains("exit_code"), "{}", said.text);
    let alone = Alone::running("");
    for command in [&["zone", "status", "absent.example"][..], &["zone", "list", "absent.example"]] {
        let mut program = Command::new(PROGRAM);
        let output = program.arg("--config").arg(alone.anyns.config()).args(command).arg("--json").output();
        let output = output.expect("it runs");
        let said = document(&String::from_utf8(output.stdout).expect("text"));
        assert_eq!((output.status.code(), &said["exit_code"]), (Some(1), &Value::from(1)), "{command:?}");
        assert_eq!(said["errors"].as_array().map(Vec::len), Some(1), "{said:#}");
    }
}

/// The service of this host is meant where no configuration is named.
#[test]
fn commands_find_the_configuration_of_the_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/debian/anyns.toml");
    // A mount namespace of its own, with another /etc.
    let script = "mount -t tmpfs tmpfs /etc && mkdir /etc/anyns && cat \"$2\" >/etc/anyns/anyns.toml && cd \"$1\" && shift 2 && exec \"$@\"";
    let run = |arguments: &[&str]| {
        let mut program = Command::new("unshare");
        program.args(["--mount", "sh", "-c", script, "sh"]).arg(folder.path()).arg(&package).arg(PROGRAM);
        let output = program.args(arguments).output().expect("unshare runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("text"))
    };
    let (code, said) = run(&["check", "--offline"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("127.0.0.53/32") && said.contains("/etc/anyns/anyns.toml"), "{said}");
    let (_, said) = run(&["fleet"]);
    assert!(said.contains("/etc/anyns/anyns.toml: no POP is listed"), "{said}");
    let (code, said) = run(&["status"]);
    assert!(code == Some(3) && said.contains("no anyns answers on /run/anyns/control.sock"), "{said}");
    // What is named comes first.
    let (_, said) = run(&["status", "--socket", "other.sock"]);
    assert!(said.contains("no anyns answers on other.sock"), "{said}");
    let (_, said) = run(&["check", "--config", "absent.toml"]);
    assert!(said.contains("absent.toml"), "{said}");
}
