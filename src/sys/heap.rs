//! The heap of the C library.

/// Gives the pages of the heap that nothing is in back to the system: after something large is gone that was made of many small parts, the
/// C library keeps them for the thread that had them, and others take new ones. Nothing happens where the C library cannot do it. Takes
/// some milliseconds for each hundred megabytes.
pub fn give_back() {
    #[cfg(all(native, target_env = "gnu"))]
    // SAFETY: it takes no pointer, and any thread may call it at any time (malloc_trim(3): MT-Safe).
    unsafe {
        libc::malloc_trim(0);
    }
}
