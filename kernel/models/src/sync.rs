//! What the files under test take from the kernel's `sync`.

/// As the kernel's `sync::Sleep`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    Interruptible,
    Killable,
    Uninterruptible,
}
