//! Pages over a file in memory.

use super::*;
use redb::StorageBackend as _;

/// A file in memory.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Latch<Vec<u8>>>);

impl MetaFile for Memory {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.lock();
        let start = offset as usize;
        let part = bytes.get(start..start + buffer.len());
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.0.lock();
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        if file.len() < end {
            file.resize(end, 0);
        }
        file[start..end].copy_from_slice(bytes);
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.lock().resize(length as usize, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn held(&self) -> io::Result<u64> {
        self.length()
    }
}

fn open(file: &Memory) -> Result<CheckedPages, DiskError> {
    CheckedPages::open(Box::new(file.clone()), Arc::default())
}

fn page(of: u8) -> Vec<u8> {
    vec![of; PAGE_BYTES]
}

#[test]
fn lengths_map_both_ways() {
    for pages in [0, 1, 2, 3, 1024, 1025, 1026, 1027, 2049, 2050, 5000] {
        let length = pages * PAGE;
        assert_eq!(
            database_length(file_length(length)),
            length,
            "{pages} pages"
        );
    }
}

#[test]
fn pages_are_read_back_across_groups() {
    let file = Memory::default();
    let pages = open(&file).unwrap();
    assert_eq!(pages.len().unwrap(), 0);
    pages.set_len(3000 * PAGE).unwrap();
    assert_eq!(pages.len().unwrap(), 3000 * PAGE);
    let run: Vec<u8> = (0..4).flat_map(page).collect();
    for first in [1, 1022, 2046] {
        pages.write(first * PAGE, &run).unwrap();
        let mut back = vec![9; run.len()];
        pages.read(first * PAGE, &mut back).unwrap();
        assert_eq!(back, run);
    }
    let mut never = page(7);
    pages.read(500 * PAGE, &mut never).unwrap();
    assert_eq!(never, page(0));
    let mut behind = page(0);
    assert!(pages.read(3000 * PAGE, &mut behind).is_err());
}

#[test]
fn flipped_bit_is_an_error() {
    let file = Memory::default();
    let pages = open(&file).unwrap();
    pages.set_len(10 * PAGE).unwrap();
    pages.write(3 * PAGE, &page(5)).unwrap();
    for at in [place(3).0 + 100, place(3).1, place(4).0] {
        file.0.lock()[at as usize] ^= 4;
        let mut back = vec![0; 2 * PAGE_BYTES];
        assert!(pages.read(3 * PAGE, &mut back).is_err());
        file.0.lock()[at as usize] ^= 4;
        pages.read(3 * PAGE, &mut back).unwrap();
    }
    assert!(pages.watch.is_damaged());
}

#[test]
fn page_written_in_anothers_place_is_an_error() {
    let file = Memory::default();
    let pages = open(&file).unwrap();
    pages.set_len(10 * PAGE).unwrap();
    pages.write(3 * PAGE, &page(5)).unwrap();
    let (from, sum_from) = place(3);
    let (to, sum_to) = place(6);
    let mut bytes = file.0.lock();
    bytes.copy_within(from as usize..(from + PAGE) as usize, to as usize);
    bytes.copy_within(sum_from as usize..sum_from as usize + 4, sum_to as usize);
    drop(bytes);
    assert!(pages.read(6 * PAGE, &mut page(0)).is_err());
}

#[test]
fn torn_head_leaves_the_synced_one() {
    let file = Memory::default();
    let pages = open(&file).unwrap();
    pages.set_len(10 * PAGE).unwrap();
    pages.write(0, &[1; 320]).unwrap();
    pages.sync_data().unwrap();
    let synced = file.0.lock().clone();
    pages.write(0, &[2; 320]).unwrap();
    pages.write(0, &[3; 320]).unwrap();
    let written = file.0.lock().clone();
    // Any mixture of what was there and what was written since.
    for cut in (0..2 * COPY_BYTES).step_by(97) {
        let mut torn = synced.clone();
        let end = PAGE_BYTES + cut.min(PAGE_BYTES) + cut.saturating_sub(PAGE_BYTES);
        torn[..end].copy_from_slice(&written[..end]);
        *file.0.lock() = torn;
        let mut head = [0; 320];
        open(&file).unwrap().read(0, &mut head).unwrap();
        assert!(head == [1; 320] || head == [3; 320]);
    }
}

#[test]
fn shrunk_file_has_new_pages_when_it_grows() {
    let file = Memory::default();
    let pages = open(&file).unwrap();
    pages.set_len(10 * PAGE).unwrap();
    pages.write(8 * PAGE, &page(5)).unwrap();
    pages.set_len(4 * PAGE).unwrap();
    pages.set_len(10 * PAGE).unwrap();
    let mut back = page(1);
    pages.read(8 * PAGE, &mut back).unwrap();
    assert_eq!(back, page(0));
}

#[test]
fn other_format_is_refused_and_foreign_bytes_are_damage() {
    let file = Memory::default();
    drop(open(&file).unwrap());
    let mut bytes = file.0.lock().clone();
    bytes[16] = 2;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&MAGIC), &2_u32.to_le_bytes());
    bytes[20..24].copy_from_slice(&sum.to_le_bytes());
    *file.0.lock() = bytes;
    let refused = open(&file);
    assert!(matches!(
        refused,
        Err(DiskError::UnknownFormat { found: 2, known: 1 })
    ));
    file.0.lock()[3] ^= 1;
    assert!(matches!(open(&file), Err(DiskError::Metadata(_))));
    file.0.lock().truncate(100);
    assert!(matches!(open(&file), Err(DiskError::Metadata(_))));
}

#[test]
fn shut_pages_are_neither_read_nor_written() {
    let pages = open(&Memory::default()).unwrap();
    pages.set_len(4 * PAGE).unwrap();
    pages.watch.shut();
    assert!(pages.write(PAGE, &page(1)).is_err());
    assert!(pages.read(PAGE, &mut page(0)).is_err());
    assert!(pages.sync_data().is_err());
}
