//! Scenes of a claim's life played on a real bitcoind, and their report as text, JSON and HTML.

pub mod html;
pub mod report;
