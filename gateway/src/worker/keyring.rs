//! Keys that clients seal to: made, judged, put on record, offered, routed by id, taken back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sealgate_attestation::{Claims, Trust, Verdict, judge};
use sealgate_audit::{Event, KeysOffered, WorkerRefused};
use sealgate_keys::evidence::{Evidence, Purpose, report_data};
use sealgate_keys::{KeyError, Keyset, Secret};
use tokio::sync::Notify;

use super::{Archive, Attested, Connection, ShownKeys, WorkerError};
use crate::journal::{Journal, now_s};
use crate::key_ids::{Holder, KeyIds};
use crate::models::Artifact;

/// All keys that clients seal to, of all workers.
pub struct Keyring {
    ids: Mutex<KeyIds<Owner>>,
    life: KeyLife,
    trust: Option<Trust>,
    archive: Archive,
    journal: Arc<Journal>,
}

/// How long keys are offered, and how long they open requests after that.
#[derive(Debug, Clone, Copy)]
pub struct KeyLife {
    /// From when they are made until others are offered instead.
    pub active: Duration,
    /// From then until they are destroyed.
    pub overlap: Duration,
}

/// Whose a key is.
#[derive(Clone)]
pub struct Owner {
    model: Arc<str>,
    /// Whose requests its worker gets alone, if it is not for everybody.
    tenant: Option<Arc<str>>,
    connection: Weak<Connection>,
    offered: Option<Offered>,
}

/// Keys that clients may have.
#[derive(Clone)]
struct Offered {
    keys: Arc<ShownKeys>,
    until: Instant,
}

impl Holder for Owner {
    fn was_given(&self) -> bool {
        self.offered.as_ref().is_some_and(|offered| offered.keys.were_given())
    }
}

/// A key that a client named, and the worker that has it.
pub struct Reached {
    /// The worker.
    pub connection: Arc<Connection>,
    /// The keys.
    pub keys: Arc<ShownKeys>,
    /// In how long others are offered instead of these.
    pub renewed_in: Duration,
}

impl KeyLife {
    /// For how long clients may keep a key list: a list that is handed out as late as can be has
    /// keys that live this long.
    #[must_use]
    pub fn list_age_max(&self) -> Duration {
        self.overlap - self.grace()
    }

    /// For how long keys may be offered beyond their time, while new ones are being made.
    fn grace(&self) -> Duration {
        self.overlap / 5
    }

    /// For how long an id that clients were given rests: five times as long as a list may be kept.
    fn rest(&self) -> Duration {
        self.overlap * 4
    }

    /// How many workers at most the 256 ids are enough for, each taking two at every renewal.
    #[must_use]
    pub fn workers_max(&self) -> u128 {
        let cycle = (self.active + self.overlap + self.rest()).as_millis();
        128 / (cycle.div_ceil(self.active.as_millis().max(1)) + 1)
    }
}

impl Keyring {
    /// An empty one.
    #[must_use]
    pub fn new(
        life: KeyLife,
        trust: Option<Trust>,
        archive: Archive,
        journal: Arc<Journal>,
    ) -> Self {
        Self { ids: Mutex::new(KeyIds::new(life.rest())), life, trust, archive, journal }
    }

    /// How long keys live.
    #[must_use]
    pub const fn life(&self) -> &KeyLife {
        &self.life
    }

    /// The model whose key has this id.
    #[must_use]
    pub fn model(&self, id: u8) -> Option<Arc<str>> {
        self.ids().holder(id, Instant::now()).map(|owner| owner.model)
    }

    /// The worker whose key has this id, if it serves `model` to `tenant`'s clients or to everybody's
    /// as asked, and clients may have the key.
    #[must_use]
    pub fn reach(&self, id: u8, model: &str, tenant: Option<&Arc<str>>) -> Option<Reached> {
        let now = Instant::now();
        let owner = self.ids().holder(id, now)?;
        let Owner { model: own, tenant: theirs, connection, offered } = owner;
        let Offered { keys, until } =
            offered.filter(|_| *own == *model && theirs.as_ref() == tenant)?;
        let renewed_in = until.saturating_duration_since(now);
        Some(Reached { connection: connection.upgrade()?, keys, renewed_in })
    }

