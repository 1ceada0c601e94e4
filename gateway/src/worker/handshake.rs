//! The start of a session: judge the hello, open HPKE, hand over the model.

use sealgate_attestation::{Claims, Trust, judge};
use sealgate_keys::control::{
    ControlOpener, ControlSealer, PART_BYTES_MAX, ToGateway, ToWorker, gateway_ends,
};
use sealgate_keys::evidence::{Evidence, NoncePath, Purpose, report_data};
use sealgate_keys::frame::{HEADER_BYTES, Header, Kind, encode};
use sealgate_keys::hop::{HELLO_BYTES_MAX, Hello, open_session};
use sealgate_keys::{HopPsk, SessionSecret};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{RevokedMeasurements, Stages, WorkerError};
use crate::journal::now_s;
use crate::models::Artifact;

/// What the gateway demands of a worker before it gets a model.
#[derive(Clone)]
pub struct Demands {
    /// The engine it must run.
    pub engine: String,
    /// Whether every essential guard must hold.
    pub sandbox: bool,
    /// What its evidence is judged by; without it the worker is believed because it holds the
    /// secret it was started with.
    pub trust: Option<Trust>,
    /// Which measurements an admin has revoked.
    pub revoked: RevokedMeasurements,
}

/// What a worker said of itself.
#[derive(Debug, Clone)]
pub struct Facts {
    /// SHA-256 of its keyset.
    pub keyset_digest: [u8; 32],
    /// Its build.
    pub build: String,
    /// SHA-256 of its program, by its own word.
    pub build_digest: [u8; 32],
    /// Its engine.
    pub engine: String,
    /// The kind of evidence that was accepted, or `none` where none was asked for.
    pub evidence: &'static str,
    /// The entry of `measurements.toml` that it matched.
    pub measurement: Option<String>,
    /// How many threads infer.
    pub threads: u16,
    /// Its guards, in words.
    pub sandbox: Vec<String>,
    /// Whether all essential guards hold.
    pub enforced: bool,
}

/// A session whose worker has the model.
pub(super) struct Session {
    pub(super) secret: SessionSecret,
    pub(super) from_worker: ControlOpener,
    pub(super) to_worker: ControlSealer,
    pub(super) facts: Facts,
}

/// Runs the whole start-up over the two ends.
pub(super) async fn open(
    (read, write): &mut (&mut (impl AsyncRead + Unpin), &mut (impl AsyncWrite + Unpin)),
    psk: HopPsk,
    nonce: &[u8; 32],
    demands: &Demands,
    artifact: &Artifact,
    stages: &mut Stages,
) -> Result<Session, WorkerError> {
    let hello = read_hello(read).await?;
    stages.done("hello");
    let (evidence, measurement) = judged(&hello, nonce, demands)?;
    stages.done("judge");
    let worker = hello.identity;
    let (open, secret) = open_session(&worker, &psk)?;
    drop(psk);
    write.write_all(&encode(Kind::Open, 0, 0, &open)?).await?;
    write.flush().await?;

    let (mut to_worker, mut control) = gateway_ends(&secret);
    let ToGateway::Ready = read_control(read, &mut control).await? else {
        return Err(WorkerError::Protocol("expected ready"));
    };
    stages.done("session");
    send_model(write, &mut to_worker, artifact).await?;
    write.flush().await?;
    stages.done("release");
    match read_control(read, &mut control).await? {
        ToGateway::Loaded { digest } if digest == artifact.digest => {}
        ToGateway::LoadRefused { reason } => return Err(WorkerError::Model(reason)),
        _ => return Err(WorkerError::Protocol("expected loaded")),
    }
    stages.done("load");
    let facts = Facts {
        keyset_digest: worker.digest(),
        build: worker.build,
        build_digest: worker.build_digest,
        engine: worker.engine,
        evidence,
        measurement,
        threads: worker.threads,
        sandbox: worker.sandbox,
        enforced: worker.enforced,
    };
    Ok(Session { secret, from_worker: control, to_worker, facts })
}

