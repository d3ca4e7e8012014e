//! The image's program as a container engine would run it, by util-linux alone: process 1 of its own, the numeric user,
//! the root file system read-only, the volume writable, and what the OCI runtime specification promises of `/proc` and
//! `/dev`. The network is this machine's.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::dockerfile::Dockerfile;
use super::root::below;
use crate::serving::Server;

/// Where the configuration is mounted.
pub(super) const CONFIGURATION: &str = "/etc/bridgehead";

/// All mounts are of this process's own namespace and go with it.
const START: &str = r#"set -e
root=$1 volume=$2 data=$3 configuration=$4 user=$5
shift 5
mount --bind "$root" "$root"
mount --bind "$data" "$root$volume"
mount --bind "$configuration" "$root/etc/bridgehead"
mount -o remount,bind,ro "$root/etc/bridgehead"
for device in null random urandom; do mount --bind "/dev/$device" "$root/dev/$device"; done
mount -t proc -o ro,nosuid,nodev,noexec proc "$root/proc"
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" --groups= "$root" "$@"
"#;

pub(super) struct Container<'a> {
    pub(super) file: &'a Dockerfile,
    pub(super) root: PathBuf,
    /// What is mounted as the volume.
    pub(super) data: PathBuf,
    /// What is mounted at [`CONFIGURATION`].
    pub(super) configuration: PathBuf,
    /// The script that mounts and starts.
    pub(super) script: PathBuf,
}

/// Variables beside those that the image sets, and instead of them.
pub(super) type Environment = [(&'static str, String)];

impl Container<'_> {
    /// Makes what an engine makes before it mounts: the points to mount on, the files of name resolution, and a volume
    /// that belongs to the image's user.
    pub(super) fn prepare(&self, resolver: &str, hosts: &str) -> Result<()> {
        let inside = |path: &str| below(&self.root, Path::new(path));
        for folder in [CONFIGURATION, "/proc", "/dev"] {
            std::fs::create_dir_all(inside(folder))?;
        }
        for (path, text) in [
            ("/dev/null", ""),
            ("/dev/random", ""),
            ("/dev/urandom", ""),
            ("/etc/resolv.conf", resolver),
            ("/etc/hosts", hosts),
        ] {
            std::fs::write(inside(path), text)?;
        }
        std::fs::write(&self.script, START)?;
        std::fs::create_dir_all(&self.data)?;
        crate::process::run(Command::new("chown").arg(&self.file.user).arg(&self.data))
    }

    fn command(&self, environment: &Environment, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh"])
            .arg(&self.script)
            .arg(&self.root)
            .arg(&self.file.volume)
            .arg(&self.data)
            .arg(&self.configuration)
            .args([&self.file.user, &self.file.program])
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(self.file.environment.iter().map(|(name, value)| (name, value)))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program with these arguments to its end; what it writes to stdout.
    pub(super) fn run(&self, environment: &Environment, arguments: &[&str]) -> Result<String> {
        println!("$ {} {}", self.file.program, arguments.join(" "));
        crate::process::output(&mut self.command(environment, arguments))
    }

    /// Starts the program with the arguments of the image.
    pub(super) fn start(&self, environment: &Environment, stdout: File, stderr: File) -> Result<Server> {
        let arguments: Vec<&str> = self.file.arguments.iter().map(String::as_str).collect();
        println!("$ {} {}", self.file.program, arguments.join(" "));
        let child = self
            .command(environment, &arguments)
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .context("cannot start unshare")?;
        let mut server = Server::from(child);
        server.pid = first_process_of(server.pid)?;
        Ok(server)
    }
}

/// Sees to it that the process is what an operator asks for: process 1, of the image's user, without capabilities, and
/// with nothing to write to but the volume and the devices.
pub(super) fn ensure_confined(pid: u32, file: &Dockerfile) -> Result<()> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let told =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().split_whitespace();
    let user = file.user.split(':').next();
    ensure!(told("Uid:").all(|id| Some(id) == user), "it runs as another user: {status}");
    ensure!(told("NSpid:").last() == Some("1"), "it is not process 1: {status}");
    ensure!(told("CapEff:").all(|set| set.bytes().all(|digit| digit == b'0')), "it has capabilities: {status}");
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo"))?;
    let writable = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(4);
        let (point, options) = (fields.next()?, fields.next()?);
        (options.split(',').any(|option| option == "rw") && !point.starts_with("/dev/")).then_some(point)
    });
    let writable: Vec<_> = writable.collect();
    ensure!(writable == [file.volume.as_str()], "it could write to {writable:?}");
    println!("process 1, user {}, no capabilities, nothing writable but {}", file.user, file.volume);
    Ok(())
}

/// The one that `unshare` has forked: process 1 in there, and another number out here.
fn first_process_of(unshare: u32) -> Result<u32> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let children = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap_or_default();
        if let Some(child) = children.split_whitespace().next() {
            return child.parse().context("not a number of a process");
        }
        ensure!(Instant::now() < deadline, "unshare has started nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
}
