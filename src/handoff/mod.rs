//! Values that cross from one thread to another without a lock.
//!
//! ```text
//!   Latest  one writer --> the newest value --> readers            (a decision, a status)
//!   Queue   writers -----> bounded, in order --> one reader        (orders)
//!      both wake the reader through a socket pair of its own
//! ```
//!
//! A thread that is frozen at any instruction (a debugger, a page fault on a dead disk) must not stop another one: so the
//! threads that supervise each other share no lock, and tokio's channels have one (the value of a `watch`, the list of a
//! runtime's woken tasks). Here a value is swapped atomically, and waking is a `write(2)` that never blocks.
//! Never allocates while another thread waits for it, never loses the newest value.

mod latest;
mod queue;
mod wake;

pub use latest::{Latest, Reader};
pub use queue::{Queue, Receiver, queue};
