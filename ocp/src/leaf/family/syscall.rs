//! Family 12: every system call: its class, its answer, the word it changes, claim words and hints.
//!
//! A call's number and arguments are state words (`$v0` = word 9, `$a0..$a2` = words 11..13), so these leaves read
//! them directly. Calls with the same constant answer share a leaf; the table is the emulator's.

use super::super::calc::word::{Digits, Halves};
use super::super::calc::{Calc, Var};
use super::super::contradiction::{ClassSet, Contradiction, Inputs, class, open};
use super::super::terms::{ADDRESS_END, LOWEST_ADDRESS, Terms};
use crate::field::{OpenField, word};
use crate::message::Published;
use crate::opening::Opening;
use crate::value::ValueId;
use zkvm_emulator::hash;
use zkvm_emulator::syscall as call;

const NUMBER: OpenField = OpenField::Word(word::R1 + 1);
const A0: OpenField = OpenField::Word(word::R1 + 3);
const A1: OpenField = OpenField::Word(word::R1 + 4);
const A2: OpenField = OpenField::Word(word::R1 + 5);

/// Pages of 4096 bytes below the highest heap address.
const HEAP_PAGES: i32 = (zkvm_emulator::state::HEAP_END / 4096) as i32;

/// A rule about a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SyscallLeaf {
    /// Class Exit for another call.
    ExitClaimed,
    /// An answer from `exit` or `exit_group`.
    ExitDue,
    /// Class BadClaim, but the call is no `claim`, or its index is good.
    BadClaimClaimed,
    /// An answer from `claim` with a bad index.
    BadClaimDue,
    /// Class BadHint, but the call is no hint, or its index and key are good.
    BadHintClaimed,
    /// An answer from a hint with a bad index or key.
    BadHintDue,
    /// An error from a call that never fails.
    NeverFails,
    /// A call with a constant answer (or an unknown one) that answers something else. The group's number.
    Constant(u8),
    /// `write` does not answer its length.
    Write,
    /// `mmap`: class, answer or `heap'` is wrong.
    Mmap,
    /// `heap` changes in another call.
    HeapKept,
    /// `set_thread_area` does not answer 0.
    ThreadAreaAnswer,
    /// `set_thread_area`: `tls'` is not its argument.
    ThreadAreaTls,
    /// `tls` changes in another call.
    TlsKept,
    /// A hint's address is not its key.
    HintKey,
    /// A hint's answer is not the preimage's word.
    HintWord,
    /// The preimage does not hash to the leaf at the key.
    HintHash,
}

/// Calls that share one constant answer.
struct Group {
    value: u32,
    ok: bool,
    /// Their numbers; for the last group, the numbers that are *not* in it.
    numbers: Vec<u32>,
}

/// Constant answers by answer, in order of first appearance; the last group is "everything else": ENOSYS.
fn groups() -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let fails = |value: u32, ok: bool| !ok && value == call::ENOSYS;
    for answer in call::CONSTANT_ANSWERS {
        if fails(answer.value, answer.ok) {
            continue;
        }
        match groups
            .iter_mut()
            .find(|g| (g.value, g.ok) == (answer.value, answer.ok))
        {
            Some(group) => group.numbers.push(answer.number),
            None => groups.push(Group {
                value: answer.value,
                ok: answer.ok,
                numbers: vec![answer.number],
            }),
        }
    }
    let mut known: Vec<u32> = groups.iter().flat_map(|g| g.numbers.iter().copied()).collect();
    known.extend([call::EXIT, call::EXIT_GROUP, call::WRITE, call::MMAP, call::MMAP2]);
    known.extend([call::SET_THREAD_AREA, call::CLAIM, call::HINT_BLAKE3]);
    groups.push(Group {
        value: call::ENOSYS,
        ok: false,
        numbers: known,
    });
    groups
}

impl SyscallLeaf {
    /// Every leaf of the family.
    pub fn all() -> Vec<SyscallLeaf> {
        use SyscallLeaf::*;
        let constants = (0u8..).zip(groups()).map(|(i, _)| Constant(i));
        [
            ExitClaimed,
            ExitDue,
            BadClaimClaimed,
            BadClaimDue,
            BadHintClaimed,
            BadHintDue,
            NeverFails,
            Write,
            Mmap,
            HeapKept,
            ThreadAreaAnswer,
            ThreadAreaTls,
            TlsKept,
            HintKey,
            HintWord,
            HintHash,
        ]
        .into_iter()
        .chain(constants)
        .collect()
    }
}

fn state_word(o: &Opening, field: OpenField) -> u32 {
    match field {
        OpenField::Word(i) => o.words[usize::from(i)],
        _ => unreachable!("only state words are asked for"),
    }
}

