//! Objects that come block by block.

use super::*;

const CAP: u64 = 64 << 20;
const BLOCK: usize = 64 << 10;

fn begin(disk: &Disk, size: usize) -> Writer {
    disk.begin(label("key"), Some(size as u64), Extension::new("mp4"))
        .unwrap()
}

#[test]
fn block_is_findable_as_soon_as_it_is_whole() {
    let mut fixture = Fixture::new(CAP);
    let body = bytes(1, BLOCK * 4 + 100);
    let mut writer = begin(fixture.disk(), body.len());
    writer
        .write_at(BLOCK as u64, &body[BLOCK..2 * BLOCK])
        .unwrap();
    assert!(find(fixture.disk(), "key").is_none());
    writer.publish_partial().unwrap();
    let blocks = |fixture: &Fixture| -> Vec<u64> {
        let record = find(fixture.disk(), "key").unwrap();
        assert!(!record.is_complete);
        record.blocks.iter().collect()
    };
    assert_eq!(blocks(&fixture), [1]);
    // The last block is short, and written backwards.
    writer
        .write_at(4 * BLOCK as u64 + 50, &body[4 * BLOCK + 50..])
        .unwrap();
    assert!(matches!(writer.commit_block(4), Err(DiskError::Incomplete)));
    assert_eq!(blocks(&fixture), [1]);
    writer
        .write_at(4 * BLOCK as u64, &body[4 * BLOCK..4 * BLOCK + 50])
        .unwrap();
    writer.commit_block(4).unwrap();
    assert_eq!(blocks(&fixture), [1, 4]);
    drop(writer);
    fixture.reopen();
    assert_eq!(blocks(&fixture), [1, 4]);
    let record = find(fixture.disk(), "key").unwrap();
    let Body::File(file) = &record.body else {
        panic!("partial bodies are in files");
    };
    assert!(!file.is_verified(1));
    assert!(fixture.disk().verify_block(record.id, 1).unwrap());
    assert!(file.is_verified(1));
    assert!(!fixture.disk().verify_block(record.id, 2).unwrap());
    assert_eq!(
        read_file(file, BLOCK as u64, BLOCK),
        &body[BLOCK..2 * BLOCK]
    );
}

#[test]
fn last_missing_block_completes_the_object() {
    let mut fixture = Fixture::new(CAP);
    let body = bytes(2, BLOCK * 3);
    let mut writer = begin(fixture.disk(), body.len());
    writer.write_at(0, &body[..BLOCK]).unwrap();
    writer.publish_partial().unwrap();
    let id = writer.id();
    assert!(matches!(writer.complete(), Err(DiskError::Incomplete)));
    fixture.reopen();
    let mut first = fixture.disk().add_blocks(id).unwrap();
    let mut second = fixture.disk().add_blocks(id).unwrap();
    first
        .write_at(BLOCK as u64, &body[BLOCK..BLOCK + 10])
        .unwrap();
    let clash = second.write_at(BLOCK as u64 + 10, &body[BLOCK + 10..BLOCK + 20]);
    assert!(matches!(clash, Err(DiskError::BlockClaimed(1))));
    assert!(matches!(
        second.write_at(5, b"x"),
        Err(DiskError::BlockPresent(0))
    ));
    second
        .write_at(2 * BLOCK as u64, &body[2 * BLOCK..])
        .unwrap();
    drop(first);
    second
        .write_at(BLOCK as u64, &body[BLOCK..2 * BLOCK])
        .unwrap();
    second.complete().unwrap();
    assert_eq!(body_of(fixture.disk(), "key"), Some(body.clone()));
    assert!(matches!(
        fixture.disk().add_blocks(id),
        Err(DiskError::BlockPresent(_))
    ));
    fixture.reopen();
    assert_eq!(body_of(fixture.disk(), "key"), Some(body));
    let listing = fixture.disk().list(b"", None, 10, &mut |_| true).unwrap();
    assert_eq!(listing.objects[0].cost, fixture.disk().stats().bytes);
}

