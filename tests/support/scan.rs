//! Looks for needles in the whole memory of another process.
//!
//! Every mapping is read through `/proc/PID/mem`, also those that the process itself may not read,
//! and what the kernel does not hand over is listed with the reason. The process should be idle or
//! stopped: what moves while it is read may be missed.
//!
//! Seen are the process's own pages and nothing else: not its registers, not the kernel's buffers
//! (sockets, pipes), not swap, not what a hypervisor keeps.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// Byte strings to look for, each with a name to report it by.
pub struct Needles {
    names: Vec<String>,
    automaton: AhoCorasick,
    longest: usize,
}

/// What was found, and how much was looked at.
pub struct Scan {
    pub hits: Vec<Hit>,
    /// Never to be counted as clean.
    pub unreadable: Vec<Unreadable>,
    pub bytes_read: u64,
}

/// A needle, and where it lies.
#[derive(Debug)]
pub struct Hit {
    pub needle: String,
    pub kind: Kind,
    pub region: String,
    /// From the region's beginning.
    pub offset: u64,
}

/// A range that the kernel did not hand over.
pub struct Unreadable {
    pub kind: Kind,
    pub region: String,
    pub begin: u64,
    pub end: u64,
    pub why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, region, begin, end, why } = self;
        write!(f, "{begin:x}-{end:x} {region} ({kind:?}): {why}")
    }
}

/// What a mapping is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The mapping that grows by `brk`.
    Heap,
    /// Other memory without a file: an allocator's arenas and large blocks, zeroed statics.
    Anonymous,
    /// Of the first thread, or of one that the kernel says stands in it; with its thread-locals.
    Stack,
    /// Of a binary, a library or any other file.
    File,
    /// What the kernel shows every process: vdso, vvar, vsyscall.
    Kernel,
}

/// The process may not be read by this one.
#[derive(Debug)]
pub struct NoRight(pub io::Error);

impl Needles {
    /// The same bytes are looked for once, under the first of their names.
    pub fn new(needles: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut unique = BTreeMap::new();
        for (name, bytes) in needles {
            assert!(bytes.len() >= SHORTEST, "`{name}` is too short to be found by no accident");
            assert!(bytes.iter().any(|&byte| byte != 0), "`{name}` is zero, like unused memory");
            unique.entry(bytes).or_insert(name);
        }
        let (patterns, names): (Vec<_>, Vec<_>) = unique.into_iter().unzip();
        let longest = patterns.iter().map(Vec::len).max().expect("a needle");
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&patterns)
            .expect("an automaton");
        Self { names, automaton, longest }
    }
}

impl Scan {
    /// Reads the process once, for all needles together.
    pub fn of(pid: i32, needles: &Needles) -> Result<Self, NoRight> {
        match Self::try_of(pid, needles) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(NoRight(error)),
            scan => Ok(scan.unwrap_or_else(|error| panic!("process {pid}: {error}"))),
        }
    }

    fn try_of(pid: i32, needles: &Needles) -> io::Result<Self> {
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let mut scan = Self { hits: Vec::new(), unreadable: Vec::new(), bytes_read: 0 };
        for region in regions(pid)? {
            scan.read(&memory, &region, needles);
        }
        Ok(scan)
    }

    /// Hits anywhere but on a stack.
    pub fn hits_off_stack(&self) -> Vec<&Hit> {
        self.hits.iter().filter(|hit| hit.kind != Kind::Stack).collect()
    }

    /// Hits on a stack.
    pub fn hits_on_stack(&self) -> Vec<&Hit> {
        self.hits.iter().filter(|hit| hit.kind == Kind::Stack).collect()
    }

    fn read(&mut self, memory: &File, region: &Region, needles: &Needles) {
        let mut block = vec![0; BLOCK_BYTES];
        let (mut at, mut kept) = (region.begin, 0);
        while at < region.end {
            let wanted = (region.end - at).min((BLOCK_BYTES - kept) as u64) as usize;
            match memory.read_at(&mut block[kept..kept + wanted], at) {
                Ok(read @ 1..) => {
                    let seen = &block[..kept + read];
                    self.search(seen, kept, at - kept as u64, region, needles);
                    // A needle may begin in this block and end in the next.
                    let keep = seen.len().min(needles.longest - 1);
                    let from = seen.len() - keep;
                    block.copy_within(from..from + keep, 0);
                    (at, kept) = (at + read as u64, keep);
                    self.bytes_read += read as u64;
                }
                nothing => {
                    let why = nothing.map_or_else(|error| error.to_string(), |_| "nothing".into());
                    let next = (at / PAGE_BYTES + 1) * PAGE_BYTES;
                    self.miss(region, at, next.min(region.end), why);
                    (at, kept) = (next, 0);
                }
            }
        }
    }

    /// The first `old` bytes were searched before; what lies in them alone is known already.
    fn search(&mut self, seen: &[u8], old: usize, at: u64, region: &Region, needles: &Needles) {
        if seen.iter().all(|&byte| byte == 0) {
            return;
        }
        for found in needles.automaton.find_overlapping_iter(seen).filter(|f| f.end() > old) {
            self.hits.push(Hit {
                needle: needles.names[found.pattern().as_usize()].clone(),
                kind: region.kind,
                region: region.name.clone(),
                offset: at + found.start() as u64 - region.begin,
            });
        }
    }

    fn miss(&mut self, region: &Region, begin: u64, end: u64, why: String) {
        match self.unreadable.last_mut() {
            Some(last) if last.end == begin && last.why == why && last.region == region.name => {
                last.end = end;
            }
            _ => self.unreadable.push(Unreadable {
                kind: region.kind,
                region: region.name.clone(),
                begin,
                end,
                why,
            }),
        }
    }
}

