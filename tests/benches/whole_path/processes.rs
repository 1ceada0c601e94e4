//! What processes cost, by the kernel's own account.

use std::fs;

/// Processes that together serve a path.
pub struct Processes(pub Vec<u32>);

impl Processes {
    /// User and system time so far, in seconds.
    pub fn cpu_s(&self) -> f64 {
        self.0.iter().map(|pid| cpu_of(&format!("/proc/{pid}/stat"))).sum()
    }

    /// Resident memory, summed over the processes.
    pub fn resident_mb(&self) -> f64 {
        let resident_kb = |pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0)
        };
        self.0.iter().map(resident_kb).sum::<f64>() / 1024.0
    }
}

/// This process's own CPU time, in seconds.
pub fn own_cpu() -> f64 {
    cpu_of("/proc/self/stat")
}

/// The processor's name, and how many cores we may use.
pub fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(": ")).map_or("an unknown CPU", |(_, n)| n);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{name}, {cores} cores")
}

/// Fields 14 and 15 of `/proc/PID/stat`, in ticks of 10 ms.
fn cpu_of(stat: &str) -> f64 {
    let stat = fs::read_to_string(stat).unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let fields: Vec<f64> = after_name.split(' ').filter_map(|field| field.parse().ok()).collect();
    // The state letter does not parse, so field 4 comes first.
    fields.get(10).unwrap_or(&0.0) / 100.0 + fields.get(11).unwrap_or(&0.0) / 100.0
}

/// The mount under a path, as `/proc/mounts` names it.
pub fn file_system_of(path: &std::path::Path) -> String {
    let path = path.canonicalize().unwrap_or_default();
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mut best = ("", String::from("an unknown file system"));
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(point), Some(kind)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if path.starts_with(point) && point.len() >= best.0.len() {
            best = (point, format!("{kind} ({device} at {point})"));
        }
    }
    best.1
}
