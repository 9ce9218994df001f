//! One run: zones, servers, questions, comparison.

use std::collections::BTreeSet;
use std::time::Instant;

use super::allowed::{self, Pair};
use super::ask;
use super::compare;
use super::generate::Family;
use super::message::{self, Message, Record, TC};
use super::model;
use super::plan::Plan;
use super::questions::Question;
use super::report::{Difference, Report};
use super::servers::{self, PEERS, Servers};
use super::sign::Keys;
use super::support::lab::Lab;
use super::support::skip::has_programs;
use super::zone::Zone;

/// Questions without an answer from one server, above which nothing is worth comparing.
const MOST_SILENT: usize = 50;
/// How near to the limit an answer is compared over TCP, in octets: about what the longest name takes.
const NEAR: usize = 200;
/// Comparisons that a run must make.
const LEAST_COMPARISONS: usize = 20_000;
/// Comparisons in signed zones among them.
const LEAST_SIGNED: usize = 10_000;
/// The daemons, `dnssec-signzone` and what else the run starts.
const PROGRAMS: &[&str] =
    &["nsd", "knotd", "named", "pdns_server", "pdnsutil", "dnssec-signzone", "dnssec-keygen"];

/// The answers of one server, in the order of the questions.
type Answers = Vec<Option<Message>>;
/// How questions are put to a server: over UDP or TCP.
type Way = fn(std::net::SocketAddr, &[Question]) -> Vec<Option<Vec<u8>>>;

#[test]
fn zones_are_answered_as_the_peers_do() {
    if !has_programs("differential testing", PROGRAMS) {
        return;
    }
    let mut clock = Clock(Instant::now());
    let plan = Plan::new();
    let zones = plan.zones();
    clock.tell("to generate");
    let lab = lab_with(&zones);
    clock.tell("to sign");
    let servers = Servers::start(lab, &zones);
    clock.tell("to start the servers");
    let (udp, answers) = ask_all(&servers, &plan.questions);
    drop(servers);
    clock.tell("to ask");
    let report = compare_all(&plan.families, &plan.questions, &udp, &answers);
    clock.tell("to compare");
    let failures = report.verdict(&allowed::read(), &plan.families);
    assert!(report.comparisons >= LEAST_COMPARISONS, "only {} comparisons", report.comparisons);
    let of = |kind| report.kinds.get(kind).copied().unwrap_or_default();
    let signed = of("nsec") + of("nsec3") + of("opt-out");
    assert!(signed >= LEAST_SIGNED, "only {signed} comparisons in signed zones");
    assert!(failures.is_empty(), "\n  {}", failures.join("\n  "));
}

/// Prints how long each part of the run took.
struct Clock(Instant);

impl Clock {
    fn tell(&mut self, what: &str) {
        println!("{:.1} s {what}", self.0.elapsed().as_secs_f64());
        self.0 = Instant::now();
    }
}

/// A lab whose directory has the zone files, signed where they are to be.
fn lab_with(zones: &[Zone]) -> Lab {
    let lab = Lab::new();
    let (files, keys) = (lab.subdirectory("zones"), Keys::new(lab.subdirectory("keys")));
    for zone in zones {
        std::fs::write(files.join(zone.file()), zone.text()).expect("the zone file can be written");
    }
    // Two halves at once: signing is most of the time that a run takes.
    let (first, second) = zones.split_at(zones.len() / 2);
    std::thread::scope(|scope| {
        for half in [first, second] {
            scope.spawn(|| half.iter().for_each(|zone| keys.sign(zone, &files)));
        }
    });
    lab
}

/// What anyns said over UDP, and the answers of all servers: over UDP, but over TCP where any of them truncated.
fn ask_all(servers: &Servers, questions: &[Question]) -> (Answers, Vec<Answers>) {
    let ask = |how: Way, some: &[Question]| {
        let one = &|index: usize| {
            let raw = servers.space.inside(|| how(servers::address(index), some));
            let read = |octets: Vec<u8>| match message::parse(&octets) {
                Ok(message) => Some(message),
                Err(error) => {
                    panic!("{} sent what cannot be read: {error:?} {octets:x?}", servers::name(index))
                }
            };
            assert!(!is_stuck(index, &raw, some), "{} is stuck", servers::name(index));
            raw.into_iter().map(|octets| octets.and_then(read)).collect::<Answers>()
        };
        std::thread::scope(|scope| {
            let each = (0..=PEERS.len()).map(|index| scope.spawn(move || one(index)));
            let each: Vec<_> = each.collect();
            let joined = each.into_iter().map(|thread| thread.join());
            joined
                .map(|answers| answers.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect::<Vec<Answers>>()
        })
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
        let zones = model::zones(families, &question.name);
        let tags = model::tags(families, question);
        tags.iter().for_each(|tag| *report.kinds.entry(tag).or_default() += PEERS.len());
        own_faults(&mut report, question, udp[index].as_ref(), ours);
        for (peer, server) in PEERS.iter().zip(&answers[1..]) {
            let theirs = server[index].as_ref();
            report.comparisons += 1;
            let differs = compare::differences(question, ours, theirs, &all, zones);
            if differs.is_empty() {
                continue;
            }
            let pair = Pair { peer, record_type: question.record_type, tags: &tags, ours, theirs };
            let hider = |part: &&str| entries.iter().position(|entry| entry.hides(&pair, part));
            match differs.iter().map(hider).collect::<Option<BTreeSet<usize>>>() {
                Some(hiders) => {
                    report.allowed += 1;
                    hiders.into_iter().for_each(|entry| report.hidden[entry] += 1);
                }
                None => {
                    let tags = tags.clone();
                    report.open.push(Difference { peer, question, tags, differs, ours, theirs });
                }
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
