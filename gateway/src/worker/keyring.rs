//! Keys that clients seal to: made, judged, put on record, offered, routed by id, taken back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sealgate_attestation::{Claims, Trust, Verdict, judge};
use sealgate_audit::{Event, KeysOffered};
use sealgate_keys::evidence::{Evidence, Purpose, report_data};
use sealgate_keys::{KeyError, Keyset, Secret};

use super::{Archive, Attested, Connection, ShownKeys, WorkerError};
use crate::journal::{Journal, now_s};
use crate::key_ids::KeyIds;
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
    connection: Weak<Connection>,
    keys: Arc<ShownKeys>,
    offered_until: Instant,
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
}

impl Owner {
    /// The worker with this key, if it serves `model`.
    #[must_use]
    pub fn connection(&self, model: &str) -> Option<Arc<Connection>> {
        if *self.model == *model { self.connection.upgrade() } else { None }
    }

    /// The keys.
    #[must_use]
    pub const fn keys(&self) -> &Arc<ShownKeys> {
        &self.keys
    }

    /// In how long others are offered instead of these.
    #[must_use]
    pub fn renewed_in(&self) -> Duration {
        self.offered_until.saturating_duration_since(Instant::now())
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
        Self { ids: Mutex::default(), life, trust, archive, journal }
    }

    /// How long keys live.
    #[must_use]
    pub const fn life(&self) -> &KeyLife {
        &self.life
    }

    /// Whose key has this id.
    #[must_use]
    pub fn owner(&self, id: u8) -> Option<Owner> {
        self.ids().owner(id, Instant::now())
    }

    /// The keys that a worker offers, unless their time is over and no others could be made.
    #[must_use]
    pub fn offered(&self, connection: &Connection) -> Option<Arc<ShownKeys>> {
        let keys = connection.keys()?;
        let [id, _] = keys.ids;
        let offered_until = self.owner(id)?.offered_until;
        (Instant::now() < offered_until + self.life.grace()).then_some(keys)
    }

    /// Has a worker make new keys, and offers them once they are judged, archived and recorded.
    ///
    /// # Errors
    /// [`WorkerError`], saying which step failed; what was offered before stays so.
    pub async fn renew(
        &self,
        artifact: &Artifact,
        connection: &Arc<Connection>,
    ) -> Result<(), WorkerError> {
        let now = Instant::now();
        let KeyLife { active, overlap } = self.life;
        let ids = self.ids().take(now, now + active + overlap).ok_or(WorkerError::NoKeyIds)?;
        let mut taken = Taken { keyring: self, ids, offered: false };
        let keys = self.made(ids, artifact, connection).await?;
        let owner = Owner {
            model: artifact.name.as_str().into(),
            connection: Arc::downgrade(connection),
            keys: keys.clone(),
            offered_until: now + active,
        };
        self.ids().assign(ids, &owner);
        taken.offered = true;
        connection.show(keys);
        Ok(())
    }

    /// Renews a worker's keys in time, and when it asks for it. Never returns.
    pub async fn keep(&self, artifact: &Artifact, connection: &Arc<Connection>) {
        let mut wait = self.life.active;
        loop {
            let asked = async {
                // What a worker asks for is granted, but not as fast as it can ask.
                tokio::time::sleep(RENEW_PAUSE.min(wait)).await;
                connection.keys_wanted().await;
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = asked => {}
            }
            wait = match self.renew(artifact, connection).await {
                Ok(()) => self.life.active,
                Err(error) => {
                    tracing::error!(model = artifact.name, %error, "no new keys for clients");
                    RENEW_PAUSE
                }
            };
        }
    }

    /// Takes back the ids of a worker that is gone.
    pub fn release(&self, connection: &Arc<Connection>) {
        let gone = |owner: &Owner| std::ptr::eq(owner.connection.as_ptr(), Arc::as_ptr(connection));
        self.ids().release_where(Instant::now(), gone, |owner| owner.keys.were_given());
    }

    async fn made(
        &self,
        ids: [u8; 2],
        artifact: &Artifact,
        connection: &Connection,
    ) -> Result<Arc<ShownKeys>, WorkerError> {
        let KeyLife { active, overlap } = self.life;
        let keys = connection.new_keys(ids, active, overlap).await?;
        let model = &keys.keyset.model;
        let ours = model.name == artifact.name
            && model.version == artifact.version
            && model.digest == hex::encode(artifact.digest);
        if !ours {
            return Err(WorkerError::OtherModel);
        }
        let nonce = *Secret::random()?.expose();
        let attested = connection.attest(keys.digest, nonce).await?;
        let verdict = self.judged(&keys, &nonce, &attested)?;
        let archived = self.archive.keep(&keys, &nonce, &attested, verdict.as_ref(), now_s()).await;
        archived.map_err(WorkerError::Archive)?;
        self.record(&keys, verdict.as_ref()).await?;
        Ok(Arc::new(keys))
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

    async fn record(&self, keys: &ShownKeys, verdict: Option<&Verdict>) -> Result<(), WorkerError> {
        let offered = KeysOffered {
            evidence: verdict.map_or("none", |verdict| verdict.kind().as_str()).into(),
            key_ids: keys.ids.to_vec(),
            keyset_digest: hex::encode(keys.digest).into(),
            model: keys.keyset.model.name.as_str().into(),
            not_after_s: keys.keyset.not_after_s,
        };
        Ok(self.journal.append(&Event::KeysOffered(offered)).wait().await?)
    }

    fn ids(&self) -> MutexGuard<'_, KeyIds<Owner>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids for keys that are being made. Dropped before they are offered, whatever the reason, they are
/// given back.
struct Taken<'a> {
    keyring: &'a Keyring,
    ids: [u8; 2],
    offered: bool,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.offered {
            self.keyring.ids().release(self.ids, Instant::now());
        }
    }
}

fn build_digest(keyset: &Keyset) -> Result<[u8; 32], KeyError> {
    let mut digest = [0; 32];
    hex::decode_to_slice(&keyset.build_digest, &mut digest)
        .map_err(|_| KeyError::Malformed("keyset"))?;
    Ok(digest)
}

/// New keys are made at most this often for a worker.
const RENEW_PAUSE: Duration = Duration::from_secs(5);
