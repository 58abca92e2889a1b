//! What readers of a body that outgrew the store find, and how they hold up its writer.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;

use super::*;
use crate::store::body::{BodyState, BodyWriter};
use crate::store::body_fault::BodyFault;
use crate::store::budget::Budget;

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn pass(writer: &mut BodyWriter, text: &'static str) -> Poll<()> {
    writer.poll_pass(&Bytes::from_static(text.as_bytes()), &mut context())
}

fn seat(writer: &BodyWriter) -> Seat {
    Seat::of(writer.body()).unwrap().expect("of unknown size")
}

fn news(writer: &BodyWriter) -> Poll<News> {
    writer.poll_news(&mut context())
}

/// A body that has stored `hello` and outgrows the store by what comes next.
fn outgrown(readers: usize) -> (BodyWriter, Vec<Seat>) {
    let mut writer = Body::begin(None, 100);
    writer.append(b"hello").unwrap();
    let seats = (0..readers).map(|_| seat(&writer)).collect();
    writer.open_window(4, BodyFault::TooLarge);
    (writer, seats)
}

#[test]
fn a_body_of_known_size_needs_no_seats() {
    let writer = Body::begin(Some(10), 100);
    assert!(Seat::of(writer.body()).unwrap().is_none());
    assert!(writer.body().takes_readers());
}

#[test]
fn who_was_aboard_reads_on_and_nobody_else_comes() {
    let (mut writer, seats) = outgrown(1);
    assert_eq!(Seat::of(writer.body()).err(), Some(TooLate));
    assert!(!writer.body().takes_readers() && !writer.body().is_kept_in_its_file());
    assert_eq!(pass(&mut writer, "world"), Poll::Ready(()));
    assert_eq!(writer.body().run_from(0), 10);
    assert_eq!(seats[0].beyond(0), Beyond::Stored(5));
    assert_eq!(seats[0].beyond(4), Beyond::Stored(1));
    assert_eq!(
        seats[0].beyond(5),
        Beyond::Bytes(Bytes::from_static(b"world"))
    );
    assert_eq!(seats[0].beyond(8), Beyond::Bytes(Bytes::from_static(b"ld")));
    assert!(writer.complete());
    assert_eq!(
        (writer.body().state(), writer.body().size()),
        (BodyState::Complete, Some(10))
    );
    // It stays for who has not read it yet.
    assert_eq!(seats[0].beyond(9), Beyond::Bytes(Bytes::from_static(b"d")));
}

#[test]
fn the_slowest_reader_sets_the_pace() {
    let (mut writer, seats) = outgrown(2);
    assert_eq!(pass(&mut writer, "abc"), Poll::Ready(()));
    assert_eq!(pass(&mut writer, "def"), Poll::Ready(()));
    assert_eq!(pass(&mut writer, "ghi"), Poll::Pending);
    seats[0].advance(11);
    assert_eq!(news(&writer), Poll::Pending);
    assert_eq!(pass(&mut writer, "ghi"), Poll::Pending);
    // The other one is past what was stored, but not past the first piece.
    seats[1].advance(7);
    assert_eq!(news(&writer), Poll::Ready(News::StorePassed));
    assert_eq!(news(&writer), Poll::Pending);
    assert_eq!(pass(&mut writer, "ghi"), Poll::Pending);
    seats[1].advance(8);
    assert_eq!(pass(&mut writer, "ghi"), Poll::Ready(()));
    assert_eq!(
        seats[0].beyond(11),
        Beyond::Bytes(Bytes::from_static(b"ghi"))
    );
    assert_eq!(seats[1].beyond(9), Beyond::Bytes(Bytes::from_static(b"ef")));
}

#[test]
fn a_reader_that_leaves_holds_nobody_up() {
    let (mut writer, mut seats) = outgrown(2);
    assert_eq!(pass(&mut writer, "abcd"), Poll::Ready(()));
    seats[0].advance(9);
    assert_eq!(pass(&mut writer, "efgh"), Poll::Pending);
    drop(seats.pop());
    assert_eq!(news(&writer), Poll::Ready(News::StorePassed));
    assert_eq!(pass(&mut writer, "efgh"), Poll::Ready(()));
    drop(seats);
    assert_eq!(news(&writer), Poll::Ready(News::Unwanted));
}