/// The call's number and arguments as the state before has them.
fn arguments(o: &Opening) -> [u32; 4] {
    [NUMBER, A0, A1, A2].map(|field| state_word(o, field))
}

fn is_bad_hint(key: u32, index: u32) -> bool {
    index >= call::HINT_BLAKE3_WORDS || key & 31 != 0 || !(LOWEST_ADDRESS..ADDRESS_END).contains(&key)
}

impl Contradiction for SyscallLeaf {
    fn classes(&self) -> ClassSet {
        use SyscallLeaf::*;
        match self {
            ExitClaimed => ClassSet::of(&[class::EXIT]),
            BadClaimClaimed => ClassSet::of(&[class::BAD_CLAIM]),
            BadHintClaimed => ClassSet::of(&[class::BAD_HINT]),
            NeverFails => ClassSet::of(&[class::SYSCALL_ERR]),
            Write | ThreadAreaAnswer | HintKey | HintWord | HintHash => ClassSet::of(&[class::SYSCALL_OK]),
            ExitDue | BadClaimDue | BadHintDue | Constant(_) | Mmap | HeapKept | ThreadAreaTls | TlsKept => {
                ClassSet::ANSWERED
            }
        }
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        use OpenField as F;
        use SyscallLeaf::*;
        let (heap, tls) = (F::Word(word::HEAP), F::Word(word::TLS));
        let fields: &[OpenField] = match self {
            ExitClaimed | ExitDue | NeverFails => &[],
            BadClaimClaimed | BadClaimDue => &[A0],
            BadHintClaimed | BadHintDue => &[A0, A1],
            Constant(_) | ThreadAreaAnswer => &[F::Value],
            Write => &[A2, F::Value],
            Mmap => &[A0, A1, heap, F::Value, F::HeapNext],
            HeapKept => &[heap, F::HeapNext],
            ThreadAreaTls => &[A0, F::TlsNext],
            TlsKept => &[tls, F::TlsNext],
            HintKey => &[A0, F::Addr],
            HintWord => &[A1, F::Value, F::Hint],
            HintHash => &[F::OldLeaf, F::Hint],
        };
        open(&[&[NUMBER], fields].concat())
    }

    fn holds(&self, terms: &Terms, published: &Published) -> Option<bool> {
        use SyscallLeaf::*;
        let o = published.opening()?;
        let [number, a0, a1, a2] = arguments(o);
        let exits = number == call::EXIT || number == call::EXIT_GROUP;
        let bad_claim = number == call::CLAIM && a0 >= u32::from(terms.plan.claim_words());
        let bad_hint = number == call::HINT_BLAKE3 && is_bad_hint(a0, a1);
        let maps = number == call::MMAP || number == call::MMAP2;
        let (heap, tls) = (o.words[usize::from(word::HEAP)], o.words[usize::from(word::TLS)]);
        let hints = number == call::HINT_BLAKE3;
        Some(match self {
            ExitClaimed => !exits,
            ExitDue => exits,
            BadClaimClaimed => !bad_claim,
            BadClaimDue => bad_claim,
            BadHintClaimed => !bad_hint,
            BadHintDue => bad_hint,
            NeverFails => {
                [call::WRITE, call::SET_THREAD_AREA, call::CLAIM, call::HINT_BLAKE3].contains(&number)
            }
            Constant(group) => {
                let groups = groups();
                let last = usize::from(*group) + 1 == groups.len();
                let group = groups.get(usize::from(*group))?;
                let mine = group.numbers.contains(&number) != last;
                mine && (o.class == class::SYSCALL_OK, o.value) != (group.ok, group.value)
            }
            Write => number == call::WRITE && o.value != a2,
            Mmap => {
                let due = match call::mmap(a0, a1, heap) {
                    Ok((address, end)) => (class::SYSCALL_OK, address, end),
                    Err(errno) => (class::SYSCALL_ERR, errno, heap),
                };
                maps && due != (o.class, o.value, o.heap_next)
            }
            HeapKept => !maps && o.heap_next != heap,
            ThreadAreaAnswer => number == call::SET_THREAD_AREA && o.value != 0,
            ThreadAreaTls => number == call::SET_THREAD_AREA && o.tls_next != a0,
            TlsKept => number != call::SET_THREAD_AREA && o.tls_next != tls,
            HintKey => hints && o.addr != a0,
            HintWord => {
                let at = 32 + 4 * (a1 & 15) as usize;
                let bytes = [o.hint[at], o.hint[at + 1], o.hint[at + 2], o.hint[at + 3]];
                hints && o.value != u32::from_be_bytes(bytes)
            }
            HintHash => hints && *blake3::hash(&o.hint[32..]).as_bytes() != o.old_leaf,
        })
    }

