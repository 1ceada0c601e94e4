//! Keys that are handed in from outside, and what is revoked at run time or for a time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;

use sealgate_policies::{
    Folder, OverlayFull, PolicySet, Profile, RemoteIssuer, Revocation, RevocationKind,
    RevocationOverlay,
};
use serde_json::json;
use support::{Issuer, NOW_S, b64, but, claims, header, load, mistakes};

const URL: &str = "https://login.example.org/keys";

fn folder(issuer: &Issuer) -> Folder {
    let issuers = issuer.folder().text("issuers.toml").unwrap().to_owned();
    let remote = issuers.replace("jwks = \"jwks/dev.json\"", &format!("jwks_url = \"{URL}\""));
    assert_ne!(issuers, remote);
    issuer.folder().with("issuers.toml", &remote)
}

fn remote(policy: &PolicySet) -> RemoteIssuer {
    policy.remote_issuers().next().unwrap()
}

fn outcome(policy: &PolicySet, token: &str) -> &'static str {
    policy.authenticate(token, NOW_S).map_or_else(|refusal| refusal.code(), |_| "accepted")
}

fn only(jwk: serde_json::Value) -> String {
    json!({"keys": [jwk]}).to_string()
}

#[test]
fn a_token_counts_once_its_issuers_keys_are_there() {
    let issuer = Issuer::new();
    let policy = load(&folder(&issuer));
    assert_eq!(outcome(&policy, &issuer.good_token()), "token_key_unknown");
    remote(&policy).set_keys(&issuer.jwks().to_string()).unwrap();
    assert_eq!(outcome(&policy, &issuer.good_token()), "accepted");
}

#[test]
fn a_remote_issuer_tells_where_its_keys_lie() {
    let issuer = Issuer::new();
    let policy = load(&folder(&issuer));
    let found = remote(&policy);
    assert_eq!((&**found.name(), &**found.jwks_url()), ("dev", URL));
    assert_eq!(&**found.issuer(), "https://dev.sealgate.localhost");
    let claimed = policy.claimed_remote_issuer(&issuer.good_token()).unwrap();
    assert_eq!(claimed.jwks_url(), found.jwks_url());
    assert!(policy.claimed_remote_issuer("a.b.c").is_none());
    assert!(load(&issuer.folder()).claimed_remote_issuer(&issuer.good_token()).is_none());
}

#[test]
fn a_remembered_caller_stops_counting_when_his_key_has_left() {
    let issuer = Issuer::new();
    let policy = load(&folder(&issuer));
    remote(&policy).set_keys(&issuer.jwks().to_string()).unwrap();
    let caller = policy.authenticate(&issuer.good_token(), NOW_S).unwrap_or_else(|r| panic!("{r}"));
    remote(&policy).set_keys(&issuer.jwks().to_string()).unwrap();
    assert_eq!(policy.still_valid(&caller, NOW_S), Ok(()));
    remote(&policy).set_keys(&only(issuer.eddsa_jwk("dev-ed"))).unwrap();
    let refusal = policy.still_valid(&caller, NOW_S).unwrap_err();
    assert_eq!(refusal.code(), "token_key_unknown");
}

#[test]
fn a_remembered_caller_stops_counting_when_another_key_has_taken_the_name_of_his() {
    let (issuer, later) = (Issuer::new(), Issuer::new());
    let policy = load(&folder(&issuer));
    remote(&policy).set_keys(&issuer.jwks().to_string()).unwrap();
    let caller = policy.authenticate(&issuer.good_token(), NOW_S).unwrap_or_else(|r| panic!("{r}"));
    remote(&policy).set_keys(&later.jwks().to_string()).unwrap();
    let refusal = policy.still_valid(&caller, NOW_S).unwrap_err();
    assert_eq!(refusal.code(), "token_key_unknown");
}

#[test]
fn a_bad_set_changes_nothing() {
    let issuer = Issuer::new();
    let policy = load(&folder(&issuer));
    remote(&policy).set_keys(&issuer.jwks().to_string()).unwrap();
    let es = || issuer.es256_jwk("dev-es");
    let many: Vec<_> = (0..65).map(|n| issuer.es256_jwk(&format!("k{n}"))).collect();
    let bad = [
        ("<html>", "is not JSON"),
        ("{\"keys\": []}", "holds no key that could be used"),
        (&only(but(es(), "use", json!("enc"))), "holds no key that could be used"),
        (&only(but(es(), "d", json!("AA"))), "is a private key"),
        (&only(but(es(), "kid", json!("a\nb"))), "key 1 has no `kid`"),
        (&only(but(es(), "kid", json!("a".repeat(257)))), "key 1 has no `kid`"),
        (&json!({"keys": [es(), es()]}).to_string(), "two keys are called `dev-es`"),
        (&json!({"keys": many}).to_string(), "holds more than 64 keys"),
        (&format!("{}{}", issuer.jwks(), " ".repeat(256 * 1024)), "is larger than 262144 bytes"),
    ];
    for (text, expected) in bad {
        let mistakes = remote(&policy).set_keys(text).unwrap_err().to_string();
        assert!(mistakes.contains(expected), "{expected}\n{mistakes}");
        assert!(mistakes.starts_with(&format!("error: policy `{URL}`")), "{mistakes}");
        assert_eq!(outcome(&policy, &issuer.good_token()), "accepted", "{expected}");
    }
}

