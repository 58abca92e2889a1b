//! Records there and back, and everything that is no record.

use super::*;
use proptest::prelude::*;

fn bytes(most: usize) -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(any::<u8>(), 0..most).prop_map(Into::into)
}

fn label() -> impl Strategy<Value = Label> {
    let tags = prop::collection::vec(bytes(20), 0..4);
    let fields = (bytes(40), bytes(20), bytes(200), tags);
    fields.prop_map(|(key, variant, meta, tags)| Label {
        key,
        variant,
        meta,
        tags,
    })
}

fn stored() -> impl Strategy<Value = Stored> {
    let blocks = prop::collection::btree_map(0_u64..40, any::<u32>(), 0..20);
    let body = prop_oneof![
        bytes(300).prop_map(|body| StoredBody::Inline(body.into())),
        blocks.prop_map(|blocks| {
            let mut map = BlockMap::default();
            for (number, sum) in blocks {
                map.insert(number, sum).unwrap();
            }
            StoredBody::File(map)
        }),
    ];
    let sizes = (1_u32..1 << 21, prop::option::of(0_u64..1 << 40));
    let fields = (
        any::<u64>(),
        label(),
        "[a-z0-9]{0,8}",
        sizes,
        any::<bool>(),
        body,
    );
    fields.prop_map(|(id, label, extension, (block, size), is_complete, body)| {
        let size = match &body {
            StoredBody::Inline(body) => Some(body.len() as u64),
            StoredBody::File(_) => size,
        };
        Stored {
            id: ObjectId(id),
            label,
            extension: Extension::new(&extension),
            block,
            size,
            is_complete,
            body,
        }
    })
}

proptest! {
    #[test]
    fn record_is_read_back_as_written(stored in stored()) {
        let encoded = stored.encode();
        prop_assert_eq!(Stored::decode(stored.id, &encoded), Some(stored.clone()));
        prop_assert_eq!(Stored::decode(ObjectId(stored.id.0 ^ 1), &encoded), None);
        prop_assert!(stored.cost() >= encoded.len() as u64);
    }

    #[test]
    fn record_with_a_flipped_bit_is_refused(stored in stored(), at: prop::sample::Index) {
        let mut encoded = stored.encode();
        let bit = at.index(encoded.len() * 8);
        encoded[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(Stored::decode(stored.id, &encoded), None);
    }

    #[test]
    fn record_cut_short_is_refused(stored in stored(), at: prop::sample::Index) {
        let encoded = stored.encode();
        let cut = &encoded[..at.index(encoded.len())];
        prop_assert_eq!(Stored::decode(stored.id, cut), None);
        let fields = &encoded[..encoded.len() - CHECKSUM];
        prop_assert!(is_record(stored.id, fields));
    }

    #[test]
    fn any_bytes_are_read_without_harm(id: u64, mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!is_record(ObjectId(id), &bytes) || bytes[0] == FORMAT);
        if let Some(first) = bytes.first_mut() {
            *first = FORMAT;
        }
        // Whether it is one depends on the bytes; that it is read without harm must not.
        let first = is_record(ObjectId(id), &bytes);
        prop_assert_eq!(first, is_record(ObjectId(id), &bytes));
        }
}

#[test]
fn cost_counts_the_blocks_that_are_there() {
    let mut stored = Stored {
        id: ObjectId(1),
        label: Label::default(),
        extension: Extension::default(),
        block: 1 << 20,
        size: Some((3 << 20) + 1),
        is_complete: false,
        body: StoredBody::File(BlockMap::default()),
    };
    let none = stored.cost();
    let mut map = BlockMap::default();
    map.insert(0, 0).unwrap();
    stored.body = StoredBody::File(map.clone());
    let one = stored.cost();
    assert!(one >= none + (1 << 20) && one < none + (1 << 20) + 4096);
    map.insert(3, 0).unwrap();
    stored.body = StoredBody::File(map);
    // The last block is one byte long, and takes a unit of the file system.
    assert!(stored.cost() - one >= 4096 && stored.cost() - one < 4096 + 64);
    assert_eq!(stored.file_length(), (3 << 20) + 1);
}

#[test]
fn label_with_too_much_is_refused() {
    let label = |key: usize, tags: usize, tag: usize| Label {
        key: vec![1; key].into(),
        tags: vec![vec![1; tag].into(); tags],
        ..Label::default()
    };
    assert!(label(1, TAGS_MAX, TAG_MAX).check().is_ok());
    for bad in [
        label(0, 0, 0),
        label(KEY_MAX + 1, 0, 0),
        label(1, TAGS_MAX + 1, 1),
        label(1, 1, TAG_MAX + 1),
    ] {
        assert!(matches!(bad.check(), Err(DiskError::TooLong)));
    }
}
