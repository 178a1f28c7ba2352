//! Which values each input of a message carries.
//!
//! Consensus allows 1,000 elements on stack and alternate stack together. A value takes two a digit. The scripts that
//! check a digit put ten more on top at most ([`HEADROOM`]), and an input also holds the n-of-n's signature and up to
//! two preimages. Values are packed in order, a new input whenever the next one does not fit.

use taptree_commit::wots::checksum_digits;

use crate::plan::{Message, Plan};
use crate::value::ValueId;

/// Elements that Bitcoin allows on both stacks (consensus).
pub const MAX_STACK_ITEMS: usize = 1_000;
/// Elements left for the checking scripts, the n-of-n's signature and two preimages.
pub const HEADROOM: usize = 20;
/// Most witness items that the values of one input may take.
pub const MAX_VALUE_ITEMS: usize = MAX_STACK_ITEMS - HEADROOM;

/// Witness items of a signed value: digit and element for each digit, checksum included.
pub fn value_items(id: ValueId) -> usize {
    2 * (id.digits() + checksum_digits(id.digits()))
}

fn pack(values: Vec<ValueId>) -> Vec<Vec<ValueId>> {
    let mut inputs = vec![Vec::new()];
    let mut used = 0;
    for id in values {
        let items = value_items(id);
        if used + items > MAX_VALUE_ITEMS {
            inputs.push(Vec::new());
            used = 0;
        }
        used += items;
        if let Some(last) = inputs.last_mut() {
            last.push(id);
        }
    }
    inputs
}

/// How many inputs of `message` carry its values, signatures and preimages: the connectors that the message before
/// it needs. The same for every answered choice. `Challenge` carries none; its inputs are its bond's.
pub fn inputs(plan: &Plan, message: Message) -> usize {
    match message {
        Message::Challenge => 0,
        _ => answers(plan, message)
            .iter()
            .map(|&a| pack(plan.values(message, a)).len())
            .max()
            .unwrap_or(1),
    }
}

/// The values of each input of `message` when it answers value `answered`; [`inputs`] lists, the last possibly empty.
pub fn packing(plan: &Plan, message: Message, answered: Option<u8>) -> Vec<Vec<ValueId>> {
    let mut packed = pack(plan.values(message, answered));
    packed.resize(inputs(plan, message), Vec::new());
    packed
}

/// The values of the choice before it that `message` may answer; one `None` for a message that answers none.
pub fn answers(plan: &Plan, message: Message) -> Vec<Option<u8>> {
    match plan.answered(message) {
        None => vec![None],
        Some(choice) => (0..plan.choice_values(choice)).map(Some).collect(),
    }
}

/// Whether the keys of `message` depend on what it answers, so that each of its inputs must open the lock.
pub fn keys_depend_on_answer(plan: &Plan, message: Message) -> bool {
    plan.answered(message).is_some() && matches!(message, Message::Search(_) | Message::Path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_exactly_one_input_and_fits() {
        for parts in [2, 4, 8, 16] {
            let plan = Plan::uniform(16, parts, 192).unwrap();
            for message in plan.messages() {
                for answered in answers(&plan, message) {
                    let packed = packing(&plan, message, answered);
                    assert_eq!(packed.len(), inputs(&plan, message));
                    assert_eq!(packed.concat(), plan.values(message, answered));
                    for input in packed {
                        assert!(input.iter().map(|&id| value_items(id)).sum::<usize>() <= MAX_VALUE_ITEMS);
                    }
                }
            }
        }
    }

    #[test]
    fn inputs_of_each_message() {
        let count = |parts, message| inputs(&Plan::uniform(32, parts, 8).unwrap(), message);
        assert_eq!(count(8, Message::Kickoff), 1);
        assert_eq!(count(8, Message::Challenge), 0);
        assert_eq!(count(8, Message::Search(3)), 1, "seven digests fit one input");
        assert_eq!(count(16, Message::Search(3)), 3);
        assert_eq!(count(8, Message::Select(3)), 1);
        assert_eq!(count(8, Message::Open), 4);
        assert_eq!(count(8, Message::Demand), 1);
        assert_eq!(count(8, Message::Path), 3);
        assert_eq!(inputs(&Plan::uniform(32, 8, 192).unwrap(), Message::Kickoff), 4);
        assert_eq!(inputs(&Plan::uniform(32, 8, 1).unwrap(), Message::Kickoff), 1);
    }
}