#[test]
fn a_fetched_dev_key_is_refused_in_production() {
    let issuer = Issuer::new();
    let text = folder(&issuer).text("issuers.toml").unwrap().replace("profile = \"dev\"", "");
    let folder = folder(&issuer).with("issuers.toml", &text);
    let policy = PolicySet::from_folder(&folder, Profile::Production).unwrap();
    let mistakes = remote(&policy).set_keys(&issuer.jwks().to_string()).unwrap_err();
    assert!(mistakes.to_string().contains("`dev-es` is a dev key"), "{mistakes}");
}

#[test]
fn keys_that_are_forgotten_no_longer_count() {
    let issuer = Issuer::new();
    let policy = load(&folder(&issuer));
    remote(&policy).set_keys(&issuer.jwks().to_string()).unwrap();
    remote(&policy).forget_keys();
    assert_eq!(outcome(&policy, &issuer.good_token()), "token_key_unknown");
}

#[test]
fn a_handle_does_not_keep_a_policy_set_alive() {
    let issuer = Issuer::new();
    let policy = load(&folder(&issuer));
    let handle = remote(&policy);
    assert!(!handle.is_gone());
    drop(policy);
    assert!(handle.is_gone());
}

#[test]
fn an_issuer_needs_one_place_for_its_keys_and_it_is_an_address() {
    let issuer = Issuer::new();
    let with = |line: &str| {
        let text = folder(&issuer).text("issuers.toml").unwrap().to_owned();
        mistakes(
            &folder(&issuer)
                .with("issuers.toml", &text.replace(&format!("jwks_url = \"{URL}\""), line)),
        )
    };
    let one = "`dev` needs exactly one of `jwks` and `jwks_url`";
    for (line, expected) in [
        ("", one),
        (&format!("jwks = \"jwks/dev.json\"\njwks_url = \"{URL}\""), one),
        ("jwks_url = \"http://a.example/keys\"", "does not begin with `https://`"),
        ("jwks_url = \"/keys\"", "does not begin with `https://`"),
        ("jwks_url = \"https://\"", "`jwks_url` "),
        ("jwks_url = \"file:///keys\"", "`jwks_url` "),
        ("jwks_url = \"https://me:pw@a.example/keys\"", "holds a user name"),
        ("jwks_url = \"https://a.example/keys#a\"", "holds a fragment"),
        ("jwks_url = \"https://a.example/a b\"", "is not an address"),
        (&format!("jwks_url = \"https://a.example/{}\"", "a".repeat(2048)), "is too long"),
    ] {
        assert!(with(line).contains(expected), "{line}: {}", with(line));
    }
}

#[test]
fn bound_tokens_can_only_be_refused() {
    let issuer = Issuer::new();
    let with = |word: &str| {
        let text = issuer.folder().text("issuers.toml").unwrap().to_owned();
        issuer.folder().with("issuers.toml", &format!("{text}sender_constrained = \"{word}\"\n"))
    };
    let token = issuer.token(&header(), &but(claims(), "cnf", json!({"jkt": "AA"})));
    assert_eq!(outcome(&load(&with("refuse")), &token), "token_bound");
    assert!(mistakes(&with("ignore")).contains("`ignore`"));
}

#[test]
fn an_issuer_may_be_forgiven_what_rfc_9068_demands() {
    let issuer = Issuer::new();
    let with = |line: &str| {
        let text = issuer.folder().text("issuers.toml").unwrap().to_owned();
        load(&issuer.folder().with("issuers.toml", &format!("{text}{line}\n")))
    };
    for claim in ["jti", "client_id", "iat"] {
        let token = issuer.token(&header(), &but(claims(), claim, serde_json::Value::Null));
        assert_eq!(outcome(&with(""), &token), "token_claims", "{claim}");
        assert_eq!(outcome(&with("required_claims = []"), &token), "accepted", "{claim}");
    }
    let jwt = but(header(), "typ", json!("JWT"));
    let token = issuer.token(&jwt, &but(claims(), "jti", serde_json::Value::Null));
    assert_eq!(outcome(&with("typ = \"JWT\""), &token), "accepted");
}

