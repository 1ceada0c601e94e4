//! `GET /v1/audit/proof/{request_id}`: the proof that a client's own request stands in the audit
//! log, as C2SP tlog-proof text.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use axum::response::IntoResponse;
use sealgate_audit::{AuditError, Caller, Event, Proof};
use sealgate_policies::GatewayAction;

use crate::admit::admit;
use crate::app::App;
use crate::journal::Journal;
use crate::refusal::Refusal;
use crate::request_id::RequestId;
use crate::routes::Authenticated;

/// Answers with the proof. The request of somebody else looks like one that never was.
pub async fn own(app: &App, caller: &Authenticated, request_id: &str) -> Response<Body> {
    if let Err(refused) = admit(app, caller, GatewayAction::ReadOwnReceipt).await {
        return refused;
    }
    let (journal, asks) = (app.journal.clone(), caller.verified.recorded.caller.clone());
    let id = sealgate_audit::RequestId::parse(request_id);
    let found = tokio::task::spawn_blocking(move || match id {
        Some(id) => prove(&journal, id, &asks),
        None => Ok(Found::Nothing),
    });
    let refusal = match found.await {
        Ok(Ok(Found::Proof(proof))) => {
            let mut response = proof.to_string().into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, TEXT);
            headers.insert(RequestId::HEADER, caller.id.header());
            return response;
        }
        Ok(Ok(Found::Nothing)) => Refusal::NoSuchRequest,
        Ok(Ok(Found::NotYet)) => Refusal::ProofPending,
        Ok(Err(error)) => {
            tracing::error!(%error, request_id = caller.id.as_str(), "no proof can be made");
            Refusal::Internal
        }
        Err(_) => Refusal::Internal,
    };
    app.receipts.refuse(refusal, caller)
}

enum Found {
    Proof(Proof),
    /// The caller made no such request.
    Nothing,
    /// The next checkpoint will cover it.
    NotYet,
}

fn prove(
    journal: &Journal,
    id: sealgate_audit::RequestId,
    asks: &Caller,
) -> Result<Found, AuditError> {
    let Some(entry) = journal.reader().decision(id)? else { return Ok(Found::Nothing) };
    let made_by = match entry.record().map(|record| record.event) {
        Ok(Event::Decision(decision)) => decision.caller,
        _ => return Ok(Found::Nothing),
    };
    if !journal.names().is(&made_by, asks)? {
        return Ok(Found::Nothing);
    }
    Ok(journal.reader().prove(&entry)?.map_or(Found::NotYet, Found::Proof))
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
