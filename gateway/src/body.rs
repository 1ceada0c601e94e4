//! Reads a body within its limits of size, time and shared room.

use axum::body::Body;
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::OwnedSemaphorePermit;

use crate::capacity::Capacity;
use crate::refusal::Refusal;

/// The room that a body takes up, until this is dropped.
pub struct Room(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

/// A body that somebody is about to need.
pub enum Arriving {
    /// It is on its way.
    Body(Body),
    /// It has been read, because its beginning says what it is about.
    Read(Vec<u8>, Room),
}

impl Arriving {
    /// The whole body.
    ///
    /// # Errors
    /// As [`read`].
    pub async fn whole(self, capacity: &Capacity) -> Result<(Vec<u8>, Room), Refusal> {
        match self {
            Self::Body(body) => read(capacity, body).await,
            Self::Read(bytes, room) => Ok((bytes, room)),
        }
    }
}

/// A request whose body may have been read.
pub type Request = http::Request<Arriving>;

/// Reads a whole body out of what its listener bears.
///
/// # Errors
/// [`Refusal::Overloaded`], [`Refusal::BodyTooLarge`], [`Refusal::BodyIncomplete`] or
/// [`Refusal::BodyTimeout`].
pub async fn read(capacity: &Capacity, body: Body) -> Result<(Vec<u8>, Room), Refusal> {
    let bytes_max = capacity.body_bytes_max as u64;
    let most = body.size_hint().upper().unwrap_or(bytes_max).min(bytes_max);
    let kib = u32::try_from(most.div_ceil(1024)).unwrap_or(u32::MAX);
    let room = capacity.body_room_kib.clone().try_acquire_many_owned(kib);
    let full = || Refusal::Overloaded { retry_after_s: capacity.in_flight.retry_after_s() };
    let room = room.map_err(|_| full())?;
    let read = Limited::new(body, capacity.body_bytes_max).collect();
    match tokio::time::timeout(capacity.body_timeout, read).await {
        Ok(Ok(body)) => Ok((Vec::from(body.to_bytes()), Room(room))),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::BodyTooLarge),
        Ok(Err(_)) => Err(Refusal::BodyIncomplete),
        Err(_) => Err(Refusal::BodyTimeout),
    }
}
