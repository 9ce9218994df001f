//! How long a command may wait, as it is typed in.

use std::time::Duration;

/// Longer than any answer takes that still comes.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// Longer than any deploy, also to a last-resort POP.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 86_400);

/// How long an answer may take.
pub(super) fn answer_limit(text: &str) -> Result<Duration, String> {
    bounded(text, LONGEST_ANSWER)
}

/// How long something is waited for.
pub(super) fn wait_limit(text: &str) -> Result<Duration, String> {
    bounded(text, LONGEST_WAIT)
}

fn bounded(text: &str, longest: Duration) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text).map_err(|_| "a duration such as 500ms or 2s".to_owned())?;
    match parsed.is_zero() || parsed > longest {
        true => Err(format!("more than 0s and at most {}", humantime::format_duration(longest))),
        false => Ok(parsed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_more_than_nothing_and_bounded() {
        for text in ["0s", "61s", "300000000000y", "soon", ""] {
            assert!(answer_limit(text).is_err(), "{text}");
        }
        assert_eq!(answer_limit("1m"), Ok(LONGEST_ANSWER));
        assert_eq!(answer_limit("0s").unwrap_err(), "more than 0s and at most 1m");
        assert_eq!(wait_limit("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(wait_limit("31days").unwrap_err(), "more than 0s and at most 30days");
    }
}