#[test]
fn a_revocation_counts_until_its_end() {
    let issuer = Issuer::new();
    for until in [
        (NOW_S + 1).to_string(),
        "2026-11-18T11:06:41Z".to_owned(),
        "\"2026-11-18T12:06:41+01:00\"".to_owned(),
    ] {
        let revoked = format!("[[revoked]]\nsub = \"dr-house\"\nuntil = {until}\n");
        let policy = load(&issuer.folder().with("revoked.toml", &revoked));
        assert_eq!(outcome(&policy, &issuer.good_token()), "token_revoked", "{until}");
        let later = policy.authenticate(&issuer.good_token(), NOW_S + 1);
        assert!(later.is_ok(), "{until}");
        assert_eq!(policy.warnings_at(NOW_S).to_string(), "", "{until}");
        assert_eq!(
            policy.warnings_at(NOW_S + 1).to_string(),
            "warning: policy `revoked.toml` line 1: the entry's `until` has passed\n\
             hint: remove it: it no longer counts",
            "{until}"
        );
    }
}

#[test]
fn an_until_that_is_no_time_stops_the_folder() {
    let issuer = Issuer::new();
    for until in ["\"soon\"", "2026-11-18", "2026-11-18T11:06:41", "-1", "true", "1.5"] {
        let revoked = format!("[[revoked]]\nsub = \"dr-house\"\nuntil = {until}\n");
        let mistakes = mistakes(&issuer.folder().with("revoked.toml", &revoked));
        assert!(
            mistakes.contains("`revoked.toml` line 3 column 9: `until` is not a time"),
            "{mistakes}"
        );
    }
}

fn revocation(kind: RevocationKind, value: &str) -> Revocation {
    Revocation { issuer: None, kind, value: value.into(), until_s: None }
}

#[test]
fn what_is_revoked_at_run_time_no_longer_counts() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let caller = policy.authenticate(&issuer.good_token(), NOW_S).unwrap_or_else(|r| panic!("{r}"));
    for (kind, value) in [
        (RevocationKind::TokenId, "token-1"),
        (RevocationKind::Subject, "dr-house"),
        (RevocationKind::ClientId, "ward-7"),
        (RevocationKind::KeyId, "dev-es"),
    ] {
        let overlay = RevocationOverlay::default();
        assert_eq!(overlay.must_not_name(&caller, NOW_S), Ok(()));
        let theirs = Revocation { issuer: Some("other".into()), ..revocation(kind, value) };
        overlay.add(theirs, NOW_S).unwrap();
        overlay.add(revocation(kind, "something else"), NOW_S).unwrap();
        assert_eq!(overlay.must_not_name(&caller, NOW_S), Ok(()));
        overlay.add(revocation(kind, value), NOW_S).unwrap();
        let refusal = overlay.must_not_name(&caller, NOW_S).unwrap_err();
        assert_eq!(refusal.code(), "token_revoked", "{kind:?}");
        assert_eq!(overlay.entries(NOW_S).len(), 3);
    }
}

#[test]
fn the_overlay_drops_what_has_run_out() {
    let overlay = RevocationOverlay::default();
    let entry = revocation(RevocationKind::Subject, "a");
    overlay.add(Revocation { until_s: Some(NOW_S + 1), ..entry }, NOW_S).unwrap();
    assert_eq!((overlay.entries(NOW_S).len(), overlay.entries(NOW_S + 1).len()), (1, 0));
    overlay.add(revocation(RevocationKind::Subject, "b"), NOW_S + 1).unwrap();
    assert_eq!(overlay.entries(NOW_S).len(), 1);
}

#[test]
fn the_overlay_takes_so_many_and_no_more() {
    let overlay = RevocationOverlay::default();
    let entry = |n: usize| revocation(RevocationKind::Subject, &n.to_string());
    let max = RevocationOverlay::ENTRIES_MAX;
    assert_eq!(overlay.extend((0..=max).map(entry), NOW_S), Err(OverlayFull));
    assert_eq!(overlay.entries(NOW_S).len(), 0);
    overlay.extend((0..max).map(entry), NOW_S).unwrap();
    assert_eq!(overlay.add(entry(max), NOW_S), Err(OverlayFull));
    assert_eq!(overlay.add(entry(0), NOW_S), Ok(()));
}

#[test]
fn revocations_by_many_at_once_are_all_in_force() {
    let overlay = Arc::new(RevocationOverlay::default());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let overlay = overlay.clone();
            scope.spawn(move || {
                for n in 0..200 {
                    let value = b64(format!("{thread}-{n}").as_bytes());
                    overlay.add(revocation(RevocationKind::TokenId, &value), NOW_S).unwrap();
                }
            });
        }
    });
    assert_eq!(overlay.entries(NOW_S).len(), 1600);
}
