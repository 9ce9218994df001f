//! Orders that wait for a disk that does not answer take no more than their threads: the others hear so, and a drain is kept.

use crate::fuse::Fuse;
use crate::support::anyns::BOUND;
use crate::support::pop::{Alone, ZONE, replace};
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
