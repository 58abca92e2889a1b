//! TERM, INT and HUP, turned into events.

use std::io;
use std::sync::mpsc::SyncSender;

use tokio::signal::unix::{SignalKind, signal};

use super::Event;

/// Starts a thread that reports signals for as long as somebody listens.
///
/// # Errors
///
/// A handler could not be set, or there is no room for a thread.
pub(super) fn listen(events: SyncSender<Event>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut term, mut interrupt, mut hangup) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        )
    };
    let wait = move || {
        runtime.block_on(async {
            let mut stops = 0;
            loop {
                let event = tokio::select! {
                    _ = term.recv() => Event::Stop,
                    _ = interrupt.recv() => Event::Stop,
                    _ = hangup.recv() => Event::Reload,
                };
                stops += u32::from(matches!(event, Event::Stop));
                if stops > 1 {
                    // Whoever asks twice does not want to wait for the drain, nor for a reload under way.
                    tracing::warn!("told to stop again: going down at once");
                    std::process::exit(1);
                }
                if events.send(event).is_err() {
                    return;
                }
            }
        });
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait)?;
    Ok(())
}
