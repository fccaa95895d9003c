// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! share: as share.c, in Rust, with threads, and a child without an environment.
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::process::{exit, Command};

extern "C" {
    fn ioctl(fd: i32, number: u64, ...) -> i32;
    fn mmap(at: *mut u8, length: usize, prot: i32, flags: i32, fd: i32, offset: i64) -> *mut u8;
    fn munmap(at: *mut u8, length: usize) -> i32;
}

#[repr(C)]
#[derive(Default)]
struct Alloc {
    domid: u16,
    flags: u16,
    count: u32,
    index: u64,
    reference: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Default)]
struct Grant {
    count: u32,
    pad: u32,
    index: u64,
    domid: u32,
    reference: u32,
}

fn open(name: &str) -> File {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(format!("/dev/xen/{name}"))
        .expect(name)
}

fn memory(file: &File, index: u64) -> *mut u8 {
    let at = unsafe { mmap(std::ptr::null_mut(), 4096, 3, 1, file.as_raw_fd(), index as i64) };
    assert!(at as isize > 0, "mmap");
    at
}

fn main() {
    if std::env::args().count() > 1 {
        open("gntdev");
        exit(0);
    }
    let (granter, mapper) = (open("gntalloc"), open("gntdev"));
    let mut alloc = Alloc { flags: 1, count: 1, ..Default::default() };
    assert_eq!(unsafe { ioctl(granter.as_raw_fd(), 0x184705, &mut alloc) }, 0);
    let granted = memory(&granter, alloc.index);
    unsafe { granted.add(5).write_volatile(77) };
    let mut grant = Grant { count: 1, reference: alloc.reference, ..Default::default() };
    assert_eq!(unsafe { ioctl(mapper.as_raw_fd(), 0x184700, &mut grant) }, 0);
    let mapped = memory(&mapper, grant.index);
    assert_eq!(unsafe { mapped.add(5).read_volatile() }, 77);
    assert_eq!(unsafe { munmap(mapped, 4096) }, 0);
    let all: Vec<_> = (0..20)
        .map(|_| std::thread::spawn(|| (0..50).for_each(|_| drop(open("evtchn")))))
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    let own = std::env::current_exe().unwrap();
    assert!(Command::new(own).arg("child").env_clear().status().unwrap().success());
    println!("shared");
}
