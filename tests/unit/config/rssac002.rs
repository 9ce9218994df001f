//! Daily statistics in the configuration.

use super::*;

#[test]
fn statistics_are_off_until_they_have_a_directory_and_a_service() {
    let statistics = |section: &str| read(&format!("{GOOD}\n[rssac002]\n{section}\n"));
    assert_eq!(read(GOOD).expect("it is good").config.rssac002, None);
    let folded = statistics("directory = \"statistics\"\nservice = \"as112.example\"").expect("it is good");
    let settings = folded.config.rssac002.expect("they are asked for");
    assert!(settings.directory.ends_with("statistics"), "{settings:?}");
    assert_eq!((settings.service.as_str(), settings.instance.as_str()), ("as112.example", "ams1"));
    for (section, words) in [
        ("directory = \"x\"", "what the documents call the service"),
        ("service = \"a.example\"", "where the files are written"),
        ("directory = \"x\"\nservice = \"a: b\"", "rssac002.service: \"a: b\": allowed is a name"),
        ("directory = \"x\"\nservice = \"112\"", "begins with a letter"),
        ("directory = \"x\"\nservice = \"\"", "begins with a letter"),
    ] {
        let text = statistics(section).expect_err(section).to_string();
        assert!(text.contains(words), "{section}: {text}");
    }
}
