//! What can be wrong with a server, and how it is committed.

use std::time::Duration;

use bridgehead_doctor::Profile;
use url::Url;

use crate::{Answer, Asked, Mode, Network, Way};

/// One thing that is wrong with a server which is healthy otherwise.
pub struct Fault {
    /// In kebab case, unique.
    pub name: &'static str,
    /// What is wrong, for readers of the table: "The certificate has expired".
    pub wrong: &'static str,
    /// The id of the check that has to find it, alone; empty where it is harmless.
    pub found_by: &'static str,
    /// How the server asks who is calling.
    pub mode: Mode,
    /// Where it stands.
    pub way: Way,
    /// As whom it is looked at.
    pub profile: Profile,
    /// Makes what commits it, with a state of its own for each garden.
    pub commit: fn() -> Tampering,
}

impl Fault {
    /// Nothing at all, to take the rest of a fault from: `..Fault::NONE`. Looked at as Duvo, open, on the
    /// internet.
    pub const NONE: Self = Self {
        name: "none",
        wrong: "Nothing is wrong",
        found_by: "",
        mode: Mode::Open,
        way: Way::Internet,
        profile: Profile::Duvo,
        commit: Tampering::none,
    };
}

type Arriving = dyn Fn(&mut Asked) -> Course + Send + Sync;
type Leaving = dyn Fn(&Asked, &mut Answer) + Send + Sync;

/// What stands between the doctor and the server. State between requests is what the closures capture.
#[derive(Default)]
pub struct Tampering {
    pub(crate) typed: Option<fn(&mut Url)>,
    pub(crate) network: Network,
    pub(crate) arriving: Option<Box<Arriving>>,
    pub(crate) leaving: Option<Box<Leaving>>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Course {
    /// What a healthy server does: it is answered; where it came without TLS on the internet, by a
    /// redirect to `https`.
    Usual,
    /// The server gets it, also where it came without TLS.
    Forward,
    /// As usual, when this much time has passed on the clock of doctor and server.
    After(Duration),
    /// This is the answer; the server sees nothing of it.
    Answer(Answer),
    /// The connection is closed without an answer.
    Close,
    /// Nothing ever comes; the clock moves on until whoever waits has given up.
    Hang,
}

impl Tampering {
    /// Nothing is changed.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Somebody types another URL than the endpoint's.
    #[must_use]
    pub const fn typed(mut self, change: fn(&mut Url)) -> Self {
        self.typed = Some(change);
        self
    }

    /// The network is another one.
    #[must_use]
    pub fn network(mut self, change: impl FnOnce(&mut Network)) -> Self {
        change(&mut self.network);
        self
    }

    /// Each request passes here first, and may be changed.
    #[must_use]
    pub fn arriving(mut self, decide: impl Fn(&mut Asked) -> Course + Send + Sync + 'static) -> Self {
        self.arriving = Some(Box::new(decide));
        self
    }

    /// Each answer passes here last, with the request as the server got it. Answers of a fault's own
    /// ([`Course::Answer`]) do not.
    #[must_use]
    pub fn leaving(mut self, change: impl Fn(&Asked, &mut Answer) + Send + Sync + 'static) -> Self {
        self.leaving = Some(Box::new(change));
        self
    }
}