#[test]
fn many_writers_fill_one_object_together() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    let body = bytes(3, BLOCK * 16);
    let mut writer = begin(disk, body.len());
    writer.publish_partial().unwrap();
    let id = writer.id();
    drop(writer);
    std::thread::scope(|scope| {
        for quarter in 0..4 {
            let body = &body;
            scope.spawn(move || {
                let mut writer = disk.add_blocks(id).unwrap();
                for block in (quarter * 4..quarter * 4 + 4).rev() {
                    let start = block * BLOCK;
                    writer
                        .write_at(start as u64, &body[start..start + BLOCK])
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(body_of(disk, "key"), Some(body));
    disk.flush().unwrap();
    let listing = disk.list(b"", None, 10, &mut |_| true).unwrap();
    assert!(listing.objects[0].is_complete);
    assert_eq!(listing.objects[0].cost, disk.stats().bytes);
}

#[test]
fn bytes_being_written_are_readable_in_the_file() {
    let fixture = Fixture::new(CAP);
    let body = bytes(4, 100_000);
    let mut writer = fixture
        .disk()
        .begin(label("key"), None, Extension::default())
        .unwrap();
    writer.write_at(0, &body[..1000]).unwrap();
    let file = Arc::clone(writer.file().unwrap());
    assert_eq!(read_file(&file, 0, 1000), &body[..1000]);
    writer.write_at(1000, &body[1000..]).unwrap();
    assert_eq!(read_file(&file, 0, body.len()), body);
    writer.complete().unwrap();
    assert_eq!(body_of(fixture.disk(), "key"), Some(body));
    assert!(file.share().unwrap().identity().unwrap().size == 100_000);
}

#[test]
fn small_body_that_was_in_a_file_is_packed_when_it_is_complete() {
    let fixture = Fixture::new(CAP);
    let mut writer = fixture
        .disk()
        .begin(label("key"), None, Extension::default())
        .unwrap();
    writer.write_at(0, b"small").unwrap();
    writer.file().unwrap();
    writer.complete().unwrap();
    let record = find(fixture.disk(), "key").unwrap();
    assert!(matches!(record.body, Body::Inline(ref body) if **body == *b"small"));
    assert!(fixture.data_files().is_empty());
}

#[test]
fn removed_object_takes_no_more_blocks() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    let body = bytes(5, BLOCK * 3);
    let mut writer = begin(disk, body.len());
    writer.publish_partial().unwrap();
    remove(disk, &Selection::Key(b"key")).unwrap();
    assert!(matches!(
        writer.write_at(0, &body[..BLOCK]),
        Err(DiskError::Gone)
    ));
    drop(writer);
    disk.flush().unwrap();
    assert!(find(disk, "key").is_none());
    assert_eq!(disk.stats().bytes, 0);
    assert!(fixture.data_files().is_empty());
}

#[test]
fn object_without_a_size_is_not_published_in_part() {
    let fixture = Fixture::new(CAP);
    let mut writer = fixture
        .disk()
        .begin(label("key"), None, Extension::default())
        .unwrap();
    assert!(matches!(
        writer.publish_partial(),
        Err(DiskError::Incomplete)
    ));
    writer.set_size(3).unwrap();
    writer.publish_partial().unwrap();
    writer.write_at(0, b"abc").unwrap();
    writer.complete().unwrap();
    assert_eq!(body_of(fixture.disk(), "key").unwrap(), b"abc");
}

#[test]
fn object_that_was_published_and_committed_before_its_first_byte_takes_blocks() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    let mut writer = disk
        .begin(label("key"), Some(300_000), Extension::default())
        .unwrap();
    writer.file().unwrap();
    writer.publish_partial().unwrap();
    disk.flush().unwrap();
    let content = bytes(1, 300_000);
    for (at, piece) in content.chunks(10_000).enumerate() {
        writer.write_at(at as u64 * 10_000, piece).unwrap();
        disk.flush().unwrap();
    }
    assert!(disk.find(b"key").unwrap()[0].is_complete);
}
