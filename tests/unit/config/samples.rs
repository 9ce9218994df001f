//! dnstap, the query log and catchments in the configuration.

use super::*;

#[test]
fn samples_are_off_until_something_takes_them() {
    let samples = |section: &str| read(&format!("{GOOD}\n[samples]\n{section}\n"));
    let folded = |section: &str| samples(section).expect("it is good").config.samples;
    assert_eq!(read(GOOD).expect("it is good").config.samples, None);
    assert_eq!(folded("one-in = 7\ncatchments = false"), None);
    let counted = folded("one-in = 7").expect("client prefixes are counted");
    assert_eq!((counted.one_in, counted.catchments, counted.query_log), (7, true, false));
    let own = |address: &str| counted.service_addresses.contains(&address.parse().expect("an address"));
    assert!(own("192.0.2.53"), "{:?}", counted.service_addresses);
    let log = folded("query-log = true").expect("the log takes samples");
    assert_eq!((log.one_in, log.target, log.identity.as_str()), (100, None, "ams1"));
    let target = folded("dnstap = \"tcp:[2001:db8::1]:6000\"").and_then(|samples| samples.target);
    assert_eq!(target.expect("a target").to_string(), "tcp:[2001:db8::1]:6000");
    for (section, words) in [
        ("one-in = 0\nquery-log = true", "samples.one-in: 0 samples nothing; allowed is 1"),
        ("dnstap = \"/run/x\"", "samples.dnstap: \"/run/x\": allowed is unix:/path"),
    ] {
        let text = samples(section).expect_err(section).to_string();
        assert!(text.contains(words), "{section}: {text}");
    }
}
