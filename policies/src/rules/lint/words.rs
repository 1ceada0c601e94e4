//! Cedar's errors, said to somebody who writes rules and knows no program.

use miette::Diagnostic;

use super::Source;
use crate::mistake::{Mistake, Mistakes, Place};

/// Notes what Cedar says of a text. Its errors know their place and often what was meant.
/// `text` is what Cedar read: all of `file` from `start` on.
pub(in super::super) fn note(
    mistakes: &mut Mistakes,
    stops: bool,
    file: &str,
    (whole, start): (&str, usize),
    error: &dyn Diagnostic,
) {
    let offset = error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let place = match offset {
        Some(offset) => Place::at(file, whole, start + offset),
        None => Place::file(file),
    };
    let before = offset.and_then(|offset| whole.get(start..start + offset)).unwrap_or_default();
    let here = offset.and_then(|offset| whole.get(start + offset..)).unwrap_or_default();
    say(mistakes, stops, place, &Said::of(error, before, here));
}

/// Notes what Cedar's validator says of one rule.
pub(in super::super) fn note_of_rule(
    mistakes: &mut Mistakes,
    stops: bool,
    source: &Source<'_>,
    error: &dyn Diagnostic,
) {
    let message = error.to_string();
    let name = message.split('`').nth(3).unwrap_or_default();
    if message.contains("unrecognized ") && !name.is_empty() {
        let place = source.place_of(&[name]);
        return say(mistakes, stops, place, &Said::of(error, "", ""));
    }
    note(mistakes, stops, source.file, (source.text, 0), error);
}

/// Says only that a rule cannot match: what is wrong with it is said better by another.
pub(in super::super) fn is_vague(error: &dyn Diagnostic) -> bool {
    error.to_string().contains("unable to find an applicable action")
}

fn say(mistakes: &mut Mistakes, stops: bool, place: Place<'_>, said: &Said) {
    let message = said.message.as_str();
    let mistake: &mut Mistake =
        if stops { mistakes.error(place, message) } else { mistakes.warning(place, message) };
    if let Some(hint) = &said.hint {
        mistake.hint(hint);
    }
}

struct Said {
    message: String,
    hint: Option<String>,
}

impl Said {
    fn of(error: &dyn Diagnostic, before: &str, here: &str) -> Self {
        let whole = error.to_string();
        let message =
            match whole.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
                Some((_, message)) => message,
                None => &whole,
            };
        let message = message.trim_end_matches('.').replace('\n', " ");
        let message = message.trim_start_matches("error parsing schema: ");
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        of_syntax(message, &quoted, before, here)
            .or_else(|| of_types(message, &quoted))
            .or_else(|| of_names(message, &quoted, error.help().map(|help| help.to_string())))
            .unwrap_or_else(|| Self {
                message: message.to_owned(),
                hint: error.help().map(|help| help.to_string()),
            })
    }

    fn new(message: impl Into<String>, hint: impl Into<String>) -> Option<Self> {
        Some(Self { message: message.into(), hint: Some(hint.into()) })
    }
}

fn of_syntax(message: &str, quoted: &[&str], before: &str, here: &str) -> Option<Said> {
    if message.starts_with("unexpected token") {
        let token = quoted.first()?;
        return Said::new(format!("unexpected `{token}`"), what_is_missing(token, before));
    }
    if message.starts_with("unexpected end of input") {
        return Said::new("the rule breaks off", "each rule ends in `;`");
    }
    if message.starts_with("invalid token") {
        let mark = here.chars().next().unwrap_or(' ');
        return Said::new(
            format!("`{mark}` cannot stand here"),
            match mark {
                '\'' | '“' | '”' | '„' | '‘' | '’' | '«' | '»' => {
                    "texts stand in plain quotes: `\"`"
                }
                _ => "is it meant to stand in quotes?",
            },
        );
    }
    if message.starts_with("'=' is not") {
        return Said::new("`=` says nothing here", "write `==`");
    }
    if let Some(name) = message.strip_prefix("duplicate annotation: ") {
        return Said::new(format!("`{name}` stands twice"), "take one of them out");
    }
    if let Some(word) = message.strip_prefix("invalid policy effect: ") {
        return Said::new(
            format!("`{word}` is neither `permit` nor `forbid`"),
            "both are written small",
        );
    }
    if message.starts_with("invalid member access") {
        let name = quoted.get(1)?;
        return Said::new(
            format!("`{name}` is not known here"),
            "rules look at `principal`, `resource` and `context`",
        );
    }
    None
}

