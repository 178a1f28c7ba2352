//! Family 12: every system call: its class, its answer, the word it changes, claim words and hints.
//!
//! A call's number and arguments are state words (`$v0` = word 9, `$a0..$a2` = words 11..13), so these leaves read
//! them directly. Calls with the same constant answer share a leaf; the table is the emulator's.

use taptree_commit::script::{Bool, Nibbles, ScriptBuilder, Word};

use super::super::contradiction::{ClassSet, Contradiction, Inputs, class, open};
use super::super::terms::{ADDRESS_END, LOWEST_ADDRESS, Terms};
use super::compression::require_other_digest;
use crate::field::{OpenField, word};
use crate::message::Published;
use crate::opening::Opening;
use crate::value::ValueId;
use zkvm_emulator::claim::HintHash as Asked;
use zkvm_emulator::hash;
use zkvm_emulator::sha256::Link;
use zkvm_emulator::syscall as call;

const NUMBER: OpenField = OpenField::Word(word::R1 + 1);
const A0: OpenField = OpenField::Word(word::R1 + 3);
const A1: OpenField = OpenField::Word(word::R1 + 4);
const A2: OpenField = OpenField::Word(word::R1 + 5);

/// The calls that read a hint.
const HINTS: [u32; 2] = [call::HINT_BLAKE3, call::HINT_SHA256];
/// The calls that end the run or answer a value, never an error.
const NEVER_FAIL: [u32; 5] = [
    call::WRITE,
    call::SET_THREAD_AREA,
    call::CLAIM,
    call::HINT_BLAKE3,
    call::HINT_SHA256,
];

/// Pages of 4096 bytes below the highest heap address.
const HEAP_PAGES: i64 = zkvm_emulator::state::HEAP_END as i64 / 4096;

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
    /// `hint_blake3`: the answer is not the preimage's word.
    HintWord,
    /// `hint_blake3`: the preimage does not hash to the leaf at the key.
    HintHash,
    /// `hint_sha256`: the answer is not the word of chaining value and block.
    Sha256Word,
    /// `hint_sha256`: chaining value and block are not compressed to the leaf at the key.
    Sha256Hash,
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
    known.extend([call::SET_THREAD_AREA, call::CLAIM]);
    known.extend(HINTS);
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
            Sha256Word,
            Sha256Hash,
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

fn is_bad_hint(words: u32, key: u32, index: u32) -> bool {
    index >= words || key & 31 != 0 || !(LOWEST_ADDRESS..ADDRESS_END).contains(&key)
}

impl Contradiction for SyscallLeaf {
    fn classes(&self) -> ClassSet {
        use SyscallLeaf::*;
        match self {
            ExitClaimed => ClassSet::of(&[class::EXIT]),
            BadClaimClaimed => ClassSet::of(&[class::BAD_CLAIM]),
            BadHintClaimed => ClassSet::of(&[class::BAD_HINT]),
            NeverFails => ClassSet::of(&[class::SYSCALL_ERR]),
            Write | ThreadAreaAnswer | HintKey | HintWord | HintHash | Sha256Word | Sha256Hash => {
                ClassSet::of(&[class::SYSCALL_OK])
            }
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
            HintWord | Sha256Word => &[A1, F::Value, F::Hint],
            HintHash | Sha256Hash => &[F::OldLeaf, F::Hint],
        };
        open(&[&[NUMBER], fields].concat())
    }

    fn holds(&self, terms: &Terms, published: &Published) -> Option<bool> {
        use SyscallLeaf::*;
        let o = published.opening()?;
        let [number, a0, a1, a2] = arguments(o);
        let exits = number == call::EXIT || number == call::EXIT_GROUP;
        let bad_claim = number == call::CLAIM && a0 >= u32::from(terms.plan.claim_words());
        let hint = call::Call::from_number(number).hint();
        let bad_hint = hint.is_some_and(|(_, words)| is_bad_hint(words, a0, a1));
        let maps = number == call::MMAP || number == call::MMAP2;
        let (heap, tls) = (o.words[usize::from(word::HEAP)], o.words[usize::from(word::TLS)]);
        let hints = |hash: Asked| hint.is_some_and(|(asked, _)| asked == hash);
        let word = |at: usize| u32::from_be_bytes(o.hint.as_chunks::<4>().0[at]);
        Some(match self {
            ExitClaimed => !exits,
            ExitDue => exits,
            BadClaimClaimed => !bad_claim,
            BadClaimDue => bad_claim,
            BadHintClaimed => !bad_hint,
            BadHintDue => bad_hint,
            NeverFails => NEVER_FAIL.contains(&number),
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
            HintKey => hint.is_some() && o.addr != a0,
            HintWord => hints(Asked::Blake3) && o.value != word(8 + (a1 & 15) as usize),
            HintHash => hints(Asked::Blake3) && *blake3::hash(&o.hint[32..]).as_bytes() != o.old_leaf,
            Sha256Word => {
                hints(Asked::Sha256) && a1 < call::HINT_SHA256_WORDS && o.value != word(a1 as usize)
            }
            Sha256Hash => hints(Asked::Sha256) && Link::from_bytes(&o.hint).digest() != o.old_leaf,
        })
    }

