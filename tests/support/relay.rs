//! Between a program and its PostgreSQL, to see what they say to each other.

use std::io::{Read, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use url::Url;

/// Passes on whatever comes, and counts how often the program writes to it.
pub struct Relay {
    pub url: String,
    connections: Arc<Mutex<Vec<Arc<Line>>>>,
    /// While somebody has it, no answer comes.
    answers: Arc<Mutex<()>>,
}

#[derive(Default)]
struct Line {
    written: AtomicUsize,
    wakes: AtomicBool,
}

impl Relay {
    pub fn before(url: &str) -> Self {
        let mut url = Url::parse(url).expect("a URL");
        let server = format!("{}:{}", url.host_str().expect("a host"), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        url.set_host(Some("127.0.0.1"))
            .and_then(|()| url.set_port(Some(port)).map_err(|()| url::ParseError::InvalidPort))
            .expect("a URL of the relay");
        let connections = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&connections);
        let answers = Arc::new(Mutex::new(()));
        let gate = Arc::clone(&answers);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&server) else { return };
                let line = Arc::new(Line::default());
                known.lock().expect("the connections").push(Arc::clone(&line));
                for stream in [&client, &server] {
                    stream.set_nodelay(true).expect("a socket");
                }
                let gate = Arc::clone(&gate);
                let count = move |bytes: &[u8]| line.count(bytes);
                pass(client.try_clone(), server.try_clone(), count);
                pass(Ok(server), Ok(client), move |_| drop(gate.lock()));
            }
        });
        Self { url: url.to_string(), connections, answers }
    }

    /// How often while `what` is done, but for connections that by its end are known to wake others.
    pub fn written(&self, what: impl FnOnce()) -> usize {
        let before: Vec<usize> = self.lines().iter().map(|line| line.written.load(Ordering::SeqCst)).collect();
        what();
        let lines = self.lines();
        let counted = lines.iter().enumerate().filter(|(_, line)| !line.wakes.load(Ordering::SeqCst));
        let then = |place: usize| before.get(place).copied().unwrap_or(0);
        counted.map(|(place, line)| line.written.load(Ordering::SeqCst) - then(place)).sum()
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Arc<Line>>> {
        self.connections.lock().expect("the connections")
    }

    /// Keeps back what the server says until this is dropped.
    pub fn silence(&self) -> MutexGuard<'_, ()> {
        self.answers.lock().expect("the answers")
    }
}

impl Line {
    fn count(&self, bytes: &[u8]) {
        self.written.fetch_add(1, Ordering::SeqCst);
        if bytes.windows(6).any(|word| word == b"LISTEN") {
            self.wakes.store(true, Ordering::SeqCst);
        }
    }
}

fn pass(from: Result<TcpStream>, to: Result<TcpStream>, see: impl Fn(&[u8]) + Send + 'static) {
    let (mut from, mut to) = (from.expect("a socket"), to.expect("a socket"));
    thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            see(&buffer[..length]);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
