//! What a worker is to clients: keys they seal to, a keyset that says whose, receipts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sealgate_keys::evidence::{NoncePath, Purpose, report_data};
use sealgate_keys::hop::Hello;
use sealgate_keys::ohttp::KeyList;
use sealgate_keys::receipt::{ReceiptKey, WorkerReceipt};
use sealgate_keys::{Base64, KeyError, Keyset, KeysetModel};

use crate::client_keys::{ClientKeys, Life, NotOpened, OpenedByClientKey};
use crate::conditions::DATE_SECONDS;
use crate::function::{FunctionKeys, Replays};
use crate::loaded::Loaded;
use crate::protocol::Refusal;
use crate::session::{SelfDescription, Voucher};

/// The part of a worker that clients know.
pub(crate) struct Clients {
    keys: ClientKeys,
    receipts: ReceiptKey,
    voucher: Voucher,
    of: SelfDescription,
    shown: Mutex<Vec<Shown>>,
    /// The keyset that the gateway offers to clients: judged, archived and recorded.
    offered: Mutex<Option<[u8; 32]>>,
    /// Whether this is a function, and who remembers what it has opened.
    function: Option<Replays>,
}

/// A keyset that was shown and whose keys live.
struct Shown {
    key_ids: [u8; 2],
    digest: [u8; 32],
    end: Instant,
}

impl Clients {
    pub(crate) fn new(of: SelfDescription, voucher: Voucher) -> Result<Self, KeyError> {
        Ok(Self::with(ClientKeys::default(), ReceiptKey::generate()?, voucher, of, None))
    }

    fn with(
        keys: ClientKeys,
        receipts: ReceiptKey,
        voucher: Voucher,
        of: SelfDescription,
        function: Option<Replays>,
    ) -> Self {
        let (shown, offered) = (Mutex::new(Vec::new()), Mutex::new(None));
        Self { keys, receipts, voucher, of, shown, offered, function }
    }

    /// What a function version is to clients: its keys are those of its secret wherever it runs. Also
    /// its keyset and its key list, which are shown and offered from the start.
    pub(crate) fn of_function(
        of: SelfDescription,
        secrets: &FunctionKeys,
        replays: Replays,
        model: &Loaded,
    ) -> Result<(Self, Keyset, Vec<u8>), KeyError> {
        let left = secrets.not_after_s().checked_sub(now_s()?).ok_or(KeyError::Refused)?;
        let end = Instant::now().checked_add(Duration::from_secs(left)).ok_or(KeyError::Refused)?;
        let (keys, list) = secrets.client_keys(end)?;
        let list = list.encode();
        let replay = replays.word();
        let clients =
            Self::with(keys, secrets.receipt_key()?, secrets.voucher()?, of, Some(replays));
        let keyset = Keyset { replay, ..clients.keyset(&list, secrets.not_after_s(), model) };
        let digest = keyset.digest();
        clients.shown().push(Shown { key_ids: secrets.key_ids(), digest, end });
        clients.offer(digest);
        Ok((clients, keyset, list))
    }

