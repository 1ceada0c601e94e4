//! Tokens that count, and all the ways in which one must not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use aws_lc_rs::hmac;
use sealgate_policies::{Folder, TOKEN_BYTES_MAX};
use serde_json::{Value, json};
use support::{Issuer, NOW_S, b64, but, claims, header, load, mistakes};

/// The refusal's code, or `accepted`.
fn outcome(issuer: &Issuer, token: &str) -> &'static str {
    outcome_in(&issuer.folder(), token)
}

fn outcome_in(folder: &Folder, token: &str) -> &'static str {
    load(folder).authenticate(token, NOW_S).map_or_else(|refusal| refusal.code(), |_| "accepted")
}

/// Names every attack that ended otherwise than expected, not only the first.
fn each_is(ends: impl IntoIterator<Item = (&'static str, &'static str, &'static str)>) {
    let wrong: Vec<_> = ends.into_iter().filter(|(_, found, expected)| found != expected).collect();
    assert!(wrong.is_empty(), "(name, found, expected): {wrong:?}");
}

#[test]
fn each_algorithm_verifies_with_its_own_key() {
    let issuer = Issuer::new();
    for (alg, kid) in
        [("ES256", "dev-es"), ("EdDSA", "dev-ed"), ("RS256", "dev-rs"), ("PS256", "dev-ps")]
    {
        let header = but(but(header(), "alg", json!(alg)), "kid", json!(kid));
        assert_eq!(outcome(&issuer, &issuer.token(&header, &claims())), "accepted", "{alg}");
    }
}

#[test]
fn the_caller_is_what_the_token_and_the_roles_say() {
    let issuer = Issuer::new();
    let caller =
        issuer.policy().authenticate(&issuer.good_token(), NOW_S).unwrap_or_else(|r| panic!("{r}"));
    assert_eq!((&**caller.issuer_name(), &**caller.subject()), ("dev", "dr-house"));
    assert_eq!(caller.tenant().map(|t| &**t), Some("general-hospital"));
    assert_eq!(caller.groups().iter().map(|g| &**g).collect::<Vec<_>>(), ["clinicians"]);
    assert_eq!(caller.scopes().iter().map(|s| &**s).collect::<Vec<_>>(), ["infer", "other"]);
    assert_eq!((caller.clearance(), caller.expires_at_s()), (2, NOW_S + 600));
}

#[test]
fn what_only_looks_odd_is_accepted() {
    let issuer = Issuer::new();
    let odd = [
        ("aud_among_others", header(), but(claims(), "aud", json!(["mail", "sealgate"]))),
        ("typ_as_a_whole_media_type", but(header(), "typ", json!("Application/AT+JWT")), claims()),
        ("expired_within_the_leeway", header(), but(claims(), "exp", json!(NOW_S - 4))),
        ("issued_within_the_leeway", header(), but(claims(), "iat", json!(NOW_S + 5))),
        ("lifetime_at_the_cap", header(), but(claims(), "exp", json!(NOW_S - 10 + 43_200))),
        (
            "jku_is_not_looked_at",
            but(header(), "jku", json!("https://evil.example/jwks")),
            claims(),
        ),
        ("jwk_is_not_looked_at", but(header(), "jwk", json!({"kty": "oct", "k": "AA"})), claims()),
    ];
    each_is(odd.map(|(name, header, claims)| {
        (name, outcome(&issuer, &issuer.token(&header, &claims)), "accepted")
    }));
}

#[test]
fn a_header_that_lies_is_refused_for_its_own_reason() {
    let issuer = Issuer::new();
    let attacks: [(&str, Value, &str); 20] = [
        ("typ_missing", but(header(), "typ", Value::Null), "token_type"),
        ("typ_of_an_id_token", but(header(), "typ", json!("JWT")), "token_type"),
        (
            "typ_of_another_media_type",
            but(header(), "typ", json!("application/logout+jwt")),
            "token_type",
        ),
        ("typ_a_number", but(header(), "typ", json!(1)), "token_type"),
        ("crit_unknown", but(header(), "crit", json!(["exp2"])), "token_crit"),
        ("crit_empty", but(header(), "crit", json!([])), "token_crit"),
        ("b64_false", but(header(), "b64", json!(false)), "token_crit"),
        ("zipped", but(header(), "zip", json!("DEF")), "token_crit"),
        ("encrypted", but(header(), "enc", json!("A256GCM")), "token_crit"),
        ("kid_missing", but(header(), "kid", Value::Null), "token_key_unknown"),
        ("kid_a_path", but(header(), "kid", json!("../../dev/null")), "token_key_unknown"),
        ("kid_sql", but(header(), "kid", json!("x' UNION SELECT 'a")), "token_key_unknown"),
        ("kid_empty", but(header(), "kid", json!("")), "token_key_unknown"),
        ("kid_an_array", but(header(), "kid", json!(["dev-es"])), "token_key_unknown"),
        ("alg_none", but(header(), "alg", json!("none")), "token_algorithm"),
        ("alg_none_in_capitals", but(header(), "alg", json!("NONE")), "token_algorithm"),
        ("alg_missing", but(header(), "alg", Value::Null), "token_algorithm"),
        ("alg_hs256", but(header(), "alg", json!("HS256")), "token_algorithm"),
        ("alg_of_another_key", but(header(), "alg", json!("RS256")), "token_algorithm"),
        ("alg_es384", but(header(), "alg", json!("ES384")), "token_algorithm"),
    ];
    each_is(attacks.map(|(name, header, expected)| {
        (name, outcome(&issuer, &issuer.token(&header, &claims())), expected)
    }));
}

#[test]
fn a_claim_that_does_not_fit_is_refused_for_its_own_reason() {
    let issuer = Issuer::new();
    let attacks: [(&str, &str, Value, &str); 34] = [
        ("iss_missing", "iss", Value::Null, "token_issuer"),
        ("iss_an_array", "iss", json!(["https://dev.sealgate.localhost"]), "token_issuer"),
        ("iss_with_a_slash_more", "iss", json!("https://dev.sealgate.localhost/"), "token_issuer"),
        ("iss_in_capitals", "iss", json!("HTTPS://dev.sealgate.localhost"), "token_issuer"),
        ("iss_a_prefix", "iss", json!("https://dev.sealgate"), "token_issuer"),
        ("aud_missing", "aud", Value::Null, "token_audience"),
        ("aud_another", "aud", json!("mail"), "token_audience"),
        ("aud_a_prefix", "aud", json!("seal"), "token_audience"),
        ("aud_empty", "aud", json!([]), "token_audience"),
        ("aud_a_number_among_strings", "aud", json!(["sealgate", 1]), "token_audience"),
        ("aud_an_object", "aud", json!({"sealgate": true}), "token_audience"),
        ("exp_missing", "exp", Value::Null, "token_claims"),
        ("exp_a_string", "exp", json!("1795000600"), "token_claims"),
        ("exp_a_fraction", "exp", json!(1_795_000_600.5), "token_claims"),
        ("exp_negative", "exp", json!(-1), "token_claims"),
        ("exp_the_largest_u64", "exp", json!(u64::MAX), "token_claims"),
        ("exp_the_largest_i64", "exp", json!(i64::MAX), "token_claims"),
        ("exp_at_2_to_53", "exp", json!(1u64 << 53), "token_lifetime"),
        ("exp_passed", "exp", json!(NOW_S - 5), "token_expired"),
        ("exp_a_second_over_the_cap", "exp", json!(NOW_S - 10 + 43_201), "token_lifetime"),
        ("exp_before_iat", "exp", json!(NOW_S - 11), "token_expired"),
        ("nbf_to_come", "nbf", json!(NOW_S + 6), "token_not_yet_valid"),
        ("nbf_a_string", "nbf", json!("now"), "token_claims"),
        ("iat_missing", "iat", Value::Null, "token_claims"),
        ("iat_to_come", "iat", json!(NOW_S + 6), "token_issued_in_future"),
        ("iat_a_bool", "iat", json!(true), "token_claims"),
        ("sub_missing", "sub", Value::Null, "token_claims"),
        ("sub_empty", "sub", json!(""), "token_claims"),
        ("sub_with_a_line_break", "sub", json!("a\nb"), "token_claims"),
        ("sub_too_long", "sub", json!("a".repeat(257)), "token_claims"),
        ("groups_an_object", "groups", json!({"clinicians": true}), "token_claims"),
        ("groups_with_a_number", "groups", json!(["clinicians", 7]), "token_claims"),
        (
            "tenant_an_array",
            "tenant",
            json!(["general-hospital", "lakeside-clinic"]),
            "token_claims",
        ),
        ("cnf_bound_to_a_key", "cnf", json!({"jkt": "AA"}), "token_bound"),
    ];
    each_is(attacks.map(|(name, claim, value, expected)| {
        let token = issuer.token(&header(), &but(claims(), claim, value));
        (name, outcome(&issuer, &token), expected)
    }));
}

#[test]
fn a_token_that_is_cut_or_padded_is_refused_for_its_own_reason() {
    let issuer = Issuer::new();
    let good = issuer.good_token();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = signed.split_once('.').unwrap();
    let zero = b64(&[0; 64]);
    let attacks: [(&str, String, &str); 19] = [
        ("empty", String::new(), "token_malformed"),
        ("two_parts", signed.to_owned(), "token_malformed"),
        ("four_parts", format!("{good}.{signature}"), "token_malformed"),
        ("five_parts_as_jwe", format!("{good}.a.b"), "token_malformed"),
        ("no_signature", format!("{signed}."), "token_signature"),
        ("signature_of_zeros", format!("{signed}.{zero}"), "token_signature"),
        ("signature_cut", format!("{signed}.{}", &signature[..40]), "token_signature"),
        ("signature_longer", format!("{signed}.{signature}AA"), "token_signature"),
        ("signature_padded", format!("{good}=="), "token_signature"),
        ("header_padded", format!("{head}=.{body}.{signature}"), "token_malformed"),
        ("header_no_json", format!("{}.{body}.{signature}", b64(b"{")), "token_malformed"),
        ("header_an_array", format!("{}.{body}.{signature}", b64(b"[]")), "token_malformed"),
        ("claims_a_string", format!("{head}.{}.{signature}", b64(b"\"a\"")), "token_malformed"),
        (
            "claims_not_utf8",
            format!("{head}.{}.{signature}", b64(b"{\"a\":\"\xff\"}")),
            "token_malformed",
        ),
        (
            "claims_with_more_behind",
            format!("{head}.{}.{signature}", b64(b"{}{}")),
            "token_malformed",
        ),
        ("a_space_before", format!(" {good}"), "token_malformed"),
        ("a_line_break_behind", format!("{good}\n"), "token_signature"),
        ("standard_base64", format!("{signed}.+{}", &signature[1..]), "token_signature"),
        ("too_long", format!("{good}{}", "A".repeat(TOKEN_BYTES_MAX)), "token_too_large"),
    ];
    each_is(attacks.map(|(name, token, expected)| (name, outcome(&issuer, &token), expected)));
}

#[test]
fn a_name_that_stands_twice_is_refused_even_when_signed() {
    let issuer = Issuer::new();
    let (head, body) = (header().to_string(), claims().to_string());
    let twice = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
    let attacks = [
        ("tenant_twice", head.clone(), twice(&body, "\"tenant\":\"lakeside-clinic\"")),
        ("groups_twice", head.clone(), twice(&body, "\"groups\":[]")),
        ("exp_twice", head.clone(), twice(&body, "\"exp\":1")),
        ("a_claim_nobody_reads_twice", head.clone(), twice(&twice(&body, "\"zz\":1"), "\"zz\":2")),
        ("alg_twice", twice(&head, "\"alg\":\"none\""), body.clone()),
        ("kid_twice", twice(&head, "\"kid\":\"other\""), body.clone()),
    ];
    each_is(attacks.map(|(name, head, body)| {
        (name, outcome(&issuer, &issuer.token_of_text(&head, &body)), "token_malformed")
    }));
}

#[test]
fn every_flipped_bit_of_a_signature_is_found() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let signed = format!(
        "{}.{}",
        b64(header().to_string().as_bytes()),
        b64(claims().to_string().as_bytes())
    );
    let signature = issuer.sign("dev-es", signed.as_bytes());
    for bit in 0..signature.len() * 8 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let refusal = policy.authenticate(&format!("{signed}.{}", b64(&flipped)), NOW_S).err();
        assert_eq!(refusal.map(|r| r.code()), Some("token_signature"), "bit {bit}");
    }
}

