//! A server as a process of ours, `bridgehead serve` above all: a port for it, when it is ready, and its end in good order.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process;

const LONGEST_STOP: Duration = Duration::from_secs(15);
const LONGEST_START: Duration = Duration::from_secs(60);
/// Between two looks; a start is measured this exactly.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Fixed by the configuration's default, so that two runs beside each other would collide; a free one now is good
/// enough for a server that starts at once, and a collision fails loudly.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A running server, which does not outlive us.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Whom to tell to stop: the child, or the one that it started.
    pub(crate) pid: u32,
}

impl From<Child> for Server {
    fn from(child: Child) -> Self {
        Self { pid: child.id(), child }
    }
}

impl Server {
    /// Waits until it says that it can serve, on this port of this machine.
    pub(crate) fn until_ready(&mut self, port: u16) -> Result<()> {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
        let agent: ureq::Agent = config.timeout_global(Some(LONGEST_START)).build().into();
        self.until(|| {
            let answer = agent.get(format!("http://127.0.0.1:{port}/readyz")).call();
            answer.is_ok_and(|answer| answer.status() == 200)
        })
    }

    /// Waits until it takes connections at this port of this machine, for servers that say no more.
    pub(crate) fn until_it_listens(&mut self, port: u16) -> Result<()> {
        self.until(|| TcpStream::connect(("localhost", port)).is_ok())
    }

    fn until(&mut self, is_there: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + LONGEST_START;
        while Instant::now() < deadline {
            if is_there() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}");
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        bail!("the server was not ready within {} seconds", LONGEST_START.as_secs())
    }

    /// Asks it to stop as a platform would, and wants it to say that all went well.
    pub(crate) fn stop(mut self) -> Result<()> {
        process::run(Command::new("kill").args(["-TERM", &self.pid.to_string()]))?;
        let deadline = Instant::now() + LONGEST_STOP;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("after SIGTERM the server ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the server did not stop within {} seconds of SIGTERM", LONGEST_STOP.as_secs())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only where it has ended already, and then there is nothing to do.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
