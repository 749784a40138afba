//! A name server that says what the test wants.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::within;

/// A name server over UDP. It ends when this is dropped.
pub struct Names {
    pub address: SocketAddr,
    known: Arc<Mutex<HashMap<String, Zone>>>,
    asked: watch::Receiver<Vec<String>>,
    answering: JoinHandle<()>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
struct Zone {
    addresses: Vec<IpAddr>,
    ttl: u32,
    is_failing: bool,
}

const A: u16 = 1;
const AAAA: u16 = 28;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

impl Names {
    /// Knows no name yet.
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let known = Arc::<Mutex<HashMap<String, Zone>>>::default();
        let (told, asked) = watch::channel(Vec::new());
        let zones = Arc::clone(&known);
        let answering = tokio::spawn(async move {
            let mut question = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                let (name, answer) = answer(&question[..length], &zones.lock());
                // Who asked may be gone.
                let _ = socket.send_to(&answer, from).await;
                told.send_modify(|asked| asked.push(name));
            }
        });
        Self {
            address,
            known,
            asked,
            answering,
        }
    }

    /// `name` stands for these addresses from now on, for so many seconds.
    pub fn say(&self, name: &str, addresses: &[IpAddr], ttl: u32) {
        let zone = Zone {
            addresses: addresses.to_vec(),
            ttl,
            is_failing: false,
        };
        self.known.lock().insert(name.to_owned(), zone);
    }

    /// Nothing can be said of `name` from now on.
    pub fn fail(&self, name: &str) {
        self.known.lock().get_mut(name).unwrap().is_failing = true;
    }

    /// Waits until so many questions for `name` were answered.
    pub async fn asked_for(&self, name: &str, count: usize) {
        let mut asked = self.asked.clone();
        let wait = asked.wait_for(|asked| times(asked, name) >= count);
        within("a question to the name server", wait).await.unwrap();
    }

    /// How many questions for `name` were answered.
    pub fn asked(&self, name: &str) -> usize {
        times(&self.asked.borrow(), name)
    }

    /// The lines that have a gateway ask it.
    pub fn config(&self) -> String {
        format!("[dns]\nservers = [\"{}\"]\n", self.address)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

fn times(asked: &[String], name: &str) -> usize {
    asked.iter().filter(|other| *other == name).count()
}

/// The name that is asked for, and the answer: RFC 1035 §4.1, as far as a stub resolver needs it.
fn answer(question: &[u8], zones: &HashMap<String, Zone>) -> (String, Vec<u8>) {
    let mut at = 12;
    let mut name = Vec::new();
    while question[at] != 0 {
        let length = usize::from(question[at]);
        let label = &question[at + 1..=at + length];
        name.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length + 1;
    }
    let kind = u16::from_be_bytes([question[at + 1], question[at + 2]]);
    let asked = &question[12..at + 5];
    let name = name.join(".");
    let zone = zones.get(&name);
    let (code, records) = match zone {
        None => (NO_SUCH_NAME, Vec::new()),
        Some(zone) if zone.is_failing => (SERVER_FAILURE, Vec::new()),
        Some(zone) => (0, records(zone, kind)),
    };
    let mut answer = question[..2].to_vec();
    answer.extend([0x84 | (question[2] & 1), 0x80 | code]);
    for count in [1, records.len(), 0, 0] {
        answer.extend(u16::try_from(count).unwrap().to_be_bytes());
    }
    answer.extend(asked);
    answer.extend(records.concat());
    (name, answer)
}

fn records(zone: &Zone, kind: u16) -> Vec<Vec<u8>> {
    let data = zone.addresses.iter().filter_map(|address| match address {
        IpAddr::V4(ip) if kind == A => Some(ip.octets().to_vec()),
        IpAddr::V6(ip) if kind == AAAA => Some(ip.octets().to_vec()),
        _ => None,
    });
    let record = |data: Vec<u8>| {
        let mut record = vec![0xc0, 12];
        record.extend(kind.to_be_bytes());
        record.extend([0, 1]);
        record.extend(zone.ttl.to_be_bytes());
        record.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        record.extend(data);
        record
    };
    data.map(record).collect()
}