#[test]
fn another_issuers_key_of_the_same_name_does_not_count() {
    let (ours, theirs) = (Issuer::new(), Issuer::new());
    assert_eq!(outcome(&ours, &theirs.good_token()), "token_signature");
}

#[test]
fn a_public_key_used_as_a_shared_secret_does_not_count() {
    let issuer = Issuer::new();
    let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": "dev-rs"});
    let signed =
        format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims().to_string().as_bytes()));
    let tag =
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &issuer.rsa_public_der()), signed.as_bytes());
    assert_eq!(outcome(&issuer, &format!("{signed}.{}", b64(tag.as_ref()))), "token_algorithm");
}

#[test]
fn an_rs256_key_takes_no_ps256_signature() {
    let issuer = Issuer::new();
    let header = json!({"alg": "PS256", "typ": "at+jwt", "kid": "dev-rs"});
    assert_eq!(outcome(&issuer, &issuer.token(&header, &claims())), "token_algorithm");
}

#[test]
fn a_key_for_encryption_checks_no_signature() {
    let issuer = Issuer::new();
    let members = [("use", json!("enc")), ("key_ops", json!(["encrypt"])), ("alg", json!("ES384"))];
    each_is(members.map(|(name, value)| {
        let jwks = json!({"keys": [but(issuer.es256_jwk("dev-es"), name, value)]}).to_string();
        let folder = issuer.folder().with("jwks/dev.json", &jwks);
        (name, outcome_in(&folder, &issuer.good_token()), "token_key_unknown")
    }));
}

