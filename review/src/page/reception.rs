//! Who may look where others can reach the pages: whoever the gateway's own rules let review.
//!
//! A reviewer shows a token once and gets a cookie for it. The gateway is asked then and again
//! every [`ASKED_AGAIN_AFTER`] of looking, so that whoever is revoked, or whose token ends, is out a
//! minute later, and so that its log says who looked, and until when.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, StatusCode};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::secret::Secret;
use crate::error::ReviewError;

/// Who says whether the holder of a token may review.
pub trait Reviewers: Send + Sync + 'static {
    /// Asks about `token`, on the record of whoever answers.
    fn ask<'a>(
        &'a self,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<(), NotAdmitted>> + Send + 'a>>;
}

/// Why somebody may not look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// He may not: why, as the gateway told it.
    Refused(String),
    /// Nobody could be asked.
    Unreachable(String),
    /// So many are being asked about that one more has to wait.
    Busy,
    /// He has not shown a token, or not for a while.
    SignedOut,
}

impl NotAdmitted {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Unreachable(_) | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::SignedOut => StatusCode::UNAUTHORIZED,
        }
    }

    /// What the page says; nothing to somebody who has only just come.
    pub(super) fn words(&self) -> Option<String> {
        match self {
            Self::Refused(why) => Some(format!("The gateway refused: {why}.")),
            Self::Unreachable(why) => Some(format!(
                "The gateway cannot be asked whether you may review: {why}. On its own machine \
                 `sealgate audit serve DIR` needs nobody's leave."
            )),
            Self::Busy => Some("Too many are signing in. Try again in a moment.".to_owned()),
            Self::SignedOut => None,
        }
    }
}

/// Those who have been let in.
pub(super) struct Reception {
    reviewers: Arc<dyn Reviewers>,
    sessions: Mutex<Vec<Arc<Session>>>,
    /// Whoever can reach the pages can have the gateway asked.
    asking: Semaphore,
}

struct Session {
    secret: Secret,
    token: Zeroizing<String>,
    /// When the gateway was asked last. Held while it is asked, so that one page's many requests
    /// are one question.
    asked: tokio::sync::Mutex<Instant>,
    used: Mutex<Instant>,
}

impl Reception {
    pub(super) fn new(reviewers: Arc<dyn Reviewers>) -> Self {
        Self { reviewers, sessions: Mutex::default(), asking: Semaphore::new(ASKING_MAX) }
    }

    /// Lets the holder of a token in, and gives the cookie to set.
    pub(super) async fn enter(&self, token: String, now: Instant) -> Result<String, NotAdmitted> {
        let token = Zeroizing::new(token);
        self.ask(&token).await?;
        let secret = Secret::new().map_err(|_: ReviewError| NotAdmitted::Busy)?;
        let cookie = format!("{COOKIE_NAME}={}; {COOKIE_TERMS}", secret.expose());
        let session = Session { secret, token, asked: now.into(), used: now.into() };
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS_MAX {
            let idlest = sessions.iter().enumerate().min_by_key(|(_, session)| session.used());
            if let Some((at, _)) = idlest {
                sessions.swap_remove(at);
            }
        }
        sessions.push(Arc::new(session));
        Ok(cookie)
    }

    /// Whether a request may be answered: it has a session's cookie, or a token of its own.
    pub(super) async fn admit(&self, headers: &HeaderMap, now: Instant) -> Result<(), NotAdmitted> {
        if let Some(token) = bearer(headers) {
            return self.ask(token).await;
        }
        let session = self.session(headers).ok_or(NotAdmitted::SignedOut)?;
        if now.saturating_duration_since(session.used()) > IDLE_MAX {
            self.forget(&session);
            return Err(NotAdmitted::SignedOut);
        }
        session.use_at(now);
        let mut asked = session.asked.lock().await;
        if now.saturating_duration_since(*asked) > ASKED_AGAIN_AFTER {
            match self.ask(&session.token).await {
                Ok(()) => *asked = now,
                Err(why) => {
                    if matches!(why, NotAdmitted::Refused(_)) {
                        self.forget(&session);
                    }
                    return Err(why);
                }
            }
        }
        Ok(())
    }

