//! Small conversations between namespaces: who reaches whom, with real sockets and the usual tools.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::Namespace;

/// How long a probe waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// How long it waits for what must not come.
pub const SILENCE: Duration = Duration::from_millis(700);

/// Whether `count` pings all come back; `options` are ping's.
///
/// # Errors
/// Where ping cannot be run.
pub fn ping(from: &Namespace, to: &str, options: &str, count: u32) -> Result<bool> {
    let output = from.command(&format!(
        "ping -n -q -c {count} -i 0.05 -W 2 {options} {to}"
    ))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && text.contains(&format!("{count} received")))
}

/// What `ping` printed, for messages about MTUs.
///
/// # Errors
/// Where ping cannot be run.
pub fn ping_text(from: &Namespace, to: &str, options: &str) -> Result<String> {
    let output = from.command(&format!("ping -n -c 1 -W 1 {options} {to}"))?;
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Ok(format!("{out}{err}"))
}

/// The routers and the end of the way to `to`, by traceroute with ICMP echo.
///
/// # Errors
/// Where traceroute cannot be run.
pub fn traceroute(from: &Namespace, to: &str) -> Result<Vec<String>> {
    let text = from.output(&format!("traceroute -n -I -q 1 -w 2 -m 4 {to}"))?;
    let hops = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().nth(1));
    Ok(hops.map(str::to_owned).collect())
}

/// A TCP server inside a namespace that greets whoever connects with its name.
pub struct Greeter {
    listener: TcpListener,
    name: String,
}

impl Greeter {
    /// Listens.
    ///
    /// # Errors
    /// Where the port is taken.
    pub fn listen(at: &Namespace, l4_port: u16) -> Result<Self> {
        let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, l4_port);
        let listener = at.run(|| Ok(TcpListener::bind(any)?))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            name: at.name().to_owned(),
        })
    }

    /// Greets one client within the probe's patience.
    fn greet(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            match self.listener.accept() {
                Ok((mut client, _)) => return Ok(client.write_all(self.name.as_bytes())?),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    ensure!(start.elapsed() < PATIENCE, "nobody connected");
                    thread::yield_now();
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Connects from `from` to `server`, which is at `to`. Who answered, or that nobody did.
///
/// # Errors
/// Those of sockets other than a time-out.
pub fn tcp(from: &Namespace, server: &Greeter, to: SocketAddrV4) -> Result<Option<String>> {
    thread::scope(|scope| {
        let greeting = scope.spawn(|| server.greet());
        let Some(mut stream) = connect(from, to, PATIENCE)? else {
            return Ok(None);
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut text = String::new();
        stream
            .read_to_string(&mut text)
            .context("read the greeting")?;
        match greeting.join() {
            Ok(greeted) => greeted?,
            Err(_) => anyhow::bail!("the server panicked"),
        }
        Ok(Some(text))
    })
}

/// A connection, or none where nobody answers.
///
/// # Errors
/// Those of sockets other than a time-out.
pub fn connect(
    from: &Namespace,
    to: SocketAddrV4,
    deadline: Duration,
) -> Result<Option<TcpStream>> {
    let connected = from.run(|| Ok(TcpStream::connect_timeout(&SocketAddr::V4(to), deadline)))?;
    match connected {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Ok(None),
        Err(error) => Err(error).with_context(|| format!("connect from {} to {to}", from.name())),
    }
}

/// Sends a datagram of `len_bytes` and waits for it to come back whole.
///
/// # Errors
/// Those of sockets other than a time-out.
pub fn udp_echo(
    from: &Namespace,
    at: &Namespace,
    to: SocketAddrV4,
    len_bytes: usize,
    deadline: Duration,
) -> Result<bool> {
    let bind = |l4_port| move || Ok(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, l4_port))?);
    let (client, server) = (from.run(bind(0))?, at.run(bind(to.port()))?);
    let sent: Vec<u8> = (0..=250).cycle().take(len_bytes).collect();
    client.set_read_timeout(Some(deadline))?;
    server.set_read_timeout(Some(deadline))?;
    client.send_to(&sent, to)?;
    let mut buffer = vec![0; 65_536];
    let Ok((received, peer)) = server.recv_from(&mut buffer) else {
        return Ok(false);
    };
    server.send_to(&buffer[..received], peer)?;
    let Ok(received) = client.recv(&mut buffer) else {
        return Ok(false);
    };
    Ok(buffer[..received] == sent[..])
}

/// Sends `total_bytes` over one TCP connection. Bits a second that arrived.
///
/// # Errors
/// Where nobody answers, or what arrives is less.
pub fn tcp_bulk(
    from: &Namespace,
    at: &Namespace,
    to: SocketAddrV4,
    total_bytes: u64,
) -> Result<f64> {
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, to.port());
    let listener = at.run(|| Ok(TcpListener::bind(any)?))?;
    let mut sender = connect(from, to, PATIENCE)?.context("nobody answered")?;
    let (mut receiver, _) = listener.accept()?;
    sender.set_write_timeout(Some(PATIENCE))?;
    receiver.set_read_timeout(Some(PATIENCE))?;
    let start = Instant::now();
    let received = thread::scope(|scope| {
        let receiving = scope.spawn(move || drain(&mut receiver));
        let chunk = vec![0x5a; 65_536];
        let mut left = total_bytes;
        while left > 0 {
            let len = left.min(chunk.len() as u64);
            sender.write_all(&chunk[..usize::try_from(len)?])?;
            left -= len;
        }
        sender.shutdown(std::net::Shutdown::Write)?;
        match receiving.join() {
            Ok(received) => received,
            Err(_) => anyhow::bail!("the receiver panicked"),
        }
    })?;
    ensure!(
        received == total_bytes,
        "{received} of {total_bytes} bytes arrived"
    );
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    Ok(total_bytes as f64 * 8.0 / start.elapsed().as_secs_f64())
}

fn drain(receiver: &mut TcpStream) -> Result<u64> {
    let mut buffer = vec![0; 1 << 18];
    let mut total = 0;
    loop {
        match receiver.read(&mut buffer)? {
            0 => return Ok(total),
            len => total += len as u64,
        }
    }
}
