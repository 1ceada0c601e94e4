//! OCSF 1.9.0, class API Activity (6003) with the profile AI Operation.
//!
//! One event per request, as one line of JSON. Where a caller is denied, the event failed; where it
//! was allowed, the status of the answer decides. What the schema has no attribute for stands in
//! `unmapped`.

use std::io::{self, Write};

use sealgate_audit::{Mode, Verdict};
use serde_json::{Value, json};

use crate::query::Request;

/// Writes a line per request. `log` is the name of the log, from its first record.
pub(super) fn lines(requests: &[Request], log: &str, out: &mut dyn Write) -> io::Result<()> {
    for request in requests {
        serde_json::to_writer(&mut *out, &event(request, log))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn event(request: &Request, log: &str) -> Value {
    let (activity_id, activity_name) = activity(&request.action);
    let (status_id, status) = outcome(request);
    let mut event = json!({
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "API Activity",
        "activity_id": activity_id,
        "activity_name": activity_name,
        "type_uid": CLASS * 100 + activity_id,
        "type_name": format!("API Activity: {activity_name}"),
        "severity_id": 1,
        "severity": "Informational",
        "time": request.time_us / 1_000,
        "status_id": status_id,
        "status": status,
        "status_code": request.code,
        "metadata": metadata(request, log),
        "actor": actor(request),
        "api": {
            "operation": request.action,
            "request": { "uid": request.request_id },
            "service": { "name": "sealgate-gateway" },
        },
        "src_endpoint": source(&request.address),
        "unmapped": unmapped(request),
    });
    if !request.model.is_empty() {
        event["resources"] =
            json!([{ "type": "model", "name": request.model, "version": request.model_version }]);
        event["ai_model"] = json!({
            "ai_provider": "Internal",
            "name": request.model,
            "version": request.model_version,
            "uid": request.model_digest,
        });
    }
    if let Some(status) = request.status {
        event["api"]["response"] = json!({ "code": status, "message": request.code });
        event["http_response"] = json!({
            "code": status,
            "latency": request.total_us.map(|us| us / 1_000),
        });
    }
    without_nulls(event)
}

fn metadata(request: &Request, log: &str) -> Value {
    json!({
        "version": VERSION,
        "profiles": ["ai_operation"],
        "product": { "name": "Sealgate", "vendor_name": "Sealgate" },
        "log_name": log,
        "uid": format!("{log}#{}", request.n),
        "correlation_uid": request.request_id,
        "sequence": request.n,
        "tenant_uid": request.caller.tenant,
    })
}

fn actor(request: &Request) -> Value {
    let decision = match request.verdict {
        Verdict::Allow => "allowed",
        Verdict::Deny => "denied",
    };
    let policy = |rule: Option<&String>| {
        let policy = json!({ "name": rule, "uid": request.policy_digest, "is_applied": true });
        json!({ "decision": decision, "policy": policy })
    };
    // A decision that no rule took is still one under these policies.
    let authorizations: Vec<_> = match request.rules.as_slice() {
        [] => vec![policy(None)],
        rules => rules.iter().map(|rule| policy(Some(rule))).collect(),
    };
    json!({
        "user": {
            "uid": request.caller.subject,
            "name": request.caller.subject,
            "org": { "uid": request.caller.tenant },
        },
        "idp": { "name": request.caller.issuer, "issuer": request.caller.issuer },
        "authorizations": authorizations,
    })
}

/// The record has a network and no host, so there is no address to give.
fn source(network: &str) -> Value {
    let network = if network.is_empty() { "unknown" } else { network };
    json!({ "name": network, "subnet_uid": network })
}

fn unmapped(request: &Request) -> Value {
    json!({
        "client_id": request.caller.client_id,
        "protocol": request.protocol,
        "mode": match request.mode {
            Mode::GatewaySealed => "gateway-sealed",
            Mode::ClientSealed => "client-sealed",
        },
        "limit_profile": request.limit_profile,
        "release_profile": request.release_profile,
        "rows_reserved": request.rows_reserved,
        "rows": request.rows,
        "total_us": request.total_us,
    })
}

/// What is asked of a model reads it; orders to the gateway change it.
fn activity(action: &str) -> (u32, &'static str) {
    match action {
        "infer" | "read_usage" | "review_audit" | "read_own_receipt" => (2, "Read"),
        "emergency" | "reload_policies" => (3, "Update"),
        action if action.starts_with("describe") || action.starts_with("list") => (2, "Read"),
        _ => (99, "Other"),
    }
}

fn outcome(request: &Request) -> (u32, &'static str) {
    match (request.verdict, request.status) {
        (Verdict::Deny, _) | (_, Some(400..)) => (2, "Failure"),
        (Verdict::Allow, Some(_)) => (1, "Success"),
        (Verdict::Allow, None) => (0, "Unknown"),
    }
}

/// The schema knows no null: what is not there is left out.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(values) => values.into_iter().map(without_nulls).collect(),
        value => value,
    }
}

const VERSION: &str = "1.9.0";
const CATEGORY: u32 = 6;
const CLASS: u32 = 6_003;
