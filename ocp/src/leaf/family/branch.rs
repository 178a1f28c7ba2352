//! Family 7: `pc'` and `next_pc'`, per kind of branch.
//!
//! `pc' = next_pc` always, except when a branch-likely is not taken; `next_pc'` is where branches differ. Both are
//! signed apart and have their own leaves, so that a wrong target and a skipped delay slot are told apart.

use taptree_commit::script::{Bool, ScriptBuilder};

use super::super::contradiction::{ClassSet, Contradiction, Inputs, open};
use super::super::instruction::{Fields, Operation};
use super::super::terms::Terms;
use crate::field::{OpenField, word};
use crate::message::Published;
use crate::opening::Opening;
use crate::value::ValueId;
use Operation as Op;

/// When a conditional branch is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Condition {
    /// rs = rt.
    Equal,
    /// rs ≠ rt.
    NotEqual,
    /// rs ≤ 0, signed.
    NotPositive,
    /// rs > 0, signed.
    Positive,
    /// rs < 0, signed.
    Negative,
    /// rs ≥ 0, signed.
    NotNegative,
}

/// A rule about the program counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BranchLeaf {
    /// `pc'` is not `next_pc`, and no branch-likely runs.
    PcFollows,
    /// `pc'` after a branch-likely with this condition: `next_pc`, or the instruction after it if not taken.
    PcLikely(Condition),
    /// `next_pc'` is not `next_pc + 4`, and no branch or jump runs.
    NextFollows,
    /// `next_pc'` after a branch with this condition.
    NextBranch(Condition),
    /// `next_pc'` after a branch-likely with this condition.
    NextLikely(Condition),
    /// `next_pc'` after J, JAL.
    NextJump,
    /// `next_pc'` after JR, JALR: rs.
    NextRegister,
}

impl Condition {
    const ALL: [Condition; 6] = [
        Condition::Equal,
        Condition::NotEqual,
        Condition::NotPositive,
        Condition::Positive,
        Condition::Negative,
        Condition::NotNegative,
    ];

    fn plain(self) -> &'static [Op] {
        match self {
            Condition::Equal => &[Op::Beq],
            Condition::NotEqual => &[Op::Bne],
            Condition::NotPositive => &[Op::Blez],
            Condition::Positive => &[Op::Bgtz],
            Condition::Negative => &[Op::Bltz, Op::Bltzal],
            Condition::NotNegative => &[Op::Bgez, Op::Bgezal],
        }
    }

    fn likely(self) -> &'static [Op] {
        match self {
            Condition::Equal => &[Op::Beql],
            Condition::NotEqual => &[Op::Bnel],
            Condition::NotPositive => &[Op::Blezl],
            Condition::Positive => &[Op::Bgtzl],
            Condition::Negative => &[Op::Bltzl, Op::Bltzall],
            Condition::NotNegative => &[Op::Bgezl, Op::Bgezall],
        }
    }

    fn compares(self) -> bool {
        matches!(self, Condition::Equal | Condition::NotEqual)
    }

    fn fields(self) -> Vec<OpenField> {
        let mut fields = vec![OpenField::Rs];
        fields.extend(self.compares().then_some(OpenField::Rt));
        fields
    }

    fn taken(self, o: &Opening) -> bool {
        let signed = o.rs as i32;
        match self {
            Condition::Equal => o.rs == o.rt,
            Condition::NotEqual => o.rs != o.rt,
            Condition::NotPositive => signed <= 0,
            Condition::Positive => signed > 0,
            Condition::Negative => signed < 0,
            Condition::NotNegative => signed >= 0,
        }
    }

    fn taken_in_script(self, s: &mut ScriptBuilder, inputs: &Inputs) -> Bool {
        let rs = inputs.word(OpenField::Rs);
        match self {
            Condition::Equal => s.eq(&rs, &inputs.word(OpenField::Rt)),
            Condition::NotEqual => s.ne(&rs, &inputs.word(OpenField::Rt)),
            Condition::Negative => s.is_negative(&rs),
            Condition::NotNegative => {
                let negative = s.is_negative(&rs);
                s.not(negative)
            }
            Condition::NotPositive | Condition::Positive => {
                let negative = s.is_negative(&rs);
                let zero = s.is_zero(&rs);
                let not_positive = s.either(negative, zero);
                if self == Condition::NotPositive {
                    not_positive
                } else {
                    s.not(not_positive)
                }
            }
        }
    }
}

impl BranchLeaf {
    /// Every leaf of the family: 22.
    pub fn all() -> impl Iterator<Item = BranchLeaf> {
        let fixed = [
            BranchLeaf::PcFollows,
            BranchLeaf::NextFollows,
            BranchLeaf::NextJump,
            BranchLeaf::NextRegister,
        ];
        let by_condition = Condition::ALL.into_iter().flat_map(|condition| {
            [
                BranchLeaf::PcLikely(condition),
                BranchLeaf::NextBranch(condition),
                BranchLeaf::NextLikely(condition),
            ]
        });
        fixed.into_iter().chain(by_condition)
    }