/// Where a text goes wrong is mostly right behind where it was wrong.
fn what_is_missing(token: &str, before: &str) -> String {
    let count = |mark: char| before.chars().filter(|c| *c == mark).count();
    let last_word = before.split_whitespace().last().unwrap_or_default();
    match token {
        "and" => "write `&&`".to_owned(),
        "or" => "write `||`".to_owned(),
        "not" => "write `!`".to_owned(),
        _ if matches!(last_word, "when" | "unless") => {
            format!("a condition stands in braces: `{last_word} {{ .. }}`")
        }
        _ if count('(') > count(')') => "is a `)` missing before it?".to_owned(),
        "@" | "permit" | "forbid" | "entity" | "action" | "type" => {
            "is a `;` missing before it?".to_owned()
        }
        _ => "what stands right before it is not finished, or it is one too many".to_owned(),
    }
}

fn of_types(message: &str, quoted: &[&str]) -> Option<Said> {
    if let Some((expected, found)) = message
        .strip_prefix("unexpected type: expected ")
        .and_then(|rest| rest.split_once(" but saw "))
    {
        let hint = match (expected, found) {
            ("Long", "String") => {
                "numbers stand without quotes; levels are the numbers in roles.toml"
            }
            (_, "Long") => "a text stands in quotes, an address in `ip(\"..\")`",
            _ => "schema.cedarschema says what each attribute is",
        };
        return Said::new(
            format!("this is {}, but {} is expected", kind(found), kind(expected)),
            hint,
        );
    }
    if let Some((one, other)) = message
        .strip_prefix("the types ")
        .and_then(|rest| rest.strip_suffix(" are not compatible")?.split_once(" and "))
    {
        let hint = match [one, other].contains(&"ipaddr") {
            true => {
                "write the address as `ip(\"192.0.2.7\")`, a network as `context.address.isInRange(ip(\"192.0.2.0/24\"))`"
            }
            false => "schema.cedarschema says what each attribute is",
        };
        return Said::new(format!("{} and {} are never equal", kind(one), kind(other)), hint);
    }
    if message.contains("failed to parse as IP address") {
        let text = quoted.first()?.trim_matches('"');
        return Said::new(
            format!("`{text}` is neither an address nor a network"),
            "such as `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`",
        );
    }
    None
}

fn kind(name: &str) -> String {
    match name {
        "Long" => "a number".to_owned(),
        "String" => "a text".to_owned(),
        "Bool" => "`true` or `false`".to_owned(),
        "ipaddr" => "an address".to_owned(),
        other if other.starts_with("Set") => "a list".to_owned(),
        other => format!("`{other}`"),
    }
}

fn of_names(message: &str, quoted: &[&str], help: Option<String>) -> Option<Said> {
    let name = quoted.first().copied().unwrap_or_default();
    if message.starts_with("attribute `") && message.contains("not found") {
        let of = if message.contains("in context") { "context" } else { quoted.get(1).copied()? };
        let hint = match name {
            "epoch_s" | "hour" | "minute" | "weekday" => {
                Some(format!("it is `context.time.{name}`"))
            }
            _ => help.or_else(|| Some("schema.cedarschema says what there is".to_owned())),
        };
        return Some(Said { message: format!("unknown attribute `{name}` of `{of}`"), hint });
    }
    for (beginning, what) in
        [("unrecognized action", "action"), ("unrecognized entity type", "kind")]
    {
        if message.starts_with(beginning) {
            return Some(Said { message: format!("unknown {what} `{name}`"), hint: help });
        }
    }
    if let Some(name) = message.strip_prefix("failed to resolve type: ") {
        return Some(Said { message: format!("unknown kind `{name}`"), hint: help });
    }
    if message.contains("policy is impossible") {
        return Said::new(
            "this rule can never match",
            "no request can meet its head and all its clauses at once",
        );
    }
    if message.starts_with("unable to find an applicable action") {
        return Said::new(
            "this rule can never match: nobody asks such a thing of such a thing",
            "callers, in groups and tenants, ask for actions on models; see `appliesTo` in schema.cedarschema",
        );
    }
    None
}
