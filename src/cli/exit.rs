//! Exit codes: one table, from which the code, `--help`, the manual pages and the operator's guide take them. Pure.

use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit(u8);

/// The code, what it means, and what it means for single commands.
const TABLE: [(Exit, &str, &str); 5] = [
    (Exit::DONE, "done", "`status`, `fleet`: all is well"),
    (
        Exit::WRONG,
        "something is wrong: it was said on standard error, or is in what was printed",
        "`status`: degraded; `fleet`: a POP is not well, or serials or contents differ; `which`: an address did not answer, or not for the zone",
    ),
    (Exit::USAGE, "the command line is wrong", "`status`: down; `fleet`: no POP is announced"),
    (
        Exit::NO_ANSWER,
        "no anyns answers on the control socket (`status`), or no POP (`fleet`); or the file that says whom to ask cannot be read",
        "",
    ),
    (Exit::RESTART, "done, but for what only a restart takes over (`reload`)", ""),
];

impl Exit {
    pub(super) const DONE: Self = Self(0);
    pub(super) const WRONG: Self = Self(1);
    pub(super) const USAGE: Self = Self(2);
    pub(super) const NO_ANSWER: Self = Self(3);
    pub(super) const RESTART: Self = Self(4);

    /// Done, or wrong.
    pub(super) fn of(is_good: bool) -> Self {
        if is_good { Self::DONE } else { Self::WRONG }
    }

    /// That of the verdict of a status.
    pub(super) fn of_verdict(verdict: crate::control::Verdict) -> Self {
        Self(verdict.exit_code())
    }

    /// That of what a fleet tells.
    pub(super) fn of_fleet(report: &crate::fleet::FleetReport) -> Self {
        Self(report.exit_code())
    }

    /// The number.
    pub(super) fn code(self) -> u8 {
        self.0
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// The table behind `--help` and in the manual page.
pub(super) fn help() -> String {
    let mut text = "Exit codes:".to_owned();
    for (exit, meaning, special) in TABLE {
        let special = if special.is_empty() { String::new() } else { format!(" ({special})") };
        text.push_str(&format!("\n  {}  {meaning}{special}", exit.0).replace('`', ""));
    }
    text
}

/// The same behind the help and in the manual page of each command.
pub(super) fn with_help(command: clap::Command) -> clap::Command {
    command.after_help(help()).mut_subcommands(with_help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_has_the_table() {
        let guide = include_str!("../../deploy/README.md");
        let mut table = "| exit code | meaning | of single commands |\n| --- | --- | --- |\n".to_owned();
        for (exit, meaning, special) in TABLE {
            let special = if special.is_empty() { "–" } else { special };
            table.push_str(&format!("| {} | {meaning} | {special} |\n", exit.0));
        }
        assert!(guide.contains(&table), "deploy/README.md must have this table:\n{table}");
    }

    #[test]
    fn the_verdicts_are_in_the_table() {
        use crate::control::Verdict;
        for verdict in [Verdict::Ok, Verdict::Degraded, Verdict::Down] {
            let exit = Exit::of_verdict(verdict);
            let row = TABLE.iter().find(|(other, ..)| *other == exit).unwrap();
            let well = if verdict == Verdict::Ok { "all is well" } else { verdict.word() };
            assert!(row.2.starts_with("`status`") && row.2.contains(&format!(": {well}")), "{row:?}");
        }
    }
}
