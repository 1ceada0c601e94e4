//! Spans as OTLP in JSON (OpenTelemetry protocol 1.x, `ExportTraceServiceRequest`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Span;

/// A request to a collector.
pub(super) fn batch(spans: &[Span]) -> Vec<u8> {
    let told: Vec<Value> = spans.iter().flat_map(one).collect();
    let resource = [
        ("service.name", text("sealgate-gateway")),
        ("service.version", text(env!("CARGO_PKG_VERSION"))),
    ];
    let request = json!({"resourceSpans": [{
        "resource": {"attributes": attributes(resource)},
        "scopeSpans": [{"scope": {"name": "sealgate"}, "spans": told}],
    }]});
    request.to_string().into_bytes()
}

/// A request, then the parts of its time below it. How long each part took was measured; when it
/// began was not, so they stand one after the other: what the worker says within the hop, which ends
/// where the wait for the record begins.
fn one(span: &Span) -> Vec<Value> {
    let (begin, end) = (nanos(span.began), nanos(span.began + span.time));
    let us = |name| {
        let found = span.stages_us.iter().find(|(stage, _)| *stage == name);
        found.map(|&(_, us)| u128::from(us) * 1000)
    };
    let parent = span.context.span_id;
    let mut told = vec![whole(span, begin, end)];
    let mut part = |number: u8, name: &'static str, from: u128, length: u128| {
        let mut id = parent;
        // As random as the parent's, and another one.
        id[0] ^= number;
        let to = (from + length).min(end);
        told.push(frame(span, id, Some(parent), name, 1, (from.min(end), to), json!([])));
    };
    let waited = us("audit_wait").unwrap_or_default();
    if let Some(hop) = us("hop") {
        let mut at = end.saturating_sub(waited + hop).max(begin);
        part(1, "hop", at, hop);
        for (number, name) in [(2, "queue"), (3, "open"), (4, "infer")] {
            if let Some(length) = us(name) {
                part(number, name, at, length);
                at += length;
            }
        }
    }
    if let Some(length) = us("audit_wait") {
        part(5, "audit_wait", end.saturating_sub(length).max(begin), length);
    }
    told
}

fn whole(span: &Span, begin: u128, end: u128) -> Value {
    let mut of = vec![
        ("sealgate.request_id", text(&span.request_id)),
        ("sealgate.mode", text(span.mode)),
        ("sealgate.protocol", text(span.protocol)),
        ("sealgate.code", text(span.code)),
        ("sealgate.rows", number(span.rows)),
        ("http.response.status_code", number(span.status.into())),
    ];
    of.extend(span.model.as_deref().map(|model| ("sealgate.model", text(model))));
    of.extend(span.version.as_deref().map(|version| ("sealgate.model_version", text(version))));
    let (id, above) = (span.context.span_id, span.context.parent_id);
    let mut told = frame(span, id, above, span.name, KIND_SERVER, (begin, end), attributes(of));
    if span.status >= 500 {
        told["status"] = json!({"code": STATUS_ERROR});
    }
    told
}

fn frame(
    span: &Span,
    id: [u8; 8],
    above: Option<[u8; 8]>,
    name: &str,
    kind: u8,
    (begin, end): (u128, u128),
    attributes: Value,
) -> Value {
    json!({
        "traceId": hex::encode(span.context.trace_id),
        "spanId": hex::encode(id),
        "parentSpanId": above.map(hex::encode).unwrap_or_default(),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": begin.to_string(),
        "endTimeUnixNano": end.to_string(),
        "attributes": attributes,
    })
}

fn attributes(of: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    of.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

fn text(value: &str) -> Value {
    json!({"stringValue": value})
}

/// 64-bit integers are strings in the JSON of protobuf.
fn number(value: u32) -> Value {
    json!({"intValue": value.to_string()})
}

fn nanos(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos()
}

const KIND_SERVER: u8 = 2;
const STATUS_ERROR: u8 = 2;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::Context;
    use super::*;

    #[test]
    fn a_request_is_a_span_with_its_parts_below_and_within() {
        let span = Span {
            context: Context {
                trace_id: [0xab; 16],
                parent_id: Some([1; 8]),
                span_id: [2; 8],
                is_sampled: true,
            },
            name: "infer",
            began: UNIX_EPOCH + Duration::from_secs(1_795_000_000),
            time: Duration::from_micros(1_000),
            request_id: "0123".into(),
            model: Some("m".into()),
            version: Some("1".into()),
            mode: "gateway-sealed",
            protocol: "v2",
            code: "ok",
            status: 503,
            rows: 3,
            stages_us: vec![
                ("hop", 600),
                ("infer", 300),
                ("open", 20),
                ("queue", 100),
                ("audit_wait", 200),
            ],
        };
        let told: Value = serde_json::from_slice(&batch(&[span])).unwrap();
        let spans = told["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        let at = |span: &Value, end: &str| -> u64 {
            let nanos: u64 = span[end].as_str().unwrap().parse().unwrap();
            (nanos - 1_795_000_000_000_000_000) / 1000
        };
        let told: Vec<_> = spans
            .iter()
            .map(|span| {
                let (from, to) = (at(span, "startTimeUnixNano"), at(span, "endTimeUnixNano"));
                (span["name"].as_str().unwrap(), from, to)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("infer", 0, 1000),
                ("hop", 200, 800),
                ("queue", 200, 300),
                ("open", 300, 320),
                ("infer", 320, 620),
                ("audit_wait", 800, 1000),
            ]
        );
        assert_eq!(spans[0]["parentSpanId"], "0101010101010101");
        assert_eq!(spans[0]["status"]["code"], 2);
        let mut ids: Vec<_> = spans.iter().map(|span| span["spanId"].clone().to_string()).collect();
        assert!(spans[1..].iter().all(|span| span["parentSpanId"] == spans[0]["spanId"]));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), spans.len(), "ids of their own");
    }
}