#[test]
fn only_who_makes_others_wait_is_left_behind() {
    let (mut writer, seats) = outgrown(3);
    assert_eq!(pass(&mut writer, "abcd"), Poll::Ready(()));
    // Nobody waits: all of them are still reading.
    seats[0].advance(6);
    assert_eq!(writer.leave_behind(), 0);
    seats[0].advance(9);
    seats[1].advance(5);
    assert_eq!(writer.leave_behind(), 1);
    assert_eq!(seats[2].beyond(0), Beyond::Lost);
    assert_eq!(
        seats[1].beyond(5),
        Beyond::Bytes(Bytes::from_static(b"abcd"))
    );
    seats[2].advance(9);
    assert_eq!(pass(&mut writer, "efgh"), Poll::Pending);
    assert_eq!(writer.leave_behind(), 1);
    assert_eq!(seats[1].beyond(5), Beyond::Lost);
    assert_eq!(pass(&mut writer, "efgh"), Poll::Ready(()));
}

#[test]
fn who_comes_forward_by_a_window_is_not_left_behind() {
    let (mut writer, seats) = outgrown(3);
    assert_eq!(pass(&mut writer, "abcd"), Poll::Ready(()));
    seats[0].advance(9);
    seats[1].advance(3);
    seats[2].advance(4);
    assert_eq!(writer.leave_behind(), 1);
    assert_eq!(seats[1].beyond(3), Beyond::Lost);
    // From where it was by then, it counts anew.
    assert_eq!(seats[2].beyond(4), Beyond::Stored(1));
    assert_eq!(writer.leave_behind(), 1);
    assert_eq!(seats[2].beyond(4), Beyond::Lost);
}

#[test]
fn what_is_stored_holds_its_room_until_all_are_past_it() {
    let budget = Budget::new(10);
    for is_whole in [true, false] {
        let (mut writer, seats) = outgrown(1);
        writer.charge(budget.take(5).unwrap(), 5);
        if is_whole {
            assert!(writer.complete());
        } else {
            writer.fail(BodyFault::BrokenOff);
        }
        assert_eq!((budget.taken(), news(&writer)), (5, Poll::Pending));
        seats[0].advance(5);
        assert_eq!(news(&writer), Poll::Ready(News::StorePassed));
        writer.body().forget_stored().unwrap();
        assert_eq!(budget.taken(), 0);
    }
}

#[test]
fn tiny_pieces_are_as_bounded_as_their_bytes() {
    let mut writer = Body::begin(None, 0);
    let seat = seat(&writer);
    writer.open_window(1 << 20, BodyFault::TooLarge);
    let mut count = 0;
    while pass(&mut writer, "x").is_ready() {
        count += 1;
    }
    assert_eq!(count, PIECES_MAX);
    seat.advance(1);
    assert_eq!(pass(&mut writer, "x"), Poll::Ready(()));
}

/// What a socket's queue took by reference stays as it was when the room of its file is given back.
#[test]
fn bytes_that_were_sent_by_reference_outlive_their_room() {
    let mut writer = Body::begin(None, 0);
    writer.spill_to_memory().unwrap();
    let sent: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
    writer.append(&sent).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let (file, _) = writer.body().file_from(0).unwrap();
    let count = crate::sys::send::file(server.as_fd(), file, 0, sent.len()).unwrap();
    assert!(count > 0);
    writer.open_window(1 << 20, BodyFault::TooLarge);
    writer.body().forget_stored().unwrap();
    // Others take the room.
    let mut other = Body::begin(None, 0);
    other.spill_to_memory().unwrap();
    other.append(&vec![0xff; sent.len()]).unwrap();
    server.write_all(b"!").unwrap();
    drop(server);
    let mut came = Vec::new();
    client.read_to_end(&mut came).unwrap();
    assert!(came[..count] == sent[..count] && came[count..] == *b"!");
}
