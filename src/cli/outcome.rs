//! What a command comes to: an exit code, or an error.

use super::exit::Exit;

/// One error of any command; its text is made only here.
pub(super) type CommandError = Box<dyn std::error::Error + Send + Sync>;

/// What a command comes to.
pub(super) type Outcome = Result<Exit, CommandError>;

/// Why nobody could be asked. The exit code is that of no answer: any other would tell something of those who were not asked.
#[derive(Debug)]
pub(super) struct NobodyAsked(pub(super) CommandError);

impl std::fmt::Display for NobodyAsked {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for NobodyAsked {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