    fn require(&self, terms: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        use SyscallLeaf::*;
        let only = |s: &mut ScriptBuilder, numbers: &[u32]| {
            let mine = is_call(s, inputs, numbers);
            s.assert(mine);
        };
        let except = |s: &mut ScriptBuilder, numbers: &[u32]| {
            let mine = is_call(s, inputs, numbers);
            s.assert_not(mine);
        };
        let differ = |s: &mut ScriptBuilder, a: OpenField, b: OpenField| {
            s.assert_ne(&inputs.word(a), &inputs.word(b));
        };
        match self {
            ExitClaimed => except(s, &[call::EXIT, call::EXIT_GROUP]),
            ExitDue => only(s, &[call::EXIT, call::EXIT_GROUP]),
            NeverFails => only(s, &NEVER_FAIL),
            BadClaimClaimed | BadClaimDue => {
                let claims = is_call(s, inputs, &[call::CLAIM]);
                let good = s.lt_unsigned(&inputs.word(A0), u32::from(terms.plan.claim_words()));
                let beyond = s.not(good);
                let due = s.both(claims, beyond);
                demand(s, due, *self == BadClaimDue);
            }
            BadHintClaimed | BadHintDue => {
                let hints = is_call(s, inputs, &HINTS);
                let bad = bad_hint_in_script(s, inputs);
                let due = s.both(hints, bad);
                demand(s, due, *self == BadHintDue);
            }
            Constant(index) => {
                let groups = groups();
                let last = usize::from(*index) + 1 == groups.len();
                let group = groups
                    .get(usize::from(*index))
                    .expect("leaves are enumerated from the groups");
                let listed = is_call(s, inputs, &group.numbers);
                demand(s, listed, !last);
                let due_class = if group.ok {
                    class::SYSCALL_OK
                } else {
                    class::SYSCALL_ERR
                };
                let other_class = s.int_ne(&inputs.class(), i64::from(due_class));
                let other_value = s.ne(&inputs.word(OpenField::Value), group.value);
                let differs = s.either(other_class, other_value);
                s.assert(differs);
            }
            Write => {
                only(s, &[call::WRITE]);
                differ(s, A2, OpenField::Value);
            }
            Mmap => {
                only(s, &[call::MMAP, call::MMAP2]);
                let right = is_mapping(s, inputs);
                s.assert_not(right);
            }
            HeapKept => {
                except(s, &[call::MMAP, call::MMAP2]);
                differ(s, OpenField::Word(word::HEAP), OpenField::HeapNext);
            }
            ThreadAreaAnswer => {
                only(s, &[call::SET_THREAD_AREA]);
                s.assert_ne(&inputs.word(OpenField::Value), 0);
            }
            ThreadAreaTls => {
                only(s, &[call::SET_THREAD_AREA]);
                differ(s, A0, OpenField::TlsNext);
            }
            TlsKept => {
                except(s, &[call::SET_THREAD_AREA]);
                differ(s, OpenField::Word(word::TLS), OpenField::TlsNext);
            }
            HintKey => {
                only(s, &HINTS);
                differ(s, A0, OpenField::Addr);
            }
            HintWord => {
                only(s, &[call::HINT_BLAKE3]);
                let block = inputs.field(OpenField::Hint).slice(64, 192).words();
                let due = s.choose(&block, &inputs.word(A1).nibble(7));
                s.assert_ne(due, &inputs.word(OpenField::Value));
            }
            HintHash => {
                only(s, &[call::HINT_BLAKE3]);
                let hint = inputs.field(OpenField::Hint);
                s.drop(hint.slice(0, 64));
                let flags = hash::CHUNK_START | hash::CHUNK_END | hash::ROOT;
                let said = inputs.field(OpenField::OldLeaf);
                require_other_digest(s, said, None, hint.slice(64, 192), flags);
            }
            Sha256Word => {
                only(s, &[call::HINT_SHA256]);
                let index = inputs.word(A1);
                let good = s.lt_unsigned(&index, call::HINT_SHA256_WORDS);
                s.assert(good);
                let index = s.bits(&index, 4, 0);
                let due = s.choose(&inputs.field(OpenField::Hint).words(), &index);
                s.assert_ne(due, &inputs.word(OpenField::Value));
            }
            Sha256Hash => {
                only(s, &[call::HINT_SHA256]);
                require_other_sha256(s, inputs.field(OpenField::OldLeaf), inputs.field(OpenField::Hint));
            }
        }
    }
}

/// Fails the script unless `condition` is as wanted.
fn demand(s: &mut ScriptBuilder, condition: Bool, wanted: bool) {
    if wanted {
        s.assert(condition);
    } else {
        s.assert_not(condition);
    }
}

/// True if the call's number is one of `numbers`.
fn is_call(s: &mut ScriptBuilder, inputs: &Inputs, numbers: &[u32]) -> Bool {
    let number = inputs.word(NUMBER);
    let hits = numbers
        .iter()
        .map(|&candidate| s.eq(&number, candidate))
        .collect();
    s.any(hits)
}

