//! Bodies as writers and readers see them.

use std::os::fd::AsFd as _;

use super::*;
use crate::units::{Ticket, WorkerId};

fn waiter(number: u64) -> Waiter {
    Waiter {
        worker: WorkerId(1),
        ticket: Ticket(number),
    }
}

fn content(body: &Body, first: u64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let read = rustix::io::pread(body.file().unwrap().as_fd(), &mut bytes[..], first).unwrap();
    bytes.truncate(read);
    bytes
}

#[test]
fn a_small_body_of_known_size_stands_in_memory() {
    let mut writer = Body::begin(Some(5), 100);
    let body = Arc::clone(writer.body());
    assert_eq!(writer.memory_room(), 5);
    writer.append(b"he").unwrap();
    assert_eq!(
        (body.run_from(0), body.run_from(1), body.run_from(2)),
        (2, 1, 0)
    );
    assert_eq!(body.memory_from(1), Some(&b"e"[..]));
    assert_eq!(body.in_memory(), None);
    writer.append(b"llo").unwrap();
    assert!(writer.complete());
    assert_eq!(body.state(), BodyState::Complete);
    assert_eq!(body.in_memory(), Some(&b"hello"[..]));
}

#[test]
fn a_body_that_outgrows_memory_goes_on_in_a_file_that_holds_all_of_it() {
    let mut writer = Body::begin(None, 4);
    let body = Arc::clone(writer.body());
    writer.append(b"abc").unwrap();
    let refused = writer.append(b"de").unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    assert_eq!(body.run_from(0), 3);
    writer.spill_to_memory().unwrap();
    writer.append(b"de").unwrap();
    assert_eq!(body.run_from(1), 4);
    assert_eq!(content(&body, 0, 9), b"abcde");
    assert_eq!(body.size(), None);
    assert!(writer.complete());
    assert_eq!(body.size(), Some(5));
    assert_eq!(body.in_memory(), None);
}

#[test]
fn a_body_that_is_shorter_than_its_size_fails() {
    let mut writer = Body::begin(Some(9), 100);
    writer.append(b"short").unwrap();
    assert!(!writer.complete());
    assert_eq!(writer.body().state(), BodyState::Failed);
    assert_eq!(writer.body().fault(), Some(BodyFault::BrokenOff));
}

#[test]
fn a_known_size_above_memory_asks_for_a_file_at_once() {
    let mut writer = Body::begin(Some(101), 100);
    assert_eq!(writer.memory_room(), 0);
    assert!(writer.append(b"x").is_err());
}

#[test]
fn whoever_waits_is_woken_once_and_nobody_waits_for_what_is_there() {
    let mut writer = Body::begin(None, 100);
    let body = Arc::clone(writer.body());
    assert!(body.subscribe(waiter(1), 0));
    assert!(body.subscribe(waiter(1), 0));
    assert!(body.subscribe(waiter(2), 0));
    writer.append(b"x").unwrap();
    assert_eq!(writer.wakers(), [waiter(1), waiter(2)]);
    assert!(writer.wakers().is_empty());
    assert!(!body.subscribe(waiter(1), 0));
    assert!(body.subscribe(waiter(1), 1));
    assert_eq!(body.fault(), None);
    writer.fail(BodyFault::NoRoom);
    writer.fail(BodyFault::BrokenOff);
    assert_eq!(body.fault(), Some(BodyFault::NoRoom));
    assert_eq!(writer.wakers(), [waiter(1)]);
    assert!(!body.subscribe(waiter(1), 1));
    assert!(!writer.complete());
    assert_eq!(body.state(), BodyState::Failed);
}