    /// Makes new keys for `model`; the keyset and the key list to show.
    pub(crate) fn renew(
        &self,
        key_ids: [u8; 2],
        life: Life,
        model: &Loaded,
        now: Instant,
    ) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
        let [x_wing, x25519] = key_ids;
        let list = self.keys.renew(x_wing, x25519, life, now)?.encode();
        let keyset = self.keyset(&list, now_s()? + life.total().as_secs(), model);
        let end = now.checked_add(life.total()).ok_or(KeyError::Refused)?;
        let mut shown = self.shown();
        shown.retain(|shown| shown.end > now);
        let overlap_end = now.checked_add(life.overlap).ok_or(KeyError::Refused)?;
        for shown in shown.iter_mut() {
            shown.end = shown.end.min(overlap_end);
        }
        shown.push(Shown { key_ids, digest: keyset.digest(), end });
        Ok((keyset.encode(), list))
    }

    fn keyset(&self, list: &[u8], not_after_s: u64, model: &Loaded) -> Keyset {
        Keyset {
            build: self.of.build().to_owned(),
            build_digest: hex::encode(self.of.build_digest),
            engine: self.of.engine.clone(),
            key_list_digest: hex::encode(KeyList::digest(list)),
            model: KeysetModel {
                digest: hex::encode(model.model.digest().as_bytes()),
                name: model.name.clone(),
                schema_digest: model.schema_digest.clone(),
                version: model.version.clone(),
            },
            not_after_s,
            receipt_key: Base64(self.receipts.public().to_vec()),
            replay: None,
            sandbox: self.of.sandbox.clone(),
            sandbox_enforced: self.of.enforced,
            kind: Keyset::TYPE.to_owned(),
        }
    }

    /// Evidence for a keyset that was shown, as JSON; nothing for one that is no more.
    pub(crate) fn evidence(
        &self,
        keyset_digest: &[u8; 32],
        nonce_root: &[u8; 32],
        now: Instant,
    ) -> Result<Vec<u8>, KeyError> {
        let lives = |shown: &Shown| shown.digest == *keyset_digest && shown.end > now;
        if !self.shown().iter().any(lives) {
            return Ok(Vec::new());
        }
        self.voucher.vouch(&report_data(Purpose::Client, keyset_digest, nonce_root))
    }

    /// Opens what a client sealed for one of our keys, and says which keyset that is of.
    pub(crate) fn open(
        &self,
        caller: &str,
        request: &[u8],
        now: Instant,
    ) -> Result<(OpenedByClientKey, [u8; 32]), NotOpened> {
        let opened = self.keys.open(caller, request, now)?;
        let key_id = request.first().copied().unwrap_or_default();
        let shown = self.shown();
        let keyset = shown.iter().find(|shown| shown.end > now && shown.key_ids.contains(&key_id));
        let digest = keyset.ok_or(NotOpened::KeyUnknown)?.digest;
        Ok((opened, digest))
    }

    /// Whether these are the keys of a function version.
    pub(crate) const fn is_function(&self) -> bool {
        self.function.is_some()
    }

    /// Takes what a function has opened for good. A request is refused that was opened before, or of
    /// which that cannot be told; it may be forgotten when its date is too old to be opened at all.
    pub(crate) fn claim(&self, claim: &[u8; 32], dated: SystemTime) -> Result<(), Refusal> {
        // Keys that die with this process have a memory of their own.
        let Some(replays) = &self.function else { return Err(Refusal::ReplaysUnknown) };
        replays.claim(claim, dated + Duration::from_secs(DATE_SECONDS))
    }

    /// Whether a worker may have a part of our model: the same program on the same engine behind walls
    /// no lower than ours, vouched for by the key that vouches for us. Whoever accepted our evidence
    /// accepted it for that program; nobody else judges who gets what we compute.
    pub(crate) fn judge_part(&self, hello: &Hello, nonce: &[u8; 32]) -> Result<(), KeyError> {
        let part = &hello.identity;
        let same = part.build == self.of.build()
            && part.build_digest == self.of.build_digest
            && part.engine == self.of.engine
            && (part.enforced || !self.of.enforced);
        let root = NoncePath::alone().root(nonce).ok_or(KeyError::Refused)?;
        let data = report_data(Purpose::Hop, &part.digest(), &root);
        match same && self.voucher.vouches_for(&data, &hello.evidence) {
            true => Ok(()),
            false => Err(KeyError::Refused),
        }
    }

    /// From now on gateway-sealed requests' receipts name this keyset, if it was shown and lives.
    pub(crate) fn offer(&self, keyset_digest: [u8; 32]) {
        if self.shown().iter().any(|shown| shown.digest == keyset_digest) {
            *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = Some(keyset_digest);
        }
    }

    /// The keyset that was offered last. Also when its keys are gone: what receipts are verified
    /// with is the same in all of a worker's keysets.
    pub(crate) fn offered(&self) -> Option<[u8; 32]> {
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Destroys keys that have come to their end, and says when to come again.
    pub(crate) fn expire(&self, now: Instant) -> Option<Instant> {
        self.keys.expire(now)
    }

    /// The signed line of a receipt.
    pub(crate) fn sign(&self, receipt: &WorkerReceipt) -> Result<String, KeyError> {
        self.receipts.sign(receipt)
    }

    fn shown(&self) -> MutexGuard<'_, Vec<Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since 1970 by the worker's own clock.
pub(crate) fn now_s() -> Result<u64, KeyError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).map_err(|_| KeyError::Refused)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::session::HopKey;
    use aws_lc_rs::signature::Ed25519KeyPair;
    use sealgate_keys::hop::Identity;

    const NONCE: [u8; 32] = [7; 32];

    fn of() -> SelfDescription {
        let (engine, sandbox) = ("flex".to_owned(), Vec::new());
        SelfDescription { engine, threads: 1, build_digest: [1; 32], sandbox, enforced: true }
    }

    /// Two vouchers of one operator's key.
    fn operator() -> [Voucher; 2] {
        let key = Ed25519KeyPair::generate().unwrap();
        let document = key.to_pkcs8v1().unwrap();
        [0, 1].map(|_| Voucher::operator(document.as_ref()).unwrap())
    }

    fn judged(own: Voucher, hello: &Hello) -> bool {
        Clients::new(of(), own).unwrap().judge_part(hello, &NONCE).is_ok()
    }

    #[test]
    fn a_part_of_the_same_program_and_the_same_operator_is_accepted() {
        let [own, theirs] = operator();
        assert!(judged(own, &HopKey::generate(of()).hello(&theirs, &NONCE).unwrap()));
        let nobodys = HopKey::generate(of()).hello(&Voucher::Nobody, &NONCE).unwrap();
        assert!(judged(Voucher::Nobody, &nobodys));
    }

    #[test]
    fn a_part_that_another_or_nobody_vouches_for_is_refused() {
        for theirs in [Voucher::Nobody, operator().into_iter().next().unwrap()] {
            let [own, _] = operator();
            assert!(!judged(own, &HopKey::generate(of()).hello(&theirs, &NONCE).unwrap()));
        }
    }

    #[test]
    fn evidence_for_another_key_or_of_another_start_is_refused() {
        let [own, theirs] = operator();
        let replayed = HopKey::generate(of()).hello(&theirs, &[8; 32]).unwrap();
        assert!(!judged(own, &replayed));
        let ([own, theirs], mut stolen) = (operator(), HopKey::generate(of()));
        let evidence = stolen.hello(&theirs, &NONCE).unwrap().evidence;
        stolen = HopKey::generate(of());
        let hello = Hello { identity: stolen.identity().clone(), evidence };
        assert!(!judged(own, &hello));
    }

    #[test]
    fn another_program_engine_or_lower_walls_are_refused_whoever_vouches() {
        type Change = fn(&mut Identity);
        let changes: [Change; 4] = [
            |part| part.build.push('x'),
            |part| part.build_digest = [2; 32],
            |part| part.engine = "ndarray".to_owned(),
            |part| part.enforced = false,
        ];
        for change in changes {
            let mut hello = HopKey::generate(of()).hello(&Voucher::Nobody, &NONCE).unwrap();
            change(&mut hello.identity);
            assert!(!judged(Voucher::Nobody, &hello));
        }
    }
}