    /// Ends the session of whoever asks, and gives the cookie that takes his away.
    pub(super) fn leave(&self, headers: &HeaderMap) -> String {
        if let Some(session) = self.session(headers) {
            self.forget(&session);
        }
        format!("{COOKIE_NAME}=; Max-Age=0; {COOKIE_TERMS}")
    }

    async fn ask(&self, token: &str) -> Result<(), NotAdmitted> {
        let _place = self.asking.try_acquire().map_err(|_| NotAdmitted::Busy)?;
        self.reviewers.ask(token).await
    }

    fn session(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let mut pairs = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let (_, given) = pairs.find(|(name, _)| *name == COOKIE_NAME)?;
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.iter().find(|session| session.secret.is(given)).cloned()
    }

    fn forget(&self, gone: &Arc<Session>) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| !Arc::ptr_eq(session, gone));
    }
}

impl Session {
    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn use_at(&self, now: Instant) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

/// The token of a program that keeps no cookie (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// How long an answer of the gateway's holds.
pub const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How long a session lasts in which nothing is looked at.
pub const IDLE_MAX: Duration = Duration::from_secs(15 * 60);
/// More sessions than reviewers at work; the one unused for the longest gives way.
const SESSIONS_MAX: usize = 64;
/// How many questions go to the gateway at once.
const ASKING_MAX: usize = 4;
/// The prefix has browsers take it over TLS alone, from this host alone and for all of it.
const COOKIE_NAME: &str = "__Host-sealgate-review";
const COOKIE_TERMS: &str = "Secure; HttpOnly; SameSite=Strict; Path=/";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use axum::http::{HeaderName, HeaderValue};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Lets in whoever says `good`, until `gone` is set.
    #[derive(Default)]
    struct Gateway {
        asked: AtomicUsize,
        says: Mutex<Option<NotAdmitted>>,
    }

