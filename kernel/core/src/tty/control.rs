//! ioctl(2) on terminals.
use tollgate_abi::tty::{Termios, WindowSize, flow, ioctl};
use tollgate_abi::{Errno, Result};

use super::Terminal;
use crate::mm::addr::UserAddr;
use crate::mm::user::UserPtr;
use crate::task::signal::Signal;

impl Terminal {
    /// ioctl(2).
    ///
    /// # Errors
    /// `ENOTTY` for unknown commands; `EFAULT`; each command's own.
    pub(super) fn ioctl(&self, command: u32, argument: u64) -> Result<usize> {
        let at = UserAddr(argument);
        match command {
            ioctl::TCGETS => {
                let termios = self.discipline.lock().termios;
                UserPtr::new(at).write(&termios)?;
            }
            ioctl::TCSETS | ioctl::TCSETSW | ioctl::TCSETSF => self.set_termios(command, UserPtr::new(at))?,
            // There is no break to send; a non-zero argument asks to wait for the output only.
            ioctl::TCSBRK | ioctl::TCSBRKP => {
                self.check_background_change()?;
                self.drain()?;
            }
            ioctl::TCFLSH => {
                self.check_background_change()?;
                match argument {
                    flow::TCIFLUSH | flow::TCIOFLUSH => {
                        self.discipline.lock().flush_input();
                        self.made_room();
                    }
                    flow::TCOFLUSH => {} // Output is with the port already.
                    _ => return Err(Errno::EINVAL),
                }
            }
            ioctl::TCXONC => {
                self.check_background_change()?;
                self.flow(argument)?;
            }
            ioctl::TIOCGWINSZ => {
                let window = *self.window.lock();
                UserPtr::new(at).write(&window)?;
            }
            ioctl::TIOCSWINSZ => self.set_window(UserPtr::new(at).read()?),
            ioctl::FIONREAD => {
                let available = self.discipline.lock().available() as i32;
                UserPtr::new(at).write(&available)?;
            }
            ioctl::TIOCOUTQ => UserPtr::new(at).write(&((self.driver.pending)() as i32))?,
            ioctl::TIOCGETD => UserPtr::new(at).write(&0i32)?,
            ioctl::TIOCSCTTY => self.acquire(argument == 1)?,
            ioctl::TIOCNOTTY => self.disown()?,
            ioctl::TIOCGPGRP => UserPtr::new(at).write(&self.foreground_for_user()?)?,
            ioctl::TIOCSPGRP => self.set_foreground(UserPtr::new(at).read()?)?,
            ioctl::TIOCGSID => UserPtr::new(at).write(&self.session_id()?)?,
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }

    fn set_termios(&self, command: u32, from: UserPtr<Termios>) -> Result<()> {
        self.check_background_change()?;
        let new = from.read()?;
        if command != ioctl::TCSETS {
            self.drain()?;
        }
        let restarted = {
            let mut discipline = self.discipline.lock();
            if command == ioctl::TCSETSF {
                discipline.flush_input();
            }
            let stopped = discipline.stopped;
            discipline.set_termios(new);
            stopped && !discipline.stopped
        };
        if restarted {
            self.restarted.wake_all();
        }
        self.made_room();
        // What was typed may be readable under the new rules.
        self.readable.wake_all();
        Ok(())
    }

    fn flow(&self, argument: u64) -> Result<()> {
        match argument {
            flow::TCOOFF => self.discipline.lock().stopped = true,
            flow::TCOON => {
                self.discipline.lock().stopped = false;
                self.restarted.wake_all();
            }
            // The other side is asked to pause or go on by the characters it understands.
            flow::TCIOFF | flow::TCION => {
                use tollgate_abi::tty::cc;
                let index = if argument == flow::TCIOFF { cc::VSTOP } else { cc::VSTART };
                let character = self.discipline.lock().termios.cc[index];
                (self.driver.write)(&[character]);
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    fn set_window(&self, new: WindowSize) {
        let old = core::mem::replace(&mut *self.window.lock(), new);
        if old != new {
            self.signal_foreground(Signal::SIGWINCH);
        }
    }
}
