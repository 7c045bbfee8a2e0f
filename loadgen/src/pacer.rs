//! Waiting for a moment, exactly: the runtime's own timers count in milliseconds, which is longer than many answers take.

use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::{io::unix::AsyncFd, time::Instant};

/// Waits for moments.
#[derive(Debug)]
pub enum Pacer {
    /// By a timer of the system, to some ten microseconds.
    Exact(AsyncFd<OwnedFd>),
    /// By the runtime's clock, which tests may stop and turn.
    Runtime,
}

impl Pacer {
    /// A pacer that is as exact as the system allows.
    ///
    /// # Errors
    /// When the system gives no timer.
    pub fn exact() -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // Deprecated for types that can swap their descriptor behind its back; an owned descriptor cannot.
        #[allow(deprecated)]
        let timer = AsyncFd::new(timer)?;
        Ok(Pacer::Exact(timer))
    }

    /// Waits until the moment has come.
    pub async fn wait_until(&self, moment: Instant) {
        let Pacer::Exact(timer) = self else { return tokio::time::sleep_until(moment).await };
        let distance = moment.saturating_duration_since(Instant::now());
        if distance.is_zero() {
            return;
        }
        let value = Timespec {
            tv_sec: i64::try_from(distance.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(distance.subsec_nanos()),
        };
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let order = Itimerspec { it_interval: none, it_value: value };
        if timerfd_settime(timer.get_ref(), TimerfdTimerFlags::empty(), &order).is_err() {
            return tokio::time::sleep_until(moment).await;
        }
        while let Ok(mut ready) = timer.readable().await {
            let mut expirations = [0_u8; 8];
            let read = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut expirations)?));
            if read.is_ok() {
                return;
            }
        }
    }
}
