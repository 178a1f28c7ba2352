//! A calculator that writes Script: named intermediate numbers instead of stack juggling.
//!
//! Owns the invariant that a [`Var`] always means the same number: every operation copies its operands to the top
//! (`OP_PICK` by the tracked height), leaves exactly one new item per result and never moves an older one. So a
//! leaf reads like arithmetic, and its stack effect is known without running it. Temporaries live until the end of
//! their [`Calc::scope`]. Called by the leaf families; the frame starts above whatever lies below (the witness's
//! unread items), which no operation can reach.
//!
//! Numbers are Script numbers: all operands stay within 31 bits and a sign, the widest are sums of two 16-bit
//! halves. Results depend on the operands only, never on what lies beneath the frame.
//!
//! What an attacker tries: operands outside the range that an operation is written for. All inputs are digits that
//! a Winternitz reader has bounded to `0..16`, or booleans.

mod blake3;
pub(crate) mod product;
pub(crate) mod word;

#[cfg(test)]
mod tests;

use bitcoin::opcodes::all as op;
use bitcoin::opcodes::{OP_0, Opcode};
use std::collections::HashMap;

/// A number known to the script: an item at a fixed height of the frame, or a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Var {
    /// The item at this height of the frame, 0 being the lowest.
    Item(usize),
    /// A literal; costs no stack until it is used.
    Const(i32),
}

/// The script so far and its frame's height.
#[derive(Debug, Default, Clone)]
pub(crate) struct Calc {
    script: Vec<u8>,
    height: usize,
    highest: usize,
    bits: HashMap<Var, [Var; 4]>,
    halves: HashMap<[Var; 8], word::Halves>,
}

impl Calc {
    /// An empty frame with `items` numbers already on it, and their names from the lowest up.
    pub(crate) fn with_items(items: usize) -> (Self, Vec<Var>) {
        let calc = Calc {
            height: items,
            highest: items,
            ..Calc::default()
        };
        (calc, (0..items).map(Var::Item).collect())
    }

    /// Items on the frame now.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// Most items that the frame and the alternative stack held together.
    pub(crate) fn highest(&self) -> usize {
        self.highest
    }

