//! What compression costs and saves: zstd level 1, in use, beside lz4.
//!
//! `cargo run --release -p fleet-journal --example codec`

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::time::Instant;

fn main() {
    println!(
        "{:>6} {:12} {:>7} {:>14} {:>15}",
        "batch", "", "ratio", "µs/event in", "µs/event out"
    );
    for size in [1, 8, 64, 1000] {
        let count = (20_000 / size).max(20);
        let bodies: Vec<Vec<u8>> = (0..count)
            .map(|index| support::events(index * size, size))
            .collect();
        let lz4_in = |body: &[u8]| lz4_flex::block::compress_prepend_size(body);
        let lz4_out = |body: &[u8], _| lz4_flex::block::decompress_size_prepended(body).unwrap();
        measure("lz4 block", size, &bodies, lz4_in, lz4_out);
        for level in [1, 3] {
            let mut compressor = zstd::bulk::Compressor::new(level).unwrap();
            let mut decompressor = zstd::bulk::Decompressor::new().unwrap();
            let zstd_in = |body: &[u8]| compressor.compress(body).unwrap();
            let zstd_out = |body: &[u8], length| decompressor.decompress(body, length).unwrap();
            measure(&format!("zstd {level}"), size, &bodies, zstd_in, zstd_out);
        }
    }
}

fn measure(
    name: &str,
    size: u64,
    bodies: &[Vec<u8>],
    mut compress: impl FnMut(&[u8]) -> Vec<u8>,
    mut decompress: impl FnMut(&[u8], usize) -> Vec<u8>,
) {
    let events = bodies.len() as f64 * size as f64;
    let start = Instant::now();
    let stored: Vec<Vec<u8>> = bodies.iter().map(|body| compress(body)).collect();
    let time_in = start.elapsed().as_secs_f64() * 1e6 / events;
    let start = Instant::now();
    for (stored, body) in stored.iter().zip(bodies) {
        assert_eq!(&decompress(stored, body.len()), body);
    }
    let time_out = start.elapsed().as_secs_f64() * 1e6 / events;
    let total = |bodies: &[Vec<u8>]| bodies.iter().map(Vec::len).sum::<usize>() as f64;
    println!(
        "{size:6} {name:12} {:7.2} {time_in:14.2} {time_out:15.2}",
        total(bodies) / total(&stored)
    );
}
