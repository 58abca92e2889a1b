//! The bytes that the index of cached responses counts against its cap are those that it takes from the allocator, and
//! a look-up takes none.
#![expect(unsafe_code, reason = "a counting allocator")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use hotplate::index::cached::{Cached, CachedIndex, Matcher, arc_bytes, heap_bytes};
use hotplate::index::eviction::{Counted, UseCount};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Bytes of this thread's blocks with what an allocator adds.
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

fn count(allocations: u64, bytes: i64) {
    ALLOCATIONS.with(|count| count.set(count.get() + allocations));
    LIVE.with(|live| live.set(live.get() + bytes));
}

fn taken(size: usize) -> i64 {
    heap_bytes(size) as i64
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches thread-local numbers only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, taken(layout.size()));
        // SAFETY: the caller keeps the contract, which is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        count(0, -taken(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(address, layout) }
    }

    unsafe fn realloc(&self, address: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, taken(size) - taken(layout.size()));
        // SAFETY: as above.
        unsafe { System.realloc(address, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A stored response that knows what it takes.
struct Response {
    key: Box<[u8]>,
    tags: Box<[Box<[u8]>]>,
    body: Box<[u8]>,
    uses: UseCount,
}

impl Counted for Response {
    fn uses(&self) -> &UseCount {
        &self.uses
    }
}

impl Cached for Response {
    fn key(&self) -> &[u8] {
        &self.key
    }

    fn variant(&self) -> &[u8] {
        b""
    }

    fn weight(&self) -> u64 {
        let own = [arc_bytes::<Self>(), self.key.len(), self.body.len()];
        let list = self.tags.len() * size_of::<Box<[u8]>>();
        let tags = self.tags.iter().map(|tag| tag.len());
        let blocks = own.into_iter().chain([list]).chain(tags);
        blocks.filter(|size| *size > 0).map(heap_bytes).sum()
    }

    fn tags(&self) -> impl Iterator<Item = &[u8]> {
        self.tags.iter().map(|tag| &**tag)
    }
}

fn response(number: u64, body: usize, tags: u64) -> Arc<Response> {
    let tags = (0..tags).map(|tag| format!("tag-{tag}-{}", number / 7));
    Arc::new(Response {
        key: format!("http://media.example.com/{number}.wav")
            .into_bytes()
            .into(),
        tags: tags.map(|tag| tag.into_bytes().into()).collect(),
        body: vec![1; body].into(),
        uses: UseCount::new(),
    })
}

fn live() -> i64 {
    LIVE.with(Cell::get)
}

/// Compares what is counted with what is allocated since `before`.
fn check(index: &CachedIndex<Response>, before: i64, what: &str) {
    let stats = index.stats();
    let allocated = u64::try_from(live() - before).unwrap() + size_of_val(index) as u64;
    assert!(stats.bytes <= stats.cap_bytes, "{what}: {stats:?}");
    // A table's block has a header of its own; an allocator's rounding of large blocks is not ours to know.
    let slack = stats.bytes / 200 + 4096;
    assert!(
        allocated.abs_diff(stats.bytes) <= slack,
        "{what}: {allocated} allocated, {} counted; {stats:?}",
        stats.bytes
    );
}

#[test]
fn bytes_that_are_counted_are_those_that_are_allocated() {
    // What a thread allocates once for its first look-up is not the index's.
    assert!(CachedIndex::<Response>::new(0).find(b"").is_none());
    let before = live();
    let index = CachedIndex::new(16 << 20);
    check(&index, before, "empty");
    let mut numbers = 0..;
    let mut fill = |what: &str, count: usize, body: usize, tags: u64| {
        for (step, number) in numbers.by_ref().take(count).enumerate() {
            assert!(index.insert(response(number, body, tags)).is_stored());
            if let Some(found) =
                index.find(format!("http://media.example.com/{}.wav", number / 2).as_bytes())
            {
                found.iter().for_each(|it| it.uses().bump());
            }
            if step % 997 == 0 {
                check(&index, before, what);
            }
        }
        check(&index, before, what);
    };
    fill("tiny", 100_000, 1, 0);
    fill("tagged", 30_000, 100, 3);
    fill("large", 2_000, 60_000, 1);
    fill("tiny again", 100_000, 10, 0);
    for number in 0..300 {
        let prefix = format!("http://media.example.com/2{:04}", 3 * number);
        index.purge(&Matcher::Prefix(prefix.as_bytes()), |_| None);
    }
    check(&index, before, "purged by prefix");
    drop(index.set_cap(8 << 20));
    check(&index, before, "smaller");
    assert!(index.stats().values > 10_000, "{:?}", index.stats());
    index.purge(&Matcher::All, |_| None);
    check(&index, before, "purged");
    drop(index);
    assert_eq!(live(), before);
}

#[test]
fn overhead_of_a_small_value_is_what_is_documented() {
    let index = CachedIndex::new(256 << 20);
    let empty = index.stats().bytes;
    for number in 0..100_000 {
        assert!(index.insert(response(number, 600, 0)).is_stored());
    }
    let stats = index.stats();
    assert_eq!(stats.values, 100_000);
    let each = (stats.overhead_bytes - empty) / stats.values;
    assert!((64..=128).contains(&each), "{each} bytes a value");
}

#[test]
fn look_up_allocates_nothing() {
    let index = CachedIndex::new(16 << 20);
    for number in 0..1000 {
        assert!(index.insert(response(number, 100, 0)).is_stored());
    }
    let key = response(500, 0, 0).key.clone();
    assert!(index.find(&key).is_some());
    let before = ALLOCATIONS.with(Cell::get);
    for _ in 0..1000 {
        let found = index.find(&key).unwrap();
        found.newest().unwrap().uses().bump();
        assert!(index.find(b"http://media.example.com/none").is_none());
    }
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
}
