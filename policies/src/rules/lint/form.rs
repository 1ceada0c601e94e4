//! A rule as data: Cedar's JSON form, with names for the few things that the lints ask of it.

use cedar_policy::Policy;
use serde_json::Value;

use super::super::entities::GATEWAY;

/// One rule.
pub(super) struct Form(Value);

/// One `when` or `unless`.
pub(super) struct Clause<'a> {
    /// `when` holds when its body is true, `unless` when it is false.
    pub(super) holds_when: bool,
    pub(super) body: &'a Value,
}

/// What the head of a rule says of one of the three.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head<'a> {
    Any,
    /// `== Kind::"id"`
    Is(&'a str, &'a str),
    /// `in Kind::"id"`
    In(&'a str, &'a str),
    Other,
}

impl Form {
    /// `None` for what Cedar cannot write as data: then nothing is judged, for it was judged
    /// already why the rule cannot stand.
    pub(super) fn of(policy: &Policy) -> Option<Self> {
        policy.to_json().ok().map(Self)
    }

    pub(super) fn clauses(&self) -> impl Iterator<Item = Clause<'_>> {
        let clauses = self.0.get("conditions").and_then(Value::as_array);
        clauses.into_iter().flatten().filter_map(|clause| {
            Some(Clause {
                holds_when: clause.get("kind")?.as_str()? == "when",
                body: clause.get("body")?,
            })
        })
    }

    pub(super) fn principal(&self) -> Head<'_> {
        head(self.0.get("principal"))
    }

    pub(super) fn action(&self) -> Head<'_> {
        head(self.0.get("action"))
    }

    pub(super) fn resource(&self) -> Head<'_> {
        head(self.0.get("resource"))
    }

    /// Whether the head lets some caller run some model.
    pub(super) fn may_infer(&self) -> bool {
        let resource = self.0.get("resource");
        let kind = resource.and_then(|scope| {
            scope.get("entity_type").or_else(|| scope.get("entity")?.get("type"))?.as_str()
        });
        kind != Some(GATEWAY) && self.may_ask_for("infer")
    }

    fn may_ask_for(&self, action: &str) -> bool {
        let named = |entity: &Value| entity.get("id").and_then(Value::as_str) == Some(action);
        let Some(scope) = self.0.get("action") else { return true };
        match (scope.get("entity"), scope.get("entities").and_then(Value::as_array)) {
            (Some(entity), _) => named(entity),
            (None, Some(entities)) => entities.iter().any(named),
            (None, None) => true,
        }
    }

    /// The head as text: equal texts let the same requests pass; an empty one lets all pass.
    pub(super) fn scope(&self) -> [String; 3] {
        ["principal", "action", "resource"].map(|part| match self.0.get(part) {
            Some(scope) if scope.get("op").and_then(Value::as_str) != Some("All") => {
                scope.to_string()
            }
            _ => String::new(),
        })
    }
}

fn head(scope: Option<&Value>) -> Head<'_> {
    let Some(scope) = scope else { return Head::Other };
    let entity = scope
        .get("entity")
        .and_then(|entity| Some((entity.get("type")?.as_str()?, entity.get("id")?.as_str()?)));
    match (scope.get("op").and_then(Value::as_str), entity) {
        (Some("All"), _) => Head::Any,
        // A kind without a name leaves everybody, or everything, of it in.
        (Some("is"), _) if scope.get("in").is_none() => Head::Any,
        (Some("=="), Some((kind, id))) => Head::Is(kind, id),
        (Some("in"), Some((kind, id))) => Head::In(kind, id),
        _ => Head::Other,
    }
}

/// `context.time.hour` and the like, as text.
pub(super) fn path(expression: &Value) -> Option<String> {
    if let Some(variable) = expression.get("Var").and_then(Value::as_str) {
        return Some(variable.to_owned());
    }
    let access = expression.get(".")?;
    Some(format!("{}.{}", path(access.get("left")?)?, access.get("attr")?.as_str()?))
}

/// The two sides of `expression` if it is an `operator`.
pub(super) fn sides<'a>(expression: &'a Value, operator: &str) -> Option<(&'a Value, &'a Value)> {
    let sides = expression.get(operator)?;
    Some((sides.get("left")?, sides.get("right")?))
}

/// The expressions right inside of one.
pub(super) fn inside(expression: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match expression {
        Value::Object(members) => Box::new(members.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

/// The literal that an expression is.
pub(super) fn literal(expression: &Value) -> Option<&Value> {
    expression.get("Value")
}

/// The texts in a set of literals.
pub(super) fn texts(expression: &Value) -> Option<Vec<&str>> {
    let items = expression.get("Set").or_else(|| literal(expression))?.as_array()?;
    items.iter().map(|item| literal(item).unwrap_or(item).as_str()).collect()
}
