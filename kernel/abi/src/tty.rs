//! Terminals: termios and ioctl numbers.
