//! The end of a body that brings its bytes in any order, as readers ask for them.
//!
//! It does not keep the body alive: when the last reader and the index have let go of it, [`asked`](SparseWriter::asked) ends.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Weak};

use super::body::{Body, BodyState};
use super::body_fault::BodyFault;
use super::body_file::BodyFile;
use super::budget::Charge;
use super::demand::{Demand, Stretch};
use super::ranges::RangeSet;
use crate::units::Waiter;

/// See the module's header.
#[derive(Clone, Debug)]
pub struct SparseWriter {
    body: Weak<Body>,
    demand: Arc<Demand>,
}

impl SparseWriter {
    pub(super) fn new(body: &Arc<Body>, demand: Arc<Demand>) -> Self {
        Self {
            body: Arc::downgrade(body),
            demand,
        }
    }

    /// Waits until a reader has begun to wait, or has gone; false when the body is gone.
    pub async fn asked(&self) -> bool {
        poll_fn(|context| self.demand.poll(context)).await
    }

    /// What each reader reads.
    #[must_use]
    pub fn readers(&self) -> Vec<Stretch> {
        self.demand.readers()
    }

    /// The body, as long as anybody has it.
    #[must_use]
    pub fn body(&self) -> Option<Arc<Body>> {
        self.body.upgrade()
    }

    /// How it stands; a body that is gone has failed.
    #[must_use]
    pub fn state(&self) -> BodyState {
        self.body().map_or(BodyState::Failed, |body| body.state())
    }

    /// The bytes that are there.
    #[must_use]
    pub fn present(&self) -> RangeSet {
        let present = self.body().map(|body| body.present());
        present.unwrap_or_default()
    }

    /// The parts of the bytes from `first` to before `end` that are not there.
    #[must_use]
    pub fn gaps(&self, first: u64, end: u64) -> Vec<(u64, u64)> {
        self.present().gaps(first, end)
    }

    /// Writes bytes to the body's own file and lets readers see them.
    ///
    /// # Errors
    /// Those of pwrite(2). Readers see none of the bytes then.
    pub fn write(&self, first: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(body) = self.body() else {
            return Ok(());
        };
        match body.spare_or_file() {
            Some(file) => file.write(bytes, first)?,
            None => return Err(io::ErrorKind::StorageFull.into()),
        }
        body.add(first, first + bytes.len() as u64);
        Ok(())
    }

    /// Lets readers see the bytes from `first` to before `end`, which somebody else has written to the file.
    pub fn wrote(&self, first: u64, end: u64) {
        if let Some(body) = self.body() {
            body.add(first, end);
        }
    }

    /// Has all further bytes written to anonymous memory, which takes `descriptor`: the file takes no more.
    ///
    /// # Errors
    /// Those of memfd_create(2).
    pub fn turn_to_memory(&self, descriptor: Charge) -> io::Result<()> {
        match self.body() {
            Some(body) => body.set_spare(BodyFile::memory()?, descriptor),
            None => Ok(()),
        }
    }

    /// Notes whether all of the body is on its way, whoever asks.
    pub fn set_coming(&self, is_coming: bool) {
        if let Some(body) = self.body() {
            body.set_coming(is_coming);
        }
    }

    /// Notes that the body holds `amount` of a budget until it is complete.
    pub fn charge(&self, charge: Charge, amount: u64) {
        if let Some(body) = self.body() {
            body.charge(charge, amount);
        }
    }

    /// How much the body holds of the budget.
    #[must_use]
    pub fn charged(&self) -> u64 {
        self.body().map_or(0, |body| body.charged())
    }

    /// Who waits for bytes or for the end; each is given once.
    #[must_use]
    pub fn wakers(&self) -> Vec<Waiter> {
        self.body().map_or_else(Vec::new, |body| body.wakers())
    }

    /// No more bytes come; what is there stays readable.
    pub fn fail(&self, fault: BodyFault) {
        if let Some(body) = self.body() {
            body.fail(fault);
        }
    }
}

