//! Closing so that the answer arrives.
//!
//! A socket closed while bytes wait unread makes the kernel send RST, and the client's kernel then throws away the
//! answer it had not read yet. So we say that we are done, and take what the client still sends until it is done
//! too, within a bound of time and of bytes (the lingering close of RFC 9112, section 9.6).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

/// Ends the connection.
pub(super) async fn close(stream: TlsStream<TcpStream>, time: Duration, bytes_max: u64) {
    // Whether the client is still there to notice is its own affair.
    let _ = timeout(time, say_goodbye(stream, bytes_max)).await;
}

async fn say_goodbye(mut stream: TlsStream<TcpStream>, bytes_max: u64) -> io::Result<()> {
    stream.shutdown().await?;
    // Below TLS: what comes now is thrown away, so it need not be decrypted.
    let (stream, _) = stream.into_inner();
    let mut waste = vec![0; WASTE_BYTES];
    let mut rest = stream.take(bytes_max);
    while rest.read(&mut waste).await? > 0 {}
    Ok(())
}

const WASTE_BYTES: usize = 16 * 1024;