    impl Reviewers for Gateway {
        fn ask<'a>(
            &'a self,
            token: &'a str,
        ) -> Pin<Box<dyn Future<Output = Result<(), NotAdmitted>> + Send + 'a>> {
            Box::pin(async move {
                self.asked.fetch_add(1, Ordering::Relaxed);
                match self.says.lock().unwrap().clone() {
                    Some(why) => Err(why),
                    None if token == "good" => Ok(()),
                    None => Err(NotAdmitted::Refused("forbidden".to_owned())),
                }
            })
        }
    }

    fn reception() -> (Arc<Gateway>, Reception) {
        let gateway = Arc::new(Gateway::default());
        (Arc::clone(&gateway), Reception::new(gateway))
    }

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    async fn entered(reception: &Reception, now: Instant) -> HeaderMap {
        let cookie = reception.enter("good".to_owned(), now).await.unwrap();
        with(COOKIE, cookie.split(';').next().unwrap())
    }

    #[tokio::test]
    async fn a_session_lasts_while_it_is_used_and_the_gateway_is_asked_once_a_minute() {
        let (gateway, reception) = reception();
        let begun = Instant::now();
        let cookie = entered(&reception, begun).await;
        for second in 0..=600 {
            let now = begun + Duration::from_secs(second);
            assert_eq!(reception.admit(&cookie, now).await, Ok(()), "{second}");
        }
        // Once to enter, and whenever more than a minute has gone by since.
        assert_eq!(gateway.asked.load(Ordering::Relaxed), 1 + 600 / 61);
    }

    #[tokio::test]
    async fn whoever_is_revoked_is_out_a_minute_later_and_stays_out() {
        let (gateway, reception) = reception();
        let begun = Instant::now();
        let cookie = entered(&reception, begun).await;
        let revoked = NotAdmitted::Refused("token_revoked".to_owned());
        *gateway.says.lock().unwrap() = Some(revoked.clone());
        let late = begun + ASKED_AGAIN_AFTER + Duration::from_secs(1);
        assert_eq!(reception.admit(&cookie, late).await, Err(revoked));
        *gateway.says.lock().unwrap() = None;
        assert_eq!(reception.admit(&cookie, late).await, Err(NotAdmitted::SignedOut));
    }

    #[tokio::test]
    async fn while_nobody_can_be_asked_nobody_looks_and_the_session_outlives_it() {
        let (gateway, reception) = reception();
        let begun = Instant::now();
        let cookie = entered(&reception, begun).await;
        let unreachable = NotAdmitted::Unreachable("connection refused".to_owned());
        *gateway.says.lock().unwrap() = Some(unreachable.clone());
        let late = begun + ASKED_AGAIN_AFTER + Duration::from_secs(1);
        assert_eq!(reception.admit(&cookie, late).await, Err(unreachable));
        *gateway.says.lock().unwrap() = None;
        assert_eq!(reception.admit(&cookie, late).await, Ok(()));
    }

    #[tokio::test]
    async fn an_unused_session_ends() {
        let (_, reception) = reception();
        let begun = Instant::now();
        let cookie = entered(&reception, begun).await;
        let late = begun + IDLE_MAX + Duration::from_secs(1);
        assert_eq!(reception.admit(&cookie, late).await, Err(NotAdmitted::SignedOut));
        assert_eq!(reception.admit(&cookie, begun).await, Err(NotAdmitted::SignedOut));
    }

    #[tokio::test]
    async fn whoever_leaves_is_out() {
        let (_, reception) = reception();
        let now = Instant::now();
        let cookie = entered(&reception, now).await;
        let other = entered(&reception, now).await;
        assert!(reception.leave(&cookie).contains("Max-Age=0"));
        assert_eq!(reception.admit(&cookie, now).await, Err(NotAdmitted::SignedOut));
        assert_eq!(reception.admit(&other, now).await, Ok(()));
    }

    #[tokio::test]
    async fn the_session_unused_for_the_longest_gives_way() {
        let (_, reception) = reception();
        let begun = Instant::now();
        let mut cookies = Vec::new();
        for i in 0..=SESSIONS_MAX as u64 {
            cookies.push(entered(&reception, begun + Duration::from_secs(i)).await);
        }
        let now = begun + ASKED_AGAIN_AFTER;
        assert_eq!(reception.admit(&cookies[0], now).await, Err(NotAdmitted::SignedOut));
        assert_eq!(reception.admit(&cookies[1], now).await, Ok(()));
    }

    #[tokio::test]
    async fn a_program_shows_its_token_each_time() {
        let (gateway, reception) = reception();
        let now = Instant::now();
        for (header, answer) in [
            ("Bearer good", Ok(())),
            ("bearer good", Ok(())),
            ("Bearer bad", Err(NotAdmitted::Refused("forbidden".to_owned()))),
            ("Basic good", Err(NotAdmitted::SignedOut)),
            ("good", Err(NotAdmitted::SignedOut)),
        ] {
            assert_eq!(reception.admit(&with(AUTHORIZATION, header), now).await, answer);
        }
        assert_eq!(gateway.asked.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn no_more_than_a_few_questions_are_asked_at_once() {
        struct Silent;
        impl Reviewers for Silent {
            fn ask<'a>(
                &'a self,
                _: &'a str,
            ) -> Pin<Box<dyn Future<Output = Result<(), NotAdmitted>> + Send + 'a>> {
                Box::pin(std::future::pending())
            }
        }
        let reception = Arc::new(Reception::new(Arc::new(Silent)));
        let waiting: Vec<_> = (0..ASKING_MAX)
            .map(|_| {
                let reception = Arc::clone(&reception);
                tokio::spawn(async move { reception.enter("t".to_owned(), Instant::now()).await })
            })
            .collect();
        while reception.asking.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = reception.enter("t".to_owned(), Instant::now()).await;
        assert_eq!(refused, Err(NotAdmitted::Busy));
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn a_cookie_of_another_name_or_value_does_not_count() {
        let (_, reception) = reception();
        let now = Instant::now();
        let cookie = entered(&reception, now).await;
        let value = cookie[COOKIE].to_str().unwrap().split_once('=').unwrap().1.to_owned();
        let counts = |text: String| {
            let headers = with(COOKIE, &text);
            let reception = &reception;
            async move { reception.admit(&headers, now).await.is_ok() }
        };
        assert!(counts(format!("a=b; {COOKIE_NAME}={value}; c=d")).await);
        for other in [value.clone(), format!("other={value}"), format!("{COOKIE_NAME}=")] {
            assert!(!counts(other.clone()).await, "{other}");
        }
    }
}
