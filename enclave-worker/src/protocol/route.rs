//! What a method and a path ask for.

use sealgate_keys::grpc::{Names, SERVICE_PATH};

use super::Refusal;

/// One of the questions a worker answers, and about which model. Names are as sent: [`Route::agree`]
/// compares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What is asked.
    pub question: Question,
    /// The model and, where it is named, the version; none where the grant alone says it, or the
    /// message inside does.
    pub named: Option<(String, Option<String>)>,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// `POST /v2/models/M[/versions/V]/infer`
    Infer,
    /// `POST /invocations`: the model and the version are the grant's.
    Invocations,
    /// `POST /v1/models/M[/versions/V]:predict`
    Predict,
    /// `GET /v2/models/M[/versions/V]`
    Metadata,
    /// `GET /v2/models/M[/versions/V]/ready`
    Ready,
    /// `GET /v2/models/M[/versions/V]/config`
    Config,
    /// `GET /v2/models/M[/versions/V]/stats`
    Stats,
    /// `GET /v1/models/M[/versions/V]`
    Status,
    /// `POST /inference.GRPCInferenceService/..`: the names are in the message.
    Grpc(Method),
}

/// The methods of `inference.GRPCInferenceService` that ask about a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `ModelInfer`
    Infer,
    /// `ModelMetadata`
    Metadata,
    /// `ModelReady`
    Ready,
    /// `ModelConfig`
    Config,
    /// `ModelStatistics`
    Stats,
}

