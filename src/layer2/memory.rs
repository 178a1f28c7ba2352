//! How a node takes memory from the system.

/// Lets glibc have two arenas. It would make one for nearly every thread of a node, up to eight a core, and each keeps what it was
/// once given: four sequencers under load took two fifths more memory, for no more transactions.
pub(super) fn few_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes two numbers and keeps one.
    #[allow(unsafe_code)]
    unsafe {
        // It says no to values that are none only.
        let _ = libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}
