//! What people type, and the words that tell them.

use super::*;

/// A section in the wrong brackets is one fault, and what is in it is read all the same.
#[test]
fn the_brackets_of_every_section_are_named() {
    for (section, is_list) in SECTIONS {
        let (single, double) = (format!("[{section}]"), format!("[[{section}]]"));
        let (right, wrong) = if is_list { (double, single) } else { (single, double) };
        let text = match GOOD.contains(&format!("\n{right}\n")) {
            true => GOOD.replacen(&format!("\n{right}\n"), &format!("\n{wrong}\n"), 1),
            false => match section {
                "tls" => format!("{GOOD}\n{wrong}\ncertificate = \"c\"\nkey = \"k\"\ndot = 853\n"),
                "zone" => format!("{GOOD}\n{wrong}\nname = \"example.com\"\nfile = \"f\"\n"),
                "fleet.pop" => format!("{GOOD}\n{wrong}\nname = \"a\"\nurl = \"http://192.0.2.1:9533\"\n"),
                _ => format!("{GOOD}\n{wrong}\n"),
            },
        };
        // A heading that is there twice in single brackets is a fault of syntax, which has a test of its own.
        if is_list && text.matches(&format!("\n[[{section}]]")).count() > 0 {
            continue;
        }
        let error = read(&text).expect_err(section).to_string();
        assert!(error.contains(&format!("{section}: {wrong} is ")), "{section}: {error}");
        assert!(error.contains(&format!("write {right}")), "{section}: {error}");
        assert_eq!(error.lines().count(), 1, "{section}: {error}");
    }
}

/// What people type, and the words that tell them; nothing that only follows from it is told.
#[test]
fn slips_are_told_in_words_and_once() {
    let table = [
        ("name = \"ams1\"", "name \"ams1\"", "3:6: a key and its value are joined by ="),
        ("name = \"ams1\"", "name: \"ams1\"", "3:5: no key: it has letters"),
        ("name = \"ams1\"", "name = ams1", "3:8: no value: a text stands in double quotes"),
        ("name = \"ams1\"", "name = \"ams1", "the text is not closed by a double quote on its line"),
        ("name = \"ams1\"", "name = \"ams1\"\nname = \"b\"", "4:1: \"name\" stands here a second time"),
        ("name = \"ams1\"", "; a comment\nname = \"ams1\"", "3:1: no key: it has letters"),
        ("[zones]", "[zones", "the heading of the section is not closed by ]"),
        ("[zones]", "[ZONES]", "no key \"ZONES\" here (\"zones\" may be meant)"),
        ("[zones]", "[[neighbor]]\n[zones]", "no key \"neighbor\" here ([[bgp.neighbor]] may be meant)"),
        ("[zones]", "[pop]\nname = \"x\"\n[zones]", "\"pop\" stands here a second time; it may stand once"),
    ];
    for (good, bad, words) in table {
        let text = faults(good, bad);
        assert!(text.contains(words), "{bad:?}: {words:?} is missing in {text}");
        assert_eq!(
            text.lines().filter(|line| !line.contains("the key is missing")).count(),
            1,
            "{bad:?}: {text}"
        );
    }
    let twice = faults(
        "[[bgp.neighbor]]",
        "[bgp.neighbor]\naddress = \"198.51.100.9\"\nremote-as = 1\n[bgp.neighbor]",
    );
    assert!(twice.contains("headed with double brackets, [[bgp.neighbor]]"), "{twice}");
    assert_eq!(twice.lines().count(), 1, "{twice}");
}

#[test]
fn no_path_is_empty() {
    let keys = [
        ("zones", "state-directory = \"\""),
        ("zones", "include-roots = [\"\"]"),
        ("control", "socket = \"\""),
        ("tls", "certificate = \"\"\nkey = \"k\"\ndot = 853"),
        ("tls", "certificate = \"c\"\nkey = \"\"\ndot = 853"),
    ];
    for (section, lines) in keys {
        let heading = format!("\n[{section}]\n");
        let text = match GOOD.contains(&heading) {
            true => GOOD.replacen(&heading, &format!("{heading}{lines}\n"), 1),
            false => format!("{GOOD}{heading}{lines}\n"),
        };
        let error = read(&text).expect_err(lines).to_string();
        assert!(error.contains("\"\"") && error.contains("allowed is a path in quotes"), "{lines}: {error}");
    }
}
