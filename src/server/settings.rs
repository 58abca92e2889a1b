//! The fronts' checked settings; their defaults are the ones that `config/hotplate.toml` shows.

use std::net::SocketAddr;
use std::time::Duration;

use crate::units::ByteSize;

/// Which driver moves bytes for the workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriverChoice {
    /// io_uring where a probe at start-up finds it working, else epoll.
    #[default]
    Auto,
    /// io_uring or no start.
    IoUring,
    /// epoll.
    Epoll,
}

/// Limits and deadlines of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request head.
    pub head: ByteSize,
    /// Most header fields in a head.
    pub headers: usize,
    /// Most client connections in all; the oldest idle one gives way to a new one.
    pub connections: usize,
    /// Most answers of one connection that are prepared before the first of them is sent.
    pub pipeline: usize,
    /// Longest time from a head's first byte to its last.
    pub head_timeout: Duration,
    /// Longest time that a kept-alive connection waits for its next request.
    pub idle_timeout: Duration,
    /// Longest time that a send makes no progress.
    pub send_timeout: Duration,
    /// Longest time that a drain waits for answers under way.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: ByteSize::kib(16),
            headers: 100,
            connections: 20_000,
            pipeline: 64,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(65),
            send_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// What the workers need to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Cleartext HTTP/1.1 listeners.
    pub listen: Vec<SocketAddr>,
    /// How many workers; 0: one per core that this process may use.
    pub workers: usize,
    /// The driver.
    pub driver: DriverChoice,
    /// Limits and deadlines.
    pub limits: Limits,
}
