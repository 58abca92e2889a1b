//! The library's thread: deletes files whose leases have ended, and orders the prefetches of the config.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Library, now};
use crate::sys::cpu;

/// How often is looked for leases that have ended.
const TICK: Duration = Duration::from_millis(500);
/// How far the thread gives way to others on its core.
const GIVES_WAY_BY: i32 = 5;

/// The thread; it ends with [`stop`](Self::stop).
#[derive(Debug)]
pub struct LibraryThread {
    library: Arc<Library>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl LibraryThread {
    pub(super) fn start(library: &Arc<Library>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (library, stopping) = (Arc::clone(library), Arc::clone(library));
        let work = async move {
            tokio::select! {
                _ = stopped => {}
                () = tend(&library) => {}
                () = library.schedule.follow(&library) => {}
            }
        };
        let thread = std::thread::Builder::new()
            .name("library".to_owned())
            .spawn(move || {
                cpu::give_way(GIVES_WAY_BY);
                runtime.block_on(work);
            })?;
        Ok(Self {
            library: stopping,
            stop,
            thread,
        })
    }

    /// Ends the thread, and lets no other prefetch begin. Leases go on: the next start finds them.
    pub fn stop(self) {
        self.library.prefetch.close();
        // Fails where the thread has ended already.
        self.stop.send(()).ok();
        if self.thread.join().is_err() {
            tracing::error!("the library's thread panicked");
        }
    }
}

/// Deletes what has ended, again and again.
async fn tend(library: &Library) {
    loop {
        tokio::time::sleep(TICK).await;
        if let Some(shelf) = &library.disk {
            shelf.leases.tend(now());
        }
    }
}
