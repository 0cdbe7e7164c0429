//! The Tallyman binary.

fn main() {}
