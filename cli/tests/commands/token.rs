//! `sealgate token` against the policy folder that it is for.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sealgate_policies::{PolicySet, Profile};
use serde_json::{Value, json};

use super::sealgate::{run, text};
use super::state::State;

fn token(state: &State, more: &[&str]) -> String {
    let arguments = ["token", "--state", text(&state.dir), "--subject", "ada"];
    let out = run(arguments.iter().chain(more)).well();
    let token = out.strip_suffix('\n').unwrap();
    assert!(!token.contains(char::is_whitespace), "{token:?}");
    token.to_owned()
}

fn policy(state: &State, profile: Profile) -> PolicySet {
    let policy = PolicySet::load(&state.dir.join("policies"), profile);
    policy.unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn the_policy_authenticates_the_token_with_all_it_says() {
    let state = State::prepared();
    let more = [
        "--group",
        "clinicians",
        "--group",
        "data-science",
        "--tenant",
        "lakeside",
        "--scope",
        "infer",
        "--scope",
        "other",
    ];
    let caller = policy(&state, Profile::Dev).authenticate(&token(&state, &more), now_s());
    let caller = caller.unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(&**caller.subject(), "ada");
    assert_eq!(caller.tenant().map(|tenant| &**tenant), Some("lakeside-clinic"));
    let groups: Vec<&str> = caller.groups().iter().map(|group| &**group).collect();
    assert_eq!(groups, ["clinicians", "data-science"]);
    let scopes: Vec<&str> = caller.scopes().iter().map(|scope| &**scope).collect();
    assert_eq!(scopes, ["infer", "other"]);
}

#[test]
fn the_token_that_the_demo_hands_out_is_authenticated() {
    let state = State::prepared();
    let caller = policy(&state, Profile::Dev).authenticate(&state.read("token"), now_s());
    let caller = caller.unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(caller.tenant().map(|tenant| &**tenant), Some("general-hospital"));
}

#[test]
fn a_token_with_another_last_byte_is_refused() {
    let state = State::prepared();
    let mut token = token(&state, &[]);
    let last = if token.pop() == Some('A') { 'Q' } else { 'A' };
    token.push(last);
    assert!(policy(&state, Profile::Dev).authenticate(&token, now_s()).is_err());
}

#[test]
fn what_is_not_named_is_not_in_the_token() {
    let claims = part(&token(&State::prepared(), &[]), 1);
    let mut names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["aud", "client_id", "exp", "iat", "iss", "jti", "sub"]);
}

#[test]
fn the_token_is_of_the_profile_for_access_tokens() {
    let token = token(&State::prepared(), &["--ttl", "90s"]);
    let (header, claims) = (part(&token, 0), part(&token, 1));
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    assert!(header["kid"].as_str().unwrap().starts_with("dev-"));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 90);
}

#[test]
fn a_token_for_longer_than_a_demo_is_bad_usage() {
    let state = State::prepared();
    let said = run(["token", "--state", text(&state.dir), "--subject", "a", "--ttl", "13h"]);
    assert_eq!(
        said.failed(64),
        "error: `13h` is longer than the dev issuer's tokens may live\nhint: 12h is the most\n"
    );
}

#[test]
fn a_time_that_is_none_is_bad_usage() {
    run(["token", "--subject", "a", "--ttl", "soon"]).failed(64);
}

#[test]
fn without_a_state_there_is_no_token() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(["token", "--state", text(dir.path()), "--subject", "a"]);
    assert_eq!(ran.out, "");
    assert!(ran.failed(78).contains("is not the state of a demo\nhint: sealgate demo --state"));
}
