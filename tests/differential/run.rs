//! One run: zones, servers, questions, comparison.

use fastrand::Rng;

use std::collections::BTreeSet;

use super::allowed;
use super::ask;
use super::compare;
use super::generate::{self, Family};
use super::message::{self, Message, Record, TC};
use super::model;
use super::questions::{Question, questions};
use super::report::{Difference, Report};
use super::servers::{self, PEERS, Servers};
use super::sign::sign;
use super::support::lab::Lab;
use super::support::skip::{has_programs, is_full_run, skip};
use super::zone::Zone;

/// The seed of every run.
const FIXED_SEED: u64 = 20_261_120;
/// Questions about each family; the long run asks more.
const QUESTIONS: usize = 300;
const QUESTIONS_FULL: usize = 3000;
/// Questions without an answer from one server, above which nothing is worth comparing.
const MOST_SILENT: usize = 50;
/// How near to the limit an answer is compared over TCP, in octets: about what the longest name takes.
const NEAR: usize = 200;
/// Comparisons that a run must make.
const LEAST_COMPARISONS: usize = 20_000;
/// The daemons, `dnssec-signzone` and what else the run starts.
const PROGRAMS: &[&str] =
    &["nsd", "knotd", "named", "pdns_server", "pdnsutil", "dnssec-signzone", "dnssec-keygen"];

/// The answers of one server, in the order of the questions.
type Answers = Vec<Option<Message>>;
/// How questions are put to a server: over UDP or TCP.
type Way = fn(std::net::SocketAddr, &[Question]) -> Vec<Option<Vec<u8>>>;

#[test]
fn unsigned_zones_are_answered_as_the_peers_do() {
    run("unsigned", false);
}

/// Behind a switch until the denial of existence (RFC 4035, RFC 5155) that it needs is merged.
#[test]
fn signed_zones_are_answered_as_the_peers_do() {
    if std::env::var_os("ANYNS_DIFF_SIGNED").is_none() {
        return skip(
            "differential testing of signed zones",
            "not finished: Knot DNS does not serve them as they are set up; set ANYNS_DIFF_SIGNED=1 to go on",
        );
    }
    run("signed", true);
}

fn run(what: &str, signed: bool) {
    if !has_programs("differential testing", PROGRAMS) {
        return;
    }
    let day = day_seed();
    println!("{what}: seeds {FIXED_SEED} and {day} (repeat it with ANYNS_DIFF_SEED={day})");
    let count = if is_full_run() { QUESTIONS_FULL } else { QUESTIONS };
    let (mut families, mut questions) = (Vec::new(), Vec::new());
    for (seed, tag) in [(FIXED_SEED, "f"), (day, "d")] {
        let these = generate::families(seed, tag, signed);
        let mut rng = Rng::with_seed(seed);
        questions.extend(these.iter().flat_map(|family| self::questions(&mut rng, family, count)));
        families.extend(these);
    }
    let zones: Vec<Zone> = families.iter().flat_map(|family| family.zones.iter().cloned()).collect();
    let servers = Servers::start(lab_with(&zones), &zones);
    let (udp, answers) = ask_all(&servers, &questions);
    drop(servers);
    let report = compare_all(&families, &questions, &udp, &answers);
    let failures = report.verdict(&allowed::read(), &families);
    assert!(report.comparisons >= LEAST_COMPARISONS, "only {} comparisons", report.comparisons);
    assert!(failures.is_empty(), "{what}:\n  {}", failures.join("\n  "));
}

/// The day as a number, 20261121, or what `ANYNS_DIFF_SEED` says.
fn day_seed() -> u64 {
    let told = std::env::var("ANYNS_DIFF_SEED").ok();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    told.map_or(now.as_secs() / 86_400, |seed| seed.parse().expect("ANYNS_DIFF_SEED is a number"))
}

/// A lab whose directory has the zone files, signed where they are to be.
fn lab_with(zones: &[Zone]) -> Lab {
    let lab = Lab::new();
    let (files, keys) = (lab.subdirectory("zones"), lab.subdirectory("keys"));
    for zone in zones {
        std::fs::write(files.join(zone.file()), zone.text()).expect("the zone file can be written");
    }
    // Two halves at once: signing is most of the time that a run takes.
    let (first, second) = zones.split_at(zones.len() / 2);
    std::thread::scope(|scope| {
        for half in [first, second] {
            scope.spawn(|| half.iter().for_each(|zone| sign(zone, &files, &keys)));
        }
    });
    lab
}

