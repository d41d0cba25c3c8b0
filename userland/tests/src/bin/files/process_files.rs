//! What /proc tells of processes, as far as the tests and ps need it.

use std::fs;
use tollgate_tests::process::{fork, pid, wait_until_asleep};
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{memory, sys};

pub(crate) fn own_status() {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (before, after) = stat.split_once(" (").unwrap();
    assert_eq!(before.parse(), Ok(pid()));
    let (name, fields) = after.rsplit_once(") ").unwrap();
    assert_eq!(name, "files");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |index: usize| fields[index].parse::<usize>().unwrap();
    assert_eq!(fields[0], "R");
    assert_eq!(Ok(number(1)), sys!(libc::SYS_getppid));
    assert_eq!((number(2), number(3)), (pid() as usize, pid() as usize), "group and session");
    assert!(fields.len() >= 40, "{} fields", fields.len());
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    assert_eq!(field("Name:"), Some("files"));
    assert_eq!(field("Pid:"), Some(pid().to_string().as_str()));
    assert_eq!(field("Threads:"), Some("1"));
}

pub(crate) fn links() {
    let scratch = Scratch::enter();
    assert_eq!(fs::read_link("/proc/self").unwrap().to_str(), Some(pid().to_string().as_str()));
    assert_eq!(fs::read_link("/proc/self/cwd").unwrap(), scratch.path());
    let program = fs::read_link("/proc/self/exe").unwrap();
    assert_eq!(program.file_name().unwrap(), "files");
    assert!(fs::metadata("/proc/self/exe").unwrap().is_file());
    let file = scratch.file("file", b"content");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    assert_eq!(fs::read_link(format!("/proc/self/fd/{fd}")).unwrap(), scratch.path().join("file"));
    assert_eq!(fs::read(format!("/proc/self/fd/{fd}")).unwrap(), b"content");
}

pub(crate) fn others() {
    let child = fork(|| {
        let _ = sys!(libc::SYS_pause);
        0
    });
    wait_until_asleep(child.pid);
    let listed = |pid: i32| fs::read_dir("/proc").unwrap().any(|entry| entry.unwrap().file_name() == *pid.to_string());
    assert!(listed(child.pid) && listed(1) && listed(pid()));
    let own = fs::read("/proc/self/cmdline").unwrap();
    assert_eq!(fs::read(format!("/proc/{}/cmdline", child.pid)).unwrap(), own);
    assert_eq!(own.last(), Some(&0));
    child.kill(libc::SIGKILL);
    child.wait();
    assert!(!listed(child.pid));
    assert!(fs::read("/proc/999999/stat").is_err());
}

pub(crate) fn memory_counts() {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let kilobytes = |name: &str| -> usize {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    assert!(kilobytes("MemFree:") < kilobytes("MemTotal:"));
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mapping = memory::Mapping::anonymous(3);
    let again = fs::read_to_string("/proc/self/maps").unwrap();
    let covers = |maps: &str| {
        maps.lines().any(|line| {
            let (start, end) = line.split(' ').next().and_then(|range| range.split_once('-')).unwrap();
            let [start, end] = [start, end].map(|text| usize::from_str_radix(text, 16).unwrap());
            start <= mapping.address && mapping.end() <= end && line.split(' ').nth(1) == Some("rw-p")
        })
    };
    assert!(covers(&again));
    assert!(maps.lines().count() > 3 && maps.contains("[stack]"));
}
