//! Who may look on this machine: whoever has the URL that was printed, once, and then his browser.
//!
//! The token in the URL ends up in histories and process lists, so it is good for one use; what it
//! is exchanged for is a cookie that no script reads and no other site causes to be sent.

use std::sync::Mutex;
use std::sync::PoisonError;

use super::secret::Secret;
use crate::error::ReviewError;

/// The way in.
pub(super) struct Entrance {
    /// Gone once it was used.
    token: Mutex<Option<Secret>>,
    session: Secret,
    /// Cookies are not told apart by port, so their names are.
    cookie: String,
}

impl Entrance {
    /// An entrance to the pages on this port, and the token that opens it.
    pub(super) fn new(port: u16) -> Result<(Self, String), ReviewError> {
        let token = Secret::new()?;
        let shown = token.expose().to_owned();
        let session = Secret::new()?;
        let cookie = format!("sealgate-review-{port}");
        Ok((Self { token: Mutex::new(Some(token)), session, cookie }, shown))
    }

    /// The cookie to set, if `given` is the token and nobody has used it.
    pub(super) fn exchange(&self, given: &str) -> Option<String> {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if !token.as_ref().is_some_and(|token| token.is(given)) {
            return None;
        }
        *token = None;
        let (name, value) = (&self.cookie, self.session.expose());
        Some(format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/"))
    }

    /// Whether a request's `cookie` header holds the session.
    pub(super) fn admits(&self, cookies: &str) -> bool {
        let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(name, value)| name == self.cookie && self.session.is(value))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_token_opens_once() {
        let (entrance, token) = Entrance::new(7).unwrap();
        assert!(entrance.exchange("0000").is_none());
        let cookie = entrance.exchange(&token).unwrap();
        assert!(entrance.exchange(&token).is_none());
        assert!(entrance.admits(cookie.split(';').next().unwrap()));
    }

    #[test]
    fn a_cookie_of_another_value_or_name_does_not_count() {
        let (entrance, token) = Entrance::new(7).unwrap();
        let cookie = entrance.exchange(&token).unwrap();
        let value = cookie.split(';').next().unwrap().split_once('=').unwrap().1;
        assert!(entrance.admits(&format!("a=b; sealgate-review-7={value}; c=d")));
        for other in
            ["", value, &format!("other={value}"), "sealgate-review-7=", "sealgate-review-7=00"]
        {
            assert!(!entrance.admits(other), "{other}");
        }
    }
}