/// Heaps, stacks and other memory without a file, as it is: for who looks for more than bytes.
pub fn writable_memory(pid: i32) -> io::Result<Vec<Vec<u8>>> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let own = [Kind::Heap, Kind::Anonymous, Kind::Stack];
    let regions = regions(pid)?.into_iter().filter(|region| own.contains(&region.kind));
    let read = regions.filter_map(|region| {
        let mut bytes = vec![0; usize::try_from(region.end - region.begin).ok()?];
        let read = memory.read_at(&mut bytes, region.begin).ok()?;
        bytes.truncate(read);
        Some(bytes)
    });
    Ok(read.collect())
}

struct Region {
    begin: u64,
    end: u64,
    kind: Kind,
    name: String,
}

fn regions(pid: i32) -> io::Result<Vec<Region>> {
    let stacks = stack_pointers(pid)?;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    Ok(maps.lines().flat_map(|line| parse(line, &stacks)).collect())
}

/// A line of `maps`: range, permissions, offset, device, inode, name.
fn parse(line: &str, stack_pointers: &[u64]) -> Vec<Region> {
    let mut fields = line.split_whitespace();
    let range = fields.next().and_then(|range| range.split_once('-')).expect("a range");
    let [begin, end] = [range.0, range.1].map(|hex| u64::from_str_radix(hex, 16).expect("hex"));
    let permissions = fields.next().expect("permissions");
    let name = fields.skip(3).collect::<Vec<_>>().join(" ");
    let region =
        |begin, end, kind| Region { begin, end, kind, name: format!("{permissions} {name}") };
    let kind = match name.as_str() {
        "[heap]" => Kind::Heap,
        "[stack]" => Kind::Stack,
        "" => Kind::Anonymous,
        name if name.starts_with("[anon") => Kind::Anonymous,
        name if name.starts_with('[') => Kind::Kernel,
        _ => Kind::File,
    };
    let in_use = stack_pointers.iter().any(|pointer| (begin..end).contains(pointer));
    if kind != Kind::Anonymous || !in_use {
        return vec![region(begin, end, kind)];
    }
    // The kernel may show a thread's stack and what was mapped above it as one.
    let top = end.min(begin + THREAD_STACK_BYTES);
    let mut parts = vec![region(begin, top, Kind::Stack)];
    if top < end {
        parts.push(region(top, end, Kind::Anonymous));
    }
    parts
}

/// Where the stack of each thread that waits in a system call ends. A thread that runs has none to
/// show; what lies on its stack then counts as if it lay in the heap.
fn stack_pointers(pid: i32) -> io::Result<Vec<u64>> {
    let mut pointers = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let call = std::fs::read_to_string(task?.path().join("syscall"))?;
        let pointer = call.split_whitespace().rev().nth(1).and_then(|word| word.strip_prefix("0x"));
        pointers.extend(pointer.and_then(|hex| u64::from_str_radix(hex, 16).ok()));
    }
    Ok(pointers)
}

const BLOCK_BYTES: usize = 1 << 20;
const PAGE_BYTES: u64 = 4096;
/// Eight random bytes are found by accident once in many million scans.
const SHORTEST: usize = 8;
/// What Rust's standard library gives a thread that asks for nothing else.
const THREAD_STACK_BYTES: u64 = 2 << 20;
