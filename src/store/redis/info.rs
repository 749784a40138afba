/// What a server says of itself (`INFO`), one field a line.
#[derive(Debug)]
pub(super) struct Info(String);

impl Info {
    pub(super) const fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix(':')?;
            Some(value.trim())
        })
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }

    /// Whether it takes writes, as far as it knows.
    pub(super) fn is_primary(&self) -> bool {
        self.field("role") == Some("master")
    }

    /// How many replicas follow it at this moment.
    pub(super) fn replicas(&self) -> usize {
        let replica = |line: &&str| {
            let rest = line.strip_prefix("slave").unwrap_or_default();
            rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains("state=online")
        };
        self.0.lines().filter(replica).count()
    }

    /// Whether it is set up to take writes only with replicas (`min-replicas-to-write`).
    pub(super) fn wants_replicas(&self) -> bool {
        self.field("min_slaves_good_slaves").is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: &str = "# Replication\r\nrole:master\r\nconnected_slaves:2\r\nmin_slaves_good_slaves:1\r\n\
        slave0:ip=127.0.0.1,port=7001,state=online,offset=70,lag=0\r\n\
        slave1:ip=127.0.0.1,port=7002,state=wait_bgsave,offset=0,lag=0\r\n\
        master_replid:8371445ee\r\nmaster_repl_offset:84\r\n";

    #[test]
    fn only_replicas_that_follow_count() {
        let info = Info::new(PRIMARY.to_owned());
        assert_eq!((info.is_primary(), info.replicas()), (true, 1));
        assert!(info.wants_replicas());
        assert_eq!(info.field("master_replid"), Some("8371445ee"));
        assert_eq!(info.number("master_repl_offset"), Some(84));
    }

    #[test]
    fn a_replica_is_no_primary() {
        let info = Info::new("role:slave\r\nslave_repl_offset:84\r\n".to_owned());
        assert_eq!((info.is_primary(), info.replicas()), (false, 0));
        assert!(!info.wants_replicas());
    }
}
