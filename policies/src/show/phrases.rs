//! Heads and clauses of rules in words. What has no words stays as Cedar writes it.

use serde_json::Value;

pub(super) fn who(constraint: &Value) -> String {
    let named = |entity: &Value| match kind(entity) {
        "Group" => format!("group `{}`", id(entity)),
        "Tenant" => format!("tenant `{}`", id(entity)),
        _ => format!("caller `{}`", id(entity)),
    };
    match entity(constraint) {
        Some(entity) => named(entity),
        None => "any caller".to_owned(),
    }
}

pub(super) fn action(constraint: &Value) -> String {
    let several = constraint.get("entities").and_then(Value::as_array);
    match (entity(constraint), several) {
        (Some(entity), _) => id(entity).to_owned(),
        (None, Some(several)) => several.iter().map(id).collect::<Vec<_>>().join(", "),
        (None, None) => "any action".to_owned(),
    }
}

pub(super) fn models(constraint: &Value) -> String {
    match entity(constraint) {
        Some(entity) if kind(entity) == "Tenant" => format!("models of tenant `{}`", id(entity)),
        Some(entity) => format!("model `{}`", id(entity)),
        None => "any model".to_owned(),
    }
}

/// A clause such as `when { context.rows <= 10 }`.
pub(super) fn condition(clause: &str) -> String {
    let taken_apart =
        clause.split_once(" { ").and_then(|(kind, rest)| Some((kind, rest.strip_suffix(" }")?)));
    let Some((kind, body)) = taken_apart else { return clause.to_owned() };
    match phrase(body) {
        Some(phrase) => format!("{kind} {phrase}"),
        None => format!("{kind} `{body}`"),
    }
}

fn phrase(body: &str) -> Option<String> {
    if let Some((_, phrase)) = PHRASES.iter().find(|(cedar, _)| *cedar == body) {
        return Some((*phrase).to_owned());
    }
    let inside = |before: &str, after: &str| {
        let inside = body.strip_prefix(before)?.strip_suffix(after)?;
        (!inside.contains('"')).then_some(inside)
    };
    if let Some(scope) = inside("principal.scopes.contains(\"", "\")") {
        return Some(format!("the token has the scope `{scope}`"));
    }
    if let Some(range) = inside("context.address.isInRange(ip(\"", "\"))") {
        return Some(format!("the address lies in `{range}`"));
    }
    if let Some(protocol) = inside("context.protocol == \"", "\"") {
        return Some(format!("the request comes by `{protocol}`"));
    }
    if let Some(group) = inside("principal in Group::\"", "\"") {
        return Some(format!("the caller is in the group `{group}`"));
    }
    comparison(body)
}

/// `context.rows <= 10`: a number of the circumstances, a sign and a literal.
fn comparison(body: &str) -> Option<String> {
    let [left, sign, right] = body.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let (_, what) = NUMBERS.iter().find(|(cedar, _)| *cedar == left)?;
    let (_, sign) = SIGNS.iter().find(|(cedar, _)| *cedar == sign)?;
    right.parse::<i64>().ok().map(|number| format!("{what} {sign} {number}"))
}

fn entity(constraint: &Value) -> Option<&Value> {
    constraint.get("entity").or_else(|| constraint.get("in")?.get("entity"))
}

fn kind(entity: &Value) -> &str {
    entity.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn id(entity: &Value) -> &str {
    entity.get("id").and_then(Value::as_str).unwrap_or_default()
}

const PHRASES: [(&str, &str); 6] = [
    ("principal in resource.owner", "the caller belongs to the tenant that owns the model"),
    (
        "principal.clearance < resource.sensitivity",
        "the caller's clearance is below the model's sensitivity",
    ),
    (
        "principal.clearance >= resource.sensitivity",
        "the caller's clearance reaches the model's sensitivity",
    ),
    ("context.mode == \"client-sealed\"", "the client seals the request itself"),
    ("context.mode != \"client-sealed\"", "the client does not seal the request itself"),
    ("context.mode == \"gateway-sealed\"", "the gateway seals the request"),
];
const NUMBERS: [(&str, &str); 7] = [
    ("context.rows", "the announced rows are"),
    ("context.token_age_s", "the token's age in seconds is"),
    ("context.time.hour", "the hour (UTC) is"),
    ("context.time.minute", "the minute is"),
    ("context.time.weekday", "the weekday (1 is Monday) is"),
    ("principal.clearance", "the caller's clearance is"),
    ("resource.sensitivity", "the model's sensitivity is"),
];
const SIGNS: [(&str, &str); 6] = [
    ("==", "exactly"),
    ("!=", "not"),
    ("<", "below"),
    ("<=", "at most"),
    (">", "above"),
    (">=", "at least"),
];

#[cfg(test)]
mod tests {
    use super::condition;

    #[test]
    fn common_conditions_have_words_and_others_stay_as_they_are_written() {
        for (clause, expected) in [
            (
                "unless { principal in resource.owner }",
                "unless the caller belongs to the tenant that owns the model",
            ),
            (
                "unless { principal.scopes.contains(\"infer\") }",
                "unless the token has the scope `infer`",
            ),
            (
                "when { context.address.isInRange(ip(\"10.0.0.0/8\")) }",
                "when the address lies in `10.0.0.0/8`",
            ),
            ("when { context.time.hour >= 8 }", "when the hour (UTC) is at least 8"),
            ("when { context.rows > -1 }", "when the announced rows are above -1"),
            (
                "when { context.rows > resource.sensitivity }",
                "when `context.rows > resource.sensitivity`",
            ),
            (
                "when { principal.scopes.contains(\"a\") || principal.scopes.contains(\"b\") }",
                "when `principal.scopes.contains(\"a\") || principal.scopes.contains(\"b\")`",
            ),
        ] {
            assert_eq!(condition(clause), expected);
        }
    }
}
