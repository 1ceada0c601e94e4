//! Names that a rule uses and no table declares. Cedar takes any, and a misspelt one matches
//! nobody.

use cedar_policy::Policy;
use serde_json::Value;

use super::super::entities::{CALLER, GATEWAY, GROUP, MODEL, TENANT};
use super::Source;
use super::form::{Form, inside, literal, path, sides, texts};
use crate::mistake::Mistakes;
use crate::tables::Tables;

/// Judges every `Group::"..."`, `Tenant::"..."`, `Model::"..."` and `Caller::"..."`.
pub(super) fn entities(
    policy: &Policy,
    source: &Source<'_>,
    tables: &Tables,
    mistakes: &mut Mistakes,
) {
    let mut told: Vec<(&str, String)> = Vec::new();
    for literal in policy.entity_literals() {
        let id = literal.id().unescaped();
        let kind = literal.type_name().basename();
        let Some((what, name, known)) = known_of(kind, id, tables) else { continue };
        if known.contains(&name) || told.contains(&(what, name.to_owned())) {
            continue;
        }
        let place = source.place_of(&[&format!("{kind}::\"{id}\""), &format!("\"{id}\"")]);
        mistakes.error(place, format!("unknown {what} `{name}`")).did_you_mean(name, known);
        told.push((what, name.to_owned()));
    }
}

fn known_of<'a>(
    kind: &str,
    id: &'a str,
    tables: &'a Tables,
) -> Option<(&'static str, &'a str, Vec<&'a str>)> {
    Some(match kind {
        GROUP => ("group", id, tables.roles.as_ref()?.groups().collect()),
        TENANT => ("tenant", id, tables.roles.as_ref()?.tenants().collect()),
        MODEL => ("model", id, tables.models.as_ref()?.keys().map(|name| &**name).collect()),
        // `Caller::"issuer/subject"`: subjects are the issuer's, its name is ours.
        CALLER => ("issuer", id.split('/').next().unwrap_or(id), issuers(tables)?),
        GATEWAY => ("gateway", id, vec!["this"]),
        _ => return None,
    })
}

fn issuers(tables: &Tables) -> Option<Vec<&str>> {
    Some(tables.issuers.as_ref()?.iter().map(|issuer| &*issuer.name).collect())
}

/// Judges texts that are compared with something of which we know all values. Says whether all
/// was well.
pub(super) fn values(
    form: &Form,
    source: &Source<'_>,
    tables: &Tables,
    mistakes: &mut Mistakes,
) -> bool {
    let mut compared = Vec::new();
    form.clauses().for_each(|clause| search(clause.body, &mut compared));
    let mut well = true;
    compared.dedup();
    for (path, text) in compared {
        let (what, known) = match path.as_str() {
            "principal.issuer" => ("issuer", issuers(tables)),
            "context.mode" => ("mode", Some(MODES.to_vec())),
            "context.protocol" => ("protocol", Some(PROTOCOLS.to_vec())),
            _ => continue,
        };
        let Some(known) = known.filter(|known| !known.contains(&text)) else { continue };
        let place = source.place_of(&[&format!("\"{text}\"")]);
        let mistake = mistakes.error(place, format!("unknown {what} `{text}`"));
        match what {
            "issuer" => mistake.did_you_mean(text, known),
            _ => mistake.did_you_mean_among(text, known),
        }
        well = false;
    }
    well
}

/// Every `path == "text"`, in either order, and every `["text", ..].contains(path)`.
fn search<'a>(expression: &'a Value, compared: &mut Vec<(String, &'a str)>) {
    for operator in ["==", "!="] {
        let Some((left, right)) = sides(expression, operator) else { continue };
        for (one, other) in [(left, right), (right, left)] {
            if let (Some(path), Some(text)) = (path(one), literal(other).and_then(Value::as_str)) {
                compared.push((path, text));
            }
        }
    }
    if let Some((set, one)) = sides(expression, "contains")
        && let (Some(texts), Some(path)) = (texts(set), path(one))
    {
        compared.extend(texts.into_iter().map(|text| (path.clone(), text)));
    }
    inside(expression).for_each(|inner| search(inner, compared));
}

/// As `context.mode` has them.
pub(super) const MODES: [&str; 2] = ["gateway-sealed", "client-sealed"];
/// As `context.protocol` has them.
pub(super) const PROTOCOLS: [&str; 5] = ["v2", "grpc", "v1", "invocations", "ohttp"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::{Mode, Protocol};

    #[test]
    fn the_closed_lists_hold_what_the_gateway_supplies() {
        assert_eq!([Mode::GatewaySealed, Mode::ClientSealed].map(Mode::as_str), MODES);
        let all =
            [Protocol::V2, Protocol::Grpc, Protocol::V1, Protocol::Invocations, Protocol::Ohttp];
        assert_eq!(all.map(Protocol::as_str), PROTOCOLS);
    }
}
