//! Informational (1xx) responses on their way out: they come while a request waits for its answer (RFC 9110 s15.2).

use super::driver::Controls;
use super::slot::Stage;
use super::worker::Worker;
use crate::cache::order::Ticket;

impl Worker {
    /// Sends the head of an informational response to the one client whose request is with the origin under `ticket`,
    /// behind earlier answers that are still being sent. The fill threads bound how many there are and how large.
    pub(super) fn on_informational<C: Controls>(
        &mut self,
        ticket: Ticket,
        head: &[u8],
        controls: &mut C,
    ) {
        let waiting = self.waiting.get(&ticket);
        let Some(token) = waiting.and_then(|waiting| waiting.first().copied()) else {
            return;
        };
        let Some(key) = self.key(token) else { return };
        let slot = &mut self.slots[key];
        let waits = slot.stage == Stage::Waiting || slot.conn.is_uploading();
        if !waits || slot.is_closing() {
            return;
        }
        if slot.is_sending() {
            slot.backlog.extend_from_slice(head);
            return;
        }
        let started = slot.started;
        self.out.extend_from_slice(head);
        // What the socket does not take is the slot's backlog then, and leaves like that of an answer.
        self.flush_out(key, controls);
        if let Some(key) = self.key(token) {
            // The answer's time still runs from its request.
            self.slots[key].started = started;
        }
    }
}
