//! A real Valkey or Redis server, on a port of its own; it can be killed and started again, and is gone
//! when the test program has ended, however it ended.

use std::{
    io::{BufRead, BufReader, PipeWriter},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The password, which the tests look for where it must not be.
pub const PASSWORD: &str = "hunter2-valkey";

/// Runs a server that keeps nothing but what it is told to (`SAVE`), and ends it when nobody holds the other
/// end of its input any longer.
const RUN: &str = r#"
redis-server --port "$1" --bind 127.0.0.1 --requirepass "$2" --dir "$3" --save "" --appendonly no --daemonize no &
server=$!
cat >/dev/null
kill -KILL $server
wait $server || true
"#;

/// A server.
pub struct Valkey {
    port: u16,
    /// What it saves is here, and read when it starts again.
    directory: tempfile::TempDir,
    running: Option<Running>,
}

struct Running {
    shell: Child,
    /// Closed by the system when this program ends.
    lifeline: PipeWriter,
}

impl Valkey {
    /// Starts one, with nothing counted yet.
    #[must_use]
    pub fn start() -> Self {
        let free = || {
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            let port = listener.local_addr().expect("an address").port();
            drop(listener);
            let directory = tempfile::tempdir().expect("a directory");
            let running = Some(run(port, directory.path())?);
            Some(Self { port, directory, running })
        };
        (0..5).find_map(|_| free()).expect("a Redis server starts on one of five free ports")
    }

    /// The URL, with the password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}/0", self.port)
    }

    /// From now on the server takes questions and does not answer.
    pub async fn hang(&self) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("a server");
        let commands = format!("AUTH {PASSWORD}\r\nCLIENT PAUSE 600000 ALL\r\n");
        stream.write_all(commands.as_bytes()).await.expect("a connection");
        let mut answers = [0; "+OK\r\n+OK\r\n".len()];
        stream.read_exact(&mut answers).await.expect("answers");
        assert_eq!(answers, *b"+OK\r\n+OK\r\n");
    }

    /// What it answers to one command, given as `redis-cli` takes it.
    #[must_use]
    pub fn answer(&self, command: &[&str]) -> Vec<u8> {
        let port = self.port.to_string();
        let mut program = Command::new("redis-cli");
        program.args(["-h", "127.0.0.1", "-p", &port, "-a", PASSWORD, "--no-auth-warning"]).args(command);
        program.output().expect("redis-cli is installed with the server").stdout
    }

    /// Kills the server; what it counted is gone, unless it was told to save it. Returns when nobody listens any longer.
    pub fn kill(&mut self) {
        if let Some(Running { mut shell, lifeline }) = self.running.take() {
            drop(lifeline);
            shell.wait().expect("the shell ends");
        }
    }

    /// Starts the server again, at the same port.
    pub fn start_again(&mut self) {
        self.kill();
        self.running = Some(run(self.port, self.directory.path()).expect("the port is still free"));
    }
}

/// `None` where another program took the port meanwhile.
fn run(port: u16, directory: &Path) -> Option<Running> {
    let (input, lifeline) = std::io::pipe().expect("a pipe");
    let mut shell = Command::new("sh")
        .args(["-c", RUN, "sh", &port.to_string(), PASSWORD])
        .arg(directory)
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let mut log = BufReader::new(shell.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let is_ready = loop {
        let line = log
            .next()
            .expect("Redis is installed: run `cargo xtask test`, or on Debian `apt-get install redis-server`");
        if line.contains("eady to accept connections") {
            break true;
        }
        if line.contains("Could not create server TCP") || line.contains("bind: Address already in use") {
            break false;
        }
    };
    // What it logs must not fill the pipe and stop it.
    std::thread::spawn(move || log.for_each(drop));
    is_ready.then_some(Running { shell, lifeline })
}
