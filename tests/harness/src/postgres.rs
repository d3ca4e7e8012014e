//! A real PostgreSQL server: one for a whole test program, started by the first test that needs it
//! in a directory and on a port of its own, and gone when the program has ended, however it ended.
//! Each test gets a fresh database.

use std::{
    io::{BufRead, BufReader, PipeWriter},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

/// The superuser's password, which the tests look for where it must not be.
pub const PASSWORD: &str = "hunter2-secret";

/// Makes a server, runs it, and ends it when nobody holds the other end of its input any longer.
const RUN: &str = r#"
set -e
"$1/initdb" --pgdata="$2/data" --username=postgres --pwfile="$2/password" --auth-local=trust \
  --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$2/initdb.log" 2>&1
"$1/postgres" -D "$2/data" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$2" \
  -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c autovacuum=off -c max_connections=200 &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server || true
rm -rf "$2"
"#;

struct Server {
    port: u16,
    /// Closed by the system when this program ends.
    _lifeline: PipeWriter,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| (0..5).find_map(|_| start()).expect("a PostgreSQL server starts on one of five free ports"))
}

/// Where Debian keeps the server's programs, the newest version first.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let version =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u32>().ok());
    versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/postgres").exists())
        .max_by_key(|path| version(path))
        .expect("PostgreSQL is installed: run `cargo xtask test`, or on Debian `apt-get install postgresql-15`")
        .join("bin")
}

/// `None` where another program took the port meanwhile.
fn start() -> Option<Server> {
    let directory = TempDir::with_prefix("bridgehead-postgres-").expect("a directory for the server").keep();
    std::fs::write(directory.join("password"), PASSWORD).expect("a file for the server");
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a free port").port();
    let mut command = as_nobody_special(&directory);
    let (input, lifeline) = std::io::pipe().expect("a pipe");
    let mut child = command
        .args(["sh", "-c", RUN, "sh"])
        .arg(programs())
        .arg(&directory)
        .arg(port.to_string())
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server's programs run");
    let mut log = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let mut said = String::new();
    let is_ready = loop {
        let Some(line) = log.next() else { panic!("PostgreSQL does not start: {said}") };
        if line.contains("ready to accept connections") {
            break true;
        }
        if line.contains("could not create any TCP/IP sockets") {
            break false;
        }
        said.push_str(&line);
        said.push('\n');
    };
    // What it logs must not fill the pipe and stop it.
    std::thread::spawn(move || {
        log.for_each(drop);
        child.wait()
    });
    is_ready.then_some(Server { port, _lifeline: lifeline })
}

/// PostgreSQL does not run as root.
fn as_nobody_special(directory: &Path) -> Command {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    if String::from_utf8_lossy(&id.stdout).trim() != "0" {
        return Command::new("env");
    }
    let owner = Command::new("chown").args(["-R", "postgres:postgres"]).arg(directory).status().expect("chown runs");
    assert!(owner.success(), "the package postgresql-common makes the user `postgres`");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    command
}

/// A fresh database.
pub struct Database {
    /// Its name, which no other test has.
    pub name: String,
}

impl Database {
    /// A database with nothing in it.
    pub async fn empty() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let database = Self { name };
        database.run_beside(&format!("CREATE DATABASE {}", database.name)).await;
        database
    }

    /// Removes the database, and ends every connection to it.
    pub async fn remove(&self) {
        self.run_beside(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }

    async fn run_beside(&self, sql: &str) {
        let mut connection = PgConnection::connect(&url_of("postgres", "postgres", PASSWORD)).await.expect("a server");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.close().await.expect("an orderly end");
    }

    /// A database in which this SQL was run.
    pub async fn with(sql: &str) -> Self {
        let database = Self::empty().await;
        database.run(sql).await;
        database
    }

    /// The URL, with the superuser and their password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_as("postgres", PASSWORD)
    }

    /// The URL, with another user.
    #[must_use]
    pub fn url_as(&self, user: &str, password: &str) -> String {
        url_of(&self.name, user, password)
    }

    /// The port that the server listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        server().port
    }

    /// A connection beside the tested one, as another program would have it.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("a connection")
    }

    /// All that is in it, as `pg_dump` writes it.
    #[must_use]
    pub fn dump(&self) -> Vec<u8> {
        let output = Command::new(programs().join("pg_dump")).arg(self.url()).output().expect("pg_dump runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Runs SQL beside the tested connections.
    pub async fn run(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.close().await.expect("an orderly end");
    }
}

fn url_of(database: &str, user: &str, password: &str) -> String {
    format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", server().port)
}
