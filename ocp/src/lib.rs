//! The Optimistic Challenge Process: search, step opening, disprove leaves and both players as pure state machines.
