//! Zones for the labs: small, and with their version in several records, so that a mixture of versions shows.

use super::dns::{self, Answer};
use super::stream::Question;

/// The zone `origin` at `version`: the serial, two TXT records, and a CNAME through a name that carries it.
///
/// An answer to [`questions`] holds the version two times or more; [`versions`] collects them.
pub fn versioned(origin: &str, version: u32) -> String {
    format!(
        "$ORIGIN {origin}.\n$TTL 60\n\
         @ IN SOA ns1 hostmaster {version} 3600 600 86400 60\n\
         @ IN NS ns1\n\
         ns1 IN A 192.0.2.53\n\
         ns1 IN AAAA 2001:db8:53::53\n\
         version IN TXT \"{version}\"\n\
         version IN TXT \"v {version}\"\n\
         alias IN CNAME step-{version}\n\
         step-{version} IN TXT \"{version}\"\n\
         step-{version} IN TXT \"v {version}\"\n"
    )
}

/// The questions whose answers hold the version more than once: TXT over two records, over a CNAME, and NODATA behind
/// a CNAME (target and SOA).
pub fn questions(origin: &str) -> Vec<Question> {
    let ask = |name: &str, record_type| (format!("{name}.{origin}"), record_type);
    vec![ask("version", dns::TXT), ask("alias", dns::TXT), ask("alias", dns::A)]
}

/// Every version that an answer holds.
pub fn versions(answer: &Answer) -> Vec<u32> {
    let texts = answer.texts.iter().filter_map(|text| text.trim_start_matches("v ").parse().ok());
    let steps = answer
        .targets
        .iter()
        .filter_map(|target| target.split('.').next()?.strip_prefix("step-")?.parse().ok());
    texts.chain(steps).chain(answer.serials.iter().copied()).collect()
}

/// Whether an answer is one of ours, whole and of one version; the version if so.
pub fn one_version(answer: &Answer) -> Result<u32, String> {
    let versions = versions(answer);
    let Some(first) = versions.first().filter(|_| answer.rcode == 0 && versions.len() > 1) else {
        return Err(format!("no whole answer: {answer:?}"));
    };
    if versions.iter().any(|version| version != first) {
        return Err(format!("a mixture of {versions:?}: {answer:?}"));
    }
    Ok(*first)
}
