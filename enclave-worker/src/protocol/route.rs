//! What a method and a path ask for.

use super::Refusal;

/// One of the questions a worker answers. Names are as sent: [`Route::agree`] compares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /v2/models/M[/versions/V]/infer`
    Infer {
        /// `M`
        model: String,
        /// `V`
        version: Option<String>,
    },
    /// `POST /invocations`: the model and the version are the grant's.
    Invocations,
    /// `GET /v2/models/M[/versions/V]`
    Metadata {
        /// `M`
        model: String,
        /// `V`
        version: Option<String>,
    },
    /// `GET /v2/models/M[/versions/V]/ready`
    Ready {
        /// `M`
        model: String,
        /// `V`
        version: Option<String>,
    },
}

impl Route {
    /// Finds the question. A query is ignored; nothing is percent-decoded, so that a name has one
    /// spelling only.
    ///
    /// # Errors
    /// [`Refusal::RouteUnknown`], or [`Refusal::MethodNotAllowed`] for a known path.
    pub fn parse(method: &str, path: &str) -> Result<Self, Refusal> {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let segments: Vec<&str> =
            path.strip_prefix('/').unwrap_or_default().splitn(8, '/').collect();
        let (allowed, route) = match segments.as_slice() {
            ["invocations"] => ("POST", Self::Invocations),
            ["v2", "models", model, rest @ ..] => Self::of_model(name(model)?, rest)?,
            _ => return Err(Refusal::RouteUnknown),
        };
        if method == allowed { Ok(route) } else { Err(Refusal::MethodNotAllowed { allowed }) }
    }

    fn of_model(model: String, rest: &[&str]) -> Result<(&'static str, Self), Refusal> {
        let (version, rest) = match rest {
            ["versions", version, rest @ ..] => (Some(name(version)?), rest),
            _ => (None, rest),
        };
        match rest {
            [] => Ok(("GET", Self::Metadata { model, version })),
            ["ready"] => Ok(("GET", Self::Ready { model, version })),
            ["infer"] => Ok(("POST", Self::Infer { model, version })),
            _ => Err(Refusal::RouteUnknown),
        }
    }

    /// Refuses a question about another model or version than the grant's. No version inside means
    /// the grant's.
    ///
    /// # Errors
    /// [`Refusal::ModelUnknown`] or [`Refusal::VersionUnknown`].
    pub fn agree(&self, granted_model: &str, granted_version: &str) -> Result<(), Refusal> {
        let (model, version) = match self {
            Self::Invocations => return Ok(()),
            Self::Infer { model, version }
            | Self::Metadata { model, version }
            | Self::Ready { model, version } => (model, version),
        };
        if model != granted_model {
            return Err(Refusal::ModelUnknown);
        }
        match version {
            Some(version) if version != granted_version => Err(Refusal::VersionUnknown),
            _ => Ok(()),
        }
    }
}

/// A name that needs no escaping anywhere.
fn name(segment: &str) -> Result<String, Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=NAME_BYTES_MAX).contains(&segment.len()) && segment.bytes().all(plain) {
        Ok(segment.to_owned())
    } else {
        Err(Refusal::RouteUnknown)
    }
}

const NAME_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn infer(version: Option<&str>) -> Route {
        Route::Infer { model: "wdbc".to_owned(), version: version.map(str::to_owned) }
    }

    #[test]
    fn each_path_asks_its_question() {
        let model = || "wdbc".to_owned();
        let (none, one) = (None, Some("1".to_owned()));
        for (method, path, route) in [
            ("POST", "/invocations", Route::Invocations),
            ("POST", "/v2/models/wdbc/infer", infer(None)),
            ("POST", "/v2/models/wdbc/versions/1/infer", infer(Some("1"))),
            ("POST", "/v2/models/wdbc/infer?a=b", infer(None)),
            ("GET", "/v2/models/wdbc", Route::Metadata { model: model(), version: none.clone() }),
            (
                "GET",
                "/v2/models/wdbc/versions/1",
                Route::Metadata { model: model(), version: one.clone() },
            ),
            ("GET", "/v2/models/wdbc/ready", Route::Ready { model: model(), version: none }),
            (
                "GET",
                "/v2/models/wdbc/versions/1/ready",
                Route::Ready { model: model(), version: one },
            ),
        ] {
            assert_eq!(Route::parse(method, path), Ok(route), "{path}");
        }
    }

    #[test]
    fn any_other_path_is_unknown() {
        for path in [
            "",
            "/",
            "invocations",
            "//invocations",
            "/invocations/",
            "/v2/models",
            "/v2/models/",
            "/v2/models//infer",
            "/v2/models/wdbc/infer/",
            "/v2/models/wdbc/versions",
            "/v2/models/wdbc/versions//infer",
            "/v2/models/wdbc/versions/1/2/infer",
            "/v2/models/wd%62c/infer",
            "/v2/models/../infer/x",
            "/V2/models/wdbc/infer",
            "/v2/models/wdbc/infer#part",
        ] {
            assert_eq!(Route::parse("POST", path), Err(Refusal::RouteUnknown), "{path}");
        }
    }

    #[test]
    fn a_wrong_method_is_told_the_right_one() {
        let refusal = Route::parse("GET", "/invocations");
        assert_eq!(refusal, Err(Refusal::MethodNotAllowed { allowed: "POST" }));
    }

    #[test]
    fn no_version_means_the_granted_one() {
        assert_eq!(infer(None).agree("wdbc", "7"), Ok(()));
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(infer(Some("1")).agree("wdbc", "7"), Err(Refusal::VersionUnknown));
    }

    #[test]
    fn another_model_is_refused() {
        assert_eq!(infer(Some("7")).agree("other", "7"), Err(Refusal::ModelUnknown));
    }
}
