//! Tests of the access sink.

use super::*;

fn one_worker() -> (Arc<WorkerStats>, AccessSink, AccessStream) {
    let stats = Arc::new(WorkerStats::new());
    let (mut sinks, stream) = access_pipe(&[Arc::clone(&stats)]);
    (stats, sinks.remove(0), stream)
}

fn record_with(target: &[u8]) -> AccessRecord<'_> {
    AccessRecord {
        target,
        status: 200,
        ..AccessRecord::default()
    }
}

/// Receives all that is ready and says how many records it held; keeps the buffers when asked.
fn receive(stream: &AccessStream, kept: Option<&mut Vec<Batch>>) -> u64 {
    let mut batches = Vec::new();
    while let Some(parcel) = stream.next_ready() {
        if let Parcel::Batch(batch) = parcel {
            batches.push(batch);
        }
    }
    let mut count = 0;
    for batch in &batches {
        let mut rest = batch.records();
        while let Some(record) = AccessRecord::decode(&mut rest) {
            assert_eq!(record.status, 200);
            count += 1;
        }
        assert!(rest.is_empty());
    }
    match kept {
        Some(kept) => kept.append(&mut batches),
        None => batches.into_iter().for_each(Batch::give_back),
    }
    count
}

#[test]
fn sink_off_takes_nothing() {
    let mut sink = AccessSink::off();
    assert!(!sink.is_on());
    sink.record(&record_with(b"/"));
    sink.flush_if_due(MonoNanos(0));
    assert_eq!(sink.due_at(), None);
}

#[test]
fn batch_leaves_when_its_oldest_record_has_waited() {
    let (stats, mut sink, stream) = one_worker();
    let start = MonoNanos(1_000);
    sink.record(&record_with(b"/a"));
    sink.flush_if_due(start);
    assert_eq!(sink.due_at(), Some(start.after(FLUSH_AFTER)));
    sink.flush_if_due(start.after(FLUSH_AFTER / 2));
    assert_eq!(receive(&stream, None), 0);
    sink.flush_if_due(start.after(FLUSH_AFTER));
    assert_eq!(sink.due_at(), None);
    assert_eq!(receive(&stream, None), 1);
    assert_eq!(stats.read(Counter::AccessRecords), 1);
}

#[test]
fn slow_log_drops_new_records_and_counts_each() {
    let (stats, mut sink, stream) = one_worker();
    let target = [b'x'; 1_000];
    let mut kept = Vec::new();
    let mut received = 0;
    for _ in 0..2_000 {
        sink.record(&record_with(&target));
        received += receive(&stream, Some(&mut kept));
    }
    let taken = stats.read(Counter::AccessRecords);
    let dropped = stats.read(Counter::AccessRecordsDropped);
    assert_eq!(taken + dropped, 2_000);
    assert!(dropped > 0);
    assert_eq!(kept.len(), BATCHES_PER_WORKER - 1);

    kept.drain(..).for_each(Batch::give_back);
    sink.flush();
    received += receive(&stream, None);
    assert_eq!(received, taken);
}

#[test]
fn buffers_are_recycled_without_growing() {
    let (stats, mut sink, stream) = one_worker();
    let target = [b'x'; 5_000];
    for _ in 0..20_000 {
        sink.record(&record_with(&target));
        while let Some(Parcel::Batch(batch)) = stream.next_ready() {
            assert_eq!(batch.records.capacity(), BATCH_BYTES);
            batch.give_back();
        }
    }
    assert_eq!(stats.read(Counter::AccessRecordsDropped), 0);
}

#[test]
fn dropping_the_sink_hands_over_the_rest_even_without_a_spare_buffer() {
    let (stats, mut sink, stream) = one_worker();
    for _ in 1..BATCHES_PER_WORKER {
        sink.record(&record_with(b"/"));
        sink.flush();
    }
    sink.record(&record_with(b"/last"));
    drop(sink);
    assert_eq!(receive(&stream, None), stats.read(Counter::AccessRecords));
    assert_eq!(stats.read(Counter::AccessRecordsDropped), 0);
}

#[test]
fn records_for_a_log_that_is_gone_are_counted_as_dropped() {
    let (stats, mut sink, stream) = one_worker();
    drop(stream);
    sink.record(&record_with(b"/"));
    sink.record(&record_with(b"/"));
    sink.flush();
    drop(sink);
    assert_eq!(stats.read(Counter::AccessRecordsDropped), 2);
}

#[test]
fn wake_reaches_a_waiting_stream() {
    let (_stats, _sink, stream) = one_worker();
    let waker = stream.waker();
    for _ in 0..100 {
        waker.wake();
    }
    assert!(matches!(stream.next(), Parcel::Wake));
}
