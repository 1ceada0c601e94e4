//! A worker among those that compute one model together.
//!
//! The head is a worker like any other to the gateway and to clients. To the workers of the other
//! parts it is what the gateway is to it: it judges them, opens a session with each over a socket
//! that it was born with, hands them their files, and asks. What it sends them is rows or what
//! layers made of rows, under names of nobody. A part that is gone takes the head with it.

mod far;
mod head;
mod inherited;
mod part;

pub(crate) use head::{Head, Reader};
pub(crate) use inherited::{Inherited, receive};
pub(crate) use part::answer;