#[test]
fn a_jwk_set_with_what_must_not_be_there_is_refused() {
    let issuer = Issuer::new();
    let es = || issuer.es256_jwk("dev-es");
    let attacks = [
        (json!([but(es(), "d", json!("AA"))]), "key `dev-es` is a private key"),
        (json!([{"kty": "oct", "kid": "a", "k": "AA"}]), "key `a` is a shared secret"),
        (json!([es(), es()]), "two keys are called `dev-es`"),
        (json!([but(es(), "kid", Value::Null)]), "key 1 has no `kid`"),
        (json!([but(es(), "y", json!(b64(&[1; 32])))]), "key `dev-es` is not a valid ES256 key"),
        (json!([but(es(), "crv", json!("P-384"))]), "key `dev-es` is not a valid ES256 key"),
        (
            json!([{"kty": "RSA", "kid": "a", "alg": "RS256", "n": b64(&[255; 128]), "e": "AQAB"}]),
            "not a valid RS256 key",
        ),
    ];
    for (keys, expected) in attacks {
        let folder = issuer.folder().with("jwks/dev.json", &json!({"keys": keys}).to_string());
        assert!(mistakes(&folder).contains(expected), "{expected}\n{}", mistakes(&folder));
    }
}

#[test]
fn a_remembered_caller_stops_counting_when_the_token_expires() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let caller = policy.authenticate(&issuer.good_token(), NOW_S).unwrap_or_else(|r| panic!("{r}"));
    assert_eq!(policy.still_valid(&caller, NOW_S + 604), Ok(()));
    assert_eq!(
        policy.still_valid(&caller, NOW_S + 605).map_err(|r| r.code()),
        Err("token_expired")
    );
}

