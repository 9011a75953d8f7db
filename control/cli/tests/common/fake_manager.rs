//! A server that speaks the API over a real socket, keeps its objects in memory, and fails when it is told to.

use std::{
    collections::VecDeque,
    io::{BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use super::{
    connection::{Request, receive, send, send_part},
    objects::{Objects, problem, reply},
};

/// The token that it takes.
pub(crate) const TOKEN: &str = "inlay_0123456789abcdef";

/// How the next connection fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// It is closed before anything is done.
    BeforeDoing,
    /// It is closed after it was done, and before that is told.
    AfterDoing,
    /// It is closed after a part of the answer.
    WithinTelling,
}

#[derive(Debug, Default)]
struct State {
    objects: Objects,
    requests: Vec<Request>,
    faults: VecDeque<Fault>,
}

/// The server; it is gone with this.
#[derive(Debug)]
pub(crate) struct FakeManager {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
    is_over: Arc<AtomicBool>,
    accepting: Option<thread::JoinHandle<()>>,
}

impl FakeManager {
    /// That has a project `acme`.
    pub(crate) fn start() -> Self {
        Self::serving("127.0.0.1:0", None)
    }

    /// As `start`, with TLS, at the loopback address of either family.
    pub(crate) fn start_tls(address: &str, config: Arc<rustls::ServerConfig>) -> Self {
        Self::serving(address, Some(config))
    }

    fn serving(address: &str, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (shared, over) = (Arc::clone(&state), Arc::clone(&is_over));
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                thread::spawn(move || accepted(stream, tls, &shared));
            }
        });
        let manager = Self {
            address,
            scheme,
            state,
            is_over,
            accepting: Some(accepting),
        };
        manager.put(
            "/v1/projects/acme",
            &json!({"kind": "project", "metadata": {"name": "acme"}, "spec": {}}),
        );
        manager
    }

    pub(crate) fn server(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Stores an object.
    pub(crate) fn put(&self, path: &str, object: &Value) {
        let mut object = object.clone();
        object["metadata"]["revision"] = json!(1);
        self.state().objects.by_path.insert(path.to_owned(), object);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.state().objects.by_path.get(path).cloned()
    }

    /// Paths of all objects.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.state().objects.by_path.keys().cloned().collect()
    }

    /// What is answered at a path.
    pub(crate) fn can(&self, path: &str, status: u16, body: Value) {
        self.state()
            .objects
            .canned
            .insert(path.to_owned(), reply(status, body));
    }

    /// What the next request is refused with.
    pub(crate) fn refuse_next(&self, status: u16, title: &str, detail: &str) {
        self.state()
            .objects
            .next
            .push_back(problem(status, title, detail));
    }

    pub(crate) fn answer_next(&self, status: u16, body: Value) {
        self.state().objects.next.push_back(reply(status, body));
    }

    /// How the next requests fail.
    pub(crate) fn fail_next(&self, faults: &[Fault]) {
        self.state().faults.extend(faults);
    }

    /// A host that never applies anything.
    pub(crate) fn leave_behind(&self, host: &str) {
        self.state().objects.behind.push(host.to_owned());
    }

    pub(crate) fn set_page(&self, objects: usize) {
        self.state().objects.page = Some(objects);
    }

    /// All requests since the last call.
    pub(crate) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().requests)
    }

    /// Methods and paths of all requests that were not reads, since the last call.
    pub(crate) fn take_changes(&self) -> Vec<String> {
        let requests = self.take_requests();
        let changes = requests.iter().filter(|request| request.method != "GET");
        changes
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }
}

impl Drop for FakeManager {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accepted(stream: TcpStream, tls: Option<Arc<rustls::ServerConfig>>, state: &Mutex<State>) {
    match tls {
        None => serve(stream, state),
        Some(config) => {
            let connection = rustls::ServerConnection::new(config).unwrap();
            serve(rustls::StreamOwned::new(connection, stream), state);
        }
    }
}

fn serve(stream: impl Read + Write, state: &Mutex<State>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = receive(&mut stream) {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        let fault = state.faults.pop_front();
        if fault == Some(Fault::BeforeDoing) {
            return;
        }
        let authorization = format!("Bearer {TOKEN}");
        let reply = if request.header("authorization") == authorization {
            state.objects.answer(&request)
        } else {
            problem(401, "Not authenticated", "the token is nobody's")
        };
        drop(state);
        let told = match fault {
            Some(Fault::AfterDoing) => return,
            Some(Fault::WithinTelling) => send_part(stream.get_mut(), &reply),
            _ => send(stream.get_mut(), &reply),
        };
        if told.is_err() || fault.is_some() {
            return;
        }
    }
}
