//! How a file says what is done to a good token.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::signer::Signers;
use crate::support::{self, NOW_S, b64};

/// One file of attacks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub attack: Vec<Attack>,
}

/// One attack: a good token, and what is done to it. See `README.md` beside the files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    pub name: String,
    pub expect: String,
    #[expect(dead_code, reason = "written for people")]
    rfc: String,
    #[serde(default = "dev_es")]
    key: String,
    #[serde(default)]
    header: Map<String, Value>,
    #[serde(default)]
    header_without: Vec<String>,
    #[serde(default)]
    header_edit: Edit,
    #[serde(default)]
    claims: Map<String, Value>,
    #[serde(default)]
    claims_without: Vec<String>,
    #[serde(default)]
    claims_edit: Edit,
    sign: Option<String>,
    #[serde(default)]
    signature: Signature,
    /// Claims of the token that is sent, when others were signed.
    #[serde(default)]
    swapped_claims: Map<String, Value>,
    /// Header members of the token that is sent, when others were signed.
    #[serde(default)]
    swapped_header: Map<String, Value>,
    token: Option<String>,
    /// The signature is over the parts as `token` writes them, not as they should be written.
    #[serde(default)]
    signed_as_sent: bool,
}

/// What is done to a part's text before it is encoded.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Edit {
    /// Bytes before everything, in hexadecimal.
    before_hex: String,
    /// Text after the first brace.
    insert: String,
    /// Bytes after the first brace, in hexadecimal.
    insert_hex: String,
    /// Text after everything.
    after: String,
    /// A member that holds so many arrays in each other.
    nested: usize,
    /// A member that holds so many bytes.
    padded_bytes: usize,
    /// The whole text instead.
    text: Option<String>,
}

/// What is done to the signature's bytes before they are encoded.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Signature {
    /// These bytes instead, in hexadecimal.
    hex: Option<String>,
    /// The bit with this number is turned over.
    flipped_bit: Option<usize>,
    /// Only so many bytes of it.
    cut_to: Option<usize>,
    /// These bytes more, in hexadecimal.
    and_hex: String,
}

impl Attack {
    /// The good token that it begins with.
    pub fn unforged(&self, signers: &Signers) -> String {
        let header = json(&self.good_header());
        let claims = json(&self.good_claims());
        let signed = format!("{}.{}", b64(&header), b64(&claims));
        format!("{signed}.{}", b64(&signers.sign(self.own_way(), signed.as_bytes())))
    }

    /// The token that it ends with.
    pub fn forged(&self, signers: &Signers) -> String {
        let header = changed(self.good_header(), &self.header, &self.header_without);
        let claims = changed(self.good_claims(), &self.claims, &self.claims_without);
        let head = self.header_edit.apply(&json(&header));
        let body = self.claims_edit.apply(&json(&claims));
        let signed = match self.signed_as_sent {
            true => self.assemble(&head, &body, b"").trim_end_matches('.').to_owned(),
            false => format!("{}.{}", b64(&head), b64(&body)),
        };
        let way = self.sign.as_deref().unwrap_or_else(|| self.own_way());
        let signature = self.signature.apply(signers.sign(way, signed.as_bytes()));
        let head = match self.swapped_header.is_empty() {
            true => head,
            false => json(&changed(header, &self.swapped_header, &[])),
        };
        let body = match self.swapped_claims.is_empty() {
            true => body,
            false => json(&changed(claims, &self.swapped_claims, &[])),
        };
        self.assemble(&head, &body, &signature)
    }

    fn assemble(&self, header: &[u8], claims: &[u8], signature: &[u8]) -> String {
        let parts = [("header", header), ("claims", claims), ("signature", signature)];
        let mut token = self.token.as_deref().unwrap_or("{header}.{claims}.{signature}").to_owned();
        for (name, bytes) in parts {
            token = token
                .replace(&format!("{{{name}}}"), &b64(bytes))
                .replace(&format!("{{{name} padded}}"), &URL_SAFE.encode(bytes))
                .replace(
                    &format!("{{{name} standard}}"),
                    STANDARD.encode(bytes).trim_end_matches('='),
                )
                .replace(&format!("{{{name} first half}}"), halves(bytes).0.as_str())
                .replace(&format!("{{{name} second half}}"), halves(bytes).1.as_str())
                .replace(&format!("{{{name} text}}"), &String::from_utf8_lossy(bytes));
        }
        token
    }

    fn own_way(&self) -> &str {
        match self.key.as_str() {
            "strict-es" | "revoked-key" => "dev-es",
            key => key,
        }
    }

    fn good_header(&self) -> Value {
        let alg = match self.key.as_str() {
            "dev-ed" => "EdDSA",
            "dev-rs" => "RS256",
            "dev-ps" => "PS256",
            _ => "ES256",
        };
        json!({"alg": alg, "typ": "at+jwt", "kid": self.key})
    }

    fn good_claims(&self) -> Value {
        let mut claims = support::claims();
        match self.key.as_str() {
            "other-es" => {
                claims["iss"] = json!("https://other.sealgate.localhost");
                claims["tenant"] = json!("lakeside-clinic");
            }
            "strict-es" => {
                claims["iss"] = json!("https://strict.sealgate.localhost");
                claims["nbf"] = json!(NOW_S);
            }
            _ => {}
        }
        claims
    }
}

impl Edit {
    fn apply(&self, text: &[u8]) -> Vec<u8> {
        if let Some(text) = &self.text {
            return text.as_bytes().to_vec();
        }
        let mut insert = [self.insert.as_bytes(), &unhex(&self.insert_hex)].concat();
        if self.nested > 0 {
            let (open, close) = ("[".repeat(self.nested), "]".repeat(self.nested));
            insert.extend_from_slice(format!("\"nested\":{open}{close},").as_bytes());
        }
        if self.padded_bytes > 0 {
            let padding = "a".repeat(self.padded_bytes);
            insert.extend_from_slice(format!("\"padding\":\"{padding}\",").as_bytes());
        }
        let rest = text.strip_prefix(b"{").unwrap();
        [&unhex(&self.before_hex), &b"{"[..], &insert, rest, self.after.as_bytes()].concat()
    }
}

impl Signature {
    fn apply(&self, good: Vec<u8>) -> Vec<u8> {
        let mut bytes = self.hex.as_deref().map_or(good, unhex);
        if let Some(bit) = self.flipped_bit {
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        bytes.truncate(self.cut_to.unwrap_or(bytes.len()));
        bytes.extend(unhex(&self.and_hex));
        bytes
    }
}

fn changed(mut object: Value, members: &Map<String, Value>, without: &[String]) -> Value {
    let object_members = object.as_object_mut().unwrap();
    for (name, value) in members {
        object_members.insert(name.clone(), in_time(value));
    }
    for name in without {
        object_members.remove(name).unwrap();
    }
    object
}

/// `now`, `now+6`, `now-6`: seconds; the rest is what it is.
fn in_time(value: &Value) -> Value {
    let Some(text) = value.as_str().and_then(|text| text.strip_prefix("now")) else {
        return value.clone();
    };
    let offset: i64 = if text.is_empty() { 0 } else { text.parse().unwrap() };
    json!(NOW_S.checked_add_signed(offset).unwrap())
}

fn json(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn halves(bytes: &[u8]) -> (String, String) {
    let text = b64(bytes);
    let (first, second) = text.split_at(text.len() / 2);
    (first.to_owned(), second.to_owned())
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    let digit = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

fn dev_es() -> String {
    "dev-es".to_owned()
}
