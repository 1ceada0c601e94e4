//! The two ways in and the way out: `/enter` and `/leave`.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use maud::{DOCTYPE, html};
use serde::Deserialize;

use super::guard::{Door, Guard};
use super::reception::NotAdmitted;
use super::words::text;

/// What needs no session.
pub(super) fn router(guard: Arc<Guard>) -> Router {
    let router = match &guard.door {
        Door::Local(_) => Router::new().route("/enter", get(exchange)),
        Door::Reviewers(_) => Router::new()
            .route("/enter", get(async || page(&NotAdmitted::SignedOut)).post(enter))
            .route("/leave", post(leave)),
    };
    router.layer(DefaultBodyLimit::max(FORM_BYTES_MAX)).with_state(guard)
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// Exchanges the token in the printed URL. The page leads on by itself: a browser that came from
/// elsewhere would not send the new cookie along on a redirect.
async fn exchange(State(guard): State<Arc<Guard>>, Query(given): Query<Token>) -> Response {
    let cookie = match &guard.door {
        Door::Local(entrance) => entrance.exchange(&given.token),
        Door::Reviewers(_) => None,
    };
    match cookie.as_deref().map(HeaderValue::from_str) {
        Some(Ok(cookie)) => ([(SET_COOKIE, cookie)], Html(ENTERED)).into_response(),
        _ => (StatusCode::FORBIDDEN, USED).into_response(),
    }
}

/// Signs in with a token in a form.
async fn enter(State(guard): State<Arc<Guard>>, form: Bytes) -> Response {
    let Door::Reviewers(reception) = &guard.door else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(Token { token }) = serde_urlencoded::from_bytes(&form) else {
        return (StatusCode::BAD_REQUEST, "the form has one field, `token`\n").into_response();
    };
    match reception.enter(token.trim().to_owned(), Instant::now()).await {
        Ok(cookie) => on_to("/", &cookie),
        Err(why) => page(&why),
    }
}

async fn leave(State(guard): State<Arc<Guard>>, headers: HeaderMap) -> Response {
    match &guard.door {
        Door::Reviewers(reception) => on_to("/enter", &reception.leave(&headers)),
        Door::Local(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

fn on_to(path: &'static str, cookie: &str) -> Response {
    match HeaderValue::from_str(cookie) {
        Ok(cookie) => {
            let headers = [(SET_COOKIE, cookie), (LOCATION, HeaderValue::from_static(path))];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Where a token is shown, and what became of the last one.
pub(super) fn page(why: &NotAdmitted) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Sign in – Sealgate audit" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                header { p.name { "Sealgate " span.faint { "audit" } } }
                main id="main" {
                    h1 { "Sign in" }
                    @if let Some(words) = why.words() { p.wrong role="alert" { (text(&words)) } }
                    p { "These pages are open to holders of a token that the gateway's rules permit
                        " code { "review_audit" } ". Each visit is on record in the log itself." }
                    form.filters method="post" action="/enter" {
                        label { "Token "
                            input type="password" name="token" autocomplete="off" required autofocus;
                        }
                        button { "Sign in" }
                    }
                }
            }
        }
    };
    (why.status(), Html(page.into_string())).into_response()
}

/// A token of 8 KiB and what a form makes of it.
const FORM_BYTES_MAX: usize = 16 * 1024;
const ENTERED: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <meta http-equiv=\"refresh\" content=\"0; url=/\"><title>Sealgate audit</title>\
    <p><a href=\"/\">To the audit log</a></p></html>";
const USED: &str = "This URL has been used, or never was one.\n\
    Run `sealgate audit serve` again for a new one.\n";
