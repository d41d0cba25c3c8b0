//! A directory for a test's files.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A new directory under /tmp; it and what is in it go when this is dropped.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes one. Its name has the process id in it, so that no two tests share one.
    pub fn new() -> Scratch {
        let path = PathBuf::from(format!("/tmp/test-{}", crate::process::pid()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("mkdir");
        Scratch { path }
    }

    /// Makes one and goes there, so that relative names are in it.
    pub fn enter() -> Scratch {
        let scratch = Scratch::new();
        std::env::set_current_dir(&scratch.path).expect("chdir");
        scratch
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of a file in it, for system calls.
    pub fn name(&self, file: &str) -> CString {
        CString::new(self.path.join(file).into_os_string().into_encoded_bytes()).expect("no NUL in names")
    }

    /// Makes a file in it, open to read and write.
    pub fn file(&self, name: &str, content: &[u8]) -> File {
        let path = self.path.join(name);
        fs::write(&path, content).expect("write");
        File::options().read(true).write(true).open(path).expect("open")
    }
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::env::set_current_dir("/");
        let _ = fs::remove_dir_all(&self.path);
    }
}
