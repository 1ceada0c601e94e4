//! What a head is born with for each of the other parts: a socket and a secret.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use sealgate_keys::HopPsk;
use sealgate_model::split::PARTS_MAX;

/// One part, before anything was said.
pub(crate) struct Inherited {
    /// Once to read and once to write.
    pub(crate) reader: UnixStream,
    pub(crate) socket: UnixStream,
    pub(crate) psk: HopPsk,
    /// What its evidence must answer.
    pub(crate) nonce: [u8; HopPsk::NONCE_BYTES],
}

/// Takes the sockets that go with `secrets`, in the same order, off the gateway's socket. They come
/// with one byte before anything else, so that a worker without parts reads none of it.
///
/// # Errors
/// When there are more or fewer, or too many.
pub(crate) fn receive(socket: &UnixStream, secrets: &[u8]) -> io::Result<Vec<Inherited>> {
    let (secrets, rest) = secrets.as_chunks::<SECRET_BYTES>();
    if !rest.is_empty() || secrets.len() >= PARTS_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    if secrets.is_empty() {
        return Ok(Vec::new());
    }
    let sockets = descriptors(socket)?;
    if sockets.len() != secrets.len() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let inherited = |(socket, secret): (OwnedFd, &[u8; SECRET_BYTES])| {
        let socket = UnixStream::from(socket);
        socket.local_addr()?;
        let (psk, nonce) = secret.split_at(HopPsk::BYTES);
        Ok(Inherited {
            reader: socket.try_clone()?,
            socket,
            psk: HopPsk::from_slice(psk).map_err(io::Error::other)?,
            nonce: nonce.try_into().map_err(io::Error::other)?,
        })
    };
    sockets.into_iter().zip(secrets).map(inherited).collect()
}

fn descriptors(socket: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PARTS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let came = recvmsg(
        socket.as_fd(),
        &mut [IoSliceMut::new(&mut byte)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    if came.bytes != 1 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    Ok(rights.flatten().collect())
}

const SECRET_BYTES: usize = HopPsk::BYTES + HopPsk::NONCE_BYTES;
