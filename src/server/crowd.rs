use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

/// How many connections each address has open, over all workers.
///
/// Without a bound on these one client could hold every place that the node has.
#[derive(Debug)]
pub(super) struct Crowds {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub(super) struct Member {
    crowds: Arc<Crowds>,
    address: IpAddr,
}

impl Crowds {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
        })
    }

    /// Counts a connection of this address; nothing when it has too many.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Member> {
        let address = of_one_client(address);
        {
            let mut open = self.open.lock();
            let count = open.entry(address).or_insert(0);
            if *count >= self.most {
                return None;
            }
            *count += 1;
        }
        Some(Member {
            crowds: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.crowds.open.lock().entry(self.address) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// The address as it is counted: of IPv6 the network that one client has at the least.
fn of_one_client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_so_many_and_gets_them_back() {
        let crowds = Crowds::new(2);
        let first = crowds.enter(ip("192.0.2.1")).unwrap();
        let _second = crowds.enter(ip("::ffff:192.0.2.1")).unwrap();
        assert!(crowds.enter(ip("192.0.2.1")).is_none());
        assert!(crowds.enter(ip("192.0.2.2")).is_some());

        drop(first);
        assert!(crowds.enter(ip("192.0.2.1")).is_some());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let crowds = Crowds::new(1);
        let _first = crowds.enter(ip("2001:db8::1")).unwrap();
        assert!(crowds.enter(ip("2001:db8::ffff:1")).is_none());
        assert!(crowds.enter(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn nothing_is_kept_of_those_who_have_gone() {
        let crowds = Crowds::new(1);
        drop(crowds.enter(ip("192.0.2.1")));
        assert!(crowds.open.lock().is_empty());
    }
}
