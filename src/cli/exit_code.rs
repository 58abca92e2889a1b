//! What the process ends with, for scripts and supervisors.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// All went well: 0.
    Success,
    /// It failed while running, such as an address in use or a server that does not answer: 1.
    Failure,
    /// The command line or the config is wrong; running it again won't help: 2.
    Usage,
}

impl ExitCode {
    /// The number that the process ends with.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
        }
    }

    /// The code of a command that had `written` its output: a reader that left early, as `head` does, is no failure.
    #[must_use]
    pub fn of_output(written: &std::io::Result<()>) -> Self {
        match written {
            Ok(()) => Self::Success,
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Self::Success,
            Err(_) => Self::Failure,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    #[test]
    fn numbers_are_what_the_manual_says() {
        let cases = [
            (ExitCode::Success, 0),
            (ExitCode::Failure, 1),
            (ExitCode::Usage, 2),
        ];
        for (code, number) in cases {
            assert_eq!(code.number(), number);
            let process = std::process::ExitCode::from(code);
            assert_eq!(process, std::process::ExitCode::from(number));
        }
    }

    #[test]
    fn output_that_fails_is_a_failure_unless_the_reader_left() {
        let cases = [
            (Ok(()), ExitCode::Success),
            (Err(ErrorKind::BrokenPipe), ExitCode::Success),
            (Err(ErrorKind::StorageFull), ExitCode::Failure),
        ];
        for (written, code) in cases {
            assert_eq!(ExitCode::of_output(&written.map_err(Error::from)), code);
        }
    }
}