/// Whether this worker may have a session at all, before one is opened: engine, walls, evidence.
/// What it says of itself counts only because the session's keys bind it, and as far as the
/// evidence carries.
fn judged(hello: &Hello, nonce: &[u8; 32], demands: &Demands) -> Result<Accepted, WorkerError> {
    let (evidence, measurement) = accepted(hello, nonce, demands)?;
    if demands.revoked.name(measurement.as_deref(), &hello.identity.build_digest) {
        return Err(WorkerError::Revoked);
    }
    Ok((evidence, measurement))
}

/// The kind of evidence, and the measurement it matched.
type Accepted = (&'static str, Option<String>);

fn accepted(hello: &Hello, nonce: &[u8; 32], demands: &Demands) -> Result<Accepted, WorkerError> {
    let worker = &hello.identity;
    if worker.engine != demands.engine {
        let (expected, found) = (demands.engine.clone(), worker.engine.clone());
        return Err(WorkerError::Engine { expected, found });
    }
    if demands.sandbox && !worker.enforced {
        return Err(WorkerError::Sandbox(worker.sandbox.join(", ")));
    }
    let Some(trust) = &demands.trust else { return Ok(("none", None)) };
    let evidence: Evidence = serde_json::from_slice(&hello.evidence)
        .map_err(|_| WorkerError::Protocol("malformed evidence"))?;
    let root = NoncePath::alone().root(nonce).ok_or(WorkerError::Protocol("no nonce"))?;
    let expected = report_data(Purpose::Hop, &worker.digest(), &root);
    let claims = Claims { build: &worker.build, build_digest: Some(&worker.build_digest) };
    let verdict = judge(&evidence, &expected, trust, &claims, now_s());
    let verdict = verdict.map_err(WorkerError::Evidence)?;
    Ok((verdict.kind().as_str(), verdict.measurement().map(str::to_owned)))
}

async fn read_hello(read: &mut (impl AsyncRead + Unpin)) -> Result<Hello, WorkerError> {
    let (header, payload) = read_frame(read, HELLO_BYTES_MAX).await?;
    if header.kind != Kind::Hello {
        return Err(WorkerError::Protocol("expected hello"));
    }
    Ok(Hello::decode(&payload)?)
}

async fn read_control(
    read: &mut (impl AsyncRead + Unpin),
    control: &mut ControlOpener,
) -> Result<ToGateway, WorkerError> {
    let (header, mut payload) = read_frame(read, HELLO_BYTES_MAX).await?;
    Ok(control.open(&header, &mut payload)?)
}

/// Reads one frame of at most `bytes_max` payload bytes.
pub(super) async fn read_frame(
    read: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
) -> Result<(Header, Vec<u8>), WorkerError> {
    let mut header = [0; HEADER_BYTES];
    read.read_exact(&mut header).await?;
    let header = Header::decode(&header)?;
    let bytes = header.payload_bytes as usize;
    if bytes > bytes_max {
        return Err(WorkerError::Protocol("frame too long"));
    }
    let mut payload = vec![0; bytes];
    read.read_exact(&mut payload).await?;
    Ok((header, payload))
}

async fn send_model(
    write: &mut (impl AsyncWrite + Unpin),
    control: &mut ControlSealer,
    artifact: &Artifact,
) -> Result<(), WorkerError> {
    let (model, version) = (artifact.name.clone(), artifact.version.clone());
    let digest = artifact.digest;
    let load = if artifact.pieces.is_empty() {
        let bytes = artifact.bytes.len() as u64;
        let dek = artifact.dek.as_ref().map(|dek| dek.expose().to_vec());
        ToWorker::Load { model, version, digest, bytes, dek }
    } else {
        ToWorker::LoadSplit { model, version, digest, pieces: artifact.pieces.clone() }
    };
    write.write_all(&control.seal(&load)?).await?;
    for part in artifact.bytes.chunks(PART_BYTES_MAX) {
        write.write_all(&control.seal(&ToWorker::Part(part.to_vec()))?).await?;
    }
    Ok(())
}
