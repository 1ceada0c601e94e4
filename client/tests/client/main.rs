//! The client against servers that behave, and against some that do not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod server;

use sealgate_client::{ANSWER_BYTES_MAX, Body, Client, ClientError};
use server::Server;

const TOKEN: &str = "e30.e30.AA";

async fn ask(server: &Server, ca_pem: &str) -> Result<sealgate_client::Answer, ClientError> {
    let client = Client::new(&server.url, ca_pem.as_bytes(), TOKEN).unwrap();
    client.infer_v2("m", "{\"inputs\":[]}").await
}

#[tokio::test]
async fn an_answer_comes_with_its_request_id() {
    let server = Server::answering("200 OK", "Sealgate-Request-Id: r-7\r\n", b"{}".to_vec()).await;
    let answer = ask(&server, &server.ca_pem).await.ok().unwrap();
    assert_eq!((answer.request_id.as_deref(), &*answer.body), (Some("r-7"), &b"{}"[..]));
}

#[tokio::test]
async fn the_request_carries_the_token_and_the_body() {
    let server = Server::answering("200 OK", "", b"{}".to_vec()).await;
    ask(&server, &server.ca_pem).await.ok().unwrap();
    let seen = server.seen().await;
    assert!(seen.starts_with("POST /v2/models/m/infer HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("authorization: Bearer e30.e30.AA\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\n{\"inputs\":[]}"), "{seen}");
}

#[tokio::test]
async fn a_binary_body_says_where_its_tensor_begins_and_so_does_its_answer() {
    let json = r#"{"outputs":[{"name":"p","shape":[1,1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}"#;
    let header = format!("Inference-Header-Content-Length: {}\r\n", json.len());
    let answer = [json.as_bytes(), &0.25f32.to_le_bytes()].concat();
    let server = Server::answering("200 OK", &header, answer).await;
    let client = Client::new(&server.url, server.ca_pem.as_bytes(), TOKEN).unwrap();
    // The server takes a brace for the end; this number ends in one.
    let body = Body::binary("x", [1, 2], &[0.0, f32::from_bits(0x7d00_0000)]).unwrap();
    let output = client.infer_v2("m", body).await.ok().unwrap().output().unwrap();
    assert_eq!((output.name.as_str(), &output.values[..]), ("p", &[0.25][..]));
    let seen = server.seen().await;
    assert!(seen.contains("content-type: application/octet-stream\r\n"), "{seen}");
    let begins = seen.split("\r\n\r\n").nth(1).unwrap().len() - 8;
    assert!(seen.contains(&format!("inference-header-content-length: {begins}\r\n")), "{seen}");
}

#[tokio::test]
async fn a_refusal_is_an_error_with_its_code() {
    let body = br#"{"error":"not allowed","code":"forbidden"}"#.to_vec();
    let server = Server::answering("403 Forbidden", "Sealgate-Request-Id: r-8\r\n", body).await;
    let refused = ask(&server, &server.ca_pem).await.err().unwrap();
    assert_eq!(refused.to_string(), "not allowed (forbidden, r-8)");
}

#[tokio::test]
async fn a_server_of_another_authority_never_sees_the_token() {
    let server = Server::answering("200 OK", "", b"{}".to_vec()).await;
    let other = Server::answering("200 OK", "", b"{}".to_vec()).await;
    let refused = ask(&server, &other.ca_pem).await;
    assert!(matches!(refused, Err(ClientError::Connect { .. })));
    assert_eq!(server.seen().await, "");
}

#[tokio::test]
async fn a_server_that_speaks_only_tls_1_2_is_refused() {
    let server = Server::outdated().await;
    let refused = ask(&server, &server.ca_pem).await;
    assert!(matches!(refused, Err(ClientError::Connect { .. })));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let location = "Location: https://localhost:1/elsewhere\r\n";
    let server = Server::answering("307 Temporary Redirect", location, Vec::new()).await;
    let refused = ask(&server, &server.ca_pem).await;
    assert!(matches!(refused, Err(ClientError::Refused(refusal)) if refusal.status == 307));
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let server = Server::answering("200 OK", "", vec![b'0'; ANSWER_BYTES_MAX + 1]).await;
    let refused = ask(&server, &server.ca_pem).await;
    assert!(matches!(refused, Err(ClientError::TooLarge { max: ANSWER_BYTES_MAX })));
}

#[tokio::test]
async fn a_gateway_that_is_gone_is_said_to_be() {
    let server = Server::answering("200 OK", "", b"{}".to_vec()).await;
    let client = Client::new("https://127.0.0.1:1", server.ca_pem.as_bytes(), TOKEN).unwrap();
    let refused = client.infer_v2("m", "{}").await;
    assert!(matches!(refused, Err(ClientError::Connect { .. })));
}

#[test]
fn an_authority_that_is_none_is_refused() {
    for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = Client::new("https://localhost", pem.as_bytes(), TOKEN);
        assert!(matches!(refused, Err(ClientError::Authorities)), "{pem}");
    }
}
