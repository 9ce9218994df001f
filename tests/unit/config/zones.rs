//! Zones that the configuration names one by one.

use super::{GOOD, read};

#[test]
fn zones_are_in_canonical_order_and_each_name_stands_once() {
    let more = "[[zone]]\nname = \"b.test\"\nfile = \"b\"\n[[zone]]\nname = \"a.test\"\nfile = \"a\"\n";
    let zones = read(&format!("{GOOD}{more}")).unwrap().config.publish.zones.clone();
    let names: Vec<String> = zones.iter().map(|zone| zone.name.to_string()).collect();
    assert_eq!(names, ["a.test.", "b.test."]);

    let again = "[[zone]]\nname = \"B.Test.\"\nfile = \"c\"\n[[zone]]\nname = \"b.test\"\nfile = \"d\"\n";
    let text = format!("{GOOD}{more}{again}");
    let error = read(&text).unwrap_err().to_string();
    let line = |piece: &str| 1 + text[..text.find(piece).unwrap()].matches('\n').count();
    for line in [line("name = \"B.Test.\""), line("file = \"d\"") - 1] {
        assert!(
            error.contains(&format!("toml:{line}:8: zone.name: two [[zone]] entries for")),
            "{line}: {error}"
        );
    }
    assert_eq!(error.lines().count(), 2, "{error}");
}