/// Fails the script if SHA-256's compression of `hint`, chaining value and block, gives `said`. Consumes both.
///
/// The chaining value is taken from `said` before the rounds instead of being kept and added after them: there is no room for
/// it on the stack.
fn require_other_sha256(s: &mut ScriptBuilder, said: &Nibbles, hint: &Nibbles) {
    let (chaining, block) = (hint.slice(0, 64), hint.slice(64, 192));
    let due: Vec<Word> = said
        .words()
        .into_iter()
        .zip(chaining.words())
        .map(|(said, before)| s.sub(said, &before))
        .collect();
    let mixed = s.sha256_rounds(chaining, block);
    s.assert_ne_nibbles(mixed, Nibbles::from_words(&due));
}

/// True if the index of a hint is above the preimage's words, or the key misaligned or not a valid address.
fn bad_hint_in_script(s: &mut ScriptBuilder, inputs: &Inputs) -> Bool {
    let (key, index) = (inputs.word(A0), inputs.word(A1));
    let in_block = s.lt_unsigned(&index, call::HINT_BLAKE3_WORDS);
    let longer = is_call(s, inputs, &[call::HINT_SHA256]);
    let in_link = s.lt_unsigned(&index, call::HINT_SHA256_WORDS);
    let in_link = s.both(longer, in_link);
    let good_index = s.either(in_block, in_link);
    let above = s.not(good_index);
    let low = s.bits(&key, 4, 0);
    let misaligned = s.int_ne(low, 0);
    let too_low = s.lt_unsigned(&key, LOWEST_ADDRESS);
    let too_high = s.is_negative(&key);
    s.any(vec![above, misaligned, too_low, too_high])
}

/// True if class, answer and `heap'` are what `mmap` gives.
fn is_mapping(s: &mut ScriptBuilder, inputs: &Inputs) -> Bool {
    let (a0, a1) = (inputs.word(A0), inputs.word(A1));
    let heap = inputs.field(OpenField::Word(word::HEAP)).clone();
    let next = inputs.field(OpenField::HeapNext).clone();
    let value = inputs.word(OpenField::Value);
    let succeeds = |s: &mut ScriptBuilder| s.int_eq(&inputs.class(), i64::from(class::SYSCALL_OK));
    let refusal = |s: &mut ScriptBuilder, errno: u32| {
        let failed = s.int_ne(&inputs.class(), i64::from(class::SYSCALL_OK));
        let answers = s.eq(&value, errno);
        let stays = s.eq_nibbles(&heap, &next);
        s.all(vec![failed, answers, stays])
    };
    // Pages: a length or address without its last three digits; a started page counts whole.
    let length = Nibbles::from_words(&[a1]);
    let whole = s.number_of(&length.slice(0, 5));
    let no_rest = s.is_zero_nibbles(&length.slice(5, 8));
    let started = s.not(no_rest);
    let pages = s.int_add(whole, started.as_int());
    let heap_pages = s.number_of(&heap.slice(0, 5));
    let end_pages = s.int_add(heap_pages, &pages);
    // Too long: alone, or after what is mapped.
    let long = s.int_lt(HEAP_PAGES, pages);
    let past = s.int_lt(HEAP_PAGES, &end_pages);
    let at_end = s.int_eq(&end_pages, HEAP_PAGES);
    let no_rest = s.is_zero_nibbles(&heap.slice(5, 8));
    let rest = s.not(no_rest);
    let just_past = s.both(at_end, rest);
    let full = s.any(vec![long, past, just_past]);

    // Given an address: it is the answer.
    let placed = {
        let ok = succeeds(s);
        let there = s.eq(&value, &a0);
        let stays = s.eq_nibbles(&heap, &next);
        s.all(vec![ok, there, stays])
    };
    let refused_empty = refusal(s, call::EINVAL);
    let refused_full = refusal(s, call::ENOMEM);
    // Mapped at the heap's end, which moves up.
    let mapped = {
        let ok = succeeds(s);
        let at_heap = s.eq_nibbles(&Nibbles::from_words(&[value]), &heap);
        let next_pages = s.number_of(&next.slice(0, 5));
        let moved = s.int_eq(next_pages, end_pages);
        let same_rest = s.eq_nibbles(&next.slice(5, 8), &heap.slice(5, 8));
        s.all(vec![ok, at_heap, moved, same_rest])
    };
    let unplaced = s.select(full, &refused_full, &mapped);
    let empty = s.is_zero(&length.word(0));
    let unplaced = s.select(empty, &refused_empty, &unplaced);
    let anywhere = s.is_zero(&a0);
    s.select(anywhere, &unplaced, &placed)
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

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        s.assert_eq(&inputs.word(NUMBER), call::CLAIM);
        s.assert_eq(&inputs.word(A0), u32::from(self.0));
        let claimed = inputs.nibbles(ValueId::Claim(self.0)).word(0);
        s.assert_ne(&inputs.word(OpenField::Value), &claimed);
    }
}