#[test]
fn a_remembered_caller_stops_counting_when_the_folder_changes() {
    let issuer = Issuer::new();
    let caller =
        issuer.policy().authenticate(&issuer.good_token(), NOW_S).unwrap_or_else(|r| panic!("{r}"));
    let later = load(&issuer.folder().with("revoked.toml", ""));
    assert_eq!(later.still_valid(&caller, NOW_S).map_err(|r| r.code()), Err("token_stale"));
}

#[test]
fn what_is_revoked_no_longer_counts() {
    let issuer = Issuer::new();
    for named in
        ["jti = \"token-1\"", "sub = \"dr-house\"", "kid = \"dev-es\"", "client_id = \"ward-7\""]
    {
        for issuer_line in ["", "issuer = \"dev\"\n"] {
            let folder = issuer
                .folder()
                .with("revoked.toml", &format!("[[revoked]]\n{issuer_line}{named}\n"));
            assert_eq!(outcome_in(&folder, &issuer.good_token()), "token_revoked", "{named}");
        }
    }
}

#[test]
fn revoking_one_token_leaves_the_others() {
    let issuer = Issuer::new();
    let folder = issuer.folder().with("revoked.toml", "[[revoked]]\njti = \"token-2\"\n");
    assert_eq!(outcome_in(&folder, &issuer.good_token()), "accepted");
}

#[test]
fn an_issuer_speaks_only_for_its_own_tenants() {
    let issuer = Issuer::new();
    let issuers =
        issuer.folder().text("issuers.toml").unwrap().replace("\"general-hospital\", ", "");
    let policy = load(&issuer.folder().with("issuers.toml", &issuers));
    let caller = policy.authenticate(&issuer.good_token(), NOW_S).unwrap_or_else(|r| panic!("{r}"));
    assert_eq!(caller.tenant(), None);
}

#[test]
fn a_refusal_says_nothing_of_what_the_token_said() {
    let issuer = Issuer::new();
    let token = issuer.token(&header(), &but(claims(), "aud", json!("marked-text")));
    let refusal = issuer.policy().authenticate(&token, NOW_S).err().unwrap();
    assert!(!format!("{refusal} {refusal:?} {}", refusal.code()).contains("marked-text"));
}
