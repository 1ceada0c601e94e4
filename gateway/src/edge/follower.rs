//! Follows HTTP/1 messages through a stream of bytes: head, body, next head.

use super::chunked::Chunked;
use super::head::{self, Framing, HeadLimits};
use super::refusal::Refusal;

/// Where in the stream we are.
pub(super) struct Follower {
    limits: HeadLimits,
    place: Place,
    /// Heads found well so far.
    messages: u64,
}

#[derive(Clone, Copy)]
enum Place {
    Head,
    Length(u64),
    Chunked(Chunked),
}

/// What some bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// All of them may pass.
    Whole,
    /// Those before `from` may pass; there begins a head that has not ended.
    PartialHead { from: usize },
    /// Those before `from` may pass; the request that begins there may not, nor anything behind it.
    Refused { from: usize, refusal: Refusal },
    /// The body of a request that has already passed is malformed; none of the bytes may pass.
    BrokenBody,
}

impl Follower {
    pub(super) fn new(limits: HeadLimits) -> Self {
        Self { limits, place: Place::Head, messages: 0 }
    }

    /// Goes on with the next bytes of the stream. After [`Followed::PartialHead`] they must begin with those held back.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Followed {
        let mut at = 0;
        let mut message_start = None;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match &mut self.place {
                Place::Head => match head::check(rest, self.limits) {
                    Ok(Some(head)) => {
                        message_start = Some(at);
                        at += head.bytes;
                        self.messages += 1;
                        self.place = Place::behind_head(head.body);
                    }
                    Ok(None) => return Followed::PartialHead { from: at },
                    Err(refusal) => return Followed::Refused { from: at, refusal },
                },
                Place::Length(left) => {
                    let taken = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    at += taken;
                    self.place = Place::behind_bytes(*left - taken as u64);
                }
                Place::Chunked(chunked) => match chunked.follow(rest) {
                    Ok(taken) => {
                        at += taken;
                        if *chunked == Chunked::Done {
                            self.place = Place::Head;
                        }
                    }
                    Err(_) => return self.broken(message_start),
                },
            }
        }
        Followed::Whole
    }

    /// The bound of a head, in bytes.
    pub(super) fn head_bytes_max(&self) -> usize {
        self.limits.bytes_max
    }

    /// The number of the message in whose body we are; 0 between messages.
    pub(super) fn open_body(&self) -> u64 {
        match self.place {
            Place::Head => 0,
            Place::Length(_) | Place::Chunked(_) => self.messages,
        }
    }

    /// The number of the message behind the last one that may pass.
    pub(super) fn next_message(&self) -> u64 {
        self.messages + 1
    }

    /// A body whose head came with the same bytes is refused together with it, so that it reaches nobody.
    fn broken(&mut self, message_start: Option<usize>) -> Followed {
        match message_start {
            Some(from) => {
                self.messages -= 1;
                self.place = Place::Head;
                Followed::Refused {
                    from,
                    refusal: Refusal::ambiguous("the chunks of the body are malformed"),
                }
            }
            None => Followed::BrokenBody,
        }
    }
}

impl Place {
    fn behind_head(body: Framing) -> Self {
        match body {
            Framing::Length(bytes) => Self::behind_bytes(bytes),
            Framing::Chunked => Self::Chunked(Chunked::START),
        }
    }

    fn behind_bytes(left: u64) -> Self {
        if left == 0 { Self::Head } else { Self::Length(left) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

    fn follower() -> Follower {
        Follower::new(HeadLimits { bytes_max: 1024, fields_max: 9 })
    }

    #[test]
    fn pipelined_messages_of_every_kind_pass() {
        let bytes = format!("{GET}{POST}hello{CHUNKED}1\r\nx\r\n0\r\n\r\n{GET}");
        let mut follower = follower();
        assert_eq!(follower.follow(bytes.as_bytes()), Followed::Whole);
        assert_eq!((follower.messages, follower.open_body()), (4, 0));
    }

    #[test]
    fn what_stands_behind_a_body_is_judged_as_a_head() {
        let bytes = format!("{POST}hello{}", "GET / HTTP/1.1\r\n\r\n");
        let from = POST.len() + 5;
        assert!(
            matches!(follower().follow(bytes.as_bytes()), Followed::Refused { from: at, .. } if at == from)
        );
    }

    #[test]
    fn a_body_that_looks_like_a_bad_head_passes() {
        let bytes = format!("{POST}\n\nab\n");
        assert_eq!(follower().follow(bytes.as_bytes()), Followed::Whole);
    }

    #[test]
    fn an_unfinished_head_is_held_back_from_its_first_byte() {
        let bytes = format!("{GET}GET / HT");
        assert_eq!(follower().follow(bytes.as_bytes()), Followed::PartialHead { from: GET.len() });
    }

    #[test]
    fn bad_chunks_take_their_head_with_them_if_it_has_not_passed() {
        let mut follower = follower();
        let bytes = format!("{GET}{CHUNKED}zz");
        assert!(
            matches!(follower.follow(bytes.as_bytes()), Followed::Refused { from, .. } if from == GET.len())
        );
        assert_eq!((follower.next_message(), follower.open_body()), (2, 0));
    }

    #[test]
    fn bad_chunks_of_a_head_that_has_passed_break_the_body() {
        let mut follower = follower();
        assert_eq!(follower.follow(CHUNKED.as_bytes()), Followed::Whole);
        assert_eq!(follower.open_body(), 1);
        assert_eq!(follower.follow(b"zz"), Followed::BrokenBody);
    }
}
