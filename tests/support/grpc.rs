//! A plain client of gRPC: one connection per call, frames and protobuf written by hand.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::net::TcpStream;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::Https;

/// What came back, and by which status.
#[derive(Debug)]
pub struct Called {
    /// 0 is well.
    pub status: u16,
    pub sentence: String,
    pub message: Vec<u8>,
    pub has_receipt: bool,
}

/// One call of `inference.GRPCInferenceService`, with the token that there is.
pub fn call(https: &Https, method: &str, token: Option<&str>, message: &[u8]) -> Called {
    call_framed(https, method, token, &framed(message))
}

/// The same with frames of the caller's own.
pub fn call_framed(https: &Https, method: &str, token: Option<&str>, frames: &[u8]) -> Called {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(exchange(https, method, token, frames))
}

async fn exchange(https: &Https, method: &str, token: Option<&str>, frames: &[u8]) -> Called {
    let (config, authority) = https.http2();
    let socket = TcpStream::connect(authority).expect("a listener");
    socket.set_nonblocking(true).unwrap();
    let socket = tokio::net::TcpStream::from_std(socket).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = TlsConnector::from(config).connect(name, socket).await.expect("TLS");
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls))
            .await
            .expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let path = format!("https://{authority}/inference.GRPCInferenceService/{method}");
    let mut request = http::Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = Full::new(Bytes::copy_from_slice(frames));
    let response = send.send_request(request.body(body).unwrap()).await.expect("an answer");
    assert_eq!(response.status(), 200, "gRPC has statuses of its own");
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let headers = response.headers().clone();
    let body = response.into_body().collect().await.expect("a whole body");
    let mut said = headers.clone();
    said.extend(body.trailers().cloned().unwrap_or_default());
    connection.abort();
    let text = |name: &str| said.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let frames = body.to_bytes();
    Called {
        status: text("grpc-status").parse().expect("a status"),
        sentence: text("grpc-message"),
        message: frames.get(5..).unwrap_or_default().to_vec(),
        has_receipt: headers.contains_key("sealgate-receipt"),
    }
}

/// A message, uncompressed, in its frame.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), message].concat()
}

/// A field that has a length.
pub fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = value.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    [&bytes, value].concat()
}

/// What a message about a model begins with.
pub fn names(model: &str, version: &str) -> Vec<u8> {
    [field(1, model.as_bytes()), field(2, version.as_bytes())].concat()
}

/// A `ModelInferRequest` of fewer than 128 rows of fewer than 128 numbers, little-endian and raw.
pub fn infer(model: &str, version: &str, shape: [u8; 2], values: &[u8]) -> Vec<u8> {
    let tensor = [field(1, b"x"), field(2, b"FP32"), field(3, &shape)].concat();
    [names(model, version), field(5, &tensor), field(7, values)].concat()
}

impl Called {
    /// The values of a field, in their order.
    pub fn fields(&self, number: u32) -> Vec<&[u8]> {
        use sealgate_keys::grpc::Fields;
        let fields = Fields(&self.message).map(|field| field.expect("protobuf"));
        fields.filter(|(n, _)| *n == number).map(|(_, value)| value.bytes().unwrap()).collect()
    }
}
