use std::fs;

/// What a process holds, against what it held when this was made.
pub(super) struct Process {
    id: u32,
    resident: u64,
    descriptors: u64,
}

impl Process {
    pub(super) fn of(id: u32) -> Self {
        let mut process = Self {
            id,
            resident: 0,
            descriptors: 0,
        };
        // The peak so far is of the start, and not the flood's.
        fs::write(format!("/proc/{id}/clear_refs"), "5").unwrap();
        process.resident = process.peak();
        process.descriptors = process.descriptors();
        process
    }

    /// The most memory since then, in KiB above what there was.
    pub(super) fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap().saturating_sub(self.resident)
    }

    /// Descriptors above those that there were.
    pub(super) fn descriptors(&self) -> u64 {
        let open = fs::read_dir(format!("/proc/{}/fd", self.id)).unwrap();
        u64::try_from(open.count())
            .unwrap()
            .saturating_sub(self.descriptors)
    }

    /// Its threads.
    pub(super) fn threads(&self) -> Vec<Thread> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id)).unwrap();
        tasks
            .map(|task| {
                let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
                let (name, rest) = stat.split_once('(').unwrap().1.rsplit_once(')').unwrap();
                // The third field is the first here (proc(5)), `nice` the nineteenth.
                let nice = rest.split_whitespace().nth(16).unwrap();
                Thread {
                    name: name.to_owned(),
                    nice: nice.parse().unwrap(),
                }
            })
            .collect()
    }
}

/// A thread of a process.
pub(super) struct Thread {
    pub(super) name: String,
    pub(super) nice: i32,
}
