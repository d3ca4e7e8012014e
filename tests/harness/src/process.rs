//! The real binary as a process of its own.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    sync::watch,
};

/// Where the binary of that name is: where `cargo xtask test` says, else beside the test's own,
/// where `cargo test --workspace` builds it.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let beside_the_test = || {
        let test = std::env::current_exe().expect("a test is a file");
        test.ancestors().nth(2).expect("target/PROFILE/deps/TEST").to_owned()
    };
    let path = std::env::var_os("E2E_PROGRAMS_DIR").map_or_else(beside_the_test, PathBuf::from).join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo xtask test`, or `cargo build --workspace` before this test",
        path.display()
    );
    path
}

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/harness stands in it").to_owned()
}

/// Runs `bridgehead` with these arguments in this directory, to its end.
pub async fn bridgehead(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(binary("bridgehead"))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the binary runs")
}

/// As [`bridgehead()`], with something to read on its input.
pub async fn bridgehead_with_input(directory: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(binary("bridgehead"))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("piped");
    // A command that does not read to the end closes the pipe.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    child.wait_with_output().await.expect("the binary ends")
}

/// `bridgehead serve` as a process, and what its card says.
pub struct Served {
    /// All that was printed before the first request.
    pub card: String,
    /// The endpoint's URL, from the card.
    pub url: String,
    /// The key of the first run, from the card.
    pub key: Option<String>,
    child: Child,
    log: watch::Receiver<Vec<String>>,
}

impl Served {
    /// Starts `name serve CONFIG` on a free port and waits for the whole card.
    pub async fn start(config: &Path) -> Self {
        let mut command = Command::new(binary("bridgehead"));
        command.arg("serve").arg(config);
        Self::from(command).await
    }

    /// As [`Served::start`], with more environment variables.
    pub async fn start_with(config: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary("bridgehead"));
        command.arg("serve").arg(config).envs(variables.iter().copied());
        Self::from(command).await
    }

    /// Starts a command that prints a card as `bridgehead serve` does.
    pub async fn from(mut command: Command) -> Self {
        command
            .env("BRIDGEHEAD_SERVER__LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut card = String::new();
        // The card ends with where the connect page is.
        while let Some(line) = lines.next_line().await.expect("text") {
            card.push_str(&line);
            card.push('\n');
            if line.contains("Elsewhere") {
                break;
            }
        }
        if !card.contains("Elsewhere") {
            let mut errors = String::new();
            child.stderr.take().expect("piped").read_to_string(&mut errors).await.expect("text");
            panic!("no card was printed: {card}\n{errors}");
        }
        // Log lines must not fill the pipe and stop the server.
        let mut errors = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (sender, log) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = errors.next_line().await {
                sender.send_modify(|lines| lines.push(line));
            }
        });
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let entry = |label: &str| {
            let line = card.lines().find_map(|line| line.trim_start().strip_prefix(label))?;
            Some(line.trim().to_owned())
        };
        let url = entry("URL ").expect("a URL on the card");
        let key = entry("Key ");
        Self { card, url, key, child, log }
    }

    /// The lines of the log so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// The first line of the log, from the start on, for which this holds; waits for it.
    pub async fn logged(&self, is_it: impl Fn(&str) -> bool) -> String {
        let find = |lines: &Vec<String>| lines.iter().find(|line| is_it(line)).cloned();
        let mut log = self.log.clone();
        let lines = log.wait_for(|lines| find(lines).is_some()).await;
        lines.ok().and_then(|lines| find(&lines)).unwrap_or_else(|| panic!("not logged; the card:\n{}", self.card))
    }

    /// Sends SIGTERM and waits for the end; the exit code.
    pub async fn terminate(mut self) -> Option<i32> {
        self.begin_to_terminate().await;
        self.child.wait().await.expect("it ends").code()
    }

    /// Sends SIGKILL and waits for the end.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it ends");
    }

    /// Sends SIGTERM, without waiting.
    pub async fn begin_to_terminate(&self) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill runs");
        assert!(sent.success());
    }
}
