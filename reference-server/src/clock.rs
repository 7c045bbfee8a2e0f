//! The time of day, in the unit of the specification.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch; zero on a machine whose clock stands before it.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

/// Like [`now_ms`], and never the same twice: ahead of the clock where two calls fall into one millisecond.
pub(crate) fn unique_now_ms() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = now_ms();
    let later = |last: i64| now.max(last + 1);
    let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(later(last)));
    later(before.unwrap_or_else(|last| last))
}

#[cfg(test)]
mod tests {
    use super::unique_now_ms;

    #[test]
    fn moments_are_not_given_twice() {
        let moments: Vec<_> = (0..1000).map(|_| unique_now_ms()).collect();
        assert!(moments.is_sorted_by(|one, next| one < next));
    }
}
