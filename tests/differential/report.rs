//! What a run found: differences by signature with an example each, and what each entry of `allowed.toml` hides.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::allowed::{Entry, MAX_HIDDEN};
use super::generate::Family;
use super::message::Message;
use super::model::{self, Tags};
use super::questions::{Question, mnemonic};

/// Signatures that are printed; a fault shows in many.
const SHOWN: usize = 40;
/// Lines of a zone that are printed with an example.
const SHOWN_LINES: usize = 14;

/// One difference that no entry hides.
pub struct Difference<'a> {
    pub peer: &'static str,
    pub question: &'a Question,
    pub tags: Tags,
    pub differs: Vec<&'static str>,
    pub ours: Option<&'a Message>,
    pub theirs: Option<&'a Message>,
}

/// The outcome of a run.
#[derive(Default)]
pub struct Report<'a> {
    pub comparisons: usize,
    /// Comparisons by tag of the model.
    pub kinds: BTreeMap<&'static str, usize>,
    pub open: Vec<Difference<'a>>,
    /// Comparisons that differ, all of it allowed.
    pub allowed: usize,
    /// Those among them that an entry had to do with, by its index; some take two.
    pub hidden: Vec<usize>,
    /// Faults of anyns by itself.
    pub faults: Vec<String>,
}

impl Report<'_> {
    /// Prints everything; the faults that must fail the run.
    pub fn verdict(&self, entries: &[Entry], families: &[Family]) -> Vec<String> {
        print!("{}", self.signatures(families));
        let mut failures: Vec<String> = self.faults.iter().take(SHOWN).cloned().collect();
        let all = self.comparisons as f64;
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        println!("comparisons by what the question meets: {}", kinds.join(", "));
        for (entry, hidden) in entries.iter().zip(&self.hidden) {
            let percent = 100.0 * *hidden as f64 / all;
            println!("allowed {hidden:6} ({percent:.3} %) {:?} {}: {}", entry.peers, entry.rfc, entry.why);
            if *hidden == 0 {
                failures.push(format!("an entry hides nothing: {} {}", entry.rfc, entry.why));
            }
        }
        let hidden = self.allowed;
        println!(
            "{} comparisons, {} differ, {hidden} of them allowed ({:.3} %)",
            self.comparisons,
            self.open.len() + hidden,
            100.0 * hidden as f64 / all
        );
        if hidden as f64 > MAX_HIDDEN * all {
            failures.push(format!("the entries hide {hidden} of {} comparisons, too many", self.comparisons));
        }
        if !self.open.is_empty() {
            failures.push(format!("{} differences are not allowed", self.open.len()));
        }
        failures
    }

    fn signatures(&self, families: &[Family]) -> String {
        let mut groups: BTreeMap<(&Tags, &[&str]), Vec<&Difference<'_>>> = BTreeMap::new();
        for difference in &self.open {
            groups.entry((&difference.tags, &difference.differs)).or_default().push(difference);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        let mut text = String::new();
        for group in groups.iter().take(SHOWN) {
            describe(&mut text, group, families);
        }
        if groups.len() > SHOWN {
            let _ = writeln!(text, "… and {} more signatures", groups.len() - SHOWN);
        }
        text
    }
}

fn describe(text: &mut String, group: &[&Difference<'_>], families: &[Family]) {
    let Some(first) = group.first() else { return };
    let (mut peers, mut types) = (BTreeMap::new(), BTreeMap::new());
    for difference in group {
        *peers.entry(difference.peer).or_insert(0) += 1;
        *types.entry(mnemonic(difference.question.record_type)).or_insert(0) += 1;
    }
    let _ = writeln!(
        text,
        "==== {:?} differ: {:?}\n  peers {peers:?} types {types:?}",
        first.tags, first.differs
    );
    let _ = writeln!(text, "  query {}", first.question.text());
    for line in model::lines(families, first.question).iter().take(SHOWN_LINES) {
        let _ = writeln!(text, "    zone  {}", line.chars().take(140).collect::<String>());
    }
    match (first.ours, first.theirs) {
        (Some(ours), Some(theirs)) => {
            let _ = writeln!(text, "    anyns {}\n    {:5} {}", ours.head(), first.peer, theirs.head());
            only_in(text, "anyns", ours, theirs);
            only_in(text, first.peer, theirs, ours);
        }
        (ours, _) => {
            let silent = if ours.is_none() { "anyns" } else { first.peer };
            let _ = writeln!(text, "    {silent} does not answer");
        }
    }
}

/// The records that one answer has and the other has not.
fn only_in(text: &mut String, who: &str, one: &Message, other: &Message) {
    for (index, name) in ["answer", "authority", "additional"].iter().enumerate() {
        let missing = one.sections[index].iter().filter(|record| !other.sections[index].contains(record));
        for record in missing.take(SHOWN_LINES) {
            let _ = writeln!(text, "    only {who:5} {name:10} {}", record.text());
        }
    }
}