    /// The script, with the whole frame dropped.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.drop_to(0);
        self.script
    }

    /// Appends one opcode that changes the height by `effect`.
    pub(crate) fn op(&mut self, opcode: Opcode, effect: isize) {
        self.script.push(opcode.to_u8());
        self.grow(effect);
    }

    /// Appends a ready-made fragment that changes the height by `effect` and needs up to `extra` items above the
    /// present height while it runs.
    pub(crate) fn fragment(&mut self, bytes: &[u8], effect: isize, extra: usize) {
        self.script.extend_from_slice(bytes);
        self.highest = self.highest.max(self.height + extra);
        self.grow(effect);
    }

    fn grow(&mut self, effect: isize) {
        self.height = self
            .height
            .checked_add_signed(effect)
            .expect("a family never pops below its own frame");
        self.highest = self.highest.max(self.height);
    }

    /// Pushes a literal, minimally encoded.
    pub(crate) fn push(&mut self, number: i32) {
        push_number(&mut self.script, number);
        self.grow(1);
    }

    /// Copies `var` to the top.
    pub(crate) fn pick(&mut self, var: Var) {
        match var {
            Var::Const(number) => self.push(number),
            Var::Item(position) => {
                assert!(position < self.height, "a temporary is used outside its scope");
                match self.height - 1 - position {
                    0 => self.op(op::OP_DUP, 1),
                    1 => self.op(op::OP_OVER, 1),
                    depth => {
                        push_number(
                            &mut self.script,
                            i32::try_from(depth).expect("frames are below 1,000 items"),
                        );
                        self.op(op::OP_PICK, 1);
                    }
                }
            }
        }
    }

    /// Names the top item.
    pub(crate) fn top(&self) -> Var {
        Var::Item(
            self.height
                .checked_sub(1)
                .expect("only called after something was pushed"),
        )
    }

    fn drop_to(&mut self, height: usize) {
        while self.height >= height + 2 {
            self.op(op::OP_2DROP, -2);
        }
        if self.height > height {
            self.op(op::OP_DROP, -1);
        }
        let alive = |v: &Var| !matches!(v, Var::Item(p) if *p >= height);
        self.bits.retain(|k, v| alive(k) && v.iter().all(alive));
        self.halves
            .retain(|k, v| k.iter().all(alive) && alive(&v.hi) && alive(&v.lo));
    }

    /// Runs `body`, keeps only its results and drops all its other temporaries.
    pub(crate) fn scope(&mut self, body: impl FnOnce(&mut Calc) -> Vec<Var>) -> Vec<Var> {
        let base = self.height;
        let mut results = body(self);
        let new: Vec<usize> = (0..results.len())
            .filter(|&i| matches!(results[i], Var::Item(p) if p >= base))
            .collect();
        for &i in new.iter().rev() {
            self.pick(results[i]);
            self.op(op::OP_TOALTSTACK, 0);
            self.height -= 1;
        }
        self.drop_to(base);
        // The altstack held them on top of the still full frame: one extra item each at the worst moment.
        self.highest = self.highest.max(self.height + new.len());
        for &i in &new {
            self.op(op::OP_FROMALTSTACK, 1);
            results[i] = self.top();
        }
        results
    }

    /// Makes `kept` the whole frame, the first one lowest; every other item is gone, older names with them.
    pub(crate) fn reduce(&mut self, kept: &[Var]) {
        for &var in kept.iter().rev() {
            self.pick(var);
            self.op(op::OP_TOALTSTACK, 0);
            self.height -= 1;
        }
        self.highest = self.highest.max(self.height + kept.len());
        self.drop_to(0);
        for _ in kept {
            self.op(op::OP_FROMALTSTACK, 1);
        }
    }

    /// [`Calc::scope`] for a single result.
    pub(crate) fn scope1(&mut self, body: impl FnOnce(&mut Calc) -> Var) -> Var {
        self.scope(|c| vec![body(c)])[0]
    }

    fn binary(&mut self, opcode: Opcode, a: Var, b: Var) -> Var {
        self.pick(a);
        self.pick(b);
        self.op(opcode, -1);
        self.top()
    }

    fn unary(&mut self, opcode: Opcode, a: Var) -> Var {
        self.pick(a);
        self.op(opcode, 0);
        self.top()
    }

    /// `a + b`.
    pub(crate) fn add(&mut self, a: Var, b: Var) -> Var {
        match (a, b) {
            (Var::Const(x), Var::Const(y)) => Var::Const(x + y),
            (x, Var::Const(0)) | (Var::Const(0), x) => x,
            _ => self.binary(op::OP_ADD, a, b),
        }
    }

    /// `a - b`.
    pub(crate) fn sub(&mut self, a: Var, b: Var) -> Var {
        match (a, b) {
            (Var::Const(x), Var::Const(y)) => Var::Const(x - y),
            (x, Var::Const(0)) => x,
            _ => self.binary(op::OP_SUB, a, b),
        }
    }

    /// 1 if `a = b` as numbers, else 0.
    pub(crate) fn eq(&mut self, a: Var, b: Var) -> Var {
        match (a, b) {
            (Var::Const(x), Var::Const(y)) => Var::Const(i32::from(x == y)),
            (x, Var::Const(0)) | (Var::Const(0), x) => self.unary(op::OP_NOT, x),
            _ => self.binary(op::OP_NUMEQUAL, a, b),
        }
    }

    /// 1 if `a ≠ b` as numbers, else 0.
    pub(crate) fn ne(&mut self, a: Var, b: Var) -> Var {
        match (a, b) {
            (Var::Const(x), Var::Const(y)) => Var::Const(i32::from(x != y)),
            _ => self.binary(op::OP_NUMNOTEQUAL, a, b),
        }
    }

    /// 1 if `a < b`, else 0.
    pub(crate) fn lt(&mut self, a: Var, b: Var) -> Var {
        match (a, b) {
            (Var::Const(x), Var::Const(y)) => Var::Const(i32::from(x < y)),
            _ => self.binary(op::OP_LESSTHAN, a, b),
        }
    }

    /// 1 if `a ≥ b`, else 0.
    pub(crate) fn ge(&mut self, a: Var, b: Var) -> Var {
        match (a, b) {
            (Var::Const(x), Var::Const(y)) => Var::Const(i32::from(x >= y)),
            _ => self.binary(op::OP_GREATERTHANOREQUAL, a, b),
        }
    }

    /// Both; the operands are booleans or numbers, taken as "not zero".
    pub(crate) fn and(&mut self, a: Var, b: Var) -> Var {
        match (a, b) {
            (Var::Const(0), _) | (_, Var::Const(0)) => Var::Const(0),
            (Var::Const(_), Var::Const(_)) => Var::Const(1),
            _ => self.binary(op::OP_BOOLAND, a, b),
        }
    }

    /// At least one of them.
    pub(crate) fn or(&mut self, a: Var, b: Var) -> Var {
        match (a, b) {
            (Var::Const(x), Var::Const(y)) => Var::Const(i32::from(x != 0 || y != 0)),
            (Var::Const(x), _) | (_, Var::Const(x)) if x != 0 => Var::Const(1),
            _ => self.binary(op::OP_BOOLOR, a, b),
        }
    }

    /// 1 if `a = 0`, else 0.
    pub(crate) fn not(&mut self, a: Var) -> Var {
        match a {
            Var::Const(x) => Var::Const(i32::from(x == 0)),
            Var::Item(_) => self.unary(op::OP_NOT, a),
        }
    }

    /// All of them; 1 if there are none.
    pub(crate) fn all(&mut self, vars: &[Var]) -> Var {
        vars.iter().fold(Var::Const(1), |acc, &v| match acc {
            Var::Const(1) => v,
            _ => self.and(acc, v),
        })
    }

    /// Any of them; 0 if there are none.
    pub(crate) fn any(&mut self, vars: &[Var]) -> Var {
        vars.iter().fold(Var::Const(0), |acc, &v| match acc {
            Var::Const(0) => v,
            _ => self.or(acc, v),
        })
    }

    /// `a` if `condition` is 1, else `b`.
    pub(crate) fn select(&mut self, condition: Var, a: Var, b: Var) -> Var {
        self.select_all(condition, &[a], &[b])[0]
    }

    /// The whole of `a` if `condition` is 1, else the whole of `b`; both have one length.
    pub(crate) fn select_all(&mut self, condition: Var, a: &[Var], b: &[Var]) -> Vec<Var> {
        assert_eq!(a.len(), b.len(), "both branches must leave the same height");
        if let Var::Const(c) = condition {
            return if c != 0 { a.to_vec() } else { b.to_vec() };
        }
        self.pick(condition);
        self.op(op::OP_IF, -1);
        let base = self.height;
        for &v in a {
            self.pick(v);
        }
        self.op(op::OP_ELSE, 0);
        self.height = base;
        for &v in b {
            self.pick(v);
        }
        self.op(op::OP_ENDIF, 0);
        (base..base + a.len()).map(Var::Item).collect()
    }

    /// Copies the item `depth + more` beneath the present top; callers bound `depth`.
    pub(crate) fn pick_beneath(&mut self, depth: Var, more: usize) -> Var {
        self.pick(depth);
        if more > 0 {
            self.push(i32::try_from(more).expect("frames are below 1,000 items"));
            self.op(op::OP_ADD, -1);
        }
        self.op(op::OP_PICK, 0);
        self.top()
    }

    /// Fails the script unless `condition` is not zero.
    pub(crate) fn require(&mut self, condition: Var) {
        self.pick(condition);
        self.op(op::OP_VERIFY, -1);
    }

    /// The four bits of the digit `nibble`, least significant first. Made once per digit and scope.
    pub(crate) fn bits(&mut self, nibble: Var) -> [Var; 4] {
        if let Var::Const(n) = nibble {
            return [0, 1, 2, 3].map(|i| Var::Const(n >> i & 1));
        }
        if let Some(bits) = self.bits.get(&nibble) {
            return *bits;
        }
        let mut bits = [Var::Const(0); 4];
        self.pick(nibble);
        for i in [3, 2, 1] {
            // remainder → bit, remainder; then the remainder stays on top for the next bit.
            self.op(op::OP_DUP, 1);
            self.push(1 << i);
            self.op(op::OP_GREATERTHANOREQUAL, -1);
            bits[i] = self.bit_below_remainder(1 << i);
        }
        bits[0] = self.top();
        self.bits.insert(nibble, bits);
        bits
    }

    /// `remainder bit → bit remainder'`, where `remainder' = remainder - bit·weight`.
    fn bit_below_remainder(&mut self, weight: i32) -> Var {
        self.op(op::OP_TUCK, 1);
        self.op(op::OP_IF, -1);
        let base = self.height;
        self.push(weight);
        self.op(op::OP_SUB, -1);
        self.height = base;
        self.op(op::OP_ENDIF, 0);
        Var::Item(self.height - 2)
    }
}

/// Appends the minimal push of `number`.
pub(crate) fn push_number(script: &mut Vec<u8>, number: i32) {
    match number {
        0 => script.push(OP_0.to_u8()),
        -1 => script.push(op::OP_PUSHNUM_NEG1.to_u8()),
        1..=16 => script.push(op::OP_PUSHNUM_1.to_u8() + u8::try_from(number - 1).expect("1 to 16")),
        _ => {
            let mut bytes = number.unsigned_abs().to_le_bytes().to_vec();
            while bytes.len() > 1 && bytes.last() == Some(&0) {
                bytes.pop();
            }
            if bytes.last().is_some_and(|b| b & 0x80 != 0) {
                bytes.push(0);
            }
            if number < 0 {
                *bytes.last_mut().expect("at least one byte") |= 0x80;
            }
            script.push(u8::try_from(bytes.len()).expect("at most five bytes"));
            script.extend(bytes);
        }
    }
}