impl Question {
    /// Whether rows come with it.
    #[must_use]
    pub const fn infers(self) -> bool {
        matches!(self, Self::Infer | Self::Invocations | Self::Predict | Self::Grpc(Method::Infer))
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Infer | Self::Invocations | Self::Predict | Self::Grpc(_) => "POST",
            Self::Metadata | Self::Ready | Self::Config | Self::Stats | Self::Status => "GET",
        }
    }
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
        let route = match segments.as_slice() {
            ["invocations"] => Self { question: Question::Invocations, named: None },
            ["v2", "models", model, rest @ ..] => Self::v2(name(model)?, rest)?,
            ["v1", "models", rest @ ..] => Self::v1(rest, method)?,
            [_, rpc] if path.starts_with(SERVICE_PATH) => {
                let question = Question::Grpc(Method::named(rpc)?);
                Self { question, named: None }
            }
            _ => return Err(Refusal::RouteUnknown),
        };
        let allowed = route.question.method();
        if method == allowed { Ok(route) } else { Err(Refusal::MethodNotAllowed { allowed }) }
    }

    fn v2(model: String, rest: &[&str]) -> Result<Self, Refusal> {
        let (version, rest) = match rest {
            ["versions", version, rest @ ..] => (Some(name(version)?), rest),
            _ => (None, rest),
        };
        let question = match rest {
            [] => Question::Metadata,
            ["ready"] => Question::Ready,
            ["config"] => Question::Config,
            ["stats"] => Question::Stats,
            ["infer"] => Question::Infer,
            _ => return Err(Refusal::RouteUnknown),
        };
        Ok(Self { question, named: Some((model, version)) })
    }

    /// The verb stands behind the last name.
    fn v1(segments: &[&str], method: &str) -> Result<Self, Refusal> {
        let (model, version) = match segments {
            [model] => (*model, None),
            [model, "versions", version] => (*model, Some(*version)),
            _ => return Err(Refusal::RouteUnknown),
        };
        let last = version.unwrap_or(model);
        let (plain, question) = match last.strip_suffix(PREDICT) {
            Some(plain) => (plain, Question::Predict),
            None if method == Question::Predict.method() => return Err(Refusal::RouteUnknown),
            None => (last, Question::Status),
        };
        let named = match version {
            None => (name(plain)?, None),
            Some(_) => (name(model)?, Some(name(plain)?)),
        };
        Ok(Self { question, named: Some(named) })
    }

    /// Refuses a question about another model or version than the grant's; a message names them in
    /// `body`. No version inside means the grant's.
    ///
    /// # Errors
    /// [`Refusal::ModelUnknown`], [`Refusal::VersionUnknown`], or [`Refusal::BodyNotProtobuf`].
    pub fn agree(
        &self,
        body: &[u8],
        granted_model: &str,
        granted_version: &str,
    ) -> Result<(), Refusal> {
        let (model, version) = match (&self.named, self.question) {
            (Some((model, version)), _) => (model.as_str(), version.as_deref()),
            (None, Question::Grpc(_)) => {
                let names = Names::scan(body).map_err(|_| Refusal::BodyNotProtobuf)?;
                (names.model, names.version)
            }
            (None, _) => return Ok(()),
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

impl Method {
    fn named(name: &str) -> Result<Self, Refusal> {
        Ok(match name {
            "ModelInfer" => Self::Infer,
            "ModelMetadata" => Self::Metadata,
            "ModelReady" => Self::Ready,
            "ModelConfig" => Self::Config,
            "ModelStatistics" => Self::Stats,
            _ => return Err(Refusal::RouteUnknown),
        })
    }
}

const PREDICT: &str = ":predict";

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

    fn asked(question: Question, version: Option<&str>) -> Route {
        let named = Some(("wdbc".to_owned(), version.map(str::to_owned)));
        Route { question, named }
    }

    fn infer(version: Option<&str>) -> Route {
        asked(Question::Infer, version)
    }

    #[test]
    fn each_path_asks_its_question() {
        let nameless = |question| Route { question, named: None };
        for (method, path, route) in [
            ("POST", "/invocations", nameless(Question::Invocations)),
            ("POST", "/v2/models/wdbc/infer", infer(None)),
            ("POST", "/v2/models/wdbc/versions/1/infer", infer(Some("1"))),
            ("POST", "/v2/models/wdbc/infer?a=b", infer(None)),
            ("GET", "/v2/models/wdbc", asked(Question::Metadata, None)),
            ("GET", "/v2/models/wdbc/versions/1", asked(Question::Metadata, Some("1"))),
            ("GET", "/v2/models/wdbc/ready", asked(Question::Ready, None)),
            ("GET", "/v2/models/wdbc/versions/1/ready", asked(Question::Ready, Some("1"))),
            ("GET", "/v2/models/wdbc/config", asked(Question::Config, None)),
            ("GET", "/v2/models/wdbc/versions/1/stats", asked(Question::Stats, Some("1"))),
            ("GET", "/v1/models/wdbc", asked(Question::Status, None)),
            ("POST", "/v1/models/wdbc:predict", asked(Question::Predict, None)),
            ("POST", "/v1/models/wdbc/versions/1:predict", asked(Question::Predict, Some("1"))),
            (
                "POST",
                "/inference.GRPCInferenceService/ModelInfer",
                nameless(Question::Grpc(Method::Infer)),
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
            "/v1/models/wdbc",
            "/v1/models/:predict",
            "/v1/models/wdbc:predict/versions/1",
            "/v1/models/wdbc:classify",
            "/v1/models/wdbc:predict:predict",
            "/inference.GRPCInferenceService/ModelStreamInfer",
            "/inference.GRPCInferenceService/",
            "/inference.GRPCInferenceService/ModelInfer/",
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
        assert_eq!(infer(None).agree(b"", "wdbc", "7"), Ok(()));
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(infer(Some("1")).agree(b"", "wdbc", "7"), Err(Refusal::VersionUnknown));
    }

    #[test]
    fn a_message_names_its_model_itself() {
        let route = Route { question: Question::Grpc(Method::Ready), named: None };
        assert_eq!(route.agree(b"\x0a\x04wdbc\x12\x017", "wdbc", "7"), Ok(()));
        assert_eq!(
            route.agree(b"\x0a\x04wdbc\x12\x017", "wdbc", "8"),
            Err(Refusal::VersionUnknown)
        );
        assert_eq!(route.agree(b"\x0a\x04wdbd", "wdbc", "7"), Err(Refusal::ModelUnknown));
        assert_eq!(route.agree(b"", "wdbc", "7"), Err(Refusal::BodyNotProtobuf));
    }

    #[test]
    fn another_model_is_refused() {
        assert_eq!(infer(Some("7")).agree(b"", "other", "7"), Err(Refusal::ModelUnknown));
    }
}
