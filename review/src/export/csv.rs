//! RFC 4180, for people who open it in a spreadsheet.

use std::io::{self, Write};

use sealgate_audit::{Mode, Verdict};

use crate::moment::instant;
use crate::query::Request;

/// Writes the names of the columns.
pub(super) fn header(out: &mut dyn Write) -> io::Result<()> {
    let mut writer = writer(out);
    writer.write_record(COLUMNS)?;
    writer.flush()
}

/// Writes a row per request.
pub(super) fn rows(requests: &[Request], out: &mut dyn Write) -> io::Result<()> {
    let mut writer = writer(out);
    for request in requests {
        writer.write_record(cells(request))?;
    }
    writer.flush()
}

fn writer<W: Write>(out: W) -> csv::Writer<W> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out)
}

fn cells(request: &Request) -> [String; COLUMNS.len()] {
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let optional = |text: &Option<String>| neutral(text.as_deref().unwrap_or_default());
    [
        request.n.to_string(),
        instant(request.time_us),
        neutral(&request.request_id),
        neutral(&request.caller.tenant),
        neutral(&request.caller.subject),
        neutral(&request.caller.issuer),
        optional(&request.caller.client_id),
        neutral(&request.address),
        neutral(&request.action),
        neutral(&request.model),
        optional(&request.model_version),
        match request.mode {
            Mode::GatewaySealed => "gateway-sealed".to_owned(),
            Mode::ClientSealed => "client-sealed".to_owned(),
        },
        neutral(&request.protocol),
        match request.verdict {
            Verdict::Allow => "allow".to_owned(),
            Verdict::Deny => "deny".to_owned(),
        },
        neutral(&request.code),
        neutral(&request.rules.join(" ")),
        neutral(&request.limit_profile),
        neutral(&request.release_profile),
        request.rows_reserved.to_string(),
        request.status.map(|status| status.to_string()).unwrap_or_default(),
        number(request.rows),
        number(request.total_us),
        neutral(&request.policy_digest),
        optional(&request.model_digest),
    ]
}

/// A cell that no spreadsheet takes for a formula: what begins like one gets an apostrophe before
/// it. Quoting alone does not help, spreadsheets look behind the quotes.
#[must_use]
pub fn neutral(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

const COLUMNS: [&str; 24] = [
    "record",
    "time",
    "request_id",
    "tenant",
    "subject",
    "issuer",
    "client_id",
    "network",
    "action",
    "model",
    "model_version",
    "mode",
    "protocol",
    "verdict",
    "code",
    "rules",
    "limits",
    "release",
    "rows_reserved",
    "status",
    "rows",
    "total_us",
    "policy_digest",
    "model_digest",
];

#[cfg(test)]
mod tests {
    use super::neutral;

    #[test]
    fn what_a_spreadsheet_would_take_for_a_formula_is_text() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(neutral(text), format!("'{text}"));
        }
        for text in ["", "dr-house", "a=b", "'=1"] {
            assert_eq!(neutral(text), text);
        }
    }
}
