//! Prints what script operations cost: `cargo run -p taptree-commit --example script_sizes`.
//!
//! Each line is an operation, the bytes that its first use in a leaf adds and those that a second use adds (tables are pushed
//! once), with operands near the top of the stack and the final drop of what it leaves included.

use taptree_commit::script::{Int, ScriptBuilder, Word};

/// Bytes of a leaf that runs the operation `times`.
fn bytes(times: usize, operation: &dyn Fn(&mut ScriptBuilder, &[Word], &Int)) -> usize {
    let mut s = ScriptBuilder::new();
    let words: Vec<Word> = (0..4)
        .map(|i| s.read_unsigned(&format!("w{i}"), 8).word(0))
        .collect();
    let index = s.read_unsigned("index", 1).nibble(0);
    // The first fetch brings everything back from where the reads put it.
    let one = s.constant(1);
    s.drop(one);
    for _ in 0..times {
        operation(&mut s, &words, &index);
    }
    s.finish().expect("every operation is well formed").len()
}

fn show(name: &str, operation: &dyn Fn(&mut ScriptBuilder, &[Word], &Int)) {
    let [none, once, twice] = [0, 1, 2].map(|times| bytes(times, operation));
    println!("{name:28} {:6} {:6}", once - none, twice - once);
}

fn main() {
    println!("{:28} {:>6} {:>6}", "operation", "first", "next");
    show("eq", &|s, w, _| {
        s.eq(&w[0], &w[1]);
    });
    show("assert_eq", &|s, w, _| s.assert_eq(&w[0], &w[1]));
    show("is_zero", &|s, w, _| {
        s.is_zero(&w[0]);
    });
    show("is_negative", &|s, w, _| {
        s.is_negative(&w[0]);
    });
    show("lt_unsigned", &|s, w, _| {
        s.lt_unsigned(&w[0], &w[1]);
    });
    show("lt_signed", &|s, w, _| {
        s.lt_signed(&w[0], &w[1]);
    });
    show("add", &|s, w, _| {
        s.add(&w[0], &w[1]);
    });
    show("add constant", &|s, w, _| {
        s.add(&w[0], 4u32);
    });
    show("add_overflow", &|s, w, _| {
        s.add_overflow(&w[0], &w[1]);
    });
    show("sub", &|s, w, _| {
        s.sub(&w[0], &w[1]);
    });
    show("sub_overflow", &|s, w, _| {
        s.sub_overflow(&w[0], &w[1]);
    });
    show("not_bits", &|s, w, _| {
        s.not_bits(&w[0]);
    });
    show("and", &|s, w, _| {
        s.and(&w[0], &w[1]);
    });
    show("or", &|s, w, _| {
        s.or(&w[0], &w[1]);
    });
    show("xor", &|s, w, _| {
        s.xor(&w[0], &w[1]);
    });
    show("nor", &|s, w, _| {
        s.nor(&w[0], &w[1]);
    });
    show("field_opcode", &|s, w, _| {
        s.field_opcode(&w[0]);
    });
    show("field_rs", &|s, w, _| {
        s.field_rs(&w[0]);
    });
    show("field_rt", &|s, w, _| {
        s.field_rt(&w[0]);
    });
    show("field_rd", &|s, w, _| {
        s.field_rd(&w[0]);
    });
    show("field_sa", &|s, w, _| {
        s.field_sa(&w[0]);
    });
    show("field_funct", &|s, w, _| {
        s.field_funct(&w[0]);
    });
    show("sign_extend 16", &|s, w, _| {
        let half = s.field_immediate(&w[0]);
        s.sign_extend(&half);
    });
    show("jump_target", &|s, w, _| {
        s.jump_target(&w[0], &w[1]);
    });
    show("leading_zeros", &|s, w, _| {
        s.leading_zeros(&w[0]);
    });
    show("leading_ones", &|s, w, _| {
        s.leading_ones(&w[0]);
    });
    show("shl 2", &|s, w, _| {
        s.shl(&w[0], 2);
    });
    show("shl 16", &|s, w, _| {
        s.shl(&w[0], 16);
    });
    show("sar 5", &|s, w, _| {
        s.sar(&w[0], 5);
    });
    show("shl_by", &|s, w, i| {
        s.shl_by(&w[0], i);
    });
    show("shr_by", &|s, w, i| {
        s.shr_by(&w[0], i);
    });
    show("sar_by", &|s, w, i| {
        s.sar_by(&w[0], i);
    });
    show("rotr_by", &|s, w, i| {
        s.rotr_by(&w[0], i);
    });
    show("choose 1 of 4 words", &|s, w, i| {
        s.choose(w, i);
    });
    show("substitute 1 of 4 words", &|s, w, i| {
        let words: Vec<Word> = w.iter().map(|word| s.copy(word)).collect();
        s.substitute(words, i, &w[0]);
    });
    show("select_word", &|s, w, i| {
        let flag = s.int_is_zero(i);
        s.select_word(flag, &w[0], &w[1]);
    });
    show("load_byte_signed", &|s, w, i| {
        s.load_byte_signed(&w[0], i);
    });
    show("load_half", &|s, w, i| {
        s.load_half(&w[0], i);
    });
    show("load_word_left", &|s, w, i| {
        s.load_word_left(&w[0], &w[1], i);
    });
    show("store_byte", &|s, w, i| {
        s.store_byte(&w[0], &w[1], i);
    });
    show("store_half", &|s, w, i| {
        s.store_half(&w[0], &w[1], i);
    });
    show("multiply_unsigned", &|s, w, _| {
        s.multiply_unsigned(&w[0], &w[1]);
    });
    show("multiply_signed", &|s, w, _| {
        s.multiply_signed(&w[0], &w[1]);
    });
    show("multiply_low", &|s, w, _| {
        s.multiply_low(&w[0], &w[1]);
    });
    show("is_division_unsigned", &|s, w, _| {
        s.is_division_unsigned(&w[0], &w[1], &w[2], &w[3]);
    });
    show("is_division_signed", &|s, w, _| {
        s.is_division_signed(&w[0], &w[1], &w[2], &w[3]);
    });

    for (name, variable_chaining) in [("blake3_node", false), ("blake3_compress", true)] {
        let mut s = ScriptBuilder::new();
        let block = s.read_unsigned("block", 128);
        let chaining = variable_chaining.then(|| s.read_unsigned("chaining", 64));
        let before = s.len();
        match chaining {
            Some(chaining) => s.blake3_compress(chaining, block, 64, 0),
            None => s.blake3_node(block.slice(0, 64), block.slice(64, 128)),
        };
        let leaf = s.finish().expect("well formed");
        println!(
            "{name:28} {:6}        depth {}",
            leaf.len() - before,
            leaf.max_depth
        );
    }

    for (name, with_addition) in [("sha256_rounds", false), ("sha256_compress", true)] {
        let mut s = ScriptBuilder::new();
        let block = s.read_unsigned("block", 128);
        let chaining = s.read_unsigned("chaining", 64);
        let before = s.len();
        if with_addition {
            s.sha256_compress(chaining, block);
        } else {
            s.sha256_rounds(chaining, block);
        }
        let leaf = s.finish().expect("well formed");
        println!(
            "{name:28} {:6}        depth {}",
            leaf.len() - before,
            leaf.max_depth
        );
    }

    // What it takes to write the largest leaves.
    let start = std::time::Instant::now();
    for _ in 0..100 {
        let mut s = ScriptBuilder::new();
        let block = s.read_unsigned("block", 128);
        s.blake3_node(block.slice(0, 64), block.slice(64, 128));
        s.finish().expect("well formed");
    }
    println!(
        "writing a node's compression {:.2} ms",
        start.elapsed().as_secs_f64() * 10.0
    );
    let start = std::time::Instant::now();
    for _ in 0..10 {
        let mut s = ScriptBuilder::new();
        let block = s.read_unsigned("block", 128);
        let chaining = s.read_unsigned("chaining", 64);
        s.sha256_rounds(chaining, block);
        s.finish().expect("well formed");
    }
    println!(
        "writing SHA-256's rounds {:.2} ms",
        start.elapsed().as_secs_f64() * 100.0
    );
}