impl Body {
    /// A body of `size` bytes in `file`, and the end that brings those that are not there. Those of `present` are; those of
    /// `unverified` are in the file, and only have to be proven.
    #[must_use]
    pub fn sparse(
        file: BodyFile,
        size: u64,
        present: RangeSet,
        unverified: RangeSet,
    ) -> (Arc<Self>, SparseWriter) {
        let demand = Arc::<Demand>::default();
        let there = (present, unverified);
        let body = Arc::new(Self::in_file(file, size, there, Arc::clone(&demand)));
        let writer = SparseWriter::new(&body, demand);
        (body, writer)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::store::budget::Budget;
    use crate::units::{Ticket, WorkerId};

    const WAITER: Waiter = Waiter {
        worker: WorkerId(0),
        ticket: Ticket(7),
    };

    fn sparse(size: u64, present: &[(u64, u64)]) -> (Arc<Body>, SparseWriter) {
        let mut set = RangeSet::default();
        for (first, end) in present {
            set.add(*first, *end);
        }
        Body::sparse(BodyFile::memory().unwrap(), size, set, RangeSet::default())
    }

    fn read(body: &Body, first: u64) -> Vec<u8> {
        let (file, run) = body.file_from(first).unwrap();
        let mut bytes = vec![0; run.min(body.run_from(first)) as usize];
        let count = rustix::io::pread(file.as_fd(), &mut bytes[..], first).unwrap();
        bytes.truncate(count);
        bytes
    }

    fn asked(writer: &SparseWriter) -> Poll<bool> {
        writer.demand.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_waits_for_a_gap_asks_for_it_and_is_woken_when_it_is_there() {
        let (body, writer) = sparse(10, &[(0, 2)]);
        assert!(!body.subscribe(WAITER, 1));
        assert!(body.subscribe(WAITER, 4));
        let stand = body.stand(None).unwrap();
        assert!(asked(&writer).is_pending());
        stand.ask(4, 9);
        assert_eq!(asked(&writer), Poll::Ready(true));
        assert_eq!(writer.readers(), [Some((4, 9))]);
        assert_eq!(writer.gaps(0, 10), [(2, 10)]);
        writer.write(4, b"efghi").unwrap();
        assert_eq!(writer.wakers(), [WAITER]);
        assert_eq!((body.run_from(4), body.run_from(2)), (5, 0));
        assert_eq!(read(&body, 5), b"fghi");
        assert_eq!(writer.gaps(0, 10), [(2, 4), (9, 10)]);
        writer.wrote(2, 4);
        assert_eq!(body.state(), BodyState::Open);
        writer.write(9, b"j").unwrap();
        assert_eq!(body.state(), BodyState::Complete);
        assert_eq!(body.run_from(0), 10);
        assert!(body.stand(None).is_none());
    }

    #[test]
    fn a_body_that_nobody_has_ends_the_demand() {
        let (body, writer) = sparse(10, &[]);
        assert!(asked(&writer).is_pending());
        drop(body);
        assert_eq!(asked(&writer), Poll::Ready(false));
        assert_eq!(writer.state(), BodyState::Failed);
        writer.write(0, b"x").unwrap();
    }

    #[test]
    fn at_hand_is_what_is_there_unverified_or_on_its_way() {
        let (mut present, mut unverified) = (RangeSet::default(), RangeSet::default());
        present.add(0, 3);
        unverified.add(3, 6);
        let file = BodyFile::memory().unwrap();
        let (body, writer) = Body::sparse(file, 10, present, unverified);
        assert!(body.is_at_hand(0, 6) && body.is_at_hand(4, 5));
        assert!(!body.is_at_hand(0, 7) && !body.is_at_hand(8, 9));
        assert_eq!(body.run_from(3), 0);
        writer.set_coming(true);
        assert!(body.is_at_hand(0, 10));
        writer.set_coming(false);
        assert!(!body.is_at_hand(0, 10));
        writer.write(6, b"ghij").unwrap();
        assert!(body.is_at_hand(0, 10));
    }

    #[test]
    fn what_fails_keeps_what_is_there() {
        let (body, writer) = sparse(10, &[(3, 5)]);
        assert!(body.subscribe(WAITER, 0));
        writer.fail(BodyFault::Gone);
        assert_eq!(writer.wakers(), [WAITER]);
        assert!(!body.subscribe(WAITER, 0));
        assert_eq!((body.state(), body.run_from(3)), (BodyState::Failed, 2));
    }

    #[test]
    fn a_file_that_takes_no_more_is_gone_on_from_in_memory() {
        let (body, writer) = sparse(10, &[]);
        writer.write(0, b"abc").unwrap();
        let descriptors = Budget::new(1);
        writer.turn_to_memory(descriptors.take(1).unwrap()).unwrap();
        writer.write(3, b"def").unwrap();
        writer.write(8, b"ij").unwrap();
        assert_eq!(body.run_from(0), 6);
        assert_eq!(read(&body, 0), b"abc");
        assert_eq!(read(&body, 3), b"def");
        assert_eq!(read(&body, 9), b"j");
        writer.write(6, b"gh").unwrap();
        assert_eq!(body.state(), BodyState::Complete);
        assert_eq!(read(&body, 6), b"ghij");
        assert!(!body.is_kept_in_its_file());
    }
}