    /// Instructions that the leaf is for, or (`PcFollows`, `NextFollows`) that it is *not* for.
    pub(crate) fn operations(self) -> Vec<Op> {
        let of = |pick: fn(Condition) -> &'static [Op]| -> Vec<Op> {
            Condition::ALL
                .into_iter()
                .flat_map(|c| pick(c).iter().copied())
                .collect()
        };
        match self {
            BranchLeaf::PcFollows => of(Condition::likely),
            BranchLeaf::NextFollows => {
                let jumps = vec![Op::J, Op::Jal, Op::Jr, Op::Jalr];
                [of(Condition::plain), of(Condition::likely), jumps].concat()
            }
            BranchLeaf::PcLikely(condition) | BranchLeaf::NextLikely(condition) => {
                condition.likely().to_vec()
            }
            BranchLeaf::NextBranch(condition) => condition.plain().to_vec(),
            BranchLeaf::NextJump => vec![Op::J, Op::Jal],
            BranchLeaf::NextRegister => vec![Op::Jr, Op::Jalr],
        }
    }

    fn is_negative_list(self) -> bool {
        matches!(self, BranchLeaf::PcFollows | BranchLeaf::NextFollows)
    }

    fn is_about_pc(self) -> bool {
        matches!(self, BranchLeaf::PcFollows | BranchLeaf::PcLikely(_))
    }
}

impl Contradiction for BranchLeaf {
    fn classes(&self) -> ClassSet {
        if self.is_negative_list() {
            ClassSet::RUNS_ON
        } else {
            ClassSet::STEP
        }
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        use OpenField::*;
        let (pc, next) = (Word(word::PC), Word(word::NEXT_PC));
        let mut fields = vec![Instr, if self.is_about_pc() { PcNext } else { NextPcNext }];
        match self {
            BranchLeaf::PcFollows | BranchLeaf::NextFollows => fields.push(next),
            BranchLeaf::PcLikely(condition) => {
                fields.push(next);
                fields.extend(condition.fields());
            }
            BranchLeaf::NextBranch(condition) | BranchLeaf::NextLikely(condition) => {
                fields.extend([pc, next]);
                fields.extend(condition.fields());
            }
            BranchLeaf::NextJump => fields.push(pc),
            BranchLeaf::NextRegister => fields.push(Rs),
        }
        open(&fields)
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let listed = Op::of(o.instr).is_some_and(|op| self.operations().contains(&op));
        if listed == self.is_negative_list() {
            return Some(false);
        }
        let (pc, next) = (
            o.words[usize::from(word::PC)],
            o.words[usize::from(word::NEXT_PC)],
        );
        let target = pc.wrapping_add(4).wrapping_add(Fields::of(o.instr).simm << 2);
        let said = if self.is_about_pc() {
            o.pc_next
        } else {
            o.next_pc_next
        };
        let due = match self {
            BranchLeaf::PcFollows => next,
            BranchLeaf::PcLikely(condition) if condition.taken(o) => next,
            BranchLeaf::PcLikely(_) | BranchLeaf::NextFollows => next.wrapping_add(4),
            BranchLeaf::NextBranch(condition) | BranchLeaf::NextLikely(condition) if condition.taken(o) => {
                target
            }
            BranchLeaf::NextBranch(_) => next.wrapping_add(4),
            BranchLeaf::NextLikely(_) => next.wrapping_add(8),
            BranchLeaf::NextJump => pc.wrapping_add(4) & 0xf000_0000 | (o.instr & 0x03ff_ffff) << 2,
            BranchLeaf::NextRegister => o.rs,
        };
        Some(said != due)
    }

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let instr = inputs.instr();
        let listed = instr.is_any(s, &self.operations());
        if self.is_negative_list() {
            s.assert_not(listed)
        } else {
            s.assert(listed)
        }
        let pc = |s: &mut ScriptBuilder, more: u32| s.add(&inputs.word(OpenField::Word(word::PC)), more);
        let next =
            |s: &mut ScriptBuilder, more: u32| s.add(&inputs.word(OpenField::Word(word::NEXT_PC)), more);
        let due = match self {
            BranchLeaf::PcFollows => next(s, 0),
            BranchLeaf::NextFollows => next(s, 4),
            BranchLeaf::PcLikely(condition) => {
                let (following, skipping) = (next(s, 0), next(s, 4));
                let taken = condition.taken_in_script(s, inputs);
                s.select_word(taken, &following, &skipping)
            }
            BranchLeaf::NextBranch(condition) | BranchLeaf::NextLikely(condition) => {
                let simm = instr.simm(s);
                let offset = s.shl(&simm, 2);
                let base = pc(s, 4);
                let target = s.add(base, offset);
                let skip = if matches!(self, BranchLeaf::NextBranch(_)) {
                    4
                } else {
                    8
                };
                let fallen = next(s, skip);
                let taken = condition.taken_in_script(s, inputs);
                s.select_word(taken, &target, &fallen)
            }
            BranchLeaf::NextJump => {
                let base = pc(s, 4);
                s.jump_target(&instr.0, &base)
            }
            BranchLeaf::NextRegister => s.copy(&inputs.word(OpenField::Rs)),
        };
        let said = if self.is_about_pc() {
            OpenField::PcNext
        } else {
            OpenField::NextPcNext
        };
        s.assert_ne(&inputs.word(said), due);
    }
}
