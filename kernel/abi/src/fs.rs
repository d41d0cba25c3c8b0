//! Files: open flags, stat, directory entries, poll.
