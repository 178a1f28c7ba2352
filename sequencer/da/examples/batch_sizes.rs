//! How small batches get, and which compressor makes them smallest: `cargo run --release -p l2-da --example batch_sizes`.
//!
//! A byte of a batch is a weight unit on Bitcoin, a quarter of a virtual byte.

use std::io::Write;
use std::time::Instant;

use brotli::enc::BrotliEncoderParams;
use l2_da::batch::Content;
use l2_da::commitment::COMMITMENT_BYTES;

#[allow(dead_code, reason = "tests use more of it")]
#[path = "../tests/it/traffic.rs"]
mod traffic;
use traffic::{CHAIN_ID, Mix, traffic};

/// A name, and a function that compresses.
type Compressor = (&'static str, fn(&[u8]) -> Vec<u8>);

fn zstd(bytes: &[u8], level: i32, long: bool) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), level).expect("the level exists");
    encoder
        .set_pledged_src_size(Some(bytes.len() as u64))
        .expect("nothing was written");
    encoder.include_contentsize(false).expect("nothing was written");
    if long {
        encoder.long_distance_matching(true).expect("nothing was written");
        encoder.window_log(24).expect("24 is within zstd's range");
    }
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

fn brotli(bytes: &[u8], quality: i32) -> Vec<u8> {
    let params = BrotliEncoderParams {
        quality,
        lgwin: 24,
        size_hint: bytes.len(),
        ..BrotliEncoderParams::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut out, &params).expect("reading and writing memory");
    out
}

fn main() {
    let compressors: [Compressor; 8] = [
        ("none", |bytes| bytes.to_vec()),
        ("zstd 3", |bytes| zstd(bytes, 3, false)),
        ("zstd 9", |bytes| zstd(bytes, 9, false)),
        ("zstd 19", |bytes| zstd(bytes, 19, false)),
        ("zstd 22 long", |bytes| zstd(bytes, 22, true)),
        ("brotli 5", |bytes| brotli(bytes, 5)),
        ("brotli 9", |bytes| brotli(bytes, 9)),
        ("brotli 11", |bytes| brotli(bytes, 11)),
    ];
    let mixes = [
        (Mix::StrangerTransfers, 4_000),
        (Mix::Transfers, 4_000),
        (Mix::Transfers, 400),
        (Mix::Tokens, 3_000),
        (Mix::Everything, 3_000),
    ];
    println!("| traffic | transactions | as they are | dense | columns |");
    println!("| --- | --- | --- | --- | --- |");
    let mut measured = Vec::new();
    for (mix, count) in mixes {
        let content = traffic(mix, count, 1);
        let columns = content.columns(CHAIN_ID).expect("blocks of one chain");
        let raw: usize = raw(&content);
        let a = |bytes: usize| bytes as f64 / count as f64;
        println!(
            "| {mix:?} | {count} | {:.1} | {:.1} | {:.1} |",
            a(raw),
            a(columns.dense.len()),
            a(columns.sparse.len())
        );
        measured.push((mix, count, content, columns));
    }
    println!("\n| traffic | transactions | compressor | columns | columns and dense | ms |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (mix, count, _, columns) in &measured {
        for (name, compress) in &compressors {
            let start = Instant::now();
            let frame = compress(&columns.sparse).len();
            let took = start.elapsed();
            let a = |bytes: usize| bytes as f64 / *count as f64;
            println!(
                "| {mix:?} | {count} | {name} | {:.2} | {:.2} | {} |",
                a(frame),
                a(frame + columns.dense.len()),
                took.as_millis()
            );
        }
    }
    // What columns are good for: the transactions one after the other.
    println!("\n| traffic | transactions | without columns, brotli 11 |");
    println!("| --- | --- | --- |");
    for (mix, count, content, _) in &measured {
        let list: Vec<u8> = content
            .blocks
            .iter()
            .flat_map(|block| block.transactions.iter().flatten().copied())
            .collect();
        println!(
            "| {mix:?} | {count} | {:.2} |",
            brotli(&list, 11).len() as f64 / *count as f64
        );
    }
    let (_, count, content, _) = &measured[1];
    let data = content.encode(CHAIN_ID).expect("blocks of one chain");
    // Pushes of 520 bytes have three bytes of their own.
    let inscribed = (data.len() + COMMITMENT_BYTES) as f64 * 523.0 / 520.0;
    println!("\nda.bytes_per_transfer {:.1}", inscribed / *count as f64);
    let start = Instant::now();
    let again = Content::decode(&data, CHAIN_ID).expect("just encoded");
    assert_eq!(again, *content);
    println!("decoding {count} transfers: {} ms", start.elapsed().as_millis());
}

fn raw(content: &Content) -> usize {
    let all = content.blocks.iter().flat_map(|block| &block.transactions);
    all.map(|bytes| bytes.len()).sum()
}
