//! `issuers.toml`: whose tokens count, for which tenants, and how they must look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{Parsed, Roles, parse, refuse_odd_name};
use crate::folder::Folder;
use crate::mistake::{Mistakes, Place};
use crate::set::Profile;
use crate::token::{IssuerKeys, KeySet, keys_from_jwks};

/// One issuer, as it is believed.
pub(crate) struct Issuer {
    /// Its short name in rules and records.
    pub(crate) name: Arc<str>,
    /// The exact value of `iss`.
    pub(crate) issuer: Arc<str>,
    pub(crate) audience: Vec<String>,
    /// The media type that `typ` must name, without `application/`.
    pub(crate) typ: String,
    pub(crate) leeway_s: u64,
    pub(crate) lifetime_max_s: u64,
    pub(crate) required_claims: BTreeSet<RequiredClaim>,
    /// The tenants it may speak for.
    pub(crate) tenants: BTreeSet<Arc<str>>,
    pub(crate) keys: IssuerKeys,
}

/// The signatures there are: one key is good for exactly one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum SigningAlgorithm {
    ES256,
    EdDSA,
    RS256,
    PS256,
}

/// A claim that an issuer's tokens must have, beside `iss`, `aud`, `sub` and `exp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RequiredClaim {
    Iat,
    Nbf,
    Jti,
    ClientId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    issuers: BTreeMap<Spanned<String>, Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    issuer: Spanned<String>,
    audience: Spanned<Vec<String>>,
    algorithms: Vec<SigningAlgorithm>,
    jwks: Option<Spanned<String>>,
    jwks_url: Option<Spanned<String>>,
    tenants: Vec<Spanned<String>>,
    #[serde(default = "access_token")]
    typ: String,
    profile: Option<Spanned<RowProfile>>,
    #[serde(default = "five")]
    leeway_s: u64,
    lifetime_max_s: u64,
    required_claims: Option<BTreeSet<RequiredClaim>>,
    #[serde(default)]
    #[expect(dead_code, reason = "one value, which is what happens")]
    sender_constrained: SenderConstrained,
}

