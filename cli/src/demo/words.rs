//! What the demo prints: commands that work when they are pasted, in any folder.

use std::path::Path;

use crate::error::CliError;
use crate::output;
use crate::state::State;
use crate::state::listing::Listing;

/// Says that the demo runs and what to try.
pub(super) fn announce(listing: &Listing, state: &State) -> Result<(), CliError> {
    output::note(format_args!("ready        {} (Ctrl-C stops it)", listing.url));
    output::line("\n# a score, with the request id in the headers")?;
    output::line(curl(listing))?;
    let (own, state_dir) = (own_name(), quoted(state.dir()));
    let example = quoted(&listing.example);
    output::line("\n# the same by the command line, and what the audit log has to show for it")?;
    output::line(format_args!("{own} infer --state {state_dir} --input {example}"))?;
    output::line(format_args!("{own} audit verify {}", quoted(&listing.audit)))?;
    let pin = listing.evidence_pin.as_ref().map(|pin| format!(" --accept software --pin {pin}"));
    let pin = pin.unwrap_or_default();
    output::line("\n# the same, sealed before it leaves: the gateway passes what it cannot read")?;
    output::line(format_args!("{own} infer --sealed --state {state_dir} --input {example}{pin}"))?;
    output::line("\n# to whose keys, and what was verified of them")?;
    output::line(format_args!("{own} keys --state {state_dir}{pin}"))
}

fn curl(listing: &Listing) -> String {
    format!(
        "curl -i --cacert {ca} -H \"Authorization: Bearer $(cat {token})\" -H 'Content-Type: application/json' --data @{example} {url}/v2/models/{model}/infer",
        ca = quoted(&listing.ca),
        token = quoted(&listing.token),
        example = quoted(&listing.example),
        url = listing.url,
        model = listing.model,
    )
}

/// This program by its path, for it may lie in no folder that the shell searches.
fn own_name() -> String {
    std::env::current_exe().map_or_else(|_| "sealgate".to_owned(), |path| quoted(&path))
}

/// As a POSIX shell reads it: between single quotes everything but a single quote is itself.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%,".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_path_reads_back_from_a_shell_as_it_was() {
        for path in ["/tmp/demo", "/tmp/a b", "/tmp/it's", "/tmp/$(x)"] {
            let printed = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(path.as_ref()))])
                .output();
            assert!(printed.is_ok_and(|printed| printed.stdout == path.as_bytes()), "{path}");
        }
    }
}