    /// The keys that a worker offers, unless their time is over and no others could be made.
    #[must_use]
    pub fn offered(&self, connection: &Connection) -> Option<Arc<ShownKeys>> {
        let now = Instant::now();
        let keys = connection.keys()?;
        let [id, _] = keys.ids;
        let Offered { keys: own, until } = self.ids().holder(id, now)?.offered?;
        (Arc::ptr_eq(&own, &keys) && now < until + self.life.grace()).then_some(keys)
    }

    /// Has a worker make new keys, and offers them once they are judged, archived and recorded.
    ///
    /// # Errors
    /// [`WorkerError`], saying which step failed; what was offered before stays so.
    pub async fn renew(
        &self,
        artifact: &Artifact,
        tenant: Option<&Arc<str>>,
        connection: &Arc<Connection>,
    ) -> Result<(), WorkerError> {
        let now = Instant::now();
        let KeyLife { active, overlap } = self.life;
        let mut owner = Owner {
            model: artifact.name.as_str().into(),
            tenant: tenant.cloned(),
            connection: Arc::downgrade(connection),
            offered: None,
        };
        // Whatever fails, they stay taken for as long as the worker may have keys under them.
        let taken = self.ids().take(&owner, now, now + active + overlap);
        let ids = taken.ok_or(WorkerError::NoKeyIds)?;
        let keys = self.made(ids, artifact, connection).await?;
        connection.offer(keys.digest).await?;
        owner.offered = Some(Offered { keys: keys.clone(), until: now + active });
        let mut all = self.ids();
        all.assign(ids, &owner);
        if let Some(before) = connection.keys() {
            // The worker ended them in the same way when it made these.
            all.shorten(before.ids, now + overlap);
        }
        connection.show(keys);
        Ok(())
    }

    /// Renews a worker's keys in time, when it asks for it and when `now` is rung, and says so to
    /// `renewed`. Never returns.
    pub async fn keep(
        &self,
        artifact: &Artifact,
        tenant: Option<&Arc<str>>,
        connection: &Arc<Connection>,
        renewed: impl Fn(),
        now: &Notify,
    ) {
        let mut wait = self.life.active;
        let mut failures = 0;
        loop {
            let asked = async {
                // What a worker asks for is granted, but not as fast as it can ask: it must not use
                // up the ids of all.
                tokio::time::sleep(ASKED_PAUSE.min(wait)).await;
                connection.keys_wanted().await;
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = asked => {}
                () = now.notified() => {}
            }
            (wait, failures) = match self.renew(artifact, tenant, connection).await {
                Ok(()) => {
                    renewed();
                    (self.life.active, 0)
                }
                Err(error) => {
                    tracing::error!(model = artifact.name, %error, "no new keys for clients");
                    self.note_refusal(artifact, &error);
                    (
                        (RETRY_PAUSE * 2_u32.pow(failures)).min(RETRY_PAUSE_MAX),
                        (failures + 1).min(8),
                    )
                }
            };
        }
    }

    /// Takes back the ids of a worker that is gone.
    pub fn release(&self, connection: &Arc<Connection>) {
        let gone = |owner: &Owner| std::ptr::eq(owner.connection.as_ptr(), Arc::as_ptr(connection));
        self.ids().release(Instant::now(), gone);
    }

    async fn made(
        &self,
        ids: [u8; 2],
        artifact: &Artifact,
        connection: &Connection,
    ) -> Result<Arc<ShownKeys>, WorkerError> {
        let KeyLife { active, overlap } = self.life;
        let keys = connection.new_keys(ids, active, overlap).await?;
        self.agrees(&keys.keyset, artifact, connection)?;
        let nonce = *Secret::random()?.expose();
        let attested = connection.attest(keys.digest, nonce).await?;
        let verdict = self.judged(&keys, &nonce, &attested)?;
        let archived = self.archive.keep(&keys, &nonce, &attested, verdict.as_ref(), now_s()).await;
        archived.map_err(WorkerError::Archive)?;
        self.record(&keys, connection, verdict.as_ref()).await?;
        Ok(Arc::new(keys))
    }

