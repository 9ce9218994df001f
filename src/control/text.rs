//! Texts of the status: one line each, and never long.

/// The most characters of a complaint, a fault or a cell: three lines of a terminal.
pub const MOST_CHARACTERS: usize = 300;

/// The text as one line of at most [`MOST_CHARACTERS`]: the first line, and how many more there are.
pub fn one_line(text: &str) -> String {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default().trim();
    match lines.count() {
        0 => clipped(first, MOST_CHARACTERS),
        more => {
            let end = format!("; and {more} more");
            clipped(first, MOST_CHARACTERS - end.len()) + &end
        }
    }
}

/// At most this many characters; the end that is missing shows as an ellipsis.
pub(super) fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The text with each run of digits as `#`: the same for two texts that differ in a count or an age.
pub fn without_numbers(text: &str) -> String {
    let mut steady = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_ascii_digit() {
            true if steady.ends_with('#') => {}
            true => steady.push('#'),
            false => steady.push(character),
        }
    }
    steady
}

/// The text with its control characters replaced: those of names and reasons must not reach the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// The same for a text of several lines, whose line breaks and tabs are meant.
pub fn printable_lines(text: &str) -> String {
    let is_kept = |character: char| matches!(character, '\n' | '\t') || !character.is_control();
    text.chars().map(|character| if is_kept(character) { character } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_become_one_line_of_bounded_length() {
        let hundred: String = (1..=100).map(|line| format!("a.zone:{line}:1: no owner\n")).collect();
        assert_eq!(one_line(&hundred), "a.zone:1:1: no owner; and 99 more");
        assert_eq!(one_line("short"), "short");
        assert_eq!(one_line(""), "");
        let long = one_line(&"ü".repeat(1000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (MOST_CHARACTERS, true));
        let long_and_many = one_line(&format!("{}\nb\n", "x".repeat(1000)));
        assert_eq!(long_and_many.chars().count(), MOST_CHARACTERS);
        assert!(long_and_many.ends_with("…; and 1 more"), "{long_and_many}");
    }

    #[test]
    fn a_count_that_changes_leaves_the_kind_as_it_is() {
        assert_eq!(without_numbers("no heartbeat for 12.5 s"), without_numbers("no heartbeat for 3.0 s"));
        assert_ne!(without_numbers("worker 1"), without_numbers("task 1"));
    }
}