/// What happens to tokens that are bound to a key of their holder (RFC 9449, RFC 8705).
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SenderConstrained {
    /// Taking them as plain bearer tokens would undo the binding.
    #[default]
    Refuse,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RowProfile {
    Dev,
    Production,
}

pub(super) fn load(
    folder: &Folder,
    profile: Profile,
    roles: Option<&Roles>,
    mistakes: &mut Mistakes,
) -> Option<Vec<Issuer>> {
    let parsed: Parsed<'_, File> = parse(folder, "issuers.toml", mistakes)?;
    if parsed.rows.issuers.is_empty() {
        mistakes.error(parsed.whole(), "no issuer is declared, so nobody could come in");
    }
    let mut seen = BTreeMap::new();
    let mut issuers = Vec::new();
    for (name, row) in &parsed.rows.issuers {
        refuse_odd_name(parsed.place(name), name.get_ref(), mistakes);
        judge(&parsed, row, profile, mistakes);
        if let Some(other) = seen.insert(row.issuer.get_ref(), name.get_ref()) {
            let message = format!("`{}` and `{other}` are the same issuer", name.get_ref());
            mistakes.error(parsed.place(&row.issuer), message);
        }
        issuers.push(Issuer {
            name: name.get_ref().as_str().into(),
            issuer: row.issuer.get_ref().as_str().into(),
            audience: row.audience.get_ref().clone(),
            typ: row.typ.clone(),
            leeway_s: row.leeway_s,
            lifetime_max_s: row.lifetime_max_s,
            required_claims: row.required_claims(),
            tenants: tenants(&parsed, row, roles, mistakes),
            keys: keys(folder, profile, &parsed, name, row, mistakes),
        });
    }
    Some(issuers)
}

fn judge(parsed: &Parsed<'_, File>, row: &Row, profile: Profile, mistakes: &mut Mistakes) {
    let dev = row.profile.as_ref().filter(|p| *p.get_ref() == RowProfile::Dev);
    if let (Some(dev), Profile::Production) = (dev, profile) {
        mistakes
            .error(parsed.place(dev), "a dev issuer is refused in production")
            .hint("whoever runs the demo holds its key: name your own issuer instead");
    }
    let place = parsed.place(&row.issuer);
    if row.audience.get_ref().iter().all(String::is_empty) {
        mistakes
            .error(parsed.place(&row.audience), "no audience is declared")
            .hint("without one, tokens meant for other services would count here");
    }
    if row.algorithms.is_empty() {
        mistakes
            .error(place, "no algorithm is declared")
            .hint("for example `algorithms = [\"ES256\"]`");
    }
    if row.leeway_s > LEEWAY_MAX_S {
        mistakes
            .error(place, format!("`leeway_s` is more than {LEEWAY_MAX_S}"))
            .hint("set the clocks instead");
    }
    if row.lifetime_max_s == 0 || row.lifetime_max_s > LIFETIME_MAX_S {
        let message = format!("`lifetime_max_s` is not between 1 and {LIFETIME_MAX_S}");
        mistakes.error(place, message).hint("a stolen token works until it expires");
    }
}

fn tenants(
    parsed: &Parsed<'_, File>,
    row: &Row,
    roles: Option<&Roles>,
    mistakes: &mut Mistakes,
) -> BTreeSet<Arc<str>> {
    let Some(roles) = roles else { return BTreeSet::new() };
    let mut tenants = BTreeSet::new();
    for tenant in &row.tenants {
        match roles.tenant(tenant.get_ref()) {
            Some(declared) => {
                tenants.insert(Arc::clone(declared));
            }
            None => mistakes
                .error(parsed.place(tenant), format!("unknown tenant `{}`", tenant.get_ref()))
                .did_you_mean(tenant.get_ref(), roles.tenants()),
        }
    }
    tenants
}

fn keys(
    folder: &Folder,
    profile: Profile,
    parsed: &Parsed<'_, File>,
    name: &Spanned<String>,
    row: &Row,
    mistakes: &mut Mistakes,
) -> IssuerKeys {
    match (&row.jwks, &row.jwks_url) {
        (Some(file), None) => {
            IssuerKeys::InFolder(keys_in_folder(folder, profile, parsed, file, row, mistakes))
        }
        (None, Some(url)) => {
            if let Some(reason) = why_no_address(url.get_ref()) {
                mistakes
                    .error(parsed.place(url), format!("`jwks_url` {reason}"))
                    .hint("for example `jwks_url = \"https://login.example.org/keys\"`");
            }
            IssuerKeys::remote(url.get_ref(), row.algorithms.clone(), profile)
        }
        _ => {
            let message =
                format!("`{}` needs exactly one of `jwks` and `jwks_url`", name.get_ref());
            mistakes
                .error(parsed.place(name), message)
                .hint("`jwks` is a file in this folder, `jwks_url` where the issuer publishes it");
            IssuerKeys::InFolder(KeySet::new())
        }
    }
}

fn keys_in_folder(
    folder: &Folder,
    profile: Profile,
    parsed: &Parsed<'_, File>,
    file: &Spanned<String>,
    row: &Row,
    mistakes: &mut Mistakes,
) -> KeySet {
    let (place, file) = (parsed.place(file), file.get_ref());
    let Some(text) = folder.text(file) else {
        mistakes
            .error(place, format!("`{file}` does not exist"))
            .did_you_mean(file, folder.under("jwks/").map(|(path, _)| path));
        return KeySet::new();
    };
    let keys = keys_from_jwks(Place::file(file), text, &row.algorithms, profile, mistakes);
    if keys.is_empty() && !mistakes.stop_the_folder() {
        mistakes
            .warning(place, "the issuer has no keys yet, so none of its tokens will count")
            .hint(format!("put its public keys into `{file}`"));
    }
    keys
}

/// Keys are as good as the way they came: https alone, and nothing in the address that a log
/// should not show.
fn why_no_address(url: &str) -> Option<&'static str> {
    if url.len() > URL_BYTES_MAX {
        return Some("is too long");
    }
    let Ok(uri) = url.parse::<http::Uri>() else { return Some("is not an address") };
    let host = uri.host().unwrap_or_default();
    if uri.scheme_str() != Some("https") || host.is_empty() {
        return Some("does not begin with `https://` and a host");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Some("holds a user name");
    }
    url.contains('#').then_some("holds a fragment")
}

impl Row {
    /// RFC 9068, section 2.2, demands `client_id`, `iat` and `jti` of access tokens.
    fn required_claims(&self) -> BTreeSet<RequiredClaim> {
        match &self.required_claims {
            Some(claims) => claims.clone(),
            None if self.typ.eq_ignore_ascii_case(ACCESS_TOKEN) => {
                [RequiredClaim::ClientId, RequiredClaim::Iat, RequiredClaim::Jti].into()
            }
            None => [RequiredClaim::Iat].into(),
        }
    }
}

fn access_token() -> String {
    ACCESS_TOKEN.to_owned()
}

fn five() -> u64 {
    5
}

/// RFC 9068, section 2.1.
const ACCESS_TOKEN: &str = "at+jwt";
const LEEWAY_MAX_S: u64 = 60;
const LIFETIME_MAX_S: u64 = 24 * 60 * 60;
const URL_BYTES_MAX: usize = 2048;
