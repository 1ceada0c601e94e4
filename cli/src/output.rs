//! Where words go: answers to standard output, everything else to standard error.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;

use crate::error::CliError;

/// One line that a person or a program asked for.
///
/// # Errors
///
/// When it cannot be written. A reader that has read enough and closed the pipe is no error.
pub(crate) fn line(text: impl Display) -> Result<(), CliError> {
    line_while_read(text).map(drop)
}

/// As [`line`], for those who would go on for ever: says when nobody reads any more.
pub(crate) fn line_while_read(text: impl Display) -> Result<ControlFlow<()>, CliError> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(CliError::Output(error)),
    }
}

/// One line of JSON that a program asked for.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), CliError> {
    line(serde_json::to_string(value).map_err(CliError::Json)?)
}

/// One line about what is going on. That nobody can be told is no reason to stop.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What happened, with its causes, and then what to do about it.
pub(crate) fn error(error: &CliError) {
    let (message, hint) = words(error);
    note(format_args!("error: {message}"));
    if let Some(hint) = hint {
        note(format_args!("hint: {hint}"));
    }
}

/// Some errors bring their hint as a second line of their message.
pub(crate) fn words(error: &CliError) -> (String, Option<String>) {
    let mut message = error.to_string();
    let brought = message.split_once("\nhint: ").map(|(_, hint)| hint.to_owned());
    if let Some(end) = message.find("\nhint: ") {
        message.truncate(end);
    }
    let mut cause = error.source();
    while let Some(source) = cause {
        let text = source.to_string();
        if !message.ends_with(&text) {
            message = format!("{message}: {text}");
        }
        cause = source.source();
    }
    (message, error.hint().or(brought))
}

#[cfg(test)]
mod tests {
    use super::words;
    use crate::error::CliError;

    #[test]
    fn causes_follow_what_happened() {
        let source = std::io::Error::other("disk on fire");
        let error = CliError::Io { doing: "read", path: "rows.csv".into(), source };
        assert_eq!(words(&error).0, "cannot read `rows.csv`: disk on fire");
    }

    #[test]
    fn a_hint_inside_a_message_is_told_as_a_hint() {
        let error = sealgate_audit::AuditError::Locked("log".into());
        let (message, hint) = words(&CliError::Audit(error));
        assert!(!message.contains("hint"), "{message}");
        assert!(hint.is_some());
    }
}
