//! Whether what is issued here outlives the machine: a host that throws its disk away is known by the variables that it
//! documents, a volume by a mount of its own. It only reads what it is given and follows no links, so that at worst it
//! warns in vain.

use std::path::Path;

use crate::config::{
    Environment, Settings,
    settings::{ModeSettings, StoreSettings},
};

/// The mounts of this process, a line each: proc(5).
const MOUNTS: &str = "/proc/self/mountinfo";
/// File systems that live in memory, or go with the container.
const FLEETING: [&str; 3] = ["tmpfs", "ramfs", "overlay"];

/// A host whose disk goes with the instance.
struct Host {
    name: &'static str,
    /// Set in every instance, says the host's documentation.
    variable: &'static str,
    lasting: Lasting,
}

#[derive(Clone, Copy, PartialEq)]
enum Lasting {
    /// What is mounted.
    Volumes,
    /// What is mounted elsewhere than in this directory.
    VolumesBut(&'static str),
    /// It has no volumes.
    Nothing,
}

/// Kubernetes stands last, since several of the others are built on it.
const HOSTS: [Host; 10] = [
    Host { name: "Cloud Run", variable: "K_SERVICE", lasting: Lasting::Volumes },
    Host { name: "AWS Lambda", variable: "AWS_LAMBDA_FUNCTION_NAME", lasting: Lasting::VolumesBut("/tmp") },
    Host { name: "Fly.io", variable: "FLY_APP_NAME", lasting: Lasting::Volumes },
    Host { name: "Heroku", variable: "DYNO", lasting: Lasting::Nothing },
    Host { name: "Render", variable: "RENDER", lasting: Lasting::Volumes },
    Host { name: "Railway", variable: "RAILWAY_ENVIRONMENT_ID", lasting: Lasting::Volumes },
    Host { name: "App Engine", variable: "GAE_SERVICE", lasting: Lasting::Nothing },
    Host { name: "Azure Container Apps", variable: "CONTAINER_APP_NAME", lasting: Lasting::Volumes },
    Host { name: "Amazon ECS", variable: "ECS_CONTAINER_METADATA_URI_V4", lasting: Lasting::Volumes },
    Host { name: "Kubernetes", variable: "KUBERNETES_SERVICE_HOST", lasting: Lasting::Volumes },
];

/// What will be lost with the instance, and what to set so that it is not; `None` where nothing that was issued here is
/// on a disk that is thrown away.
pub(super) fn warning(settings: &Settings, environment: &dyn Environment) -> Option<String> {
    let modes = settings.auth.modes();
    let oauth = modes.iter().any(ModeSettings::is_oauth);
    if !oauth && !modes.iter().any(ModeSettings::is_issued) {
        return None;
    }
    let issued = if oauth { "every user, key and connected client" } else { "every key that was issued" };
    let is_set = |host: &&Host| environment.variable(host.variable).is_some_and(|value| !value.is_empty());
    let host = HOSTS.iter().find(is_set)?;
    let mounts = environment.read(Path::new(MOUNTS)).unwrap_or_default();
    let is_lost = |file: &&Path| !host.keeps(file, &mounts);
    let store = settings.store.path().filter(is_lost);
    // A store in memory is thrown away because somebody asked for it.
    let key_file = settings.secrets.make.as_deref().filter(|_| settings.store != StoreSettings::Memory).filter(is_lost);
    let (file, lost, mend) = match (store, key_file) {
        (Some(store), Some(_)) => (
            store,
            format!("{issued}, the list of who was cut off, and the root keys they all hang on"),
            "Keep the store in PostgreSQL (BRIDGEHEAD_STORE__URL=postgres://…) and the root keys in the variable \
             BRIDGEHEAD_KEYS",
        ),
        (Some(store), None) => (
            store,
            format!("{issued} and the list of who was cut off"),
            "Keep the store in PostgreSQL (BRIDGEHEAD_STORE__URL=postgres://…)",
        ),
        (None, Some(key_file)) => (
            key_file,
            format!("the root keys, and with them {issued}"),
            "Give the root keys by the variable BRIDGEHEAD_KEYS, in place of `file:…` in [secrets] keys",
        ),
        (None, None) => return None,
    };
    let volume = match host.lasting {
        Lasting::Nothing => String::new(),
        Lasting::Volumes | Lasting::VolumesBut(_) => {
            format!(", or mount a volume that lasts at {}", file.parent().unwrap_or(file).display())
        }
    };
    Some(format!(
        "THIS DISK IS THROWN AWAY. This is {} ({} is set), and {} is on no volume: {lost} will be GONE with this \
         instance, and no other instance knows them. {mend}{volume}.",
        host.name,
        host.variable,
        file.display(),
    ))
}

impl Host {
    fn keeps(&self, file: &Path, mounts: &str) -> bool {
        match self.lasting {
            Lasting::Nothing => false,
            Lasting::VolumesBut(directory) if file.starts_with(directory) => false,
            Lasting::Volumes | Lasting::VolumesBut(_) => is_on_volume(file, mounts),
        }
    }
}

/// Whether the innermost mount around the file is another than `/`, and one that lasts.
fn is_on_volume(file: &Path, mounts: &str) -> bool {
    let around = mounts.lines().filter_map(mount).filter(|(point, _)| file.starts_with(point));
    // Of two on one point the later lies above the earlier.
    let innermost = around.max_by_key(|(point, _)| point.len());
    innermost.is_some_and(|(point, kind)| point != "/" && !FLEETING.contains(&kind.as_str()))
}

/// Mount point and file system of a line: `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`.
fn mount(line: &str) -> Option<(String, String)> {
    let (before, after) = line.split_once(" - ")?;
    // The kernel writes what would break the line as octal numbers.
    let point = before.split(' ').nth(4)?.replace("\\040", " ").replace("\\134", "\\");
    Some((point, after.split(' ').next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::warning;
    use crate::config::{FixedEnvironment, load_text};

    const ROOT: &str = "21 1 0:20 / / rw - overlay overlay rw\n22 21 0:5 / /proc rw - proc proc rw\n";
    const KEYS: &str = "bhs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn warned(variables: &[(&str, &str)], mounts: &str, settings: &str) -> String {
        let environment = FixedEnvironment::new(variables.iter().copied())
            .with_file("/proc/self/mountinfo", format!("{ROOT}{mounts}"));
        let text = format!(
            "{settings}\n[sources.erp]\ntype = \"openapi\"\nspec = \"erp.yaml\"\nbase_url = \"https://erp.internal\"\n"
        );
        let loaded = load_text("/etc/bridgehead/bridgehead.toml".as_ref(), &text, &environment).unwrap();
        warning(&loaded.settings, &environment).unwrap_or_default()
    }

    const IN_DATA: &str = "auth.mode = \"api_key\"\nstore.url = \"sqlite:/data/bridgehead.db\"";
    const VOLUME: &str = "30 21 254:16 / /data rw - ext4 /dev/vdb rw\n";

    /// H1: each host by its own variable, and no other machine.
    #[test]
    fn a_host_is_known_by_its_variable() {
        for (variable, name) in [
            ("K_SERVICE", "Cloud Run"),
            ("AWS_LAMBDA_FUNCTION_NAME", "AWS Lambda"),
            ("FLY_APP_NAME", "Fly.io"),
            ("DYNO", "Heroku"),
            ("RENDER", "Render"),
            ("RAILWAY_ENVIRONMENT_ID", "Railway"),
            ("GAE_SERVICE", "App Engine"),
            ("CONTAINER_APP_NAME", "Azure Container Apps"),
            ("ECS_CONTAINER_METADATA_URI_V4", "Amazon ECS"),
            ("KUBERNETES_SERVICE_HOST", "Kubernetes"),
        ] {
            let said = warned(&[(variable, "x")], "", IN_DATA);
            assert!(said.contains(&format!("This is {name} ({variable} is set)")), "{variable}: {said}");
            assert_eq!(warned(&[(variable, "")], "", IN_DATA), "", "{variable} is empty");
        }
        assert!(
            warned(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("K_SERVICE", "x")], "", IN_DATA).contains("Cloud Run")
        );
        assert_eq!(warned(&[("PORT", "8080"), ("BRIDGEHEAD_PUBLIC_URL", "https://mcp.example.com")], "", IN_DATA), "");
    }

    /// H1: a volume keeps what is on it, memory does not, and some hosts have none.
    #[test]
    fn a_volume_is_known_by_its_mount() {
        for (variable, mounts, is_warned) in [
            ("FLY_APP_NAME", VOLUME, false),
            ("FLY_APP_NAME", "30 21 254:16 / /data2 rw - ext4 /dev/vdb rw\n", true),
            ("FLY_APP_NAME", "30 21 254:16 / /data/below rw - ext4 /dev/vdb rw\n", true),
            ("KUBERNETES_SERVICE_HOST", "30 21 254:16 / /data rw shared:1 master:2 - xfs /dev/vdb rw\n", false),
            ("KUBERNETES_SERVICE_HOST", "30 21 0:40 / /data rw - tmpfs tmpfs rw\n", true),
            ("K_SERVICE", "30 21 0:40 / /data rw - ext4 /dev/vdb rw\n31 30 0:41 / /data rw - tmpfs tmpfs rw\n", true),
            ("DYNO", VOLUME, true),
            ("GAE_SERVICE", VOLUME, true),
            ("AWS_LAMBDA_FUNCTION_NAME", "30 21 0:40 / /data rw - nfs4 127.0.0.1:/ rw\n", false),
            ("RENDER", "no such form", true),
        ] {
            assert_eq!(!warned(&[(variable, "x")], mounts, IN_DATA).is_empty(), is_warned, "{variable} {mounts}");
        }
        let in_tmp = "auth.mode = \"api_key\"\nstore.url = \"sqlite:/tmp/bridgehead.db\"";
        let own_tmp = "30 21 254:16 / /tmp rw - ext4 /dev/vdb rw\n";
        assert!(
            warned(&[("AWS_LAMBDA_FUNCTION_NAME", "x")], own_tmp, in_tmp)
                .contains("/tmp/bridgehead.db is on no volume")
        );
        let spaced = "auth.mode = \"api_key\"\nstore.url = \"sqlite:/my data/bridgehead.db\"";
        assert_eq!(warned(&[("RENDER", "true")], "30 21 254:16 / /my\\040data rw - ext4 /dev/vdb rw\n", spaced), "");
    }

    /// H1, P2: what is lost is told, with what to set instead; who issues nothing loses nothing.
    #[test]
    fn what_is_lost_and_what_to_set_is_told() {
        let postgres = "store.url = \"postgres://b@db.internal/b\"";
        let file = "secrets.keys = [\"file:/keys/bridgehead.keys\"]";
        for (settings, keys, words) in [
            (
                IN_DATA.to_owned(),
                "",
                &["the root keys they all hang on", "=postgres://", "BRIDGEHEAD_KEYS", "volume that lasts at /data."][..],
            ),
            (IN_DATA.to_owned(), KEYS, &["who was cut off will be GONE", "=postgres://"]),
            (
                format!("auth.mode = \"api_key\"\n{postgres}\n{file}"),
                "",
                &["/keys/bridgehead.keys is on no", "BRIDGEHEAD_KEYS"],
            ),
            (format!("auth.mode = \"api_key\"\n{postgres}"), KEYS, &[]),
            ("auth.mode = \"api_key\"\nstore.url = \"memory:\"".to_owned(), "", &[]),
            ("auth.mode = \"open\"".to_owned(), "", &[]),
            (
                "auth.mode = \"oauth\"\nserver.public_url = \"https://mcp.example.com\"\nstore.url = \"sqlite:/data/b.db\"".to_owned(),
                KEYS,
                &["every user, key and connected client and the list of who was cut off will be GONE", "=postgres://"],
            ),
            ("auth.mode = \"api_key\"\nauth.api_key = { verify = \"upstream\", probe = { source = \"erp\", path = \"/me\" } }".to_owned(), "", &[]),
        ] {
            let said = warned(&[("FLY_APP_NAME", "x"), ("BRIDGEHEAD_KEYS", keys)], "", &settings);
            assert_eq!(said.is_empty(), words.is_empty(), "{settings}: {said}");
            for part in words {
                assert!(said.contains(part), "{settings}: {part}: {said}");
            }
        }
        let nothing_to_mount = warned(&[("DYNO", "web.1")], "", IN_DATA);
        assert!(!nothing_to_mount.contains("mount a volume"), "{nothing_to_mount}");
    }
}
