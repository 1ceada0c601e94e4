//! The codes that may be labels: a closed list, for a worker's word is not ours.

/// The same code as a word of ours; `other` for whatever is not on the list.
#[must_use]
pub fn closed(code: &str) -> &'static str {
    index(code).and_then(|index| CODES.get(index)).copied().unwrap_or(OTHER)
}

/// Where it stands in [`CODES`].
pub(super) fn index(code: &str) -> Option<usize> {
    CODES.binary_search(&code).ok()
}

const OTHER: &str = "other";

/// Sorted. Those of `docs/protocol.md` (*Errors*), those that stand in records alone, and `ok`.
pub(super) const CODES: [&str; 83] = [
    "answer_not_finite",
    "answer_not_written",
    "attestation_query",
    "audit_unavailable",
    "binary_size",
    "binary_unsupported",
    "body_incomplete",
    "body_not_json",
    "body_not_protobuf",
    "body_timeout",
    "body_too_deep",
    "body_too_large",
    "budget_spent",
    "caller_quarantined",
    "caller_share",
    "client_gone",
    "clock_behind",
    "contents_mismatch",
    "datatype_unsupported",
    "date",
    "encoding_broken",
    "encoding_unsupported",
    "field_undeclared",
    "forbidden",
    "grpc_compressed",
    "grpc_frame",
    "header_length",
    "id_too_long",
    "inference_failed",
    "input_missing",
    "input_repeated",
    "input_unknown",
    "instances_or_inputs",
    "internal",
    "key_spent",
    "key_unknown",
    "limit_budget",
    "limit_concurrent",
    "limit_rate",
    "limit_rows_per_day",
    "limits_unavailable",
    "locked_down",
    "member_invalid",
    "member_missing",
    "member_repeated",
    "message_malformed",
    "method_not_allowed",
    "model_pinned",
    "model_unknown",
    "nested",
    "no_rows",
    "no_such_request",
    "not_a_number",
    "not_exact",
    "not_finite",
    "not_found",
    "not_of_datatype",
    "not_opened",
    "ohttp_key",
    "ok",
    "order",
    "order_not_kept",
    "other",
    "output_repeated",
    "output_unknown",
    "overloaded",
    "parameter_unsupported",
    "proof_pending",
    "queue_full",
    "release_unsuited",
    "replayed",
    "route_unknown",
    "row_length",
    "rows_header",
    "shape_mismatch",
    "too_many_orders",
    "too_many_rows",
    "version_unknown",
    "worker_busy",
    "worker_failing",
    "worker_lost",
    "worker_timeout",
    "worker_unavailable",
];

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(CODES.is_sorted());
    }

    #[test]
    fn what_is_not_on_the_list_is_no_label() {
        assert_eq!(closed("ok"), "ok");
        for code in ["", "OK", "okay", "8675309"] {
            assert_eq!(closed(code), OTHER, "{code}");
        }
    }

    #[test]
    fn every_code_that_the_protocol_names_is_on_the_list() {
        let document = include_str!("../../../docs/protocol.md");
        let (_, errors) = document.split_once("\n## Errors").unwrap();
        let (errors, _) = errors.split_once("\n## ").unwrap();
        let is_status = |cell: &&&str| cell.trim().starts_with(|c: char| c.is_ascii_digit());
        let mut found = 0;
        for row in errors.lines().filter(|line| line.starts_with('|')) {
            let cells: Vec<_> = row.split('|').skip(1).collect();
            let Some(codes) = cells.first().filter(is_status).and_then(|_| cells.get(1)) else {
                continue;
            };
            if codes.contains("a function's") {
                // No gateway stands in front of it.
                continue;
            }
            let is_code =
                |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            for code in codes.split('`').skip(1).step_by(2).filter(is_code) {
                // Nobody is known yet whom these are told, so no model is either.
                if !code.starts_with("http_") && !code.starts_with("token_") {
                    assert_eq!(closed(code), code);
                    found += 1;
                }
            }
        }
        assert!(found > 60, "{found}");
    }
}
