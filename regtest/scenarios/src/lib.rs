//! Scenes of a claim's life played on a real bitcoind, and their report as text, JSON and HTML.
//!
//! A [`stage`] is a claim set up on a chain: keys, trees, outpoints, the n-of-n's signatures, the deposit. [`play`] lets
//! players act on it, block by block, until the claim is decided, and checks that it was decided as it should; [`game`] is the
//! block-by-block part of that, for tests that hold players back or replace blocks. [`scenes`] has the demo's four. The end to end tests play further ones. The liars are [`ocp::adversary`]'s.

pub mod cast;
pub mod error;
pub mod game;
pub mod html;
pub mod measure;
pub mod play;
pub mod presign;
pub mod report;
pub mod scenes;
pub mod stage;

pub use error::SceneError;
