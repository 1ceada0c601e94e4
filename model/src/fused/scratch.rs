//! Memory that a thread computes in, again and again.
//!
//! Rows must not outlive their answer: what was used is wiped before it is lent again, whether
//! the work ended well or not, so that a thread that waits holds zeros and nothing ever has to be
//! wiped when it is freed.

use std::cell::RefCell;

use super::packed::Aligned;

thread_local! {
    static SCRATCH: RefCell<Aligned> = RefCell::new(Aligned::zeros(0));
}

/// Lends `count` zeros to `work`.
pub(super) fn with<T>(count: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.values().len() < count {
            *scratch = Aligned::zeros(count);
        }
        let used = scratch.values_mut().get_mut(..count).unwrap_or_default();
        work(Wiped(used).0)
    })
}

/// Wipes what it lends when it goes.
struct Wiped<'a>(&'a mut [f32]);

impl Drop for Wiped<'_> {
    fn drop(&mut self) {
        self.0.fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::with;

    #[test]
    fn what_was_computed_in_is_wiped() {
        with(100, |scratch| scratch.fill(1.5));
        with(200, |scratch| assert!(scratch.iter().all(|&value| value == 0.0)));
        with(200, |scratch| scratch.fill(2.5));
        with(100, |scratch| assert!(scratch.iter().all(|&value| value == 0.0)));
    }

    #[test]
    fn what_was_computed_in_is_wiped_after_a_panic() {
        let panicked = std::panic::catch_unwind(|| {
            with(100, |scratch| {
                scratch.fill(1.5);
                panic!("in the middle of it");
            });
        });
        assert!(panicked.is_err());
        with(100, |scratch| assert!(scratch.iter().all(|&value| value == 0.0)));
    }
}