    fn require(&self, terms: &Terms, c: &mut Calc, inputs: &Inputs) {
        use SyscallLeaf::*;
        let number = c.halves(&inputs.word(NUMBER));
        let is = |c: &mut Calc, numbers: &[u32]| {
            c.scope1(|c| {
                numbers.iter().fold(Var::Const(0), |any, &n| {
                    let hit = c.eq32(number, Halves::literal(n));
                    c.or(any, hit)
                })
            })
        };
        let only = |c: &mut Calc, numbers: &[u32]| {
            let mine = is(c, numbers);
            c.require(mine);
        };
        let except = |c: &mut Calc, numbers: &[u32]| {
            let mine = is(c, numbers);
            let other = c.not(mine);
            c.require(other);
        };
        match self {
            ExitClaimed => except(c, &[call::EXIT, call::EXIT_GROUP]),
            ExitDue => only(c, &[call::EXIT, call::EXIT_GROUP]),
            NeverFails => only(
                c,
                &[call::WRITE, call::SET_THREAD_AREA, call::CLAIM, call::HINT_BLAKE3],
            ),
            BadClaimClaimed | BadClaimDue => {
                let claims = is(c, &[call::CLAIM]);
                let index = c.halves(&inputs.word(A0));
                let good = c.lt_unsigned(index, Halves::literal(u32::from(terms.plan.claim_words())));
                let beyond = c.not(good);
                let due = c.and(claims, beyond);
                let holds = if *self == BadClaimDue { due } else { c.not(due) };
                c.require(holds);
            }
            BadHintClaimed | BadHintDue => {
                let hints = is(c, &[call::HINT_BLAKE3]);
                let bad = bad_hint_in_script(c, inputs);
                let due = c.and(hints, bad);
                let holds = if *self == BadHintDue { due } else { c.not(due) };
                c.require(holds);
            }
            Constant(index) => {
                let groups = groups();
                let last = usize::from(*index) + 1 == groups.len();
                let group = groups
                    .get(usize::from(*index))
                    .expect("leaves are enumerated from the groups");
                if last {
                    except(c, &group.numbers)
                } else {
                    only(c, &group.numbers)
                }
                let due_class = if group.ok {
                    class::SYSCALL_OK
                } else {
                    class::SYSCALL_ERR
                };
                let other_class = c.ne(inputs.class(), Var::Const(i32::from(due_class)));
                let value = c.halves(&inputs.word(OpenField::Value));
                let other_value = c.ne32(value, Halves::literal(group.value));
                let differs = c.or(other_class, other_value);
                c.require(differs);
            }
            Write => {
                only(c, &[call::WRITE]);
                require_differ(c, inputs.field(A2), inputs.field(OpenField::Value));
            }
            Mmap => {
                only(c, &[call::MMAP, call::MMAP2]);
                let wrong = wrong_mapping(c, inputs);
                c.require(wrong);
            }
            HeapKept => {
                except(c, &[call::MMAP, call::MMAP2]);
                let heap = inputs.field(OpenField::Word(word::HEAP));
                require_differ(c, heap, inputs.field(OpenField::HeapNext));
            }
            ThreadAreaAnswer => {
                only(c, &[call::SET_THREAD_AREA]);
                let nonzero = c.any(inputs.field(OpenField::Value));
                c.require(nonzero);
            }
            ThreadAreaTls => {
                only(c, &[call::SET_THREAD_AREA]);
                require_differ(c, inputs.field(A0), inputs.field(OpenField::TlsNext));
            }
            TlsKept => {
                except(c, &[call::SET_THREAD_AREA]);
                let tls = inputs.field(OpenField::Word(word::TLS));
                require_differ(c, tls, inputs.field(OpenField::TlsNext));
            }
            HintKey => {
                only(c, &[call::HINT_BLAKE3]);
                require_differ(c, inputs.field(A0), inputs.field(OpenField::Addr));
            }
            HintWord => {
                only(c, &[call::HINT_BLAKE3]);
                let index = c.bits(inputs.word(A1)[7]);
                let due = c.scope(|c| {
                    let mut now = inputs.field(OpenField::Hint)[64..].to_vec();
                    for bit in index.into_iter().rev() {
                        let (first, second) = now.split_at(now.len() / 2);
                        now = c.select_all(bit, second, first);
                    }
                    now
                });
                require_differ(c, &due, inputs.field(OpenField::Value));
            }
            HintHash => {
                only(c, &[call::HINT_BLAKE3]);
                let block = &inputs.field(OpenField::Hint)[64..];
                let flags = hash::CHUNK_START | hash::CHUNK_END | hash::ROOT;
                c.require_other_digest(inputs.field(OpenField::OldLeaf), None, block, flags);
            }
        }
    }
}

