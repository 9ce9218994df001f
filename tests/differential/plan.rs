//! What a run compares: families of zones and questions about them, from the fixed seed and the seeds of the day.

use fastrand::Rng;

use super::generate::{self, Family};
use super::questions::{Question, questions};
use super::support::skip::is_full_run;
use super::zone::Zone;

/// The seed of every run.
const FIXED_SEED: u64 = 20_261_120;
/// Questions about each family; the long run asks more.
const QUESTIONS: usize = 500;
const QUESTIONS_FULL: usize = 3000;

/// What a run compares.
pub struct Plan {
    pub families: Vec<Family>,
    pub questions: Vec<Question>,
}

impl Plan {
    /// The fixed seed and that of the day; `ANYNS_DIFF_SEED` has other days, with commas between, and
    /// `ANYNS_DIFF_QUESTIONS` another number of questions.
    pub fn new() -> Self {
        let days = days();
        let told: Vec<String> = days.iter().map(u64::to_string).collect();
        println!("seeds {FIXED_SEED} and {0} (repeat it with ANYNS_DIFF_SEED={0})", told.join(","));
        let usual = if is_full_run() { QUESTIONS_FULL } else { QUESTIONS };
        let count = number("ANYNS_DIFF_QUESTIONS").and_then(|count| count.try_into().ok()).unwrap_or(usual);
        let mut plan = Self { families: Vec::new(), questions: Vec::new() };
        plan.add(FIXED_SEED, "f", count);
        for (index, day) in days.iter().enumerate() {
            plan.add(*day, &format!("d{index}x"), count);
        }
        plan
    }

    /// Both groups of one seed: unsigned families, and signed ones. `tag` keeps their names apart.
    fn add(&mut self, seed: u64, tag: &str, count: usize) {
        for (tag, signed) in [(tag.to_owned(), false), (format!("{tag}s"), true)] {
            let families = generate::families(seed, &tag, signed);
            self.questions.extend(questions(&mut Rng::with_seed(seed), &families, count));
            self.families.extend(families);
        }
    }

    /// Every zone.
    pub fn zones(&self) -> Vec<Zone> {
        self.families.iter().flat_map(|family| family.zones.iter().cloned()).collect()
    }
}

/// The days as numbers since 1970, 20778, or what is told instead.
fn days() -> Vec<u64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let told = std::env::var("ANYNS_DIFF_SEED").ok();
    let parse = |seed: &str| seed.trim().parse().expect("ANYNS_DIFF_SEED has numbers with commas between");
    told.map_or_else(|| vec![now.as_secs() / 86_400], |seeds| seeds.split(',').map(parse).collect())
}

fn number(variable: &str) -> Option<u64> {
    let told = std::env::var(variable).ok()?;
    Some(told.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}
