//! The life of a gateway process: parse, load, check, bind, announce, serve, drain.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use sealgate_attestation::Trust;
use sealgate_audit::{self as audit, CheckpointKey, Log, Options, Origin, Signers};
use sealgate_keys::Secret;
use sealgate_keys::key_file::{self, KeyFileError};
use sealgate_keys::receipt::ReceiptKey;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::admin::admin_routes;
use crate::announce::{Announcement, announce};
use crate::app::{App, Parts};
use crate::callers::Callers;
use crate::certificate;
use crate::config::{Config, ConfigError, Demand, NamesConfig};
use crate::cost::{self, Costs};
use crate::edge::{Certificate, Edge, EdgeError, Reload, TlsIdentity};
use crate::emergency::{Emergency, EmergencyError};
use crate::harden::harden;
use crate::journal::{Journal, now_s, now_us};
use crate::jwks::Jwks;
use crate::limits::{Limits, StoreError};
use crate::log::LogConfig;
use crate::metrics::Metrics;
use crate::models::{Artifact, Keks};
use crate::names::Names;
use crate::policy::{InForce, Policy, watch as watch_policy};
use crate::pool::{Launcher, PoolScaling, Quarantine};
use crate::repository::{Repository, RepositoryOptions};
use crate::routes::routes;
use crate::served::{Models, Version};
use crate::trace::{Exporter, Tracer};
use crate::worker::{self, Archive, Demands, Keyring, Program, Source, Supply};

/// The gateway: TLS, tokens, policy, sealing, forwarding, recording.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// The configuration, `gateway.toml`.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Read and check everything, then exit without binding a port.
    #[arg(long)]
    check: bool,
    /// Stop when stdin ends: with the process that started this one.
    #[arg(long)]
    stop_with_parent: bool,
}

