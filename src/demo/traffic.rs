//! The customers: steady requests to every service, and what came of them second by second.
//!
//! It speaks HTTP by hand, a dozen lines, because only `net` may name the client library and customers need none of its guards.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::services::{CUSTOMER_HEADER, JOURNEY};

/// Time from one customer of a service to the next.
const EVERY: Duration = Duration::from_millis(200);
/// A customer gives up after this.
const PATIENCE: Duration = Duration::from_millis(600);
/// As many seconds are remembered.
const REMEMBERED: usize = 180;

/// What customers saw in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Seconds since the traffic began.
    pub number: u64,
    /// Answers with 200.
    pub good: u32,
    /// Other answers, and none.
    pub bad: u32,
}

/// What the customers of one service saw.
#[derive(Clone, Debug)]
pub struct Experience {
    began: Instant,
    seconds: Arc<Mutex<VecDeque<Second>>>,
}

/// Starts the customers of a service; they end with `tasks`.
pub fn start(address: SocketAddr, tasks: &mut JoinSet<()>) -> Experience {
    let experience = Experience { began: Instant::now(), seconds: Arc::default() };
    let seen = experience.clone();
    tasks.spawn(async move {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let status = timeout(PATIENCE, get(address, CUSTOMER_HEADER)).await;
            seen.note(matches!(status, Ok(Ok(200))));
        }
    });
    experience
}

/// Asks a service's journey once, with one header, and gives the status of the answer.
///
/// # Errors
/// The connection is refused or breaks, or the answer is no HTTP.
pub async fn get(address: SocketAddr, header: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {JOURNEY} HTTP/1.1\r\nhost: {address}\r\n{header}: yes\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // The answers of the demo's services are short; 64 KiB is far more than one has.
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    let status = std::str::from_utf8(answer.get(9..12).unwrap_or_default()).ok().and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP"))
}

// === impl Experience ===

impl Experience {
    fn note(&self, good: bool) {
        let number = self.began.elapsed().as_secs();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        if seconds.back().is_none_or(|second| second.number != number) {
            seconds.push_back(Second { number, ..Second::default() });
        }
        if seconds.len() > REMEMBERED {
            seconds.pop_front();
        }
        if let Some(second) = seconds.back_mut() {
            if good {
                second.good += 1;
            } else {
                second.bad += 1;
            }
        }
    }

    /// The remembered seconds from `from` on, oldest first. A second in which nobody asked is not there.
    pub fn since(&self, from: u64) -> Vec<Second> {
        let seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        seconds.iter().filter(|second| second.number >= from).copied().collect()
    }

    /// The number of the second that runs now.
    pub fn now(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// How many customers were let down from second `from` on.
    pub fn bad_since(&self, from: u64) -> u32 {
        self.since(from).iter().map(|second| second.bad).sum()
    }
}
