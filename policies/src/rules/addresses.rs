//! Clients' addresses as rules see them.

use std::net::IpAddr;

use cedar_policy::RestrictedExpression;
use quick_cache::sync::Cache;

/// Those seen lately. Making one costs about as much as a decision: Cedar parses the name of the
/// function that reads addresses, each time.
pub(super) struct Addresses(Cache<IpAddr, RestrictedExpression>);

impl Addresses {
    pub(super) fn new() -> Self {
        Self(Cache::new(KEPT_MAX))
    }

    /// `ip("..")`, an IPv4 address in IPv6 clothes as the IPv4 address.
    pub(super) fn expression(&self, address: IpAddr) -> RestrictedExpression {
        let address = address.to_canonical();
        if let Some(known) = self.0.get(&address) {
            return known;
        }
        let expression = RestrictedExpression::new_ip(address.to_string());
        self.0.insert(address, expression.clone());
        expression
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.len()
    }
}

/// About 300 bytes each.
const KEPT_MAX: usize = 4096;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_the_second_time_and_not_anothers() {
        let addresses = Addresses::new();
        let text = |address: &str| format!("{:?}", addresses.expression(address.parse().unwrap()));
        let (one, other) = (text("192.0.2.1"), text("192.0.2.2"));
        assert_ne!(one, other);
        assert_eq!((text("192.0.2.1"), text("::ffff:192.0.2.2")), (one, other));
        assert_eq!(addresses.len(), 2);
    }

    #[test]
    fn however_many_addresses_there_are_few_are_kept() {
        let addresses = Addresses::new();
        for n in 0..20_000_u32 {
            addresses.expression(IpAddr::from(n.to_be_bytes()));
        }
        assert!(addresses.len() <= KEPT_MAX, "{}", addresses.len());
    }
}