/// Runs the gateway.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked_for = !error.use_stderr();
            let _ = error.print();
            return ExitCode::from(if asked_for { 0 } else { 64 });
        }
    };
    let config = Config::read(&arguments.config).map_err(RunError::from);
    // Until it is known how the log is written, it is written for people.
    let log = config.as_ref().map_or_else(|_| LogConfig::default(), |config| config.log);
    match config.and_then(|config| live(&arguments, &config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.last_words(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Why the gateway did not run, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificate, key or address are not usable.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The audit log cannot be opened or closed.
    #[error("audit log: {0}")]
    Audit(#[from] audit::AuditError),
    /// The store of counters cannot be used.
    #[error("limits: {0}")]
    Limits(#[from] StoreError),
    /// The key of receipts cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// What an admin had stopped cannot be read.
    #[error(transparent)]
    Emergency(#[from] EmergencyError),
    /// The operating system refused something.
    #[error("{0}: {1}")]
    System(&'static str, std::io::Error),
}

impl RunError {
    /// 78 for a bad configuration (`EX_CONFIG`), 1 otherwise.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::KeyFile(_) | Self::Emergency(_) => 78,
            Self::Edge(error) if error.is_configuration() => 78,
            _ => 1,
        }
    }
}

/// Everything that is read before a port is bound.
struct Loaded {
    policy: Policy,
    /// Each with how its workers are scaled.
    artifacts: Vec<(Artifact, PoolScaling)>,
    /// What unwraps models that lie sealed.
    keks: Arc<Keks>,
    supply: Supply,
    identity: TlsIdentity,
    /// Where issuers' keys come from.
    jwks: Arc<Jwks>,
    emergency: Arc<Emergency>,
    /// What workers' evidence is judged by.
    trust: Option<Trust>,
    /// Where traces go.
    exporter: Option<Exporter>,
}

fn live(arguments: &Arguments, config: &Config) -> Result<(), RunError> {
    config.log.begin();
    // Before a key, a policy or a model is in memory.
    harden().map_err(|(guard, error)| RunError::System(guard, error.into()))?;
    // The default hook prints a panic's message, which may hold anything.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(at = panic.location().map(ToString::to_string), "panicked");
    }));
    let loaded = load(config)?;
    if arguments.check {
        tracing::info!(policy = loaded.policy.current().digest().hex(), "everything checks out");
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| RunError::System("no runtime", error))?;
    let served = runtime.block_on(serve(config, loaded, arguments.stop_with_parent));
    // A thread may still wait for stdin to end; it must not hold up the end of the process.
    runtime.shutdown_background();
    served
}

fn load(config: &Config) -> Result<Loaded, RunError> {
    let jwks = Jwks::new(&config.jwks, config.jwks_cache()).map_err(ConfigError::from)?;
    let jwks = Arc::new(jwks);
    let policy = Policy::open(config.policies.clone(), config.policy_profile(), jwks.clone())
        .map_err(|why| ConfigError::Policies(why.to_string()))?;
    let keks = Arc::new(config.kek.read()?);
    let artifacts: Vec<(Artifact, PoolScaling)> = config
        .models
        .iter()
        .map(|model| {
            let keeps_one = policy.seals_for_clients(&model.name);
            let scaling = config.scaling(model.replicas, model.scaling.as_ref(), keeps_one);
            Artifact::read(&model.name, &model.version, &model.artifact, &keks)
                .map(|artifact| (artifact, scaling))
                .map_err(|source| ConfigError::Unreadable { file: model.artifact.clone(), source })
        })
        .collect::<Result<_, _>>()?;
    let set = &policy.current().set;
    for model in &config.models {
        if set.model(&model.name).is_none() {
            tracing::warn!(model = model.name, "no policy declares this model: nobody may use it");
        }
    }
    for model in set.models().map(|model| model.name()) {
        let named = config.models.iter().any(|served| served.name == **model);
        if !named && config.repository.is_none() {
            tracing::info!(model = &**model, "the policy declares this model, but none is served");
        }
    }
    Origin::new(&config.audit.origin)
        .map_err(|error| ConfigError::Setting(format!("`audit.origin`: {error}")))?;
    let supply = supply(config)?;
    let split = artifacts.iter().find(|(artifact, _)| artifact.other_parts() > 0);
    if let (Supply::Remote(_), Some((artifact, _))) = (&supply, split) {
        return Err(ConfigError::Setting(format!(
            "`{}` is split, and a split model runs on the gateway's host alone: \
             serve the whole model, or leave `[worker.remote]` out",
            artifact.name
        ))
        .into());
    }
    let identity = TlsIdentity::from_pem_files(&config.edge.cert, &config.edge.key)?;
    certificate::warn(&identity.certificate(), now_s());
    match key_file::read(&config.receipts.key) {
        Err(error) if !error.is_missing() => return Err(error.into()),
        _ => {}
    }
    let newest_seen = Archive::newest_measurements(&config.keyset_archive())
        .map_err(|source| ConfigError::Unreadable { file: config.keyset_archive(), source })?;
    let trust = config.attestation.as_ref();
    let trust = trust.map(|settings| settings.trust(newest_seen, now_s())).transpose()?;
    let emergency = Arc::new(Emergency::open(config.emergency_file(), now_s())?);
    let exporter =
        config.trace.as_ref().map(Exporter::new).transpose().map_err(ConfigError::from)?;
    Ok(Loaded { policy, artifacts, keks, supply, identity, jwks, emergency, trust, exporter })
}

/// Where workers come from, as far as it can be looked at before there is one.
fn supply(config: &Config) -> Result<Supply, ConfigError> {
    if let Some(remote) = &config.worker.remote {
        return Ok(Supply::Remote(Arc::new(remote.open()?)));
    }
    let file = config.worker.config.clone().unwrap_or_default();
    std::fs::read(&file)
        .map_err(|source| ConfigError::Unreadable { file: file.clone(), source })?;
    let program = Program { path: config.worker_program()?, config: file };
    let evidence_age_max = config
        .attestation
        .as_ref()
        .map(|settings| Duration::from_secs(settings.evidence_age_max_s));
    Ok(Supply::Local(Source::new(program, config.worker.spares, evidence_age_max)))
}

async fn serve(config: &Config, loaded: Loaded, stop_with_parent: bool) -> Result<(), RunError> {
    let told = Told::listen(stop_with_parent)?;
    let hangup = on_signal(SignalKind::hangup())?;
    let journal = Arc::new(open_journal(config)?);
    let timeout_ms = config.requests.answer_timeout_ms;
    // Before anything of this run is on record: what has no outcome by now has none.
    let (log, cache) = (&config.audit.dir, config.cost_cache());
    let costs = Costs::open(log, cache, journal.clone(), timeout_ms, now_s())?;
    note_start(config, &journal, &loaded.policy.current(), &loaded.identity.certificate());
    let caller_limits = Arc::new(Limits::open(&config.limits_store(), now_s())?);
    let admin = config.admin_edge().map(|admin| Edge::bind(admin, loaded.identity.clone()));
    let admin = admin.transpose()?;
    let edge = Edge::bind(config.edge.clone(), loaded.identity.clone())?;
    let admin_counters = admin.as_ref().map(|admin| ("admin", admin.counters()));
    let edges = [("public", edge.counters())].into_iter().chain(admin_counters).collect();
    announce(&Announcement::Listening { address: edge.local_addr() });
    if let Some(admin) = &admin {
        announce(&Announcement::AdminListening { address: admin.local_addr() });
    }

    let demands = Demands {
        engine: config.worker.engine.name().to_owned(),
        sandbox: config.worker.sandbox == Demand::Require,
        trust: loaded.trust.clone(),
        revoked: loaded.emergency.measurements(),
    };
    let keyring = Arc::new(keyring(config, loaded.trust, &journal)?);
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let (events, seen) = mpsc::channel(64);
    let quarantine = Arc::new(Quarantine::default());
    let metrics = Arc::new(Metrics::default());
    let told_to = shut_out(quarantine.clone());
    tasks.spawn(worker::tell(seen, journal.clone(), metrics.clone(), told_to));
    let models = Arc::new(Models::default());
    let supply = loaded.supply;
    supply.look_around().await;
    tasks.spawn(supply.clone().keep(stopped.clone()));
    let launcher = Launcher {
        supply,
        demands,
        keyring: keyring.clone(),
        events,
        slots: Arc::new(Semaphore::new(config.workers_max())),
        slots_max: config.workers_max(),
        grace: config.client_keys.life().list_age_max(),
    };
    for (artifact, scaling) in loaded.artifacts {
        models.put(Version::launch(&launcher, artifact, scaling));
    }
    let policy = Arc::new(loaded.policy);
    let repository = repository(config, loaded.keks, policy.clone(), &journal);
    if let Some(repository) = repository.clone() {
        let hangup = on_signal(SignalKind::hangup())?;
        tasks.spawn(repository.keep(models.clone(), launcher, hangup, stopped.clone()));
    } else {
        // The events end with the workers that are there.
        drop(launcher);
    }
    tasks.spawn(tick(journal.clone(), stopped.clone()));
    let hangup_too = on_signal(SignalKind::hangup())?;
    let (identity, noted, counted) = (loaded.identity, journal.clone(), metrics.clone());
    let told_of = move |reload: &Reload, cause| {
        certificate::tell(&noted, &counted.certificate, reload, cause);
    };
    tasks.spawn(certificate::watch(identity.clone(), told_of, hangup_too, stopped.clone()));
    let tracer = match loaded.exporter {
        None => Tracer::none(metrics.clone()),
        Some(exporter) => {
            let (tracer, work) = exporter.start(metrics.clone(), stopped.clone());
            tasks.spawn(work);
            tracer
        }
    };
    tasks.spawn(cost::keep(costs.clone(), stopped.clone()));
    policy.fetch_keys(&journal).await;
    tasks.spawn(watch_policy(policy.clone(), journal.clone(), hangup, stopped.clone()));

    let pseudonym_key = Secret::random()
        .map_err(|error| RunError::System("no randomness", std::io::Error::other(error)))?;
    let entries = config.requests.token_cache_entries;
    let callers = Callers::new(entries, pseudonym_key, caller_limits.clone(), loaded.jwks);
    let receipt_key = ReceiptKey::load_or_create(&config.receipts.key)?;
    let (emergency, journal_too) = (loaded.emergency, journal.clone());
    let parts = Parts {
        policy,
        callers,
        costs: costs.clone(),
        emergency,
        journal: journal_too,
        models: models.clone(),
        repository,
        keyring,
        quarantine,
        receipt_key,
        metrics,
        edges,
        identity,
        tracer: Arc::new(tracer),
    };
    let app = Arc::new(App::new(config, parts));
    if let Some(admin) = admin {
        let (routes, mut stopped) = (admin_routes(app.clone()), stopped);
        tasks.spawn(async move {
            admin.serve(routes, async { drop(stopped.wait_for(|&stop| stop).await) }).await;
        });
    }
    let draining = app.clone();
    let told_to_stop = async move {
        told.wait().await;
        tracing::info!("stopping");
        draining.drain();
    };
    edge.serve(routes(app), told_to_stop).await;

    let _ = stop.send(true);
    models.stop();
    while tasks.join_next().await.is_some() {}
    caller_limits.close();
    journal.close("asked to")?;
    costs.keep(now_s());
    announce(&Announcement::Stopped);
    Ok(())
}

fn repository(
    config: &Config,
    keks: Arc<Keks>,
    policy: Arc<Policy>,
    journal: &Arc<Journal>,
) -> Option<Arc<Repository>> {
    let settings = config.repository.as_ref()?;
    let [alone, with_clients] = [false, true]
        .map(|keeps_one| config.scaling(settings.replicas, settings.scaling.as_ref(), keeps_one));
    let options = RepositoryOptions {
        dir: settings.dir.clone(),
        scaling: Box::new(
            move |model| {
                if policy.seals_for_clients(model) { with_clients } else { alone }
            },
        ),
        grace: config.client_keys.life().list_age_max(),
    };
    Some(Arc::new(Repository::new(options, keks, journal.clone())))
}

/// Says who is let in no more.
fn shut_out(quarantine: Arc<Quarantine>) -> impl Fn(Vec<String>) + Send {
    move |callers| {
        for caller in quarantine.crashed(Instant::now(), callers) {
            tracing::error!(
                caller,
                "a caller's requests crash workers: he is let in no more for a while"
            );
        }
    }
}

fn keyring(
    config: &Config,
    trust: Option<Trust>,
    journal: &Arc<Journal>,
) -> Result<Keyring, RunError> {
    let unusable = |error| RunError::System("cannot use the keyset archive", error);
    let archive = Archive::open(config.keyset_archive()).map_err(unusable)?;
    if let Some(measurements) = trust.as_ref().and_then(|trust| trust.measurements.as_ref()) {
        archive.goes_by_measurements(measurements.version()).map_err(unusable)?;
    }
    Ok(Keyring::new(config.client_keys.life(), trust, archive, journal.clone()))
}

fn open_journal(config: &Config) -> Result<Journal, RunError> {
    let signers = Signers {
        key: CheckpointKey::load_or_create(&config.audit.key)?,
        previous: config.audit.previous_key.as_deref().map(CheckpointKey::load).transpose()?,
    };
    let names = match config.audit.names {
        NamesConfig::Clear => Names::clear(),
        NamesConfig::Pseudonymous => Names::pseudonymous(&config.pseudonym_keys(), now_s())?,
    };
    let options = Options {
        retention: config.audit.retention(),
        checkpoint_copy: config.audit.checkpoint_copy.clone(),
        low_water_bytes: config.audit.low_water_bytes,
        ..Options::new(&config.audit.dir, Origin::new(&config.audit.origin)?)
    };
    let (log, opened) = Log::open(options, signers, Arc::new(now_us))?;
    if let audit::Opened::Recovered(recovered) = &opened {
        tracing::warn!(cut_bytes = recovered.cut_bytes, "the audit log's torn tail was cut");
    }
    Ok(Journal::new(log, names, config.audit.dir.clone(), config.audit.low_water_bytes))
}

/// Records that this gateway begins to serve, as whom, and by which policies and prices.
fn note_start(config: &Config, journal: &Journal, policy: &InForce, certificate: &Certificate) {
    let settings = [
        ("certificate_digest", hex::encode(certificate.digest)),
        ("listen", config.edge.listen.to_string()),
    ];
    journal.note(&audit::Event::Started(audit::Started {
        config: settings.map(|(name, value)| (name.into(), value.into())).into(),
        policy_digest: policy.digest.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
    }));
    if let Some(prices) = cost::in_force(policy, None) {
        journal.note(&prices);
    }
}

/// Ends the seconds in which refusals are counted, also when no further one comes.
async fn tick(journal: Arc<Journal>, mut stopped: watch::Receiver<bool>) {
    loop {
        let second = tokio::time::timeout(Duration::from_secs(1), stopped.wait_for(|&stop| stop));
        if second.await.is_ok() {
            return;
        }
        journal.tick(now_s());
    }
}

/// What tells the gateway to stop. Listened to before anything is announced, so that nothing is
/// missed.
struct Told {
    terminate: Signal,
    interrupt: Signal,
    with_parent: bool,
}

impl Told {
    fn listen(with_parent: bool) -> Result<Self, RunError> {
        let terminate = on_signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: on_signal(SignalKind::interrupt())?, with_parent })
    }

    /// Returns on SIGINT, on SIGTERM, or when the parent is gone.
    async fn wait(mut self) {
        let with_parent = self.with_parent;
        let parent = async {
            if !with_parent {
                return std::future::pending().await;
            }
            let mut stdin = tokio::io::stdin();
            let mut byte = [0];
            while matches!(stdin.read(&mut byte).await, Ok(1..)) {}
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = parent => {}
        }
    }
}

fn on_signal(kind: SignalKind) -> Result<Signal, RunError> {
    signal(kind).map_err(|error| RunError::System("no signals", error))
}