    /// Whether a keyset says of model, worker and life what is known of them already.
    fn agrees(
        &self,
        keyset: &Keyset,
        artifact: &Artifact,
        connection: &Connection,
    ) -> Result<(), WorkerError> {
        let (model, facts) = (&keyset.model, connection.facts());
        let ours = model.name == artifact.name
            && model.version == artifact.version
            && model.digest == hex::encode(artifact.digest);
        if !ours {
            return Err(WorkerError::OtherModel);
        }
        let life_s = (self.life.active + self.life.overlap).as_secs();
        let same = keyset.build == facts.build
            && keyset.build_digest == hex::encode(facts.build_digest)
            && keyset.engine == facts.engine
            && keyset.sandbox_enforced == facts.enforced
            && keyset.not_after_s <= now_s() + life_s + CLOCKS_APART_S;
        if same { Ok(()) } else { Err(WorkerError::Protocol("a keyset unlike its worker")) }
    }

    fn judged(
        &self,
        keys: &ShownKeys,
        nonce: &[u8; 32],
        attested: &Attested,
    ) -> Result<Option<Verdict>, WorkerError> {
        let Some(trust) = &self.trust else { return Ok(None) };
        let evidence: Evidence = serde_json::from_slice(&attested.evidence)
            .map_err(|_| WorkerError::Protocol("malformed evidence"))?;
        let root = attested.path.root(nonce).ok_or(WorkerError::Protocol("no nonce"))?;
        let expected = report_data(Purpose::Client, &keys.digest, &root);
        let build_digest = build_digest(&keys.keyset)?;
        let claims = Claims { build: &keys.keyset.build, build_digest: Some(&build_digest) };
        let verdict = judge(&evidence, &expected, trust, &claims, now_s());
        verdict.map(Some).map_err(WorkerError::Evidence)
    }

    /// Records that a worker's new keys were refused, which is at most as often as it is asked for
    /// some: twice as late after each time.
    fn note_refusal(&self, artifact: &Artifact, error: &WorkerError) {
        if error.is_refusal() {
            self.journal.note(&Event::WorkerRefused(WorkerRefused {
                count: 1,
                model: artifact.name.as_str().into(),
                model_digest: hex::encode(artifact.digest).into(),
                what: "keys".into(),
                why: error.to_string().into(),
            }));
        }
    }

    async fn record(
        &self,
        keys: &ShownKeys,
        connection: &Connection,
        verdict: Option<&Verdict>,
    ) -> Result<(), WorkerError> {
        let offered = KeysOffered {
            evidence: verdict.map_or("none", |verdict| verdict.kind().as_str()).into(),
            key_ids: keys.ids.to_vec(),
            keyset_digest: hex::encode(keys.digest).into(),
            model: keys.keyset.model.name.as_str().into(),
            not_after_s: keys.keyset.not_after_s,
            worker: Some(hex::encode(connection.facts().keyset_digest).into()),
        };
        Ok(self.journal.append(&Event::KeysOffered(offered)).wait().await?)
    }

    fn ids(&self) -> MutexGuard<'_, KeyIds<Owner>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn build_digest(keyset: &Keyset) -> Result<[u8; 32], KeyError> {
    let mut digest = [0; 32];
    hex::decode_to_slice(&keyset.build_digest, &mut digest)
        .map_err(|_| KeyError::Malformed("keyset"))?;
    Ok(digest)
}

/// A worker that asks for new keys gets them at most this often.
const ASKED_PAUSE: Duration = Duration::from_secs(15);
/// When to try again what failed; each time twice as late.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(300);
/// How far the worker's clock may be ahead of ours.
const CLOCKS_APART_S: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn life(active_s: u64, overlap_s: u64) -> KeyLife {
        let [active, overlap] = [active_s, overlap_s].map(Duration::from_secs);
        KeyLife { active, overlap }
    }

    #[test]
    fn the_ids_are_enough_for_as_many_workers_as_it_says() {
        assert_eq!(life(900, 300).workers_max(), 32);
        assert_eq!(life(120, 300).workers_max(), 8);
        assert_eq!(life(1, 300).workers_max(), 0);
    }

    #[test]
    fn a_list_that_is_given_as_late_as_can_be_has_keys_for_as_long_as_it_may_be_kept() {
        let life = life(900, 300);
        assert_eq!(life.list_age_max(), Duration::from_secs(240));
        assert_eq!(life.active + life.grace() + life.list_age_max(), life.active + life.overlap);
    }
}
