//! Orders that wait for a disk that does not answer take no more than their threads: the others hear so, and a drain is kept.

use crate::support::anyns::BOUND;
use crate::support::fuse::Fuse;
use crate::support::pop::{Alone, ZONE, replace, state_directory};
use crate::support::skip::skip;
use crate::support::wait::wait_until;
use crate::support::zones::versioned;

/// Threads of such orders.
const THREADS: usize = 8;

#[test]
fn orders_that_wait_for_a_disk_are_bounded() {
    let mut alone = Alone::new("");
    let data = alone.lab.subdirectory("data");
    replace(&data.join(format!("{ZONE}.zone")), &versioned(ZONE, 7));
    std::fs::remove_file(alone.zones.join(format!("{ZONE}.zone"))).expect("removed");
    let Some(fuse) = Fuse::mount(&data, &alone.zones) else {
        return skip("orders that wait for a disk", "there is no FUSE");
    };
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    replace(&data.join(format!("{ZONE}.zone")), &versioned(ZONE, 3));
    alone.anyns.must(&["reload"]);
    alone.anyns.wait_zone(ZONE, "kept", Some(7));
    let differs = || alone.anyns.command(&["zone", "diff", ZONE, "refused"]);
    assert_eq!(differs().code, 0, "{}", differs().text);

    fuse.stop();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..THREADS).map(|_| scope.spawn(differs)).collect();
        for waiting in waiting {
            let said = waiting.join().expect("the command ends");
            assert!(said.code != 0 && !said.text.contains("busy"), "it waits for the disk: {}", said.text);
        }
    });
    // Nobody waits for those any more, but their threads do.
    let said = differs();
    assert!(said.text.contains("busy: 8 orders wait for a disk"), "{}", said.text);
    let said = alone.anyns.must(&["drain", "--reason", "a disk"]);
    assert!(said.contains("stays drained, also across a restart"), "{said}");
    alone.anyns.must(&["undrain"]);

    fuse.go_on();
    wait_until("it is done again", BOUND, || differs().code == 0);
    alone.anyns.kill();
}

#[test]
fn a_start_whose_state_directory_does_not_answer_serves_the_zones_that_have_files() {
    let mut alone = Alone::new("");
    let (data, state) = (alone.lab.subdirectory("state-data"), state_directory(&alone.lab, "alone"));
    let Some(fuse) = Fuse::mount(&data, &state) else {
        return skip("a start whose state directory does not answer", "there is no FUSE");
    };
    fuse.stop();
    alone.anyns.start(&alone.lab);
    wait_until("the zone is served", BOUND, || alone.served_version(ZONE) == Some(1));
    let status = alone.anyns.command(&["status"]).text;
    assert!(status.contains("it does not answer") && status.contains(&*state.to_string_lossy()), "{status}");
    // Nobody knows whether it is drained, until the disk answers.
    alone.anyns.wait_status("it counts as drained", |status| {
        let reason = status["operator"]["reason"].as_str().unwrap_or_default();
        status["operator"]["order"] == "withdraw" && reason.contains("its file cannot be read")
    });
    fuse.go_on();
    wait_until("its directory is read", BOUND, || {
        !alone.anyns.command(&["status"]).text.contains("it does not answer")
    });
    alone.anyns.wait_announces();
    alone.anyns.kill();
}
