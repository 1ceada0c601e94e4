//! Which addresses of a network a rule can tell apart.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::Value;

use crate::rules::Written;

/// One address of each part of `network` that the rules can tell from the others. `None` when
/// they look at the address in a way that cannot be seen through.
///
/// A range that lies within the network begins a part at its first address and another behind its
/// last. Between two beginnings every range holds all addresses or none.
pub(super) fn telling(network: IpNet, rules: &[&Written]) -> Option<Vec<IpAddr>> {
    if network.prefix_len() == network.max_prefix_len() {
        return Some(vec![network.addr()]);
    }
    if network.contains(&IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0))) {
        // Rules see these as IPv4.
        return None;
    }
    let mut ranges = Vec::new();
    for rule in rules {
        search(rule.form.get("conditions")?, &mut ranges)?;
    }
    let mut telling = vec![network.network()];
    for range in ranges.iter().filter(|range| network.contains(*range)) {
        telling.push(range.network());
        telling.extend(next(range.broadcast()).filter(|address| network.contains(address)));
    }
    telling.sort_unstable();
    telling.dedup();
    Some(telling)
}

fn next(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address).checked_add(1)?).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address).checked_add(1)?).into(),
    })
}

/// Notes each range that `context.address` is held against; `None` at any other use of it.
fn search(form: &Value, ranges: &mut Vec<IpNet>) -> Option<()> {
    match form {
        Value::Array(items) => items.iter().try_for_each(|item| search(item, ranges)),
        Value::Object(object) => {
            for (name, value) in object {
                match (name.as_str(), value.as_array().map(Vec::as_slice)) {
                    ("isInRange", Some([address, range])) if is_the_address(address) => {
                        ranges.push(literal(range)?);
                    }
                    ("isIpv4" | "isIpv6", Some([address])) if is_the_address(address) => {}
                    ("isLoopback", Some([address])) if is_the_address(address) => {
                        ranges.extend(LOOPBACK);
                    }
                    ("isMulticast", Some([address])) if is_the_address(address) => {
                        ranges.extend(MULTICAST);
                    }
                    ("Var", _) if value == "context" => return None,
                    ("." | "has", _) if is_of_context(value) => {
                        let attribute = value.get("attr")?.as_str()?;
                        // That it is there is known.
                        if name == "." && attribute == "address" {
                            return None;
                        }
                    }
                    _ => search(value, ranges)?,
                }
            }
            Some(())
        }
        _ => Some(()),
    }
}

fn is_the_address(form: &Value) -> bool {
    let access = form.get(".");
    access.is_some_and(|access| {
        is_of_context(access) && access.get("attr").and_then(Value::as_str) == Some("address")
    })
}

fn is_of_context(access: &Value) -> bool {
    access.get("left").and_then(|left| left.get("Var")).and_then(Value::as_str) == Some("context")
}

/// `ip("10.0.0.0/8")` or `ip("10.0.0.1")`.
fn literal(form: &Value) -> Option<IpNet> {
    let [text] = form.get("ip")?.as_array()?.as_slice() else { return None };
    let text = text.get("Value")?.as_str()?;
    text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
}

/// What Cedar takes for loopback and multicast: RFC 6890 and RFC 5771, RFC 4291.
const LOOPBACK: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
];
const MULTICAST: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8)),
];

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::Folder;

    fn told(network: &str, clause: &str) -> Option<Vec<String>> {
        let rule = format!("@id(\"a\") forbid (principal, action, resource) {clause};");
        let written = Written::all(&Folder::from_pairs([("rules/a.cedar", &*rule)]));
        let told = telling(network.parse().unwrap(), &[written.first().unwrap()]);
        told.map(|all| all.iter().map(ToString::to_string).collect())
    }

    fn in_range(range: &str) -> String {
        format!("when {{ context.address.isInRange(ip(\"{range}\")) }}")
    }

    #[test]
    fn a_network_inside_or_outside_of_every_range_is_as_good_as_an_address() {
        for range in ["10.0.0.0/8", "10.1.2.0/24", "192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0"] {
            let told = told("10.1.2.0/24", &in_range(range)).unwrap();
            assert!(told.iter().all(|a| a.starts_with("10.1.2.")), "{range} {told:?}");
            assert_eq!(told.len(), 1, "{range}");
        }
    }

    #[test]
    fn a_range_inside_the_network_makes_its_parts_tell_apart() {
        assert_eq!(
            told("10.1.2.0/24", &in_range("10.1.2.64/26")).unwrap(),
            ["10.1.2.0", "10.1.2.64", "10.1.2.128"]
        );
        assert_eq!(
            told("10.1.2.0/24", &in_range("10.1.2.255")).unwrap(),
            ["10.1.2.0", "10.1.2.255"]
        );
    }

    #[test]
    fn other_questions_about_the_address_are_not_seen_through() {
        for clause in [
            "when { context.address == ip(\"10.1.2.3\") }",
            "when { [ip(\"10.1.2.3\")].contains(context.address) }",
            "when { context == context }",
            "when { ip(\"10.0.0.0/8\").isInRange(context.address) }",
            "when { if context.address.isIpv4() then context.address.isInRange(context.address) else true }",
        ] {
            assert_eq!(told("10.1.2.0/24", clause), None, "{clause}");
        }
    }

    #[test]
    fn a_single_address_is_known_whatever_is_asked() {
        let clause = "when { context.address == ip(\"10.1.2.3\") }";
        assert_eq!(told("10.1.2.3/32", clause).unwrap(), ["10.1.2.3"]);
    }

    #[test]
    fn a_network_of_ipv4_addresses_in_disguise_is_not_seen_through() {
        assert_eq!(told("::/48", &in_range("10.0.0.0/8")), None);
    }
}
