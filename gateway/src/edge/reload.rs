//! Looks after the files of certificate and key: what has changed in them is shown to the handshakes
//! to come, if it is whole and right.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::certificate::Certificate;
use super::identity::{Current, PemFiles};
use super::{EdgeError, TlsIdentity};

/// The files, as somebody who looks at them now and then sees them.
///
/// A change counts once both have kept still from one look to the next: whoever renews a certificate
/// writes two files one after the other. What is half written then, or does not fit together, changes
/// nothing and is told once.
pub struct CertificateFiles {
    identity: TlsIdentity,
    seen: Option<Looks>,
    read: Option<Looks>,
    /// From when on what was refused for its time may count.
    awaited_s: Option<u64>,
    /// What was told to be wrong.
    told: Option<(Looks, String)>,
}

/// What came of reading them again.
#[derive(Debug)]
pub enum Reload {
    /// The next handshake shows another chain.
    Loaded {
        /// Its certificate.
        now: Arc<Certificate>,
        /// The one before it.
        before: Arc<Certificate>,
    },
    /// The chain before goes on to be shown.
    Refused {
        /// What is wrong.
        why: EdgeError,
        /// The certificate that stays.
        kept: Arc<Certificate>,
    },
}

impl CertificateFiles {
    /// The files that `identity` was read from.
    #[must_use]
    pub const fn of(identity: TlsIdentity) -> Self {
        Self { identity, seen: None, read: None, awaited_s: None, told: None }
    }

    /// Reads them if they have changed and kept still since the last look. Blocks: not for a
    /// runtime's thread.
    pub fn look(&mut self, now_s: u64) -> Option<Reload> {
        let now = Some(Looks::of(self.identity.files()));
        let is_steady = now == self.seen;
        self.seen = now;
        let its_time_has_come = self.awaited_s.is_some_and(|awaited_s| awaited_s <= now_s);
        if !is_steady || (now == self.read && !its_time_has_come) {
            return None;
        }
        let came = self.read(now_s)?;
        let wrong = match &came {
            Reload::Loaded { .. } => None,
            Reload::Refused { why, .. } => now.map(|now| (now, why.to_string())),
        };
        let is_told = wrong.is_some() && wrong == self.told;
        self.told = wrong;
        (!is_told).then_some(came)
    }

    /// Reads them now. Nothing comes of it where they hold what is shown already, or are being
    /// written at this moment: then the next looks do it.
    pub fn read(&mut self, now_s: u64) -> Option<Reload> {
        let files = self.identity.files();
        let before = Looks::of(files);
        let next = Current::read(files);
        self.awaited_s = next
            .as_ref()
            .ok()
            .map(|next| next.certificate.not_before_s)
            .filter(|&not_before_s| now_s < not_before_s);
        let next = next.and_then(|next| counts(next, files, now_s));
        if Looks::of(files) != before {
            return None;
        }
        // What could not be read may be readable at the next look, with nothing changed in it.
        let is_passing = matches!(next, Err(EdgeError::Unreadable { .. }));
        self.read = Some(before).filter(|_| !is_passing);
        match next {
            Ok(next) => {
                let now = next.certificate.clone();
                self.identity.put(next).map(|before| Reload::Loaded { now, before })
            }
            Err(why) => Some(Reload::Refused { why, kept: self.identity.certificate() }),
        }
    }
}

/// Clients would refuse it, so whatever is shown now is no worse.
fn counts(next: Current, files: &PemFiles, now_s: u64) -> Result<Current, EdgeError> {
    if next.certificate.is_valid_at(now_s) {
        Ok(next)
    } else {
        Err(EdgeError::NotInForce { path: files.cert.clone() })
    }
}

/// What the file system says of both, that of a symlink's target.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Looks([Option<[i64; 8]>; 2]);

impl Looks {
    fn of(files: &PemFiles) -> Self {
        Self([&files.cert, &files.key].map(|path| facts(path)))
    }
}

fn facts(path: &Path) -> Option<[i64; 8]> {
    let facts = fs::metadata(path).ok()?;
    let ids = [facts.dev(), facts.ino(), facts.size(), facts.mode().into()];
    let [dev, ino, size, mode] = ids.map(u64::cast_signed);
    let (changed, ctime) =
        ([facts.mtime(), facts.mtime_nsec()], [facts.ctime(), facts.ctime_nsec()]);
    let ([m, m_ns], [c, c_ns]) = (changed, ctime);
    Some([dev, ino, size, mode, m, m_ns, c, c_ns])
}
