//! The `anyns` command: parse the command line, do what it says, turn an error into text and an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    anyns::cli::main()
}
