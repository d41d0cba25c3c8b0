//! Files that begin with `#!`.

use crate::exec::executable;
use tollgate_tests::Errno;
use tollgate_tests::process::{Status, execve, fork};
use tollgate_tests::scratch::Scratch;

/// Executes a script; its status, or the errno of exec.
fn run(scratch: &Scratch, content: &str) -> Result<Status, Errno> {
    let path = executable(scratch, "script", content.as_bytes());
    match fork(|| 128 + execve(&path, &["name", "argument"], &["PATH=/bin"]) as i32).wait() {
        Status::Exited(status @ 128..) => Err(Errno::try_from(status - 128).expect("an errno")),
        status => Ok(status),
    }
}

/// This binary's path; `/proc/self/exe` would be the interpreter's own.
fn helper() -> String {
    std::env::current_exe().expect("current_exe").to_str().expect("a plain path").to_owned()
}

/// The interpreter gets its argument, the script's path and the script's arguments: the helper exits with their
/// number, four.
pub(crate) fn interpreter_and_argument() {
    let scratch = Scratch::new();
    let helper = helper();
    assert_eq!(run(&scratch, &format!("#!{helper} child:exit\n")), Ok(Status::Exited(4)));
    assert_eq!(run(&scratch, &format!("#! \t {helper} \t child:exit \t \n")), Ok(Status::Exited(4)), "blanks");
    assert_eq!(run(&scratch, &format!("#!{helper} child:exit")), Ok(Status::Exited(4)), "no end of line");
    // All after the interpreter is one argument, which the helper does not know.
    assert_eq!(run(&scratch, &format!("#!{helper} child:exit more\n")), Ok(Status::Exited(99)));
}

pub(crate) fn shell() {
    let scratch = Scratch::new();
    let content = "#!/bin/sh\n[ \"$0\" = \"$SCRIPT\" ] || exit 1\n[ \"$*\" = \"a b\" ] || exit 2\nexit 17\n";
    let path = executable(&scratch, "script", content.as_bytes());
    let variable = format!("SCRIPT={path}");
    let child = fork(|| execve(&path, &["ignored", "a", "b"], &[&variable]) as i32);
    assert_eq!(child.wait(), Status::Exited(17));
}

/// An interpreter may be a script itself, but not without end.
pub(crate) fn scripts_for_scripts() {
    let scratch = Scratch::new();
    let first = executable(&scratch, "first", format!("#!{} child:exit\n", helper()).as_bytes());
    // The helper, child:exit, first, script, argument.
    assert_eq!(run(&scratch, &format!("#!{first}\n")), Ok(Status::Exited(5)));
    let own = scratch.path().join("script");
    assert_eq!(run(&scratch, &format!("#!{}\n", own.display())), Err(Errno::ELOOP));
}

pub(crate) fn broken_first_lines() {
    let scratch = Scratch::new();
    assert_eq!(run(&scratch, "#!\n"), Err(Errno::ENOEXEC), "no interpreter");
    assert_eq!(run(&scratch, "#!   \n/bin/sh\n"), Err(Errno::ENOEXEC), "only blanks");
    assert!(run(&scratch, "#!").is_err(), "nothing more");
    assert_eq!(run(&scratch, "#!/nowhere/at/all\n"), Err(Errno::ENOENT), "no such interpreter");
    assert_eq!(run(&scratch, "#!/proc\n"), Err(Errno::EACCES), "a directory");
    assert_eq!(run(&scratch, &format!("#!{}\n", "x".repeat(1000))), Err(Errno::ENOEXEC), "a name without end");
    assert_eq!(run(&scratch, "echo no first line\n"), Err(Errno::ENOEXEC), "no script");
}
