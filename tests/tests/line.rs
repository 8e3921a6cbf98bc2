//! A line to a service that is cut after so many bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The line; it lasts as long as the process.
pub(crate) struct Line {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    target: SocketAddr,
    sent: AtomicUsize,
    bytes: usize,
    is_cut: AtomicBool,
    heals: bool,
}

impl Line {
    /// A line that is cut once so many bytes have gone to the service: for good, or once.
    pub(crate) fn start(target: SocketAddr, bytes: usize, heals: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            target,
            sent: AtomicUsize::new(0),
            bytes,
            is_cut: AtomicBool::new(false),
            heals,
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                if state.heals || !state.is_cut.load(Ordering::SeqCst) {
                    thread::spawn(move || state.carry(&stream));
                }
            }
        });
        Self { address, state }
    }

    /// Where the door is over this line.
    pub(crate) fn door(&self) -> String {
        format!("http://{}/upload", self.address)
    }

    pub(crate) fn was_cut(&self) -> bool {
        self.state.is_cut.load(Ordering::SeqCst)
    }

    pub(crate) fn wait_until_cut(&self) {
        let start = Instant::now();
        while !self.was_cut() {
            assert!(start.elapsed() < Duration::from_secs(60), "never cut");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl State {
    fn carry(&self, client: &TcpStream) {
        let Ok(service) = TcpStream::connect(self.target) else {
            return;
        };
        let (mut from, mut to) = (service.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || {
            // Either end may be gone.
            drop(std::io::copy(&mut from, &mut to));
            drop(to.shutdown(Shutdown::Both));
        });
        let (mut from, mut to, mut buffer) = (client, &service, [0; 4096]);
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let sent = self.sent.fetch_add(count, Ordering::SeqCst) + count;
            if sent > self.bytes && !self.is_cut.swap(true, Ordering::SeqCst) {
                break;
            }
            if !self.heals && self.is_cut.load(Ordering::SeqCst) {
                break;
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        // One of the two may have closed already.
        drop(client.shutdown(Shutdown::Both));
        drop(service.shutdown(Shutdown::Both));
    }
}