/// What anyns said over UDP, and the answers of all servers: over UDP, but over TCP where any of them truncated.
fn ask_all(servers: &Servers, questions: &[Question]) -> (Answers, Vec<Answers>) {
    let ask = |how: Way, some: &[Question]| {
        let each = (0..=PEERS.len()).map(|index| {
            let raw = servers.space.inside(|| how(servers::address(index), some));
            let read = |octets: Vec<u8>| match message::parse(&octets) {
                Ok(message) => Some(message),
                Err(error) => {
                    panic!("{} sent what cannot be read: {error:?} {octets:x?}", servers::name(index))
                }
            };
            assert!(!is_stuck(index, &raw, some), "{} is stuck", servers::name(index));
            raw.into_iter().map(|octets| octets.and_then(read)).collect::<Answers>()
        });
        each.collect::<Vec<Answers>>()
    };
    let mut answers = ask(ask::over_udp, questions);
    let udp = answers[0].clone();
    // Where an answer is about as long as allowed, servers leave out this or that; what they mean to say shows over TCP.
    let tight = |index: usize, answer: &Option<Message>| {
        let near = questions[index].limit() - NEAR;
        answer.as_ref().is_some_and(|answer| answer.flags & TC != 0 || answer.length > near)
    };
    let again: Vec<usize> = (0..questions.len())
        .filter(|index| answers.iter().any(|server| tight(*index, &server[*index])))
        .collect();
    let some: Vec<Question> = again.iter().map(|index| questions[*index].clone()).collect();
    for (server, whole) in answers.iter_mut().zip(ask(ask::over_tcp, &some)) {
        for (index, answer) in again.iter().zip(whole) {
            server[*index] = answer;
        }
    }
    println!("{} questions, {} of them asked again over TCP", questions.len(), again.len());
    (udp, answers)
}

/// Whether a server gave up answering: what it was last asked is printed.
fn is_stuck(server: usize, answers: &[Option<Vec<u8>>], questions: &[Question]) -> bool {
    let silent =
        questions.iter().zip(answers).filter(|(_, answer)| answer.is_none()).map(|(question, _)| question);
    let silent: Vec<String> = silent.map(Question::text).collect();
    let stuck = silent.len() > MOST_SILENT;
    if stuck {
        let first = silent.iter().take(2 * MOST_SILENT).cloned().collect::<Vec<_>>().join("\n  ");
        println!("{} does not answer {} questions, from\n  {first}", servers::name(server), silent.len());
    }
    stuck
}

fn compare_all<'a>(
    families: &[Family],
    questions: &'a [Question],
    udp: &[Option<Message>],
    answers: &'a [Answers],
) -> Report<'a> {
    let entries = allowed::read();
    let mut report = Report { hidden: vec![0; entries.len()], ..Report::default() };
    for (index, question) in questions.iter().enumerate() {
        let ours = answers[0][index].as_ref();
        let all: Vec<&Record> = answers[1..]
            .iter()
            .filter_map(|server| server[index].as_ref())
            .flat_map(|m| &m.sections[0])
            .collect();
        own_faults(&mut report, question, udp[index].as_ref(), ours);
        for (peer, server) in PEERS.iter().zip(&answers[1..]) {
            let theirs = server[index].as_ref();
            report.comparisons += 1;
            let differs = compare::differences(question, ours, theirs, &all);
            if differs.is_empty() {
                continue;
            }
            let tags = model::tags(families, question);
            let hider = |part: &&str| {
                entries.iter().position(|entry| entry.hides(peer, question.record_type, &tags, part))
            };
            match differs.iter().map(hider).collect::<Option<BTreeSet<usize>>>() {
                Some(hiders) => hiders.into_iter().for_each(|entry| report.hidden[entry] += 1),
                None => report.open.push(Difference { peer, question, tags, differs, ours, theirs }),
            }
        }
    }
    report
}

fn own_faults(report: &mut Report<'_>, question: &Question, udp: Option<&Message>, whole: Option<&Message>) {
    let Some(udp) = udp else {
        return report.faults.push(format!("anyns does not answer {}", question.text()));
    };
    let whole = whole.filter(|whole| *whole != udp);
    let faults = compare::faults(question, udp, whole);
    report.faults.extend(faults.into_iter().map(|fault| format!("{}: {fault}", question.text())));
}
