//! The state transition: one function from a state and a block to the next state.
