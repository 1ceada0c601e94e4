//! How many connections may be open, in all and from one place.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The counts of open connections.
pub(super) struct Admission {
    connections_max: usize,
    per_address_max: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    connections: usize,
    by_network: HashMap<IpAddr, usize>,
}

impl Admission {
    pub(super) fn new(connections_max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { connections_max, per_address_max, open: Mutex::default() })
    }

    /// Room for one more connection, or `None`.
    pub(super) fn connection(self: &Arc<Self>) -> Option<ConnectionSlot> {
        self.with(|open| {
            let free = open.connections < self.connections_max;
            open.connections += usize::from(free);
            free
        })
        .then(|| ConnectionSlot(Arc::clone(self)))
    }

    /// Room for one more connection from this address, or `None`.
    pub(super) fn address(self: &Arc<Self>, address: IpAddr) -> Option<AddressSlot> {
        let network = network_of(address);
        self.with(|open| {
            let count = open.by_network.entry(network).or_default();
            let free = *count < self.per_address_max;
            *count += usize::from(free);
            free
        })
        .then(|| AddressSlot { admission: Arc::clone(self), network })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Open) -> T) -> T {
        // The counts are whole after every change, so a panic elsewhere leaves nothing half done.
        change(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One of the open connections; dropped, it makes room.
pub(super) struct ConnectionSlot(Arc<Admission>);

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.0.with(|open| open.connections -= 1);
    }
}

/// One of the connections from an address; dropped, it makes room.
pub(super) struct AddressSlot {
    admission: Arc<Admission>,
    network: IpAddr,
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        self.admission.with(|open| {
            if let Some(count) = open.by_network.get_mut(&self.network) {
                *count -= 1;
                if *count == 0 {
                    open.by_network.remove(&self.network);
                }
            }
        });
    }
}

/// An IPv6 host usually owns a whole /64, so addresses within one count together.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn one_connection_too_many_is_refused_until_one_ends() {
        let admission = Admission::new(1, 9);
        let slot = admission.connection();
        assert!(slot.is_some() && admission.connection().is_none());
        drop(slot);
        assert!(admission.connection().is_some());
    }

    #[test]
    fn one_address_cannot_take_anothers_room() {
        let admission = Admission::new(9, 1);
        let _held = admission.address("192.0.2.1".parse().unwrap()).unwrap();
        assert!(admission.address("192.0.2.1".parse().unwrap()).is_none());
        assert!(admission.address("192.0.2.2".parse().unwrap()).is_some());
    }

    #[test]
    fn neighbours_in_one_ipv6_network_count_together() {
        let admission = Admission::new(9, 1);
        let _held = admission.address("2001:db8::1".parse().unwrap()).unwrap();
        assert!(admission.address("2001:db8::2".parse().unwrap()).is_none());
        assert!(admission.address("2001:db8:0:1::1".parse().unwrap()).is_some());
    }

    #[test]
    fn an_address_without_connections_takes_no_memory() {
        let admission = Admission::new(9, 1);
        drop(admission.address("192.0.2.1".parse().unwrap()));
        assert!(admission.with(|open| open.by_network.is_empty()));
    }
}
