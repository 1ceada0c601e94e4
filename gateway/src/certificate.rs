//! The certificate that connections are met with: looked after, and on record when it changes.

use std::time::Duration;

use sealgate_audit as audit;
use tokio::signal::unix::Signal;
use tokio::sync::watch::Receiver;
use tokio::time::{MissedTickBehavior, interval};

use crate::edge::{Certificate, CertificateFiles, Reload, TlsIdentity};
use crate::journal::{Journal, now_s};
use crate::metrics::{Reloads, count};

/// Looks after the files until `stopped` says so; SIGHUP has them read at once.
pub async fn watch(
    identity: TlsIdentity,
    told: impl Fn(&Reload, &'static str),
    mut hangup: Signal,
    mut stopped: Receiver<bool>,
) {
    let mut looks = interval(BETWEEN_LOOKS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut files = CertificateFiles::of(identity);
    loop {
        let is_asked = tokio::select! {
            _ = stopped.wait_for(|&stop| stop) => return,
            _ = hangup.recv() => true,
            _ = looks.tick() => false,
        };
        let look = tokio::task::spawn_blocking(move || {
            let came = if is_asked { files.read(now_s()) } else { files.look(now_s()) };
            (files, came)
        });
        // A look that panicked has taken its state with it; the certificate stays.
        let Ok((same, came)) = look.await else { return };
        files = same;
        if let Some(reload) = came {
            told(&reload, if is_asked { "sighup" } else { "changed" });
        }
    }
}

/// Says loudly, and on record, what came of reading the files again.
pub fn tell(journal: &Journal, counted: &Reloads, reload: &Reload, cause: &'static str) {
    let event = match reload {
        Reload::Loaded { now, before } => {
            count(&counted.loaded);
            let (digest, not_after_s) = (hex::encode(now.digest), now.not_after_s);
            tracing::info!(certificate = digest, not_after_s, why = cause, "certificate in force");
            audit::Event::CertificateLoaded(audit::CertificateLoaded {
                certificate_digest: digest.into(),
                not_after_s,
                previous_digest: hex::encode(before.digest).into(),
                why: cause.into(),
            })
        }
        Reload::Refused { why, kept } => {
            count(&counted.refused);
            let mistake = why.to_string();
            let mistake = mistake.lines().next().unwrap_or_default();
            tracing::error!(mistake, why = cause, "the last good certificate stays in force");
            audit::Event::CertificateRefused(audit::CertificateRefused {
                certificate_digest: hex::encode(kept.digest).into(),
                mistake: mistake.into(),
                why: cause.into(),
            })
        }
    };
    journal.note(&event);
}

/// Warns of a certificate that clients can be expected to refuse.
pub fn warn(certificate: &Certificate, now_s: u64) {
    if !certificate.is_valid_at(now_s) {
        tracing::error!(
            not_before_s = certificate.not_before_s,
            not_after_s = certificate.not_after_s,
            "the certificate is not valid at this time: clients will refuse it"
        );
    }
}

const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
