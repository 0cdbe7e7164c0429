//! A damaged identity is never taken for another one.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use tallyman_store::identity::{Home, HomeError};

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut home = Home::open(dir.path()).unwrap();
    home.bind_group([7; 16]).unwrap();
    home.bind_replica(3).unwrap();
    drop(home);
    let path = dir.path().join("identity");
    let original = fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        matches!(Home::open(dir.path()), Err(HomeError::Damaged { .. }))
    };
    for bit in 0..original.len() * 8 {
        let mut bytes = original.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(refused(&bytes), "bit {bit}");
    }
    for len in 0..original.len() {
        assert!(refused(&original[..len]), "{len} bytes");
    }
    fs::write(&path, &original).unwrap();
    assert_eq!(Home::open(dir.path()).unwrap().identity().replica, Some(3));
}

#[test]
fn what_to_do_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut home = Home::open(dir.path()).unwrap();
    home.bind_group([7; 16]).unwrap();
    let other = home.bind_group([8; 16]).unwrap_err().to_string();
    assert!(other.contains("belongs to group 0707") && other.contains("check `data_dir`"), "{other}");
    let twice = Home::open(dir.path()).unwrap_err().to_string();
    assert!(twice.contains("another process uses it"), "{twice}");
}
