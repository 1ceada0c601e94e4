//! `GET /openapi.json`: what can be asked over HTTP, for programs. It names no model.

use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;

/// The document. It is the same for everybody, so it needs no token.
pub async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT)
}

const DOCUMENT: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::routes::table;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    #[test]
    fn the_document_has_the_routers_paths_and_methods_and_no_others() {
        let document = document();
        let described: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                // The verb of V1 is part of a segment, which the router does not split.
                let path = path.trim_end_matches(":predict").to_owned();
                let methods = methods.as_object().unwrap().keys();
                methods.map(move |method| (method.clone(), path.clone()))
            })
            .collect();
        let routed: BTreeSet<_> = table()
            .into_iter()
            .map(|(method, path, _)| (method.to_owned(), path.to_owned()))
            .collect();
        assert_eq!(described, routed);
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_parameter_is_declared() {
        let document = document();
        let mut waiting = vec![&document];
        while let Some(value) = waiting.pop() {
            if let Some(reference) = value.get("$ref") {
                let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{pointer}");
            }
            match value {
                Value::Object(members) => waiting.extend(members.values()),
                Value::Array(items) => waiting.extend(items),
                _ => {}
            }
        }
        for (path, methods) in document["paths"].as_object().unwrap() {
            let named: BTreeSet<&str> =
                path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
            for (method, operation) in methods.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
                let declared: BTreeSet<&str> = parameters
                    .iter()
                    .map(|parameter| match parameter["$ref"].as_str() {
                        Some(reference) => document.pointer(&reference[1..]).unwrap(),
                        None => parameter,
                    })
                    .filter(|parameter| parameter["in"] == "path")
                    .map(|parameter| parameter["name"].as_str().unwrap())
                    .collect();
                assert_eq!(declared, named, "{method} {path}");
                assert!(operation["responses"].is_object(), "{method} {path}");
            }
        }
    }

    #[test]
    fn what_needs_no_token_says_so() {
        let document = document();
        let open =
            ["/", "/livez", "/readyz", "/openapi.json", "/v2/health/live", "/v2/health/ready"];
        for (path, methods) in document["paths"].as_object().unwrap() {
            for operation in methods.as_object().unwrap().values() {
                let is_open = operation["security"] == serde_json::json!([]);
                assert_eq!(is_open, open.contains(&path.as_str()), "{path}");
            }
        }
    }
}
