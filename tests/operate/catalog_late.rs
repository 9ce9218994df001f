//! A catalog that is made here, by a hub whose state directory answers late: what it has said goes on.

use crate::catalog::{Fleet, catalog, follows};
use crate::support::fuse::Fuse;
use crate::support::pop::state_directory;
use crate::support::skip::{has_programs, skip};

const MADE: &str = "[[catalog]]\nname = \"catalog.test\"\nproduce = true\n";

#[test]
fn a_catalog_that_is_made_here_goes_on_when_its_state_directory_answers_late() {
    if !has_programs("a hub whose state directory answers late", &["dig"]) {
        return;
    }
    let mut fleet = Fleet::new(MADE, &follows("catalog.test", ""));
    let (data, state) = (fleet.lab.subdirectory("late-data"), state_directory(&fleet.lab, "hub"));
    let Some(fuse) = Fuse::mount(&data, &state) else {
        return skip("a hub whose state directory answers late", "there is no FUSE");
    };
    let zones: Vec<String> = (0..40).map(|number| format!("z{number}.test")).collect();
    zones.iter().for_each(|zone| fleet.deploy(zone));
    fleet.hub.start(&fleet.lab);
    let lists = |fleet: &Fleet, count: u64, held: u64| {
        let what = format!("the hub lists {count}, {held} of them wait");
        fleet.hub.wait_status(&what, |status| {
            let made = catalog(status, "catalog.test");
            made["members"] == count && made["held"] == held && status["zones_not_kept"] == 0
        })
    };
    lists(&fleet, 40, 0);
    // One has another label than its name gives, one is remembered as removed, and twelve wait.
    fleet.take_out("z0.test");
    lists(&fleet, 39, 0);
    fleet.deploy("z0.test");
    lists(&fleet, 40, 0);
    fleet.take_out("z1.test");
    lists(&fleet, 39, 0);
    fleet.hub.must(&["zone", "hold", "catalog.test", "--reason", "they go at once"]);
    zones[2..14].iter().for_each(|zone| fleet.take_out(zone));
    fleet.hub.must(&["zone", "unhold", "catalog.test"]);
    lists(&fleet, 39, 12);
    let said = fleet.hub.must(&["zone", "export", "catalog.test"]);
    assert!(said.contains("waits.anyns.ext") && said.contains("removed.anyns.ext"), "{said}");
    fleet.hub.kill();
    fuse.stop();
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_status("nobody knows what it said", |status| {
        status.to_string().contains("it does not answer")
            && catalog(status, "catalog.test")["serial"].is_null()
    });
    fuse.go_on();
    lists(&fleet, 39, 12);
    assert_eq!(fleet.hub.must(&["zone", "export", "catalog.test"]), said);
    fleet.deploy("new.test");
    lists(&fleet, 40, 12);
    fleet.hub.kill();
}
