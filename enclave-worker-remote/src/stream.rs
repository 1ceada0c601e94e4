//! Both halves of one TLS connection, for a thread that reads and those that write.
//!
//! Behind the walls no descriptor can be duplicated, so both share one. The connection's state is behind
//! a lock that is never held while the socket is waited for: who writes is not held up by a gateway that
//! is silent, nor who reads by one that does not read.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ServerConnection;

struct Tls {
    state: Mutex<ServerConnection>,
    socket: TcpStream,
}

/// From the gateway.
pub(crate) struct Reader {
    tls: Arc<Tls>,
    raw: Vec<u8>,
    /// Which part of `raw` has not been given to the connection.
    left: std::ops::Range<usize>,
}

/// To the gateway. There is one, so records leave in the order in which they were made.
pub(crate) struct Writer {
    tls: Arc<Tls>,
    records: Vec<u8>,
}

/// The halves of a connection whose handshake is done.
pub(crate) fn halves(state: ServerConnection, socket: TcpStream) -> (Reader, Writer) {
    let tls = Arc::new(Tls { state: Mutex::new(state), socket });
    let reader = Reader { tls: tls.clone(), raw: vec![0; RAW_BYTES], left: 0..0 };
    (reader, Writer { tls, records: Vec::new() })
}

impl Tls {
    fn state(&self) -> MutexGuard<'_, ServerConnection> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let unread = self.raw.get(self.left.clone()).unwrap_or_default();
            let mut state = self.tls.state();
            match state.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            // Nothing that was opened waits, so there is room for what comes.
            if !unread.is_empty() {
                let taken = state.read_tls(&mut &*unread)?;
                self.left.start += taken;
                state.process_new_packets().map_err(io::Error::other)?;
                continue;
            }
            drop(state);
            match (&self.tls.socket).read(&mut self.raw) {
                Ok(0) => return Ok(0),
                Ok(count) => self.left = 0..count,
                // The listener's patience with those who shake hands, inherited.
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.tls.state();
        let taken = state.writer().write(bytes)?;
        while state.wants_write() {
            state.write_tls(&mut self.records)?;
        }
        drop(state);
        (&self.tls.socket).write_all(&self.records)?;
        self.records.clear();
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A record of TLS at its longest, and a little more.
const RAW_BYTES: usize = 18 << 10;
