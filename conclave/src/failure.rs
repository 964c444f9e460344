//! How a command fails: one sentence that says what to do, and an exit code that means something.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::advice;

/// A command's failure. Exit codes: 1 the command was understood and failed, 2 it was not
/// understood (as clap's own), 3 a server was removed from its cluster and must not be started
/// again as it is, 0 for a reader that has closed our output; and whatever a command that was run
/// for somebody has ended with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    text: String,
}

pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// The command was right, but could not be carried out.
    pub(crate) fn new(text: impl fmt::Display) -> Failure {
        Failure { code: 1, text: text.to_string() }
    }

    /// The command, a setting or its input is wrong.
    pub(crate) fn usage(text: impl fmt::Display) -> Failure {
        Failure { code: 2, text: text.to_string() }
    }

    /// A command that was run for somebody has ended with this code, and has said why.
    pub(crate) fn ended(code: u8) -> Failure {
        Failure { code, text: String::new() }
    }

    /// A signal has ended what was going on, as shells write it.
    pub(crate) fn ended_by(signal: i32) -> Failure {
        Failure::ended(u8::try_from(128 + signal).unwrap_or(u8::MAX))
    }

    /// The same failure, with what it was about to do before it.
    pub(crate) fn within(self, what: &str) -> Failure {
        Failure { text: format!("{what}: {}", self.text), ..self }
    }

    /// Prints the sentence, if there is one.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.text.is_empty() {
            eprintln!("conclave: {}", self.text);
        }
        ExitCode::from(self.code)
    }

    /// The sentence.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl From<server::ServerError> for Failure {
    fn from(error: server::ServerError) -> Failure {
        let removed = matches!(error, server::ServerError::Run(server::RunError::Removed));
        Failure { code: if removed { 3 } else { 1 }, text: error.to_string() }
    }
}

impl From<server::AgentError> for Failure {
    fn from(error: server::AgentError) -> Failure {
        match error {
            server::AgentError::Server(error) => error.into(),
            error => Failure::new(error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        // `conclave … | head` ends when head does.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure { code: 0, text: String::new() };
        }
        Failure::new(format!("reading or writing failed: {error}"))
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Failure {
        let hint = match (error.code(), error.outcome()) {
            (client::Code::Unavailable, client::Outcome::Unsent) => {
                "; is a server running there? (`conclave dev` starts one, --endpoints names others)"
            }
            (client::Code::DeadlineExceeded, _) => advice::SLOW,
            _ => advice::on(error.message()),
        };
        match error.code() {
            client::Code::InvalidArgument if error.outcome() == client::Outcome::Unsent => {
                Failure::usage(error)
            }
            _ => Failure::new(format!("{error}{hint}")),
        }
    }
}
