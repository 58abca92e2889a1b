//! The library's thread: deletes files whose leases have ended.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::leases::Leases;
use super::now;
use crate::sys::cpu;

/// How often is looked for leases that have ended.
const TICK: Duration = Duration::from_millis(500);
/// How far the thread gives way to others on its core.
const GIVES_WAY_BY: i32 = 5;

/// The thread; it ends with [`stop`](Self::stop).
#[derive(Debug)]
pub struct LibraryThread {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl LibraryThread {
    pub(super) fn start(leases: Option<Arc<Leases>>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let (stop, mut stopped) = oneshot::channel();
        let work = async move {
            loop {
                tokio::select! {
                    _ = &mut stopped => return,
                    () = tokio::time::sleep(TICK) => {}
                }
                if let Some(leases) = &leases {
                    leases.tend(now());
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("library".to_owned())
            .spawn(move || {
                cpu::give_way(GIVES_WAY_BY);
                runtime.block_on(work);
            })?;
        Ok(Self { stop, thread })
    }

    /// Ends the thread. Leases go on: the next start finds them.
    pub fn stop(self) {
        // Fails where the thread has ended already.
        self.stop.send(()).ok();
        if self.thread.join().is_err() {
            tracing::error!("the library's thread panicked");
        }
    }
}