fn require_differ(c: &mut Calc, a: &[Var], b: &[Var]) {
    let differs = c.differ(a, b);
    c.require(differs);
}

/// 1 if the index is above the preimage, or the key misaligned or not a valid address.
fn bad_hint_in_script(c: &mut Calc, inputs: &Inputs) -> Var {
    let (key, index) = (inputs.word(A0), inputs.word(A1));
    let above = c.any(&index[..7]);
    let low = c.bits(key[6])[0];
    let address = c.halves(&key);
    let too_low = c.lt_unsigned(address, Halves::literal(LOWEST_ADDRESS));
    let too_high = c.ge(key[0], Var::Const((ADDRESS_END >> 28) as i32));
    c.any(&[above, low, key[7], too_low, too_high])
}

/// 1 if class, answer or `heap'` is not what `mmap` gives.
fn wrong_mapping(c: &mut Calc, inputs: &Inputs) -> Var {
    let (a0, a1) = (inputs.word(A0), inputs.word(A1));
    let heap: Digits = inputs.word(OpenField::Word(word::HEAP));
    let value = c.halves(&inputs.word(OpenField::Value));
    let next = inputs.word(OpenField::HeapNext);
    let class_ok = c.eq(inputs.class(), Var::Const(i32::from(class::SYSCALL_OK)));
    let class_err = c.not(class_ok);
    let heap_moves = c.differ(&next, &heap);
    // Pages: a length or address without its last three digits; a started page counts whole.
    let begun = c.any(&a1[5..]);
    let whole = c.number(&a1[..5]);
    let started = c.ne(begun, Var::Const(0));
    let pages = c.add(whole, started);
    let heap_pages = c.number(&heap[..5]);
    let heap_rest = c.number(&heap[5..]);
    let end_pages = c.add(heap_pages, pages);
    // Given an address: it is the answer.
    let placed = c.any(&a0);
    let at = c.halves(&a0);
    let not_there = c.ne32(value, at);
    let wrong_placed = c.any(&[class_err, not_there, heap_moves]);
    // Length 0.
    let empty = c.is_zero(&a1);
    let not_invalid = c.ne32(value, Halves::literal(call::EINVAL));
    let wrong_empty = c.any(&[class_ok, not_invalid, heap_moves]);
    // Too long: alone, or after what is mapped.
    let long = c.lt(Var::Const(HEAP_PAGES), pages);
    let past = c.lt(Var::Const(HEAP_PAGES), end_pages);
    let at_end = c.eq(end_pages, Var::Const(HEAP_PAGES));
    let rest = c.lt(Var::Const(0), heap_rest);
    let just_past = c.and(at_end, rest);
    let full = c.any(&[long, past, just_past]);
    let not_full = c.ne32(value, Halves::literal(call::ENOMEM));
    let wrong_full = c.any(&[class_ok, not_full, heap_moves]);
    // Mapped at the heap's end, which moves up.
    let start = c.halves(&heap);
    let not_start = c.ne32(value, start);
    let next_pages = c.number(&next[..5]);
    let wrong_pages = c.ne(next_pages, end_pages);
    let wrong_rest = c.differ(&next[5..], &heap[5..]);
    let wrong_mapped = c.any(&[class_err, not_start, wrong_pages, wrong_rest]);
    let unplaced = c.select(full, wrong_full, wrong_mapped);
    let unplaced = c.select(empty, wrong_empty, unplaced);
    let placed = c.ne(placed, Var::Const(0));
    c.select(placed, wrong_placed, unplaced)
}

/// `claim(i)` answers another word than the operator signed at kickoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimLeaf(pub u8);

impl Contradiction for ClaimLeaf {
    fn classes(&self) -> ClassSet {
        ClassSet::of(&[class::SYSCALL_OK])
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        let mut ids = open(&[NUMBER, A0, OpenField::Value]);
        ids.push(ValueId::Claim(self.0));
        ids
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let [number, index, ..] = arguments(o);
        let claimed = published.word(ValueId::Claim(self.0))?;
        Some(number == call::CLAIM && index == u32::from(self.0) && o.value != claimed)
    }

    fn require(&self, _: &Terms, c: &mut Calc, inputs: &Inputs) {
        let number = c.halves(&inputs.word(NUMBER));
        let index = c.halves(&inputs.word(A0));
        let claims = c.eq32(number, Halves::literal(call::CLAIM));
        let mine = c.eq32(index, Halves::literal(u32::from(self.0)));
        c.require(claims);
        c.require(mine);
        require_differ(
            c,
            inputs.field(OpenField::Value),
            inputs.digits(ValueId::Claim(self.0)),
        );
    }
}
