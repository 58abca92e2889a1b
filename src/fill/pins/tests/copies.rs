//! Pins that are copies in sealed memory.

use super::*;

const SIZE: usize = 64 << 10;

fn rules(bench: &Bench) -> Vec<PinRule> {
    let glob = bench.path("*.wav");
    vec![rule(glob, "/", Hold::Memory, OnChange::Swap)]
}

fn is_sealed(bench: &Bench, url: &str) -> bool {
    let entry = bench.entry(url).unwrap();
    let Held::Sealed(memory) = entry.identity.object.held() else {
        return false;
    };
    let seals = rustix::fs::fcntl_get_seals(memory).unwrap();
    seals.contains(rustix::fs::SealFlags::WRITE)
}

#[test]
fn copies_of_a_load_share_a_descriptor_and_one_change_takes_another() {
    let mut bench = Bench::new();
    for number in 0..100_u8 {
        bench.write(&format!("{number}.wav"), vec![number; SIZE]);
    }
    let rules = rules(&bench);
    let totals = bench.start(rules.clone()).totals;
    assert_eq!((totals.ready, totals.descriptors), (100, 1));
    assert_eq!(totals.memory_bytes, 100 * SIZE as u64);
    assert!(totals.memory_held_bytes >= totals.memory_bytes);
    for number in 0..100_u8 {
        let url = format!("/{number}.wav");
        assert!(is_sealed(&bench, &url));
        assert!(bench.body(&url).unwrap() == [number; SIZE]);
    }
    bench.write("7.wav", vec![200; SIZE]);
    bench.wait_for_body("one of a region", "/7.wav", &[200; SIZE]);
    assert!(is_sealed(&bench, "/7.wav"));
    let totals = bench.report().totals;
    assert_eq!(totals.descriptors, 2);
    assert_eq!(totals.memory_bytes, 100 * SIZE as u64);
    let board = bench.board.as_ref().unwrap();
    // Nothing changed, so nothing is copied again.
    let reloaded = board.reload(rules).unwrap().totals;
    assert_eq!(reloaded.descriptors, 2);
    assert_eq!(reloaded.memory_held_bytes, totals.memory_held_bytes);
    let totals = board.reload(Vec::new()).unwrap().totals;
    assert_eq!((totals.descriptors, totals.memory_held_bytes), (0, 0));
}
