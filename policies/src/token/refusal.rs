//! Why a token does not count. Never holds text from the token.

/// Why a token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TokenRefusal {
    /// The request has no bearer token.
    #[error("a bearer token is needed")]
    Missing,
    /// Longer than [`TOKEN_BYTES_MAX`](crate::TOKEN_BYTES_MAX).
    #[error("the token is too long")]
    TooLarge,
    /// Not three base64url parts of which the first two are JSON objects without duplicates.
    #[error("the token is malformed")]
    Malformed,
    /// `crit`, `b64`, `zip` or `enc`: a header that would change how the token is read.
    #[error("the token's header asks for something unsupported")]
    Critical,
    /// `typ` is not the one that the issuer's tokens have (RFC 9068, section 4).
    #[error("the token is not an access token")]
    Type,
    /// `iss` is missing, not a string or not a known issuer.
    #[error("the token's issuer is unknown")]
    Issuer,
    /// No `kid`, or none that the issuer has.
    #[error("the token's key is unknown")]
    KeyUnknown,
    /// `alg` is not the one that the key is for.
    #[error("the token's algorithm is not the key's")]
    Algorithm,
    /// The signature is wrong.
    #[error("the token's signature is wrong")]
    Signature,
    /// `aud` is missing or names others.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` is to come.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// Valid for longer than the issuer may make it.
    #[error("the token's lifetime is too long")]
    Lifetime,
    /// A claim is missing or has the wrong shape.
    #[error("the token's claims are incomplete or ill-formed")]
    Claims,
    /// Bound to a key of its holder (RFC 7800), which cannot be checked yet: taking it as a
    /// plain bearer token would undo the binding.
    #[error("the token is bound to a key, which is not supported")]
    Bound,
    /// Revoked by token, subject, client or key.
    #[error("the token has been revoked")]
    Revoked,
    /// Authenticated under another version of the folder: authenticate again.
    #[error("the policy has changed since the token was checked")]
    Stale,
}

impl TokenRefusal {
    /// The stable code for answers, metrics and records.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::TooLarge => "token_too_large",
            Self::Malformed => "token_malformed",
            Self::Critical => "token_crit",
            Self::Type => "token_type",
            Self::Issuer => "token_issuer",
            Self::KeyUnknown => "token_key_unknown",
            Self::Algorithm => "token_algorithm",
            Self::Signature => "token_signature",
            Self::Audience => "token_audience",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::IssuedInFuture => "token_issued_in_future",
            Self::Lifetime => "token_lifetime",
            Self::Claims => "token_claims",
            Self::Bound => "token_bound",
            Self::Revoked => "token_revoked",
            Self::Stale => "token_stale",
        }
    }
}
